"""Fabric's real programs: a channel on Raft and on SmartBFT, kills one by one and all at once."""

import asyncio
import contextlib
import itertools
import socket
import time

import pytest
from fakes.fabric_networks import PUT_GET, committed, lay_out, port_of

from tieline.interfaces.errors import ConfigError, HubError, Rejected, Unavailable
from tieline.ledgers.fabric.native.admin_calls import Definition
from tieline.ledgers.fabric.native.chaincode_package import make_package
from tieline.ledgers.fabric.native.plan import Consensus
from tieline.ledgers.fabric.port import CommitStatus, EndorsementsDiffer, InvocationRefused
from tieline.wire.fabric.blocks import Block

pytestmark = pytest.mark.native

HEALED_S = 120.0
STOPPED_S = 30.0
"""Longer than orderers take to choose another leader."""
AT_ONCE, SLEEP_S = 50, 2.0


@contextlib.contextmanager
def running(network):
    try:
        network.start()
        yield network
    finally:
        network.stop()


@pytest.fixture(scope="module")
def raft(tmp_path_factory):
    with running(lay_out(tmp_path_factory.mktemp("raft"))) as network:
        yield network


async def put(port, key, value, patience_s=HEALED_S):
    endorsed = await port.endorse((b"put", key, value))
    await port.order(endorsed.envelope)
    status = await committed(port, endorsed.tx_id, patience_s)
    assert status is not None
    assert status.code == 0
    return status.block


async def put_in_the_end(port, key, value):
    """Try until it is committed, as one does whose network is being killed."""
    return await in_the_end(lambda: put(port, key, value, patience_s=0.0), AssertionError, HubError)


async def in_the_end(ask, *not_yet):
    """Ask until the answer is there: a program that has just been started may not have one yet."""
    end = time.monotonic() + HEALED_S
    while True:
        try:
            return await ask()
        except not_yet:
            if time.monotonic() > end:
                raise
        await asyncio.sleep(0.1)


async def filters_and_commit_hashes(port, count):
    """Return metadata 2 and 4 of all blocks: verdicts, and what the state came to."""
    end = time.monotonic() + HEALED_S
    while await port.height() < count - 1:
        assert time.monotonic() < end, "a peer is behind"
        await asyncio.sleep(0.05)
    blocks = [Block.decode(raw) for raw in await port.blocks_after(-1, count)]
    assert [block.header.number for block in blocks] == list(range(count))
    return [(block.metadata[2], block.metadata[4]) for block in blocks]


async def assert_peers_agree(network):
    ports = [port_of(network, n) for n in range(len(network.peers))]
    count = max([await port.height() for port in ports]) + 1
    seen = [await filters_and_commit_hashes(port, count) for port in ports]
    assert all(one == seen[0] for one in seen)
    assert len({commit_hash for _, commit_hash in seen[0]}) == count
    for port in ports:
        port.close()


def test_a_transaction_goes_all_the_way_and_both_organisations_signed_it(raft):
    async def story():
        port = port_of(raft)
        endorsed = await port.endorse((b"put", b"first", b"1"))
        assert len(endorsed.endorsements) == 2
        await port.order(endorsed.envelope)
        status = await committed(port, endorsed.tx_id)
        assert status == CommitStatus(0, await port.height())
        assert await port.evaluate((b"get", b"first")) == b"1"
        assert await port.evaluate((b"argument",)) == b"hello"
        await assert_peers_agree(raft)
        port.close()

    asyncio.run(story())


def test_a_copy_of_an_envelope_does_no_harm_and_unknown_ones_are_not_known(raft):
    async def story():
        port = port_of(raft, commit_wait_s=1.0)
        endorsed = await port.endorse((b"put", b"twice", b"1"))
        await port.order(endorsed.envelope)
        first = await committed(port, endorsed.tx_id)
        assert first is not None
        await port.order(endorsed.envelope)
        await put(port, b"after", b"1")
        assert await port.commit_status(endorsed.tx_id) == first
        assert await port.commit_status("00" * 32) is None
        port.close()

    asyncio.run(story())


