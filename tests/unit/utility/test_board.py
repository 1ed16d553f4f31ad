"""A board keeps only what enough cells signed; what it refuses changes nothing."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.cell_world import CellWorld

from tieline.interfaces.errors import ConfigError
from tieline.swap.evidence import PublishedDelivery, PublishedVerdict, SlotEvidence
from tieline.utility.board import SlotBoard, hashlock_of
from tieline.utility.sufficiency import InsufficientEvidence
from tieline.wire.canonical_json import canonical
from tieline.wire.keys import SecpKey
from tieline.wire.typed_data import order_id, sign_record

STRANGER = SecpKey(b"\x09" * 32)


def sealed(cells: CellWorld) -> SlotEvidence:
    return replace(cells.evidence, verdict=None, delivery=None)


def judged(cells: CellWorld) -> SlotEvidence:
    return replace(cells.evidence, delivery=None)


def verdict_of(cells: CellWorld) -> PublishedVerdict:
    assert cells.evidence.verdict is not None
    return cells.evidence.verdict


def delivery_of(cells: CellWorld) -> PublishedDelivery:
    assert cells.evidence.delivery is not None
    return cells.evidence.delivery


def board(cells: CellWorld, *kept: SlotEvidence) -> SlotBoard:
    fresh = SlotBoard(cells.world.topology)
    for evidence in kept:
        fresh.put(evidence)
    return fresh


def refused(cells: CellWorld, evidence: SlotEvidence, *kept: SlotEvidence) -> InsufficientEvidence:
    """Put evidence that must not be kept; why it was not."""
    held = board(cells, *kept)
    before, revision = held.slot(cells.slot), held.revision
    with pytest.raises(InsufficientEvidence) as caught:
        held.put(evidence)
    assert held.slot(cells.slot) == before
    assert held.revision == revision
    return caught.value


def test_clearing_verdict_and_statement_are_kept_one_after_the_other(cells: CellWorld) -> None:
    held = board(cells, sealed(cells), judged(cells), cells.evidence)
    assert held.slot(cells.slot) == cells.evidence


def fewer(cells: CellWorld, kind: str, kept: int) -> SlotEvidence:
    """The evidence with only some signatures under one record."""
    whole = cells.evidence
    if kind == "clearing":
        first, *rest = whole.clearings
        cut = replace(first, signatures=first.signatures[:kept])
        return replace(whole, clearings=(cut, *rest))
    if kind == "verdict":
        row = verdict_of(cells)
        return replace(whole, verdict=replace(row, signatures=row.signatures[:kept]))
    told = delivery_of(cells)
    return replace(whole, delivery=replace(told, signatures=told.signatures[:kept]))


@pytest.mark.parametrize(
    ("kind", "kept", "least"),
    [("clearing", 2, 3), ("verdict", 2, 3), ("delivery statement", 1, 2)],
)
def test_one_signature_too_few_is_refused(
    cells: CellWorld, kind: str, kept: int, least: int
) -> None:
    """Three cells: more than two thirds is all of them; a statement needs two."""
    wrong = refused(cells, fewer(cells, kind, kept))
    assert wrong.rule == f"signatures of the {kind}"
    assert wrong.first_difference == f"{kept} of at least {least}"


def test_two_of_three_signatures_are_enough_for_a_statement(cells: CellWorld) -> None:
    two = fewer(cells, "delivery statement", 2)
    assert board(cells, two).slot(cells.slot) == two


def with_signatures(evidence: SlotEvidence, signatures: tuple[bytes, ...]) -> SlotEvidence:
    first, *rest = evidence.clearings
    return replace(evidence, clearings=(replace(first, signatures=signatures), *rest))


def test_a_strangers_signature_is_refused(cells: CellWorld) -> None:
    first = cells.evidence.clearings[0]
    stranger = sign_record(STRANGER, cells.cell("A").domain, first.clearing)
    wrong = refused(cells, with_signatures(sealed(cells), (stranger, *first.signatures[1:])))
    assert wrong.first_difference == f"{STRANGER.address.hex()} is no cell of the set"


def test_one_cells_signature_twice_is_refused(cells: CellWorld) -> None:
    one, two, _ = cells.evidence.clearings[0].signatures
    wrong = refused(cells, with_signatures(sealed(cells), (one, two, two)))
    assert wrong.first_difference == "not in ascending order"


def test_signatures_out_of_order_are_refused(cells: CellWorld) -> None:
    one, two, three = cells.evidence.clearings[0].signatures
    wrong = refused(cells, with_signatures(sealed(cells), (two, one, three)))
    assert wrong.first_difference == "not in ascending order"


def test_a_broken_signature_is_refused(cells: CellWorld) -> None:
    one, two, _ = cells.evidence.clearings[0].signatures
    wrong = refused(cells, with_signatures(sealed(cells), (one, two, bytes(65))))
    assert wrong.rule == "signatures of the clearing"


def test_signatures_over_another_record_are_refused(cells: CellWorld) -> None:
    other = cells.evidence.clearings[1]
    wrong = refused(cells, with_signatures(sealed(cells), other.signatures))
    assert wrong.rule == "signatures of the clearing"


def test_a_trade_changed_after_the_signatures_is_refused(cells: CellWorld) -> None:
    """Who hands over the evidence cannot move the money of what was sealed."""
    first, *rest = cells.evidence.positions
    leaf = replace(first.buyers[0], price=first.buyers[0].price + 1)
    changed = replace(first, buyers=(leaf, *first.buyers[1:]))
    lie = replace(sealed(cells), positions=(changed, *rest))
    assert refused(cells, lie).rule == "trade id"


@pytest.mark.parametrize(
    "change",
    [
        {"connector_in": bytes(20)},
        {"expiry_in": 1},
        {"price_in": 7},
        {"buyer": bytes(20)},
        {"lock_id_in": bytes(32)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_terms_that_the_trade_id_does_not_cover_are_checked_by_each_cell(
    cells: CellWorld, change: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell that has not signed the clearing has only the signatures to go by."""
    positions = list(cells.evidence.positions)
    place = next(i for i, row in enumerate(positions) if row.packet is not None)
    packet = positions[place].packet
    assert packet is not None
    positions[place] = replace(positions[place], packet=replace(packet, **change))
    lie = replace(sealed(cells), positions=tuple(positions))
    cell = cells.cell("B")
    monkeypatch.setattr(cell, "board", board(cells))
    refusal = asyncio.run(cells.service("B").publish(lie))
    assert refusal is not None
    assert refusal.rule == "trade"
    assert cell.board.slot(cells.slot) is None
    assert asyncio.run(cells.service("B").publish(sealed(cells))) is None
    assert cell.board.slot(cells.slot) == sealed(cells)


