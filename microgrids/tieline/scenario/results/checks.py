"""
What must hold at the end of a run, and whether it does: identities of settlement, conservation,
endings of locks, orders and packets, how proofs were believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import TypeVar

from tieline.interfaces.ledger import ATTESTATIONS
from tieline.light_clients.attestations.messages import ClientState
from tieline.market.identities import LedgerSupply, Violation, check_identities
from tieline.protocol.quorum import has_more_than_two_thirds
from tieline.scenario.results.history import LedgerHistory
from tieline.scenario.results.material import Material
from tieline.scenario.results.money import beside_ledgers
from tieline.scenario.run_records import AccountRow, CheckRow, TradeRecord
from tieline.swap.lock import TERMINAL
from tieline.swap.records import Level
from tieline.wire.attestation_proofs import PairedClientState, decode_any
from tieline.wire.errors import Malformed

T = TypeVar("T")
IDENTITIES = {
    "E1": "injections and import are the losses",
    "E2": "what is sold is bought, level by level",
    "E4": "all deviations and losses sum to zero",
    "E5": "one imbalance price moves no money to nowhere",
    "E6": "money of all accounts sums to zero",
    "E7": "a connector is never out of pocket",
    "E10": "nobody is fined twice for one Wh",
}
"""Identities of ``docs/spec/market.md`` 3 that this run checks, each slot."""
SHOWN_MAX = 3


def check_rows(
    material: Material, trades: Sequence[TradeRecord], accounts: Sequence[AccountRow]
) -> list[CheckRow]:
    """Return every check, those of settlement first."""
    rows = _identities(material)
    rows.append(_zero("money of all accounts", _changes(accounts)))
    rows += [_conservation(history) for history in material.histories.values()]
    rows += [
        _locks(material),
        _orders(material),
        _packets(material),
        _answers(material, trades),
        _directions(trades),
        _judged(material),
        _attestation(material),
    ]
    return rows


def supplies(material: Material) -> list[LedgerSupply]:
    """Return each ledger's money: what there is against what genesis issued."""
    return [
        LedgerSupply(
            history.chain_id,
            history.books.accounts + history.books.vaults,
            history.books.escrows + history.books.locks,
            issued(history),
            0,
        )
        for history in material.histories.values()
    ]


def issued(history: LedgerHistory) -> int:
    """Return what genesis put on a ledger, nano-EUR."""
    genesis = history.genesis
    return sum(amount for _, amount in (*genesis.balances, *genesis.vaults))


def _identities(material: Material) -> list[CheckRow]:
    """Return a line an identity, over all slots; a slot that was not settled fails them all."""
    held = supplies(material)
    found: dict[str, list[str]] = {name: [] for name in IDENTITIES}
    for start, statement in material.statements.items():
        for violation in check_identities(statement, held):
            found.setdefault(violation.identity, []).append(_said(material, start, violation))
    for start, fault in material.faults.items():
        text = f"slot {material.world.config.slot_index(start)} not settled: {fault}"
        for lines in found.values():
            lines.append(text)
    count = len(material.statements)
    details = _details(material)
    return [
        CheckRow(
            name=f"{name} {IDENTITIES.get(name, '')}".rstrip(),
            is_ok=not lines,
            detail=_some(lines) if lines else f"{count} slots{details.get(name, '')}",
        )
        for name, lines in found.items()
    ]


def _said(material: Material, start: int, violation: Violation) -> str:
    return f"slot {material.world.config.slot_index(start)}: {violation.detail}"


def _details(material: Material) -> Mapping[str, str]:
    """Return what the identities leave over, for those who want to see numbers."""
    rows = material.statements.values()
    meters = len(material.world.topology.meters)
    rounding = max((abs(row.rounding_wh) for row in rows), default=0)
    unaccounted = sum(row.unaccounted_wh for row in rows)
    losses = sum(row.network.loss_wh for row in rows)
    moved = sum(row.amount for row in beside_ledgers(material))
    return {
        "E1": f"; {meters} meters, at most {rounding} Wh of rounding; {unaccounted} Wh unaccounted",
        "E4": f"; {losses} Wh of losses",
        "E6": f"; {moved} nano-EUR of claims beside the ledgers, each with a payer and a payee",
    }


def _changes(accounts: Sequence[AccountRow]) -> int:
    return sum(row.closing_nano_eur - row.opening_nano_eur for row in accounts)


def _zero(name: str, total: int) -> CheckRow:
    return CheckRow(name=name, is_ok=total == 0, detail=f"changes sum to {total} nano-EUR")


def _conservation(history: LedgerHistory) -> CheckRow:
    books, expected = history.books, issued(history)
    detail = (
        f"{history.height} blocks: accounts {books.accounts} + escrows {books.escrows} + locks "
        f"{books.locks} + vaults {books.vaults} + owed {books.owed} nano-EUR = genesis"
    )
    if books.total != expected:
        detail += f" {expected}, but there are {books.total}"
    if not books.are_vouchers_conserved:
        detail += "; a voucher is held that was not issued"
    return CheckRow(
        name=f"conservation of PAY on {history.chain_id}",
        is_ok=books.total == expected and books.are_vouchers_conserved,
        detail=detail,
    )


