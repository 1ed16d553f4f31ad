"""
The identities that every settlement must fulfil, checked from its rows alone.

Numbers are ``docs/spec/market.md`` 3. A violation is a finding about the statement, not an
exception.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tieline.market.accounts import BALANCING, LOSS, POOL, NamedAccount, Posting, Reason, balances
from tieline.market.position import Position
from tieline.market.settlement import SellShare, SettledTrade, SlotStatement
from tieline.swap.records import Level


@dataclass(frozen=True, slots=True)
class Violation:
    """One identity that does not hold."""

    identity: str
    """E1 .. E10."""
    detail: str
    """What was expected, what was found."""


@dataclass(frozen=True, slots=True)
class LedgerSupply:
    """The money of one ledger at the end of a slot, nano-EUR."""

    ledger_id: str
    balances: int
    """Sum over all accounts and vaults."""
    open_locks: int
    """Sum over escrows, reservations and open locks."""
    minted: int
    burned: int


def check_identities(
    statement: SlotStatement, supplies: Iterable[LedgerSupply] = ()
) -> list[Violation]:
    """
    Return every violated identity of a slot's statement, E1 first; empty when all hold.

    Args:
        statement: The settlement.
        supplies: The ledgers' own sums, for the second half of E6.
    """
    return [
        *_energy_balance(statement),
        *_levels(statement),
        *_deviations(statement),
        *_money(statement),
        *_supplies(supplies),
        *_swaps(statement),
        *_no_double_penalty(statement),
    ]


def check_levels(
    positions: Iterable[Position],
    offered_wh: Mapping[bytes, int],
    residual_wh: Mapping[bytes, int],
) -> list[Violation]:
    """
    Check E2 of a clearing: what is bought is sold in every position; nothing is lost between
    levels.

    Args:
        positions: Of one slot.
        offered_wh: Wh by order id that went in.
        residual_wh: Wh by order id that came out.
    """
    found: list[Violation] = []
    used: dict[bytes, int] = {}
    for position in positions:
        bought = sum(leaf.energy_wh for leaf in position.buys)
        sold = sum(leaf.energy_wh for leaf in position.sells)
        if not bought == sold == position.energy_wh:
            found.append(Violation("E2", f"{position.key.hex()}: bought={bought} sold={sold}"))
        for leaf in (*position.buys, *position.sells):
            used[leaf.order_id] = used.get(leaf.order_id, 0) + leaf.energy_wh
    for order_id in sorted(used.keys() | offered_wh.keys()):
        offered = offered_wh.get(order_id, 0)
        left = residual_wh.get(order_id, 0)
        if used.get(order_id, 0) + left != offered or left < 0:
            detail = f"order {order_id.hex()}: offered={offered} used={used.get(order_id, 0)}"
            found.append(Violation("E2", f"{detail} left={left}"))
    return found


def _energy_balance(statement: SlotStatement) -> list[Violation]:
    """E1: injections and import are the losses, up to 1 Wh a meter; u is what meters say."""
    found: list[Violation] = []
    network = statement.network
    estimated = sum(row.estimated_wh for row in statement.participants)
    rounding = network.loss_wh - estimated - network.import_wh
    if abs(rounding) > len(statement.participants) + 1:
        found.append(Violation("E1", f"sum e + g misses L by {rounding} Wh"))
    if rounding != statement.rounding_wh:
        found.append(Violation("E1", f"rounding: {rounding} stated {statement.rounding_wh}"))
    metered = sum(row.metered_wh for row in statement.participants)
    unaccounted = metered + network.metered_import_wh - network.loss_wh
    if unaccounted != statement.unaccounted_wh:
        detail = f"unaccounted: {unaccounted} stated {statement.unaccounted_wh}"
        found.append(Violation("E1", detail))
    return found


def _levels(statement: SlotStatement) -> list[Violation]:
    """E2: per level, what is sold is bought; the rows carry exactly these positions."""
    found: list[Violation] = []
    positions = {row.account: 0 for row in statement.participants}
    positions[statement.grid] = 0
    for level in Level:
        net = 0
        for trade in (trade for trade in statement.trades if trade.level is level):
            for share in trade.sells:
                net += share.cap_wh
                positions[share.account] = positions.get(share.account, 0) + share.cap_wh
            for buy in trade.buys:
                net -= buy.cap_wh
                positions[buy.account] = positions.get(buy.account, 0) - buy.cap_wh
        if net:
            found.append(Violation("E2", f"{level.name}: sum q = {net}"))
    stated = {row.account: row.position_wh for row in statement.participants}
    stated[statement.grid] = statement.grid_position_wh
    for account, wh in positions.items():
        if stated.get(account, 0) != wh:
            found.append(Violation("E2", f"{account}: q={wh} stated {stated.get(account, 0)}"))
    return found


def _deviations(statement: SlotStatement) -> list[Violation]:
    """E4: every row's own sum, the losses in full, and all deviations together."""
    found: list[Violation] = []
    network = statement.network
    for row in statement.participants:
        expected = row.estimated_wh - row.position_wh - row.loss_wh
        if row.deviation_wh != expected:
            found.append(Violation("E4", f"{row.account}: d={expected} stated {row.deviation_wh}"))
    expected = network.import_wh - statement.grid_position_wh - network.base_loss_wh
    if statement.grid_deviation_wh != expected:
        found.append(Violation("E4", f"d_G={expected} stated {statement.grid_deviation_wh}"))
    shared = sum(row.loss_wh for row in statement.participants) + network.base_loss_wh
    if shared != network.loss_wh:
        found.append(Violation("E4", f"loss shares sum to {shared}, L={network.loss_wh}"))
    total = sum(row.deviation_wh for row in statement.participants) + statement.grid_deviation_wh
    if total + statement.rounding_wh:
        found.append(Violation("E4", f"sum d + d_G + rounding = {total + statement.rounding_wh}"))
    return found