def test_a_trade_left_out_is_refused(cells: CellWorld) -> None:
    evidence = sealed(cells)
    lie = replace(evidence, positions=evidence.positions[1:])
    assert refused(cells, lie).rule in {"trades root", "levels of the clearings"}


def test_an_order_left_out_is_refused(cells: CellWorld) -> None:
    evidence = sealed(cells)
    used = {leaf.order_id for row in evidence.positions for leaf in row.buyers + row.sellers}
    orders = tuple(row for row in evidence.orders if order_id(row.order) in used)
    assert len(orders) < len(evidence.orders)
    assert refused(cells, replace(evidence, orders=orders)).rule == "orders root"


def test_an_empty_slot_is_refused(cells: CellWorld) -> None:
    assert refused(cells, SlotEvidence(cells.slot, 900)).rule == "levels of the clearings"


def test_evidence_said_to_be_of_another_slot_is_refused(cells: CellWorld) -> None:
    lie = replace(sealed(cells), slot_start=cells.slot + 900)
    assert refused(cells, lie).rule == "trade id"


def test_a_second_clearing_of_a_slot_is_refused(cells: CellWorld) -> None:
    other = replace(sealed(cells), positions=cells.evidence.positions[1:])
    assert refused(cells, other, sealed(cells)).rule == "clearing"


def test_what_was_judged_or_stated_is_not_taken_back(cells: CellWorld) -> None:
    assert refused(cells, sealed(cells), judged(cells)).rule == "verdict"
    assert refused(cells, judged(cells), cells.evidence).rule == "delivery statement"


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("leaves", "decisions root"),
        ("pending", "pending root"),
        ("baseline", "baseline hash"),
        ("setpoints", "set points hash"),
    ],
)
def test_a_verdict_beside_other_leaves_is_refused(cells: CellWorld, field: str, rule: str) -> None:
    row = verdict_of(cells)
    cut = replace(row, **{field: getattr(row, field)[1:]})
    assert refused(cells, replace(judged(cells), verdict=cut)).rule == rule


