"""
What a slot comes to: energy by account, deviations at one price, and every nano-EUR from whom to
whom.

Sealed positions, delivered energy and readings in; a statement out, which
``tieline.market.identities`` checks. Whole Wh and nano-EUR, exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tieline.market.accounts import (
    BALANCING,
    LOSS,
    POOL,
    UNACCOUNTED,
    NamedAccount,
    Posting,
    Reason,
    operator,
    participant,
    posting,
)
from tieline.market.delivery import Attribution, CappedPosition, capped_shares
from tieline.market.rationing import share_pro_rata
from tieline.swap.records import Level
from tieline.units.rounding import floor_share


class UnknownParty(ValueError):
    """A trade names an account that has no energy row."""


@dataclass(frozen=True, slots=True)
class ParticipantEnergy:
    """One participant's slot, Wh, injection into the grid positive."""

    account: NamedAccount
    metered_wh: int
    """m: what its meter says."""
    estimated_wh: int
    """e: what the estimate says; it settles."""
    loss_wh: int = 0
    """l: its share of the losses that trades caused; negative shares are paid."""


@dataclass(frozen=True, slots=True)
class BuyShare:
    """A buyer's part of a trade."""

    account: NamedAccount
    cap_wh: int
    """Its share of what the verdict left of the position."""


@dataclass(frozen=True, slots=True)
class SellShare:
    """A seller's part of a trade."""

    account: NamedAccount
    cap_wh: int
    delivered_wh: int
    """Attributed metered energy, 0..cap_wh."""


@dataclass(frozen=True, slots=True)
class SettledTrade:
    """One position at the end of its locks."""

    key: bytes
    level: Level
    price_in: int
    price_out: int
    buys: tuple[BuyShare, ...]
    sells: tuple[SellShare, ...]
    claimed_in_wh: int
    """Paid on the buyers' ledger."""
    claimed_out_wh: int
    """Paid on the sellers' ledger."""
    connector: NamedAccount
    """Keeps the difference of both legs; not moved at INTRA, where both are one lock."""

    @property
    def cap_wh(self) -> int:
        """What the verdict left of the position, Wh."""
        return sum(share.cap_wh for share in self.sells)

    @property
    def delivered_wh(self) -> int:
        """What the statement says was delivered, Wh."""
        return sum(share.delivered_wh for share in self.sells)


@dataclass(frozen=True, slots=True)
class NetworkEnergy:
    """The slot at the slack bus and in the branches, Wh."""

    import_wh: int
    """g: over the slack, into the network positive, as estimated."""
    metered_import_wh: int
    """g_m: the same by the meter at the point of common coupling."""
    loss_wh: int
    """L: of the AC solution at the estimate."""
    base_loss_wh: int
    """L without the trades; belongs to the network tariff."""


@dataclass(frozen=True, slots=True)
class ParticipantRow:
    """One line of the statement, Wh."""

    account: NamedAccount
    metered_wh: int
    estimated_wh: int
    position_wh: int
    """q: sold positive."""
    loss_wh: int
    deviation_wh: int
    """d = e - q - l."""


@dataclass(frozen=True, slots=True)
class SlotStatement:
    """A slot's settlement."""

    participants: tuple[ParticipantRow, ...]
    """Ascending account."""
    grid: NamedAccount
    network: NetworkEnergy
    grid_position_wh: int
    """q_G: sold by the operator positive."""
    grid_deviation_wh: int
    """d_G = g - q_G - base losses."""
    rounding_wh: int
    """L - sum e - g: at most 1 Wh a meter."""
    unaccounted_wh: int
    """u = sum m + g_m - L."""
    imbalance_price: int
    """Lambda, micro-EUR per kWh; may be negative."""
    penalty: int
    """On undelivered Wh, micro-EUR per kWh, >= 0."""
    trades: tuple[SettledTrade, ...]
    """Ascending key."""
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True)
class Claimed:
    """How a position's locks ended, Wh paid on each ledger."""

    in_wh: int
    """On the buyers' ledger."""
    out_wh: int
    """On the sellers' ledger; the same lock at INTRA."""


