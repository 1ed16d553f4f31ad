"""Both ends of each path, as their ledgers hold them: does either client know the other?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tieline.contract.ibc_view import decode_counterparty
from tieline.interfaces.ledger import LedgerReader
from tieline.protocol.commitment import client_prefix
from tieline.relay.route import Endpoint, Route
from tieline.wire.errors import Malformed
from tieline.wire.proto_fields import Fields

_STOCK_KIND = "cosmos"
_COUNTERPARTY_FIELDS = 2


@dataclass(frozen=True, slots=True)
class EndCheck:
    """One end of a path."""

    ledger_id: str
    client_id: str
    counterparty: str
    """The client over there that it is paired with; empty if it is not there, or not paired."""
    expected: str

    @property
    def is_ok(self) -> bool:
        """Whether it is paired as the file says."""
        return self.counterparty == self.expected


async def check_ends(
    routes: Sequence[Route], ledgers: Mapping[str, LedgerReader]
) -> list[EndCheck]:
    """
    Ask both ledgers of each path for the counterparty of its client.

    Raises:
        Unavailable: A ledger does not answer.
    """
    checks: list[EndCheck] = []
    for route in routes:
        for here, there in ((route.first, route.second), (route.second, route.first)):
            found = await _counterparty(ledgers[here.ledger_id], here)
            checks.append(EndCheck(here.ledger_id, here.client_id, found, there.client_id))
    return checks


async def _counterparty(ledger: LedgerReader, end: Endpoint) -> str:
    stored = await ledger.query("ibc", client_prefix(end.client_id) + b"counterparty")
    if stored is None:
        return ""
    try:
        if ledger.capabilities.kind == _STOCK_KIND:
            return Fields(stored, known=_COUNTERPARTY_FIELDS).text(_COUNTERPARTY_FIELDS)
        return decode_counterparty(stored).client_id
    except (Malformed, IndexError, UnicodeDecodeError) as exc:
        return f"unreadable: {exc}"
