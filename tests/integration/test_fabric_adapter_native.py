"""The Fabric adapter on Fabric's own programs: many at once, kills, and input that is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import pickle
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from fakes.driven import LANES, finish, genesis_of
from fakes.driven_fabric import NativeFabric, accesses
from fakes.fabric_identities import identity_of
from fakes.fabric_networks import PUT_GET, lay_out
from fakes.fabric_reader import Reading
from fakes.microgrid import key
from fakes.native_fabric import NativeChannel

from tieline.interfaces.errors import ConfigError, HubError, Unavailable
from tieline.ledgers.children.ports import free_ports
from tieline.ledgers.fabric.carriers import X509Carrier
from tieline.ledgers.fabric.gateway import GatewayPort
from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.fabric.native.admin_calls import Definition
from tieline.ledgers.fabric.native.chaincode_package import ChaincodePackage
from tieline.ledgers.fabric.opening import begin_contract
from tieline.ledgers.fabric.peers import PeerPorts, check_chaincode
from tieline.ledgers.fabric.port import Validation
from tieline.ledgers.fabric.settings import FabricSettings
from tieline.ledgers.fabric.wallets import FolderWallet, Identity
from tieline.swap.messages import MsgSend
from tieline.wire.fabric.blocks import Block
from tieline.wire.fabric.invocations import version_args

pytestmark = pytest.mark.native

SUBMITTERS = 50
REST_S = 180.0
QUIET = FabricSettings(idle_tick_s=10**9)


@pytest.fixture(scope="module")
def channel(tmp_path_factory):
    made = NativeChannel("adapter-1", tmp_path_factory.mktemp("fabric"))
    yield made
    made.stop()


class CountingPort(GatewayPort):
    """Knows how many envelopes were handed in."""

    count = 0

    async def order(self, envelope):
        self.count += 1
        await super().order(envelope)

    async def ordered(self, count):
        """Wait until so many are on their way to the orderer."""
        end = time.monotonic() + REST_S
        while self.count < count:
            assert time.monotonic() < end, f"{self.count} were endorsed"
            await asyncio.sleep(0.02)
        await asyncio.sleep(1.0)


def opened(channel, settings=None):
    """A process of its own, with all lanes."""
    return with_lanes(channel.open(settings))


def with_lanes(ledger):
    for name in LANES:
        ledger.add_lane(name, key(f"{name} of adapter-1"))
    finish(ledger.read_on())
    return ledger


def pay(ledger, sender, recipient, amount):
    return MsgSend(ledger.lane_account(sender), ledger.lane_account(recipient), amount)


async def at_rest(*ledgers):
    """Wait until nobody has anything under way."""
    end = time.monotonic() + REST_S
    while any(ledger.under_way for ledger in ledgers):
        assert time.monotonic() < end, "not at rest"
        for ledger in ledgers:
            await ledger.read_on()
        await asyncio.sleep(0.02)


def outcomes_after(ledger, height):
    return [
        (one.tx_hash, one.code)
        for block in finish(ledger.blocks_after(height, 1000))
        for one in block.transactions
    ]


def assert_peers_agree(channel):
    """Both peers have all blocks, with one verdict on each transaction and one commit hash."""
    ports = [channel.port(peer) for peer in range(len(channel.network.peers))]
    count = max(finish(port.height()) for port in ports) + 1
    end = time.monotonic() + REST_S
    while min(finish(port.height()) for port in ports) < count - 1:
        assert time.monotonic() < end, "a peer is behind"
        time.sleep(0.05)
    seen = [
        [Block.decode(raw).metadata for raw in finish(port.blocks_after(-1, count))]
        for port in ports
    ]
    assert [(one[2], one[4]) for one in seen[0]] == [(one[2], one[4]) for one in seen[1]]


def test_fifty_submitters_of_two_processes_into_one_account_lose_and_double_nothing(channel):
    """Must-see 5: no final failure; all peers at one state."""
    here, there = opened(channel), opened(channel)
    height = finish(here.latest_height())

    async def all_at_once():
        sending = [
            ledger.submit(lane, [pay(ledger, lane, "cell", 1)])
            for n in range(SUBMITTERS)
            for ledger, lane in [((here, there)[n % 2], f"household {n}")]
        ]
        sent = [one.tx_hash for one in await asyncio.gather(*sending)]
        await at_rest(here, there)
        return sent

    sent = finish(all_at_once())
    for ledger in (here, there):
        assert sorted(outcomes_after(ledger, height)) == sorted((one, 0) for one in sent)
    assert_peers_agree(channel)


def test_two_and_thirty_disjoint_payments_are_valid_in_one_block(channel):
    node = channel.network.peers[0]
    carrier = channel.network.carrier(node.msp_id)
    port = CountingPort(channel.network.address(node), channel.network.plan.fabric_channel, carrier)
    ledger = with_lanes(FabricLedger(port, QUIET, wall_s=channel.clock.now_s))
    height = finish(ledger.latest_height())
    orderer = channel.network.pid(channel.network.orderers[0].name)

    async def all_at_once():
        # One that is awake cuts ten blocks a second, and a slow machine fills none of them.
        os.kill(orderer, signal.SIGSTOP)
        try:
            sending = asyncio.gather(
                *(
                    ledger.submit(
                        f"household {n}", [pay(ledger, f"household {n}", f"household {n + 32}", 1)]
                    )
                    for n in range(32)
                )
            )
            await port.ordered(32)
        finally:
            os.kill(orderer, signal.SIGCONT)
        await sending
        await at_rest(ledger)

    finish(all_at_once())
    raws = finish(channel.port().blocks_after(height, 100))
    blocks = [Block.decode(raw) for raw in raws]
    assert Validation.MVCC_READ_CONFLICT not in {c for b in blocks for c in b.transactions_filter}
    assert sum(len(accesses(block)) for block in blocks) == 32
    assert max(len(accesses(block)) for block in blocks) > 8, "side by side, not one after another"


def test_an_orderer_that_is_killed_under_way_leaves_nothing_lost_or_doubled(channel):
    ledger = opened(channel, FabricSettings(idle_tick_s=10**9, again_s=0.5))
    height = finish(ledger.latest_height())

    async def story():
        sent = []
        for n in range(12):
            lane = f"household {n}"
            if n == 4:
                channel.network.kill(channel.network.orderers[0].name)
            sent.append((await ledger.submit(lane, [pay(ledger, lane, lane, n + 1)])).tx_hash)
            if n == 8:
                await asyncio.to_thread(channel.network.restart, channel.network.orderers[0].name)
        await at_rest(ledger)
        return sent

    sent = finish(story())
    assert sorted(outcomes_after(ledger, height)) == sorted((one, 0) for one in sent)
    assert_peers_agree(channel)


def test_another_peer_is_read_while_one_is_down(channel):
    ledger = opened(channel)
    assert_peers_agree(channel)
    height = finish(ledger.latest_height())
    channel.network.kill(channel.network.peers[0].name)
    try:
        assert finish(ledger.latest_height()) == height
    finally:
        channel.network.restart(channel.network.peers[0].name)
        await_service(channel)


def await_service(channel):
    """Wait until the first peer endorses again: it looks for the others after it listens."""
    end = time.monotonic() + REST_S
    while True:
        try:
            finish(channel.port().endorse(version_args()))
        except HubError:
            assert time.monotonic() < end, "the peer does not come back"
            time.sleep(0.1)
        else:
            return


def test_a_clock_that_is_off_by_minutes_proves_nothing_and_says_so(channel, caplog):
    ahead = lambda: channel.clock.now_s() + 300  # noqa: E731
    ledger = FabricLedger(channel.port(), wall_s=ahead)
    with caplog.at_level(logging.WARNING):
        finish(ledger.read_on())
    (said,) = [one for one in caplog.messages if "Tick" in one]
    assert "within 30 s of the endorser's clock" in said
    assert "NTP" in said


def test_a_contract_begins_once(channel):
    assert finish(begin_contract(channel.port(), channel.genesis)) is False
    with pytest.raises(ConfigError, match="does not take this genesis"):
        finish(begin_contract(channel.port(), channel.genesis.replace(b"adapter-1", b"adapter-2")))


def port_with(channel, *, carrier=None, name=None, chaincode="tieline", **address):
    node = channel.network.peers[0]
    return GatewayPort(
        replace(channel.network.address(node), **address),
        name or channel.network.plan.fabric_channel,
        carrier or channel.network.carrier(node.msp_id),
        chaincode=chaincode,
    )


def refused(port):
    """What an operator is told, at the first look and later: causes, cures, and which peer."""
    said = []
    for ask in (PeerPorts([port]).height, lambda: port.endorse(version_args())):
        with pytest.raises(ConfigError) as caught:
            finish(ask())
        assert caught.value.instead
        said.append(str(caught.value))
        assert port.name in said[-1]
    return " / ".join(said)


def test_an_identity_of_no_organisation_of_the_channel(channel):
    carrier = X509Carrier(identity_of("Org9MSP"))
    said = refused(port_with(channel, carrier=carrier))
    assert "take an identity of an organisation of this channel" in said


def test_an_identity_that_claims_another_organisation(channel):
    stranger = identity_of("Org9MSP")
    carrier = X509Carrier(replace(stranger, msp_id="Org1MSP"))
    assert "with its own MSP id" in refused(port_with(channel, carrier=carrier))


def test_another_tls_root(channel):
    root = channel.network.ordering.tls_authority.certificate_pem
    assert "not of the authority that was given" in refused(port_with(channel, root_pem=root))


def test_a_peer_that_is_not_on_the_channel(channel):
    said = refused(port_with(channel, name="adapter-2"))
    assert "channel 'adapter-2' not found" in said
    assert "not on the channel" in said


def test_a_chaincode_that_is_not_committed(channel):
    port = port_with(channel, chaincode="absent")
    with pytest.raises(ConfigError, match="not committed on the channel"):
        finish(port.endorse(version_args()))


def test_something_that_does_not_speak_tls(channel):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"

        def answer_plainly():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer_plainly, daemon=True).start()
        said = refused(port_with(channel, target=target))
        listener.shutdown(socket.SHUT_RDWR)
    assert "does not speak TLS" in said


def test_nobody_at_the_address_is_no_matter_for_an_operator_yet(channel):
    with pytest.raises(Unavailable):
        finish(port_with(channel, target="127.0.0.1:9").evaluate(version_args()))


def test_ours_is_known_by_its_version_and_says_which_genesis_it_takes(channel):
    """Every peer's chaincode, over the network: what it was started for, not what it holds."""
    takes = [finish(check_chaincode(channel.port(peer))) for peer in (0, 1)]
    assert takes == [hashlib.sha256(channel.genesis).hexdigest()] * 2


