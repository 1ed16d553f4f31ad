"""
Ledger x in one or two languages, with a slot's orders and deals: every message goes to all hosts,
and after each the hosts must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fakes.trade_records import START_S, TAU, S
from fakes.trade_world import BOND_PRICE
from fakes.twin.book import Book
from fakes.twin.decisions import Council
from fakes.twin.neighbour import Neighbour, accepted
from fakes.twin.parties import CELL, CLIENT, TAG_Y, Cells, account
from fakes.twin.reply import Reply, TwinHost
from tieline.protocol.messages import RecvPacket
from tieline.protocol.packet import Acknowledgement, Packet
from tieline.swap.messages import (
    MsgLockAndSend,
    MsgOpenLocal,
    MsgPlaceOrders,
    MsgPostCellSet,
    MsgPostClearing,
    MsgSetBands,
    MsgTradeEvidence,
)
from tieline.swap.records import Level, Order, Side
from tieline.wire.codec import decode_acknowledgement, decode_packet
from tieline.wire.hashes import sha256

RELAYER = account("relayer")
SECRETS = {
    name: bytes((place,)) * 32
    for place, name in enumerate(
        ("out", "out pooled", "in", "in pooled", "local", "local direct", "spare"), 0x11
    )
}
"""Deals of the slot and their secrets; the spare one is placed and sealed, and never sent."""

Compare = Callable[[Sequence[TwinHost], Sequence[Reply], str], None]


@dataclass
class Memory:
    """What the test knows beside the ledgers; saved and restored with them."""

    packets: dict[str, Packet] = field(default_factory=dict)
    """By deal; sent from x or by y."""
    answers: dict[str, Acknowledgement] = field(default_factory=dict)
    """What x answered to packets of y."""
    seen: tuple[int, int, int] = (0, 0, 0)


class TwinWorld:
    """The scene. All that it does goes through ``run``."""

    def __init__(
        self,
        hosts: Sequence[TwinHost],
        cells: Cells,
        compare: Compare,
    ) -> None:
        self.hosts = tuple(hosts)
        self.cells = cells
        self.compare = compare
        self.tag_x = hosts[0].chain_tag
        self.book = Book(self.tag_x, cells)
        self.council = Council(self.tag_x, cells)
        self.neighbour = Neighbour(len(cells.names), START_S)
        self.memory = Memory()
        self.now_s = START_S
        self._draw_up()

    def _draw_up(self) -> None:
        """Write all orders and deals; nothing is sent."""
        buy, sell = Side.BUY, Side.SELL
        order = self.book.order
        anchor = {name: sha256(secret) for name, secret in SECRETS.items()}
        here: dict[str, list[tuple[str, Order]]] = {
            "out": [("ann", order("ann", buy, 300))],
            "out pooled": [("amy", order("amy", buy, 401)), ("abe", order("abe", buy, 299))],
            "in": [("bob", order("bob", sell, 300, anchor=anchor["in"]))],
            "in pooled": [("ben", order("ben", sell, 350)), ("bea", order("bea", sell, 350))],
            "spare": [("sue", order("sue", sell, 300, anchor=anchor["spare"]))],
            "local": [
                ("ann", order("ann", buy, 150)),
                ("amy", order("amy", buy, 151)),
                ("sol", order("sol", sell, 301)),
            ],
            "local direct": [
                ("abe", order("abe", buy, 200)),
                ("sue", order("sue", sell, 200, anchor=anchor["local direct"])),
            ],
        }
        there: dict[str, list[Order]] = {
            "out": [order("yve", sell, 300, chain_tag=TAG_Y, anchor=anchor["out"])],
            "out pooled": [order(name, sell, 350, chain_tag=TAG_Y) for name in ("yan", "yul")],
            "in": [order("yat", buy, 300, chain_tag=TAG_Y)],
            "spare": [order("yew", buy, 300, chain_tag=TAG_Y)],
            "in pooled": [order(name, buy, 350, chain_tag=TAG_Y) for name in ("yak", "yam")],
        }
        self.orders = {name: [one for _, one in rows] for name, rows in here.items()}
        self.owners = {one: name for rows in here.values() for name, one in rows}
        deals = []
        for name, others in there.items():
            own = self.orders[name]
            buys, sells = (own, others) if own[0].side == buy else (others, own)
            level = Level.GRID if "pooled" in name else Level.INTER
            deals.append(
                self.book.deal(name, _whole(buys), _whole(sells), SECRETS[name], level=level)
            )
        for name in ("local", "local direct"):
            sides = ([one for one in self.orders[name] if one.side == side] for side in (buy, sell))
            buys, sells = sides
            deals.append(self.book.local(name, _whole(buys), _whole(sells), SECRETS[name]))
        by_name = {deal.name: deal for deal in deals}
        out, out_pooled, inwards, in_pooled, local, direct, spare = (
            by_name[name] for name in SECRETS
        )
        out, inwards, self.spare = self.book.cleared_together(out, inwards, spare)
        out_pooled, in_pooled = self.book.cleared_together(out_pooled, in_pooled)
        local, direct = self.book.cleared_together(local, direct)
        self.deals = {
            deal.name: deal for deal in (out, out_pooled, inwards, in_pooled, local, direct)
        }

    # --- running ------------------------------------------------------------------------------

    def run(self, sender: str, *messages: Any, note: str = "") -> Reply:
        """Run messages on all hosts as one transaction; they must agree. Returns the first's."""
        messages = self.without_lead(sender, messages)
        for host in self.hosts:
            host.now_s = self.now_s
        replies = [host.run(sender, messages) for host in self.hosts]
        self.compare(self.hosts, replies, note or ", ".join(type(m).__name__ for m in messages))
        self._remember(replies[0])
        return replies[0]

    def without_lead(self, sender: str, messages: Sequence[Any]) -> tuple[Any, ...]:
        """
        Run what stands before a packet's evidence, each alone, and return the rest.

        Byte code skips a bad packet and keeps what came with it; the Python contract undoes both.
        """
        if not isinstance(messages[-1], RecvPacket):
            return tuple(messages)
        for message in messages[:-2]:
            self.run(sender, message)
        return tuple(messages[-2:])

    def must(self, sender: str, *messages: Any) -> Reply:
        """Run messages that have to take effect."""
        reply = self.run(sender, *messages)
        assert reply.is_accepted, f"{reply.refusal}: {reply.detail}"
        return reply

    def _remember(self, reply: Reply) -> None:
        for event in reply.events:
            facts = dict(event.attributes)
            if event.type == "send_packet":
                packet = decode_packet(bytes.fromhex(facts["encoded_packet_hex"]))
                self.memory.packets[self._name_of(packet)] = packet
            if event.type == "write_acknowledgement":
                packet = decode_packet(bytes.fromhex(facts["encoded_packet_hex"]))
                answer = bytes.fromhex(facts["encoded_acknowledgement_hex"])
                self.memory.answers[self._name_of(packet)] = decode_acknowledgement(answer)

    def _name_of(self, packet: Packet) -> str:
        value = packet.payloads[0].value
        found = [
            name
            for name, deal in self.deals.items()
            if not deal.is_local and value[64:96] == deal.trade.trade_id
        ]
        return found[0] if found else "?"

    def save(self) -> Any:
        """Return a place to go back to."""
        beside = (
            self.now_s,
            dict(self.memory.packets),
            dict(self.memory.answers),
            (self.neighbour.height, self.neighbour.time_s, self.neighbour.sequence),
            self.book.nonce,
        )
        return [host.save() for host in self.hosts], beside

    def restore(self, place: Any) -> None:
        """Go back."""
        kept, (self.now_s, packets, answers, neighbour, self.book.nonce) = place
        for host, state in zip(self.hosts, kept, strict=True):
            host.restore(state)
        self.memory = Memory(dict(packets), dict(answers))
        self.neighbour.height, self.neighbour.time_s, self.neighbour.sequence = neighbour

    # --- stages -------------------------------------------------------------------------------

    def found(self) -> None:
        """Client, pair, cell set, bands, mandate."""
        self.must(CELL, *self.neighbour.birth())
        self.must("relayer", self.post_cell_set())
        self.must(CELL, self.bands())
        self.must("connector", self.book.mandate())

    def place_all(self) -> None:
        """Place all orders, and seal."""
        for orders in self.orders.values():
            self.must("relayer", self.place(*orders))

    def seal_all(self) -> None:
        """Post all clearings."""
        for name in ("out", "out pooled", "local"):
            self.must("relayer", self.post_clearing(name))

    def send_all(self) -> None:
        """Send, receive and open every deal."""
        self.now_s = max(self.now_s, TAU - 170)
        for name in ("out", "out pooled"):
            self.must(CELL, *self.send(name))
        for name in ("local", "local direct"):
            self.must(CELL, *self.open(name))
        for name in ("in", "in pooled"):
            self.must("relayer", *self.receive(name))

    def lock_all(self, cap: int = 200) -> None:
        """Apply a verdict to all that is pending, and acknowledge what was sent."""
        self.now_s = max(self.now_s, TAU)
        names = ("in", "in pooled", "local", "local direct")
        leaves = [
            self.council.leaf(
                self.deals[name], self.memory.packets.get(name), cap_wh=cap, group=place + 1
            )
            for place, name in enumerate(names)
        ]
        for leaf in leaves:
            self.must("relayer", self.council.apply(leaves, [leaf]))
        for name in ("out", "out pooled"):
            self.must("relayer", *self.acknowledge(name, accepted(self.deals[name].wire, cap)))

    # --- messages -----------------------------------------------------------------------------

    def post_cell_set(self) -> MsgPostCellSet:
        """The first cell set."""
        record = self.cells.record()
        return MsgPostCellSet(RELAYER, record, self.cells.rows, self.cells.sign(record))

    def bands(self, **change: Any) -> MsgSetBands:
        """Band and bond of the slot."""
        fields: dict[str, Any] = {
            "signer": account(CELL),
            "slot_start": S,
            "slot_length": 900,
            "price_min": 50_000,
            "price_max": 500_000,
            "bond_price": BOND_PRICE,
        }
        return MsgSetBands(**{**fields, **change})

    def place(self, *orders: Order, signer: str = "") -> MsgPlaceOrders:
        """Orders with their accounts' signatures, unless another signs."""
        signed = (self.book.sign(signer or self.owners[order], order) for order in orders)
        return MsgPlaceOrders(RELAYER, tuple(signed))

    def post_clearing(self, name: str, **change: Any) -> MsgPostClearing:
        """A deal's clearing."""
        clearing = self.book.clearing(self.deals[name], **change)
        return MsgPostClearing(RELAYER, clearing, self.cells.sign(clearing))

    def send(self, name: str, timeout_s: int = TAU) -> list[Any]:
        """Evidence and lock of a deal."""
        deal, cell = self.deals[name], account(CELL)
        return [
            MsgTradeEvidence(cell, deal.evidence),
            MsgLockAndSend(cell, CLIENT, timeout_s, (deal.wire,)),
        ]

    def open(self, name: str) -> list[Any]:
        """Evidence and lock of an INTRA deal."""
        deal, cell = self.deals[name], account(CELL)
        return [MsgTradeEvidence(cell, deal.evidence), MsgOpenLocal(cell, deal.trade)]  # type: ignore[arg-type]

    def receive(self, name: str, evidence: MsgTradeEvidence | None = None) -> list[Any]:
        """A deal's packet from y: the one it came with before, or a new one."""
        deal = self.deals[name]
        if name not in self.memory.packets:
            self.memory.packets[name] = self.neighbour.packet(deal)
        return self.neighbour.receive(deal, self.memory.packets[name], self.now_s, evidence)

    def acknowledge(self, name: str, answer: Acknowledgement) -> list[Any]:
        """y's answer to a deal."""
        return self.neighbour.acknowledge(self.memory.packets[name], answer, self.now_s)


def _whole(orders: Sequence[Order]) -> list[tuple[Order, int]]:
    return [(order, order.energy_wh) for order in orders]
