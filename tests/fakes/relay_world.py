"""
A hub between two ledgers: the real relayer, journal and contract; a board that tests write on, and
a clock that tests turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from fakes.relay_ledger import RelayLedger
from fakes.trade_records import CLIENT, T_A, T_B, TAU, D, E, S
from fakes.trade_world import DOMAIN, MONEY, Position, TradeWorld, account, signed_by
from tieline.audit.signatures import signer_bits
from tieline.contract.store import IBC
from tieline.hub.attestor_pool import AttestorPool
from tieline.hub.journal_sql import SqlJournal
from tieline.hub.proof_form import PlainForm
from tieline.hub.prover import ClientTerms, Prover
from tieline.hub.runner import Runner, StepReport
from tieline.hub.settings import RunnerSettings
from tieline.interfaces.bulletin import (
    PublishedCellSet,
    PublishedClearing,
    PublishedDelivery,
    PublishedLeaf,
    PublishedVerdict,
    SidedLeaf,
    VerdictGroup,
)
from tieline.protocol.packet import Packet
from tieline.relay.route import Endpoint, LedgerTerms, Route, Topology
from tieline.relay.view import RelayView
from tieline.swap.lock import LockStatus
from tieline.swap.messages import MsgSend
from tieline.swap.records import Decision, DeliveryLeaf, Side, TradeEvidence, VerdictLeaf
from tieline.wire.abi import encode_delivery_leaf
from tieline.wire.codec import decode_packet
from tieline.wire.hashes import sha256
from tieline.wire.merkle import MerkleTree
from tieline.wire.typed_data import struct_hash

SECRET = b"\x5e" * 32
LANES = ("lane one", "lane two")

__all__ = ["CLIENT", "MONEY", "SECRET", "TAU", "T_A", "T_B", "D", "E", "RelayWorld", "S"]


class Crash(BaseException):
    """The process ends here, whatever it was doing."""


@dataclass
class Board:
    """Fits ``Bulletin``; what tests put on it is published."""

    revision: int = 0
    sets: list[PublishedCellSet] = field(default_factory=list)
    sealed: dict[int, list[PublishedClearing]] = field(default_factory=dict)
    evidences: dict[tuple[bytes, bytes], TradeEvidence] = field(default_factory=dict)
    shares: dict[bytes, list[SidedLeaf]] = field(default_factory=dict)
    verdicts: dict[int, PublishedVerdict] = field(default_factory=dict)
    statements: dict[int, list[PublishedDelivery]] = field(default_factory=dict)
    preimages: dict[bytes, bytes] = field(default_factory=dict)

    def note(self) -> None:
        self.revision += 1

    def cell_sets(self) -> Sequence[PublishedCellSet]:
        return self.sets

    def clearings(self, slot_start: int) -> Sequence[PublishedClearing]:
        return self.sealed.get(slot_start, ())

    def evidence(self, trade_id: bytes, chain_tag: bytes) -> TradeEvidence | None:
        return self.evidences.get((trade_id, chain_tag))

    def allocations(self, trade_id: bytes) -> Sequence[SidedLeaf]:
        return self.shares.get(trade_id, ())

    def verdict(self, slot_start: int) -> PublishedVerdict | None:
        return self.verdicts.get(slot_start)

    def deliveries(self, slot_start: int) -> Sequence[PublishedDelivery]:
        return self.statements.get(slot_start, ())

    def preimage(self, trade_id: bytes) -> bytes | None:
        return self.preimages.get(trade_id)

    def slots(self) -> Sequence[int]:
        return sorted({*self.sealed, *self.verdicts, *self.statements})


@dataclass
class HandClock:
    """Stands where it was put."""

    now: int = 0

    def now_s(self) -> int:
        return self.now


class RelayWorld:
    """Ledgers a and b with a relayer between; ``rounds`` lets blocks and the relayer take turns."""

    def __init__(
        self,
        *,
        journal_url: str = "sqlite://",
        lanes: Sequence[str] = LANES,
        trades: TradeWorld | None = None,
        provable_every: int = 1,
    ) -> None:
        self.trades = trades or TradeWorld()
        self.a = RelayLedger(self.trades.a, provable_every=provable_every)
        self.b = RelayLedger(self.trades.b, provable_every=provable_every)
        self.ledgers = {ledger.ledger_id: ledger for ledger in (self.a, self.b)}
        self.board = Board()
        self.clock = HandClock(self.trades.a.now_s)
        self.lanes = tuple(lanes)
        self.journal_url = journal_url
        for ledger in self.ledgers.values():
            for lane in LANES:
                ledger.inner.must("relayer", MsgSend(account("relayer"), account(lane), 10**6))
            # The fake clients were born knowing height 10.
            while ledger.inner.app.height < 11:
                ledger.produce()
        terms = [
            LedgerTerms(ledger.ledger_id, ledger.inner.tag) for ledger in self.ledgers.values()
        ]
        self.end_a = Endpoint(self.a.ledger_id, CLIENT)
        self.end_b = Endpoint(self.b.ledger_id, CLIENT)
        self.topology = Topology(terms, [Route(self.end_a, self.end_b)])
        self.journal = SqlJournal(journal_url)
        self.crashes = 0
        self.loses_journal = False
        self.start()

    def start(self) -> None:
        """Start a relayer that remembers nothing but the journal."""
        view = RelayView(self.topology)
        clients = {
            end: ClientTerms(PlainForm())
            for route in self.topology.routes
            for end in (route.first, route.second)
        }
        self.runner = Runner(
            view=view,
            ledgers=self.ledgers,
            bulletin=self.board,
            prover=Prover(view, self.ledgers, clients, AttestorPool(())),
            journal=self.journal,
            clock=self.clock,
            settings=RunnerSettings(
                lanes=dict.fromkeys(self.ledgers, self.lanes),
                resume_save_rounds=1,
                inclusion_blocks_max=3,
            ),
        )
        asyncio.run(self.runner.start())

    def step(self) -> StepReport | None:
        """One step of the relayer. If it crashes in it, a new one starts."""
        try:
            return asyncio.run(self.runner.step())
        except Crash:
            self.crashes += 1
            if self.loses_journal:
                self.journal = SqlJournal("sqlite://")
            self.start()
            return None

    def rounds(self, count: int = 1, *, at: int | None = None) -> None:
        """Let *count* blocks pass on each ledger, five seconds apart, a step after each."""
        if at is not None:
            self.clock.now = max(self.clock.now, at)
        for _ in range(count):
            for ledger in self.ledgers.values():
                ledger.produce(self.clock.now)
            self.step()
            self.clock.now += 5

    # --- the cells' part ----------------------------------------------------------------------

    def pooled(self, preimage: bytes = SECRET, wh: int = 5000) -> Position:
        """Two buyers on a, two sellers on b; orders placed, clearing sealed and published."""
        trades = self.trades
        buys = [(trades.place(name, Side.BUY, wh), wh) for name in ("ann", "amy")]
        sells = [(trades.place(name, Side.SELL, wh), wh) for name in ("bob", "ben")]
        return self.publish(trades.position(buys, sells, preimage))

    def publish(self, position: Position) -> Position:
        """Publish what the cells sealed about a position."""
        trade_id = position.trade.trade_id
        signatures = signed_by(position.clearing)
        tags = (self.a.inner.tag, self.b.inner.tag)
        published = PublishedClearing(position.clearing, signatures, tags)
        self.board.sealed.setdefault(S, []).append(published)
        self.board.evidences[trade_id, tags[0]] = position.evidence(Side.BUY)
        self.board.evidences[trade_id, tags[1]] = position.evidence(Side.SELL)
        self.board.shares[trade_id] = [
            *(SidedLeaf(1, leaf) for leaf in position.buys),
            *(SidedLeaf(2, leaf) for leaf in position.sells),
        ]
        self.board.note()
        return position

    def send(self, position: Position) -> Packet:
        """Cell a locks and sends."""
        result = self.a.inner.must("cell a", *self.trades.send_messages(position))
        (sent,) = [event for event in result.events if event.type == "send_packet"]
        return decode_packet(bytes.fromhex(sent.get("encoded_packet_hex")))

    def judge(self, leaves: Sequence[VerdictLeaf]) -> None:
        """Publish the cells' verdict."""
        message = self.trades.apply_verdict(leaves)
        assert message.verdict is not None
        groups: dict[tuple[bytes, int, int], list] = {}
        for place, proved in enumerate(message.leaves):
            leaf = proved.leaf
            refusal = place if leaf.decision == Decision.REFUSE else -1
            groups.setdefault((leaf.dest_chain_tag, leaf.group, refusal), []).append(proved)
        self.board.verdicts[S] = PublishedVerdict(
            message.verdict,
            message.signatures,
            struct_hash(message.verdict),
            tuple(
                VerdictGroup(chain_tag, group, tuple(members))
                for (chain_tag, group, _), members in groups.items()
            ),
        )
        self.board.note()

    def deliver(self, delivered: Sequence[tuple[bytes, int]], **change: object) -> None:
        """Publish a delivery statement."""
        message = self.trades.delivery(delivered, **change)
        leaves = [DeliveryLeaf(*pair) for pair in delivered]
        tree = MerkleTree([encode_delivery_leaf(leaf) for leaf in leaves])
        published = tuple(
            PublishedLeaf(leaf, tree.proof(encode_delivery_leaf(leaf))) for leaf in leaves
        )
        cells = tuple(row.cell for row in self.trades.rows)
        signers = signer_bits(DOMAIN, message.delivery, message.signatures, cells)
        statement = PublishedDelivery(message.delivery, message.signatures, published, signers)
        self.board.statements.setdefault(S, []).append(statement)
        self.board.note()

    def reveal(self, position: Position) -> None:
        """The seller shows its preimage."""
        self.board.preimages[position.trade.trade_id] = position.preimage
        self.board.note()

    # --- whole stories ------------------------------------------------------------------------

    def play(self) -> Position:
        """A pooled trade from clearing to the last share, with time for retries in each phase."""
        position = self.pooled()
        self.rounds(7, at=S - 600)
        packet = self.send(position)
        self.rounds(10)
        self.judge([self.trades.leaf(position, packet, cap_wh=7500)])
        self.rounds(10, at=TAU)
        self.deliver([(position.trade.trade_id, 7200)])
        self.reveal(position)
        self.rounds(10, at=E + 300)
        self.rounds(10, at=T_B)
        self.rounds(10, at=T_A)
        return position

    def assert_settled(self, position: Position, paid_wh: int) -> None:
        """Both legs ended with the same Wh, nothing is held anywhere, nothing is under way."""
        for ledger, lock_id in ((self.a, position.lock_in), (self.b, position.lock_out)):
            lock = ledger.inner.lock(lock_id)
            assert lock.status in {LockStatus.CLOSED, LockStatus.REFUSED}
            assert lock.paid_wh == paid_wh
            books = ledger.inner.books()
            assert (books.total, books.escrows, books.locks) == (ledger.inner.issued, 0, 0)
            assert not ledger.inner.app.scan(IBC, CLIENT.encode() + b"\x01"), "commitments left"
        assert not self.journal.open_intents()
        assert not self.journal.journeys()


def secret(number: int) -> bytes:
    """A preimage of its own for every number."""
    return sha256(b"preimage %d" % number)
