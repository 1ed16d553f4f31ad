"""Leaves of an allocations tree that were not shown as evidence, or that never should be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import fakes.trade_world as fake
import pytest
from fakes.trade_records import TAU
from fakes.trade_world import MONEY, TradeWorld, account

from tieline.swap.lock import LockStatus
from tieline.swap.messages import MsgCollectShare, MsgPlaceOrders
from tieline.swap.records import Allocation, OwnLeaf, Side
from tieline.wire.abi import encode_allocation
from tieline.wire.hashes import sha256
from tieline.wire.merkle import MerkleTree

RELAYER = account("relayer")
SECRET = b"\x5e" * 32


class Planted:
    """A pool's lock on a, closed by a timeout; its tree holds a leaf that no evidence showed."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, plant: Callable[[Allocation], Allocation]
    ) -> None:
        self.leaves: list[OwnLeaf] = []
        honest = fake.allocate

        def allocate(sides: Sequence[object], forge: object) -> tuple[bytes, list[OwnLeaf]]:
            del forge
            leaves = [own.allocation for own in honest(sides)[1]]
            second = next(leaf for leaf in leaves if leaf.price == fake.PRICE_IN and leaf.offset_wh)
            extra = plant(second)
            tree = MerkleTree([encode_allocation(leaf) for leaf in (*leaves, extra)])
            proved = [OwnLeaf(one, tree.proof(encode_allocation(one))) for one in (*leaves, extra)]
            self.planted = proved.pop()
            return tree.root, proved

        monkeypatch.setattr(fake, "allocate", allocate)
        world = self.world = TradeWorld()
        buys = [(world.place(name, Side.BUY, 500), 500) for name in ("ann", "amy")]
        sell = world.place("bob", Side.SELL, 1000, anchor=sha256(SECRET))
        self.position = world.position(buys, [(sell, 1000)], SECRET)
        packet = world.send(self.position)
        world.b.now_s = TAU
        assert world.time_out(packet).code == 0
        assert world.a.lock(self.position.lock_in).status is LockStatus.CLOSED

    def collect(self, own: OwnLeaf) -> MsgCollectShare:
        lock_id = self.position.lock_in
        return MsgCollectShare(RELAYER, lock_id, Side.BUY, own.allocation, own.proof)


@pytest.mark.parametrize(
    ("plant", "refusal"),
    [
        (lambda leaf: replace(leaf, account=account("sol")), "not of an order of that pool"),
        (lambda leaf: replace(leaf, energy_wh=501), "beyond the position"),
        (lambda leaf: replace(leaf, energy_wh=0), "beyond the position"),
        (lambda leaf: replace(leaf, price=leaf.price + 1), "price is not the lock's"),
    ],
    ids=["another account", "more than is left", "nothing", "another price"],
)
def test_a_planted_leaf_takes_nothing(
    monkeypatch: pytest.MonkeyPatch, plant: Callable[[Allocation], Allocation], refusal: str
) -> None:
    scene = Planted(monkeypatch, plant)
    a = scene.world.a
    first, second = sorted(scene.position.buys, key=lambda own: own.allocation.offset_wh)
    a.must("relayer", scene.collect(first))
    assert refusal in a.attempt("relayer", scene.collect(scene.planted)).log
    a.must("relayer", scene.collect(second))
    # Price limit less price, for 500 Wh, waits in each order for its release.
    assert (a.pay("ann"), a.pay("amy")) == (MONEY - 500 * 99_600,) * 2


# --- evidence -----------------------------------------------------------------------------------


def test_offsets_are_the_running_sum() -> None:
    """Else shares could be collected over a gap, or never."""
    world = TradeWorld()
    buy, sell = world.place("ann", Side.BUY, 500), world.place("bob", Side.SELL, 500)
    position = world.position(
        [(buy, 500)], [(sell, 500)], SECRET, forge=lambda leaf: replace(leaf, offset_wh=1)
    )
    world.a.must("relayer", world.post_clearing(position.clearing))
    refused = world.a.attempt("cell a", *world.send_messages(position))
    assert "leaf's price, offset or energy" in refused.log


def test_a_buyers_order_has_no_secret() -> None:
    world = TradeWorld()
    buy = world.place("ann", Side.BUY, 500, anchor=sha256(SECRET))
    sell = world.place("bob", Side.SELL, 500, anchor=sha256(SECRET))
    position = world.position([(buy, 500)], [(sell, 500)], SECRET)
    world.a.must("relayer", world.post_clearing(position.clearing))
    refused = world.a.attempt("cell a", *world.send_messages(position))
    assert "anchored to another secret" in refused.log


@pytest.mark.parametrize(("count", "code"), [(128, 0), (129, 2)])
def test_a_side_has_at_most_128_leaves(count: int, code: int) -> None:
    world = TradeWorld()
    names = [("ann", "amy", "abe")[n % 3] for n in range(count)]
    buys = [world.order(name, Side.BUY, 100) for name in names]
    signed = tuple(world.sign(name, buy) for name, buy in zip(names, buys, strict=True))
    world.a.must("relayer", MsgPlaceOrders(RELAYER, signed))
    wh = 100 * count
    sell = world.place("bob", Side.SELL, wh, anchor=sha256(SECRET))
    position = world.position([(buy, 100) for buy in buys], [(sell, wh)], SECRET)
    world.a.must("relayer", world.post_clearing(position.clearing))
    assert world.a.attempt("cell a", *world.send_messages(position)).code == code
