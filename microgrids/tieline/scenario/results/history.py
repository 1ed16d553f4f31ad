"""
Everything that happened on the ledgers of a run, sorted by lock: events, proofs, final records.

Made of blocks and final state alone, so a resumed run gives the same as an undisturbed one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tieline.contract.accounts import pay_key
from tieline.contract.books import Books, audit_books
from tieline.contract.genesis import Genesis
from tieline.contract.keys import vault_key
from tieline.contract.records import (
    LockRecord,
    OrderRecord,
    decode_amount,
    decode_lock,
    decode_order,
)
from tieline.contract.store import IBC, TIELINE
from tieline.interfaces.ledger import BlockEvents, Fuel, PacketProof
from tieline.protocol.commitment import acknowledgement_key, packet_commitment_key
from tieline.protocol.events import Event
from tieline.scenario.run_folder import RunFolder
from tieline.utility.bootstrap import DrivenLedger
from tieline.utility.ledger_index import LedgerIndex, SeenLock

ACCOUNT_KEY_BYTES = 22
"""Prefix, account, one byte; longer keys of the same prefix are counters."""
POSTINGS = frozenset({"clearing_posted", "verdict_posted", "delivery_posted"})


@dataclass(frozen=True, slots=True)
class Happening:
    """One event with its place."""

    chain_id: str
    height: int
    time_s: int
    event: Event

    @property
    def kind(self) -> str:
        """The event's type."""
        return self.event.type

    def text(self, name: str) -> str:
        """Return an attribute, empty where the event has none of that name."""
        return next((value for key, value in self.event.attributes if key == name), "")

    def number(self, name: str) -> int:
        """Return an attribute as an integer, 0 where the event has none of that name."""
        return int(self.text(name) or 0)


@dataclass(frozen=True, slots=True)
class LedgerHistory:
    """One ledger from its first block to its last."""

    chain_id: str
    kind: str
    chain_tag: bytes
    genesis: Genesis
    height: int
    transaction_times_s: tuple[int, ...]
    """Chain time of each transaction's block, in their order; those of refused ones too."""
    refused_transactions_count: int
    state_root: bytes
    fuel: tuple[Fuel, ...]
    """Of the accounts that sign; empty where transactions are free."""
    happenings: tuple[Happening, ...]
    """In the order of the blocks."""
    of_lock: Mapping[bytes, tuple[Happening, ...]]
    """By lock id."""
    postings: Mapping[tuple[str, int], Happening]
    """First event of a kind about a slot, by kind and slot start."""
    proofs: Mapping[tuple[str, str, int], PacketProof]
    """By step (recv, ack, timeout), client of this ledger, sequence."""
    seen_locks: Mapping[tuple[bytes, str], SeenLock]
    """By trade id and leg."""
    locks: Mapping[bytes, LockRecord]
    orders: Mapping[bytes, OrderRecord]
    pay: Mapping[bytes, int]
    """Final PAY by account, nano-EUR."""
    vaults: Mapping[bytes, int]
    """Final vault by connector's account, all shards."""
    books: Books
    provable: Mapping[bytes, bytes]
    """Final pairs of store ``ibc``."""
    open_packets: tuple[str, ...]
    """Sent and neither acknowledged nor timed out, or received and not answered."""

    @property
    def transactions_count(self) -> int:
        """All transactions in blocks."""
        return len(self.transaction_times_s)

    def transactions_in_slot_max(self, from_s: int, slot_length_s: int) -> int:
        """
        Return how many stand in blocks of one slot's time, at most; work on all slots counts.

        Args:
            from_s: When trading begins, unix seconds; what sets the ledger up came before.
            slot_length_s: Of a slot.
        """
        spans = Counter(
            time_s // slot_length_s for time_s in self.transaction_times_s if time_s >= from_s
        )
        return max(spans.values(), default=0)

    def events(self, kind: str) -> Iterator[Happening]:
        """Yield the events of one type, oldest first."""
        return (row for row in self.happenings if row.kind == kind)


