"""
Quorums and long slots in both languages: who must sign what, for every number of cells that the
scene has; and a trade of two ticks whose second tick another cell set answers for.
"""

from __future__ import annotations

from typing import Any

import pytest
from fakes.trade_records import T_B, TAU, D, E, S
from fakes.twin.neighbour import accepted
from fakes.twin.parties import CELL, CLIENT, TAG_Y, account
from fakes.twin.rows import C, make_stages, reported
from fakes.twin.scene import open_world
from fakes.twin.world import RELAYER, TwinWorld

from tieline.protocol.quorum import byzantine_majority, more_than_two_thirds
from tieline.swap.messages import (
    MsgLockAndSend,
    MsgPlaceOrders,
    MsgPostCellSet,
    MsgPostClearing,
    MsgTradeEvidence,
)
from tieline.swap.records import Side
from tieline.wire.hashes import sha256

SETS = {
    3: (CELL, "cell y", "cell grid"),
    4: (CELL, "cell y", "cell z", "cell grid"),
}
LONG = 1_800


@pytest.mark.parametrize("count", SETS)
def test_exactly_a_quorum_is_needed_of_verdict_clearing_and_statement(count: int) -> None:
    """The two rules differ for three cells."""
    world = open_world(SETS[count])
    stages = make_stages(world)
    for signers in range(count + 1):
        names = SETS[count][:signers]
        world.restore(stages["ordered"])
        clearing = world.book.clearing(world.deals["out"])
        posting = MsgPostClearing(RELAYER, clearing, world.cells.sign(clearing, names))
        is_sealed = world.run("relayer", posting).is_accepted
        assert is_sealed == (signers >= more_than_two_thirds(count))
        world.restore(stages["sent"])
        world.now_s = TAU
        leaf = world.council.leaf(world.deals["in"], world.memory.packets["in"], owners=0)
        refused = world.council.apply([leaf], [], names)
        is_posted = world.run("relayer", refused).is_accepted
        assert is_posted == (signers >= more_than_two_thirds(count))
        world.restore(stages["locked"])
        world.now_s = C
        statement = world.council.statement(reported(world), names)
        is_stated = world.run("relayer", statement).is_accepted
        assert is_stated == (signers >= byzantine_majority(count))


def test_three_cells_can_sign_two_statements_and_both_count() -> None:
    """Two of three sign one, two of three another: no first wins, a refund shows both."""
    world = open_world(SETS[3])
    stages = make_stages(world)
    world.restore(stages["locked"])
    world.now_s = C
    less, more = ([(deal, wh) for deal in world.deals.values()] for wh in (100, 180))
    world.must("relayer", world.council.statement(less, SETS[3][:2]))
    world.must("relayer", world.council.statement(more, SETS[3][1:]))
    deal, council = world.deals["in"], world.council
    world.must("relayer", council.claim(deal, council.delivered(less, deal)))
    world.must("relayer", council.claim(deal, council.delivered(more, deal, 1)))
    world.now_s = T_B
    leaves = [council.delivered(less, deal), council.delivered(more, deal, 1)]
    assert not world.run("relayer", council.refund(deal, leaves[:1])).is_accepted
    world.must("relayer", council.refund(deal, leaves))


# --- two ticks ------------------------------------------------------------------------------------


def second_set(world: TwinWorld) -> MsgPostCellSet:
    """The same cells again, from the second tick on."""
    record = world.cells.record(previous=world.cells.set_id(), epoch=2, from_slot=S + 900)
    return MsgPostCellSet(RELAYER, record, world.cells.rows, world.cells.sign(record))


