"""
Two microgrids' ledgers and a grid operator's cell: real Applications, blocks and transactions.
Only the light client is a fake: what it is shown is read from the other ledger's own store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fakes.light_client import CONSENSUS, STATE, FakeLightClient, header, prove
from fakes.microgrid import key
from fakes.trade_records import (
    CLIENT,
    NETWORK_EPOCH,
    PRICE_IN,
    PRICE_OUT,
    START_S,
    TAU,
    Bargain,
    D,
    S,
    allocate,
    make_local_trade,
    make_mandate,
    make_order,
    make_trade,
    make_verdict,
    prove_leaves,
)
from tieline.contract.assembly import microgrid_installation
from tieline.contract.block import Application
from tieline.contract.books import Books, audit_books
from tieline.contract.genesis import Genesis, Parameters
from tieline.contract.installation import Installation
from tieline.contract.keys import lock_key, order_key, vault_key
from tieline.contract.records import (
    LockRecord,
    OrderRecord,
    decode_amount,
    decode_lock,
    decode_order,
)
from tieline.contract.results import BlockInput, TxResult
from tieline.contract.state_tree import HashChain
from tieline.contract.store import IBC, TIELINE
from tieline.contract.terms import lock_id_in, lock_id_local, lock_id_out
from tieline.protocol import commitment
from tieline.protocol.height import Height
from tieline.protocol.messages import (
    AcknowledgePacket,
    AnyMessage,
    CreateClient,
    RecvPacket,
    RegisterCounterparty,
    TimeoutPacket,
    UpdateClient,
)
from tieline.protocol.packet import Acknowledgement, Packet
from tieline.swap.messages import (
    MsgApplyVerdict,
    MsgClaim,
    MsgCollectShare,
    MsgLockAndSend,
    MsgOpenLocal,
    MsgPlaceOrders,
    MsgPostCellSet,
    MsgPostClearing,
    MsgPostDelivery,
    MsgSetBands,
    MsgSetMandate,
    MsgTradeEvidence,
    ProvedDeliveryLeaf,
)
from tieline.swap.records import (
    LOCAL_CLIENT,
    ZERO_HASH,
    Allocation,
    CellSet,
    Clearing,
    Decision,
    Delivery,
    DeliveryLeaf,
    EnergyTrade,
    Level,
    LocalTrade,
    Order,
    OwnLeaf,
    Reason,
    RegistryRow,
    Role,
    Side,
    SignedOrder,
    TradeEvidence,
    Verdict,
    VerdictLeaf,
)
from tieline.wire import ids
from tieline.wire.abi import (
    encode_delivery_leaf,
)
from tieline.wire.codec import build_transaction, decode_acknowledgement, decode_packet
from tieline.wire.hashes import keccak, sha256, tag
from tieline.wire.keys import SecpKey
from tieline.wire.merkle import MerkleTree
from tieline.wire.typed_data import domain_separator, sign_record

NETWORK_ID = b"\xee" * 32
DOMAIN = domain_separator(NETWORK_ID)
GRID_TAG = b"\x0c" * 32
CELLS = ("cell a", "cell b", "cell grid")
BOND_PRICE = 20_000
MONEY = 10**15


def account(name: str) -> bytes:
    """The account of a name's key."""
    return key(name).cosmos_account


def cell_keys(names: Sequence[str] = CELLS) -> list[SecpKey]:
    """Keys of cells, ascending by address."""
    return sorted((key(name) for name in names), key=lambda cell: cell.address)


def signed_by(record: Any, names: Sequence[str] = CELLS) -> tuple[bytes, ...]:
    """Signatures of cells over a record, ascending by address."""
    return tuple(sign_record(cell, DOMAIN, record) for cell in cell_keys(names))


def fake_installation() -> Installation:
    """What a microgrid's ledger runs, over the light client without cryptography."""
    return replace(microgrid_installation(), light_clients=(FakeLightClient(),))