def test_a_ledger_can_be_driven_through_either_peer(channel):
    """What one wrote another reads, over the other peer."""
    driven = NativeFabric(opened_bare(channel))
    packet = driven.must(pay(driven.ledger, "relayer", "cell", 3))
    other = FabricLedger(channel.port(1))
    end = time.monotonic() + REST_S
    while True:
        finish(other.read_on())
        found = {one.tx_hash for b in finish(other.blocks_after(0, 1000)) for one in b.transactions}
        if packet.tx_hash in found:
            return
        assert time.monotonic() < end, "the other peer is behind"
        time.sleep(0.05)


def opened_bare(channel):
    return channel.open()


def test_wrong_answers_are_errors_the_hub_knows(channel):
    with pytest.raises(HubError):
        finish(channel.port().endorse((b"Nonsense",)))


def test_an_operator_checks_channels_from_the_command_line(channel, tmp_path):
    """Two channels in a relayer's file; their heights are asked over gRPC and TLS."""
    second = NativeChannel("adapter-2", tmp_path / "second")
    try:
        ledgers = {made.network.plan.fabric_channel: made for made in (channel, second)}
        sections = []
        for name, made in ledgers.items():
            node = made.network.peers[0]
            organisation = made.network.organisations[node.msp_id]
            member = organisation.member("client")
            identity = Identity(
                node.msp_id, member.signing.certificate_pem, member.signing.private_pem()
            )
            FolderWallet(tmp_path / "wallet").put(name, identity)
            (tmp_path / f"{name}.pem").write_bytes(organisation.tls_authority.certificate_pem)
            (tmp_path / f"{name}.crt").write_bytes(member.tls.certificate_pem)
            (tmp_path / f"{name}.tls").write_bytes(member.tls.private_pem())
            sections.append(
                f"  {name}: {{kind: fabric, rpc: ['127.0.0.1:{node.port}'], key_file: {name}.key, "
                f"fabric: {{wallet: wallet, identity: {name}, tls_roots_file: {name}.pem, "
                f"tls_certificate_file: {name}.crt, tls_key_file: {name}.tls}}}}"
            )
        config = tmp_path / "relay.yaml"
        between = "{between: [adapter-1, adapter-2], clients: [fabric-block-0, fabric-block-0]}"
        config.write_text("\n".join(["ledgers:", *sections, f"paths: [{between}]", ""]))
        run_tieline("relay", "keys", str(config))
        told = json.loads(run_tieline("relay", "check", str(config), "--json"))
        expected = {name: finish(made.port().height()) for name, made in ledgers.items()}
        assert told["heights"] == expected
        kept = [tmp_path / f"{name}.fabric.db" for name in ledgers]
        assert all(path.is_file() for path in kept)
        again = json.loads(run_tieline("relay", "check", str(config), "--json"))
        assert again["heights"] == expected
        kept[0].replace(kept[1])
        assert "blocks of channel adapter-1" in run_tieline(
            "relay", "check", str(config), "--json", code=2
        )
        assert len(told["paths"]) == 1
    finally:
        second.stop()


