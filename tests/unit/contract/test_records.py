"""What the trade application stores is read back as it was written, and nothing else is."""

from dataclasses import replace

import pytest

from tieline.contract import records
from tieline.contract.records import (
    BandsRecord,
    DeliveryRecord,
    LockRecord,
    MandateRecord,
    OrderRecord,
    PendingRecord,
    VerdictRecord,
)
from tieline.swap.lock import Leg, LockStatus
from tieline.swap.order_escrow import OrderStatus
from tieline.wire.errors import Malformed

UINT64_MAX = 2**64 - 1

ORDER = OrderRecord(
    account=b"\xa1" * 20,
    status=OrderStatus.RELEASED,
    side=2,
    levels=7,
    delivery=1,
    slot_start=1_767_225_600,
    slot_length=900,
    energy_wh=UINT64_MAX,
    energy_left_wh=7,
    price_limit=UINT64_MAX - 1,
    money_left=2**128 - 1,
    anchor=b"\x09" * 32,
)
LOCK = LockRecord(
    leg=Leg.OUT,
    status=LockStatus.LOCKED,
    trade_id=b"\x01" * 32,
    hash_lock=b"\x02" * 32,
    payer=b"\x03" * 20,
    payee=b"\x04" * 20,
    is_buyer_pool=False,
    is_seller_pool=True,
    energy_wh=10,
    price=11,
    bond_price=12,
    cap_wh=9,
    paid_wh=4,
    slashed_wh=5,
    expiry=13,
    late_expiry=14,
    tau=15,
    verdict_deadline=16,
    slot_start=17,
    slot_length=18,
    level=2,
    cell_set_id=b"\x05" * 32,
    allocations_root=b"\x06" * 32,
    peer_chain_tag=b"\x07" * 32,
    peer_lock_id=b"\x08" * 32,
    client="07-tendermint-0",
    sequence=19,
    packet_commitment=b"\x0a" * 32,
    mandate_id=b"\x0b" * 32,
)
CASES = [
    (ORDER, records.encode_order, records.decode_order),
    (LOCK, records.encode_lock, records.decode_lock),
    (
        PendingRecord(b"\x01" * 32, b"\x02" * 32),
        records.encode_pending,
        records.decode_pending,
    ),
    (
        VerdictRecord(b"\x01" * 32, b"\x02" * 32, UINT64_MAX),
        records.encode_verdict,
        records.decode_verdict,
    ),
    (
        DeliveryRecord(b"\x03" * 32, b"\x01" * 32, 5),
        records.encode_delivery,
        records.decode_delivery,
    ),
    (BandsRecord(1, 2, 3), records.encode_bands, records.decode_bands),
    (
        MandateRecord(2**128 - 1, 2**127, 1, 2, 3, 4),
        records.encode_mandate,
        records.decode_mandate,
    ),
    (2**128 - 1, records.encode_amount, records.decode_amount),
    (UINT64_MAX, records.encode_wh, records.decode_wh),
]
NAMES = [type(case[0]).__name__ for case in CASES]


@pytest.mark.parametrize(("record", "encode", "decode"), CASES, ids=NAMES)
def test_a_record_is_read_back_as_it_was_written(record, encode, decode) -> None:
    assert decode(encode(record)) == record


@pytest.mark.parametrize(("record", "encode", "decode"), CASES, ids=NAMES)
def test_a_record_of_another_length_is_refused(record, encode, decode) -> None:
    data = encode(record)
    shorter = data[:1] if isinstance(record, LockRecord) else data[:-1]
    with pytest.raises(Malformed, match="wrong length"):
        decode(shorter)


SPOILED = [
    ("leg", 0, 9),
    ("status", 1, 9),
    ("marks", 2 + 32 + 32 + 20 + 20, 16),
]


@pytest.mark.parametrize(("place", "value"), [row[1:] for row in SPOILED])
def test_a_lock_with_an_unknown_number_is_refused(place: int, value: int) -> None:
    data = bytearray(records.encode_lock(LOCK))
    data[place] = value
    with pytest.raises(Malformed, match="unknown"):
        records.decode_lock(bytes(data))


def test_an_order_with_an_unknown_status_is_refused() -> None:
    data = bytearray(records.encode_order(ORDER))
    data[20] = 9
    with pytest.raises(Malformed, match="unknown status"):
        records.decode_order(bytes(data))


def test_a_locks_money_adds_up_whatever_its_status() -> None:
    for status in LockStatus:
        lock = replace(LOCK, status=status)
        assert lock.paid_wh + lock.open_wh + lock.refunded_wh == lock.energy_wh
    assert LOCK.open_wh == 5
    assert replace(LOCK, status=LockStatus.CLOSED).open_wh == 0
