"""
Named accounts of a settlement, and money that moves between two of them.

Amounts are nano-EUR (= micro-EUR per kWh x Wh, exact); nothing is paid to or from nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class AccountKind(StrEnum):
    """What an account is for."""

    PARTICIPANT = "participant"
    CONNECTOR = "connector"
    RELAYER = "relayer"
    GRID = "grid"
    """The grid operator as a trading party."""
    LOSS = "loss"
    """Passes what losses cost from those who cause them to those who supply them."""
    POOL = "pool"
    """Between buyers and sellers of an INTRA trade, whose two sides are one lock; ends at zero."""
    BALANCING = "balancing"
    """Prices deviations; its surplus alone funds rebates."""
    UNACCOUNTED = "unaccounted"
    """What meters, estimate and power flow cannot agree on; reported, never absorbed."""
    RENT = "rent"
    """Congestion rent of a limit's owner."""
    TAX = "tax"


@dataclass(frozen=True, slots=True, order=True)
class NamedAccount:
    """An account by kind and name."""

    kind: AccountKind
    name: str = ""
    """Hex account, chain tag or limit; empty where there is one of the kind."""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else str(self.kind)


POOL = NamedAccount(AccountKind.POOL)
LOSS = NamedAccount(AccountKind.LOSS)
BALANCING = NamedAccount(AccountKind.BALANCING)
UNACCOUNTED = NamedAccount(AccountKind.UNACCOUNTED)


def participant(chain_tag: bytes, account: bytes) -> NamedAccount:
    """Return the account of a household or device, by ledger (32 bytes) and account (20)."""
    return NamedAccount(AccountKind.PARTICIPANT, f"{chain_tag.hex()}/{account.hex()}")


def operator(chain_tag: bytes) -> NamedAccount:
    """Return the account of the grid operator, by its ledger (32 bytes)."""
    return NamedAccount(AccountKind.GRID, chain_tag.hex())


class Reason(StrEnum):
    """Why money moves."""

    ENERGY = "energy"
    """A lock was claimed: price x Wh."""
    POOL_SHARE = "pool share"
    """Ledgers share a pool by position, settlement by what each seller delivered."""
    REPLACEMENT = "replacement"
    """A buyer pays its trade's price for Wh that balancing supplied in the seller's place."""
    SHORTFALL = "shortfall"
    """Undelivered Wh are credited at min(price, imbalance price); the bond covers the rest."""
    PENALTY = "penalty"
    DEVIATION = "deviation"
    """Net injection beside the position, at the imbalance price."""
    LOSSES = "losses"
    ROUNDING = "rounding"
    RELAYER_COST = "relayer cost"
    CONGESTION = "congestion"
    TAX = "tax"


@dataclass(frozen=True, slots=True)
class Posting:
    """Money from one account to another."""

    payer: NamedAccount
    payee: NamedAccount
    amount: int
    """Nano-EUR, > 0."""
    reason: Reason
    trade: bytes = b""
    """Position key, where it belongs to a trade."""


def posting(
    payer: NamedAccount, payee: NamedAccount, amount: int, reason: Reason, trade: bytes = b""
) -> list[Posting]:
    """Return the posting of *amount*, turned round when negative; none when zero."""
    if amount == 0:
        return []
    if amount < 0:
        payer, payee = payee, payer
    return [Posting(payer, payee, abs(amount), reason, trade)]


def balances(postings: Iterable[Posting]) -> dict[NamedAccount, int]:
    """Return the net of every account that moved, nano-EUR, ascending account."""
    net: dict[NamedAccount, int] = {}
    for row in postings:
        net[row.payer] = net.get(row.payer, 0) - row.amount
        net[row.payee] = net.get(row.payee, 0) + row.amount
    return dict(sorted(net.items()))