def run_tieline(*arguments, code=0):
    """Run the command line in a process of its own, and return what it prints, or complains."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    done = subprocess.run(
        [sys.executable, "-c", "from tieline.cli.main import main; main()", *arguments],
        capture_output=True,
        env=environment,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code:
        return done.stderr
    assert done.stderr == ""
    return done.stdout


class Counted:
    """A port that keeps the numbers of the blocks that are asked for."""

    def __init__(self, inner):
        self.inner = inner
        self.read = []

    def __getattr__(self, name):
        return getattr(self.inner, name)

    async def blocks_after(self, number, limit):
        found = await self.inner.blocks_after(number, limit)
        self.read += [Block.decode(raw).header.number for raw in found]
        return found


def test_a_reader_that_is_killed_goes_on_behind_its_last_block(channel, tmp_path):
    """Of what it had, the first block and the last are looked at again."""
    node = channel.network.peers[0]
    client = channel.network.organisations[node.msp_id].member("client").signing
    identity = Identity(node.msp_id, client.certificate_pem, client.private_pem())
    reading = Reading(channel.network.address(node), "adapter-1", identity, tmp_path / "history.db")
    (tmp_path / "plan").write_bytes(pickle.dumps(reading))
    writer = opened(channel)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    reader = subprocess.Popen(
        [sys.executable, "-m", "fakes.fabric_reader", str(tmp_path / "plan")],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    try:
        for n in range(4):
            told = int(reader.stdout.readline())
            finish(writer.submit("relayer", [pay(writer, "relayer", "cell", n + 1)]))
            finish(at_rest(writer))
    finally:
        reader.kill()
        reader.communicate()
    finish(writer.submit("relayer", [pay(writer, "relayer", "cell", 777)]))
    finish(at_rest(writer))
    last = finish(writer.latest_height())
    port = Counted(channel.port())
    after = FabricLedger(port, history_file=reading.history_file)
    cursor = after.history.height
    assert told <= cursor < last
    assert finish(after.latest_height()) == last
    assert port.read == [0, cursor, *range(cursor + 1, last + 1)]
    for store in ("ibc", "tieline"):
        assert finish(after.scan(store, b"")) == finish(writer.scan(store, b""))
    after.close()


BUILD_AS_SAID = """#!/bin/sh
if [ -f "$1/connection.json" ]; then cp "$1/connection.json" "$3/"; fi
"""
RELEASE_AS_SAID = """#!/bin/sh
set -eu
mkdir -p "$2/chaincode/server"
said="$1/connection.json"
if [ ! -f "$said" ]; then said="$TIELINE_CCAAS_CONNECTION"; fi
cp "$said" "$2/chaincode/server/connection.json"
"""
"""What Fabric's own builder of services does: peers dial as the package says."""


