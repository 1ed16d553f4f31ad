"""Pools and INTRA: shares are pushed by anyone, in order, exact, and only when all is known."""

from __future__ import annotations

from dataclasses import replace

from fakes.trade_records import CLIENT, PRICE_IN, PRICE_OUT, T_A, T_B, TAU, D, E
from fakes.trade_world import (
    BOND_PRICE,
    MONEY,
    LocalPosition,
    Position,
    TradeWorld,
    account,
    events,
)

from tieline.contract.keys import share_cursor_key
from tieline.contract.records import decode_wh
from tieline.contract.store import TIELINE
from tieline.swap.lock import LockStatus
from tieline.swap.messages import (
    MsgClaim,
    MsgCollectShare,
    MsgDeposit,
    MsgOpenLocal,
    MsgRefund,
    MsgReleaseOrder,
    MsgSetMandate,
    MsgTradeEvidence,
    MsgWithdraw,
)
from tieline.swap.records import Order, Side
from tieline.wire.typed_data import order_id

RELAYER = account("relayer")
SECRET = b"\x5e" * 32
BUYS = (("ann", 1200), ("amy", 2300), ("abe", 1501))
SELLS = (("bob", 2000), ("ben", 3001))
WH = 5001


class Scene:
    """A pooled trade, LOCKED on b, OPEN on a, 3601 Wh delivered, nothing claimed yet."""

    def __init__(self, cap_wh: int = WH, delivered_wh: int = 3601) -> None:
        world = self.world = TradeWorld()
        self.buys = [(world.place(name, Side.BUY, wh), wh) for name, wh in BUYS]
        self.sells = [(world.place(name, Side.SELL, wh), wh) for name, wh in SELLS]
        self.position: Position = world.position(self.buys, self.sells, SECRET)
        self.packet = world.send(self.position)
        world.receive(self.position, self.packet)
        leaf = world.leaf(self.position, self.packet, cap_wh=cap_wh)
        world.note_answer(world.b.must("relayer", world.apply_verdict([leaf]), at=TAU))
        world.acknowledge(self.packet)
        self.trade_id = self.position.trade.trade_id
        self.delivered_wh = delivered_wh
        for ledger, lock_id in self.locks:
            ledger.must("relayer", world.delivery([(self.trade_id, delivered_wh)]), at=E)
            ledger.must("relayer", world.claim(lock_id, SECRET, self.trade_id, delivered_wh))

    @property
    def locks(self):
        return (
            (self.world.a, self.position.lock_in),
            (self.world.b, self.position.lock_out),
        )

    def close(self) -> None:
        leaf = self.world.delivery_leaf([(self.trade_id, self.delivered_wh)], self.trade_id)
        for ledger, lock_id in self.locks:
            ledger.must("relayer", MsgRefund(RELAYER, lock_id, (leaf,)), at=T_A)

    def collect(self, side: Side) -> list[MsgCollectShare]:
        (a, lock_a), (_, lock_b) = self.locks
        del a
        lock_id, leaves = (
            (lock_a, self.position.buys) if side is Side.BUY else (lock_b, self.position.sells)
        )
        return [
            MsgCollectShare(RELAYER, lock_id, side, own.allocation, own.proof) for own in leaves
        ]


def test_a_pools_money_goes_to_its_orders_exactly() -> None:
    scene = Scene()
    world = scene.world
    scene.close()
    for ledger, side in ((world.a, Side.BUY), (world.b, Side.SELL)):
        for message in scene.collect(side):
            ledger.must("relayer", message)
        assert ledger.books().locks == 0
    for order, _ in scene.buys:
        world.a.must("relayer", MsgReleaseOrder(RELAYER, order_id(order)))
    assert sum(world.a.pay(name) for name, _ in BUYS) == 3 * MONEY - 3601 * PRICE_IN
    sold = sum(world.b.pay(name) for name, _ in SELLS)
    assert sold == 2 * MONEY + 3601 * PRICE_OUT - (WH - 3601) * BOND_PRICE
    assert world.a.books().escrows == world.b.books().escrows == 0


