"""What a cell checks of a verdict before it signs; each test is one lie, or one false proof."""

import asyncio
from dataclasses import replace

import pytest
from fakes.cell_world import CellWorld

from tieline.interfaces.cell_link import ClosingHeight, PendingProof, ProposeVerdict, Signature
from tieline.swap.evidence import Zone
from tieline.swap.records import Decision, VerdictLeaf
from tieline.utility.phases import verdict as judging
from tieline.wire.abi import encode_verdict_leaf
from tieline.wire.merkle import merkle_root


def of(cells: CellWorld) -> ProposeVerdict:
    return cells.proposal(ProposeVerdict)


def with_verdict(proposal: ProposeVerdict, **changes: object) -> ProposeVerdict:
    return replace(proposal, verdict=replace(proposal.verdict, **changes))


def with_record(proposal: ProposeVerdict, **changes: object) -> ProposeVerdict:
    return with_verdict(proposal, verdict=replace(proposal.verdict.verdict, **changes))


def with_leaf(proposal: ProposeVerdict, **changes: object) -> ProposeVerdict:
    """The first decision changed, and the root over the decisions with it."""
    first, *rest = proposal.verdict.leaves
    leaves: tuple[VerdictLeaf, ...] = (replace(first, **changes), *rest)
    changed = with_verdict(proposal, leaves=leaves)
    return with_record(changed, decisions_root=merkle_root(map(encode_verdict_leaf, leaves)))


def with_proof(proposal: ProposeVerdict, **changes: object) -> ProposeVerdict:
    first, *rest = proposal.receipts
    return replace(proposal, receipts=(replace(first, **changes), *rest))


def with_closing(proposal: ProposeVerdict, **changes: object) -> ProposeVerdict:
    first, *rest = proposal.closings
    return replace(proposal, closings=(replace(first, **changes), *rest))


def test_the_slot_has_packets_and_moving_trades_or_these_tests_show_nothing(
    cells: CellWorld,
) -> None:
    proposal = of(cells)
    assert len(proposal.receipts) >= 2
    assert proposal.verdict.gate.decisions
    assert all(leaf.decision == Decision.ACCEPT for leaf in proposal.verdict.leaves)


@pytest.mark.parametrize("name", ["A", "B", "grid"])
def test_an_honest_verdict_gets_the_same_bytes_again(cells: CellWorld, name: str) -> None:
    before = cells.journal(name)
    assert cells.ask(name, of(cells)) == cells.answer(name, ProposeVerdict)
    assert cells.journal(name) == before


def test_a_refusal_of_an_accepted_trade_is_named(cells: CellWorld) -> None:
    lie = with_leaf(
        of(cells), decision=int(Decision.REFUSE), cap_wh=0, reason=1, group=0, group_size=0
    )
    refusal = cells.refusal(lie)
    assert refusal.rule == "decisions"
    assert "instead of" in refusal.first_difference


@pytest.mark.parametrize("by", [-1, 1])
def test_a_cap_of_one_watt_hour_more_or_less_is_refused(cells: CellWorld, by: int) -> None:
    cap = of(cells).verdict.leaves[0].cap_wh
    assert cells.refusal(with_leaf(of(cells), cap_wh=cap + by)).rule == "decisions"


@pytest.mark.parametrize("bit", [0, 1, 2])
def test_an_owner_left_out_is_missed(cells: CellWorld, bit: int) -> None:
    """Else a quorum could outvote the owner of the transformer."""
    leaves = list(of(cells).verdict.leaves)
    place = next(i for i, row in enumerate(leaves) if row.owners >> bit & 1)
    leaves[place] = replace(leaves[place], owners=leaves[place].owners & ~(1 << bit))
    lie = with_verdict(of(cells), leaves=tuple(leaves))
    assert cells.refusal(lie).rule == "decisions"


@pytest.mark.parametrize(
    "field",
    [
        "network_epoch",
        "baseline_hash",
        "pending_root",
        "decisions_root",
        "flow_proof_hash",
        "setpoints_hash",
        "cell_set_id",
    ],
)
def test_a_record_over_something_else_is_refused(cells: CellWorld, field: str) -> None:
    assert cells.refusal(with_record(of(cells), **{field: b"\x05" * 32})).rule == "verdict"


def test_a_verdict_for_a_slot_that_was_never_sealed_is_refused(cells: CellWorld) -> None:
    refusal = cells.refusal(with_record(of(cells), slot_start=cells.slot + 9000))
    assert (refusal.rule, refusal.first_difference) == ("clearing", "not sealed here")


