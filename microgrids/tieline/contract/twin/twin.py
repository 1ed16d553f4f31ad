"""
The twin of an EVM ledger's contracts: their logs folded, block by block, into the stores and the
domain events of our own contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from tieline.contract.genesis_state import CHAIN_TAG_KEY, GENESIS_KEY
from tieline.contract.registry import FOUNDERS_KEY, role_key
from tieline.contract.store import IBC, TIELINE
from tieline.contract.twin import book_fold, host_fold, lock_fold
from tieline.contract.twin.state import TwinOf, TwinState, TwinStore
from tieline.interfaces.ledger import BlockEvents, TxEvents
from tieline.protocol.commitment import NEXT_CLIENT_NUMBER_KEY
from tieline.protocol.events import Event
from tieline.wire.evm.contract_events import read_log
from tieline.wire.evm.declarations import DecodedLog
from tieline.wire.evm.logs import Log, LoggedBlock

Fold = Callable[[TwinState, Mapping[str, Any]], None]

_HOST: Final[Mapping[str, Fold]] = {
    "ClientCreated": host_fold.client_created,
    "CounterpartyRegistered": host_fold.counterparty_registered,
    "ClientUpdated": host_fold.client_updated,
    "ClientFrozen": host_fold.client_frozen,
    "SetRotated": host_fold.set_rotated,
    "PauseSet": host_fold.nothing_changed,
    "PacketSent": host_fold.packet_sent,
    "PacketReceived": host_fold.packet_received,
    "PacketSkipped": host_fold.packet_skipped,
    "AcknowledgementWritten": host_fold.acknowledgement_written,
    "PacketAcknowledged": host_fold.packet_acknowledged,
    "PacketTimedOut": host_fold.packet_timed_out,
    "PacketRepeated": host_fold.nothing_changed,
}
_APP: Final[Mapping[str, Fold]] = {
    "OrderPlaced": book_fold.order_placed,
    "OrderCancelled": book_fold.order_cancelled,
    "OrderReleased": book_fold.order_released,
    "OrderFilled": book_fold.order_filled,
    "BandsSet": book_fold.bands_set,
    "CellSetPosted": book_fold.cell_set_posted,
    "ClearingPosted": book_fold.clearing_posted,
    "DeliveryPosted": book_fold.delivery_posted,
    "DeliverySigned": book_fold.delivery_signed,
    "ConflictingDelivery": book_fold.conflicting_delivery,
    "MandateSet": book_fold.mandate_set,
    "VaultDeposited": book_fold.vault_deposited,
    "VaultWithdrawn": book_fold.vault_withdrawn,
    "PayDeposited": book_fold.pay_deposited,
    "PayWithdrawn": book_fold.pay_withdrawn,
    "Sent": book_fold.sent,
    "PauseSet": host_fold.nothing_changed,
    "LockOpened": lock_fold.lock_opened,
    "LocalOpened": lock_fold.local_opened,
    "ReceiveRefused": lock_fold.receive_refused,
    "VerdictPosted": lock_fold.verdict_posted,
    "VerdictSigned": lock_fold.verdict_signed,
    "ConflictingVerdict": lock_fold.conflicting_verdict,
    "VerdictApplied": lock_fold.verdict_applied,
    "LockConfirmed": lock_fold.lock_confirmed,
    "PendingExpired": lock_fold.pending_expired,
    "Claimed": lock_fold.claimed,
    "Waived": lock_fold.waived,
    "LockRefunded": lock_fold.lock_refunded,
    "Refunded": lock_fold.refunded,
    "BondSlashed": lock_fold.bond_slashed,
    "LockClosed": lock_fold.lock_closed,
    "ShareCollected": lock_fold.share_collected,
    "Alarm": lock_fold.alarm,
}


_OF_A_PACKET: Final = frozenset(
    {"PacketReceived", "LockOpened", "ReceiveRefused", "AcknowledgementWritten"}
)


class Twin:
    """An EVM ledger as our contract would hold it, as of the last block that was folded."""

    def __init__(self, of: TwinOf) -> None:
        self.state = TwinState(of)
        trade = self.state.trade
        trade.set(GENESIS_KEY, of.genesis.to_bytes())
        trade.set(CHAIN_TAG_KEY, of.chain_tag)
        trade.set(FOUNDERS_KEY, b"".join(of.genesis.founding_cells))
        trade.set(role_key(of.genesis.cell_address), bytes([of.genesis.role]))
        self.state.ibc.set(NEXT_CLIENT_NUMBER_KEY, bytes(8))

    @property
    def height(self) -> int:
        """The last block folded; 0 before the first."""
        return self.state.height

    def fold(self, block: LoggedBlock) -> BlockEvents:
        """
        Take in the next final block and return what it did in domain events.

        Raises:
            Malformed: A log is not what its topic says: other contracts than ours.
        """
        self.state.height, self.state.time_s = block.height, block.time_s
        transactions = tuple(
            TxEvents(one.tx_hash, one.code, one.log, self._fold_logs(one.logs), one.codespace)
            for one in block.transactions
        )
        return BlockEvents(block.height, block.time_s, transactions)

    def query(self, store: str, key: bytes) -> bytes | None:
        """Return a value of store ``ibc`` or ``tieline``."""
        return self._store(store).get(key)

    def scan(self, store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        """Return all pairs under *prefix*, ascending."""
        found = self._store(store).items()
        return sorted((key, value) for key, value in found if key.startswith(prefix))

    def _store(self, store: str) -> TwinStore:
        return {IBC: self.state.ibc, TIELINE: self.state.trade}[store]

    def _fold_logs(self, logs: Sequence[Log]) -> tuple[Event, ...]:
        host, app = self.state.of.host, self.state.of.app
        self.state.events = []
        read = (read_log(log, host=host, app=app) for log in logs)
        for told in _packets_first([one for one in read if one is not None]):
            folds = _HOST if told.address == host else _APP
            folds[told.name](self.state, told.values)
        return tuple(self.state.events)


def _packets_first(told: Sequence[DecodedLog]) -> Iterator[DecodedLog]:
    """
    Yield logs in their order, but that a packet was received before what the application made of
    it: the host asks the application first, and tells after.
    """
    received = {
        (one.values["client"], one.values["sequence"]): one
        for one in told
        if one.name == "PacketReceived"
    }
    for one in told:
        if one.name in _OF_A_PACKET:
            before = received.pop((one.values["client"], one.values["sequence"]), None)
            if before is not None:
                yield before
        if one.name != "PacketReceived":
            yield one
