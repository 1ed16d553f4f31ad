"""
A Fabric channel's exported blocks as a chain: canonical bytes, one block on the other, each signed
by the orderers of the configuration before it. What transactions came to is not asked here.

Sources:
    ``docs/spec/trust.md`` 4; ``docs/adr/0048-fabric-in-a-world.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tieline.audit.findings import Check, Findings, Place
from tieline.audit.own_genesis import read_genesis
from tieline.audit.run_files import LedgerFiles
from tieline.contract.genesis import Genesis
from tieline.light_clients.fabric.blocks import Span, verify_block
from tieline.light_clients.fabric.building import known_config, signed_block
from tieline.light_clients.fabric.knowledge import EvidenceRefused, Knowledge, Rules, read_rules
from tieline.light_clients.fabric.messages import ConfigStep
from tieline.light_clients.fabric.msp import IdentityRefused
from tieline.light_clients.fabric.steps import follow
from tieline.wire.accounts import FABRIC_KIND
from tieline.wire.blocks import split_frames
from tieline.wire.errors import Malformed
from tieline.wire.fabric.blocks import (
    COMMIT_HASH,
    LAST_CONFIG,
    METADATA_COUNT,
    ORDERER,
    Block,
    BlockHeader,
    Metadata,
    OrdererMetadata,
    check_well_formed,
    is_config_block,
)
from tieline.wire.fabric.config import decode_channel_config
from tieline.wire.fabric.invocations import CHAINCODE_NAME, Function, decode_number
from tieline.wire.fabric.transactions import VALID, EndorserTransaction, decode_transaction
from tieline.wire.hashes import tag
from tieline.wire.ids import chain_tag
from tieline.wire.proto_fields import uint_field

_TICK = Function.TICK.encode()


@dataclass(frozen=True, slots=True)
class OrderedBlock:
    """One block that the channel's orderers signed."""

    header: BlockHeader
    envelopes: tuple[bytes, ...]
    transactions: tuple[EndorserTransaction | None, ...]
    """None: what no peer goes on with."""
    is_config: bool
    rules: Rules
    """By which its transactions are judged."""
    span: Span
    """The channel's clock before the block and after it, unix seconds, as the peers' codes say."""
    codes: bytes
    """What the peers found each transaction to be; nobody signs it."""
    commit_hash: bytes
    """As the peers kept it; nobody signs it."""


@dataclass(frozen=True, slots=True)
class FabricChain:
    """A channel's blocks, each well formed, linked and signed."""

    genesis: Genesis
    """Of our contract, which a transaction of the channel carries."""
    channel: str
    block_0: BlockHeader
    chain_tag: bytes
    blocks: tuple[OrderedBlock, ...]
    """From number 1."""


def check_fabric_chain(files: LedgerFiles, findings: Findings) -> FabricChain | None:
    """
    Check everything about a channel's blocks but what their transactions came to.

    Returns:
        The chain; None if a finding says why there is none. The first bad block ends it.
    """
    roots = _trust_roots(files, findings)
    if roots is None:
        return None
    genesis, first = roots
    reader = _Reader(files.chain_id, first, findings)
    payloads, used = split_frames(files.blocks)
    for payload in payloads:
        if not reader.take(payload):
            return None
    place = Place(files.chain_id, len(reader.blocks) + 1, file="blocks.bin")
    if used != len(files.blocks):
        rest = f"{len(files.blocks) - used} bytes of none"
        findings.refuse(place, Check.BLOCKS, "whole blocks", "end of file or a block", rest)
        return None
    if not reader.blocks:
        findings.refuse(place, Check.BLOCKS, "blocks", "at least one", "none")
        return None
    named = chain_tag(FABRIC_KIND, genesis.chain_id, first.header.hash(), genesis.host_id)
    return FabricChain(genesis, genesis.chain_id, first.header, named, tuple(reader.blocks))


def _trust_roots(files: LedgerFiles, findings: Findings) -> tuple[Genesis, Block] | None:
    """Read genesis and block 0, bare of metadata, in their one spelling."""
    read = read_genesis(files, FABRIC_KIND, findings)
    if read is None:
        return None
    genesis, same = read
    place = Place(files.chain_id, file="genesis.json")
    host_id = tag(CHAINCODE_NAME)
    same &= findings.expect(place, Check.FILES, "host of genesis", host_id, genesis.host_id)
    place = Place(files.chain_id, file="validators.bin")
    try:
        first = Block.decode(files.validators)
        config = decode_channel_config(b"".join(first.data[:1]))
        read_rules(config.channel_id, known_config(files.validators).config)
    except Malformed as error:
        findings.refuse(place, Check.FILES, "canonical block 0", "a configuration", error)
        return None
    expected = (0, b"", (), 1, 0, files.chain_id)
    found = (
        first.header.number,
        first.header.previous_hash,
        first.metadata,
        len(first.data),
        config.sequence,
        config.channel_id,
    )
    same &= findings.expect(place, Check.FILES, "block 0", expected, found)
    same &= findings.require(
        place,
        Check.FILES,
        "data hash of block 0",
        holds=first.is_data_of_header,
        expected="that of its data",
        found=first.header.data_hash,
    )
    return (genesis, first) if same else None