def test_set_points_that_do_not_follow_from_the_caps_are_refused(cells: CellWorld) -> None:
    (key, watt), *rest = of(cells).verdict.setpoints
    lie = with_verdict(of(cells), setpoints=((key, watt + 1), *rest))
    assert cells.refusal(lie).rule == "verdict"


def test_a_packet_left_out_of_the_pending_set_is_missed(cells: CellWorld) -> None:
    proposal = of(cells)
    left_out = proposal.receipts[0].trade_id
    refusal = cells.refusal(replace(proposal, receipts=proposal.receipts[1:]))
    expected = ("pending set", f"left out: {left_out.hex()}")
    assert (refusal.rule, refusal.first_difference) == expected


def test_a_pending_leaf_left_out_or_invented_is_refused(cells: CellWorld) -> None:
    pending = of(cells).verdict.pending
    invented = replace(pending[0], sequence=pending[0].sequence + 1)
    for lie in (pending[1:], (*pending, invented)):
        refusal = cells.refusal(with_verdict(of(cells), pending=lie))
        expected = ("pending set", "leaves differ from the proofs")
        assert (refusal.rule, refusal.first_difference) == expected


def test_a_receipt_said_to_be_missing_needs_its_proof(cells: CellWorld) -> None:
    """Received, but shown as absent with the proof of presence."""
    receipt = of(cells).receipts[0].receipt
    assert receipt.value is not None
    refusal = cells.refusal(with_proof(of(cells), receipt=replace(receipt, value=None)))
    assert refusal.rule == "pending set"


def test_an_acknowledgement_that_nobody_wrote_needs_its_proof(cells: CellWorld) -> None:
    answered = of(cells).receipts[0].acknowledgement
    assert answered.value is None
    lie = with_proof(of(cells), acknowledgement=replace(answered, value=b"\x01" * 32))
    assert cells.refusal(lie).rule == "pending set"


@pytest.mark.parametrize("field", ["commitment", "receipt", "acknowledgement"])
def test_a_proof_for_another_key_is_named(cells: CellWorld, field: str) -> None:
    entry = getattr(of(cells).receipts[0], field)
    other = replace(entry, key=entry.key[:-1] + bytes([entry.key[-1] ^ 1]))
    refusal = cells.refusal(with_proof(of(cells), **{field: other}))
    assert refusal.rule == "pending set"
    assert refusal.first_difference == f"proof of another key: key={other.key.hex()}"


