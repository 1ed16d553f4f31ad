"""
What the trade application stores, as plain data and as bytes: fixed-width big-endian fields.

The relayer, the audit and the CLI read ledgers through these decoders. Keys are in
``tieline.contract.keys``. Decoders raise ``Malformed`` for anything that an encoder did not make.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from tieline.swap.lock import Leg, LockStatus
from tieline.swap.order_escrow import OrderStatus
from tieline.wire.errors import Malformed

_UINT128_BYTES = 16


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order on its ledger. Never deleted: it is the replay protection."""

    account: bytes
    status: OrderStatus
    side: int
    levels: int
    delivery: int
    slot_start: int
    slot_length: int
    energy_wh: int
    energy_left_wh: int
    """Wh that no position took."""
    price_limit: int
    """micro-EUR/kWh: priceMax of a buy, priceMin of a sell."""
    money_left: int
    """nano-EUR: escrow of a buy, bond of a sell, without what locks took."""
    anchor: bytes
    """The hash lock of a direct sale, else 32 zero bytes."""


@dataclass(frozen=True, slots=True)
class LockRecord:
    """A lock with all its terms, so that later messages need only its id."""

    leg: Leg
    status: LockStatus
    trade_id: bytes
    hash_lock: bytes
    payer: bytes
    payee: bytes
    is_buyer_pool: bool
    """The buying side on this ledger is a pool: its refunds wait for ``collect_share``."""
    is_seller_pool: bool
    """The selling side on this ledger is a pool: its money and bond wait for it."""
    energy_wh: int
    price: int
    bond_price: int
    """micro-EUR/kWh; 0 on the source."""
    cap_wh: int
    paid_wh: int
    slashed_wh: int
    expiry: int
    late_expiry: int
    """T_A: from then on a destination's refund needs no statement."""
    tau: int
    verdict_deadline: int
    slot_start: int
    slot_length: int
    level: int
    cell_set_id: bytes
    allocations_root: bytes
    peer_chain_tag: bytes
    """The ledger of the other leg; this one for LOCAL."""
    peer_lock_id: bytes
    """On the destination the source's lock id; on the source and LOCAL 32 zero bytes."""
    client: str
    """This ledger's client of the other one; ``local`` for LOCAL."""
    sequence: int
    """The packet's; 0 for LOCAL."""
    packet_commitment: bytes
    """The packet's; the trade id for LOCAL."""
    mandate_id: bytes
    """On the destination the mandate that covers it, else 32 zero bytes."""
    is_in_vouchers: bool = False
    """Its money came with a transfer from a stock chain (X1); the bond is PAY all the same."""
    is_payee_abroad: bool = False
    """The seller is on a stock chain (X2): what is claimed is sent there."""

    @property
    def open_wh(self) -> int:
        """Wh that may still be paid."""
        if self.status in {LockStatus.CLOSED, LockStatus.REFUSED}:
            return 0
        return self.cap_wh - self.paid_wh

    @property
    def refunded_wh(self) -> int:
        """Wh whose money is the payer's again."""
        return self.energy_wh - self.paid_wh - self.open_wh


@dataclass(frozen=True, slots=True)
class PendingRecord:
    """The lock of a received packet, or of a local trade (then the trade id stands for it)."""

    lock_id: bytes
    packet_commitment: bytes


@dataclass(frozen=True, slots=True)
class VerdictRecord:
    """The first valid verdict of a slot on this ledger."""

    verdict_hash: bytes
    decisions_root: bytes
    signers: int
    """Bit i: the i-th cell of the set by ascending address signed."""


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One of a tick's delivery statements."""

    cell_set_id: bytes
    """Whose statement: a trade's leaf counts in one of its own set only."""
    deliveries_root: bytes
    signers: int


@dataclass(frozen=True, slots=True)
class BandsRecord:
    """A slot's price band and bond price, micro-EUR/kWh, set before its book opens."""

    price_min: int
    price_max: int
    bond_price: int


