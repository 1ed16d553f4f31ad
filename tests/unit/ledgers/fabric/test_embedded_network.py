"""An embedded channel: how blocks are cut, chained, signed, kept, and made again."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from itertools import pairwise

import pytest
from fakes.embedded_fabric import FIRST, SEED, START_S, PutChaincode, PutNetwork, finish

from tieline.interfaces.errors import ConfigError, Contradicted, Rejected
from tieline.ledgers.fabric.embedded.channel_config import quorum_of
from tieline.ledgers.fabric.embedded.channel_plan import BatchLimits, Consensus, plan_channel
from tieline.ledgers.fabric.embedded.channel_view import ChannelView, is_signed
from tieline.ledgers.fabric.embedded.commit_hash import commit_hash, update_bytes
from tieline.ledgers.fabric.embedded.embedded_port import EmbeddedPort
from tieline.ledgers.fabric.embedded.network import Network
from tieline.ledgers.fabric.embedded.validation import Code
from tieline.ledgers.fabric.embedded.world_state import Updates, version_bytes
from tieline.ledgers.fabric.port import CHAINCODE
from tieline.wire.fabric.blocks import (
    COMMIT_HASH,
    Metadata,
    MetadataSignature,
    OrdererMetadata,
    is_config_block,
)
from tieline.wire.fabric.config import BLOCK_VALIDATION, decode_channel_config
from tieline.wire.fabric.config_groups import config_of_envelope
from tieline.wire.fabric.rwsets import Version

FORMS = list(Consensus)


@pytest.fixture(params=FORMS, ids=[one.value for one in FORMS])
def lab(request):
    return PutNetwork(request.param)


def blocks(lab):
    return [lab.block(number) for number in range(lab.network.height + 1)]


def signed(block) -> Metadata:
    return block.signatures


def with_signatures(block, metadata: Metadata):
    return replace(block, metadata=(metadata.encode(), *block.metadata[1:]))


def test_every_block_follows_the_one_before_and_is_signed(lab):
    for name in ("a", "b", "c"):
        lab.commit(lab.put(name))
    made = blocks(lab)
    assert [one.header.number for one in made] == [0, 1, 2, 3, 4]
    assert made[0].header.previous_hash == b""
    for before, after in pairwise(made):
        assert after.header.previous_hash == before.header.hash()
        assert after.is_data_of_header
        assert is_signed(after, lab.network.view)
    wanted = {Consensus.RAFT: 1, Consensus.BFT: 3}[lab.consensus]
    assert {len(signed(one).signatures) for one in made[1:]} == {wanted}


def test_of_four_orderers_another_three_sign_each_time():
    lab = PutNetwork(Consensus.BFT)
    for n in range(4):
        lab.commit(lab.put(f"k{n}"))
    quorums = {
        tuple(one.identifier for one in signed(block).signatures) for block in blocks(lab)[1:]
    }
    assert quorums == {(1, 2, 3), (2, 3, 4), (1, 3, 4), (1, 2, 4)}


def fewer(metadata, lab):
    return replace(metadata, signatures=metadata.signatures[:-1])


def one_twice(metadata, lab):
    """Two of three, one of them again; where one is all there is, it twice without its signer."""
    first, *rest = metadata.signatures
    if not rest:
        return replace(metadata, signatures=(replace(first, signature_header=b""),) * 2)
    return replace(metadata, signatures=(first, rest[0], first))


def other_value(metadata, lab):
    return replace(metadata, value=OrdererMetadata(7).encode())


def other_signature(metadata, lab):
    first, *rest = metadata.signatures
    return replace(metadata, signatures=(replace(first, signature=first.signature[:-1]), *rest))


def by_a_peer(metadata, lab):
    """Good signatures of whom the configuration does not name."""
    return replace(metadata, signatures=(MetadataSignature(b"x", identifier_header=b"\x08\x09"),))


@pytest.mark.parametrize("spoil", [fewer, other_value, other_signature, by_a_peer, one_twice])
def test_a_block_that_orderers_did_not_sign_is_committed_nowhere(lab, spoil):
    good = lab.network._orderer.make_block([lab.put("k").envelope])
    bad = with_signatures(good, spoil(signed(good), lab))
    for peer in lab.network.peers:
        with pytest.raises(Contradicted, match="orderers"):
            peer.commit(bad)
        peer.commit(good)


def test_a_block_of_other_data_or_out_of_turn_is_committed_nowhere(lab):
    peer, spare = lab.network.peers
    good = lab.network._orderer.make_block([lab.put("k").envelope])
    with pytest.raises(Contradicted, match="orderers"):
        peer.commit(replace(good, data=(lab.put("other").envelope,)))
    with pytest.raises(Contradicted, match="follow"):
        peer.commit(lab.block(1))
    peer.commit(good)
    spare.commit(good)
    with pytest.raises(Contradicted, match="follow"):
        peer.commit(good)


def test_a_batch_ends_by_count():
    lab = PutNetwork(limits=BatchLimits(messages_max=3))
    for n in range(7):
        lab.network.order(lab.put(f"k{n}").envelope)
    assert lab.network.cut() == 3
    assert [len(one.data) for one in blocks(lab)[2:]] == [3, 3, 1]


def test_a_batch_ends_by_bytes_and_a_large_envelope_is_alone():
    size = len(PutNetwork().put("k0", bytes(1000)).envelope)
    limits = BatchLimits(preferred_bytes_max=2 * size + 10, absolute_bytes_max=5 * size)
    lab = PutNetwork(limits=limits)
    for name, length in (("a", 1000), ("b", 1000), ("c", 1000), ("d", size), ("e", 10)):
        lab.network.order(lab.put(name, b"\1" * length).envelope)
    lab.network.cut()
    assert [len(one.data) for one in blocks(lab)[2:]] == [2, 1, 1, 1]
    assert lab.codes() == [Code.VALID]
    with pytest.raises(Rejected, match="too large"):
        lab.network.order(lab.put("f", b"\1" * 5 * size).envelope)


def test_no_block_of_the_usual_channel_is_larger_than_a_proof_may_be():
    limits = BatchLimits()
    room = 640 * 1024 - limits.absolute_bytes_max
    assert limits.preferred_bytes_max < limits.absolute_bytes_max
    assert room > 64 * 1024, "for signatures, a read-back and a chain of data hashes"


def test_what_is_no_envelope_is_refused_by_orderers(lab):
    other = PutNetwork(lab.consensus, channel="bal").put("k")
    for envelope in (b"", b"\xff", lab.block(0).data[0], other.envelope):
        with pytest.raises(Rejected):
            lab.network.order(envelope)
    assert not lab.network.is_waiting


def test_peers_come_to_one_state_and_one_commit_hash(lab):
    lab.commit(lab.put("a"), lab.put("a", b"again"), lab.put("b"))
    first, second = lab.network.peers
    assert first.commit_hash == second.commit_hash != b""
    assert first.state.digest() == second.state.digest() == lab.network.state_root()
    assert Metadata.decode(lab.block().metadata[COMMIT_HASH]).value == first.commit_hash
    assert lab.block(0).metadata == (), "nobody signs anything of block 0 but its hash"


def test_the_commit_hash_chains_codes_and_writes():
    """The bytes by hand, of Fabric's updates.proto and version.go."""
    updates = Updates()
    updates.put("b", "k", b"v", Version(300, 1))
    updates.put("b", "a", b"", Version(300, 0))
    updates.put("a", "k", b"w", Version(300, 2))
    version = b"\x02\x01\x2c"
    entries = (
        b"\x0a\x01a" + b"\x1a\x01k" + b"\x2a\x01w" + b"\x32\x05" + version + b"\x01\x02",
        b"\x0a\x01b" + b"\x1a\x01a" + b"\x20\x01" + b"\x32\x04" + version + b"\x00",
        b"\x1a\x01k" + b"\x2a\x01v" + b"\x32\x05" + version + b"\x01\x01",
    )
    expected = b"".join(b"\x0a" + bytes([len(one)]) + one for one in entries)
    assert update_bytes(updates) == expected
    codes = bytes(3)
    assert commit_hash(codes, updates, b"p") == sha256(b"\x03" + codes + expected + b"p").digest()