def test_blocks_come_as_they_are_from_anywhere_and_link(raft):
    async def story():
        port = port_of(raft)
        blocks = [Block.decode(raw) for raw in await port.blocks_after(-1, 1000)]
        assert len(blocks) == await port.height() + 1
        for before, after in itertools.pairwise(blocks):
            assert after.header.previous_hash == before.header.hash()
        assert all(block.is_data_of_header for block in blocks)
        assert await port.blocks_after(1, 1) == [blocks[2].encode()]
        assert await port.blocks_after(len(blocks) - 1, 10) == []
        assert (await port.blocks_after(-1, 1))[0][:100] == raft.genesis_block[:100]
        port.close()

    asyncio.run(story())


def test_events_are_those_of_valid_transactions_from_any_block(raft):
    async def story():
        port = port_of(raft)
        block = await put(port, b"with event", b"1")
        async with asyncio.timeout(HEALED_S):
            async with contextlib.aclosing(port.events(block)) as events:
                seen = await anext(events)
        assert (seen.block, seen.name, seen.payload) == (block, "tieline", b"put with event")
        port.close()

    asyncio.run(story())


def test_fifty_invocations_run_at_once_over_one_stream(raft):
    async def story():
        port = port_of(raft)
        await port.evaluate((b"sleep", b"0"))
        began = time.monotonic()
        asleep = (b"sleep", b"%d" % (SLEEP_S * 1000))
        calls = [port.evaluate(asleep) for _ in range(AT_ONCE)]
        assert set(await asyncio.gather(*calls)) == {b"slept"}
        assert time.monotonic() - began < AT_ONCE * SLEEP_S / 4  # far from one after another
        port.close()

    asyncio.run(story())


def test_fifty_puts_at_once_lose_nothing(raft):
    async def story():
        port = port_of(raft)
        blocks = await asyncio.gather(*(put(port, b"s%d" % n, b"%d" % n) for n in range(50)))
        assert len(set(blocks)) < 50  # many in a block
        values = await asyncio.gather(*(port.evaluate((b"get", b"s%d" % n)) for n in range(50)))
        assert values == [b"%d" % n for n in range(50)]
        await assert_peers_agree(raft)
        port.close()

    asyncio.run(story())


def test_many_writes_are_endorsed_alike_and_refusals_write_nothing(raft):
    async def story():
        port = port_of(raft)
        many = await port.endorse((b"many", b"w", b"2500"))  # more than one batch holds
        await port.order(many.envelope)
        status = await committed(port, many.tx_id)
        assert status is not None
        assert status.code == 0
        assert await port.evaluate((b"get", b"w2499")) == b"2499"
        with pytest.raises(InvocationRefused, match="no function") as refused:
            await port.endorse((b"unheard of",))
        assert refused.value.status == 500
        with pytest.raises(EndorsementsDiffer):
            await port.endorse((b"chance",))
        with pytest.raises(Unavailable, match="as told"):
            await port.endorse((b"fail",))
        large = await port.endorse((b"put", b"large", b"x" * 300_000))  # twice in the envelope
        with pytest.raises(Rejected, match="too large"):
            await port.order(large.envelope)
        port.close()

    asyncio.run(story())


def test_what_listens_is_of_this_machine_below_the_ephemeral_ports(raft):
    ports = [peer.port for peer in raft.peers] + [one.port for one in raft.orderers]
    assert all(20_000 <= port < 32_000 for port in ports)
    assert {one.stat().st_mode & 0o077 for one in raft.folder.rglob("*.key")} == {0}


def test_chaincode_peer_and_orderer_are_killed_in_turn_and_it_heals(raft):
    async def story():
        port = port_of(raft)
        for number, name in enumerate(raft.names):
            raft.kill(name)
            assert not raft.is_running(name)
            raft.restart(name)
            await put_in_the_end(port, b"healed", b"%d" % number)
        assert await port.evaluate((b"get", b"healed")) == b"%d" % (len(raft.names) - 1)
        await assert_peers_agree(raft)
        port.close()

    asyncio.run(story())


