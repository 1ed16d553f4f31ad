"""
A small world on real engines: the trades of the embedded one, an audit that is content, and a run
that goes on after kill -9.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes.small_world import blocks_bin, dispatch, small

from tieline.audit.auditing import audit
from tieline.interfaces.errors import ConfigError
from tieline.light_clients.tendermint.verifier import verify_header_once
from tieline.scenario import world
from tieline.scenario.run_folder import RunFolder
from tieline.wire.blocks import split_frames

pytestmark = pytest.mark.native

EVENTFUL = {
    "slot_count": 1,
    "events": [
        dispatch("a-depot", 1500, (0,)),
        {"event": "slack_voltage", "slots": [0], "voltage_pu": 0.98},
    ],
}
CHILD = """
import json, sys
from pathlib import Path
from fakes.small_world import small
from tieline.scenario import world
given = json.loads(sys.argv[2])
world.run(small(**given), Path(sys.argv[1]), progress=lambda *_: None, engine="native")
"""


def silently(_done, _all, _what):
    """Show nothing."""


def run(config, path, **changes):
    world.run(config, path, progress=silently, **changes)
    return RunFolder(path)


def terms_of(folder):
    """
    What was agreed and what came of it, without what hangs on hashes: ids, and by them who of two
    equal ones gets the odd Wh.
    """
    return sorted(
        (
            trade.level,
            trade.energy_wh,
            trade.cap_wh,
            trade.delivered_wh,
            trade.price_in_micro_eur_per_kwh,
            trade.price_out_micro_eur_per_kwh,
            trade.paid_in_nano_eur,
            trade.refunded_in_nano_eur,
            trade.decision,
            trade.reason,
            trade.outcome,
            sorted((row.cell, row.side, row.price_micro_eur_per_kwh) for row in trade.allocations),
        )
        for trade in folder.read_trades()
    )


def test_the_engine_changes_no_trade_and_the_audit_is_content(tmp_path):
    """One refusal, and payments at all levels, to the nano-EUR."""
    embedded = run(small(**EVENTFUL), tmp_path / "embedded")
    asked_before = verify_header_once.cache_info()
    native = run(small(**EVENTFUL), tmp_path / "native", engine="native")
    assert verify_header_once.cache_info() == asked_before, "every cell verifies for itself"
    assert terms_of(native) == terms_of(embedded)
    assert {trade.outcome for trade in native.read_trades()} >= {"settled", "refused"}
    assert native.read_state().engine == native.read_summary().engine == "native"
    assert all(check.is_ok for check in native.read_summary().checks)
    report = audit(tmp_path / "native")
    assert report.findings == ()
    assert report.notes == ()
    assert (tmp_path / "native" / "engines" / "mg-a").stat().st_mode & 0o077 == 0


def test_a_native_run_goes_on_after_kill_9(tmp_path):
    """Nobody is left behind; what was exported stays; the trades are those of no kill."""
    embedded = run(small(**EVENTFUL), tmp_path / "embedded")
    path = tmp_path / "native"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    command = [sys.executable, "-c", CHILD, str(path), json.dumps(EVENTFUL)]
    with subprocess.Popen(command, env=environment) as child:
        end = time.monotonic() + 600
        while not list(path.glob("evidence/*.json")):
            assert child.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        child.kill()
    assert child.returncode == -signal.SIGKILL
    await_end_of(path)
    before = {name: data[: split_frames(data)[1]] for name, data in blocks_bin(path).items()}
    with pytest.raises(ConfigError, match="began with --engine native"):
        run(small(**EVENTFUL), path, resume=True, engine="embedded")
    native = run(small(**EVENTFUL), path, resume=True)
    after = blocks_bin(path)
    assert len(before) == 3
    assert all(after[name].startswith(blocks) for name, blocks in before.items())
    assert terms_of(native) == terms_of(embedded)
    assert audit(path).findings == ()


def await_end_of(path):
    """Wait until no process works in the folder."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if not any(str(path / "engines") in line for line in command_lines()):
            return
        time.sleep(0.05)
    raise AssertionError("engines were left behind")


def command_lines():
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield entry.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
