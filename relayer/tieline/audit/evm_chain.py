"""
An EVM ledger's exported blocks as a chain: canonical bytes, one block on the other, roots of
transactions and receipts, the last block sealed. No log is read here.

Sources:
    ``docs/spec/decisions.md`` 10; ``docs/ethereum.md`` (what a run keeps).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tieline.audit.findings import Check, Findings, Place
from tieline.audit.own_genesis import read_genesis
from tieline.audit.run_files import LedgerFiles
from tieline.contract.genesis import Genesis
from tieline.light_clients.evm.messages import ClientHeader, PinnedContract, Sealing
from tieline.light_clients.evm.verifier import Anchor, HeaderRefused, verify_header
from tieline.wire.accounts import EVM_KIND
from tieline.wire.blocks import split_frames
from tieline.wire.errors import Malformed
from tieline.wire.evm.blocks import EvmBlock
from tieline.wire.evm.exports import FinalProofs, TrustRoots
from tieline.wire.evm.header import EvmHeader, decode_header
from tieline.wire.evm.ordered_trie import ordered_root
from tieline.wire.evm.receipts import Receipt, bloom_of, decode_receipt
from tieline.wire.hashes import keccak, sha256
from tieline.wire.ids import chain_tag

_ADDRESS_PADDING = bytes(12)
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class CheckedBlock:
    """One block whose header says what it holds."""

    header: EvmHeader
    transactions: tuple[bytes, ...]
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class EvmChain:
    """A ledger's blocks, each well formed and linked, the last one sealed."""

    genesis: Genesis
    roots: TrustRoots
    chain_tag: bytes
    blocks: tuple[CheckedBlock, ...]
    """From height 1."""
    last: ClientHeader
    """The last block, with its seals and the pinned contracts' accounts."""
    proofs: FinalProofs


def kind_of(files: LedgerFiles) -> str:
    """Return the kind of ledger that a genesis names, empty if it cannot be read."""
    try:
        return Genesis.from_bytes(files.genesis).kind
    except (ValueError, KeyError, TypeError):
        # One that is damaged: its own roots of trust tell what it was.
        return EVM_KIND if files.proofs else ""


def check_evm_chain(files: LedgerFiles, findings: Findings) -> EvmChain | None:
    """
    Check everything about an EVM ledger's blocks but what its contracts told.

    Returns:
        The chain; None if a finding says why there is none. The first bad block ends it.
    """
    found = _trust_roots(files, findings)
    if found is None:
        return None
    genesis, roots = found
    proofs = _final_proofs(files, findings)
    blocks = _blocks(files, roots, findings)
    if proofs is None or blocks is None:
        return None
    tag = chain_tag(
        EVM_KIND,
        str(roots.chain_id),
        keccak(roots.genesis_header),
        _ADDRESS_PADDING + roots.host,
    )
    last = _sealed_end(files.chain_id, roots, tag, blocks, proofs, findings)
    return None if last is None else EvmChain(genesis, roots, tag, tuple(blocks), last, proofs)


def _trust_roots(files: LedgerFiles, findings: Findings) -> tuple[Genesis, TrustRoots] | None:
    """Read genesis, sealers and contracts in their one spelling; block 0 names the genesis."""
    read = read_genesis(files, EVM_KIND, findings)
    if read is None:
        return None
    genesis, same = read
    roots_place = Place(files.chain_id, file="validators.bin")
    try:
        roots = TrustRoots.decode(files.validators)
        first = roots.read_genesis()
    except Malformed as error:
        findings.refuse(roots_place, Check.FILES, "canonical roots of trust", "roots", error)
        return None
    same &= findings.expect(
        roots_place, Check.FILES, "canonical roots of trust", roots.encode(), files.validators
    )
    same &= findings.expect(roots_place, Check.FILES, "number of block 0", 0, first.number)
    if len(first.extra_data) == _DIGEST_BYTES:
        # A chain of the run's own: its first header names the genesis that it was made of.
        named = sha256(files.genesis)
        same &= findings.expect(
            Place(files.chain_id, file="genesis.json"),
            *(Check.FILES, "SHA-256 of genesis in block 0", first.extra_data, named),
        )
    for rule, values in (
        ("sealers ascending", list(roots.sealers)),
        ("pinned contracts ascending", [address for address, _ in roots.pinned]),
    ):
        same &= findings.expect(roots_place, Check.FILES, rule, sorted(set(values)), values)
    return (genesis, roots) if same else None


def _final_proofs(files: LedgerFiles, findings: Findings) -> FinalProofs | None:
    place = Place(files.chain_id, file="proofs.bin")
    try:
        proofs = FinalProofs.decode(files.proofs)
    except Malformed as error:
        findings.refuse(place, Check.FILES, "canonical final proofs", "proofs", error)
        return None
    return (
        proofs
        if findings.expect(
            place, Check.FILES, "canonical final proofs", files.proofs, proofs.encode()
        )
        else None
    )