def _money(statement: SlotStatement) -> list[Violation]:
    """
    E5, E6: postings price every deviation and leave nothing hanging.

    Their sum is zero by their form: each has a payer and a payee.
    """
    found: list[Violation] = []
    net = balances(statement.postings)
    found += [
        Violation("E6", f"{row.reason}: amount {row.amount} is not positive")
        for row in statement.postings
        if row.amount <= 0
    ]
    found += [
        Violation("E6", f"{account} keeps {net[account]}")
        for account in (LOSS, POOL)
        if net.get(account, 0)
    ]
    if net.get(BALANCING, 0) < 0:
        found.append(Violation("E5", f"balancing is short of {-net[BALANCING]}"))
    price = statement.imbalance_price
    priced = _priced_deviations(statement)
    wanted = {row.account: price * row.deviation_wh for row in statement.participants}
    wanted[statement.grid] = price * statement.grid_deviation_wh
    for account, amount in wanted.items():
        if priced.get(account, 0) != amount:
            detail = f"{account}: lambda d={amount} posted {priced.get(account, 0)}"
            found.append(Violation("E5", detail))
    return found


def _priced_deviations(statement: SlotStatement) -> dict[NamedAccount, int]:
    """Return what deviations and losses moved by account, nano-EUR."""
    rows = [r for r in statement.postings if r.reason in {Reason.DEVIATION, Reason.LOSSES}]
    return balances(rows)


def _supplies(supplies: Iterable[LedgerSupply]) -> list[Violation]:
    """E6, second half: on each ledger, balances and open locks are what was issued."""
    return [
        Violation("E6", f"{row.ledger_id}: held {held} issued {issued}")
        for row in supplies
        if (held := row.balances + row.open_locks) != (issued := row.minted - row.burned)
    ]


def _swaps(statement: SlotStatement) -> list[Violation]:
    """E7: the connector is never out of pocket, and never claims beyond the cap."""
    found: list[Violation] = []
    for trade in statement.trades:
        name = trade.key.hex()
        claimed = f"in={trade.claimed_in_wh} out={trade.claimed_out_wh}"
        if trade.claimed_in_wh < trade.claimed_out_wh:
            found.append(Violation("E7", f"{name}: {claimed}"))
        if max(trade.claimed_in_wh, trade.claimed_out_wh) > trade.delivered_wh:
            found.append(Violation("E7", f"{name}: {claimed} delivered={trade.delivered_wh}"))
        if trade.level is Level.INTRA and trade.claimed_in_wh != trade.claimed_out_wh:
            found.append(Violation("E7", f"{name}: one lock, two amounts: {claimed}"))
        gain = trade.price_in * trade.claimed_in_wh - trade.price_out * trade.claimed_out_wh
        fee = trade.price_in - trade.price_out
        if fee < 0 or gain < fee * trade.claimed_out_wh:
            found.append(Violation("E7", f"{name}: gain={gain} fee={fee} {claimed}"))
    return found


def unclaimed(statement: SlotStatement) -> Mapping[bytes, int]:
    """Return Wh by position key that were delivered but not claimed on the sellers' ledger."""
    return {
        trade.key: trade.delivered_wh - trade.claimed_out_wh
        for trade in statement.trades
        if trade.delivered_wh > trade.claimed_out_wh
    }


def _no_double_penalty(statement: SlotStatement) -> list[Violation]:
    """E10: a seller short of q nets p q - lambda (q - e), or p e when lambda < p."""
    found: list[Violation] = []
    by_trade: dict[bytes, list[Posting]] = {}
    for row in statement.postings:
        if row.trade:
            by_trade.setdefault(row.trade, []).append(row)
    for trade in statement.trades:
        if trade.claimed_out_wh != trade.delivered_wh:
            continue  # who did not claim has given its part away
        net = balances(by_trade.get(trade.key, []))
        for account in sorted({share.account for share in trade.sells}):
            mine = [share for share in trade.sells if share.account == account]
            bought = [share for share in trade.buys if share.account == account]
            if bought:
                continue  # both sides of one trade: only the sum of both is known
            short = sum(share.cap_wh - share.delivered_wh for share in mine)
            actual = net.get(account, 0) - statement.imbalance_price * short
            expected = sum(_seller_nets(trade, share, statement) for share in mine)
            if actual != expected:
                detail = f"{account}: nets {actual} expected {expected}"
                found.append(Violation("E10", f"{trade.key.hex()} {detail}"))
    return found


def _seller_nets(trade: SettledTrade, share: SellShare, statement: SlotStatement) -> int:
    """Return what one seller should end with under one trade, its shortfall priced in."""
    price, lam = trade.price_out, statement.imbalance_price
    short = share.cap_wh - share.delivered_wh
    nets = price * share.cap_wh - lam * short if lam >= price else price * share.delivered_wh
    return nets - statement.penalty * short
