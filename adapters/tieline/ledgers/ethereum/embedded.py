"""
An EVM ledger in blocks that a driven clock dates: on py-evm, or on a node that makes them if told.

What is missing is consensus: the operator's sealers sign each header that is asked for.

Sources:
    ``docs/spec/decisions.md`` 15: when a block is made; ``docs/ethereum.md`` (the adapter).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import tieline.ledgers.ethereum.deployment as contracts
from tieline.contract.errors import TransactionTooLarge
from tieline.contract.genesis import Genesis
from tieline.contract.twin.state import TwinOf
from tieline.contract.twin.twin import Twin
from tieline.interfaces.errors import ConfigError, NotYet
from tieline.interfaces.ledger import (
    BlockEvents,
    Capabilities,
    Finality,
    Fuel,
    Message,
    PacketProof,
    StoredValue,
    SubmitResult,
)
from tieline.interfaces.signer import Signer
from tieline.ledgers.ethereum.artifacts import Artifact
from tieline.ledgers.ethereum.block_file import DEPLOYMENT_FILE, EvmBlockFile, read_blocks
from tieline.ledgers.ethereum.calls import PlainSend, build_call
from tieline.ledgers.ethereum.final_proofs import (
    PROOFS_FILE,
    ROOTS_FILE,
    prove_final,
    trust_roots,
)
from tieline.ledgers.ethereum.host_calls import refusal
from tieline.ledgers.ethereum.made_blocks import ChainBegins, MadeBlock
from tieline.ledgers.ethereum.observed import ObservedTransaction, observe_block
from tieline.ledgers.ethereum.packet_proofs import packet_proofs
from tieline.ledgers.ethereum.pyevm_chain import PyEvmChain
from tieline.ledgers.ethereum.refusals import read_refusal
from tieline.ledgers.ethereum.sealing import HeaderSealer, SealJournal
from tieline.light_clients.evm.building import client_header, commitment_slot, storage_proof
from tieline.light_clients.evm.messages import (
    ClientState,
    ConsensusState,
    PinnedContract,
    Sealing,
)
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.evm.blocks import EvmBlock
from tieline.wire.evm.transactions import EvmTransaction, transaction_hash
from tieline.wire.hashes import keccak, sha256

CAPABILITIES = Capabilities(
    kind="evm",
    client_type="evm-sealed",
    merkle_prefix=(b"",),
    finality=Finality.DETERMINISTIC,
    proof_lag=0,
    verifies_headers=False,
)
TX_GAS = 16_000_000
"""What each transaction may use: below the 16,777,216 of EIP-7825. Nobody else wants the room, so
running everything twice to estimate would only cost time."""
TX_BYTES_MAX = 131_072
"""What a node takes from a stranger (geth's ``txMaxSize``)."""
TXS_PER_BLOCK_MAX = 250
MAX_FEE_WEI = 10**11
TRUSTING_PERIOD_S = 14 * 86_400
CLOCK_DRIFT_S = 10


class EmbeddedEthereum:
    """Implements ``interfaces.ledger.Ledger``."""

    def __init__(
        self,
        genesis: Genesis,
        deployer: Signer,
        sealers: Sequence[Signer],
        store: Path | None = None,
        *,
        artifacts: Mapping[str, Artifact] | None = None,
        plain_send: PlainSend | None = None,
        seals: Path | None = None,
        is_synced: bool = False,
        begin: ChainBegins = PyEvmChain,
    ) -> None:
        """
        Begin a ledger, or open one that has blocks; then call ``resume`` before anything else.

        Args:
            genesis: The ledger's birth, of kind ``evm``; accounts are EVM addresses, and those
                with PAY and the cell have gas from block 0 on.
            deployer: Sends the transactions that create the contracts, in block 1.
            sealers: The operator's keys that seal headers, all of them every time.
            store: Folder for the blocks; None keeps them in memory.
            artifacts: Other contracts than those that ship, for tests.
            plain_send: How such an application is asked to send a packet.
            seals: File of the sealers' journal; beside the blocks unless given.
            is_synced: Wait for the disk at every block.
            begin: What executes the blocks; py-evm unless given.

        Raises:
            ConfigError: The folder belongs to another ledger, or the genesis is of another kind.
        """
        self._genesis, self._deployer, self._store = genesis, deployer, store
        chain_id = contracts.chain_id_of(genesis.chain_id)
        extra = sha256(genesis.to_bytes())
        self._chain = begin(chain_id, contracts.fuel_of(genesis, deployer.address), extra)
        self._plan = contracts.plan_deployment(
            genesis, chain_id, self._chain.block_hash(0), deployer.address, artifacts=artifacts
        )
        self._plain_send = plain_send
        self.chain_tag = self._plan.chain_tag
        addresses = self._plan.addresses
        self.twin = Twin(TwinOf(genesis, self.chain_tag, addresses.host, addresses.app))
        journal = ":memory:" if store is None else seals or store / "seals.db"
        self._file: EvmBlockFile | None = None
        if store is not None:
            self._file = EvmBlockFile(store, genesis.to_bytes(), is_synced=is_synced)
        self._journal = SealJournal(journal)
        self._sealer = HeaderSealer(self.chain_tag, sealers, self._journal)
        self._is_resumed = self._file is None
        self._deployment: contracts.Deployment | None = None
        self._lanes: dict[str, Signer] = {}
        self._pending: list[tuple[bytes, bytes]] = []
        """Account and transaction, in order of arrival."""
        self._kept: list[EvmBlock] = []
        self._events: list[BlockEvents] = []
        self._client_message = lru_cache(maxsize=64)(self._make_client_message)

    @property
    def ledger_id(self) -> str:
        """The chain id: unique in a topology."""
        return self._genesis.chain_id

    @property
    def capabilities(self) -> Capabilities:
        """What this ledger can do."""
        return CAPABILITIES

    @property
    def deployment(self) -> contracts.Deployment:
        """Where its contracts are; known from block 1 on."""
        assert self._deployment is not None, "the contracts are created in block 1"
        return self._deployment

    @property
    def wants_block(self) -> bool:
        """Whether there is something to put into a block: the contracts, or transactions."""
        return not self._events or bool(self._pending)

    @property
    def blocks(self) -> Sequence[EvmBlock]:
        """All blocks from height 1; read from the folder if there is one."""
        return self._kept if self._store is None else read_blocks(self._store)

    def add_lane(self, name: str, key: Signer) -> None:
        """Let *name* submit with *key*. A lane keeps its key."""
        assert name not in self._lanes, f"lane twice: {name}"
        self._lanes[name] = key

    def lane_account(self, lane: str) -> bytes:
        """Return the 20-byte account of *lane*: its EVM address."""
        return self._lanes[lane].address

    def resume(self) -> int:
        """
        Execute the stored blocks again, compare each with what is stored, and return their number.

        Raises:
            ConfigError: They are not a history of this ledger.
        """
        if self._is_resumed or self._file is None:
            return len(self._events)
        stored = self._file.read()
        for block in stored:
            self._replay(block)
        self._is_resumed = True
        return len(stored)

    def produce_block(self, time_s: int, *, is_deadline: bool = False) -> bool:
        """
        Make a block at *time_s* if one is due, and say whether one was made.

        Args:
            time_s: Chain time; not later than the last block's: nothing is made.
            is_deadline: A deadline of an open slot falls here, so an empty block is due too.
        """
        assert self._is_resumed, "resume() before the first block"
        if time_s <= self._chain.time_s or not (is_deadline or self.wants_block):
            return False
        chosen = self._pending[:TXS_PER_BLOCK_MAX]
        raw = [transaction for _, transaction in chosen]
        if not self._events:
            raw = [*self._deploying(), *raw]
        made = self._chain.make_block(time_s, raw)
        del self._pending[: len(chosen)]
        if self._file is not None:
            self._file.append(made.block)
        self._take(made)
        return True

    async def advance(self, time_s: int, *, is_deadline: bool = False) -> bool:
        """As ``produce_block``, for worlds in which blocks take time."""
        return self.produce_block(time_s, is_deadline=is_deadline)

    def close(self) -> None:
        """Let go of files, and of an engine beside this process."""
        self._chain.close()
        self._journal.close()
        if self._file is not None:
            self._file.close()
            self._file = None

    # --- reading --------------------------------------------------------------------------------

    async def latest_height(self) -> int:
        """Return the height of the latest block; 0 before the first."""
        return len(self._events)

    async def latest_time_s(self) -> int:
        """Return the time of the latest block, unix seconds."""
        return self._chain.time_s

    async def query(self, store: str, key: bytes) -> bytes | None:
        """Return a committed value, unproved."""
        return self.twin.query(store, key)

    async def scan(self, store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        """Return all committed pairs under *prefix*, ascending."""
        return self.twin.scan(store, prefix)

    async def blocks_after(self, height: int, limit: int = 100) -> Sequence[BlockEvents]:
        """Return blocks above *height*, ascending, without gaps."""
        return self._events[max(height, 0) : max(height, 0) + limit]

    async def packet_proofs(self) -> Sequence[PacketProof]:
        """Return what proved each packet message that took effect, in the order of the blocks."""
        return packet_proofs(self._events, self.blocks)

    async def state_root(self) -> bytes:
        """Return the state root after the last block."""
        return self._chain.state_root(self._chain.height)

    async def finish(self) -> None:
        """Write proofs of the last block and of what the contracts hold, for an audit."""
        if self._file is None or not self._events:
            return
        height, addresses = self._chain.height, self._plan.addresses

        def prove(address: bytes, slot: bytes) -> Sequence[bytes]:
            return self._chain.storage_proof(address, slot, height)[1]

        header = self._client_message(height).value
        proofs = prove_final(header, addresses.host, addresses.app, self.twin.scan, prove)
        self._file.replace(PROOFS_FILE, proofs.encode())

    async def fuel(self) -> Sequence[Fuel]:
        """Return what each lane's account has burnt and has left, wei."""
        keys = {name: key.address for name, key in self._lanes.items()}
        left = {name: self._chain.balance(account) for name, account in keys.items()}
        return [
            Fuel(name, keys[name], "wei", contracts.FUEL_WEI - left[name], left[name])
            for name in keys
        ]

    # --- proving --------------------------------------------------------------------------------

    async def prove(self, key: bytes, height: int) -> StoredValue:
        """Prove *key* in store ``ibc`` as of *height*: a commitment of the host. Raises NotYet."""
        self._require(height)
        host = self._plan.addresses.host
        value, nodes = self._chain.storage_proof(host, commitment_slot(key), height)
        whole = None if value is None else value.rjust(32, b"\0")
        return StoredValue(key, whole, Height(0, height), storage_proof(nodes))

    async def header(self, height: int, trusted_height: int) -> AnyMessage:
        """Return the sealed header with its account proofs. Raises NotYet."""
        del trusted_height  # the client's sealers never change
        self._require(height)
        return self._client_message(height)

    async def trust_at(self, height: int) -> tuple[AnyMessage, AnyMessage]:
        """As ``client_states``."""
        return self.client_states(height)

    def client_states(self, height: int) -> tuple[AnyMessage, AnyMessage]:
        """Return client and consensus state for a client that starts at *height*, or NotYet."""
        self._require(height)
        deployment, host = self.deployment, self._plan.addresses.host
        client = ClientState(
            chain_id=deployment.chain_id,
            genesis_hash=deployment.genesis_hash,
            sealing=Sealing.AUTHORITY,
            sealers=self._sealer.addresses,
            host=host,
            pinned=tuple(PinnedContract(*pair) for pair in deployment.pinned),
            latest_height=height,
            trusting_period_ns=TRUSTING_PERIOD_S * NANOSECONDS_PER_SECOND,
            max_clock_drift_ns=CLOCK_DRIFT_S * NANOSECONDS_PER_SECOND,
        )
        consensus = ConsensusState(
            self._chain.time_of(height) * NANOSECONDS_PER_SECOND,
            self._chain.storage_root(host, height),
            self._chain.block_hash(height),
        )
        return client.as_any(), consensus.as_any()

    def _make_client_message(self, height: int) -> AnyMessage:
        header = self._chain.header(height)
        proofs = [self._chain.account_proof(one, height) for one, _ in self.deployment.pinned]
        return client_header(header, proofs, self._sealer.seal(header)).as_any()

    def _require(self, height: int) -> None:
        if not 1 <= height <= len(self._events):
            raise NotYet(f"no such block: height={height} latest={len(self._events)}")

    # --- writing --------------------------------------------------------------------------------

    async def submit(self, lane: str, messages: Sequence[Message]) -> SubmitResult:
        """
        Sign *messages* as one transaction and hand it in.

        Raises:
            Rejected: A message makes no sense here, the account has no gas, or it is too large.
        """
        key = self._lanes[lane]
        if not self._events:
            raise NotYet("the contracts are created in block 1")
        call = build_call(messages, self.twin.state, self._plan.addresses, self._plain_send)
        if len(call.data) > TX_BYTES_MAX:
            text = f"transaction too large: bytes={len(call.data)} most={TX_BYTES_MAX}"
            raise refusal(TransactionTooLarge, text)
        waiting = sum(account == key.address for account, _ in self._pending)
        nonce = self._chain.nonce(key.address) + waiting
        raw = self._transaction(nonce, call.to, call.data).sign(key)
        self._chain.check(raw)
        self._pending.append((key.address, raw))
        return SubmitResult(transaction_hash(raw))

    def _transaction(self, nonce: int, to: bytes | None, data: bytes) -> EvmTransaction:
        chain_id = self._plan.chain_id
        return EvmTransaction(chain_id, nonce, TX_GAS, MAX_FEE_WEI, 0, to, data)

    def _deploying(self) -> list[bytes]:
        return [
            self._transaction(nonce, step.to, step.data).sign(self._deployer)
            for nonce, step in enumerate(self._plan.steps)
        ]

    # --- blocks ---------------------------------------------------------------------------------

    def _replay(self, stored: EvmBlock) -> None:
        height = self._chain.height + 1
        header = stored.read_header()
        made = self._chain.make_block(header.timestamp, stored.transactions)
        if made.block != stored:
            raise ConfigError(
                f"stored block is not this ledger's: ledger={self.ledger_id} height={height} "
                f"stored=0x{keccak(stored.header).hex()} "
                f"computed=0x{keccak(made.block.header).hex()}"
            )
        self._take(made)

    def _take(self, made: MadeBlock) -> None:
        """Remember a block, and what it told."""
        height = self._chain.height
        if self._store is None:
            self._kept.append(made.block)
        if height == 1:
            self._note_deployment(made)
        transactions = [
            ObservedTransaction(
                transaction_hash(raw), done.is_success, done.logs, done.output, done.breakdown
            )
            for raw, done in zip(made.block.transactions, made.executed, strict=True)
        ]
        self._events.append(observe_block(self.twin, height, self._chain.time_s, transactions))

    def _note_deployment(self, made: MadeBlock) -> None:
        for step, done in zip(self._plan.steps, made.executed, strict=False):
            if not done.is_success:
                why = read_refusal(done.output, done.breakdown)
                raise ConfigError(f"{step.name} failed on {self.ledger_id}: {why.log}")
        self._deployment = self._plan.recorded(self._chain.code, 1)
        if self._file is not None:
            self._file.keep(DEPLOYMENT_FILE, self._deployment.to_bytes())
            roots = trust_roots(self._deployment, self._chain.header(0), self._sealer.addresses)
            self._file.keep(ROOTS_FILE, roots.encode())