def long_world() -> tuple[TwinWorld, dict[str, Any]]:
    """A sale to x and one from x over two ticks, placed, sealed and locked."""
    world = open_world()
    world.found()
    world.must("relayer", second_set(world))
    world.must(CELL, world.bands(slot_length=LONG))
    book, secrets = world.book, {"out": b"\x77" * 32, "in": b"\x78" * 32}
    long: dict[str, Any] = {"slot_length": LONG}
    buy = book.order("ann", Side.BUY, 300, **long)
    sell = book.order("bob", Side.SELL, 300, anchor=sha256(secrets["in"]), **long)
    there = {
        "out": book.order("yve", Side.SELL, 300, chain_tag=TAG_Y, anchor=sha256(secrets["out"])),
        "in": book.order("yat", Side.BUY, 300, chain_tag=TAG_Y),
    }
    signed = (book.sign("ann", buy), book.sign("bob", sell))
    world.must("relayer", MsgPlaceOrders(RELAYER, signed))
    out = book.deal("out", [(buy, 300)], [(there["out"], 300)], secrets["out"], **long)
    inwards = book.deal("in", [(there["in"], 300)], [(sell, 300)], secrets["in"], **long)
    out, inwards = book.cleared_together(out, inwards)
    clearing = book.clearing(out)
    world.must("relayer", MsgPostClearing(RELAYER, clearing, world.cells.sign(clearing)))
    world.deals = {"out": out, "in": inwards}
    world.now_s = TAU - 170
    cell = account(CELL)
    locked = MsgLockAndSend(cell, CLIENT, TAU, (out.wire,))
    world.must(CELL, MsgTradeEvidence(cell, out.evidence), locked)
    world.must("relayer", *world.receive("in"))
    world.now_s = TAU
    leaf = world.council.leaf(inwards, world.memory.packets["in"], cap_wh=200)
    world.must("relayer", world.council.apply([leaf]))
    world.must("relayer", *world.acknowledge("out", accepted(out.wire, 200)))
    return world, {"place": world.save()}


@pytest.fixture(scope="module")
def long_scene() -> tuple[TwinWorld, dict[str, Any]]:
    return long_world()


@pytest.mark.parametrize("change", [{}, {"slot_start": S + 900}], ids=["first tick", "last tick"])
def test_a_long_trade_is_stated_by_its_first_tick_s_set_in_its_last_tick(
    long_scene: tuple[TwinWorld, dict[str, Any]], change: dict[str, int]
) -> None:
    world, kept = long_scene
    world.restore(kept["place"])
    world.now_s = E + 900 + 300
    world.must("relayer", world.council.statement(reported(world), **change))
    for name, deal in world.deals.items():
        reply = world.run(
            "relayer", world.council.claim(deal, world.council.delivered(reported(world), deal))
        )
        assert reply.is_accepted == bool(change), name


def test_the_second_tick_s_own_set_has_no_say_in_a_trade_that_began_before(
    long_scene: tuple[TwinWorld, dict[str, Any]],
) -> None:
    """Its statement is stored for that tick; a leaf of it pays nothing and holds nothing up."""
    world, kept = long_scene
    world.restore(kept["place"])
    world.now_s = E + 900 + 300
    foreign = {"slot_start": S + 900, "cell_set_id": world.cells.set_id(2), "epoch": 2}
    world.must("relayer", world.council.statement(reported(world), **foreign))
    deal, council = world.deals["in"], world.council
    leaf = council.delivered(reported(world), deal)
    assert not world.run("relayer", council.claim(deal, leaf)).is_accepted
    world.now_s = T_B + 900
    world.must("relayer", council.refund(deal))


def test_a_long_trade_s_own_deadlines_count_from_its_last_tick(
    long_scene: tuple[TwinWorld, dict[str, Any]],
) -> None:
    world, kept = long_scene
    deal = world.deals["in"]
    for now, is_due in ((T_B, False), (T_B + 899, False), (T_B + 900, True)):
        world.restore(kept["place"])
        world.now_s = now
        assert world.run("relayer", world.council.refund(deal)).is_accepted == is_due
    world.restore(kept["place"])
    world.now_s = D
    assert world.run("relayer", world.council.expire(deal)).is_accepted