def test_versions_as_bytes_keep_their_order():
    numbers = (0, 1, 255, 256, 65_535, 65_536, 2**63)
    versions = [Version(block, index) for block in numbers for index in numbers]
    assert sorted(versions) == sorted(versions, key=version_bytes)


def test_the_same_seed_gives_the_same_blocks_and_another_another_channel(lab):
    def story(one):
        one.commit(one.put("a"), one.put("a"), one.put("b"))
        return [one.network.block(number) for number in range(one.network.height + 1)]

    assert story(lab) == story(PutNetwork(lab.consensus))
    other = Network(
        plan_channel("lab", b"\1" + SEED, consensus=lab.consensus),
        lambda: {CHAINCODE: PutChaincode()},
        lambda: START_S,
    )
    assert other.genesis.header.hash() != lab.network.genesis.header.hash()


def test_a_channel_goes_on_from_its_blocks_and_no_other(lab):
    lab.commit(lab.put("a"), lab.put("a"))
    lab.network.update_config(lambda config: config)
    lab.commit(lab.put("b"))
    kept = [lab.network.block(number) for number in range(lab.network.height + 1)]

    def opened(stored, plan=lab.plan):
        return Network(plan, lambda: {CHAINCODE: PutChaincode()}, lambda: START_S, list(stored))

    again = opened(kept)
    assert (again.height, again.state_root()) == (lab.network.height, lab.network.state_root())
    for network in (again, lab.network):
        port = EmbeddedPort(network, lab.port._carrier, is_prompt=True)
        assert finish(port.evaluate([b"get", b"a"])) == b"v"
        finish(port.order(finish(port.endorse([b"put", b"c", b"1"])).envelope))
    assert again.block(again.height) == lab.network.block(lab.network.height)
    foreign = PutNetwork(lab.consensus, channel="bal")
    for stored, why in (
        ([*kept[:2], *kept[3:]], "follow"),
        ([*kept[:2], foreign.network.block(1)], "follow"),
        ([foreign.network.block(0)], "number=0"),
        ([*kept[:2], b"\xff"], "not this channel's"),
    ):
        with pytest.raises(ConfigError, match=why):
            opened(stored)