@dataclass
class TradeLedger:
    """One microgrid's ledger with its cell, a connector, a relayer and households."""

    chain_id: str
    cell: str
    names: tuple[str, ...]
    parameters: Parameters = field(default_factory=lambda: Parameters(vault_shards=2))
    now_s: int = START_S
    kind: str = "cometbft"

    def __post_init__(self) -> None:
        names = (*self.names, self.cell, "connector", "relayer")
        self.genesis = Genesis(
            chain_id=self.chain_id,
            kind=self.kind,
            network_id=NETWORK_ID,
            cell_address=key(self.cell).address,
            founding_cells=tuple(cell.address for cell in cell_keys()),
            balances=tuple(sorted((account(name), MONEY) for name in names)),
            vaults=((account("connector"), MONEY),),
            parameters=self.parameters,
        )
        self.installed = fake_installation()
        self.app = Application(
            self.genesis, tree=HashChain(), installation=self.installed, record_access=True
        )
        self.sequences: dict[str, int] = {}
        self.client_height = 10
        self.block()
        self.issued = self.books().total

    @property
    def tag(self) -> bytes:
        """Chain tag."""
        return self.app.chain_tag

    def transaction(self, name: str, *messages: object) -> bytes:
        """Sign messages as the next transaction of a name."""
        sequence = self.sequences.get(name, 0)
        self.sequences[name] = sequence + 1
        return build_transaction(
            messages, key(name), self.chain_id, 0, sequence, gas_limit=90_000_000
        )

    def block(self, *transactions: bytes) -> tuple[TxResult, ...]:
        """Run and commit one block at ``now_s``."""
        height = self.app.height + 1
        result = self.app.finalize_block(
            BlockInput(height, self.now_s * 10**9, self.header_hash(height), transactions)
        )
        self.app.commit()
        return result.tx_results

    def header_hash(self, height: int) -> bytes:
        """What a block's header would hash to."""
        return sha256(self.chain_id.encode() + height.to_bytes(8, "big"))

    def run(self, name: str, *messages: object, at: int | None = None) -> TxResult:
        """Run messages as one transaction in a block of its own; books must balance after it."""
        if at is not None:
            self.now_s = at
        result = self.block(self.transaction(name, *messages))[0]
        books = self.books()
        assert books.total == self.issued
        assert books.are_vouchers_conserved
        return result

    def must(self, name: str, *messages: object, at: int | None = None) -> TxResult:
        """Run messages that have to succeed."""
        result = self.run(name, *messages, at=at)
        assert result.code == 0, result.log
        return result

    def attempt(self, name: str, *messages: object, at: int | None = None) -> TxResult:
        """Run messages as one transaction and forget the block: the ledger stays as it was."""
        sequence = self.sequences.get(name, 0)
        try:
            raw = self.transaction(name, *messages)
        finally:
            self.sequences[name] = sequence
        time_s = self.now_s if at is None else at
        block = BlockInput(self.app.height + 1, time_s * 10**9, bytes(32), (raw,))
        return self.app.finalize_block(block).tx_results[0]

    def books(self) -> Books:
        """Where the money is."""
        return audit_books(lambda prefix: self.app.scan(TIELINE, prefix))

    def pay(self, name_or_account: str | bytes) -> int:
        """Spendable PAY."""
        who = account(name_or_account) if isinstance(name_or_account, str) else name_or_account
        value = self.app.query(TIELINE, b"a" + who + b"\x00")
        return 0 if value is None else decode_amount(value)

    def vault(self, who: bytes) -> int:
        """Unreserved money in a vault."""
        shards = range(self.parameters.vault_shards)
        values = (self.app.query(TIELINE, vault_key(who, shard)) for shard in shards)
        return sum(decode_amount(value) for value in values if value is not None)

    def lock(self, lock_id: bytes) -> LockRecord:
        """A stored lock."""
        value = self.app.query(TIELINE, lock_key(lock_id))
        assert value is not None
        return decode_lock(value)

    def order(self, identifier: bytes) -> OrderRecord:
        """A stored order."""
        value = self.app.query(TIELINE, order_key(identifier))
        assert value is not None
        return decode_order(value)

    def open_client(self) -> None:
        """Create and pair the client of the other ledger."""
        signer = account(self.cell)
        state = AnyMessage(STATE, self.client_height.to_bytes(8, "big"))
        consensus = AnyMessage(CONSENSUS, (self.now_s * 10**9).to_bytes(8, "big"))
        self.must(self.cell, CreateClient(signer, state, consensus))
        self.must(self.cell, RegisterCounterparty(signer, CLIENT, CLIENT, (b"ibc", b"")))

    def update_client(self, other: TradeLedger) -> Height:
        """Learn of the other ledger's present time; return the height to prove under."""
        self.client_height += 1
        news = header(self.client_height, other.now_s)
        self.must("relayer", UpdateClient(account("relayer"), CLIENT, news))
        return Height(0, self.client_height)


