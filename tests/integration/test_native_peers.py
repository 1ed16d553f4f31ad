"""Peers as an operator meets them: taken ports, a state in use, a supervisor that is killed."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes.microgrid import key

from tieline.contract.genesis import Genesis
from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.tendermint.home import Pace
from tieline.ledgers.tendermint.peers import PeerGroup

pytestmark = pytest.mark.native

WAIT_S = 180.0


def genesis():
    cell = key("cell")
    return Genesis(
        chain_id="peers-1",
        network_id=b"\xee" * 32,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        balances=((cell.cosmos_account, 10**12),),
    )


@pytest.fixture
def group(tmp_path):
    group = PeerGroup(genesis(), tmp_path, pace=Pace(20, 1))
    yield group
    group.stop()


def wait_for(holds):
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def is_alive(pid):
    try:
        return b"\nState:\tZ" not in Path(f"/proc/{pid}/status").read_bytes()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("which", ["abci", "rpc", "p2p"])
def test_a_port_that_was_taken_meanwhile_is_replaced(group, which):
    """Between looking for a port and listening on it another process may take it."""
    peer = group.peers[0]
    port = getattr(peer._plan.ports, which)
    with socket.create_server(("127.0.0.1", port)):
        group.start()
        assert getattr(peer._plan.ports, which) != port
        height = peer.rpc.call_now("abci_info")["response"]["last_block_height"]
    assert int(height) >= 2
    assert group.restarts == 0


def test_a_state_that_is_in_use_is_told_with_its_file_and_what_to_do(group, tmp_path):
    state = tmp_path / "peer0" / "state.sqlite"
    with sqlite3.connect(state, isolation_level=None) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("CREATE TABLE held (x)")
        with pytest.raises(ConfigError) as caught:
            group.start()
    other.close()
    message = str(caught.value)
    assert str(state) in message
    assert "database is locked" in message
    assert "end the process that has it open" in message
    assert str(tmp_path / "peer0" / "abci.log") in message


def test_an_engine_that_cannot_start_is_told_with_its_last_words(group, tmp_path):
    (tmp_path / "peer0" / "config" / "genesis.json").write_text("{}", encoding="utf-8")
    with pytest.raises(Unavailable) as caught:
        group.start()
    assert "peer0 has ended" in str(caught.value)
    assert "genesis" in str(caught.value)
    assert "engine.log" in str(caught.value)


def test_a_supervisor_that_is_killed_leaves_no_engine_even_one_that_cannot_notice(tmp_path):
    """A stopped engine sees neither its host go nor a signal that asks politely."""
    genesis_file = tmp_path / "given.json"
    genesis_file.write_bytes(genesis().to_bytes())
    code = (
        "import time\nfrom pathlib import Path\n"
        "from tieline.contract.genesis import Genesis\n"
        "from tieline.ledgers.tendermint.peers import PeerGroup\n"
        f"given = Genesis.from_bytes(Path({str(genesis_file)!r}).read_bytes())\n"
        f"group = PeerGroup(given, Path({str(tmp_path / 'net')!r}))\n"
        "group.start()\nprint(*group.peers[0].pids, flush=True)\ntime.sleep(600)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment
    ) as parent:
        host, engine = (int(word) for word in parent.stdout.readline().split())
        os.kill(engine, signal.SIGSTOP)
        parent.kill()
    wait_for(lambda: not is_alive(host) and not is_alive(engine))


def test_a_unit_that_was_killed_says_so_and_comes_back(group):
    group.start()
    peer = group.peers[0]
    host, engine = peer.pids
    os.kill(host, signal.SIGKILL)
    wait_for(lambda: group.restarts == 1 and peer.is_running())
    assert not is_alive(host)
    assert not is_alive(engine)
    assert "host killed by signal 9" in peer.reason
