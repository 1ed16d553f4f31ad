"""
The trade world with a real stock chain in the place of one ledger: a simapp process whose clock the
world drives, and beside it a ledger of ours whose blocks four validators sign. No light client is a
fake here; proofs and headers go both ways.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fakes import trade_world, transfer_world
from fakes.driven import finish
from fakes.microgrid import key
from fakes.stock_chain import NEUR, QUICK
from fakes.trade_world import (
    BOND_PRICE,
    GRID_TAG,
    MONEY,
    NETWORK_EPOCH,
    NETWORK_ID,
    START_S,
    S,
    TradeLedger,
    account,
    cell_keys,
    signed_by,
)
from fakes.transfer_world import RELAYER, TransferWorld
from tieline.contract.assembly import microgrid_installation
from tieline.contract.block import Application
from tieline.contract.genesis import Genesis
from tieline.interfaces.errors import NotYet, Rejected
from tieline.interfaces.ledger import StoredValue, TxEvents
from tieline.ledgers.cosmos.ledger import CosmosLedger
from tieline.ledgers.cosmos.process import StockChain
from tieline.ledgers.tendermint.clock_file import ClockFile
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.protocol import commitment
from tieline.protocol.denom import escrow_account
from tieline.protocol.messages import (
    AcknowledgePacket,
    CreateClient,
    RecvPacket,
    RegisterCounterparty,
    TimeoutPacket,
    UpdateClient,
)
from tieline.protocol.packet import Acknowledgement, Packet
from tieline.swap.messages import MsgPostCellSet, MsgSetBands, MsgSetStockChain
from tieline.swap.records import ZERO_HASH, CellSet, RegistryRow, Role
from tieline.wire import ids
from tieline.wire.hashes import keccak, sha256

CLIENT = "07-tendermint-0"
"""The client of the other one, on both."""
WAIT_S = 30.0


@dataclass
class OurLedger(TradeLedger):
    """A trade ledger with real headers. Its time moves a second with every block."""

    def __post_init__(self) -> None:
        names = (*self.names, self.cell, "connector", "relayer")
        self.genesis = Genesis(
            chain_id=self.chain_id,
            network_id=NETWORK_ID,
            cell_address=key(self.cell).address,
            founding_cells=tuple(cell.address for cell in cell_keys()),
            balances=tuple(sorted((account(name), MONEY) for name in names)),
            vaults=((account("connector"), MONEY),),
            parameters=self.parameters,
        )
        installed = microgrid_installation((TendermintClient(),))
        self.app = Application(self.genesis, installation=installed)
        seeds = [sha256(f"validator {n}".encode()) for n in range(4)]
        self.chain = EmbeddedTendermint(self.genesis, seeds, application=self.app)
        self.sequences: dict[str, int] = {}
        self.made_s = 0
        self.block()
        self.block()
        self.trusted_height = 2
        self.issued = self.books().total

    def run(self, name: str, *messages: object, at: int | None = None) -> Any:
        self.signer = name
        return super().run(name, *messages, at=at)

    def block(self, *transactions: bytes) -> tuple[TxEvents, ...]:
        for raw in transactions:
            self.chain.broadcast(raw, key(self.signer).public_key)
        self.now_s = self.made_s = max(self.now_s, self.made_s + 1)
        assert self.chain.produce_block(self.now_s, is_deadline=True)
        height = finish(self.chain.latest_height())
        (made,) = finish(self.chain.blocks_after(height - 1))
        return made.transactions

    def open_client(self) -> None:
        pass

    def states(self) -> Any:
        return self.chain.client_states(self.trusted_height)

    def show(self, stored_key: bytes) -> tuple[Any, StoredValue]:
        """The header that proves a key, and the proof, as of the last block."""
        height = finish(self.chain.latest_height())
        self.block()
        entry = finish(self.chain.prove(stored_key, height))
        return finish(self.chain.header(height + 1, self.trusted_height)), entry


@dataclass
class StockSide:
    """A stock chain where the world expects a ledger."""

    folder: Path
    cell: str
    names: tuple[str, ...]
    chain_id: str = "stock-1"
    now_s: int = START_S
    tag: bytes = field(default=keccak(b"stock-1"))

    def __post_init__(self) -> None:
        lanes = (*self.names, "relayer")
        coins = {"stake": 10**12, NEUR: MONEY}
        self.clock = ClockFile(self.folder / "clock")
        self.clock.move_to(self.now_s * 10**9)
        self.process = StockChain(
            self.chain_id,
            self.folder / "home",
            dict.fromkeys(map(account, lanes), coins),
            pace=QUICK,
            clock_file=self.clock.path,
            genesis_time_ns=self.now_s * 10**9,
        )
        self.process.start()
        self.ledger = CosmosLedger(self.chain_id, self.process.rpc)
        for name in lanes:
            self.ledger.add_lane(name, key(name))
        self.trusted_height = finish(self.ledger.latest_height())

    def stop(self) -> None:
        self.ledger.close()
        self.process.stop()
        self.clock.close()

    def pass_until(self, time_s: int) -> None:
        """Move the clock, and wait until blocks have the time: the next but one has it."""
        self.now_s = max(self.now_s, time_s)
        self.clock.move_to(max(self.now_s * 10**9, self.clock.time_ns))
        self._await(lambda: finish(self.ledger.latest_time_s()) >= self.now_s)

    def run(self, name: str, *messages: Any) -> TxEvents:
        """Run messages as one transaction; what is refused at the door has a code too."""
        self.pass_until(self.now_s)
        before = finish(self.ledger.latest_height())
        try:
            sent = finish(self.ledger.submit(name, messages))
        except Rejected as exc:
            return TxEvents(b"", exc.code, exc.log, (), exc.codespace)
        except NotYet as exc:
            return TxEvents(b"", 1, str(exc), ())
        self._await(lambda: finish(self.ledger.inclusion(sent.tx_hash, before)))
        _, result = finish(self.ledger.inclusion(sent.tx_hash, before))
        return result

    def must(self, name: str, *messages: Any) -> TxEvents:
        result = self.run(name, *messages)
        assert result.code == 0, result.log
        return result

    def states(self) -> Any:
        return finish(self.ledger.client_states(self.trusted_height))

    def show(self, stored_key: bytes) -> tuple[Any, StoredValue]:
        height = finish(self.ledger.latest_height())
        self._await(lambda: finish(self.ledger.latest_height()) > height)
        entry = finish(self.ledger.prove(stored_key, height))
        return finish(self.ledger.header(height + 1, self.trusted_height)), entry

    def holds(self, who: bytes, denom: str = NEUR) -> int:
        return finish(self.ledger.balance(who, denom))

    def escrowed(self) -> int:
        """PAY of this chain that is on its way, or stands on our side as vouchers."""
        return self.holds(escrow_account("transfer", CLIENT))

    def _await(self, holds: Any) -> None:
        end = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < end, "the chain stands still"
            time.sleep(0.02)


class StockWorld(TransferWorld):
    """Ledger a (the buyer's) or b (the seller's) is a stock chain; the other one is ours."""

    def __init__(self, folder: Path, stock: str, monkeypatch: Any) -> None:
        for module in (trade_world, transfer_world):
            monkeypatch.setattr(module, "CLIENT", CLIENT)
        buyers, sellers = ("ann", "amy", "abe", "sol"), ("bob", "ben", "bea")
        if stock == "a":
            self.stock = self.a = StockSide(folder, "cell a", buyers)
            self.ours = self.b = OurLedger("tieline-b-1", "cell b", sellers)
        else:
            self.ours = self.a = OurLedger("tieline-a-1", "cell a", buyers)
            self.stock = self.b = StockSide(folder, "cell b", sellers)
        self.nonce = 0
        self._found_cells()
        self._link()
        cell = account(self.ours.cell)
        self.ours.must(self.ours.cell, MsgSetBands(cell, S, 900, 50_000, 500_000, BOND_PRICE))
        vouched = MsgSetStockChain(cell, self.stock.tag, CLIENT, "cosmos")
        self.ours.must(self.ours.cell, vouched)

    def _found_cells(self) -> None:
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
        posted = MsgPostCellSet(RELAYER, self.cell_set, self.rows, signed_by(self.cell_set))
        self.ours.must("relayer", posted)

    def _link(self) -> None:
        self.align()
        pair = RegisterCounterparty(RELAYER, CLIENT, CLIENT, (b"ibc", b""))
        self.stock.must("relayer", CreateClient(RELAYER, *self.ours.states()))
        self.stock.must("relayer", pair)
        cell = account(self.ours.cell)
        self.ours.must(self.ours.cell, CreateClient(cell, *self.stock.states()))
        self.ours.must(self.ours.cell, replace(pair, signer=cell))

    def align(self) -> None:
        """Bring both clocks to the later one."""
        now_s = max(self.a.now_s, self.b.now_s)
        self.ours.now_s = now_s
        self.stock.pass_until(now_s)

    def shown(self, ledger: Any, stored_key: bytes) -> tuple[UpdateClient, StoredValue]:
        """The update for *ledger*, and the proof of a key on the other one."""
        self.align()
        header, entry = self.other(ledger).show(stored_key)
        self.align()
        return UpdateClient(RELAYER, CLIENT, header), entry

    def deliver(self, ledger: Any, packet: Packet, *before: object) -> Any:
        return ledger.run("relayer", *self.delivery_of(ledger, packet, *before))

    def delivery_of(self, ledger: Any, packet: Packet, *before: object) -> tuple[object, ...]:
        """The messages that bring *ledger* a packet."""
        stored_key = commitment.packet_commitment_key(packet.source_client, packet.sequence)
        update, entry = self.shown(ledger, stored_key)
        assert entry.value == commitment.commit_packet(packet)
        message = RecvPacket(RELAYER, packet, entry.proof, entry.proof_height)
        return update, *before, message

    def answer_to(self, ledger: Any, packet: Packet, answer: Acknowledgement) -> Any:
        stored_key = commitment.acknowledgement_key(packet.destination_client, packet.sequence)
        update, entry = self.shown(ledger, stored_key)
        assert entry.value == commitment.commit_acknowledgement(answer)
        proof, place = entry.proof, entry.proof_height
        message = AcknowledgePacket(RELAYER, packet, answer, proof, place)
        return ledger.run("relayer", update, message)

    def expire(self, ledger: Any, packet: Packet) -> Any:
        other = self.other(ledger)
        other.now_s = max(other.now_s, packet.timeout_s)
        stored_key = commitment.packet_receipt_key(packet.destination_client, packet.sequence)
        update, entry = self.shown(ledger, stored_key)
        assert entry.value is None
        message = TimeoutPacket(RELAYER, packet, entry.proof, entry.proof_height)
        return ledger.run("relayer", update, message)
