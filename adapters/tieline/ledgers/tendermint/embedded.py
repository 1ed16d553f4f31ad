"""
A CometBFT ledger in this process: the contract behind real headers, commits and proofs.

What is missing is the network between the validators: all sign in round 0. Block time is the
proposer's (as with CometBFT's proposer-based timestamps), here the grid of a driven clock.

Sources:
    ``docs/spec/decisions.md`` 15: when a block is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from tieline.contract.block import Application
from tieline.contract.genesis import Genesis
from tieline.contract.host import BLOCK_BYTES_MAX
from tieline.contract.hosted_ledger import HostedLedger
from tieline.contract.results import BlockInput, BlockResult
from tieline.interfaces.errors import ConfigError, NotYet, Unavailable
from tieline.interfaces.ledger import (
    Fuel,
    PacketProof,
    StoredValue,
    SubmitResult,
)
from tieline.ledgers.tendermint.block_file import BLOCKS_FILE, BlockFile
from tieline.ledgers.tendermint.client_terms import CAPABILITIES, ClientTerms, client_states
from tieline.ledgers.tendermint.packet_proofs import packet_proofs
from tieline.ledgers.tendermint.validators import Validators
from tieline.light_clients.tendermint.messages import (
    ClientHeader,
    revision_of,
)
from tieline.light_clients.tendermint.verifier import HeaderRefused, check_commit
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.blocks import (
    NO_EVIDENCE_HASH,
    Block,
    StoredBlock,
    block_id,
    consensus_hash,
    data_hash,
    decode_export,
    results_hash,
)
from tieline.wire.cometbft import EMPTY_COMMIT, NO_BLOCK, Header, SignedHeader
from tieline.wire.ics23_proofs import ExistenceProof, decode_merkle_proof

APP_PROTOCOL = 1
CONSENSUS_HASH = consensus_hash(BLOCK_BYTES_MAX, -1)


class EmbeddedTendermint(HostedLedger):
    """Implements ``interfaces.ledger.Ledger``."""

    def __init__(
        self,
        genesis: Genesis,
        validator_seeds: Sequence[bytes],
        store: Path | None = None,
        *,
        application: Application | None = None,
        is_synced: bool = False,
    ) -> None:
        """
        Begin a ledger, or open one that has blocks; then call ``resume`` before anything else.

        Args:
            genesis: The ledger's birth.
            validator_seeds: 32 secret bytes a validator; four bear one that is lost.
            store: Folder for the blocks; None keeps them in memory.
            application: What runs behind the blocks; the microgrid's contract unless given.
            is_synced: Wait for the disk at every block.

        Raises:
            ConfigError: The folder belongs to another ledger.
        """
        self._chain_id = genesis.chain_id
        self._revision = revision_of(genesis.chain_id)
        self._validators = Validators(validator_seeds)
        hosted = Application(genesis) if application is None else application
        super().__init__(hosted, CAPABILITIES, proves_by_next_block=True)
        self._headers: list[SignedHeader] = []
        self._store = store
        self._kept: list[StoredBlock] = []
        self._results_hash = results_hash(())
        self._file: BlockFile | None = None
        if store is not None:
            members = self._validators.set.encode()
            self._file = BlockFile(store, genesis.to_bytes(), members, is_synced=is_synced)
        self._is_resumed = self._file is None
        self._client_message = lru_cache(maxsize=64)(self._make_client_message)

    @property
    def blocks(self) -> Sequence[StoredBlock]:
        """All blocks with their commits, from height 1; read from the folder if there is one."""
        if self._store is None:
            return self._kept
        return decode_export((self._store / BLOCKS_FILE).read_bytes())

    def resume(self) -> int:
        """
        Execute the stored blocks again, check every commit and app hash, and return their number.

        Raises:
            ConfigError: They are not a history of this ledger, or give another state now.
        """
        if self._is_resumed or self._file is None:
            return len(self._headers)
        blocks, app_hashes = self._file.read()
        for stored in blocks:
            header = stored.block.header
            self._check_stored(stored)
            result = self._apply(stored)
            known = app_hashes.get(header.height)
            if known is None:
                self._file.note(header.height, 0, result.app_hash)
            elif known != result.app_hash:
                raise ConfigError(f"another state than stored: height={header.height}")
        self._is_resumed = True
        return len(blocks)

    def produce_block(self, time_s: int, *, is_deadline: bool = False) -> bool:
        """
        Make a block at *time_s* if one is due, and say whether one was made.

        Args:
            time_s: Chain time; not later than the last block's: nothing is made.
            is_deadline: A deadline of an open slot falls here, so an empty block is due too.
        """
        assert self._is_resumed, "resume() before the first block"
        if time_s <= self._host.time_s or not (is_deadline or self._host.wants_block):
            return False
        stored = self._make_block(time_s * NANOSECONDS_PER_SECOND, self._host.next_transactions())
        offset = 0 if self._file is None else self._file.append(stored)
        result = self._apply(stored)
        if self._file is not None:
            self._file.note(stored.block.header.height, offset, result.app_hash)
        return True

    async def advance(self, time_s: int, *, is_deadline: bool = False) -> bool:
        """As ``produce_block``, for worlds in which blocks take time."""
        return self.produce_block(time_s, is_deadline=is_deadline)

    async def trust_at(self, height: int) -> tuple[AnyMessage, AnyMessage]:
        """As ``client_states`` with the usual terms. Raises NotYet."""
        return self.client_states(height)

    async def packet_proofs(self) -> Sequence[PacketProof]:
        """Return what proved each packet message that took effect, in the order of the blocks."""
        return packet_proofs(self._host.blocks_after(0, len(self._headers)), self.blocks)

    async def fuel(self) -> Sequence[Fuel]:
        """Return nothing: gas is free."""
        return ()

    async def finish(self) -> None:
        """Nothing: executing the blocks gives the state."""

    async def state_root(self) -> bytes:
        """Return the app hash after the last block."""
        return self._host.application.app_hash

    def client_states(
        self, height: int, terms: ClientTerms | None = None
    ) -> tuple[AnyMessage, AnyMessage]:
        """
        Return client and consensus state for a client that starts to trust at *height*.

        Raises:
            NotYet: There is no such block yet.
        """
        return client_states(self._signed_header(height).header, terms)

    def broadcast(self, raw: bytes, public_key: bytes) -> SubmitResult:
        """Hand in a transaction that a wallet signed. Raises Rejected."""
        return self._host.broadcast(raw, public_key)

    def close(self) -> None:
        """Let go of files."""
        if self._file is not None:
            self._file.close()
            self._file = None

    async def prove(self, key: bytes, height: int) -> StoredValue:
        """Prove *key* in store ``ibc`` as of *height*. Raises NotYet, Unavailable."""
        if height >= self._host.height:
            raise NotYet(f"header that proves it is not there: height={height + 1}")
        try:
            proof = self._host.application.prove("ibc", key, height)
        except (KeyError, ValueError) as exc:
            raise Unavailable(f"cannot be proved: height={height}: {exc}") from exc
        in_store = decode_merkle_proof(proof)[0]
        value = in_store.value if isinstance(in_store, ExistenceProof) else None
        return StoredValue(key, value, Height(self._revision, height + 1), proof)

    async def header(self, height: int, trusted_height: int) -> AnyMessage:
        """Return the client message from *trusted_height* to *height*. Raises NotYet."""
        self._signed_header(height)
        return self._client_message(height, trusted_height)

    def _signed_header(self, height: int) -> SignedHeader:
        if not 1 <= height <= len(self._headers):
            raise NotYet(f"no such block: height={height} latest={len(self._headers)}")
        return self._headers[height - 1]

    def _make_client_message(self, height: int, trusted_height: int) -> AnyMessage:
        members = self._validators.set
        trusted = Height(self._revision, trusted_height)
        return ClientHeader(self._headers[height - 1], members, trusted, members).as_any()

    def _make_block(self, time_ns: int, transactions: tuple[bytes, ...]) -> StoredBlock:
        height = len(self._headers) + 1
        last = self._headers[-1].commit if self._headers else EMPTY_COMMIT
        header = Header(
            chain_id=self._chain_id,
            height=height,
            time_ns=time_ns,
            last_block_id=last.block_id if self._headers else NO_BLOCK,
            last_commit_hash=last.hash(),
            data_hash=data_hash(transactions),
            validators_hash=self._validators.hash,
            next_validators_hash=self._validators.hash,
            consensus_hash=CONSENSUS_HASH,
            app_hash=self._host.application.app_hash,
            last_results_hash=self._results_hash,
            evidence_hash=NO_EVIDENCE_HASH,
            proposer_address=self._validators.proposer(height),
            app_protocol=APP_PROTOCOL,
        )
        block = Block(header, transactions, last)
        identity = block_id(header.hash(), block.encode())
        return StoredBlock(block, self._validators.sign(self._chain_id, height, identity, time_ns))

    def _apply(self, stored: StoredBlock) -> BlockResult:
        header = stored.block.header
        block_hash = stored.seen_commit.block_id.hash
        result = self._host.execute(
            BlockInput(header.height, header.time_ns, block_hash, stored.block.transactions)
        )
        self._results_hash = results_hash(
            (one.code, one.data, one.gas_wanted, one.gas_used) for one in result.tx_results
        )
        self._headers.append(SignedHeader(header, stored.seen_commit))
        if self._store is None:
            self._kept.append(stored)
        return result

    def _check_stored(self, stored: StoredBlock) -> None:
        """Raise ConfigError unless this block is the one that this ledger made here."""
        header, height = stored.block.header, len(self._headers) + 1
        last = self._headers[-1].commit if self._headers else EMPTY_COMMIT
        facts = (
            ("height", header.height == height),
            ("last block", header.last_block_id == last.block_id),
            ("last commit", stored.block.last_commit == last),
            ("hash of the last commit", header.last_commit_hash == last.hash()),
            ("app hash", header.app_hash == self._host.application.app_hash),
            ("results", header.last_results_hash == self._results_hash),
            ("transactions", header.data_hash == data_hash(stored.block.transactions)),
            ("block id", stored.seen_commit.block_id == stored.block.id()),
        )
        for name, holds in facts:
            if not holds:
                raise ConfigError(f"stored block is not this ledger's: height={height} {name}")
        try:
            check_commit(
                self._chain_id,
                SignedHeader(header, stored.seen_commit),
                self._validators.set,
            )
        except HeaderRefused as exc:
            raise ConfigError(f"stored block is not signed: height={height}: {exc}") from exc