@dataclass(frozen=True, slots=True)
class MandateRecord:
    """What a connector lets be locked from its vault."""

    max_trade: int
    max_open: int
    min_fee: int
    min_margin: int
    expiry: int
    nonce: int


_ORDER = Struct(">20sBBBBQIQQQ32s")
_LOCK = Struct(">BB32s32s20s20sBQQQQQQQQQQQIB32s32s32s32sQ32s32s")
_VERDICT = Struct(">32s32sQ")
_DELIVERY = Struct(">32s32sQ")
_PENDING = Struct(">32s32s")
_BANDS = Struct(">QQQ")
_MANDATE = Struct(">QQQQ")
_AMOUNT_MAX = (1 << 128) - 1


def encode_amount(amount: int) -> bytes:
    """Return 16 bytes. Asserts that a ledger's books never hold a negative or larger sum."""
    assert 0 <= amount <= _AMOUNT_MAX, f"amount out of range: {amount}"
    return amount.to_bytes(_UINT128_BYTES, "big")


def decode_amount(data: bytes) -> int:
    """Return nano-EUR (or Wh, for KWH accounts)."""
    if len(data) != _UINT128_BYTES:
        raise Malformed(f"amount of wrong length: bytes={len(data)}")
    return int.from_bytes(data, "big")


def _sized(data: bytes, length: int, what: str) -> bytes:
    if len(data) != length:
        raise Malformed(f"{what} record of wrong length: bytes={len(data)} expected={length}")
    return data


def encode_order(record: OrderRecord) -> bytes:
    """Encode what 'o' holds."""
    fixed = _ORDER.pack(
        record.account,
        record.status,
        record.side,
        record.levels,
        record.delivery,
        record.slot_start,
        record.slot_length,
        record.energy_wh,
        record.energy_left_wh,
        record.price_limit,
        record.anchor,
    )
    return fixed + encode_amount(record.money_left)


def decode_order(data: bytes) -> OrderRecord:
    """Decode what 'o' holds."""
    _sized(data, _ORDER.size + _UINT128_BYTES, "order")
    fields = _ORDER.unpack_from(data)
    try:
        status = OrderStatus(fields[1])
    except ValueError as exc:
        raise Malformed(f"order record with unknown status: {fields[1]}") from exc
    return OrderRecord(
        account=fields[0],
        status=status,
        side=fields[2],
        levels=fields[3],
        delivery=fields[4],
        slot_start=fields[5],
        slot_length=fields[6],
        energy_wh=fields[7],
        energy_left_wh=fields[8],
        price_limit=fields[9],
        money_left=decode_amount(data[_ORDER.size :]),
        anchor=fields[10],
    )


def encode_lock(record: LockRecord) -> bytes:
    """Encode what 'l' holds: fixed fields, then the client id."""
    fixed = _LOCK.pack(
        record.leg,
        record.status,
        record.trade_id,
        record.hash_lock,
        record.payer,
        record.payee,
        record.is_buyer_pool
        | record.is_seller_pool << 1
        | record.is_in_vouchers << 2
        | record.is_payee_abroad << 3,
        record.energy_wh,
        record.price,
        record.bond_price,
        record.cap_wh,
        record.paid_wh,
        record.slashed_wh,
        record.expiry,
        record.late_expiry,
        record.tau,
        record.verdict_deadline,
        record.slot_start,
        record.slot_length,
        record.level,
        record.cell_set_id,
        record.allocations_root,
        record.peer_chain_tag,
        record.peer_lock_id,
        record.sequence,
        record.packet_commitment,
        record.mandate_id,
    )
    return fixed + record.client.encode("ascii")


