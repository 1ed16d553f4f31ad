"""
Fabric's own programs and geth side by side, joined as the product joins them: packets both ways
that are delivered, packets both ways that time out, and who proved what to whom.

On Ethereum an ``attestations`` client alone believes the channel: every cell judges its native
blocks with a ``fabric-block`` client of its own before it signs. On Fabric, ``evm-sealed`` AND the
attestations must both hold.
"""

from __future__ import annotations

from collections import Counter

import pytest
from fakes.beside_ethereum import COMETBFT, ETHEREUM, FABRIC, Story, Told, run_beside_ethereum
from fakes.fabric_evidence import altered

from tieline.audit.auditing import audit
from tieline.audit.packet_endings import PacketEnding
from tieline.audit.report import AuditReport
from tieline.ledgers.fabric.port import CHAINCODE
from tieline.protocol.commitment import packet_receipt_key
from tieline.protocol.messages import TimeoutPacket
from tieline.protocol.quorum import more_than_two_thirds
from tieline.wire.attestation_proofs import AttestationProof, Paired
from tieline.wire.attestations import (
    PACKET_TAG,
    attestation_digest,
    decode_packet_attestation,
)
from tieline.wire.codec import decode_transaction
from tieline.wire.fabric.blocks import Block
from tieline.wire.fabric.invocations import (
    CLOCK_KEY,
    Function,
    absence_key,
    decode_number,
    ibc_key,
)
from tieline.wire.fabric.rwsets import Version
from tieline.wire.fabric.transactions import decode_transaction as decode_endorsed
from tieline.wire.hashes import keccak
from tieline.wire.keys import recover_address

pytestmark = pytest.mark.native


ABSENT = bytes(32)
EVERY = 53
"""Of the bytes of a proof, so many are one sample; each is altered in turn elsewhere."""
WAYS = {(FABRIC, ETHEREUM), (ETHEREUM, FABRIC), (FABRIC, COMETBFT)}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return run_beside_ethereum(tmp_path_factory.mktemp("beside") / "run", "native")


@pytest.fixture(scope="module")
def report(story: Story) -> AuditReport:
    return audit(story.folder.path)


def signers(proof: AttestationProof) -> list[bytes]:
    digest = attestation_digest(PACKET_TAG, proof.data)
    return [recover_address(digest, signature) for signature in proof.signatures]


def timed_out(report: AuditReport, source: str, destination: str) -> PacketEnding:
    """The packet of one direction that timed out."""
    (row,) = [
        one
        for one in report.packets
        if (one.source_ledger, one.destination_ledger, one.ending)
        == (source, destination, "timed out")
    ]
    return row


def client_on(story: Story, host: str, tracked: str) -> str:
    """The id of a ledger's client of another one."""
    tags = {one.ledger_id: one.chain_tag for one in story.topology.cells}
    return story.topology.route(tags[host], tags[tracked]).source_client


def test_each_way_a_packet_is_acknowledged_and_one_times_out(
    story: Story, report: AuditReport
) -> None:
    ends = Counter(
        (one.source_ledger, one.destination_ledger, one.ending) for one in report.packets
    )
    assert ends == {(*way, end): 1 for way in WAYS for end in ("acknowledged", "timed out")}
    assert client_on(story, ETHEREUM, FABRIC).startswith("attestations-")
    assert client_on(story, FABRIC, ETHEREUM).startswith("evm-sealed-")


def test_what_was_delivered_is_paid_and_what_timed_out_is_back(
    story: Story, report: AuditReport
) -> None:
    assert report.findings == ()
    assert [check for check in story.folder.read_summary().checks if not check.is_ok] == []
    trades = [one for one in story.folder.read_trades() if one.level != "INTRA"]
    first = min(one.slot_start_s for one in trades)
    for awake in (True, False):
        slot = [one for one in trades if (one.slot_start_s == first) is awake]
        assert {(one.source_chain_id, one.dest_chain_id) for one in slot} == WAYS
        for one in slot:
            worth = one.energy_wh * one.price_in_micro_eur_per_kwh
            assert one.outcome == ("settled" if awake else "refunded")
            moved = (one.paid_in_nano_eur, one.refunded_in_nano_eur)
            assert moved == ((worth, 0) if awake else (0, worth))
    assert all(row.pay_locks == row.pay_escrows == 0 for row in report.ledgers)


def test_on_ethereum_all_attestors_sign_what_each_cells_fabric_client_has_judged(
    story: Story,
) -> None:
    bound = story.attestors_of(FABRIC)
    assert len(story.of_fabric) == len(bound) == len(story.topology.cells)
    told = [
        one
        for one in story.told_to_ethereum()
        if one.client_id == client_on(story, ETHEREUM, FABRIC)
    ]
    assert {one.function for one in told} == {
        "receivePackets",
        "acknowledgePackets",
        "timeoutPackets",
    }
    for one in told:
        assert len(signers(one.proof)) >= more_than_two_thirds(len(bound))
        assert set(signers(one.proof)) <= bound
        height, entries = decode_packet_attestation(one.proof.data)
        for client in story.of_fabric:
            judged = {
                (keccak(each.path[-1]), each.value or ABSENT)
                for each in client.judged
                if each.is_believed and each.height.revision_height == height
            }
            assert set(entries) <= judged, "signed, and not judged by its own light client"