def test_other_codes_or_another_commit_hash_in_a_kept_block_are_found(lab):
    lab.commit(lab.put("a"), lab.put("a"))
    kept = [lab.network.block(number) for number in range(lab.network.height + 1)]
    newest = lab.block()
    for index, content in ((2, bytes(2)), (COMMIT_HASH, Metadata(bytes(32)).encode())):
        metadata = list(newest.metadata)
        assert metadata[index] != content
        metadata[index] = content
        stored = [*kept[:-1], replace(newest, metadata=tuple(metadata)).encode()]
        with pytest.raises(ConfigError, match="not what it comes to: number=2"):
            Network(lab.plan, lambda: {CHAINCODE: PutChaincode()}, lambda: START_S, stored)


def test_the_genesis_block_says_who_is_in_the_channel(lab):
    config = decode_channel_config(lab.block(0).data[0])
    assert is_config_block(lab.block(0).data)
    assert config.channel_id == "lab"
    assert [one.msp.msp_id for one in config.application.organisations] == ["Org1MSP", "Org2MSP"]
    assert config.orderer.consensus_type == lab.consensus.value
    assert config.orderer.batch_limits.bytes_max == 512 * 1024
    view = ChannelView(config)
    member = view.signer(lab.port._carrier.creator, b"m", lab.port._carrier.sign(b"m"))
    assert member is not None
    assert member.msp_id == "Org1MSP"


def test_a_configuration_raises_the_versions_of_what_it_changes_alone(lab):
    def enlarge(config):
        limits = replace(config.orderer.batch_limits, transactions_max=7)
        return replace(config, orderer=replace(config.orderer, batch_limits=limits))

    before = config_of_envelope(lab.block(0).data[0])[1].config
    block = lab.network.update_config(enlarge)
    content = config_of_envelope(block.data[0])[1]
    orderer, was = (
        content.config.channel_group.groups["Orderer"],
        before.channel_group.groups["Orderer"],
    )
    changed = {
        name for name, one in orderer.values.items() if one.version != was.values[name].version
    }
    assert (content.config.sequence, changed, orderer.version) == (1, {"BatchSize"}, 0)
    assert content.last_update is not None
    assert OrdererMetadata.decode(signed(block).value).last_config == block.header.number
    lab.commit(lab.put("k"))
    assert OrdererMetadata.decode(signed(lab.block()).value).last_config == block.header.number


def test_an_orderer_that_a_configuration_leaves_out_signs_no_more():
    lab = PutNetwork(Consensus.BFT)

    def leave_out_the_first(config):
        rest = config.orderer.consenters[1:]
        policies = {**config.orderer.policies, BLOCK_VALIDATION: quorum_of(rest)}
        return replace(config, orderer=replace(config.orderer, consenters=rest, policies=policies))

    change = lab.network.update_config(leave_out_the_first)
    assert (
        1 in {one.identifier for one in signed(change).signatures} or change.header.number % 4 == 1
    )
    for n in range(4):
        lab.commit(lab.put(f"k{n}"))
        named = {one.identifier for one in signed(lab.block()).signatures}
        assert named <= {2, 3, 4}
    assert FIRST.sequence == 1
