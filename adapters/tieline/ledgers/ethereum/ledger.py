"""
An Ethereum ledger behind JSON-RPC: geth, anvil, or any node of a chain that holds our contracts.

Only final blocks are shown. Their logs are folded into what our own contract would hold, so the hub
and the cells read this ledger like any other; what they prove to others comes from ``eth_getProof``
and is verified where it counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tieline.interfaces.errors import ConfigError, NotYet, Rejected, Reorganised, Unavailable
from tieline.interfaces.ledger import (
    BlockEvents,
    Capabilities,
    Finality,
    Message,
    StoredValue,
    SubmitResult,
)
from tieline.interfaces.signer import Signer
from tieline.ledgers.ethereum.account_book import Account
from tieline.ledgers.ethereum.calls import Call, PlainSend, build_call
from tieline.ledgers.ethereum.deployment import Deployment, check_chain, check_deployment
from tieline.ledgers.ethereum.endpoints import EvmEndpoints, IdentityCheck
from tieline.ledgers.ethereum.final_view import EvmLedgerPlan, FinalView
from tieline.ledgers.ethereum.follower import Head
from tieline.ledgers.ethereum.gas import Estimate, check_size, estimate
from tieline.ledgers.ethereum.known_gas import KnownGas
from tieline.ledgers.ethereum.nonces import AccountSender
from tieline.ledgers.ethereum.proving import ChainProver
from tieline.ledgers.ethereum.rpc import EvmRpc
from tieline.ledgers.ethereum.rpc_records import block_call, block_of, number_of, octets_of
from tieline.ledgers.ethereum.sealing import HeaderSealer
from tieline.ledgers.ethereum.settings import EvmSettings
from tieline.ledgers.ethereum.transaction_journal import TransactionJournal
from tieline.protocol.messages import AnyMessage
from tieline.swap.messages import MsgLockAndSend, MsgOpenLocal

CAPABILITIES: Final = Capabilities(
    kind="evm",
    client_type="evm-sealed",
    merkle_prefix=(b"",),
    finality=Finality.PROBABILISTIC,
    proof_lag=0,
    in_flight_max=16,
    verifies_headers=False,
)

_LOG = logging.getLogger(__name__)
FRESH_S: Final = 3.0
"""So long a base fee counts: in that time it does not double, and twice of it is offered."""
_BEGINS_SWAP: Final = (MsgLockAndSend, MsgOpenLocal)


class _Identity(IdentityCheck):
    """A node is of the ledger: chain id, block 0, and our code where it should be."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    async def check(self, rpc: EvmRpc) -> None:
        chain_id = number_of(await rpc.call("eth_chainId"))
        method, parameters = block_call(0)
        genesis_hash = block_of(await rpc.call(method, *parameters)).hash
        check_chain(self._deployment, chain_id, genesis_hash)
        height, first = number_of(await rpc.call("eth_blockNumber")), self._deployment.start_height
        if height < first:
            raise Unavailable(
                f"{rpc.address} is behind: it ends at block {height}, the contracts of "
                f"{self._deployment.ledger_id} came at {first}"
            )
        codes: dict[bytes, bytes] = {}
        for _, address in self._deployment.addresses.each():
            text = "0x" + address.hex()
            codes[address] = octets_of(await rpc.call("eth_getCode", text, "latest"))
        check_deployment(self._deployment, chain_id, genesis_hash, codes.__getitem__)


