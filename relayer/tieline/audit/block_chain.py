"""
A ledger's exported blocks as a chain: canonical bytes, one block on the other, each signed by the
validators of genesis. Nothing is executed here.

Sources:
    CometBFT 0.38 ``types/block.go``; ``docs/spec/decisions.md`` 10.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

from tieline.audit.findings import Check, Findings, Place
from tieline.audit.own_genesis import read_genesis
from tieline.audit.run_files import LedgerFiles
from tieline.contract.genesis import Genesis
from tieline.contract.host import BLOCK_BYTES_MAX
from tieline.light_clients.tendermint.verifier import HeaderRefused, check_commit
from tieline.wire.blocks import (
    NO_EVIDENCE_HASH,
    StoredBlock,
    consensus_hash,
    data_hash,
    split_frames,
)
from tieline.wire.cometbft import (
    EMPTY_COMMIT,
    NO_BLOCK,
    SignedHeader,
    ValidatorSet,
)
from tieline.wire.errors import Malformed

AUDITED_KIND = "cometbft"
_INDEX_ROW = Struct(">QQ32s")
"""Height, place in the block file, app hash after the block."""


@dataclass(frozen=True, slots=True)
class BlockChain:
    """A ledger's blocks, each well formed, linked and signed."""

    genesis: Genesis
    validators: ValidatorSet
    blocks: tuple[StoredBlock, ...]
    """From height 1."""
    app_hashes: dict[int, bytes]
    """What the ledger's index says the state's root was after a height."""


def check_chain(files: LedgerFiles, findings: Findings) -> BlockChain | None:
    """
    Check everything about a ledger's blocks that needs no execution.

    Returns:
        The chain; None if a finding says why there is none. The first bad block ends it.
    """
    roots = _trust_roots(files, findings)
    if roots is None:
        return None
    genesis, validators = roots
    payloads, used = split_frames(files.blocks)
    blocks: list[StoredBlock] = []
    for height, payload in enumerate(payloads, start=1):
        stored = _decode(files.chain_id, height, payload, findings)
        if stored is None or not _follows(genesis, validators, blocks, stored, findings):
            return None
        blocks.append(stored)
    if used != len(files.blocks):
        place = Place(files.chain_id, len(blocks) + 1, file="blocks.bin")
        rest = len(files.blocks) - used
        findings.refuse(
            place, Check.BLOCKS, "whole blocks", "end of file or a block", f"{rest} bytes of none"
        )
        return None
    if not blocks:
        place = Place(files.chain_id, 1, file="blocks.bin")
        findings.refuse(place, Check.BLOCKS, "blocks", "at least one", "none")
        return None
    app_hashes = _read_index(files, len(blocks), findings)
    return (
        None if app_hashes is None else BlockChain(genesis, validators, tuple(blocks), app_hashes)
    )


def _trust_roots(files: LedgerFiles, findings: Findings) -> tuple[Genesis, ValidatorSet] | None:
    """Read genesis and validators in their one spelling."""
    read = read_genesis(files, AUDITED_KIND, findings)
    if read is None:
        return None
    genesis, same = read
    place = Place(files.chain_id, file="genesis.json")
    same &= findings.expect(
        place, Check.FILES, "canonical genesis", genesis.to_bytes(), files.genesis
    )
    place = Place(files.chain_id, file="validators.bin")
    try:
        validators = ValidatorSet.decode(files.validators)
    except Malformed as error:
        findings.refuse(place, Check.FILES, "canonical validators", "a validator set", error)
        return None
    same &= findings.expect(
        place, Check.FILES, "canonical validators", validators.encode(), files.validators
    )
    same &= findings.require(
        place,
        Check.FILES,
        "validators",
        holds=bool(validators.validators),
        expected="at least one",
        found="none",
    )
    return (genesis, validators) if same else None


def _decode(chain_id: str, height: int, payload: bytes, findings: Findings) -> StoredBlock | None:
    try:
        return StoredBlock.decode(payload)
    except Malformed as error:
        place = Place(chain_id, height, file="blocks.bin")
        findings.refuse(place, Check.BLOCKS, "canonical block", "a block", error)
        return None


def _follows(
    genesis: Genesis,
    validators: ValidatorSet,
    before: list[StoredBlock],
    stored: StoredBlock,
    findings: Findings,
) -> bool:
    """Check one block on top of those before it."""
    place = Place(genesis.chain_id, len(before) + 1)
    holds = True
    for rule, expected, found in _facts(genesis, validators, before, stored):
        holds &= findings.expect(place, Check.BLOCKS, rule, expected, found)
    header, last_commit = stored.block.header, stored.block.last_commit
    if before and header.time_ns <= before[-1].block.header.time_ns:
        findings.refuse(
            place,
            Check.BLOCKS,
            "time",
            f"after {before[-1].block.header.time_ns} ns",
            f"{header.time_ns} ns",
        )
        holds = False
    commits = [(header, stored.seen_commit)]
    if before and last_commit != before[-1].seen_commit:
        commits.append((before[-1].block.header, last_commit))
    for signed, commit in commits:
        try:
            check_commit(genesis.chain_id, SignedHeader(signed, commit), validators)
        except HeaderRefused as error:
            findings.refuse(
                place, Check.BLOCKS, "commit", "signed by the validators of genesis", error
            )
            holds = False
        else:
            findings.hold(Check.BLOCKS)
    return holds


def _facts(
    genesis: Genesis,
    validators: ValidatorSet,
    before: list[StoredBlock],
    stored: StoredBlock,
) -> Iterator[tuple[str, object, object]]:
    """Yield what a header must say: rule, expected, found. Roots of the state come by execution."""
    block, header = stored.block, stored.block.header
    last = before[-1].seen_commit if before else EMPTY_COMMIT
    members = validators.hash()
    yield "height", len(before) + 1, header.height
    yield "chain id", genesis.chain_id, header.chain_id
    yield "last block id", last.block_id if before else NO_BLOCK, header.last_block_id
    yield "last commit hash", block.last_commit.hash(), header.last_commit_hash
    yield "last commit's height", len(before), block.last_commit.height
    yield "last commit's block id", header.last_block_id, block.last_commit.block_id
    yield "data hash", data_hash(block.transactions), header.data_hash
    yield "validators hash", members, header.validators_hash
    yield "next validators hash", members, header.next_validators_hash
    yield "consensus hash", consensus_hash(BLOCK_BYTES_MAX, -1), header.consensus_hash
    yield "evidence hash", NO_EVIDENCE_HASH, header.evidence_hash
    yield "block id", block.id(), stored.seen_commit.block_id


def _read_index(files: LedgerFiles, heights: int, findings: Findings) -> dict[int, bytes] | None:
    """
    Return the app hashes that the ledger noted.

    Note:
        A kill may leave the index shorter than the blocks, never longer.
    """
    whole = len(files.index) - len(files.index) % _INDEX_ROW.size
    rows = [(height, root) for height, _, root in _INDEX_ROW.iter_unpack(files.index[:whole])]
    place = Place(files.chain_id, heights + 1, file="blocks.idx")
    if len(rows) > heights:
        findings.refuse(
            place, Check.BLOCKS, "last block", f"height {len(rows)} as the index", f"{heights}"
        )
        return None
    numbers = [height for height, _ in rows]
    if not findings.expect(
        place, Check.BLOCKS, "heights of the index", list(range(1, len(rows) + 1)), numbers
    ):
        return None
    return dict(rows)