def test_a_pools_surplus_after_the_cap_waits_too() -> None:
    scene = Scene(cap_wh=4000, delivered_wh=4000)
    world = scene.world
    lock = world.a.lock(scene.position.lock_in)
    assert (lock.status, lock.paid_wh, lock.refunded_wh) == (LockStatus.CLOSED, 4000, 1001)
    assert all(world.a.pay(name) < MONEY - wh * PRICE_IN for name, wh in BUYS)
    for message in scene.collect(Side.BUY):
        world.a.must("relayer", message)
    for message in scene.collect(Side.SELL):
        world.b.must("relayer", message)
    assert world.a.books().locks == world.b.books().locks == 0
    assert sum(world.b.pay(name) for name, _ in SELLS) == 2 * MONEY + 4000 * PRICE_OUT


def test_shares_come_in_ascending_order_and_once() -> None:
    scene = Scene()
    a = scene.world.a
    scene.close()
    first, second, third = scene.collect(Side.BUY)
    assert "earlier leaf is missing" in a.attempt("relayer", second).log
    (credited,) = events(a.must("relayer", first), "share_collected")
    assert credited["order_id"] == first.allocation.order_id.hex()
    assert a.must("relayer", first).events == ()
    for message in (second, third):
        a.must("relayer", message)
    for message in (first, second, third):
        assert a.must("relayer", message).events == ()
    cursor = a.app.query(TIELINE, share_cursor_key(scene.position.lock_in, Side.BUY))
    assert cursor is not None
    assert decode_wh(cursor) == WH


def test_a_share_is_known_only_when_the_lock_has_ended() -> None:
    scene = Scene()
    for ledger, side in ((scene.world.a, Side.BUY), (scene.world.b, Side.SELL)):
        result = ledger.attempt("relayer", scene.collect(side)[0])
        assert "when its lock has ended" in result.log


def test_a_spoiled_share_is_refused() -> None:
    scene = Scene()
    scene.close()
    a = scene.world.a
    first = scene.collect(Side.BUY)[0]
    leaf = first.allocation
    foreign = scene.position.sells[0]
    rows = [
        (replace(first, side=Side.SELL), "not a pool here"),
        (replace(first, proof=(bytes(32),)), "not in the allocations"),
        (replace(first, allocation=replace(leaf, account=bytes(20))), "not in the allocations"),
        (replace(first, allocation=replace(leaf, energy_wh=1)), "not in the allocations"),
        (replace(first, allocation=foreign.allocation, proof=foreign.proof), "not the lock's"),
        (replace(first, lock_id=bytes(32)), "no such lock"),
    ]
    for message, refusal in rows:
        assert refusal in a.attempt("relayer", message).log


def test_a_refused_pool_gives_every_seller_its_bond() -> None:
    world = TradeWorld()
    buys = [(world.place(name, Side.BUY, wh), wh) for name, wh in BUYS]
    sells = [(world.place(name, Side.SELL, wh), wh) for name, wh in SELLS]
    position = world.position(buys, sells, SECRET)
    packet = world.send(position)
    world.receive(position, packet)
    leaf = world.leaf(position, packet, decision=2, cap_wh=0, reason=4, group=0, group_size=0)
    world.note_answer(world.b.must("relayer", world.apply_verdict([leaf]), at=TAU))
    world.acknowledge(packet)
    for message in world.shares(position.lock_in, Side.BUY, position.buys):
        world.a.must("relayer", message)
    for message in world.shares(position.lock_out, Side.SELL, position.sells):
        world.b.must("relayer", message)
    for order, _ in buys:
        world.a.must("relayer", MsgReleaseOrder(RELAYER, order_id(order)))
    assert all(world.a.pay(name) == MONEY for name, _ in BUYS)
    assert all(world.b.pay(name) == MONEY for name, _ in SELLS)
    assert world.b.vault(account("connector")) == MONEY


# --- INTRA ------------------------------------------------------------------------------------


