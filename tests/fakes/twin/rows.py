"""
The state tables of ``docs/spec/trade.md`` 3 and 4 as moves on ledger x: from which stage, at which
boundary, and on which side of it the row's guard holds. Rows without a time of their own stand at
the deadline that could most easily be mixed into them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fakes.microgrid import key
from fakes.trade_records import T_A, T_B, TAU, D, E, S
from fakes.trade_world import DOMAIN
from fakes.twin.decisions import REFUSE
from fakes.twin.neighbour import SENTINEL, accepted
from fakes.twin.parties import CELL, account
from fakes.twin.world import RELAYER, TwinWorld
from tieline.swap.messages import MsgCancel, MsgDeposit, MsgReleaseOrder, MsgWithdraw
from tieline.swap.records import Cancel, Order, Side
from tieline.wire.typed_data import order_id, sign_record

GATE, LOCK_DEADLINE, C = S - 900, TAU - 160, E + 300
DELIVERED_WH, CAP_WH = 150, 200

Move = Callable[[TwinWorld, int], tuple[str, list[Any]]]
"""World and offset from the boundary to the sender and the messages of one transaction."""


@dataclass(frozen=True)
class Row:
    """A row of the tables at one boundary."""

    name: str
    stage: str
    boundary: int
    move: Move
    is_open: Callable[[int], bool]
    """Whether the guard holds that many seconds after the boundary."""
    now: int | None = None
    """Chain time, if the boundary is not compared with it (A7: the proof's time)."""


def before(offset: int) -> bool:
    """``now < T``."""
    return offset < 0


def since(offset: int) -> bool:
    """``now >= T``."""
    return offset >= 0


def always(offset: int) -> bool:
    """The row has no time."""
    return offset == offset  # noqa: PLR0124 - every offset


def never(offset: int) -> bool:
    """Not at this boundary."""
    return offset != offset  # noqa: PLR0124 - no offset


# --- stages -----------------------------------------------------------------------------------


def reported(world: TwinWorld) -> list[tuple[Any, int]]:
    """What the statement of the stage ``delivered`` says of every deal."""
    return [(deal, DELIVERED_WH) for deal in world.deals.values()]


def make_stages(world: TwinWorld) -> dict[str, Any]:
    """Walk through a slot; return the places on the way."""
    stages: dict[str, Any] = {}
    world.found()
    stages["founded"] = world.save()
    world.place_all()
    stages["ordered"] = world.save()
    world.seal_all()
    stages["sealed"] = world.save()
    world.send_all()
    stages["sent"] = world.save()
    world.now_s = C
    world.must("relayer", world.council.statement(reported(world)))
    stages["sent, reported"] = world.save()
    world.restore(stages["sent"])
    world.lock_all(CAP_WH)
    stages["locked"] = world.save()
    world.now_s = C
    world.must("relayer", world.council.statement(reported(world)))
    stages["delivered"] = world.save()
    for name in world.deals:
        world.must(*_claim(name)(world, 0)[:1], *_claim(name)(world, 0)[1])
        payee = world.council.payee_of(world.deals[name])
        world.must(payee, world.council.waive(world.deals[name], DELIVERED_WH, payee))
    stages["closed"] = world.save()
    world.restore(stages["sent"])
    world.now_s = D
    for name in ("in", "in pooled", "local", "local direct"):
        world.must("relayer", world.council.expire(world.deals[name]))
    for name in ("out", "out pooled"):
        world.must("relayer", *world.acknowledge(name, SENTINEL))
    stages["refused"] = world.save()
    return stages


# --- moves ------------------------------------------------------------------------------------


def _relayed(message: Callable[[TwinWorld], Any]) -> Move:
    def move(world: TwinWorld, offset: int) -> tuple[str, list[Any]]:
        del offset
        made = message(world)
        return "relayer", made if isinstance(made, list) else [made]

    return move


def _by(sender: str, message: Callable[[TwinWorld], Any]) -> Move:
    def move(world: TwinWorld, offset: int) -> tuple[str, list[Any]]:
        del offset
        made = message(world)
        return sender, made if isinstance(made, list) else [made]

    return move


def _order(world: TwinWorld, name: str, side: Side) -> Order:
    order = world.book.order(name, side, 200)
    world.owners[order] = name
    return order


def _placing(name: str, side: Side) -> Move:
    return _relayed(lambda world: world.place(_order(world, name, side)))


def cancel(world: TwinWorld, order: Order, signer: str) -> MsgCancel:
    """An order taken back by a name."""
    record = Cancel(order_id(order))
    return MsgCancel(RELAYER, record, sign_record(key(signer), DOMAIN, record))


def _cancelling(name: str) -> Move:
    def message(world: TwinWorld) -> MsgCancel:
        order = world.orders[name][0]
        return cancel(world, order, world.owners[order])

    return _relayed(message)


def _releasing(name: str) -> Move:
    return _relayed(lambda world: MsgReleaseOrder(RELAYER, order_id(world.orders[name][0])))


def _verdict(name: str, **change: Any) -> Move:
    def message(world: TwinWorld) -> Any:
        packet = world.memory.packets.get(name)
        leaf = world.council.leaf(world.deals[name], packet, cap_wh=CAP_WH)
        refused = world.council.leaf(world.deals[name], packet, **REFUSE)
        return world.council.apply([refused if change else leaf])

    return _relayed(message)


def _claim(name: str) -> Move:
    def message(world: TwinWorld) -> Any:
        deal = world.deals[name]
        return world.council.claim(deal, world.council.delivered(reported(world), deal))

    return _relayed(message)


def _waive(name: str, wh: int = 20) -> Move:
    def move(world: TwinWorld, offset: int) -> tuple[str, list[Any]]:
        del offset
        payee = world.council.payee_of(world.deals[name])
        return payee, [world.council.waive(world.deals[name], wh, payee)]

    return move


def _refund(name: str, *, is_shown: bool = False) -> Move:
    def message(world: TwinWorld) -> Any:
        deal = world.deals[name]
        leaves = [world.council.delivered(reported(world), deal)] if is_shown else []
        return world.council.refund(deal, leaves)

    return _relayed(message)


def _acked(name: str) -> Move:
    return _relayed(lambda w: w.acknowledge(name, accepted(w.deals[name].wire, CAP_WH)))


def _timed_out(name: str) -> Move:
    def move(world: TwinWorld, offset: int) -> tuple[str, list[Any]]:
        return "relayer", world.neighbour.time_out(world.memory.packets[name], TAU + offset)

    return move


def _second_set(world: TwinWorld) -> Any:
    from tieline.swap.messages import MsgPostCellSet

    record = world.cells.record(previous=world.cells.set_id(), epoch=2, from_slot=S + 900)
    return MsgPostCellSet(RELAYER, record, world.cells.rows, world.cells.sign(record))


SOURCE = ("out", "out pooled")
DEST = ("in", "in pooled")
LOCAL = ("local", "local direct")


def _rows() -> list[Row]:
    rows = [
        Row("A0 cell set", "sealed", GATE, _relayed(_second_set), always),
        Row(
            "A0 clearing",
            "ordered",
            LOCK_DEADLINE,
            _relayed(lambda w: w.post_clearing("out")),
            always,
        ),
        Row("A1", "founded", GATE, _placing("ann", Side.BUY), before),
        Row("A2", "ordered", GATE, _cancelling("out"), before),
        Row("A4", "ordered", TAU, _releasing("out"), since),
        Row("B0", "founded", GATE, _placing("bob", Side.SELL), before),
        Row("B0 bands", "founded", GATE, _by(CELL, lambda w: w.bands(slot_length=1800)), before),
        Row(
            "B0 mandate",
            "founded",
            TAU,
            _by("connector", lambda w: w.book.mandate(nonce=2)),
            always,
        ),
        Row(
            "B0 deposit",
            "sent",
            T_A,
            _by("connector", lambda w: MsgDeposit(account("connector"), 77)),
            always,
        ),
        Row(
            "B0 withdraw",
            "sent",
            T_A,
            _by("connector", lambda w: MsgWithdraw(account("connector"), 77)),
            always,
        ),
        Row("B0a", "ordered", GATE, _cancelling("in"), before),
        Row("B0b", "ordered", TAU, _releasing("in"), since),
    ]
    for name in SOURCE:
        rows += [
            Row(
                f"A3 {name}",
                "sealed",
                LOCK_DEADLINE,
                _by(CELL, lambda w, n=name: w.send(n)),
                before,
            ),
            Row(f"A5 {name}", "sent", T_A, _acked(name), always),
            Row(
                f"A6 {name}",
                "sent",
                T_A,
                _relayed(lambda w, n=name: w.acknowledge(n, SENTINEL)),
                always,
            ),
            Row(f"A7 {name}", "sent", TAU, _timed_out(name), since, now=TAU + 5),
            Row(f"A9 {name}", "delivered", T_A, _claim(name), before),
            Row(f"A9 {name}, not acknowledged", "sent, reported", T_A, _claim(name), before),
            Row(f"A10 {name}", "locked", T_A, _waive(name), always),
            Row(f"A11 {name}", "locked", T_A, _refund(name), since),
            Row(f"A11 {name}, not acknowledged", "sent", T_A, _refund(name), since),
            Row(f"A12 claim {name}", "closed", T_A, _claim(name), never),
            Row(f"A12 waive {name}", "closed", T_A, _waive(name), never),
            Row(f"A12 refund {name}", "closed", T_A, _refund(name), never),
            Row(
                f"A12 sentinel {name}",
                "refused",
                T_A,
                _relayed(lambda w, n=name: w.acknowledge(n, SENTINEL)),
                never,
            ),
        ]
    for name in DEST:
        rows.append(
            Row(f"B1 {name}", "sealed", TAU, _relayed(lambda w, n=name: w.receive(n)), before)
        )
        rows.append(
            Row(
                f"B9 receive {name}",
                "refused",
                T_A,
                _relayed(lambda w, n=name: w.receive(n)),
                never,
            )
        )
    for name in (*DEST, *LOCAL):
        rows += [
            Row(f"B2 tau {name}", "sent", TAU, _verdict(name), since),
            Row(f"B2 D {name}", "sent", D, _verdict(name), before),
            Row(f"B3 tau {name}", "sent", TAU, _verdict(name, refuse=True), since),
            Row(f"B3 D {name}", "sent", D, _verdict(name, refuse=True), before),
            Row(
                f"B4 {name}",
                "sent",
                D,
                _relayed(lambda w, n=name: w.council.expire(w.deals[n])),
                since,
            ),
            Row(f"B6 {name}", "delivered", T_B, _claim(name), before),
            Row(f"B6 {name}, pending", "sent, reported", T_B, _claim(name), never),
            Row(f"B7 {name}", "locked", T_B, _waive(name), always),
            Row(f"B8 T_B {name}", "delivered", T_B, _refund(name, is_shown=True), since),
            Row(f"B8 T_B {name}, nothing stated", "locked", T_B, _refund(name), since),
            Row(f"B9 claim {name}", "closed", T_B, _claim(name), never),
            Row(f"B9 refund {name}", "closed", T_A, _refund(name), never),
            Row(
                f"B9 expire {name}",
                "refused",
                T_B,
                _relayed(lambda w, n=name: w.council.expire(w.deals[n])),
                never,
            ),
        ]
    for name in DEST:
        rows += [
            Row(f"B8 T_B {name}, leaf held back", "delivered", T_B, _refund(name), never),
            Row(f"B8 T_A {name}, leaf held back", "delivered", T_A, _refund(name), since),
        ]
    rows += [
        Row("B8 T_B local, leaf held back", "delivered", T_B, _refund("local"), since),
        Row("A8", "locked", C, _relayed(lambda w: w.council.statement(reported(w))), always),
        Row("B5 T_A", "locked", T_A, _relayed(lambda w: w.council.statement(reported(w))), always),
    ]
    for name, side in (
        ("out pooled", Side.BUY),
        ("in pooled", Side.SELL),
        ("local", Side.BUY),
        ("local", Side.SELL),
    ):
        letter = "A13" if side is Side.BUY else "B10"
        for stage in ("closed", "refused"):
            rows.append(
                Row(
                    f"{letter} {name} {stage}",
                    stage,
                    T_A,
                    _relayed(lambda w, n=name, s=side: w.council.share(w.deals[n], s, 0)),
                    always,
                )
            )
        rows.append(
            Row(
                f"{letter} {name} open",
                "locked",
                T_A,
                _relayed(lambda w, n=name, s=side: w.council.share(w.deals[n], s, 0)),
                never,
            )
        )
    return rows


ROWS = _rows()