@pytest.mark.parametrize("field", ["commitment", "receipt"])
def test_a_proof_with_a_byte_changed_is_refused(cells: CellWorld, field: str) -> None:
    entry = getattr(of(cells).receipts[0], field)
    proof = bytearray(entry.proof)
    proof[len(proof) // 2] ^= 1
    lie = with_proof(of(cells), **{field: replace(entry, proof=bytes(proof))})
    assert cells.refusal(lie).rule == "pending set"


def test_a_proof_of_another_height_is_refused(cells: CellWorld) -> None:
    """A receipt proved before the batch closed says nothing of what came later."""
    proof = of(cells).receipts[0]
    packet = next(
        p.packet for p in cells.evidence.positions if p.trade_id == proof.trade_id and p.packet
    )
    ledger = cells.cell("A").indexes[packet.dest_chain_tag].ledger
    lag = ledger.capabilities.proof_lag
    earlier = proof.receipt.proof_height.revision_height - lag - 1
    old = asyncio.run(ledger.prove(proof.receipt.key, earlier))
    refusal = cells.refusal(with_proof(of(cells), receipt=old))
    assert refusal.rule == "pending set"
    assert "another height" in refusal.first_difference


def test_a_packet_with_another_sequence_is_refused(cells: CellWorld) -> None:
    proof: PendingProof = of(cells).receipts[0]
    assert cells.refusal(with_proof(of(cells), sequence=proof.sequence + 1)).rule == "pending set"


@pytest.mark.parametrize("by", [-1, 1])
def test_a_batch_closed_at_another_height_is_refused(cells: CellWorld, by: int) -> None:
    closing = of(cells).closings[0]
    refusal = cells.refusal(with_closing(of(cells), height=closing.height + by))
    expected = f"closing height: posted={closing.height + by} own={closing.height}"
    assert (refusal.rule, refusal.first_difference) == ("pending set", expected)


def test_the_header_of_another_height_is_not_what_counts(cells: CellWorld) -> None:
    """The cell fetches the true one itself: nothing false is believed, nothing more is needed."""
    closing: ClosingHeight = of(cells).closings[0]
    cell = cells.cell("A")
    ledger = cell.indexes[closing.chain_tag].ledger
    other = asyncio.run(ledger.header(closing.height - 1, 1))
    assert other != closing.header
    told = cell.attestor.verified_time_s(closing.chain_tag, closing.height, other)
    time_s = asyncio.run(told).value
    assert time_s == cell.indexes[closing.chain_tag].block_times[closing.height]


def test_a_ledger_without_a_closing_height_is_refused(cells: CellWorld) -> None:
    proposal = of(cells)
    refusal = cells.refusal(replace(proposal, closings=proposal.closings[1:]))
    assert refusal.rule == "pending set"


@pytest.mark.parametrize("ppm", [999_900, 1_010_000])
def test_a_slack_voltage_that_was_not_measured_is_refused(cells: CellWorld, ppm: int) -> None:
    gate = replace(of(cells).verdict.gate, slack_ppm=ppm)
    assert cells.refusal(with_verdict(of(cells), gate=gate)).rule == "slack voltage"


@pytest.mark.parametrize("whose", [0, 1, 2])
def test_a_forecast_changed_by_a_milliwatt_is_refused(cells: CellWorld, whose: int) -> None:
    zones = list(of(cells).verdict.baseline)
    first, *rest = zones[whose].leaves
    changed = replace(first, p_milliwatt=first.p_milliwatt - 1)
    zones[whose] = Zone(zones[whose].zone_tag, (changed, *rest))
    assert cells.refusal(with_verdict(of(cells), baseline=tuple(zones))).rule == "baseline"


def test_an_injection_that_is_not_the_trades_is_refused(cells: CellWorld) -> None:
    gate = of(cells).verdict.gate
    first, *rest = gate.injections
    changed = replace(first, p_milliwatt=first.p_milliwatt // 2)
    lie = with_verdict(of(cells), gate=replace(gate, injections=(changed, *rest)))
    assert cells.refusal(lie).rule == "network"


def test_a_scenario_left_out_is_refused(cells: CellWorld) -> None:
    gate = of(cells).verdict.gate
    lie = with_verdict(of(cells), gate=replace(gate, scenarios=gate.scenarios[:-1]))
    assert cells.refusal(lie).rule in {"network", "verdict"}


def test_a_flow_proof_with_one_byte_changed_is_refused(cells: CellWorld) -> None:
    gate = of(cells).verdict.gate
    first, *rest = gate.scenarios
    proof = bytearray(first.flow_proof)
    proof[40] ^= 1
    changed = replace(first, flow_proof=bytes(proof))
    lie = with_verdict(of(cells), gate=replace(gate, scenarios=(changed, *rest)))
    assert cells.refusal(lie).rule == "network"


def test_a_cap_that_the_gate_did_not_find_is_refused(cells: CellWorld) -> None:
    gate = of(cells).verdict.gate
    first, *rest = gate.decisions
    changed = replace(first, cap_ppm=first.cap_ppm // 2)
    lie = with_verdict(of(cells), gate=replace(gate, decisions=(changed, *rest)))
    assert cells.refusal(lie).rule == "network"


def test_nothing_certified_is_not_believed_where_the_own_gate_certifies(cells: CellWorld) -> None:
    gate = of(cells).verdict.gate
    refused = tuple(replace(row, cap_ppm=0, reason=5) for row in gate.decisions)
    false = replace(gate, kind="NOT_CERTIFIED", decisions=refused, scenarios=())
    refusal = cells.refusal(with_verdict(of(cells), gate=false))
    assert refusal.rule == "network"
    assert refusal.first_difference.startswith("kind: posted=NOT_CERTIFIED")


def test_the_words_beside_a_verdict_are_not_signed(cells: CellWorld) -> None:
    said = cells.ask("A", with_verdict(of(cells), explanation="something else"))
    assert said == cells.answer("A", ProposeVerdict)


def test_a_second_verdict_of_the_slot_is_never_signed(cells: CellWorld) -> None:
    other = replace(of(cells).verdict.verdict, setpoints_hash=bytes(32))
    before = cells.journal("A")
    answer = cells.service("A")._answer("verdict", cells.slot, [other], None)
    assert not isinstance(answer, Signature)
    assert answer.rule == "signed before"
    assert cells.journal("A") == before


def test_only_what_was_received_and_is_not_answered_is_pending(cells: CellWorld) -> None:
    cell, proofs = cells.cell("A"), of(cells).receipts
    first = proofs[0]
    absent = replace(first, receipt=replace(first.receipt, value=None))
    answered = replace(first, acknowledgement=replace(first.acknowledgement, value=b"\x01" * 32))
    for changed in (absent, answered):
        rows = judging.received_positions(cell, cells.evidence, (changed, *proofs[1:]))
        assert first.trade_id not in {row.position.trade_id for row in rows}
    rows = judging.received_positions(cell, cells.evidence, proofs)
    assert first.trade_id in {row.position.trade_id for row in rows}
