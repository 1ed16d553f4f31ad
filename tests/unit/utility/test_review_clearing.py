"""What a cell checks of a clearing before it signs: a liar gets a reason and no signature."""

from dataclasses import replace

import pytest
from fakes.cell_world import CellWorld

from tieline.interfaces.cell_link import OrderCap, ProposeClearing, Signature
from tieline.swap.evidence import Position, Scenario, SlotEvidence, Zone
from tieline.swap.records import SignedOrder
from tieline.utility.books import book_orders
from tieline.utility.phases.forecast import coin_secret, open_coin
from tieline.wire.typed_data import order_id, sign_record


def of(cells: CellWorld) -> ProposeClearing:
    return cells.proposal(ProposeClearing)


def with_evidence(proposal: ProposeClearing, **changes: object) -> ProposeClearing:
    return replace(proposal, evidence=replace(proposal.evidence, **changes))


def with_order(proposal: ProposeClearing, place: int, signed: SignedOrder) -> ProposeClearing:
    orders = list(proposal.evidence.orders)
    orders[place] = signed
    orders.sort(key=lambda row: order_id(row.order))
    return with_evidence(proposal, orders=tuple(orders))


def own_order(cells: CellWorld, proposal: ProposeClearing, name: str) -> int:
    tag = cells.cell(name).entry.chain_tag
    orders = proposal.evidence.orders
    return next(i for i, row in enumerate(orders) if row.order.chain_tag == tag)


def with_packet(proposal: ProposeClearing, **changes: object) -> ProposeClearing:
    """The first position that is a packet, changed."""
    positions = list(proposal.evidence.positions)
    place = next(i for i, row in enumerate(positions) if row.packet is not None)
    packet = positions[place].packet
    assert packet is not None
    positions[place] = replace(positions[place], packet=replace(packet, **changes))
    return with_evidence(proposal, positions=tuple(positions))


def first_packet(proposal: ProposeClearing) -> Position:
    return next(row for row in proposal.evidence.positions if row.packet is not None)


def with_first_clearing(proposal: ProposeClearing, **changes: object) -> ProposeClearing:
    first, *rest = proposal.evidence.clearings
    changed = replace(first, clearing=replace(first.clearing, **changes))
    return with_evidence(proposal, clearings=(changed, *rest))


def test_the_slot_has_cuts_or_these_tests_show_nothing(cells: CellWorld) -> None:
    proposal = of(cells)
    assert proposal.rounds
    assert any(row.cap_wh == 0 or row.cap_wh for row in proposal.rounds[-1])
    assert {row.clearing.level for row in proposal.evidence.clearings} >= {1, 4}


@pytest.mark.parametrize("name", ["A", "B", "grid"])
def test_an_honest_proposal_gets_the_same_bytes_again(cells: CellWorld, name: str) -> None:
    before = cells.journal(name)
    assert cells.ask(name, of(cells)) == cells.answer(name, ProposeClearing)
    assert cells.journal(name) == before


def test_an_order_whose_energy_was_changed_is_named(cells: CellWorld) -> None:
    proposal = of(cells)
    signed = proposal.evidence.orders[0]
    forged = replace(signed, order=replace(signed.order, energy_wh=signed.order.energy_wh + 1))
    refusal = cells.refusal(with_order(proposal, 0, forged))
    assert refusal.rule == "orders"
    assert refusal.first_difference == f"signature of {order_id(forged.order).hex()}"


def test_an_order_signed_by_somebody_else_is_refused(cells: CellWorld) -> None:
    proposal, cell = of(cells), cells.cell("B")
    signed = proposal.evidence.orders[0]
    forged = replace(signed, signature=sign_record(cell.key, cell.domain, signed.order))
    assert cells.refusal(with_order(proposal, 0, forged)).rule == "orders"


def test_an_order_with_a_broken_signature_is_refused(cells: CellWorld) -> None:
    proposal = of(cells)
    forged = replace(proposal.evidence.orders[0], signature=bytes(65))
    refusal = cells.refusal(with_order(proposal, 0, forged))
    assert refusal.first_difference.startswith("signature (")


