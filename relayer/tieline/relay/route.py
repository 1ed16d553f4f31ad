"""
Which ledgers there are, and which client on one tracks which client on another.

A route is a pair of clients that name each other as counterparty; packets travel it both ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TICK_S = 900
"""Verdicts and statements are one a tick; a longer trade spans several."""


@dataclass(frozen=True, slots=True)
class LedgerTerms:
    """What the relayer must know of a ledger beforehand. Governed numbers are its own."""

    ledger_id: str
    chain_tag: bytes = b""
    """What records of trades call it; empty: no cells, it only carries packets."""
    proof_lag: int = 1
    """State of height h is proved with the header of h + proof_lag."""
    tau_lead_s: int = 400
    d_lead_s: int = 100
    reveal_lead_s: int = 490
    """A preimage is never first shown later than this before T_B (R of the time ladder)."""
    min_margin_s: int = 900
    """T_A is at least this long after T_B."""

    @property
    def has_cells(self) -> bool:
        """Whether trades can touch this ledger."""
        return bool(self.chain_tag)

    def tau_s(self, slot_start: int) -> int:
        """Return when the batch of a slot closes, unix seconds of chain time."""
        return slot_start - self.tau_lead_s

    def verdict_deadline_s(self, slot_start: int) -> int:
        """Return D of a slot, unix seconds of chain time."""
        return slot_start - self.d_lead_s


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """A client on a ledger; it tracks the ledger at the route's other end."""

    ledger_id: str
    client_id: str

    def __str__(self) -> str:
        return f"{self.ledger_id}/{self.client_id}"


@dataclass(frozen=True, slots=True)
class Route:
    """Two clients that name each other."""

    first: Endpoint
    second: Endpoint

    def __str__(self) -> str:
        return f"{self.first}<->{self.second}"


class Topology:
    """
    The ledgers and routes of one hub, with the look-ups that every step needs.

    Raises:
        ValueError: A ledger, chain tag or client is named twice, or a route names no known ledger.
    """

    def __init__(self, ledgers: Sequence[LedgerTerms], routes: Sequence[Route]) -> None:
        self.ledgers = {terms.ledger_id: terms for terms in ledgers}
        self.routes = tuple(routes)
        tags = [terms.chain_tag for terms in ledgers if terms.has_cells]
        if len(self.ledgers) != len(ledgers) or len(set(tags)) != len(tags):
            raise ValueError("a ledger or chain tag is named twice")
        self._peers: dict[Endpoint, Endpoint] = {}
        for route in self.routes:
            for near, far in ((route.first, route.second), (route.second, route.first)):
                if near.ledger_id not in self.ledgers:
                    raise ValueError(f"route names an unknown ledger: {near}")
                if near in self._peers:
                    raise ValueError(f"client has two counterparties: {near}")
                self._peers[near] = far
        self._by_name = {(end.ledger_id, end.client_id): end for end in self._peers}

    def endpoint(self, ledger_id: str, client_id: str) -> Endpoint | None:
        """Return the endpoint if one of our routes has it; packets of others are not ours."""
        return self._by_name.get((ledger_id, client_id))

    def peer(self, endpoint: Endpoint) -> Endpoint:
        """Return the other end of the route. Raises KeyError for an unknown endpoint."""
        return self._peers[endpoint]

    def clients_on(self, ledger_id: str) -> tuple[Endpoint, ...]:
        """Return the clients that run on a ledger, ascending."""
        return tuple(sorted(end for end in self._peers if end.ledger_id == ledger_id))


def last_tick(slot_start: int, slot_length: int) -> int:
    """Return the start of the tick whose statement settles a trade."""
    return slot_start + slot_length - TICK_S