def test_all_killed_at_once_comes_back_with_all_it_had(raft):
    async def before():
        port = port_of(raft)
        await put(port, b"kept", b"1")
        height = await port.height()
        port.close()
        return height

    async def after(height):
        port = port_of(raft)
        assert await in_the_end(port.height, HubError) >= height
        kept = await in_the_end(lambda: port.evaluate((b"get", b"kept")), HubError)
        assert kept == b"1"
        await put_in_the_end(port, b"kept", b"2")
        await assert_peers_agree(raft)
        port.close()

    height = asyncio.run(before())
    raft.kill_all()
    raft.start()
    asyncio.run(after(height))


def test_a_watched_network_brings_back_what_was_killed(raft):
    raft.stop()
    raft.start(is_watched=True)
    name = raft.peers[1].chaincode_name
    raft.kill(name, is_held=False)
    end = time.monotonic() + HEALED_S
    while not raft.is_running(name):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert raft.restarts >= 1


def test_four_orderers_agree_bear_the_loss_of_their_leader_and_stop_without_a_quorum(tmp_path):
    async def story(network):
        port = port_of(network)
        block = await put(port, b"k", b"1")
        (raw,) = await port.blocks_after(block - 1, 1)
        signatures = Block.decode(raw).signatures.signatures
        assert len(signatures) == 3
        assert all(one.is_by_identifier for one in signatures)
        first, second, *_ = (one.name for one in network.orderers)
        network.kill(first)  # it leads
        await put_in_the_end(port, b"k", b"2")
        network.kill(second)
        with pytest.raises((AssertionError, Unavailable)):
            await put(port, b"k", b"3", patience_s=STOPPED_S)
        assert await port.evaluate((b"get", b"k")) == b"2"
        network.restart(second)
        await put_in_the_end(port, b"k", b"4")
        await assert_peers_agree(network)
        port.close()

    with running(lay_out(tmp_path, Consensus.BFT)) as network:
        asyncio.run(story(network))


def test_a_folder_is_taken_up_by_its_own_plan_alone(raft):
    again = lay_out(raft.folder)
    assert again.genesis_block == raft.genesis_block
    assert again.organisations["Org1MSP"].member("client").creator() == (
        raft.organisations["Org1MSP"].member("client").creator()
    )
    with pytest.raises(ConfigError, match="empty folder"):
        lay_out(raft.folder, Consensus.BFT)


def test_a_new_definition_waits_for_the_chaincode_of_its_own_package(tmp_path):
    async def story(network):
        port = port_of(network, answer_s=30.0)
        await put(port, b"k", b"1")
        package = make_package("tieline_2")
        await asyncio.to_thread(network.define, Definition("tieline", "2", 2), package)
        with pytest.raises(Unavailable, match="under the package id that the peer installed"):
            await port.endorse((b"put", b"k", b"2"))
        await asyncio.to_thread(network.serve, package)
        await put_in_the_end(port, b"k", b"3")
        with pytest.raises(ConfigError, match="sequence"):
            await asyncio.to_thread(network.define, Definition("tieline", "3", 2), package)
        port.close()

    with running(lay_out(tmp_path)) as network:
        asyncio.run(story(network))


def test_a_port_that_somebody_else_took_is_named_before_anything_is_started(tmp_path):
    network = lay_out(tmp_path)
    port = network.peers[1].port
    named = pytest.raises(Unavailable, match=rf"taken by another program: {port} ")
    with socket.create_server(("127.0.0.1", port)), named:
        network.start()
    assert not any(network.is_running(name) for name in network.names)


def test_without_tls_on_the_chaincodes_link_and_with_two_peers_each(tmp_path):
    async def story(network):
        for number in range(4):
            port = port_of(network, number)
            await put_in_the_end(port, b"from %d" % number, b"1")
            port.close()
        await assert_peers_agree(network)

    plain = type(PUT_GET)(factory=PUT_GET.factory, is_tls=False)
    network = lay_out(tmp_path, chaincode=plain, peers_each=2)
    assert len(network.names) == 1 + 4 + 4
    with running(network):
        asyncio.run(story(network))