def test_a_verdict_with_other_flow_proofs_is_refused(cells: CellWorld) -> None:
    row = verdict_of(cells)
    cut = replace(row, gate=replace(row.gate, scenarios=row.gate.scenarios[1:]))
    assert refused(cells, replace(judged(cells), verdict=cut)).rule == "flow proof hash"


def test_a_statement_without_a_verdict_is_refused(cells: CellWorld) -> None:
    assert refused(cells, replace(cells.evidence, verdict=None)).rule == "verdict"


def test_a_statement_over_other_leaves_is_refused(cells: CellWorld) -> None:
    told = delivery_of(cells)
    first, *rest = told.leaves
    above = replace(told, leaves=(replace(first, delivered_wh=2**40), *rest))
    assert refused(cells, replace(cells.evidence, delivery=above)).rule == "deliveries root"


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("readings", "readings root"),
        ("boundary", "boundary root"),
        ("estimates", "estimate hash"),
    ],
)
def test_a_statement_beside_other_readings_is_refused(
    cells: CellWorld, field: str, rule: str
) -> None:
    told = delivery_of(cells)
    cut = replace(told, **{field: getattr(told, field)[1:]})
    assert refused(cells, replace(cells.evidence, delivery=cut)).rule == rule


@pytest.mark.parametrize("silent", range(3))
def test_relayers_are_told_whose_signatures_a_statement_has(cells: CellWorld, silent: int) -> None:
    """By name and not only how many: a GRID trade needs certain cells'."""
    told = delivery_of(cells)
    rest = told.signatures[:silent] + told.signatures[silent + 1 :]
    held = board(cells, replace(cells.evidence, delivery=replace(told, signatures=rest)))
    (published,) = held.deliveries(cells.slot)
    assert (published.signatures, published.signers) == (rest, 0b111 & ~(1 << silent))


def test_a_board_finds_its_evidence_again(cells: CellWorld, tmp_path: Path) -> None:
    SlotBoard(cells.world.topology, tmp_path).put(cells.evidence)
    assert SlotBoard(cells.world.topology, tmp_path).slot(cells.slot) == cells.evidence


def test_evidence_changed_on_disk_is_not_taken_up(cells: CellWorld, tmp_path: Path) -> None:
    lie = replace(cells.evidence, positions=cells.evidence.positions[1:])
    (tmp_path / f"{cells.slot}.json").write_bytes(canonical(lie))
    with pytest.raises(ConfigError, match="evidence does not hold"):
        SlotBoard(cells.world.topology, tmp_path)


def revealed(cells: CellWorld) -> tuple[bytes, bytes]:
    """A stated trade of the grid operator's and its preimage."""
    found = cells.cell("grid")
    for position in cells.evidence.positions:
        preimage = found.preimages.find(hashlock_of(position))
        if preimage is not None:
            return position.trade_id, preimage.secret
    raise AssertionError("the grid operator sells nothing")


def test_a_preimage_is_shown_once_its_trade_is_stated(cells: CellWorld) -> None:
    trade, secret = revealed(cells)
    held = board(cells, judged(cells))
    with pytest.raises(InsufficientEvidence, match="no delivery leaf"):
        held.reveal(trade, secret)
    held.put(cells.evidence)
    held.reveal(trade, secret)
    assert held.preimage(trade) == secret


@pytest.mark.parametrize("wrong", [bytes(32), bytes(31), bytes(33), b""])
def test_a_false_preimage_does_not_take_the_place_of_the_true_one(
    cells: CellWorld, wrong: bytes
) -> None:
    trade, secret = revealed(cells)
    held = board(cells, cells.evidence)
    with pytest.raises(InsufficientEvidence, match="does not open"):
        held.reveal(trade, wrong)
    held.reveal(trade, secret)
    assert held.preimage(trade) == secret


def test_a_preimage_of_an_unknown_trade_is_refused(cells: CellWorld) -> None:
    with pytest.raises(InsufficientEvidence, match="no delivery leaf"):
        board(cells, cells.evidence).reveal(bytes(32), bytes(32))
