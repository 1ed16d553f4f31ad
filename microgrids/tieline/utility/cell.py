"""
One utility cell: its keys, what it knows, and the slots it works on.

``step`` runs whatever phase is due; it never waits. What other cells ask is answered in
``service``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tieline.interfaces.cell_link import CellLink
from tieline.interfaces.clock import Clock
from tieline.interfaces.signer import Signer
from tieline.market.clearing import ClearingRules
from tieline.market.slot_machine import Phase, SlotState
from tieline.market.timeline import SlotProfile, slot_timeline
from tieline.swap.topology import CellEntry, Topology
from tieline.utility.attestor import CellAttestor
from tieline.utility.board import SlotBoard
from tieline.utility.journal import SigningJournal
from tieline.utility.ledger_index import LedgerIndex
from tieline.utility.network_check import NetworkCheck
from tieline.utility.preimages import PreimageStore
from tieline.utility.slot_work import SlotWork
from tieline.utility.sources import Field
from tieline.wire.ids import cell_set_id
from tieline.wire.typed_data import domain_separator

TICK_S = 900


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """What all cells agreed on for every slot."""

    rules: ClearingRules
    price_min: int
    price_max: int
    bond_price: int
    rounds_max: int
    """Cuts and re-clearings before the seal, at most 4."""


@dataclass(slots=True)
class UtilityCell:
    """A utility cell's parts, put together by the composition root."""

    entry: CellEntry
    key: Signer
    derive: Callable[[str], bytes]
    """32 bytes that only this cell's secret gives for a purpose."""
    lane: str
    """Under which its own ledger knows its account."""
    topology: Topology
    indexes: Mapping[bytes, LedgerIndex]
    """Every ledger of the set, by chain tag."""
    links: Sequence[CellLink]
    """All cells of the set, itself too, ascending address."""
    field_source: Field
    board: SlotBoard
    notices: SlotBoard
    """What all cells published, durably, for relayers and for cells that were away."""
    clock: Clock
    journal: SigningJournal
    preimages: PreimageStore
    attestor: CellAttestor
    check: NetworkCheck
    terms: MarketTerms
    profile: SlotProfile
    slot_length: int
    silent_slots: dict[int, bool] = field(default_factory=dict[int, bool])
    """Slots in which the cell is down."""
    work: dict[int, SlotWork] = field(default_factory=dict[int, SlotWork])

    @property
    def account(self) -> bytes:
        """Its account on its own ledger."""
        return self.own.ledger.lane_account(self.lane)

    @property
    def own(self) -> LedgerIndex:
        """Its own ledger."""
        return self.indexes[self.entry.chain_tag]

    @property
    def domain(self) -> bytes:
        """EIP-712 separator of the hub's network."""
        return domain_separator(self.topology.network_id)

    @property
    def addresses(self) -> tuple[bytes, ...]:
        """Addresses of the cell set, ascending."""
        return tuple(cell.address for cell in self.topology.cells)

    @property
    def cell_set_epoch(self) -> int:
        """Epoch of the cell set in force."""
        return self.topology.cell_sets[-1].cell_set.epoch

    @property
    def cell_set_id(self) -> bytes:
        """Id of the cell set in force."""
        record = self.topology.cell_sets[-1].cell_set
        return cell_set_id(
            self.topology.network_id, record.network_epoch, record.epoch, self.addresses
        )

    def slot(self, slot_start: int) -> SlotWork:
        """Return the work on a slot, begun when it is new."""
        if slot_start not in self.work:
            timeline = slot_timeline(self.profile, slot_start, self.slot_length)
            self.work[slot_start] = SlotWork(timeline, self._state_by_board(slot_start))
        return self.work[slot_start]

    def _state_by_board(self, slot_start: int) -> SlotState:
        """Return where a slot stands by what was published: a restarted cell goes on from there."""
        evidence = self.board.slot(slot_start)
        if evidence is None or not evidence.clearings:
            return SlotState()
        phase = Phase.SEALED
        if evidence.verdict is not None:
            phase = Phase.JUDGED
        if evidence.delivery is not None:
            phase = Phase.STATED
        return SlotState(phase, has_trades=True)

    def is_proposer(self, slot_start: int, turn: int = 0) -> bool:
        """Tell whether it is this cell's turn to propose; *turn* 0, then 1 and 2 as stand-ins."""
        index = (slot_start // TICK_S + turn) % len(self.addresses)
        return self.addresses[index] == self.entry.address