def events(result: TxResult, kind: str) -> list[dict[str, str]]:
    """All events of a type."""
    return [dict(event.attributes) for event in result.events if event.type == kind]


@dataclass(frozen=True)
class Position:
    """A trade between ledgers, with everything that goes beside it."""

    trade: EnergyTrade
    preimage: bytes
    clearing: Clearing
    buys: tuple[OwnLeaf, ...]
    sells: tuple[OwnLeaf, ...]
    clearing_proof: tuple[bytes, ...] = ()

    def evidence(self, side: Side) -> TradeEvidence:
        """What goes beside the trade on one ledger."""
        own = self.buys if side is Side.BUY else self.sells
        return TradeEvidence(self.trade.trade_id, self.clearing_proof, own)

    @property
    def lock_in(self) -> bytes:
        """The source's lock id."""
        return lock_id_in(self.trade)

    @property
    def lock_out(self) -> bytes:
        """The destination's lock id."""
        return lock_id_out(self.trade)


@dataclass(frozen=True)
class LocalPosition:
    """An INTRA trade with everything that goes beside it."""

    trade: LocalTrade
    preimage: bytes
    clearing: Clearing
    leaves: tuple[OwnLeaf, ...]
    lock_id: bytes

    @property
    def evidence(self) -> TradeEvidence:
        """What goes beside the trade."""
        return TradeEvidence(self.trade.trade_id, (), self.leaves)