def _blocks(files: LedgerFiles, roots: TrustRoots, findings: Findings) -> list[CheckedBlock] | None:
    payloads, used = split_frames(files.blocks)
    blocks: list[CheckedBlock] = []
    parent = roots.read_genesis()
    parent_hash = keccak(roots.genesis_header)
    for height, payload in enumerate(payloads, start=1):
        block = _read_block(files.chain_id, height, payload, findings)
        if block is None or not _follows(
            files.chain_id, height, (parent, parent_hash), block, findings
        ):
            return None
        blocks.append(block)
        parent, parent_hash = block.header, block.header.hash()
    place = Place(files.chain_id, len(blocks) + 1, file="blocks.bin")
    if used != len(files.blocks):
        rest = f"{len(files.blocks) - used} bytes of none"
        findings.refuse(place, Check.BLOCKS, "whole blocks", "end of file or a block", rest)
        return None
    if not blocks:
        findings.refuse(place, Check.BLOCKS, "blocks", "at least one", "none")
        return None
    return blocks


def _read_block(
    chain_id: str, height: int, payload: bytes, findings: Findings
) -> CheckedBlock | None:
    place = Place(chain_id, height, file="blocks.bin")
    try:
        block = EvmBlock.decode(payload)
        header = decode_header(block.header)
        receipts = tuple(map(decode_receipt, block.receipts))
    except Malformed as error:
        findings.refuse(place, Check.BLOCKS, "canonical block", "a block", error)
        return None
    place = Place(chain_id, height)
    last_gas = receipts[-1].gas_used_so_far if receipts else 0
    bloom = bloom_of(log for receipt in receipts for log in receipt.logs)
    facts = (
        ("canonical block", payload, block.encode()),
        ("canonical header", block.header, header.encode()),
        ("receipts", len(block.transactions), len(receipts)),
        ("transactions root", ordered_root(block.transactions), header.transactions_root),
        ("receipts root", ordered_root(block.receipts), header.receipts_root),
        ("logs bloom", bloom, header.logs_bloom),
        ("gas used", last_gas, header.gas_used),
    )
    holds = True
    for rule, expected, found in facts:
        holds &= findings.expect(place, Check.BLOCKS, rule, expected, found)
    return CheckedBlock(header, block.transactions, receipts) if holds else None


def _follows(
    chain_id: str,
    height: int,
    parent: tuple[EvmHeader, bytes],
    block: CheckedBlock,
    findings: Findings,
) -> bool:
    """Check a block on top of the one before it; if it names another one, both are suspect."""
    place, (header, parent_hash) = Place(chain_id, height), parent
    holds = findings.expect(place, Check.BLOCKS, "height", height, block.header.number)
    holds &= findings.require(
        place,
        Check.BLOCKS,
        "time",
        holds=block.header.timestamp >= header.timestamp,
        expected=f"{header.timestamp} or later",
        found=f"{block.header.timestamp}",
    )
    if not findings.expect(
        place, Check.BLOCKS, "parent hash", parent_hash, block.header.parent_hash
    ):
        findings.refuse(
            Place(chain_id, height - 1),
            Check.BLOCKS,
            "hash that the next block names",
            block.header.parent_hash,
            parent_hash,
        )
        return False
    return holds


def _sealed_end(
    chain_id: str,
    roots: TrustRoots,
    tag: bytes,
    blocks: Sequence[CheckedBlock],
    proofs: FinalProofs,
    findings: Findings,
) -> ClientHeader | None:
    """Check seals and pinned contracts of the last block: with it, all blocks below are sealed."""
    anchor = Anchor(
        tag,
        Sealing.AUTHORITY,
        roots.sealers,
        0,
        roots.host,
        tuple(PinnedContract(*pair) for pair in roots.pinned),
    )
    place = Place(chain_id, file="proofs.bin")
    try:
        verified = verify_header(proofs.header, anchor)
        last = ClientHeader.decode(proofs.header)
    except (HeaderRefused, Malformed) as error:
        findings.refuse(place, Check.BLOCKS, "sealed last block", "signed by the sealers", error)
        return None
    findings.hold(Check.BLOCKS)
    end = Place(chain_id, len(blocks))
    if verified.block.height > len(blocks):
        end = Place(chain_id, len(blocks) + 1)
    expected = (verified.block.height, verified.block.block_hash)
    found = (len(blocks), blocks[-1].header.hash())
    return (
        last if findings.expect(end, Check.BLOCKS, "last block, sealed", expected, found) else None
    )