class Local:
    """Two buyers and two sellers of one microgrid; the lock not yet opened."""

    def __init__(self) -> None:
        world = self.world = TradeWorld()
        self.buys = [(world.place(name, Side.BUY, wh), wh) for name, wh in BUYS[:2]]
        sellers = (("abe", 2000), ("sol", 1500))
        self.sells: list[tuple[Order, int]] = [
            (world.place(name, Side.SELL, wh), wh) for name, wh in sellers
        ]
        self.local: LocalPosition = world.local_position(self.buys, self.sells, 180_000)
        world.a.must("relayer", world.post_clearing(self.local.clearing))

    def open(self, local: LocalPosition | None = None) -> tuple[object, ...]:
        cell = account("cell a")
        chosen = self.local if local is None else local
        return MsgTradeEvidence(cell, chosen.evidence), MsgOpenLocal(cell, chosen.trade)


def test_an_intra_pool_pays_through_the_verdict_and_both_sides_collect() -> None:
    scene = Local()
    world, a, local = scene.world, scene.world.a, scene.local
    a.must("cell a", *scene.open(), at=TAU - 1)
    assert a.must("cell a", *scene.open()).events == ()
    a.must("relayer", world.apply_verdict([world.local_leaf(local, cap_wh=3000)]), at=TAU)
    trade_id = local.trade.trade_id
    a.must("relayer", world.delivery([(trade_id, 2900)]), at=E)
    claim: MsgClaim = world.claim(local.lock_id, b"\x60" * 32, trade_id, 2900)
    a.must("relayer", claim, at=T_B - 1)
    leaf = world.delivery_leaf([(trade_id, 2900)], trade_id)
    a.must("relayer", MsgRefund(RELAYER, local.lock_id, (leaf,)), at=T_B)
    lock = a.lock(local.lock_id)
    assert (lock.paid_wh, lock.slashed_wh, lock.refunded_wh) == (2900, 100, 600)
    for side, fills in ((Side.BUY, scene.buys), (Side.SELL, scene.sells)):
        ids_of_side = {order_id(order) for order, _ in fills}
        own = [leaf for leaf in local.leaves if leaf.allocation.order_id in ids_of_side]
        for message in world.shares(local.lock_id, side, own):
            a.must("relayer", message)
    for order, _ in (*scene.buys, *scene.sells):
        a.must("relayer", MsgReleaseOrder(RELAYER, order_id(order)))
    assert a.pay("ann") + a.pay("amy") == 2 * MONEY - 2900 * 180_000
    assert a.pay("abe") + a.pay("sol") == 2 * MONEY + 2900 * 180_000 - 100 * BOND_PRICE
    assert (a.books().locks, a.books().escrows) == (0, 0)


def test_a_spoiled_intra_trade_is_refused() -> None:
    scene = Local()
    a, trade = scene.world.a, scene.local.trade
    rows = [
        ({"trade_id": bytes(32)}, "trade id does not recompute"),
        ({"slot_length": 901}, "not a slot"),
        ({"energy_wh": 0}, "no energy"),
        ({"expiry": T_B - 1}, "expiry too early"),
        ({"expiry": T_B + 86_400}, "expiry too late"),
        ({"cell_set_epoch": 2}, "another cell set, slot or level"),
        ({"clearing_root": bytes(32)}, "clearing not posted"),
        ({"buyer": bytes(20)}, "party is not"),
        ({"seller": bytes(20)}, "party is not"),
        ({"price": 180_001}, "price, offset or energy"),
        ({"hashlock": bytes(32)}, "trade id does not recompute"),
    ]
    for change, refusal in rows:
        spoiled = replace(scene.local, trade=replace(trade, **change))
        assert refusal in a.attempt("cell a", *scene.open(spoiled), at=TAU - 1).log
    assert a.attempt("cell a", *scene.open(), at=TAU - 1).code == 0
    assert "from tau on" in a.attempt("cell a", *scene.open(), at=TAU).log
    evidence, lock = scene.open()
    assert "no evidence" in a.attempt("cell a", lock, at=TAU - 1).log
    one_side = replace(scene.local, leaves=scene.local.leaves[:2])
    assert "do not make up" in a.attempt("cell a", *scene.open(one_side), at=TAU - 1).log
    assert isinstance(evidence, MsgTradeEvidence)
    by_relayer = (replace(evidence, signer=RELAYER), MsgOpenLocal(RELAYER, trade))
    assert "only the utility cell" in a.attempt("relayer", *by_relayer).log