def settled_trade(
    row: CappedPosition,
    deliveries: Attribution,
    claimed: Claimed,
    connector: NamedAccount,
    grid: bytes | None,
) -> SettledTrade:
    """
    Bring a position, its cap, its delivery and its claims together.

    Args:
        row: The position with the cap of the applied verdict.
        deliveries: Of the slot, from ``delivery.delivered``.
        claimed: From both ledgers.
        connector: Who holds the middle of the two legs.
        grid: Chain tag of the operator's ledger.
    """
    position = row.position

    def party(chain_tag: bytes, account: bytes) -> NamedAccount:
        return operator(chain_tag) if chain_tag == grid else participant(chain_tag, account)

    buy_caps = capped_shares(position.buys, row.cap_wh, position.energy_wh)
    sell_caps = capped_shares(position.sells, row.cap_wh, position.energy_wh)
    return SettledTrade(
        key=position.key,
        level=position.level,
        price_in=position.price_in,
        price_out=position.price_out,
        buys=tuple(
            BuyShare(party(position.source, leaf.account), cap)
            for leaf, cap in zip(position.buys, buy_caps, strict=True)
        ),
        sells=tuple(
            SellShare(
                party(position.destination, leaf.account),
                cap,
                deliveries.by_order[position.key, leaf.order_id],
            )
            for leaf, cap in zip(position.sells, sell_caps, strict=True)
        ),
        claimed_in_wh=claimed.in_wh,
        claimed_out_wh=claimed.out_wh,
        connector=connector,
    )


def settle_slot(
    participants: Sequence[ParticipantEnergy],
    trades: Iterable[SettledTrade],
    network: NetworkEnergy,
    grid: NamedAccount,
    imbalance_price: int,
    penalty: int = 0,
    charges: Sequence[Posting] = (),
) -> SlotStatement:
    """
    Settle one slot.

    Args:
        participants: Every meter of the market, traders or not.
        trades: Positions that were accepted, with both legs' claims from the ledgers.
        network: Import and losses of the AC solution at the estimate.
        grid: The operator's account; its GRID trades are q_G.
        imbalance_price: Lambda, one price for both signs, micro-EUR per kWh.
        penalty: On undelivered Wh, micro-EUR per kWh.
        charges: Fixed lines, such as relayer cost, congestion rent, tax.

    Raises:
        UnknownParty: A trade names somebody who is neither the operator nor a participant.
    """
    rows = tuple(sorted(trades, key=lambda trade: trade.key))
    positions = _positions(rows)
    known = {row.account for row in participants} | {grid}
    for account in positions:
        if account not in known:
            raise UnknownParty(f"no energy row for {account}")
    lines = tuple(
        _line(row, positions.get(row.account, 0))
        for row in sorted(participants, key=lambda row: row.account)
    )
    grid_position = positions.get(grid, 0)
    rounding = network.loss_wh - sum(line.estimated_wh for line in lines) - network.import_wh
    money: list[Posting] = []
    for trade in rows:
        money += _energy_money(trade)
        money += _shortfall_money(trade, imbalance_price, penalty)
    money += _deviation_money(lines, network, grid, grid_position, imbalance_price)
    # What the estimate does not close is nobody's deviation.
    money += posting(BALANCING, UNACCOUNTED, imbalance_price * rounding, Reason.ROUNDING)
    metered = sum(line.metered_wh for line in lines)
    return SlotStatement(
        participants=lines,
        grid=grid,
        network=network,
        grid_position_wh=grid_position,
        grid_deviation_wh=network.import_wh - grid_position - network.base_loss_wh,
        rounding_wh=rounding,
        unaccounted_wh=metered + network.metered_import_wh - network.loss_wh,
        imbalance_price=imbalance_price,
        penalty=penalty,
        trades=rows,
        postings=(*money, *charges),
    )


def _line(row: ParticipantEnergy, position_wh: int) -> ParticipantRow:
    """Return a participant's line."""
    return ParticipantRow(
        account=row.account,
        metered_wh=row.metered_wh,
        estimated_wh=row.estimated_wh,
        position_wh=position_wh,
        loss_wh=row.loss_wh,
        deviation_wh=row.estimated_wh - position_wh - row.loss_wh,
    )


