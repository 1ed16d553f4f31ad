"""
What our contracts on EVM ledgers tell, as their sources declare it, and how to read it.

Held to the committed ABI by a test: audits need these without the artifacts.

Sources:
    ``adapters/onchain/ethereum/src``: IHost, IBookEvents, ITradeEvents.
"""

from __future__ import annotations

from typing import Final

from tieline.wire.evm.declarations import DecodedLog, EventKind, read_declarations
from tieline.wire.evm.logs import Log

_LOCAL_TRADE = (
    "(bytes32 tradeId, bytes32 cellSetId, uint64 cellSetEpoch, uint64 slotStart, "
    "uint32 slotLength, bytes32 allocationsRoot, address buyer, address seller, uint64 energyWh, "
    "uint64 price, bytes32 hashlock, uint64 expiry, bytes32 clearingRoot)"
)

HOST_EVENTS: Final = """
event ClientCreated(uint64 indexed client, uint64 indexed height, uint64 timestamp,
    uint32 minSignatures, address[] attestors);
event CounterpartyRegistered(uint64 indexed client, string counterparty);
event ClientUpdated(uint64 indexed client, uint64 indexed height, uint64 timestamp);
event ClientFrozen(uint64 indexed client);
event SetRotated(uint64 indexed client, uint64 indexed fromHeight, uint32 minSignatures,
    address[] attestors);
event PauseSet(uint64 indexed client, bool sends, bool receives);
event PacketSent(uint64 indexed client, uint64 indexed sequence, bytes32 indexed commitment,
    bytes packet);
event PacketReceived(uint64 indexed client, uint64 indexed sequence, bytes32 indexed commitment,
    bytes packet);
event PacketSkipped(uint64 indexed client, uint64 indexed sequence, bytes reason);
event AcknowledgementWritten(uint64 indexed client, uint64 indexed sequence,
    bytes acknowledgement);
event PacketAcknowledged(uint64 indexed client, uint64 indexed sequence);
event PacketTimedOut(uint64 indexed client, uint64 indexed sequence);
event PacketRepeated(uint64 indexed client, uint64 indexed sequence, uint8 kind);
"""

APP_EVENTS: Final = f"""
event OrderPlaced(bytes32 indexed orderId, address indexed account, uint64 indexed slotStart,
    uint32 slotLength, uint8 side, uint8 levels, uint8 delivery, uint64 energyWh,
    uint64 priceLimit, uint64 money, bytes32 anchor);
event OrderCancelled(bytes32 indexed orderId, address indexed account, uint64 amount);
event OrderReleased(bytes32 indexed orderId, address indexed account, uint64 amount);
event OrderFilled(bytes32 indexed orderId, bytes32 indexed lockId, uint64 wh, uint64 money);
event BandsSet(uint64 indexed slotStart, uint32 slotLength, uint64 priceMin, uint64 priceMax,
    uint64 bondPrice);
event CellSetPosted(bytes32 indexed cellSetId, bytes32 previous, bytes32 networkEpoch,
    uint64 epoch, uint64 fromSlot, (address cell, bytes32 chainTag, uint8 role)[] rows);
event ClearingPosted(bytes32 indexed clearingRoot, uint64 indexed slotStart, bytes32 cellSetId,
    uint64 epoch, uint32 slotLength, uint8 level, bytes32 ordersRoot, uint64 signers);
event DeliveryPosted(uint64 indexed slotStart, uint64 indexed index,
    bytes32 indexed deliveriesRoot, bytes32 cellSetId, uint64 signers);
event DeliverySigned(uint64 indexed slotStart, uint64 indexed index,
    bytes32 indexed deliveriesRoot, uint64 signers);
event ConflictingDelivery(uint64 indexed slotStart, uint64 indexed index, uint64 signers);
event MandateSet(bytes32 indexed mandateId, address indexed connectorOut, bytes32 indexed client,
    bytes32 sourceChainTag, address connectorIn, uint128 maxTrade, uint128 maxOpen,
    uint64 minFee, uint64 minMargin, uint64 expiry, uint64 nonce);
event VaultDeposited(address indexed account, address indexed payer, uint128 amount,
    bool isFromToken);
event VaultWithdrawn(address indexed account, uint128 amount);
event PayDeposited(address indexed account, address indexed payer, uint128 amount);
event PayWithdrawn(address indexed account, uint128 amount);
event Sent(address indexed sender, address indexed recipient, uint128 amount);
event PauseSet(uint64 orders, uint64 locks, uint64 sends, uint64 receives);
event LockOpened(bytes32 indexed lockId, bytes32 indexed tradeId, uint64 indexed client,
    uint64 sequence, uint8 leg, bool isPool, uint64 bondPrice);
event LocalOpened(bytes32 indexed lockId, bytes32 indexed tradeId, {_LOCAL_TRADE} trade,
    uint8 pools, uint64 bondPrice);
event ReceiveRefused(uint64 indexed client, uint64 indexed sequence, uint8 indexed reason,
    bytes32 rule);
event VerdictPosted(uint64 indexed slotStart, bytes32 indexed verdictHash, bytes32 decisionsRoot,
    uint64 signers);
event VerdictSigned(uint64 indexed slotStart, bytes32 indexed verdictHash, uint64 signers);
event ConflictingVerdict(uint64 indexed slotStart, bytes32 storedMark, bytes32 verdictHash,
    uint64 signers);
event VerdictApplied(bytes32 indexed lockId, uint8 decision, uint64 capWh, uint16 reason);
event LockConfirmed(bytes32 indexed lockId, uint64 capWh);
event PendingExpired(bytes32 indexed lockId);
event Claimed(bytes32 indexed lockId, uint64 wh, uint128 amount, bytes32 preimage);
event Waived(bytes32 indexed lockId, uint64 wh, uint128 amount);
event LockRefunded(bytes32 indexed lockId, uint64 wh, uint64 slashedWh);
event Refunded(bytes32 indexed lockId, uint64 wh, uint128 amount);
event BondSlashed(bytes32 indexed lockId, uint64 wh, uint128 amount);
event LockClosed(bytes32 indexed lockId, uint64 paidWh, uint64 refundedWh);
event ShareCollected(bytes32 indexed lockId, bytes32 indexed orderId, uint64 usedWh,
    uint128 credited);
event Alarm(bytes32 indexed lockId, uint8 reason);
"""


def _table(text: str) -> dict[bytes, EventKind]:
    kinds = [EventKind(declaration) for declaration in read_declarations(text)]
    return {kind.topic: kind for kind in kinds}


HOST_EVENT_KINDS: Final = _table(HOST_EVENTS)
"""By topic."""
APP_EVENT_KINDS: Final = _table(APP_EVENTS)
"""By topic; modules of the application speak with its address."""


def read_log(log: Log, *, host: bytes, app: bytes) -> DecodedLog | None:
    """
    Return what a log of our contracts says; None if it is another contract's, or unknown.

    Raises:
        Malformed: It is ours by address and topic, but not as declared.
    """
    table = {host: HOST_EVENT_KINDS, app: APP_EVENT_KINDS}.get(log.address)
    kind = table.get(log.topics[0]) if table is not None and log.topics else None
    return None if kind is None else DecodedLog(kind.name, log.address, kind.decode(log))
