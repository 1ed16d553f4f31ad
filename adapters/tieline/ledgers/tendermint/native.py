"""
A CometBFT ledger behind JSON-RPC: reads, events by height, proofs, headers and transactions.

Heights are those that the contract has committed, so all that is told here is final and survives a
restart. What this RPC says is not trusted by anyone: headers and proofs are verified where they
are used.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from tieline.contract import accounts
from tieline.contract.auth import ACCOUNT_NUMBER
from tieline.contract.errors import WrongSequence
from tieline.contract.genesis import Parameters
from tieline.contract.genesis_state import CHAIN_TAG_KEY
from tieline.contract.store import IBC, TIELINE
from tieline.interfaces.errors import NotYet, Rejected, Unavailable
from tieline.interfaces.ledger import (
    BlockEvents,
    Capabilities,
    Message,
    StoredValue,
    SubmitResult,
)
from tieline.interfaces.signer import Signer
from tieline.ledgers.tendermint import rpc_records
from tieline.ledgers.tendermint.client_terms import CAPABILITIES, ClientTerms, client_states
from tieline.ledgers.tendermint.rpc import PAGE, CometRpc, Json, as_base64, from_base64
from tieline.light_clients.tendermint.messages import ClientHeader, revision_of
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.wire.blocks import StoredBlock
from tieline.wire.codec import build_transaction, transaction_hash
from tieline.wire.cometbft import SignedHeader, Validator, ValidatorSet
from tieline.wire.errors import Malformed
from tieline.wire.ics23_proofs import ExistenceProof, decode_merkle_proof
from tieline.wire.store_answers import decode_pairs

BLOCKS_KEPT = 1024
"""Blocks remembered here; they never change."""
_INVALID_HEIGHT = 26
_CAPABILITIES = replace(CAPABILITIES, in_flight_max=16)


class NativeTendermint:
    """Implements ``interfaces.ledger.Ledger``."""

    def __init__(self, chain_id: str, rpc: CometRpc, parameters: Parameters | None = None) -> None:
        """
        Talk to a running ledger.

        Args:
            chain_id: Its id; an engine of another ledger is not used.
            rpc: One of its peers.
            parameters: The ledger's governed numbers, for the gas limit.
        """
        self._chain_id = chain_id
        self._revision = revision_of(chain_id)
        self._rpc = rpc
        self._gas_limit = (parameters or Parameters()).tx_gas_max
        self._lanes: dict[str, Signer] = {}
        self._next_sequences: dict[bytes, int] = {}
        self._turns: dict[bytes, asyncio.Lock] = {}
        self._blocks: OrderedDict[int, BlockEvents] = OrderedDict()
        self._seen_height = 0

    @property
    def ledger_id(self) -> str:
        """The chain id."""
        return self._chain_id

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

    def close(self) -> None:
        """Let go of connections."""
        self._rpc.close()

    async def chain_tag(self) -> bytes:
        """Return the 32 bytes that name this ledger. Raises NotYet before block 1."""
        tag = await self.query(TIELINE, CHAIN_TAG_KEY)
        if tag is None:
            raise NotYet("the chain tag is known after block 1")
        return tag

    async def is_idle(self) -> bool:
        """Return whether no transaction waits and the last block has changed nothing."""
        waiting = await self._rpc.call("num_unconfirmed_txs")
        committed = await self._committed()
        tip = rpc_records.tip_of(await self._rpc.call("status"))
        return waiting.get("n_txs") == "0" and tip == committed

    async def latest_height(self) -> int:
        """Return the height of the last block that the contract has committed."""
        height, _ = await self._committed()
        # Peers may be behind one another; what was seen once stays seen.
        self._seen_height = max(self._seen_height, height)
        return self._seen_height

    async def latest_time_s(self) -> int:
        """Return the time of that block, unix seconds; 0 before the first."""
        height = await self.latest_height()
        return (await self._block(height)).time_s if height else 0

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

    async def blocks_after(self, height: int, limit: int = 100) -> Sequence[BlockEvents]:
        """Return blocks above *height*, ascending, without gaps."""
        start = max(height, 0) + 1
        end = min(await self.latest_height(), start + limit - 1)
        return [await self._block(one) for one in range(start, end + 1)]

    async def prove(self, key: bytes, height: int) -> StoredValue:
        """Prove *key* in store ``ibc`` as of *height*. Raises NotYet, Unavailable."""
        return (await self.prove_many([key], height))[0]

    async def prove_many(self, keys: Sequence[bytes], height: int) -> Sequence[StoredValue]:
        """Prove *keys* in store ``ibc`` as of *height*. Raises NotYet, Unavailable."""
        if height >= await self.latest_height():
            raise NotYet(f"header that proves it is not there: height={height + 1}")
        path = f"/store/{IBC}/key"
        calls = [
            {"path": path, "data": key.hex(), "height": str(height), "prove": True} for key in keys
        ]
        answers = await self._rpc.call_many("abci_query", calls)
        return [
            self._stored_value(key, height, _response(path, answer))
            for key, answer in zip(keys, answers, strict=True)
        ]

    def _stored_value(self, key: bytes, height: int, response: Json) -> StoredValue:
        proof = rpc_records.merkle_proof_of(response)
        try:
            in_store = decode_merkle_proof(proof)[0]
        except Malformed as exc:
            raise Unavailable(f"not a proof: {exc}") from exc
        value = in_store.value if isinstance(in_store, ExistenceProof) else None
        return StoredValue(key, value, Height(self._revision, height + 1), proof)

    async def header(self, height: int, trusted_height: int) -> AnyMessage:
        """Return the client message from *trusted_height* to *height*. Raises NotYet."""
        signed = await self._signed_header(height)
        members = await self._validators(height, signed.header.proposer_address)
        trusted_members = await self._validators(trusted_height + 1)
        trusted = Height(self._revision, trusted_height)
        return ClientHeader(signed, members, trusted, trusted_members).as_any()

    async def client_states(
        self, height: int, terms: ClientTerms | None = None
    ) -> tuple[AnyMessage, AnyMessage]:
        """
        Return client and consensus state for a client that starts to trust at *height*.

        Raises:
            NotYet: There is no such block yet.
        """
        return client_states((await self._signed_header(height)).header, terms)

    async def stored_block(self, height: int) -> StoredBlock:
        """Return a whole block with its commit, as a run exports it. Raises NotYet."""
        signed = await self._signed_header(height)
        answer = await self._rpc.call("block", height=str(height))
        return StoredBlock(rpc_records.whole_block_of(answer, height), signed.commit)

    async def submit(self, lane: str, messages: Sequence[Message]) -> SubmitResult:
        """
        Sign *messages* as one transaction and hand it in. Raises Rejected, Unavailable.

        One lane's transactions go in one after the other; the sequence is counted here and read
        again from the ledger when it was refused.
        """
        key = self._lanes[lane]
        account = key.cosmos_account
        async with self._turns.setdefault(account, asyncio.Lock()):
            is_counted = account in self._next_sequences
            try:
                return await self._sign_and_send(key, messages)
            except Rejected as exc:
                is_order = (exc.codespace, exc.code) == (
                    WrongSequence.codespace,
                    WrongSequence.code,
                )
                if not (is_counted and is_order):
                    raise
            # The engine has lost what was counted on; what is signed now is another transaction.
            return await self._sign_and_send(key, messages)

    async def broadcast(self, raw: bytes) -> SubmitResult:
        """Hand in a transaction that a wallet signed. Raises Rejected, Unavailable."""
        result = await self._rpc.call("broadcast_tx_sync", tx=as_base64(raw))
        if result["code"]:
            raise Rejected(result["codespace"], result["code"], result["log"])
        return SubmitResult(transaction_hash(raw))

    async def _sign_and_send(self, key: Signer, messages: Sequence[Message]) -> SubmitResult:
        account = key.cosmos_account
        stored = await self._stored_sequence(account)
        sequence = max(stored, self._next_sequences.get(account, 0))
        raw = build_transaction(
            messages, key, self._chain_id, ACCOUNT_NUMBER, sequence, gas_limit=self._gas_limit
        )
        try:
            result = await self.broadcast(raw)
        except (Rejected, Unavailable):
            self._next_sequences.pop(account, None)
            raise
        self._next_sequences[account] = sequence + 1
        return result

    async def _stored_sequence(self, account: bytes) -> int:
        stored_key = accounts.sequence_key(account)
        value = await self.query(TIELINE, stored_key)
        return accounts.next_sequence({stored_key: value} if value else {}, account)

    async def _committed(self) -> tuple[int, bytes]:
        """Return height and app hash that the contract has committed."""
        chain_id, height, app_hash = rpc_records.committed_of(await self._rpc.call("abci_info"))
        if chain_id != self._chain_id:
            raise Unavailable(f"another ledger answers: {chain_id!r}, not {self._chain_id!r}")
        return height, app_hash

    async def _query(self, path: str, data: bytes, height: int = 0, *, prove: bool = False) -> Json:
        answer = await self._rpc.call(
            "abci_query", path=path, data=data.hex(), height=str(height), prove=prove
        )
        return _response(path, answer)

    async def _block(self, height: int) -> BlockEvents:
        known = self._blocks.get(height)
        if known is not None:
            return known
        answer = await self._rpc.call("block", height=str(height))
        results = await self._rpc.call("block_results", height=str(height))
        block = rpc_records.whole_block_of(answer, height)
        events = self._blocks[height] = rpc_records.block_events_of(results, block)
        while len(self._blocks) > BLOCKS_KEPT:
            self._blocks.popitem(last=False)
        return events

    async def _signed_header(self, height: int) -> SignedHeader:
        latest = await self.latest_height()
        if not 1 <= height <= latest:
            raise NotYet(f"no such block: height={height} latest={latest}")
        answer = await self._rpc.call("commit", height=str(height))
        return rpc_records.signed_header_of(answer, height)

    async def _validators(self, height: int, proposer: bytes = b"") -> ValidatorSet:
        members: list[Validator] = []
        total, page = 1, 1
        while len(members) < total:
            answer = await self._rpc.call(
                "validators", height=str(height), page=str(page), per_page=str(PAGE)
            )
            found, total = rpc_records.validators_of(answer)
            page += 1
            members += found
        named = [one for one in members if one.address == proposer]
        return ValidatorSet(tuple(members), named[0] if named else members[0])


def _response(path: str, answer: Json) -> Json:
    """Return what an ``abci_query`` answered. Raises Unavailable."""
    response: Json = answer["response"]
    code = response.get("code", 0)
    if code:
        what = "height is not kept" if code == _INVALID_HEIGHT else "query refused"
        raise Unavailable(f"{what}: path={path} {response.get('log', '')}")
    return response