class TradeWorld:
    """Ledgers a and b, paired, with one cell set of three cells and an open book."""

    def __init__(self, **rules: Parameters) -> None:
        self.a = self.open_ledger("tieline-a-1", "cell a", ("ann", "amy", "abe", "sol"), **rules)
        self.b = self.open_ledger("tieline-b-1", "cell b", ("bob", "ben", "bea"), **rules)
        rows = [
            RegistryRow(key("cell a").address, self.a.tag, Role.MICROGRID),
            RegistryRow(key("cell b").address, self.b.tag, Role.MICROGRID),
            RegistryRow(key("cell grid").address, GRID_TAG, Role.GRID),
        ]
        self.rows = tuple(sorted(rows, key=lambda row: row.cell))
        cells = tuple(row.cell for row in self.rows)
        self.cell_set_id = ids.cell_set_id(NETWORK_ID, NETWORK_EPOCH, 1, cells)
        self.cell_set = CellSet(
            ZERO_HASH, NETWORK_EPOCH, 1, ids.cells_hash(cells), ids.registry_hash(self.rows), 900
        )
        for ledger in (self.a, self.b):
            signer = account("relayer")
            ledger.must(
                "relayer",
                MsgPostCellSet(signer, self.cell_set, self.rows, signed_by(self.cell_set)),
            )
            ledger.open_client()
            ledger.must(
                ledger.cell,
                MsgSetBands(account(ledger.cell), S, 900, 50_000, 500_000, BOND_PRICE),
            )
        self.b.must("connector", self.mandate())
        self.nonce = 0

    def open_ledger(
        self, chain_id: str, cell: str, names: tuple[str, ...], **rules: Parameters
    ) -> TradeLedger:
        """One of the two ledgers, at height 1."""
        return TradeLedger(chain_id, cell, names, **rules)

    def ledger_of(self, tag_: bytes) -> TradeLedger:
        """The ledger with a tag."""
        return self.a if tag_ == self.a.tag else self.b

    def mandate(self, **change: Any) -> MsgSetMandate:
        """The connector's permission on b, for packets from a."""
        connector = account("connector")
        mandate = make_mandate(self.b.tag, self.a.tag, connector, CLIENT, **change)
        return MsgSetMandate(connector, mandate, sign_record(key("connector"), DOMAIN, mandate))

    # --- orders -------------------------------------------------------------------------------

    def order(self, name: str, side: Side, wh: int, **change: Any) -> Order:
        """An order of a name on its ledger; not placed."""
        ledger = self.a if name in self.a.names else self.b
        self.nonce += 1
        made = {"nonce": self.nonce, **change}
        return make_order(ledger.tag, account(name), f"{name} meter", side, wh, **made)

    def sign(self, name: str, order: Order) -> SignedOrder:
        """An order with its account's signature."""
        return SignedOrder(order, sign_record(key(name), DOMAIN, order))

    def place(self, name: str, side: Side, wh: int, **change: Any) -> Order:
        """Place an order."""
        order = self.order(name, side, wh, **change)
        ledger = self.a if name in self.a.names else self.b
        message = MsgPlaceOrders(account("relayer"), (self.sign(name, order),))
        ledger.must("relayer", message)
        return order

    # --- trades -------------------------------------------------------------------------------

    def position(
        self,
        buys: Sequence[tuple[Order, int]],
        sells: Sequence[tuple[Order, int]],
        preimage: bytes = b"\x5e" * 32,
        *,
        level: Level = Level.INTER,
        slot_length: int = 900,
        source_tag: bytes | None = None,
        forge: Callable[[Allocation], Allocation] = lambda leaf: leaf,
        **change: Any,
    ) -> Position:
        """
        Clear a trade from a to b. Named arguments go into the ids; *change* spoils fields that the
        trade id does not cover.
        """
        source = self.a.tag if source_tag is None else source_tag
        bargain = Bargain(source, self.b.tag, buys, sells, preimage, level, slot_length)
        root, leaves = allocate([(PRICE_IN, buys), (PRICE_OUT, sells)], forge)
        trade = make_trade(bargain, root, self.cell_set_id, account("connector"), **change)
        return Position(
            trade,
            preimage,
            self.clearing(trade.clearing_root, Level.INTER, slot_length),
            tuple(leaf for leaf in leaves if leaf.allocation.price == PRICE_IN),
            tuple(leaf for leaf in leaves if leaf.allocation.price == PRICE_OUT),
        )

    def clearing(self, root: bytes, level: Level, slot_length: int = 900) -> Clearing:
        """A sealed clearing of the slot."""
        return Clearing(self.cell_set_id, 1, S, slot_length, level, keccak(b"orders"), root)

    def post_clearing(self, clearing: Clearing) -> MsgPostClearing:
        """A clearing with its signatures."""
        return MsgPostClearing(account("relayer"), clearing, signed_by(clearing))

    def send_messages(self, position: Position) -> tuple[MsgTradeEvidence, MsgLockAndSend]:
        """Evidence and lock of a trade, one transaction of cell a."""
        cell = account("cell a")
        return (
            MsgTradeEvidence(cell, position.evidence(Side.BUY)),
            MsgLockAndSend(cell, CLIENT, TAU, (position.trade,)),
        )

    def send(self, position: Position, at: int = TAU - 170) -> Packet:
        """Post the clearing, lock and send on a."""
        self.a.must("relayer", self.post_clearing(position.clearing))
        result = self.a.must("cell a", *self.send_messages(position), at=at)
        (sent,) = events(result, "send_packet")
        return decode_packet(bytes.fromhex(sent["encoded_packet_hex"]))

    def receive_messages(
        self, position: Position, packet: Packet, lane: str = "relayer"
    ) -> tuple[MsgTradeEvidence, RecvPacket]:
        """Evidence and packet, with what ledger a's own store holds as proof."""
        height = self.b.update_client(self.a)
        source_key = commitment.packet_commitment_key(packet.source_client, packet.sequence)
        value = self.a.app.query(IBC, source_key)
        assert value is not None
        proof = prove(height.revision_height, (b"ibc", source_key), value)
        return (
            MsgTradeEvidence(account(lane), position.evidence(Side.SELL)),
            RecvPacket(account(lane), packet, proof, height),
        )

    def receive(self, position: Position, packet: Packet, at: int = TAU - 60) -> TxResult:
        """Receive on b."""
        self.b.now_s = at
        self.b.must("relayer", self.post_clearing(position.clearing))
        return self.b.must("relayer", *self.receive_messages(position, packet))

    def acknowledge(self, packet: Packet, at: int = D) -> TxResult:
        """Carry b's answer to a."""
        self.a.now_s = max(at, self.a.now_s)
        height = self.a.update_client(self.b)
        dest_key = commitment.acknowledgement_key(packet.destination_client, packet.sequence)
        value = self.b.app.query(IBC, dest_key)
        assert value is not None
        proof = prove(height.revision_height, (b"ibc", dest_key), value)
        answer = self.answer
        assert commitment.commit_acknowledgement(answer) == value
        return self.a.must(
            "relayer", AcknowledgePacket(account("relayer"), packet, answer, proof, height)
        )

    def note_answer(self, result: TxResult) -> None:
        """Remember the acknowledgement that a transaction on b wrote."""
        (written,) = events(result, "write_acknowledgement")
        self.answer: Acknowledgement = decode_acknowledgement(
            bytes.fromhex(written["encoded_acknowledgement_hex"])
        )

    def time_out(self, packet: Packet) -> TxResult:
        """Carry proof of absence from b to a."""
        height = self.a.update_client(self.b)
        dest_key = commitment.packet_receipt_key(packet.destination_client, packet.sequence)
        assert self.b.app.query(IBC, dest_key) is None
        proof = prove(height.revision_height, (b"ibc", dest_key), None)
        return self.a.run("relayer", TimeoutPacket(account("relayer"), packet, proof, height))

    # --- verdicts and statements ---------------------------------------------------------------

    def owners(self, *names: str) -> int:
        """Bits of cells."""
        cells = [row.cell for row in self.rows]
        return sum(1 << cells.index(key(name).address) for name in names)

    def leaf(self, position: Position, packet: Packet, **change: Any) -> VerdictLeaf:
        """An accept of a received trade, a group of its own."""
        leaf = VerdictLeaf(
            dest_chain_tag=self.b.tag,
            dest_client=tag(CLIENT),
            sequence=packet.sequence,
            packet_commitment=commitment.commit_packet(packet),
            trade_id=position.trade.trade_id,
            decision=Decision.ACCEPT,
            cap_wh=position.trade.energy_wh,
            reason=Reason.NONE,
            group=1,
            group_size=1,
            owners=self.owners(*CELLS),
        )
        return replace(leaf, **change)

    def local_leaf(self, local: LocalPosition, **change: Any) -> VerdictLeaf:
        """An accept of an INTRA trade on a, group 2."""
        leaf = VerdictLeaf(
            dest_chain_tag=self.a.tag,
            dest_client=tag(LOCAL_CLIENT),
            sequence=0,
            packet_commitment=local.trade.trade_id,
            trade_id=local.trade.trade_id,
            decision=Decision.ACCEPT,
            cap_wh=local.trade.energy_wh,
            reason=Reason.NONE,
            group=2,
            group_size=1,
            owners=self.owners("cell a", "cell grid"),
        )
        return replace(leaf, **change)

    def verdict(self, leaves: Sequence[VerdictLeaf], **change: Any) -> Verdict:
        """A verdict over leaves."""
        return make_verdict(self.cell_set_id, leaves, **change)

    def apply_verdict(
        self,
        leaves: Sequence[VerdictLeaf],
        apply: Sequence[VerdictLeaf] | None = None,
        names: Sequence[str] = CELLS,
        lane: str = "relayer",
    ) -> MsgApplyVerdict:
        """A signed verdict with some of its leaves (all unless said otherwise)."""
        verdict = self.verdict(leaves)
        proved = prove_leaves(leaves, apply)
        return MsgApplyVerdict(
            account(lane), S, verdict.decisions_root, proved, verdict, signed_by(verdict, names)
        )

    def delivery(
        self,
        delivered: Sequence[tuple[bytes, int]],
        names: Sequence[str] = CELLS,
        **change: Any,
    ) -> MsgPostDelivery:
        """A signed statement: (trade id, Wh) a leaf."""
        leaves = [DeliveryLeaf(*pair) for pair in delivered]
        root = MerkleTree([encode_delivery_leaf(leaf) for leaf in leaves]).root
        statement = Delivery(
            self.cell_set_id, 1, S, 900, ZERO_HASH, ZERO_HASH, ZERO_HASH, ZERO_HASH, root
        )
        statement = replace(statement, **change)
        return MsgPostDelivery(account("relayer"), statement, signed_by(statement, names))

    def delivery_leaf(
        self, delivered: Sequence[tuple[bytes, int]], trade_id: bytes, index: int = 0
    ) -> ProvedDeliveryLeaf:
        """A leaf of such a statement."""
        leaves = [DeliveryLeaf(*pair) for pair in delivered]
        tree = MerkleTree([encode_delivery_leaf(leaf) for leaf in leaves])
        (leaf,) = [leaf for leaf in leaves if leaf.trade_id == trade_id]
        return ProvedDeliveryLeaf(leaf, tree.proof(encode_delivery_leaf(leaf)), index)

    def second_cell_set(self, from_slot: int) -> tuple[bytes, MsgPostCellSet]:
        """The same cells again as the set of later slots, with its id."""
        cells = tuple(row.cell for row in self.rows)
        record = replace(self.cell_set, previous=self.cell_set_id, epoch=2, from_slot=from_slot)
        identifier = ids.cell_set_id(NETWORK_ID, NETWORK_EPOCH, 2, cells)
        return identifier, MsgPostCellSet(account("relayer"), record, self.rows, signed_by(record))

    def claim(self, lock_id: bytes, preimage: bytes, trade_id: bytes, wh: int) -> MsgClaim:
        """A claim under a statement of one leaf."""
        leaf = self.delivery_leaf([(trade_id, wh)], trade_id)
        return self.claim_of(lock_id, preimage, leaf)

    def claim_of(
        self, lock_id: bytes, preimage: bytes, leaf: ProvedDeliveryLeaf, lane: str = "relayer"
    ) -> MsgClaim:
        """A claim with a leaf of any statement."""
        return MsgClaim(account(lane), lock_id, preimage, leaf)

    def shares(self, lock_id: bytes, side: Side, leaves: Sequence[OwnLeaf]) -> list[object]:
        """One collect a leaf, ascending."""
        return [
            MsgCollectShare(account("relayer"), lock_id, side, own.allocation, own.proof)
            for own in leaves
        ]

    # --- INTRA --------------------------------------------------------------------------------

    def local_position(
        self,
        buys: Sequence[tuple[Order, int]],
        sells: Sequence[tuple[Order, int]],
        price: int = 180_000,
        preimage: bytes = b"\x60" * 32,
        **change: Any,
    ) -> LocalPosition:
        """Clear an INTRA trade on a."""
        bargain = Bargain(self.a.tag, self.a.tag, buys, sells, preimage, Level.INTRA)
        root, leaves = allocate([(price, buys), (price, sells)])
        trade = make_local_trade(bargain, root, self.cell_set_id, price, **change)
        return LocalPosition(
            trade,
            preimage,
            self.clearing(trade.clearing_root, Level.INTRA),
            tuple(leaves),
            lock_id_local(self.a.tag, trade),
        )

    def open_local(self, local: LocalPosition, at: int = TAU - 170) -> TxResult:
        """Open an INTRA lock on a."""
        cell = account("cell a")
        self.a.must("relayer", self.post_clearing(local.clearing))
        return self.a.must(
            "cell a",
            MsgTradeEvidence(cell, local.evidence),
            MsgOpenLocal(cell, local.trade),
            at=at,
        )