def write_relay_file(network, folder):
    """An operator's files for both peers of a network: wallet, TLS, and the one ledger."""
    name, node = network.plan.fabric_channel, network.peers[0]
    member = network.organisations[node.msp_id].member("client")
    keys = (member.signing.certificate_pem, member.signing.private_pem())
    FolderWallet(folder / "wallet").put("operator", Identity(node.msp_id, *keys))
    roots = [one.tls_authority.certificate_pem for one in network.organisations.values()]
    (folder / "roots.pem").write_bytes(b"".join(roots))
    (folder / "tls.crt").write_bytes(member.tls.certificate_pem)
    (folder / "tls.key").write_bytes(member.tls.private_pem())
    fabric = {
        "wallet": "wallet",
        "identity": "operator",
        "tls_roots_file": "roots.pem",
        "tls_certificate_file": "tls.crt",
        "tls_key_file": "tls.key",
    }
    peers = [f"127.0.0.1:{one.port}" for one in network.peers]
    section = {"kind": "fabric", "rpc": peers, "key_file": "none.key", "fabric": fabric}
    (folder / "relay.yaml").write_text(json.dumps({"ledgers": {name: section}}))
    return folder / "relay.yaml"


@contextlib.contextmanager
def network_of_its_operator(folder):
    """A channel whose chaincode is another's, on peers that dial as a package says."""
    network = lay_out(folder, chaincode=PUT_GET)
    (build,) = network.folder.rglob("bin/build")
    build.write_text(BUILD_AS_SAID)
    (build.parent / "release").write_text(RELEASE_AS_SAID)
    try:
        network.start()
        yield network
    finally:
        network.stop()


