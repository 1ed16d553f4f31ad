"""
Functions of our contracts on EVM ledgers, as their sources declare them.

Held to the committed ABI by a test.

Sources:
    ``adapters/onchain/ethereum/src``: IHost, IBook, ITrade, IExits, Pay.
"""

from __future__ import annotations

from typing import Final

from tieline.wire.evm.abi_types import parse_type
from tieline.wire.evm.declarations import Function

_PROOF = "(bytes data, bytes signatures)"
_PACKET = "(uint64 sequence, uint64 timeoutTimestamp, bytes value)"
_WHOLE = (
    "(uint64 sequence, string sourceClient, string destClient, uint64 timeoutTimestamp, "
    "(string sourcePort, string destPort, string version, string encoding, bytes value)[] payloads)"
)
_ALLOCATION = "(bytes32 orderId, address account, uint64 energyWh, uint64 price, uint64 offsetWh)"
_OWN_LEAF = f"({_ALLOCATION} allocation, bytes32[] proof)"
_EVIDENCE = f"(bytes32[] clearingProof, {_OWN_LEAF}[] ownLeaves)"
_TERMS = (
    "(bytes32 sourceChainTag, bytes32 destChainTag, uint64 slotStart, uint32 slotLength, "
    "uint8 level, bytes32 allocationsRoot, bytes32 hashlock, address payer, address payee, "
    "uint64 energyWh, uint64 price, uint64 expiry)"
)
_LOCAL_TRADE = (
    "(bytes32 tradeId, bytes32 cellSetId, uint64 cellSetEpoch, uint64 slotStart, "
    "uint32 slotLength, bytes32 allocationsRoot, address buyer, address seller, uint64 energyWh, "
    "uint64 price, bytes32 hashlock, uint64 expiry, bytes32 clearingRoot)"
)
_VERDICT = (
    "(bytes32 cellSetId, uint64 epoch, uint64 slotStart, uint32 slotLength, bytes32 networkEpoch, "
    "bytes32 baselineHash, bytes32 pendingRoot, bytes32 decisionsRoot, bytes32 flowProofHash, "
    "bytes32 setpointsHash)"
)
_VERDICT_LEAF = (
    "(bytes32 destChainTag, bytes32 destClient, uint64 sequence, bytes32 packetCommitment, "
    "bytes32 tradeId, uint8 decision, uint64 capWh, uint16 reason, uint8 group, uint16 groupSize, "
    "uint64 owners)"
)
_DECIDED = (
    f"({_VERDICT_LEAF} leaf, bytes32[] proof, uint64 client, {_PACKET}[] packet, {_TERMS}[] local)"
)
_DELIVERY_PROOF = "(uint64 index, uint64 deliveredWh, bytes32[] proof)"
_ROW = "(address cell, bytes32 chainTag, uint8 role)"
_ORDER = (
    "(bytes32 chainTag, address account, bytes32 meterId, uint8 side, uint8 levels, "
    "uint8 delivery, uint64 slotStart, uint32 slotLength, uint64 energyWh, uint64 priceMin, "
    "uint64 priceMax, bytes32 anchor, uint64 nonce)"
)
_ORDER_REF = (
    "(bytes32 orderId, address account, uint64 slotStart, uint32 slotLength, bytes32 anchor)"
)
_CELL_SET = (
    "(bytes32 previous, bytes32 networkEpoch, uint64 epoch, bytes32 cellsHash, "
    "bytes32 registryHash, uint64 fromSlot)"
)
_CLEARING = (
    "(bytes32 cellSetId, uint64 epoch, uint64 slotStart, uint32 slotLength, uint8 level, "
    "bytes32 ordersRoot, bytes32 tradesRoot)"
)
_DELIVERY = (
    "(bytes32 cellSetId, uint64 epoch, uint64 slotStart, uint32 slotLength, bytes32 verdictHash, "
    "bytes32 readingsRoot, bytes32 boundaryRoot, bytes32 estimateHash, bytes32 deliveriesRoot)"
)
_MANDATE = (
    "(bytes32 chainTag, bytes32 sourceChainTag, bytes32 client, address connectorIn, "
    "address connectorOut, uint128 maxTrade, uint128 maxOpen, uint64 minFee, uint64 minMargin, "
    "uint64 expiry, uint64 nonce)"
)

EVIDENCE: Final = parse_type(Function(f"function f({_EVIDENCE} evidence)").arguments.name)
"""``(TradeEvidence)``: what ``abi.encode(evidence)`` makes of it."""

# --- host -------------------------------------------------------------------------------------