def test_an_intra_lock_without_a_verdict_goes_back() -> None:
    from tieline.swap.messages import MsgExpirePending

    scene = Local()
    a, local = scene.world.a, scene.local
    a.must("cell a", *scene.open(), at=TAU - 1)
    early = scene.world.claim(local.lock_id, b"\x60" * 32, local.trade.trade_id, 1)
    a.must("relayer", scene.world.delivery([(local.trade.trade_id, 1)]))
    assert "before the verdict" in a.attempt("relayer", early, at=D - 1).log
    expired = a.must("relayer", MsgExpirePending(RELAYER, local.lock_id), at=D)
    assert not events(expired, "write_acknowledgement")
    assert a.lock(local.lock_id).status is LockStatus.REFUSED


# --- the connector ----------------------------------------------------------------------------


def test_a_deposit_is_spread_and_a_withdrawal_gathered() -> None:
    world = TradeWorld()
    b, connector = world.b, account("connector")
    b.must("connector", MsgDeposit(connector, 1001))
    assert b.vault(connector) == MONEY + 1001
    assert b.pay("connector") == MONEY - 1001
    b.must("connector", MsgWithdraw(connector, MONEY + 1001))
    assert (b.vault(connector), b.pay("connector")) == (0, 2 * MONEY)
    for message in (MsgWithdraw(connector, 1), MsgDeposit(connector, 2 * MONEY + 1)):
        assert "insufficient funds" in b.attempt("connector", message).log
    for message in (MsgWithdraw(connector, 0), MsgDeposit(connector, 0)):
        assert "out of range" in b.attempt("connector", message).log


def test_reserved_money_is_not_there_to_withdraw() -> None:
    scene = Scene()
    b, connector = scene.world.b, account("connector")
    left = b.vault(connector)
    assert left == MONEY - WH * PRICE_OUT
    assert "insufficient" in b.attempt("connector", MsgWithdraw(connector, left + 1)).log
    assert b.attempt("connector", MsgWithdraw(connector, left)).code == 0


def test_a_mandate_needs_both_keys_and_a_rising_nonce() -> None:
    world = TradeWorld()
    b = world.b
    good = world.mandate(nonce=2, max_trade=1)
    assert b.attempt("connector", good).code == 0
    stranger: MsgSetMandate = replace(good, signer=account("bob"))
    assert "sent by its connector_out" in b.attempt("bob", stranger).log
    unsigned = replace(good, signature=world.mandate(nonce=3).signature)
    assert "signed by its connector_in" in b.attempt("connector", unsigned).log
    elsewhere = world.mandate(nonce=2, chain_tag=bytes(32))
    assert "another ledger" in b.attempt("connector", elsewhere).log
    replayed = world.mandate(nonce=1, max_trade=1)
    assert "nonce does not rise" in b.attempt("connector", replayed).log
    assert b.must("connector", world.mandate()).events == ()


def test_a_mandates_open_sum_is_free_again_when_its_locks_have_ended() -> None:
    from tieline.contract.connector import mandate_id_of, open_amount

    scene = Scene()
    b, trade = scene.world.b, scene.position.trade
    mandate_id = mandate_id_of(trade, CLIENT)
    shard = trade.trade_id[0] % b.parameters.vault_shards
    state = b.app._flat[TIELINE]
    assert open_amount(state, mandate_id, shard) == (WH - 3601) * PRICE_OUT
    scene.close()
    assert open_amount(state, mandate_id, shard) == 0


def test_genesis_money_is_in_the_books() -> None:
    books = TradeWorld().a.books()
    assert (books.vaults, books.escrows, books.locks, books.kwh) == (MONEY, 0, 0, 0)
    assert books.total == 8 * MONEY