def _positions(trades: Iterable[SettledTrade]) -> Mapping[NamedAccount, int]:
    """Return q by account, sold positive."""
    positions: dict[NamedAccount, int] = {}
    for trade in trades:
        for sell in trade.sells:
            positions[sell.account] = positions.get(sell.account, 0) + sell.cap_wh
        for buy in trade.buys:
            positions[buy.account] = positions.get(buy.account, 0) - buy.cap_wh
    return positions


def pool_shares(cap_wh: Sequence[int], wh: int) -> list[int]:
    """Share *wh* of a pool over its members as the ledgers do: floors of running sums."""
    total = sum(cap_wh)
    shares: list[int] = []
    offset = 0
    for cap in cap_wh:
        shares.append(floor_share(wh, offset, cap, total))
        offset += cap
    return shares


def _energy_money(trade: SettledTrade) -> list[Posting]:
    """Return what the locks moved, and the correction inside the sellers' pool."""
    if not trade.cap_wh:
        return []
    money: list[Posting] = []
    is_local = trade.level is Level.INTRA
    middle = POOL if is_local else trade.connector
    used = pool_shares([share.cap_wh for share in trade.buys], trade.claimed_in_wh)
    for buy, wh in zip(trade.buys, used, strict=True):
        money += posting(buy.account, middle, trade.price_in * wh, Reason.ENERGY, trade.key)
    paid = pool_shares([share.cap_wh for share in trade.sells], trade.claimed_out_wh)
    earned = earned_shares(trade)
    for sell, wh, due in zip(trade.sells, paid, earned, strict=True):
        money += posting(middle, sell.account, trade.price_out * wh, Reason.ENERGY, trade.key)
        money += posting(
            BALANCING, sell.account, trade.price_out * (due - wh), Reason.POOL_SHARE, trade.key
        )
    return money


def earned_shares(trade: SettledTrade) -> list[int]:
    """Split what was claimed for the sellers by what each delivered, Wh."""
    if not trade.delivered_wh:
        return [0] * len(trade.sells)
    weights = [share.delivered_wh for share in trade.sells]
    return share_pro_rata(trade.claimed_out_wh, weights, lambda index: index)


def _shortfall_money(trade: SettledTrade, imbalance_price: int, penalty: int) -> list[Posting]:
    """
    Price what was not delivered once, not twice.

    Every Wh of shortfall is already a deviation of the seller at lambda. With the credit of
    min(price, lambda) the seller nets price x q - lambda x (q - e) when lambda >= price, and
    price x e otherwise; the buyer pays its own price for every Wh it bought.
    """
    money: list[Posting] = []
    credit = min(trade.price_out, imbalance_price)
    for sell in trade.sells:
        short = sell.cap_wh - sell.delivered_wh
        money += posting(BALANCING, sell.account, credit * short, Reason.SHORTFALL, trade.key)
        money += posting(sell.account, BALANCING, penalty * short, Reason.PENALTY, trade.key)
    if trade.cap_wh:
        served = pool_shares([share.cap_wh for share in trade.buys], trade.delivered_wh)
        for buy, wh in zip(trade.buys, served, strict=True):
            amount = trade.price_in * (buy.cap_wh - wh)
            money += posting(buy.account, BALANCING, amount, Reason.REPLACEMENT, trade.key)
    return money


def _deviation_money(
    lines: Iterable[ParticipantRow],
    network: NetworkEnergy,
    grid: NamedAccount,
    grid_position: int,
    price: int,
) -> list[Posting]:
    """Price deviations and losses at lambda; what balancing takes it gives."""
    money: list[Posting] = []
    for line in lines:
        beside = line.estimated_wh - line.position_wh
        money += posting(BALANCING, line.account, price * beside, Reason.DEVIATION)
        money += posting(line.account, LOSS, price * line.loss_wh, Reason.LOSSES)
    beside = network.import_wh - grid_position
    money += posting(BALANCING, grid, price * beside, Reason.DEVIATION)
    money += posting(grid, LOSS, price * network.base_loss_wh, Reason.LOSSES)
    money += posting(LOSS, BALANCING, price * network.loss_wh, Reason.LOSSES)
    return money
