"""Our reading of Fabric's bytes, held to blocks that Fabric 3.1.1 made (etcdraft and SmartBFT)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.fabric_messages import rewritten
from fakes.recorded_fabric import (
    BFT,
    NETWORKS,
    RAFT,
    RecordedFabric,
    key_of,
    key_of_certificate,
    recorded,
)

from tieline.wire.errors import Malformed
from tieline.wire.fabric import config, transactions
from tieline.wire.fabric.blocks import (
    TRANSACTIONS_FILTER,
    Block,
    Metadata,
    MetadataSignature,
    OrdererMetadata,
    check_well_formed,
    data_hash,
)
from tieline.wire.fabric.config import ChannelConfig, decode_channel_config
from tieline.wire.fabric.config_groups import Config, config_of_envelope
from tieline.wire.fabric.envelopes import (
    ENDORSER_TRANSACTION,
    Envelope,
    Payload,
    SignatureHeader,
    channel_header_of,
)
from tieline.wire.fabric.lifecycle import LIFECYCLE, ChaincodeDefinition, after_writes
from tieline.wire.fabric.policies import IdentityPrincipal, NOutOf, SignaturePolicy
from tieline.wire.fabric.responses import ResponsePayload
from tieline.wire.fabric.rwsets import Version, Write
from tieline.wire.fabric.signatures import verify
from tieline.wire.fabric.transactions import (
    EndorserTransaction,
    decode_transaction,
    transaction_payload,
)
from tieline.wire.proto_fields import uint_field


@pytest.fixture(params=NETWORKS)
def fabric(request: pytest.FixtureRequest) -> RecordedFabric:
    return recorded(request.param)


def all_transactions(fabric: RecordedFabric) -> list[tuple[Version, EndorserTransaction]]:
    return [
        (Version(block.header.number, index), decode_transaction(raw))
        for block in fabric.blocks
        for index, raw in enumerate(block.data)
        if channel_header_of(raw).type == ENDORSER_TRANSACTION
    ]


def signature_of(
    block: Block, signature: MetadataSignature, config: ChannelConfig, *, value: bytes | None = None
) -> bool:
    """Whether an orderer's signature is that of the one it names."""
    if signature.is_by_identifier:
        identities = {one.id: one.identity for one in config.orderer.consenters}
        key = key_of_certificate(identities[signature.identifier])
    else:
        key = key_of(SignatureHeader.decode(signature.signature_header).creator)
    signed = block.signatures.value if value is None else value
    return verify(key, signature.signature, signature.signed_bytes(signed, block.header))


def test_blocks_are_written_again_as_they_were(fabric: RecordedFabric) -> None:
    for raw, block in zip(fabric.raw_blocks, fabric.blocks, strict=True):
        assert block.encode() == raw
        assert block.signatures.encode() == block.metadata[0]


def test_hashes_chain_the_blocks(fabric: RecordedFabric) -> None:
    previous = b""
    for number, block in enumerate(fabric.blocks):
        assert block.header.number == number
        assert block.header.previous_hash == previous
        assert block.is_data_of_header
        check_well_formed(block.data)
        previous = block.header.hash()


@pytest.mark.parametrize(("network", "count"), [(RAFT, 1), (BFT, 3)])
def test_orderers_signed_every_block_but_the_first(network: str, count: int) -> None:
    fabric = recorded(network)
    channel = decode_channel_config(fabric.blocks[0].data[0])
    assert not fabric.blocks[0].signatures.signatures
    for block in fabric.blocks[1:]:
        signatures = block.signatures.signatures
        assert len(signatures) == count
        assert {one.is_by_identifier for one in signatures} == {network == BFT}
        if network == BFT:
            assert len({one.identifier for one in signatures}) == count
        assert all(signature_of(block, one, channel) for one in signatures)


def test_signatures_cover_value_number_and_data(fabric: RecordedFabric) -> None:
    channel = decode_channel_config(fabric.blocks[0].data[0])
    block = fabric.block("put")
    signature = block.signatures.signatures[0]
    for header in (
        replace(block.header, number=block.header.number + 1),
        replace(block.header, previous_hash=bytes(32)),
        replace(block.header, data_hash=data_hash([b"other"])),
    ):
        assert not signature_of(replace(block, header=header), signature, channel)
    assert not signature_of(block, signature, channel, value=b"")
    other = OrdererMetadata.decode(block.signatures.value)
    changed = replace(other, last_config=other.last_config + 1).encode()
    assert not signature_of(block, signature, channel, value=changed)


def test_nobody_signs_the_flags_of_validity(fabric: RecordedFabric) -> None:
    """Overwritten, a block is as good as before: inclusion is not validity, and flags are none."""
    channel = decode_channel_config(fabric.blocks[0].data[0])
    block = fabric.block("put")
    metadata = list(block.metadata)
    metadata[TRANSACTIONS_FILTER] = bytes([transactions.MVCC_READ_CONFLICT])
    changed = replace(block, metadata=tuple(metadata))
    assert changed.transactions_filter != block.transactions_filter
    assert Block.decode(changed.encode()).is_data_of_header
    assert all(signature_of(changed, one, channel) for one in changed.signatures.signatures)