def decode_lock(data: bytes) -> LockRecord:
    """Decode what 'l' holds."""
    if len(data) <= _LOCK.size:
        raise Malformed(f"lock record of wrong length: bytes={len(data)}")
    fields = _LOCK.unpack_from(data)
    try:
        leg, status = Leg(fields[0]), LockStatus(fields[1])
        client = data[_LOCK.size :].decode("ascii")
    except ValueError as exc:
        raise Malformed("lock record with unknown leg, status or client") from exc
    marks = fields[6]
    if marks > 0b1111:
        raise Malformed(f"lock record with unknown marks: {marks}")
    return LockRecord(
        leg=leg,
        status=status,
        trade_id=fields[2],
        hash_lock=fields[3],
        payer=fields[4],
        payee=fields[5],
        is_buyer_pool=bool(marks & 1),
        is_seller_pool=bool(marks & 2),
        is_in_vouchers=bool(marks & 4),
        is_payee_abroad=bool(marks & 8),
        energy_wh=fields[7],
        price=fields[8],
        bond_price=fields[9],
        cap_wh=fields[10],
        paid_wh=fields[11],
        slashed_wh=fields[12],
        expiry=fields[13],
        late_expiry=fields[14],
        tau=fields[15],
        verdict_deadline=fields[16],
        slot_start=fields[17],
        slot_length=fields[18],
        level=fields[19],
        cell_set_id=fields[20],
        allocations_root=fields[21],
        peer_chain_tag=fields[22],
        peer_lock_id=fields[23],
        client=client,
        sequence=fields[24],
        packet_commitment=fields[25],
        mandate_id=fields[26],
    )


def encode_pending(record: PendingRecord) -> bytes:
    """Encode what 'p' holds."""
    return _PENDING.pack(record.lock_id, record.packet_commitment)


def decode_pending(data: bytes) -> PendingRecord:
    """Decode what 'p' holds."""
    return PendingRecord(*_PENDING.unpack(_sized(data, _PENDING.size, "pending")))


def encode_verdict(record: VerdictRecord) -> bytes:
    """Encode what 'v' holds."""
    return _VERDICT.pack(record.verdict_hash, record.decisions_root, record.signers)


def decode_verdict(data: bytes) -> VerdictRecord:
    """Decode what 'v' holds."""
    return VerdictRecord(*_VERDICT.unpack(_sized(data, _VERDICT.size, "verdict")))


def encode_delivery(record: DeliveryRecord) -> bytes:
    """Encode what 'd' holds."""
    return _DELIVERY.pack(record.cell_set_id, record.deliveries_root, record.signers)


def decode_delivery(data: bytes) -> DeliveryRecord:
    """Decode what 'd' holds."""
    return DeliveryRecord(*_DELIVERY.unpack(_sized(data, _DELIVERY.size, "delivery")))


def encode_bands(record: BandsRecord) -> bytes:
    """Encode what 'z' holds for a slot."""
    return _BANDS.pack(record.price_min, record.price_max, record.bond_price)


def decode_bands(data: bytes) -> BandsRecord:
    """Decode what 'z' holds for a slot."""
    return BandsRecord(*_BANDS.unpack(_sized(data, _BANDS.size, "bands")))


def encode_mandate(record: MandateRecord) -> bytes:
    """Encode what 'q' holds for a mandate."""
    return (
        encode_amount(record.max_trade)
        + encode_amount(record.max_open)
        + _MANDATE.pack(record.min_fee, record.min_margin, record.expiry, record.nonce)
    )


def decode_mandate(data: bytes) -> MandateRecord:
    """Decode what 'q' holds for a mandate."""
    amounts = 2 * _UINT128_BYTES
    _sized(data, amounts + _MANDATE.size, "mandate")
    return MandateRecord(
        decode_amount(data[:_UINT128_BYTES]),
        decode_amount(data[_UINT128_BYTES:amounts]),
        *_MANDATE.unpack_from(data, amounts),
    )


def encode_wh(wh: int) -> bytes:
    """Encode a share cursor."""
    return wh.to_bytes(8, "big")


def decode_wh(data: bytes) -> int:
    """Decode a share cursor: Wh collected so far on one side of a lock."""
    return int.from_bytes(_sized(data, 8, "share cursor"), "big")
