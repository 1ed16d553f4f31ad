"""A direct trade from order to money on two real ledgers, told once."""

from fakes.trade_records import PRICE_IN, PRICE_OUT, T_A, T_B, TAU, D, E
from fakes.trade_world import BOND_PRICE, MONEY, TradeWorld, account, events

from tieline.swap.lock import LockStatus
from tieline.swap.messages import MsgRefund, MsgReleaseOrder
from tieline.swap.records import Side
from tieline.wire.abi import decode_trade_ack
from tieline.wire.hashes import sha256
from tieline.wire.typed_data import order_id

SECRET = b"\x5e" * 32


def test_a_direct_trade_from_order_to_money() -> None:
    world = TradeWorld()
    a, b = world.a, world.b
    buy = world.place("ann", Side.BUY, 5000)
    sell = world.place("bob", Side.SELL, 5000, anchor=sha256(SECRET))
    assert a.pay("ann") == MONEY - 5000 * 300_000
    assert b.pay("bob") == MONEY - 5000 * BOND_PRICE

    position = world.position([(buy, 5000)], [(sell, 5000)], SECRET)
    trade_id = position.trade.trade_id
    packet = world.send(position)
    assert a.lock(position.lock_in).status is LockStatus.OPEN
    assert a.lock(position.lock_in).peer_lock_id == position.lock_out
    assert a.order(order_id(buy)).money_left == 5000 * (300_000 - PRICE_IN)

    world.receive(position, packet)
    assert b.lock(position.lock_out).status is LockStatus.PENDING
    assert b.vault(account("connector")) == MONEY - 5000 * PRICE_OUT

    applied = b.must(
        "relayer", world.apply_verdict([world.leaf(position, packet, cap_wh=3750)]), at=TAU
    )
    world.note_answer(applied)
    ack = decode_trade_ack(world.answer.app_acknowledgements[0])
    assert (ack.trade_id, ack.lock_id_out, ack.cap_wh, ack.expiry_out) == (
        trade_id,
        position.lock_out,
        3750,
        T_B,
    )
    assert b.lock(position.lock_out).status is LockStatus.LOCKED
    assert b.vault(account("connector")) == MONEY - 3750 * PRICE_OUT
    assert b.pay("bob") == MONEY - 3750 * BOND_PRICE

    confirmed = world.acknowledge(packet)
    assert events(confirmed, "lock_confirmed") == [
        {"lock_id": position.lock_in.hex(), "cap_wh": "3750"}
    ]
    assert a.lock(position.lock_in).status is LockStatus.CONFIRMED
    a.must("relayer", MsgReleaseOrder(account("relayer"), order_id(buy)))
    assert a.pay("ann") == MONEY - 3750 * PRICE_IN

    statement = world.delivery([(trade_id, 3600)])
    for ledger, lock_id in ((b, position.lock_out), (a, position.lock_in)):
        ledger.must("relayer", statement, at=E + 300)
        claim = world.claim(lock_id, SECRET, trade_id, 3600)
        (claimed,) = events(ledger.must("relayer", claim), "claimed")
        assert claimed["preimage"] == SECRET.hex()
        assert int(claimed["wh"]) == 3600
        assert ledger.must("relayer", claim).events == ()
    assert b.pay("bob") == MONEY + 3600 * PRICE_OUT - 150 * BOND_PRICE
    assert a.vault(account("connector")) == MONEY + 721_440_000

    refund = MsgRefund(
        account("relayer"),
        position.lock_out,
        (world.delivery_leaf([(trade_id, 3600)], trade_id),),
    )
    b.must("relayer", refund, at=T_B)
    a.must("relayer", MsgRefund(account("relayer"), position.lock_in), at=T_A)
    assert b.lock(position.lock_out).slashed_wh == 150
    assert b.vault(account("connector")) == MONEY - 3600 * PRICE_OUT
    assert a.pay("ann") == MONEY - 3600 * PRICE_IN
    assert b.pay("bob") == MONEY + 3600 * PRICE_OUT - 150 * BOND_PRICE
    for ledger, lock_id in ((b, position.lock_out), (a, position.lock_in)):
        lock = ledger.lock(lock_id)
        assert (lock.status, lock.paid_wh, lock.refunded_wh) == (LockStatus.CLOSED, 3600, 1400)


def test_a_refused_trade_gives_everything_back() -> None:
    world = TradeWorld()
    buy = world.place("ann", Side.BUY, 5000)
    sell = world.place("bob", Side.SELL, 5000, anchor=sha256(SECRET))
    position = world.position([(buy, 5000)], [(sell, 5000)], SECRET)
    packet = world.send(position)
    world.receive(position, packet)
    leaf = world.leaf(position, packet, decision=2, cap_wh=0, reason=1, group=0, group_size=0)
    applied = world.b.must("relayer", world.apply_verdict([leaf]), at=D - 1)
    world.note_answer(applied)
    (said,) = events(applied, "verdict_applied")
    assert (said["decision"], said["reason"]) == ("REFUSE", "V_LOW")
    world.acknowledge(packet)
    world.a.must("relayer", MsgReleaseOrder(account("relayer"), order_id(buy)))
    assert world.a.pay("ann") == MONEY
    assert world.b.pay("bob") == MONEY
    assert world.b.vault(account("connector")) == MONEY


def test_a_packet_that_never_arrives_times_out() -> None:
    world = TradeWorld()
    buy = world.place("ann", Side.BUY, 5000)
    sell = world.place("bob", Side.SELL, 5000, anchor=sha256(SECRET))
    position = world.position([(buy, 5000)], [(sell, 5000)], SECRET)
    packet = world.send(position)
    world.b.now_s = TAU - 1
    assert world.time_out(packet).code != 0
    world.b.now_s = world.a.now_s = TAU
    timed_out = world.time_out(packet)
    assert timed_out.code == 0, timed_out.log
    assert events(timed_out, "lock_closed")[0]["refunded_wh"] == "5000"
    world.a.must("relayer", MsgReleaseOrder(account("relayer"), order_id(buy)))
    world.b.must("relayer", MsgReleaseOrder(account("relayer"), order_id(sell)), at=TAU)
    assert world.a.pay("ann") == MONEY
    assert world.b.pay("bob") == MONEY
