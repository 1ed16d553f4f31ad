"""The board of a relayer that carries packets only: nobody publishes anything."""

from __future__ import annotations

from collections.abc import Sequence

from tieline.interfaces.bulletin import (
    PublishedCellSet,
    PublishedClearing,
    PublishedDelivery,
    PublishedVerdict,
    SidedLeaf,
)
from tieline.swap.records import TradeEvidence


class NoTrades:
    """Implements ``interfaces.bulletin.Bulletin``: empty, for good."""

    @property
    def revision(self) -> int:
        """Never changes."""
        return 0

    def cell_sets(self) -> Sequence[PublishedCellSet]:
        """None."""
        return ()

    def clearings(self, slot_start: int) -> Sequence[PublishedClearing]:  # noqa: ARG002
        """None."""
        return ()

    def evidence(self, trade_id: bytes, chain_tag: bytes) -> TradeEvidence | None:  # noqa: ARG002
        """None."""
        return None

    def allocations(self, trade_id: bytes) -> Sequence[SidedLeaf]:  # noqa: ARG002
        """None."""
        return ()

    def verdict(self, slot_start: int) -> PublishedVerdict | None:  # noqa: ARG002
        """None."""
        return None

    def deliveries(self, slot_start: int) -> Sequence[PublishedDelivery]:  # noqa: ARG002
        """None."""
        return ()

    def preimage(self, trade_id: bytes) -> bytes | None:  # noqa: ARG002
        """None."""
        return None

    def slots(self) -> Sequence[int]:
        """None."""
        return ()
