"""One ledger's exported files, and a hand that holds its validators' keys and forges blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from tieline.audit.run_files import LedgerFiles, RunFiles
from tieline.contract.genesis import Genesis
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.ledgers.tendermint.validators import Validators
from tieline.swap.messages import MsgSend
from tieline.wire.blocks import StoredBlock, block_id, decode_export, encode_export
from tieline.wire.codec import build_transaction
from tieline.wire.keys import SecpKey

START_S = 1_800_000_000
CHAIN_ID = "micro-1"
SEEDS = [sha256(b"validator %d" % n).digest() for n in range(4)]
STRANGERS = [sha256(b"stranger %d" % n).digest() for n in range(4)]
CELL = SecpKey(sha256(b"cell").digest())
ALICE, BOB = SecpKey(sha256(b"alice").digest()), SecpKey(sha256(b"bob").digest())
GENESIS = Genesis(
    chain_id=CHAIN_ID,
    network_id=b"\x11" * 32,
    cell_address=CELL.address,
    founding_cells=(CELL.address,),
    balances=tuple(sorted((key.cosmos_account, 10**12) for key in (ALICE, BOB))),
)


def write_ledger(run: Path, payments: int = 3) -> None:
    """Make a ledger of some payments in a run folder: one block each, and one to prove it."""
    ledger = EmbeddedTendermint(GENESIS, SEEDS, run / "ledgers" / CHAIN_ID)
    ledger.add_lane("alice", ALICE)
    ledger.resume()
    now = START_S
    for amount in range(payments):
        for _ in range(2):
            ledger.produce_block(now)
            now += 5
        payment = MsgSend(ALICE.cosmos_account, BOB.cosmos_account, amount + 1)
        ledger.broadcast(*_signed(ledger, payment))
    ledger.produce_block(now)
    ledger.produce_block(now + 5)
    ledger.close()


def _signed(ledger: EmbeddedTendermint, payment: MsgSend) -> tuple[bytes, bytes]:
    number, sequence = ledger.application.account(ALICE.cosmos_account)
    raw = build_transaction([payment], ALICE, CHAIN_ID, number, sequence, gas_limit=10**7)
    return raw, ALICE.public_key


@dataclass(frozen=True)
class Forger:
    """Changes blocks and signs them again."""

    files: LedgerFiles

    @property
    def blocks(self) -> list[StoredBlock]:
        """The blocks as they are."""
        return list(decode_export(self.files.blocks))

    def with_blocks(self, blocks: Sequence[StoredBlock]) -> LedgerFiles:
        """The files with other blocks; the index, which nobody signs, is left out."""
        return replace(self.files, blocks=encode_export(blocks), index=b"")

    def forged(
        self, at: int, *, seeds: Sequence[bytes] = SEEDS, block: Any = None, **header: Any
    ) -> LedgerFiles:
        """The files with one block changed and signed; those after it still follow the old one."""
        blocks = self.blocks
        changed = block or blocks[at - 1].block
        changed = replace(changed, header=replace(changed.header, **header))
        identity = block_id(changed.header.hash(), changed.encode())
        commit = Validators(seeds).sign(CHAIN_ID, at, identity, changed.header.time_ns)
        blocks[at - 1] = StoredBlock(changed, commit)
        return self.with_blocks(blocks)


def exported(run: Path) -> LedgerFiles:
    """The files of the ledger in a run folder."""
    return RunFiles(run).ledger(CHAIN_ID)