def test_the_signed_value_tells_the_newest_configuration(fabric: RecordedFabric) -> None:
    changed = fabric.done["config"]
    for block in fabric.blocks:
        told = OrdererMetadata.decode(block.signatures.value).last_config
        assert told == (changed if block.header.number >= changed else 0)


EXPECTED_CODES = {
    "put": b"\x00",
    "conflict": b"\x00\x0b",
    "too few endorsements": b"\x0a",
    "odd": b"\x00",
    "strange": b"\x00",
    "config": b"\x00",
    "after definition": b"\x00",
}


@pytest.mark.parametrize("name", EXPECTED_CODES)
def test_peers_found_transactions_valid_or_not(fabric: RecordedFabric, name: str) -> None:
    assert fabric.block(name).transactions_filter == EXPECTED_CODES[name]


def test_a_copy_of_a_transaction_is_a_duplicate() -> None:
    block = recorded(RAFT).block("duplicate")
    assert block.transactions_filter == bytes([transactions.DUPLICATE_TXID])
    assert block.data == recorded(RAFT).block("conflict").data[:1]


def test_creators_and_endorsers_signed_what_they_should(fabric: RecordedFabric) -> None:
    for _, taken in all_transactions(fabric):
        envelope, endorsed = taken.envelope, taken.endorsed
        key = key_of(taken.creator)
        assert verify(key, envelope.signature, envelope.payload)
        assert not verify(key, envelope.signature, envelope.payload + b"\0")
        for one in endorsed.endorsements:
            signed = one.signed_bytes(endorsed.response_payload)
            assert verify(key_of(one.endorser), one.signature, signed)
            bare = endorsed.response_payload
            assert not verify(key_of(one.endorser), one.signature, bare)


def test_what_endorsers_signed_is_written_again_as_it_was(fabric: RecordedFabric) -> None:
    for _, taken in all_transactions(fabric):
        assert taken.opened.content.encode() == taken.endorsed.response_payload


def test_transactions_are_written_again_as_they_were(fabric: RecordedFabric) -> None:
    """But for those that were odd on purpose."""
    odd = {Version(fabric.done[name], 0) for name in ("odd", "strange")}
    for place, taken in all_transactions(fabric):
        payload = taken.envelope.payload
        assert (transaction_payload(taken.endorsed) == payload) == (place not in odd)
        header = Payload.decode(payload).channel_header
        assert taken.opened.header.encode() == header == rewritten("ChannelHeader", header)


def test_what_peers_pass_over_is_passed_over(fabric: RecordedFabric) -> None:
    """B062: unknown fields, one repeated, bytes behind a signature; Fabric committed it."""
    taken = fabric.transaction("odd")
    assert taken.opened.args == (b"put", b"odd", b"value")
    assert taken.opened.content.sets.of("toy").writes == (Write("odd", b"value"),)
    assert taken.endorsed.endorsements[0].signature.endswith(b"rest")
    raw = fabric.block("odd").data[0]
    assert Envelope.decode(raw).encode() != raw


def test_what_peers_do_not_ask_in_a_block_is_not_asked(fabric: RecordedFabric) -> None:
    """
    Endorsers who lie can put another's nonce inside, and arguments that are none: Fabric commits
    it. Of a chaincode with a weak policy anybody could, to stop whoever reads the channel.
    """
    taken = fabric.transaction("strange")
    assert taken.opened.args == ()
    assert taken.opened.signer.creator != taken.creator
    assert taken.opened.content.sets.of("toy").writes == (Write("strange", b"value"),)
    with pytest.raises(Malformed):
        taken.endorsed.open()
    read = fabric.read_backs["strange"].open().content.sets.of("toy").reads[0]
    assert read.version == Version(fabric.done["strange"], 0)


def test_a_transaction_says_what_it_read_and_wrote(fabric: RecordedFabric) -> None:
    taken = fabric.transaction("put")
    sets = taken.opened.content.sets
    read, written = sets.of("toy").reads, sets.of("toy").writes
    assert (read[0].key, read[0].version) == ("marker", None)
    assert written == (Write("marker", b"value"),)
    assert sets.of(LIFECYCLE).reads[0].key == "namespaces/fields/toy/Sequence"
    assert sets.of(LIFECYCLE).reads[0].version == Version(3, 0)
    event = taken.opened.content.event
    assert event is not None
    assert (event.chaincode, event.tx_id, event.payload) == ("toy", taken.tx_id, b"put marker")
    (deleted,) = fabric.transaction("delete").opened.content.sets.of("toy").writes
    assert deleted.is_deletion