def test_an_order_under_a_neighbours_meter_is_refused(cells: CellWorld) -> None:
    """Else it would be paid for what the neighbour feeds in, although its owner signed it."""
    proposal, cell = of(cells), cells.cell("A")
    place = own_order(cells, proposal, "A")
    signed = proposal.evidence.orders[place]
    other = next(
        row
        for row in cell.topology.meters
        if row.chain_tag == signed.order.chain_tag and row.meter_id != signed.order.meter_id
    )
    member = next(
        m for m in cell.field_source.members.values() if m.meter.account == signed.order.account
    )
    order = replace(signed.order, meter_id=other.meter_id)
    forged = SignedOrder(order, sign_record(member.wallet, cell.domain, order))
    refusal = cells.refusal(with_order(proposal, place, forged), "B")
    assert refusal.first_difference == f"meter of {order_id(order).hex()}"


def test_an_order_of_a_meter_that_nobody_knows_is_refused(cells: CellWorld) -> None:
    proposal = of(cells)
    signed = proposal.evidence.orders[0]
    forged = replace(signed, order=replace(signed.order, meter_id=b"\x01" * 32))
    assert cells.refusal(with_order(proposal, 0, forged)).first_difference.startswith("meter of")


def test_an_order_of_another_slot_is_refused(cells: CellWorld) -> None:
    proposal = of(cells)
    signed = proposal.evidence.orders[0]
    forged = replace(signed, order=replace(signed.order, slot_start=cells.slot + 900))
    assert cells.refusal(with_order(proposal, 0, forged)).first_difference.startswith("slot of")


def test_an_own_order_left_out_is_missed(cells: CellWorld) -> None:
    proposal = of(cells)
    place = own_order(cells, proposal, "A")
    orders = proposal.evidence.orders
    left = with_evidence(proposal, orders=orders[:place] + orders[place + 1 :])
    refusal = cells.refusal(left)
    assert refusal.rule == "orders"
    assert refusal.first_difference.startswith("own book has")


def test_an_order_shown_twice_is_refused(cells: CellWorld) -> None:
    proposal = of(cells)
    orders = proposal.evidence.orders
    twice = with_evidence(proposal, orders=(orders[0], *orders))
    assert cells.refusal(twice).first_difference.startswith("not ascending")