class _Reader:
    """Takes one block after the other, with what is known of the channel's configuration."""

    def __init__(self, chain_id: str, first: Block, findings: Findings) -> None:
        self._chain_id, self._findings = chain_id, findings
        configs = (known_config(first.encode()),)
        self._knowledge = Knowledge(chain_id, CHAINCODE_NAME, configs, ())
        self._last = first.header
        self._clock_s = 0
        self.blocks: list[OrderedBlock] = []

    def take(self, payload: bytes) -> bool:
        """Check one block on top of those before it; say whether it is sound."""
        place = Place(self._chain_id, len(self.blocks) + 1)
        try:
            block = Block.decode(payload)
            commit_hash = _commit_hash(block)
        except Malformed as error:
            self._findings.refuse(place, Check.BLOCKS, "canonical block", "a block", error)
            return False
        if not self._is_linked(place, block):
            return False
        is_config = is_config_block(block.data)
        transactions = tuple(None if is_config else _read(raw) for raw in block.data)
        span = Span(self._clock_s, self._clock_after(transactions, block.transactions_filter))
        rules = self._ordered(place, payload, span, is_config=is_config)
        if rules is None:
            return False
        self._last, self._clock_s = block.header, span.to_s
        self.blocks.append(
            OrderedBlock(
                block.header,
                block.data,
                transactions,
                is_config,
                rules,
                span,
                block.transactions_filter,
                commit_hash,
            )
        )
        return True

    def _is_linked(self, place: Place, block: Block) -> bool:
        header, findings = block.header, self._findings
        holds = findings.expect(place, Check.BLOCKS, "number", place.height, header.number)
        for rule, expected, found in (
            ("codes of transactions", len(block.data), len(block.transactions_filter)),
            ("metadata that nobody signs", _unsigned(block), _kept(block)),
        ):
            holds &= findings.expect(place, Check.BLOCKS, rule, expected, found)
        holds &= findings.require(
            place,
            Check.BLOCKS,
            "data hash",
            holds=block.is_data_of_header,
            expected="that of its envelopes",
            found=header.data_hash,
        )
        previous = self._last.hash()
        if not findings.expect(
            place, Check.BLOCKS, "previous hash", previous, header.previous_hash
        ):
            findings.refuse(
                Place(self._chain_id, place.height - 1),
                Check.BLOCKS,
                "hash that the next block names",
                header.previous_hash,
                previous,
            )
            return False
        return holds

    def _ordered(self, place: Place, raw: bytes, span: Span, *, is_config: bool) -> Rules | None:
        """Return by whose rules a block's transactions are judged; None if it is not signed."""
        try:
            block = signed_block(raw)
            if is_config:
                self._knowledge = follow(self._knowledge, [ConfigStep(block)], (), span)
                rules = self._knowledge.newest_rules
            else:
                check_well_formed(block.envelopes)
                rules = verify_block(block, self._knowledge, span).rules
        except (EvidenceRefused, IdentityRefused, Malformed) as error:
            self._findings.refuse(
                place, Check.BLOCKS, "signed block", "signed by the channel's orderers", error
            )
            return None
        self._findings.hold(Check.BLOCKS)
        return rules

    def _clock_after(self, transactions: Sequence[EndorserTransaction | None], codes: bytes) -> int:
        """Return the latest Tick, unix seconds, of those that the peers found valid."""
        clock_s = self._clock_s
        for transaction, code in zip(transactions, codes, strict=False):
            args = () if transaction is None else transaction.opened.args
            if code == VALID and len(args) == 2 and args[0] == _TICK:
                try:
                    clock_s = max(clock_s, decode_number(args[1]))
                except Malformed:
                    continue
        return clock_s


def _read(raw: bytes) -> EndorserTransaction | None:
    try:
        return decode_transaction(raw)
    except Malformed:
        return None


def _commit_hash(block: Block) -> bytes:
    """Return the hash that peers kept. Raises Malformed: it stands otherwise than they write."""
    if len(block.metadata) != METADATA_COUNT:
        raise Malformed(f"not as peers keep blocks: metadata={len(block.metadata)}")
    kept = Metadata.decode(block.metadata[COMMIT_HASH])
    OrdererMetadata.decode(block.signatures.value)
    if kept.signatures:
        raise Malformed("commit hash with signatures")
    return kept.value


def _unsigned(block: Block) -> tuple[bytes, bytes]:
    """Return what orderers write beside what they sign; nothing, since Fabric 2, at ORDERER."""
    last_config = OrdererMetadata.decode(block.signatures.value).last_config
    return Metadata(uint_field(1, last_config)).encode(), b""


def _kept(block: Block) -> tuple[bytes, bytes]:
    return block.metadata[LAST_CONFIG], block.metadata[ORDERER]