def test_a_read_back_names_the_transaction_that_wrote(fabric: RecordedFabric) -> None:
    versions: dict[str, Version | None] = {}
    for name, one in fabric.read_backs.items():
        opened = one.open()
        (read,) = opened.content.sets.of("toy").reads
        assert opened.args == (b"get", read.key.encode())
        assert opened.content.response.status == 200
        versions[name] = read.version
        for endorsement in one.endorsements:
            signed = endorsement.signed_bytes(one.response_payload)
            assert verify(key_of(endorsement.endorser), endorsement.signature, signed)
    assert versions == {
        "marker": Version(fabric.done["put"], 0),
        "absent": None,
        "odd": Version(fabric.done["odd"], 0),
        "strange": Version(fabric.done["strange"], 0),
        "after definition": Version(fabric.done["after definition"], 0),
    }


def test_definitions_are_read_from_what_changes_them(fabric: RecordedFabric) -> None:
    held: ChaincodeDefinition | None = None
    seen: dict[int, ChaincodeDefinition] = {}
    for place, taken in all_transactions(fabric):
        before, writes = held, taken.opened.content.sets.of(LIFECYCLE).writes
        held = after_writes("toy", held, writes)
        if held is not None and held != before:
            assert {(one.key, one.value) for one in held.writes(before)} == {
                (one.key, one.value) for one in writes
            }
            seen[place.block] = held
    first, second = seen.values()
    assert list(seen) == [3, fabric.done["after definition"] - 1]
    assert (first.sequence, second.sequence) == (1, 2)
    assert first.endorsement_policy.reference == "/Channel/Application/Endorsement"
    changed = second.endorsement_policy.signature_policy
    assert changed is not None
    assert isinstance(changed.rule, NOutOf)
    assert changed.rule.count == 2


def test_configurations_are_read_from_their_blocks(fabric: RecordedFabric) -> None:
    first = decode_channel_config(fabric.blocks[0].data[0])
    second = decode_channel_config(fabric.block("config").data[0])
    assert (first.sequence, second.sequence) == (0, 1)
    limits = replace(first.orderer.batch_limits, transactions_max=50)
    assert second == replace(first, sequence=1, orderer=replace(first.orderer, batch_limits=limits))
    assert first.channel_id == "lab"
    assert [one.msp.msp_id for one in first.application.organisations] == ["Org1MSP", "Org2MSP"]
    for one in (*first.application.organisations, *first.orderer.organisations):
        units = one.msp.node_units
        assert units is not None
        assert units.is_enabled
        assert units.orderer is not None
        assert units.orderer.unit == "orderer"
        assert len(one.msp.root_certificates) == 1
    _, held = config_of_envelope(fabric.block("config").data[0])
    assert held.last_update is not None
    assert Config.decode(held.config.encode()) == held.config


def test_smartbft_asks_for_a_quorum_of_identities() -> None:
    channel = decode_channel_config(recorded(BFT).blocks[0].data[0])
    assert channel.orderer.consensus_type == config.BFT
    assert [one.id for one in channel.orderer.consenters] == [1, 2, 3, 4]
    policy = channel.policy("/Channel/Orderer/BlockValidation")
    assert isinstance(policy, SignaturePolicy)
    assert isinstance(policy.rule, NOutOf)
    assert policy.rule.count == 3
    named = {one.identity for one in policy.principals if isinstance(one, IdentityPrincipal)}
    assert len(named) == 4


def test_a_channel_of_etcdraft_has_no_consenters_by_number() -> None:
    channel = decode_channel_config(recorded(RAFT).blocks[0].data[0])
    assert channel.orderer.consensus_type == config.RAFT
    assert channel.orderer.consenters == ()


def test_our_tree_of_a_configuration_is_fabrics_own(fabric: RecordedFabric) -> None:
    """What we would write for the record holds the same, but for empty maps' order."""
    envelope = fabric.blocks[0].data[0]
    channel = decode_channel_config(envelope)
    again = config.channel_config("lab", Config(0, config.config_group(channel)))
    assert again == channel
    _, held = config_of_envelope(envelope)
    assert config.config_group(channel) == held.config.channel_group


def test_metadata_of_another_value_is_another(fabric: RecordedFabric) -> None:
    block = fabric.block("put")
    added = Metadata(block.signatures.value + uint_field(15, 1), block.signatures.signatures)
    assert OrdererMetadata.decode(added.value) == OrdererMetadata.decode(block.signatures.value)
    assert Metadata.decode(added.encode()) != block.signatures


def test_a_response_is_what_the_official_classes_write(fabric: RecordedFabric) -> None:
    for one in fabric.read_backs.values():
        assert rewritten("ProposalResponsePayload", one.response_payload) == one.response_payload
        assert ResponsePayload.decode(one.response_payload).encode() == one.response_payload
