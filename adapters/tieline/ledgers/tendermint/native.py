"""
A CometBFT ledger with our contract behind JSON-RPC: reads, events by height, proofs, headers and
transactions.

Heights are those that the contract has committed, so all that is told here is final and survives a
restart. What this RPC says is not trusted by anyone: headers and proofs are verified where they
are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tieline.contract import accounts
from tieline.contract.auth import ACCOUNT_NUMBER
from tieline.contract.genesis import Parameters
from tieline.contract.genesis_state import CHAIN_TAG_KEY
from tieline.contract.store import TIELINE
from tieline.interfaces.errors import Contradicted, HubError, NotYet
from tieline.interfaces.ledger import Capabilities, Message, SubmitResult
from tieline.interfaces.signer import Signer
from tieline.ledgers.tendermint import rpc_records
from tieline.ledgers.tendermint.client_terms import CAPABILITIES
from tieline.ledgers.tendermint.comet_reader import CometReader
from tieline.ledgers.tendermint.endpoints import CometEndpoints
from tieline.ledgers.tendermint.lane_queue import LaneQueue, refusal_of
from tieline.ledgers.tendermint.rpc import CometRpc, from_base64
from tieline.wire.blocks import StoredBlock
from tieline.wire.codec import build_transaction, transaction_hash
from tieline.wire.store_answers import decode_pairs

_CAPABILITIES = replace(CAPABILITIES, in_flight_max=16)


class NativeTendermint(CometReader):
    """Implements ``interfaces.ledger.Ledger``."""

    def __init__(
        self,
        chain_id: str,
        peers: CometRpc | CometEndpoints,
        parameters: Parameters | None = None,
    ) -> None:
        """
        Talk to a running ledger.

        Args:
            chain_id: Its id; a peer of another ledger is not used.
            peers: One of its peers, or several.
            parameters: The ledger's governed numbers, for its bounds of gas and bytes.
        """
        super().__init__(chain_id, peers)
        self._parameters = parameters or Parameters()
        self._lanes: dict[str, Signer] = {}
        self._queues: dict[bytes, LaneQueue] = {}

    @property
    def capabilities(self) -> Capabilities:
        """What this ledger can do."""
        return _CAPABILITIES

    def add_lane(self, name: str, key: Signer) -> None:
        """Let *name* submit with *key*. A lane keeps its key."""
        assert name not in self._lanes, f"lane twice: {name}"
        self._lanes[name] = key

    def lane_account(self, lane: str) -> bytes:
        """Return the 20-byte account of *lane*."""
        return self._lanes[lane].cosmos_account

    async def chain_tag(self) -> bytes:
        """Return the 32 bytes that name this ledger. Raises NotYet before block 1."""
        tag = await self.query(TIELINE, CHAIN_TAG_KEY)
        if tag is None:
            raise NotYet("the chain tag is known after block 1")
        return tag

    async def is_idle(self) -> bool:
        """Return whether no transaction waits and the last block has changed nothing."""
        waiting = await self._peers.call("num_unconfirmed_txs")
        _, *committed = await self._peers.committed()
        tip = rpc_records.tip_of(await self._peers.call("status"))
        return waiting.get("n_txs") == "0" and tip == tuple(committed)

    async def latest_height(self) -> int:
        """
        Return the height of the last block that the contract has committed.

        Raises:
            Contradicted: The contract behind the engine is another ledger's.
            Unavailable: No peer answers.
        """
        name, _, _ = await self._peers.committed()
        if name != self._chain_id:
            raise Contradicted(f"another contract answers: {name!r}, not {self._chain_id!r}")
        self._seen_height = self._peers.height
        return self._seen_height

    async def query(self, store: str, key: bytes) -> bytes | None:
        """Return a committed value, unproved."""
        height = await self.latest_height()
        if not height:
            return None
        response = await self._query(f"/store/{store}/key", key, height)
        return from_base64(response.get("value")) or None

    async def scan(self, store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        """Return all committed pairs under *prefix*, ascending."""
        response = await self._query(f"/store/{store}/subspace", prefix)
        return decode_pairs(from_base64(response.get("value")))

    async def stored_block(self, height: int) -> StoredBlock:
        """Return a whole block with its commit, as a run exports it. Raises NotYet."""
        signed = await self._signed_header(height)
        answer = await self._peers.call("block", height=str(height))
        return StoredBlock(rpc_records.whole_block_of(answer, height), signed.commit)

    async def submit(self, lane: str, messages: Sequence[Message]) -> SubmitResult:
        """
        Sign *messages* as one transaction and hand it in. Many of a lane may be under way.

        Raises:
            Rejected: Refused at the door, or too large; it holds no sequence.
            NotYet: The mempool is full; it did not go in.
            Unavailable: It is not known whether it went in; look before sending it again.
        """
        key = self._lanes[lane]

        def sign(sequence: int) -> bytes:
            gas = self._parameters.tx_gas_max
            return build_transaction(
                messages, key, self._chain_id, ACCOUNT_NUMBER, sequence, gas_limit=gas
            )

        return await self._queue(key.cosmos_account).submit(sign)

    async def broadcast(self, raw: bytes) -> SubmitResult:
        """Hand in a transaction that a wallet signed. Raises Rejected, NotYet, Unavailable."""
        (outcome,), _ = await self._peers.broadcast([raw])
        refusal = outcome if isinstance(outcome, HubError) else refusal_of(outcome)
        if refusal is not None:
            raise refusal
        return SubmitResult(transaction_hash(raw))

    def _queue(self, account: bytes) -> LaneQueue:
        queue = self._queues.get(account)
        if queue is None:

            async def stored_sequence() -> int:
                stored_key = accounts.sequence_key(account)
                value = await self.query(TIELINE, stored_key)
                return accounts.next_sequence({stored_key: value} if value else {}, account)

            queue = LaneQueue(self._peers, stored_sequence, self._parameters.tx_bytes_max)
            self._queues[account] = queue
        return queue