def _locks(material: Material) -> CheckRow:
    """Every lock has ended."""
    locks = [
        (history.chain_id, lock_id, lock)
        for history in material.histories.values()
        for lock_id, lock in history.locks.items()
    ]
    left = [
        f"{chain_id} {lock_id.hex()[:12]} is {lock.status.name}"
        for chain_id, lock_id, lock in locks
        if lock.status not in TERMINAL
    ]
    return _nothing_left("every lock has ended", left, f"{len(locks)} locks")


def _orders(material: Material) -> CheckRow:
    """No order holds money any more."""
    orders = [
        (history.chain_id, order_id, order)
        for history in material.histories.values()
        for order_id, order in history.orders.items()
    ]
    left = [
        f"{chain_id} {order_id.hex()[:12]} holds {order.money_left} nano-EUR"
        for chain_id, order_id, order in orders
        if order.money_left
    ]
    return _nothing_left("no order holds money", left, f"{len(orders)} orders")


def _packets(material: Material) -> CheckRow:
    """Every packet was answered or timed out."""
    left = [
        f"{history.chain_id}: {text}"
        for history in material.histories.values()
        for text in history.open_packets
    ]
    sent = sum(1 for history in material.histories.values() for _ in history.events("send_packet"))
    return _nothing_left("every packet has ended", left, f"{sent} packets")


def _answers(material: Material, trades: Sequence[TradeRecord]) -> CheckRow:
    """No trade was paid that the cells did not accept."""
    paid = [trade for trade in trades if trade.paid_out_nano_eur]
    left = [trade.trade_id[:12] for trade in paid if trade.decision != "accept"]
    detail = f"{len(paid)} paid trades, {len(material.judgements)} verdicts"
    return _nothing_left("a verdict stands behind every payment", left, detail)


def _directions(trades: Sequence[TradeRecord]) -> CheckRow:
    """Of a trade between microgrids both legs are paid for the same Wh; how many in each way."""
    between = [trade for trade in trades if trade.level == Level.INTER.name]
    left = [
        f"{trade.trade_id[:12]} is not paid alike on both ledgers"
        for trade in between
        if trade.paid_in_nano_eur * trade.price_out_micro_eur_per_kwh
        != trade.paid_out_nano_eur * trade.price_in_micro_eur_per_kwh
    ]
    paid = Counter(
        (trade.source_chain_id, trade.dest_chain_id) for trade in between if trade.paid_out_nano_eur
    )
    ways = [f"{buyer} from {seller} {count}" for (buyer, seller), count in sorted(paid.items())]
    detail = f"paid in {len(paid)} directions: {', '.join(ways) or 'none'}"
    return _nothing_left("microgrids buy of one another", left, detail)


def _judged(material: Material) -> CheckRow:
    """The gate says the same when it is asked again."""
    left = [
        f"slot {material.world.config.slot_index(start)}"
        for start, judged in material.judgements.items()
        if not judged.is_same
    ]
    detail = f"{len(material.judgements)} verdicts solved again, to the hash of their flow proofs"
    return _nothing_left("verdicts can be made again", left, detail)


def _attestation(material: Material) -> CheckRow:
    """
    Every client asks for a native proof and for attestations, the own cell's among them; one that
    takes no native proofs for those of more than two thirds of all cells.
    """
    left: list[str] = []
    need: Counter[str] = Counter()
    topology = material.world.topology
    for route in topology.routes:
        history = material.histories[route.source_chain_tag]
        host = topology.cell_of(route.source_chain_tag)
        attestors = {
            signed.record.attestor
            for signed in topology.attestor_keys
            if signed.record.chain_tag == route.dest_chain_tag
        }
        terms = _terms(history, route.source_client, host.address, attestors)
        if terms is None:
            left.append(f"{history.chain_id} {route.source_client} believes without its own cell")
        else:
            need[terms] += 1
    detail = "; ".join(f"{count} clients take {terms}" for terms, count in sorted(need.items()))
    return _nothing_left("how clients believe", left, detail)


def _terms(
    history: LedgerHistory, client_id: str, own_cell: bytes, attestors: Set[bytes]
) -> str | None:
    """Return what a client asks for, None if that is too little."""
    store = f"clients/{client_id}/"
    if client_id.startswith(ATTESTATIONS):
        stored = history.provable.get(f"{store}clientState".encode())
        state = None if stored is None else _read(_attested_state, stored)
        if (
            state is None
            or set(state.attestors) != attestors
            or not has_more_than_two_thirds(state.min_required_sigs, len(attestors))
        ):
            return None
        return f"{state.min_required_sigs} of {len(attestors)} attestations and nothing else"
    stored = history.provable.get(f"{store}attestors".encode())
    paired = None if stored is None else _read(PairedClientState.decode, stored)
    if paired is None or paired.own_cell != own_cell:
        return None
    return (
        f"a native proof AND {paired.min_signatures} of {len(paired.attestor_keys)} attestations, "
        "the own cell's among them"
    )


def _attested_state(stored: bytes) -> ClientState:
    return ClientState.decode(decode_any(stored).value)


def _read(decode: Callable[[bytes], T], stored: bytes) -> T | None:
    try:
        return decode(stored)
    except Malformed:
        return None


def _nothing_left(name: str, left: Sequence[str], detail: str) -> CheckRow:
    return CheckRow(name=name, is_ok=not left, detail=_some(left) if left else detail)


def _some(lines: Iterable[str]) -> str:
    rows = list(lines)
    more = f" and {len(rows) - SHOWN_MAX} more" if len(rows) > SHOWN_MAX else ""
    return "; ".join(rows[:SHOWN_MAX]) + more