@pytest.mark.parametrize(
    "change",
    [
        {"energy_wh": 1},
        {"price_in": 1},
        {"price_out": 1},
        {"expiry_in": 1},
        {"expiry_out": 1},
        {"verdict_deadline": 1},
        {"connector_in": bytes(20)},
        {"connector_out": bytes(20)},
        {"seller": bytes(20)},
        {"lock_id_in": bytes(32)},
        {"clearing_root": bytes(32)},
        {"cell_set_epoch": 9},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_trade_with_one_field_changed_is_named(
    cells: CellWorld, change: dict[str, object]
) -> None:
    proposal = of(cells)
    refusal = cells.refusal(with_packet(proposal, **change))
    assert refusal.rule == "clearing"
    assert first_packet(proposal).trade_id.hex() in refusal.first_difference


def test_a_trade_whose_buyers_share_was_shifted_is_refused(cells: CellWorld) -> None:
    proposal = of(cells)
    positions = list(proposal.evidence.positions)
    first = positions[0]
    leaf = replace(first.buyers[0], energy_wh=first.buyers[0].energy_wh - 1)
    positions[0] = replace(first, buyers=(leaf, *first.buyers[1:]))
    assert cells.refusal(with_evidence(proposal, positions=tuple(positions))).rule == "clearing"


def test_a_position_left_out_is_counted(cells: CellWorld) -> None:
    proposal = of(cells)
    positions = proposal.evidence.positions
    refusal = cells.refusal(with_evidence(proposal, positions=positions[1:]))
    expected = f"{len(positions) - 1} positions instead of {len(positions)}"
    assert (refusal.rule, refusal.first_difference) == ("clearing", expected)


def test_a_hash_lock_that_the_sellers_cell_cannot_open_is_refused(cells: CellWorld) -> None:
    """The grid operator sells here: a lock that it cannot open would keep its money."""
    proposal = of(cells)
    cell = cells.cell("grid")
    position = next(
        row
        for row in proposal.evidence.positions
        if row.packet is not None and row.packet.dest_chain_tag == cell.entry.chain_tag
    )
    rebuilt = rebuilt_under(cells, proposal, position, b"\x07" * 32)
    assert cells.refusal(rebuilt, "grid").rule == "hash lock"


def rebuilt_under(
    cells: CellWorld, proposal: ProposeClearing, position: Position, hashlock: bytes
) -> ProposeClearing:
    """The whole proposal made again, as a proposer would, with one other hash lock."""
    import asyncio

    from tieline.market.clearing import clear_slot
    from tieline.utility.board import hashlock_of
    from tieline.utility.phases.clear import slot_terms
    from tieline.utility.trade_records import build_clearings, build_positions

    cell = cells.cell("A")
    work = cell.slot(cells.slot)
    coin = asyncio.run(open_coin(cell, work))
    caps = {row.order_id: row.cap_wh for row in proposal.rounds[-1]}
    book = book_orders(cell, proposal.evidence.orders)
    cleared = clear_slot(book, cell.terms.rules, coin, caps).positions
    hashlocks = {
        mine.key: hashlock if theirs == position else hashlock_of(theirs)
        for mine, theirs in zip(cleared, proposal.evidence.positions, strict=True)
    }
    terms = slot_terms(cell, work)
    positions = build_positions(cleared, hashlocks, terms, cell.topology)
    ids = [order_id(row.order) for row in proposal.evidence.orders]
    return with_evidence(
        proposal, positions=positions, clearings=build_clearings(positions, ids, terms)
    )


def test_one_hash_lock_for_two_positions_is_refused(cells: CellWorld) -> None:
    from tieline.utility.board import hashlock_of

    proposal = of(cells)
    first, second = proposal.evidence.positions[:2]
    refusal = cells.refusal(rebuilt_under(cells, proposal, second, hashlock_of(first)), "grid")
    assert (refusal.rule, refusal.first_difference) == ("hash lock", "one for two positions")


@pytest.mark.parametrize("field", ["orders_root", "trades_root", "cell_set_id"])
def test_a_clearing_record_over_something_else_is_refused(cells: CellWorld, field: str) -> None:
    refusal = cells.refusal(with_first_clearing(of(cells), **{field: b"\x05" * 32}))
    assert refusal.rule == "clearing records"


def test_a_clearing_of_another_level_is_refused(cells: CellWorld) -> None:
    assert cells.refusal(with_first_clearing(of(cells), level=2)).rule == "clearing records"


def with_leaf(proposal: ProposeClearing, tag: bytes, milliwatt: int) -> ProposeClearing:
    zones = []
    for zone in proposal.baseline:
        if zone.zone_tag == tag:
            first, *rest = zone.leaves
            changed = replace(first, p_milliwatt=first.p_milliwatt + milliwatt)
            zones.append(Zone(tag, (changed, *rest)))
        else:
            zones.append(zone)
    return replace(proposal, baseline=tuple(zones))


@pytest.mark.parametrize("whose", ["A", "B", "grid"])
def test_a_forecast_changed_by_a_milliwatt_is_refused_whosever_it_is(
    cells: CellWorld, whose: str
) -> None:
    tag = cells.cell(whose).entry.chain_tag
    refusal = cells.refusal(with_leaf(of(cells), tag, 1), "A")
    assert refusal.rule == "baseline"


def test_a_zone_left_out_is_refused(cells: CellWorld) -> None:
    proposal = of(cells)
    refusal = cells.refusal(replace(proposal, baseline=proposal.baseline[1:]))
    assert (refusal.rule, refusal.first_difference) == (
        "baseline",
        "not one zone a cell, ascending",
    )


def test_caps_cannot_be_left_out(cells: CellWorld) -> None:
    """Without its caps the same book clears to more than the network holds."""
    assert cells.refusal(replace(of(cells), rounds=())).rule == "clearing"


def consistent(cells: CellWorld, rounds: tuple[tuple[OrderCap, ...], ...]) -> ProposeClearing:
    """A proposal that is true in all but its caps: cleared, judged and written by the rules."""
    import asyncio

    from tieline.interfaces.limits import PPM
    from tieline.market.clearing import NO_CAPS, clear_slot
    from tieline.power.evidence import gate_evidence
    from tieline.utility.phases.clear import position_name, slot_terms
    from tieline.utility.trade_records import build_clearings, build_positions

    honest = of(cells)
    cell = cells.cell("A")
    work = cell.slot(cells.slot)
    coin = asyncio.run(open_coin(cell, work))
    book = book_orders(cell, honest.evidence.orders)
    caps = {row.order_id: row.cap_wh for row in rounds[-1]} if rounds else NO_CAPS
    cleared = clear_slot(book, cell.terms.rules, coin, caps).positions
    sellers = {c.parts.entry.chain_tag: c.parts for c in cells.world.services}
    hashlocks = {
        row.key: sellers[row.destination]
        .preimages.preimage(position_name(cells.slot, row.key))
        .hash_lock.digest
        for row in cleared
    }
    terms = slot_terms(cell, work)
    positions = build_positions(cleared, hashlocks, terms, cell.topology)
    ids = [order_id(row.order) for row in honest.evidence.orders]
    trades = cell.check.order_trades(book, cleared)
    result = cell.check.own_judgement(honest.baseline, trades)
    evidence = SlotEvidence(
        work.slot_start,
        work.slot_length,
        honest.evidence.orders,
        positions,
        build_clearings(positions, ids, terms),
    )
    return ProposeClearing(evidence, honest.baseline, rounds, gate_evidence(result, trades, PPM))


def test_the_forging_hand_makes_the_honest_proposal_too(cells: CellWorld) -> None:
    assert consistent(cells, of(cells).rounds) == of(cells)


def test_a_proposer_cannot_cut_whom_it_likes(cells: CellWorld) -> None:
    """The most generous buyer goes, the network holds it, the books add up: still a lie."""
    proposal = of(cells)
    caps = {row.order_id: row.cap_wh for row in proposal.rounds[0]}
    victim = max(
        (row.order for row in proposal.evidence.orders if caps[order_id(row.order)] > 0),
        key=lambda order: (order.side == 1, order.delivery == 2, order.price_max),
    )
    caps[order_id(victim)] = 0
    rows = tuple(OrderCap(key, caps[key]) for key in sorted(caps))
    refusal = cells.refusal(consistent(cells, (rows,)))
    assert refusal.rule == "cuts"
    assert "round 1: welfare" in refusal.first_difference


def test_a_cap_on_an_order_that_nobody_placed_is_refused(cells: CellWorld) -> None:
    proposal = of(cells)
    rows = tuple(sorted((*proposal.rounds[0], OrderCap(b"\xff" * 32, 5)), key=lambda r: r.order_id))
    refusal = cells.refusal(consistent(cells, (rows, *proposal.rounds[1:])))
    assert refusal.rule == "cuts"
    assert "no such order" in refusal.first_difference


def test_one_more_round_than_the_network_asks_for_is_refused(cells: CellWorld) -> None:
    proposal = of(cells)
    rounds = (*proposal.rounds, proposal.rounds[-1])
    refusal = cells.refusal(consistent(cells, rounds))
    assert refusal.rule == "cuts"
    assert refusal.first_difference.endswith("caps although the network holds all")


def test_a_clearing_that_the_gate_does_not_hold_is_refused(cells: CellWorld) -> None:
    """Its evidence is true: it says itself that the gate caps or refuses."""
    refusal = cells.refusal(consistent(cells, ()))
    assert refusal.rule == "network"
    assert "although the gate does not hold it" in refusal.first_difference


def with_gate(proposal: ProposeClearing, **changes: object) -> ProposeClearing:
    return replace(proposal, gate=replace(proposal.gate, **changes))


def test_an_injection_changed_by_a_milliwatt_is_refused(cells: CellWorld) -> None:
    proposal = of(cells)
    first, *rest = proposal.gate.injections
    changed = replace(first, p_milliwatt=first.p_milliwatt + 1)
    refusal = cells.refusal(with_gate(proposal, injections=(changed, *rest)))
    assert refusal.rule == "network"
    assert refusal.first_difference == "injections are not those of the trades"


def test_a_flow_proof_with_one_byte_changed_is_refused(cells: CellWorld) -> None:
    proposal = of(cells)
    first, *rest = proposal.gate.scenarios
    proof = bytearray(first.flow_proof)
    proof[30] ^= 1
    changed: Scenario = replace(first, flow_proof=bytes(proof))
    assert cells.refusal(with_gate(proposal, scenarios=(changed, *rest))).rule == "network"


def test_unreadable_flow_proofs_are_refused(cells: CellWorld) -> None:
    proposal = of(cells)
    first, *rest = proposal.gate.scenarios
    changed = replace(first, flow_proof=b"\x00")
    refusal = cells.refusal(with_gate(proposal, scenarios=(changed, *rest)))
    assert refusal.first_difference.startswith("unreadable")


def test_a_slack_voltage_that_nobody_measured_yet_is_refused(cells: CellWorld) -> None:
    refusal = cells.refusal(with_gate(of(cells), slack_ppm=1_010_000))
    assert refusal.rule == "slack voltage"


def test_nothing_certified_is_not_believed_where_the_own_gate_certifies(cells: CellWorld) -> None:
    """Else one proposer could refuse every trade without a proof."""
    proposal = of(cells)
    refused = tuple(replace(row, cap_ppm=0, reason=5) for row in proposal.gate.decisions)
    changed = with_gate(proposal, kind="NOT_CERTIFIED", decisions=refused, scenarios=())
    refusal = cells.refusal(changed)
    assert refusal.rule == "network"
    assert refusal.first_difference.startswith("kind: posted=NOT_CERTIFIED")


def test_a_proposal_of_another_length_is_refused(cells: CellWorld) -> None:
    assert cells.refusal(with_evidence(of(cells), slot_length=1800)).rule == "slot"


def test_a_second_clearing_of_the_slot_is_never_signed(cells: CellWorld) -> None:
    """A stand-in's other levels would not go with those that the cell has signed."""
    proposal = of(cells)
    service = cells.service("A")
    fewer = [row.clearing for row in proposal.evidence.clearings][:1]
    before = cells.journal("A")
    answer = service._answer("clearing", cells.slot, fewer, None)
    assert not isinstance(answer, Signature)
    assert answer.rule == "signed before"
    assert cells.journal("A") == before


def test_a_coin_that_was_not_committed_to_counts_for_nobody(cells: CellWorld) -> None:
    """Changing a secret after the books are open changes no cell's coin but leaves the part out."""
    import asyncio

    cell = cells.cell("A")
    work = cell.slot(cells.slot)
    honest = asyncio.run(open_coin(cell, work))
    parts = [coin_secret(service.parts, cells.slot) for service in cells.world.services]
    together = bytes(32)
    for part in parts:
        together = bytes(a ^ b for a, b in zip(together, part, strict=True))
    assert honest == together
    stranger = cells.cell("B")
    derive = stranger.derive
    stranger.derive = lambda purpose: derive("other " + purpose)
    try:
        without = bytes(a ^ b for a, b in zip(honest, parts[_place(cells, "B")], strict=True))
        assert asyncio.run(open_coin(cell, work)) == without
    finally:
        stranger.derive = derive


def _place(cells: CellWorld, name: str) -> int:
    return [service.parts.entry.name for service in cells.world.services].index(name)