def told_timeout(story: Story, sequence: int) -> Told:
    """The call that ended a packet of the EVM ledger to the channel."""
    (call,) = [
        one
        for one in story.told_to_ethereum()
        if one.client_id == client_on(story, ETHEREUM, FABRIC)
        and one.function == "timeoutPackets"
        and sequence in one.timeouts_s
    ]
    return call


def ticks_of(story: Story) -> dict[int, int]:
    """What the channel's clock was set to, by block."""
    ticks = [both for both in story.invocations() if both[1].function == Function.TICK.encode()]
    return {number: decode_number(one.args[1]) for number, one in ticks}


def reads_of(story: Story, number: int, index: int) -> dict[str, Version | None]:
    """What a transaction of the channel read, in which version."""
    block = Block.decode(story.frames(FABRIC)[number - 1])
    assert block.header.number == number
    sets = decode_endorsed(block.data[index]).opened.content.sets
    return {one.key: one.version for one in sets.of(CHAINCODE).reads}


def test_the_absence_that_ethereum_acted_on_is_recorded_in_a_native_block_and_proved_by_it(
    story: Story, report: AuditReport
) -> None:
    packet = timed_out(report, ETHEREUM, FABRIC)
    client = client_on(story, FABRIC, ETHEREUM)
    receipt = packet_receipt_key(client, packet.sequence)
    record = absence_key(client, packet.sequence)
    call = told_timeout(story, packet.sequence)
    timeout_s = call.timeouts_s[packet.sequence]
    ((number, recording),) = [
        (number, one) for number, one in story.invocations() if record in one.writes
    ]
    assert recording.function == Function.PROVE_ABSENCE.encode()
    reads = reads_of(story, number, recording.index)
    assert reads[ibc_key(receipt)] is None, "the peers found no receipt there"
    assert ticks_of(story)[reads[CLOCK_KEY].block] >= timeout_s, "and that none can come any more"
    assert all(ibc_key(receipt) not in one.writes for _, one in story.invocations())
    # What was not there when it was recorded was not there at the Tick before it either.
    height, entries = decode_packet_attestation(call.proof.data)
    assert ticks_of(story)[height] >= timeout_s
    assert (keccak(receipt), ABSENT) in entries
    assert all(one.shown(receipt, height, None) for one in story.of_fabric)


def test_an_absence_with_a_byte_altered_convinces_no_cell(
    story: Story, report: AuditReport
) -> None:
    packet = timed_out(report, ETHEREUM, FABRIC)
    receipt = packet_receipt_key(client_on(story, FABRIC, ETHEREUM), packet.sequence)
    height, _ = decode_packet_attestation(told_timeout(story, packet.sequence).proof.data)
    rules = story.of_fabric[0]
    shown = rules.shown(receipt, height, None)[0]

    def is_believed(proof: bytes) -> bool:
        return bool(rules.verify_non_membership(shown.store, shown.height, proof, shown.path))

    assert is_believed(shown.proof)
    tried = list(altered(shown.proof, EVERY))
    assert len(tried) > 100
    assert not [place for place, proof in tried if is_believed(proof)]


def test_on_fabric_the_timeout_needs_geths_own_proof_and_the_attestors(
    story: Story, report: AuditReport
) -> None:
    packet = timed_out(report, FABRIC, ETHEREUM)
    client = client_on(story, FABRIC, ETHEREUM)
    ((number, message),) = [
        (number, each)
        for number, one in story.invocations()
        if one.function == Function.SUBMIT.encode()
        for each in decode_transaction(one.args[1]).messages
        if isinstance(each, TimeoutPacket)
        and (each.packet.source_client, each.packet.sequence) == (client, packet.sequence)
    ]
    assert number == packet.ended_height
    paired = Paired.decode(message.proof_unreceived)
    attestation = AttestationProof.decode(paired.attestation)
    bound = story.attestors_of(ETHEREUM)
    assert len(set(signers(attestation))) >= more_than_two_thirds(len(bound))
    height, entries = decode_packet_attestation(attestation.data)
    assert height == message.proof_height.revision_height
    receipt = packet_receipt_key(client_on(story, ETHEREUM, FABRIC), packet.sequence)
    assert (keccak(receipt), ABSENT) in entries
    assert set(signers(attestation)) <= bound
    for client in story.of_ethereum:
        natives = {one.proof for one in client.shown(receipt, height, None)}
        assert paired.native in natives, "the account and storage proof that each cell judged too"