CREATE_CLIENT: Final = Function(
    "function createClient(address[] attestors, uint32 minSignatures, uint64 height, "
    "uint64 timestamp)"
)
REGISTER_COUNTERPARTY: Final = Function(
    "function registerCounterparty(uint64 client, string counterparty)"
)
UPDATE_CLIENT: Final = Function(f"function updateClient(uint64 client, {_PROOF} update)")
RECEIVE_PACKETS: Final = Function(
    f"function receivePackets(uint64 client, {_PROOF} update, {_PROOF} proof, "
    f"({_PACKET} packet, uint256 entry, bytes evidence)[] packets)"
)
ACKNOWLEDGE_PACKETS: Final = Function(
    f"function acknowledgePackets(uint64 client, {_PROOF} update, {_PROOF} proof, "
    f"({_PACKET} packet, uint256 entry, bytes acknowledgement)[] packets)"
)
TIMEOUT_PACKETS: Final = Function(
    f"function timeoutPackets(uint64 client, {_PROOF} update, {_PROOF} proof, "
    f"({_PACKET} packet, uint256 entry)[] packets)"
)
SKIP_PACKET: Final = Function(
    f"function skipPacket(uint64 client, {_PROOF} update, {_PROOF} proof, {_WHOLE} packet, "
    "uint256 entry)"
)
MULTICALL: Final = Function("function multicall(bytes[] calls)")
"""Of the host and of the application alike."""

# --- application ------------------------------------------------------------------------------

PLACE_ORDERS: Final = Function(f"function placeOrders({_ORDER}[] orders, bytes signatures)")
CANCEL: Final = Function(f"function cancel({_ORDER_REF} order, bytes signature)")
RELEASE_ORDERS: Final = Function(f"function releaseOrders({_ORDER_REF}[] orders)")
SET_BANDS: Final = Function(
    "function setBands(uint64 slotStart, uint32 slotLength, uint64 priceMin, uint64 priceMax, "
    "uint64 bondPrice)"
)
POST_CELL_SET: Final = Function(
    f"function postCellSet({_CELL_SET} cellSet, {_ROW}[] rows, address[] signers, bytes signatures)"
)
POST_CLEARING: Final = Function(
    f"function postClearing({_CLEARING} clearing, address[] cells, bytes signatures)"
)
POST_DELIVERY: Final = Function(
    f"function postDelivery({_DELIVERY} delivery, address[] cells, bytes signatures)"
)
SET_MANDATE: Final = Function(
    f"function setMandate({_MANDATE} mandate, bytes signature, bytes publicKey)"
)
DEPOSIT: Final = Function("function deposit(uint128 amount)")
WITHDRAW: Final = Function("function withdraw(uint128 amount)")
SEND: Final = Function("function send(address recipient, uint128 amount)")
DEPOSIT_FOR: Final = Function(
    "function depositFor(address[] accounts, uint128[] amounts, bool isIntoVaults)"
)
LOCK_AND_SEND: Final = Function(
    f"function lockAndSend(uint64 client, uint64 timeout, bytes[] payloads, {_EVIDENCE}[] evidence)"
)
OPEN_LOCAL: Final = Function(f"function openLocal({_LOCAL_TRADE} trade, {_EVIDENCE} evidence)")
APPLY_VERDICT: Final = Function(
    f"function applyVerdict({_VERDICT} verdict, address[] cells, bytes signatures, "
    f"{_DECIDED}[] leaves)"
)
EXPIRE_PENDING: Final = Function(f"function expirePending(uint64 client, {_PACKET} packet)")
EXPIRE_LOCAL: Final = Function(f"function expireLocal({_TERMS} terms)")
CLAIM: Final = Function(
    f"function claim({_TERMS} terms, bytes preimage, {_DELIVERY_PROOF} delivery)"
)
WAIVE: Final = Function(
    f"function waive({_TERMS} terms, uint64 wh, bytes cosignature, {_ROW}[] rows)"
)
REFUND: Final = Function(
    f"function refund({_TERMS} terms, {_DELIVERY_PROOF}[] deliveries, uint64 client, "
    f"{_PACKET}[] packet)"
)
COLLECT_SHARES: Final = Function(
    f"function collectShares({_TERMS} terms, uint8 side, {_OWN_LEAF}[] leaves)"
)

# --- PAY --------------------------------------------------------------------------------------

APPROVE: Final = Function("function approve(address spender, uint256 value)")

HOST_FUNCTIONS: Final = (
    CREATE_CLIENT,
    REGISTER_COUNTERPARTY,
    UPDATE_CLIENT,
    RECEIVE_PACKETS,
    ACKNOWLEDGE_PACKETS,
    TIMEOUT_PACKETS,
    SKIP_PACKET,
    MULTICALL,
)
APP_FUNCTIONS: Final = (
    MULTICALL,
    PLACE_ORDERS,
    CANCEL,
    RELEASE_ORDERS,
    SET_BANDS,
    POST_CELL_SET,
    POST_CLEARING,
    POST_DELIVERY,
    SET_MANDATE,
    DEPOSIT,
    WITHDRAW,
    SEND,
    DEPOSIT_FOR,
    LOCK_AND_SEND,
    OPEN_LOCAL,
    APPLY_VERDICT,
    EXPIRE_PENDING,
    EXPIRE_LOCAL,
    CLAIM,
    WAIVE,
    REFUND,
    COLLECT_SHARES,
)