def test_an_operator_brings_the_contract_onto_a_channel_from_the_command_line(tmp_path):
    """Package, install, define, one service for both peers, begin, begin again, check."""
    with network_of_its_operator(tmp_path / "network") as network:
        name = network.plan.fabric_channel
        config = ("--config", str(write_relay_file(network, tmp_path)), name)
        genesis = tmp_path / "genesis.json"
        genesis.write_bytes(genesis_of(name, "fabric").to_bytes())
        (port,) = free_ports(1)
        out, address = tmp_path / "own.tgz", f"127.0.0.1:{port}"
        asked = (str(out), "--address", address, "--label", "own_1", "--genesis", str(genesis))
        told = json.loads(run_tieline("fabric", "package", *asked, "--json"))
        package = ChaincodePackage("own_1", out.read_bytes())
        assert package.package_id == told["package_id"]
        # Installs it at both peers, and ends if one of them calls it by another id.
        network.define(Definition("tieline", "1", 2), package)
        command = [sys.executable, *shlex.split(told["command"])[1:]]
        with serving(command, address):
            begin = ("fabric", "begin", *config, "--genesis", str(genesis))
            assert json.loads(run_tieline(*begin, "--json"))["is_ours"]
            assert "had begun already" in run_tieline(*begin)
            genesis.write_bytes(genesis.read_bytes().replace(b'"role":1', b'"role":2'))
            assert "stays with it" in run_tieline(*begin, code=2)
            rows = json.loads(run_tieline("fabric", "check", *config, "--json"))
        assert [row["genesis_sha256"] for row in rows] == [told["genesis_sha256"]] * 2
        assert [row["deployed_for"] for row in rows] == [told["genesis_sha256"]] * 2
        assert {row["trouble"] for row in rows} == {""}


@contextlib.contextmanager
def serving(command, address):
    """Run a chaincode as an operator does, and wait until it listens."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    host, _, port = address.rpartition(":")
    end = time.monotonic() + REST_S
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as child:
        try:
            while True:
                assert child.poll() is None, "the chaincode has ended"
                assert time.monotonic() < end, "the chaincode does not listen"
                with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1.0):
                    break
                time.sleep(0.05)
            yield
        finally:
            child.kill()