class EthereumLedger:
    """Implements ``interfaces.ledger.Ledger`` and ``BulkProofSource``."""

    def __init__(
        self,
        plan: EvmLedgerPlan,
        rpcs: Sequence[EvmRpc],
        settings: EvmSettings,
        journal: TransactionJournal | None = None,
        sealer: HeaderSealer | None = None,
        *,
        plain_send: PlainSend | None = None,
    ) -> None:
        """
        Talk to a chain on which the contracts are; nothing is asked of it yet.

        Args:
            plan: Which ledger.
            rpcs: Its nodes, in order of preference.
            settings: When a block is final, what is paid.
            journal: What was sent before; in memory by default, for readers and tests.
            sealer: The operator's seals, where consensus gives none.
            plain_send: How an application that lets anyone send is asked to, for tests.

        Raises:
            ConfigError: The journal is of another chain.
        """
        self._plan = plan
        self._settings = settings
        self._plain_send = plain_send
        self._journal = journal or TransactionJournal()
        deployment = plan.deployment
        bound = self._journal.bind(deployment.chain_tag)
        if bound != deployment.chain_tag:
            raise ConfigError(
                f"the journal is of another chain than {self.ledger_id} is on now: "
                f"{bound.hex()[:16]}, not {deployment.chain_tag.hex()[:16]}",
                instead="a chain that was begun anew needs a journal of its own: move the old one",
            )
        self._endpoints = EvmEndpoints(self.ledger_id, rpcs, _Identity(deployment))
        self._known_gas = KnownGas()
        self._view = FinalView(
            *(plan, self._endpoints, settings.finality, self._journal), self._known_gas.forget
        )
        self._prover = ChainProver(deployment, self._endpoints, sealer)
        self._lanes: dict[str, Signer] = {}
        self._senders: dict[bytes, AccountSender] = {}
        self._looked: tuple[bytes, float] = (b"", float("-inf"))
        self._read_at = float("-inf")
        self._untold: Reorganised | None = None
        """Blocks that are gone, and the observer does not know."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = asyncio.Lock()

    # --- who it is --------------------------------------------------------------------------

    @property
    def ledger_id(self) -> str:
        """The ledger's name, unique in a topology."""
        return self._plan.deployment.ledger_id

    @property
    def capabilities(self) -> Capabilities:
        """What this ledger can do."""
        if self._settings.finality.tag:
            return replace(CAPABILITIES, finality=Finality.DETERMINISTIC)
        return CAPABILITIES

    @property
    def chain_tag(self) -> bytes:
        """The 32 bytes that name this ledger instance."""
        return self._plan.deployment.chain_tag

    @property
    def endpoints(self) -> EvmEndpoints:
        """Its nodes."""
        return self._endpoints

    def add_lane(self, name: str, key: Signer) -> None:
        """Let *name* submit with *key*. A lane keeps its key."""
        assert name not in self._lanes, f"lane twice: {name}"
        self._lanes[name] = key
        self._sender(key)

    def lane_account(self, lane: str) -> bytes:
        """Return the 20-byte account of *lane*: its key's EVM address."""
        return self._lanes[lane].address

    def close(self) -> None:
        """Let go of connections and of the journal."""
        self._endpoints.close()
        self._journal.close()

    # --- reading ----------------------------------------------------------------------------

    async def latest_height(self) -> int:
        """
        Return the height of the last final block.

        Raises:
            ConfigError: This is not the chain that was read before: the operator must act.
            Unavailable: No node answers.
        """
        await self._read_on()
        return max(self._view.height, 0)

    async def latest_time_s(self) -> int:
        """Return the chain time of the last final block, unix seconds."""
        await self._read_on()
        return self._view.time_s

    async def drift_s(self) -> int:
        """Return how far the chain's time is ahead of this computer's; negative: behind."""
        return (await self._read_on()).drift_s

    async def query(self, store: str, key: bytes) -> bytes | None:
        """Return the committed value of *key* in store ``ibc`` or ``tieline``, unproved."""
        await self._begin()
        return self._view.twin.query(store, key)

    async def scan(self, store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        """Return all committed pairs under *prefix*, ascending."""
        await self._begin()
        return self._view.twin.scan(store, prefix)

    async def blocks_after(self, height: int, limit: int = 100) -> Sequence[BlockEvents]:
        """
        Return final blocks above *height*, ascending, without gaps, at most *limit*; none is from
        before the contracts.

        Raises:
            Reorganised: Blocks that were shown are gone; said once, to the one observer that a
                ledger object has: forget, and read from a start.
            ConfigError: This is not the chain that was read before: the operator must act.
            NotYet: The chain changed while it was read.
            Unavailable: No node answers, or *height* is above all that there is.
        """
        with contextlib.suppress(Reorganised):  # told below, with those of before
            await self._read_on()
        if self._untold is not None:
            error, self._untold = self._untold, None
            raise error
        return self._view.blocks_after(height, limit)

    async def is_idle(self) -> bool:
        """Return whether nothing of ours is under way and all that is final was read."""
        await self._read_on()
        return not any(sender.under_way for sender in self._senders.values())

    # --- proofs -----------------------------------------------------------------------------

    async def prove(self, key: bytes, height: int) -> StoredValue:
        """Prove *key* in store ``ibc`` as of *height*. Raises NotYet, Pruned, Unavailable."""
        return (await self.prove_many([key], height))[0]

    async def prove_many(self, keys: Sequence[bytes], height: int) -> Sequence[StoredValue]:
        """Prove *keys* as of *height*, in their order. Raises NotYet, Pruned, Unavailable."""
        await self._require_final(height)
        return await self._prover.prove(keys, height)

    async def header(self, height: int, trusted_height: int) -> AnyMessage:
        """
        Return the client message from *trusted_height* to *height*.

        Raises:
            NotYet: It is not final yet.
            Contradicted: Another block at that height is sealed for ever.
        """
        await self._require_final(height)
        return await self._prover.header(height, trusted_height, self._view.hash_at(height))

    async def client_states(
        self, height: int, terms: object | None = None
    ) -> tuple[AnyMessage, AnyMessage]:
        """
        Return client and consensus state for a client that starts to trust at *height*.

        Args:
            height: Which final block.
            terms: Periods of CometBFT, which mean nothing here.

        Raises:
            NotYet: It is not final yet.
        """
        del terms
        await self._require_final(height)
        return await self._prover.client_states(height)

    async def _require_final(self, height: int) -> None:
        if height > self._view.height:
            await self._read_on()
        if height > self._view.height:
            raise NotYet(f"not final yet: height={height} final={self._view.height}")

    # --- writing ----------------------------------------------------------------------------

    async def submit(self, lane: str, messages: Sequence[Message]) -> SubmitResult:
        """
        Sign *messages* as one transaction and hand it in; all or none takes effect. Many of a lane
        may be under way. It is broadcast until it is final, also after a restart.

        Raises:
            Rejected: It would fail, is too large, or the account cannot pay; it holds no nonce. A
                payment whose like went well a moment ago is not run first: its block may refuse it.
            NotYet: It rests on what is under way, the node has no room, or the chain's time is
                ahead; it did not go in.
            Unavailable: No node answers; it did not go in.
        """
        await self._begin()
        self._check_time(messages)
        key = self._lanes[lane]
        call = build_call(
            *(messages, self._view.twin.state, self._plan.deployment.addresses), self._plain_send
        )
        check_size(call, self._settings)
        sender = self._sender(key)
        try:
            needed = await self._needed(key.address, call)
        except Rejected as exc:
            if sender.has_unmined:
                # It may rest on one of these; nodes judge it by a block that lacks them.
                raise NotYet(f"judged when what is under way is in a block: {exc}") from exc
            raise
        name = await sender.submit(call.to, call.data, needed.gas, needed.base_fee)
        return SubmitResult(name)

    async def _needed(self, sender: bytes, call: Call) -> Estimate:
        """Return what a call is given; it is run first unless its like was run a moment ago."""
        base_fee = self._base_fee()
        known = self._known_gas.find(sender, call)
        if known is not None and base_fee is not None:
            return Estimate.of(known, self._settings, base_fee)
        needed = await estimate(self._endpoints, sender, call, self._settings, base_fee)
        self._known_gas.note(sender, call, needed.needed)
        return needed

    def _base_fee(self) -> int | None:
        """Return the base fee if the chain was looked at in these seconds."""
        head = self._view.head
        is_fresh = time.monotonic() - self._read_at < FRESH_S
        return head.base_fee if head is not None and is_fresh else None

    def _check_time(self, messages: Sequence[Message]) -> None:
        head = self._view.head
        most = self._settings.drift_s_max
        if head is None or head.drift_s <= most:
            return
        if any(isinstance(message, _BEGINS_SWAP) for message in messages):
            raise NotYet(
                f"no swap begins: the chain of {self.ledger_id} is {head.drift_s} s ahead of this "
                f"computer's clock, {most} s at most; is the clock right? A chain that makes a "
                "block for every transaction runs ahead: give it a block time"
            )

    def _sender(self, key: Signer) -> AccountSender:
        sender = self._senders.get(key.address)
        if sender is None:
            account = Account(
                *(key, self._plan.deployment.chain_id, self._endpoints, self._journal),
                self._settings.fees,
            )
            sender = self._senders[key.address] = AccountSender(account, self._settings.pace)
        return sender

    # --- reading on -------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Read the chain if that was never done; later reads are the observer's to order."""
        if self._view.head is None:
            await self._read_on()

    async def _read_on(self) -> Head:
        """Read what is final now, and look after what is under way."""
        async with self._lock():
            try:
                head = await self._read_view()
            except Reorganised:
                head = await self._read_view()
            self._read_at = time.monotonic()
            await self._look_after(head)
            return head

    async def _read_view(self) -> Head:
        """Read what is final now. Raises Reorganised, of which the observer is told."""
        try:
            return await self._view.read_on()
        except Reorganised as exc:
            for sender in self._senders.values():
                sender.reopen_above(exc.height)  # what those blocks ended is under way again
            self._looked = (b"", float("-inf"))
            self._untold = exc if self._untold is None else self._untold.joined(exc)
            raise

    async def _look_after(self, head: Head) -> None:
        """See to our transactions: with every new block, and now and then without one."""
        seen, at = self._looked
        now = time.monotonic()
        if seen == head.hash and now - at < self._settings.pace.again_s:
            return
        self._looked = head.hash, now
        for sender in list(self._senders.values()):
            await sender.look(head.height, head.final_height, head.base_fee)

    def _lock(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._turn = loop, asyncio.Lock()
        return self._turn
