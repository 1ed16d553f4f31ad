"""
The messages of the trade application: what a transaction may ask a microgrid's ledger to do.

The IBC messages are in ``tieline.protocol.messages``. Bytes on the wire are protobuf
(``proto/tieline/trade/v1``),
translated in ``tieline.wire.codec``. ``signer`` is the 20-byte account whose key signed the
transaction; it pays and is never paid.

Sources:
    ``docs/spec/bytes.md`` (messages), ``docs/spec/trade.md`` 3 and 4 (who may send what, and when).
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.swap.records import (
    Allocation,
    Cancel,
    CellSet,
    Clearing,
    Delivery,
    DeliveryLeaf,
    EnergyTrade,
    LocalTrade,
    Mandate,
    RegistryRow,
    SignedOrder,
    TradeEvidence,
    Verdict,
    VerdictLeaf,
)


@dataclass(frozen=True, slots=True)
class MsgSend:
    """Move PAY between two accounts (``cosmos.bank.v1beta1.MsgSend``)."""

    sender: bytes
    recipient: bytes
    amount_nano_eur: int
    denom: str = "neur"


@dataclass(frozen=True, slots=True)
class MsgPlaceOrders:
    """Place signed orders of one slot; escrow money (buy) or bond (sell)."""

    signer: bytes
    orders: tuple[SignedOrder, ...]


@dataclass(frozen=True, slots=True)
class MsgCancel:
    """Take an order back before gate closure, with its account's signature over ``Cancel``."""

    signer: bytes
    cancel: Cancel
    signature: bytes


@dataclass(frozen=True, slots=True)
class MsgReleaseOrder:
    """Free what no lock took of an order, from tau on (rows A4, B0b)."""

    signer: bytes
    order_id: bytes


@dataclass(frozen=True, slots=True)
class MsgPostCellSet:
    """Store a cell set with its registry rows."""

    signer: bytes
    cell_set: CellSet
    rows: tuple[RegistryRow, ...]
    signatures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class MsgPostClearing:
    """Store a sealed clearing."""

    signer: bytes
    clearing: Clearing
    signatures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class MsgTradeEvidence:
    """
    Bring evidence for a later message of the same transaction; it is forgotten at the
    transaction's end.
    """

    signer: bytes
    evidence: TradeEvidence


@dataclass(frozen=True, slots=True)
class MsgLockAndSend:
    """
    Lock the buyers' escrow and send the trades' packets (row A3). Utility cell of this ledger
    only.
    """

    signer: bytes
    source_client: str
    timeout_s: int
    trades: tuple[EnergyTrade, ...]


@dataclass(frozen=True, slots=True)
class MsgOpenLocal:
    """Open the pending local lock of an INTRA trade. Utility cell of this ledger only."""

    signer: bytes
    trade: LocalTrade


@dataclass(frozen=True, slots=True)
class ProvedVerdictLeaf:
    """A decision with its place in the decisions tree."""

    leaf: VerdictLeaf
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class MsgApplyVerdict:
    """
    Apply one group of decisions (rows B2, B3). ``verdict`` and ``signatures`` are needed until it
    is stored here.
    """

    signer: bytes
    slot_start: int
    decisions_root: bytes
    leaves: tuple[ProvedVerdictLeaf, ...]
    verdict: Verdict | None = None
    signatures: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class MsgExpirePending:
    """Refuse what no verdict came for, from the verdict deadline on (row B4)."""

    signer: bytes
    lock_id: bytes
    """The pending lock on this ledger (destination or local)."""


@dataclass(frozen=True, slots=True)
class MsgPostDelivery:
    """Store a delivery statement."""

    signer: bytes
    delivery: Delivery
    signatures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ProvedDeliveryLeaf:
    """
    Delivered energy, with its place in the statement stored at ``index`` of the trade's last
    tick.
    """

    leaf: DeliveryLeaf
    proof: tuple[bytes, ...]
    index: int = 0


@dataclass(frozen=True, slots=True)
class MsgClaim:
    """Pay the payee of a lock for what was delivered (rows A9, B6)."""

    signer: bytes
    lock_id: bytes
    preimage: bytes
    delivery: ProvedDeliveryLeaf


@dataclass(frozen=True, slots=True)
class MsgWaive:
    """
    Give up a lock above ``wh`` (rows A10, B7). Payee only; a pool needs the grid cell's signature
    over ``Waive``.
    """

    signer: bytes
    lock_id: bytes
    wh: int
    cosignature: bytes = b""


@dataclass(frozen=True, slots=True)
class MsgRefund:
    """Return what an expired lock still holds (rows A11, B8)."""

    signer: bytes
    lock_id: bytes
    deliveries: tuple[ProvedDeliveryLeaf, ...] = ()


@dataclass(frozen=True, slots=True)
class MsgCollectShare:
    """Credit one order with its share of a closed lock (rows A13, B10)."""

    signer: bytes
    lock_id: bytes
    side: int
    allocation: Allocation
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class MsgDeposit:
    """Move the signer's PAY into its connector vault."""

    signer: bytes
    amount_nano_eur: int


@dataclass(frozen=True, slots=True)
class MsgWithdraw:
    """Move unreserved PAY from the signer's vault back to its account."""

    signer: bytes
    amount_nano_eur: int


@dataclass(frozen=True, slots=True)
class MsgSetMandate:
    """Set or revoke a mandate: signed by ``connector_in``, sent by ``connector_out``."""

    signer: bytes
    mandate: Mandate
    signature: bytes


@dataclass(frozen=True, slots=True)
class MsgSetBands:
    """
    Fix a slot's price band and bond price before its book opens. Utility cell of this ledger
    only.
    """

    signer: bytes
    slot_start: int
    slot_length: int
    price_min: int
    price_max: int
    bond_price: int


@dataclass(frozen=True, slots=True)
class MsgSetStockChain:
    """
    Say which client of this ledger stands for a stock chain, and how accounts are spelled there.
    Utility cell of this ledger only.
    """

    signer: bytes
    chain_tag: bytes
    client: str
    account_prefix: str
    """In front of the ``1`` of a bech32 account, such as ``cosmos``."""


@dataclass(frozen=True, slots=True)
class MsgOpenAbroad:
    """
    Open the pending locks of trades whose sellers are on a stock chain (X2). Utility cell of this
    ledger only.
    """

    signer: bytes
    trades: tuple[EnergyTrade, ...]


@dataclass(frozen=True, slots=True)
class MsgRetryOwed:
    """Send again what is owed to an account of a stock chain. Anyone may; it goes to no other."""

    signer: bytes
    account: bytes
    owed_id: bytes


@dataclass(frozen=True, slots=True)
class MsgTakeOwed:
    """Credit the signer on this ledger with what is owed to it on a stock chain."""

    signer: bytes
    owed_id: bytes


TradeMessage = (
    MsgSend
    | MsgPlaceOrders
    | MsgCancel
    | MsgReleaseOrder
    | MsgPostCellSet
    | MsgPostClearing
    | MsgTradeEvidence
    | MsgLockAndSend
    | MsgOpenLocal
    | MsgApplyVerdict
    | MsgExpirePending
    | MsgPostDelivery
    | MsgClaim
    | MsgWaive
    | MsgRefund
    | MsgCollectShare
    | MsgDeposit
    | MsgWithdraw
    | MsgSetMandate
    | MsgSetBands
    | MsgSetStockChain
    | MsgOpenAbroad
    | MsgRetryOwed
    | MsgTakeOwed
)
