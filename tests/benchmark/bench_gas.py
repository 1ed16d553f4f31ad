"""
Gas of everything a slot does on an EVM ledger, as a receipt would say it: byte code that ships on
py-evm, calls as the adapter makes them, the sum of a transaction by the rules of Prague.

Shape: accounts, vaults and sums that hold something (one of each kind goes before what is
measured), four cells and four attestors of which three sign, one order a side, heights that are
known, caps that are the whole energy; what a smaller cap costs more stands beside it without a
target. Alone, and each in a batch of twenty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clock import at_most, report
from fakes.trade_records import START_S, T_B, TAU, D, E
from fakes.twin.book import Book, Deal
from fakes.twin.decisions import Council
from fakes.twin.evm_ledger import EvmLedger, deploy
from fakes.twin.neighbour import Neighbour, accepted
from fakes.twin.parties import CELL, CLIENT, TAG_Y, Cells, account
from fakes.twin.rows import C
from fakes.twin.scene import CELLS
from fakes.twin.world import RELAYER, TwinWorld

from tieline.contract.genesis import Parameters
from tieline.protocol.commitment import (
    acknowledgement_key,
    commit_acknowledgement,
    commit_packet,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.messages import AcknowledgePacket, RecvPacket, TimeoutPacket
from tieline.protocol.packet import Packet
from tieline.swap.messages import (
    MsgLockAndSend,
    MsgOpenLocal,
    MsgPlaceOrders,
    MsgPostCellSet,
    MsgPostClearing,
    MsgTradeEvidence,
)
from tieline.swap.records import Side
from tieline.wire.attestations import PACKET_TAG, encode_packet_attestation
from tieline.wire.codec import decode_packet
from tieline.wire.hashes import keccak, sha256

MANY = 20
ALL = MANY + 1
"""One that goes before, so that nothing is written for the first time, and twenty."""
ONE, TWENTY = slice(1, 2), slice(1, ALL)
SIGNERS = ("cell x", "cell y", "cell grid")
HOUSES = tuple(f"house {number}" for number in range(2 * ALL))
FUNDED = (*HOUSES, CELL, "connector", "relayer")
SECRETS = [bytes((number + 1,)) * 32 for number in range(4 * ALL)]
ENERGY_WH, CAP_WH, DELIVERED_WH = 300, 200, 150
PARAMETERS = Parameters(vault_shards=1)


class Scene:
    """A ledger with twenty positions of each kind."""

    def __init__(self) -> None:
        self.ledger: EvmLedger = deploy(CELLS, START_S, funded=FUNDED, parameters=PARAMETERS)
        self.cells = Cells(self.ledger.chain_tag, CELLS)
        self.book = Book(self.ledger.chain_tag, self.cells)
        self.council = Council(self.ledger.chain_tag, self.cells)
        self.neighbour = Neighbour(len(CELLS), START_S)
        self.orders: dict[str, list[Any]] = {}
        self.deals: dict[str, tuple[Deal, ...]] = {
            "out": self._positions("out", Side.BUY, 0),
            "in": self._positions("in", Side.SELL, ALL),
            "local": self._local(),
        }
        self.pool = self._pool("pool", ALL, SECRETS[3 * ALL])
        self.pair = self._pool("pair", 2, SECRETS[3 * ALL + 1])
        self.sellers = [self._sellers(count, SECRETS[-count]) for count in (1, 2)]
        self.packets: dict[str, list[Packet]] = {}

    def _positions(self, kind: str, side: Side, first: int) -> tuple[Deal, ...]:
        deals = []
        for number in range(ALL):
            secret = SECRETS[first + number]
            anchor = {"anchor": sha256(secret)}
            here = self.book.order(
                HOUSES[number], side, 300, **(anchor if side is Side.SELL else {})
            )
            there = self.book.order(
                "yve", Side(3 - side), 300, chain_tag=TAG_Y, **({} if side is Side.SELL else anchor)
            )
            self.orders.setdefault(kind, []).append((HOUSES[number], here))
            buys, sells = (here, there) if side is Side.BUY else (there, here)
            deals.append(self.book.deal(kind, [(buys, 300)], [(sells, 300)], secret))
        return self.book.cleared_together(*deals)

    def _local(self) -> tuple[Deal, ...]:
        deals = []
        for number in range(ALL):
            secret = SECRETS[2 * ALL + number]
            names = HOUSES[number], HOUSES[ALL + number]
            buy = self.book.order(names[0], Side.BUY, 300)
            sell = self.book.order(names[1], Side.SELL, 300, anchor=sha256(secret))
            self.orders.setdefault("local", []).extend(zip(names, (buy, sell), strict=True))
            deals.append(self.book.local("local", [(buy, 300)], [(sell, 300)], secret))
        return self.book.cleared_together(*deals)

    def _pool(self, kind: str, count: int, secret: bytes) -> Deal:
        """One position of some buyers."""
        buys = [self.book.order(HOUSES[number], Side.BUY, 100) for number in range(count)]
        self.orders[kind] = list(zip(HOUSES, buys, strict=False))
        there = self.book.order("yve", Side.SELL, 100 * count, chain_tag=TAG_Y)
        fills = [(order, 100) for order in buys]
        return self.book.deal(kind, fills, [(there, 100 * count)], secret)

    def _sellers(self, count: int, secret: bytes) -> Deal:
        """A position of a pool of some sellers."""
        sells = [self.book.order(HOUSES[number], Side.SELL, 100) for number in range(count)]
        self.orders.setdefault("sellers", []).extend(zip(HOUSES, sells, strict=False))
        there = self.book.order("yve", Side.BUY, 100 * count, chain_tag=TAG_Y)
        fills = [(order, 100) for order in sells]
        return self.book.deal("sellers", [(there, 100 * count)], fills, secret)

    # --- running ------------------------------------------------------------------------------

    def cost(self, sender: str, *messages: Any) -> int:
        """Run one transaction that has to take effect, and return its gas."""
        reply = self.ledger.run(sender, messages)
        assert reply.is_accepted, f"{reply.refusal}: {reply.detail}"
        for event in reply.events:
            if event.type == "send_packet":
                raw = dict(event.attributes)["encoded_packet_hex"]
                self.packets.setdefault("out", []).append(decode_packet(bytes.fromhex(raw)))
        return reply.gas_used

    def of(self, sender: str, messages: list[Any]) -> int:
        """Cost of a transaction that is undone."""
        place, packets = self.ledger.save(), {k: list(v) for k, v in self.packets.items()}
        gas = self.cost(sender, *messages)
        self.ledger.restore(place)
        self.packets = packets
        return gas

    @staticmethod
    def tell(name: str, most: tuple[int, int], gas: Sequence[int]) -> None:
        """Report what one takes alone and, if it was measured, each of twenty."""
        report(f"gas.{name}.alone", gas[0], "gas", at_most(most[0]))
        for batch in gas[1:]:
            report(f"gas.{name}.each_of_20", round(batch / MANY), "gas", at_most(most[1]))

    @staticmethod
    def say(name: str, gas: Sequence[int]) -> None:
        """Report what nothing was asked of."""
        report(f"gas.{name}.alone", gas[0], "gas")
        report(f"gas.{name}.each_of_20", round(gas[1] / MANY), "gas")

    # --- messages -----------------------------------------------------------------------------

    def signed(self, record: Any) -> tuple[bytes, ...]:
        """Three of four."""
        return self.cells.sign(record, SIGNERS)

    def place(self, rows: list[tuple[str, Any]]) -> list[Any]:
        """Orders, signed."""
        return [MsgPlaceOrders(RELAYER, tuple(self.book.sign(*row) for row in rows))]

    def clearing(self, deal: Deal) -> list[Any]:
        """A clearing, signed."""
        clearing = self.book.clearing(deal)
        return [MsgPostClearing(RELAYER, clearing, self.signed(clearing))]

    def send(self, deals: tuple[Deal, ...]) -> list[Any]:
        """Evidence of each, and all locks in one message."""
        cell = account(CELL)
        beside = [MsgTradeEvidence(cell, deal.evidence) for deal in deals]
        return [*beside, MsgLockAndSend(cell, CLIENT, TAU, tuple(deal.wire for deal in deals))]

    def open(self, deals: tuple[Deal, ...]) -> list[Any]:
        """Evidence and lock of each."""
        cell = account(CELL)
        return [
            message
            for deal in deals
            for message in (
                MsgTradeEvidence(cell, deal.evidence),
                MsgOpenLocal(cell, deal.trade),  # type: ignore[arg-type]
            )
        ]

    def attested(self, entries: list[tuple[bytes, bytes]]) -> bytes:
        """One attestation of many keys."""
        listed = sorted((keccak(key), value) for key, value in entries)
        data = encode_packet_attestation(self.neighbour.height, listed)
        return self.neighbour.signed(PACKET_TAG, data).encode()

    def receive(self, part: slice) -> list[Any]:
        """Packets under one attestation, with their evidence."""
        packets = self.packets["in"][part]
        keys = [packet_commitment_key(one.source_client, one.sequence) for one in packets]
        proof = self.attested(list(zip(keys, map(commit_packet, packets), strict=True)))
        beside = [MsgTradeEvidence(RELAYER, deal.evidence) for deal in self.deals["in"][part]]
        at = self.neighbour.at()
        return [*beside, *(RecvPacket(RELAYER, packet, proof, at) for packet in packets)]

    def acknowledge(self, part: slice, cap_wh: int = ENERGY_WH) -> list[Any]:
        """Answers under one attestation."""
        packets = self.packets["out"][part]
        answers = [accepted(deal.wire, cap_wh) for deal in self.deals["out"][part]]
        keys = [acknowledgement_key(one.destination_client, one.sequence) for one in packets]
        proof = self.attested(list(zip(keys, map(commit_acknowledgement, answers), strict=True)))
        at = self.neighbour.at()
        return [
            AcknowledgePacket(RELAYER, packet, answer, proof, at)
            for packet, answer in zip(packets, answers, strict=True)
        ]

    def time_out(self, part: slice) -> list[Any]:
        """Absences under one attestation."""
        packets = self.packets["out"][part]
        keys = [packet_receipt_key(one.destination_client, one.sequence) for one in packets]
        proof = self.attested([(key, bytes(32)) for key in keys])
        at = self.neighbour.at()
        return [TimeoutPacket(RELAYER, packet, proof, at) for packet in packets]

    def leaves(self, part: slice, group: int, cap_wh: int = ENERGY_WH) -> list[Any]:
        """A group of accepts."""
        size = len(self.deals["in"][part])
        owners = self.cells.bits(*SIGNERS)
        return [
            self.council.leaf(
                deal, packet, cap_wh=cap_wh, group=group, group_size=size, owners=owners
            )
            for deal, packet in zip(self.deals["in"][part], self.packets["in"][part], strict=True)
        ]

    def claims(self, part: slice, rows: list[tuple[Deal, int]]) -> list[Any]:
        """Claims of received positions."""
        return [
            self.council.claim(deal, self.council.delivered(rows, deal))
            for deal in self.deals["in"][part]
        ]


def main() -> None:
    """Walk through a slot and report."""
    scene = Scene()
    world_messages(scene)
    measure_book(scene)
    measure_packets(scene)
    measure_decisions(scene)


def world_messages(scene: Scene) -> None:
    """Client, cell set, bands, mandate."""
    scene.cost(CELL, *scene.neighbour.birth())
    record = scene.cells.record()
    rows, signatures = scene.cells.rows, scene.cells.sign(record)
    scene.cost("relayer", MsgPostCellSet(RELAYER, record, rows, signatures))
    scene.cost(CELL, TwinWorld.bands(scene))  # type: ignore[arg-type]
    scene.cost("connector", scene.book.mandate())


POSTING = 68_000 + 3 * 6_200 + 4 * 1_300
"""The target of a verdict, clearing or statement with three signers of four cells."""
FIRST = slice(1)


def measure_book(scene: Scene) -> None:
    """Orders and clearings."""
    rows = scene.orders["out"]
    gas = [scene.of("relayer", scene.place(rows[part])) for part in (ONE, TWENTY)]
    scene.tell("place_order", (78_000, 49_000), gas)
    for rows in scene.orders.values():
        scene.cost("relayer", *scene.place(rows))
    for pool in (scene.pool, scene.pair):
        scene.cost("relayer", *scene.clearing(pool))
    gas = [scene.of("relayer", scene.clearing(scene.deals["out"][0]))]
    scene.tell("post_clearing", (POSTING, 0), gas)
    for deals in scene.deals.values():
        scene.cost("relayer", *scene.clearing(deals[0]))


def measure_packets(scene: Scene) -> None:
    """Sends, receives, answers, absences."""
    scene.ledger.now_s = TAU - 170
    out, local = scene.deals["out"], scene.deals["local"]
    scene.cost(CELL, *scene.send(out[FIRST]))
    gas = [scene.of(CELL, scene.send(out[part])) for part in (ONE, TWENTY)]
    scene.tell("lock_and_send", (147_000, 104_000), gas)
    scene.cost(CELL, *scene.open(local[FIRST]))
    gas = [scene.of(CELL, scene.open(local[part])) for part in (ONE, TWENTY)]
    scene.tell("open_local", (105_000, 105_000), gas)
    scene.cost(CELL, *scene.send(out[TWENTY]))
    for pool in (scene.pool, scene.pair):
        scene.cost(CELL, *scene.send((pool,)))
        scene.packets["out"].pop()
    scene.cost(CELL, *scene.open(local[TWENTY]))
    scene.packets["in"] = [scene.neighbour.packet(deal) for deal in scene.deals["in"]]
    scene.cost("relayer", scene.neighbour.update(scene.ledger.now_s))
    scene.cost("relayer", *scene.receive(FIRST))
    gas = [scene.of("relayer", scene.receive(part)) for part in (ONE, TWENTY)]
    scene.tell("receive", (195_000, 115_000), gas)
    measure_further_order(scene)
    scene.cost("relayer", *scene.receive(TWENTY))
    scene.cost("relayer", *scene.acknowledge(FIRST))
    gas = [scene.of("relayer", scene.acknowledge(part)) for part in (ONE, TWENTY)]
    scene.tell("acknowledge", (128_000, 63_000), gas)
    gas = [scene.of("relayer", scene.acknowledge(part, CAP_WH)) for part in (ONE, TWENTY)]
    scene.say("acknowledge_and_refund", gas)
    place, height = scene.ledger.save(), scene.neighbour.height
    scene.ledger.now_s = TAU + 5
    scene.cost("relayer", scene.neighbour.update(TAU))
    gas = [scene.of("relayer", scene.time_out(part)) for part in (ONE, TWENTY)]
    scene.tell("timeout", (130_000, 65_000), gas)
    scene.ledger.restore(place)
    scene.neighbour.height, scene.neighbour.time_s = height, TAU - 170


def measure_further_order(scene: Scene) -> None:
    """What a second order of a pool adds to a receive."""
    gas = []
    for deal in scene.sellers:
        scene.cost("relayer", *scene.clearing(deal))
        packet = scene.neighbour.packet(deal)
        key = packet_commitment_key(packet.source_client, packet.sequence)
        proof = scene.attested([(key, commit_packet(packet))])
        beside = MsgTradeEvidence(RELAYER, deal.evidence)
        received = RecvPacket(RELAYER, packet, proof, scene.neighbour.at())
        gas.append(scene.of("relayer", [beside, received]))
    report("gas.receive.further_order", gas[1] - gas[0], "gas", at_most(16_000))


def measure_decisions(scene: Scene) -> None:
    """Verdicts, and what expires without one."""
    council = scene.council
    scene.ledger.now_s = D
    scene.cost("relayer", council.expire(scene.deals["in"][0]))
    expiry = [council.expire(deal) for deal in scene.deals["in"]]
    gas = [scene.of("relayer", expiry[part]) for part in (ONE, TWENTY)]
    scene.tell("expire", (115_000, 115_000), gas)
    scene.ledger.now_s = TAU
    groups = [scene.leaves(part, group) for group, part in enumerate((ONE, TWENTY), 1)]
    alone = council.apply(groups[0], [], SIGNERS)
    scene.tell("post_verdict", (POSTING, 0), [scene.of("relayer", [alone])])
    capped = [scene.leaves(part, group, CAP_WH) for group, part in enumerate((ONE, TWENTY), 1)]
    gas = []
    for leaves in (*groups, *capped):
        place = scene.ledger.save()
        scene.cost("relayer", council.apply(leaves, [], SIGNERS))
        gas.append(scene.of("relayer", [council.apply(leaves, is_brought=False)]))
        scene.ledger.restore(place)
    scene.tell("apply_verdict", (138_000, 100_000), gas[:2])
    scene.say("apply_verdict_and_free_surplus", gas[2:])
    scene.cost("relayer", council.apply(capped[1], names=SIGNERS))
    measure_exits(scene)


def measure_exits(scene: Scene) -> None:
    """Statements, claims, refunds, shares."""
    council, deals = scene.council, scene.deals["in"]
    rows = [(deal, DELIVERED_WH) for deal in deals]
    rows.append((scene.pool, 0))
    scene.ledger.now_s = T_B
    plain = [council.refund(deal) for deal in deals]
    gas = [scene.of("relayer", plain[part]) for part in (ONE, TWENTY)]
    scene.tell("refund", (70_000, 70_000), gas)
    scene.ledger.now_s = C
    short = refund_of_a_short_statement(scene)
    statement = council.statement(rows, SIGNERS)
    scene.tell("post_statement", (POSTING, 0), [scene.of("relayer", [statement])])
    scene.cost("relayer", statement)
    gas = [scene.of("relayer", scene.claims(part, rows)) for part in (ONE, TWENTY)]
    scene.tell("claim", (65_000, 38_000), gas)
    scene.ledger.now_s = T_B
    # The imbalance pool holds something: a seller has waived a Wh.
    scene.cost(HOUSES[2], council.waive(deals[2], CAP_WH - 1, HOUSES[2]))
    refunds = [council.refund(deal, [council.delivered(rows, deal)]) for deal in deals]
    gas = [scene.of("relayer", refunds[part]) for part in (ONE, TWENTY)]
    scene.say("refund_and_slash", gas)
    scene.tell("refund_and_slash_under_a_short_statement", (70_000, 0), [short])
    scene.ledger.now_s = E + 10_000
    gas = []
    for pool, parts in ((scene.pool, (ONE, TWENTY)), (scene.pair, (ONE,))):
        scene.cost("relayer", council.refund(pool))
        shares = [council.share(pool, Side.BUY, place) for place in range(len(pool.own))]
        scene.cost("relayer", shares[0])
        gas += [scene.of("relayer", shares[part]) for part in parts]
    scene.tell("share", (55_000, 23_000), gas[:2])
    scene.tell("share_of_a_pair", (55_000, 0), gas[2:])


def refund_of_a_short_statement(scene: Scene) -> int:
    """One order a side, and one trade in the statement: its leaf is the root."""
    place, deal, council = scene.ledger.save(), scene.deals["in"][1], scene.council
    rows = [(deal, DELIVERED_WH)]
    scene.cost("relayer", council.statement(rows, SIGNERS))
    scene.ledger.now_s = T_B
    scene.cost(HOUSES[2], council.waive(scene.deals["in"][2], CAP_WH - 1, HOUSES[2]))
    gas = scene.of("relayer", [council.refund(deal, [council.delivered(rows, deal)])])
    scene.ledger.restore(place)
    return gas


if __name__ == "__main__":
    main()