async def read_history(
    ledger: DrivenLedger, index: LedgerIndex, folder: RunFolder
) -> LedgerHistory:
    """Read one ledger to its end."""
    blocks = await _all_blocks(ledger)
    happenings = tuple(
        Happening(ledger.ledger_id, block.height, block.time_s, event)
        for block in blocks
        for transaction in block.transactions
        if transaction.code == 0
        for event in transaction.events
    )
    of_lock: dict[bytes, list[Happening]] = {}
    for row in happenings:
        lock_id = row.text("lock_id")
        if lock_id:
            of_lock.setdefault(bytes.fromhex(lock_id), []).append(row)
    postings: dict[tuple[str, int], Happening] = {}
    for row in happenings:
        if row.kind in POSTINGS:
            postings.setdefault((row.kind, row.number("slot_start")), row)
    transactions = [row for block in blocks for row in block.transactions]
    path = folder.ledger(ledger.ledger_id) / "genesis.json"
    state = dict(await ledger.scan(TIELINE, b""))
    provable = dict(await ledger.scan(IBC, b""))
    return LedgerHistory(
        chain_id=ledger.ledger_id,
        kind=ledger.capabilities.kind,
        chain_tag=ledger.chain_tag,
        genesis=Genesis.from_bytes(path.read_bytes()),
        height=blocks[-1].height if blocks else 0,
        transaction_times_s=tuple(block.time_s for block in blocks for _ in block.transactions),
        refused_transactions_count=sum(row.code != 0 for row in transactions),
        state_root=await ledger.state_root(),
        fuel=tuple(await ledger.fuel()),
        happenings=happenings,
        of_lock={lock_id: tuple(rows) for lock_id, rows in of_lock.items()},
        postings=postings,
        proofs={(one.step, one.client, one.sequence): one for one in await ledger.packet_proofs()},
        seen_locks=index.locks,
        locks={key[1:]: decode_lock(row) for key, row in _under(state, b"l")},
        orders={key[1:]: decode_order(row) for key, row in _under(state, b"o")},
        pay={
            key[1:-1]: decode_amount(row)
            for key, row in _under(state, b"a")
            if len(key) == ACCOUNT_KEY_BYTES and key == pay_key(key[1:-1])
        },
        vaults=_vaults(state),
        books=audit_books(lambda prefix: _under(state, prefix)),
        provable=provable,
        open_packets=open_packets(provable, happenings),
    )


def _under(state: Mapping[bytes, bytes], prefix: bytes) -> list[tuple[bytes, bytes]]:
    return [(key, value) for key, value in state.items() if key.startswith(prefix)]


def _vaults(state: Mapping[bytes, bytes]) -> dict[bytes, int]:
    """Return each vault's sum over its parts."""
    vaults: dict[bytes, int] = {}
    for key, value in _under(state, b"w"):
        account, part = key[1:-1], key[-1]
        if len(key) == ACCOUNT_KEY_BYTES and key == vault_key(account, part):
            vaults[account] = vaults.get(account, 0) + decode_amount(value)
    return vaults


def open_packets(
    provable: Mapping[bytes, bytes], happenings: Sequence[Happening]
) -> tuple[str, ...]:
    """Name what was sent and is still committed, or was received and has no answer."""
    found: list[str] = []
    for row in happenings:
        if row.kind == "send_packet":
            client, sequence = row.text("packet_source_client"), row.number("packet_sequence")
            if packet_commitment_key(client, sequence) in provable:
                found.append(f"sent {client}/{sequence}")
        elif row.kind == "recv_packet":
            client, sequence = row.text("packet_dest_client"), row.number("packet_sequence")
            if acknowledgement_key(client, sequence) not in provable:
                found.append(f"received {client}/{sequence}")
    return tuple(found)


async def _all_blocks(ledger: DrivenLedger) -> Sequence[BlockEvents]:
    blocks: list[BlockEvents] = []
    while more := await ledger.blocks_after(len(blocks), 1000):
        blocks.extend(more)
    return blocks
