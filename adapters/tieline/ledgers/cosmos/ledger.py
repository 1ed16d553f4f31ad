"""
A stock ibc-go chain behind CometBFT's JSON-RPC: reads, events by height, proofs, headers and
transactions. Nothing of ours runs there, and what this RPC says is believed by no contract.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from tieline.interfaces.errors import NotYet, Rejected, Unavailable
from tieline.interfaces.ledger import (
    BlockEvents,
    Capabilities,
    Message,
    StoredValue,
    SubmitResult,
)
from tieline.interfaces.signer import Signer
from tieline.ledgers.cosmos.accounts import (
    ACCOUNT_PATH,
    BALANCE_PATH,
    NO_ACCOUNT,
    UNKNOWN_ADDRESS,
    Account,
    account_query,
    balance_query,
    decode_account,
    decode_balance,
    expected_sequence,
)
from tieline.ledgers.cosmos.events import block_events_of
from tieline.ledgers.cosmos.gas import Fees, gas_limit
from tieline.ledgers.cosmos.genesis import ACCOUNT_PREFIX
from tieline.ledgers.cosmos.refusals import sorted_refusal
from tieline.ledgers.tendermint import rpc_records
from tieline.ledgers.tendermint.client_terms import CAPABILITIES as COMETBFT
from tieline.ledgers.tendermint.client_terms import ClientTerms
from tieline.ledgers.tendermint.light_source import LightSource, response_of
from tieline.ledgers.tendermint.rpc import CometRpc, Json, as_base64, from_base64
from tieline.protocol.messages import AnyMessage
from tieline.wire.bech32 import account_to_text
from tieline.wire.codec import encode_message, transaction_hash
from tieline.wire.store_answers import decode_pairs
from tieline.wire.transactions import sign_messages

BLOCKS_KEPT = 1024
"""Blocks remembered here; they never change."""
IBC_STORE = "ibc"

CAPABILITIES = replace(COMETBFT, kind="cosmos", native_locks=False, in_flight_max=16)


class CosmosLedger:
    """Implements ``interfaces.ledger.Ledger``."""

    def __init__(
        self,
        chain_id: str,
        rpc: CometRpc,
        *,
        account_prefix: str = ACCOUNT_PREFIX,
        fees: Fees | None = None,
    ) -> None:
        """
        Talk to a running chain.

        Args:
            chain_id: Its id; an engine of another chain is not used.
            rpc: One of its nodes.
            account_prefix: How its accounts begin.
            fees: What it wants to be paid; nothing by default.
        """
        self._chain_id = chain_id
        self._rpc = rpc
        self._source = LightSource(chain_id, rpc)
        self._prefix = account_prefix
        self._fees = fees or Fees()
        self._lanes: dict[str, Signer] = {}
        self._accounts: dict[bytes, Account] = {}
        """With the sequence of the next transaction, those that wait counted."""
        self._turns: dict[bytes, asyncio.Lock] = {}
        self._blocks: OrderedDict[int, BlockEvents] = OrderedDict()
        self._seen_height = 0

    @property
    def ledger_id(self) -> str:
        """The chain id."""
        return self._chain_id

    @property
    def capabilities(self) -> Capabilities:
        """What this chain can do."""
        return CAPABILITIES

    def add_lane(self, name: str, key: Signer) -> None:
        """Let *name* submit with *key*. A lane keeps its key."""
        assert name not in self._lanes, f"lane twice: {name}"
        self._lanes[name] = key

    def lane_account(self, lane: str) -> bytes:
        """Return the 20-byte account of *lane*."""
        return self._lanes[lane].cosmos_account

    def account_text(self, account: bytes) -> str:
        """Return an account as this chain writes it."""
        return account_to_text(account, self._prefix)

    def close(self) -> None:
        """Let go of connections."""
        self._rpc.close()

    async def is_idle(self) -> bool:
        """Return whether no transaction waits for a block."""
        waiting = await self._rpc.call("num_unconfirmed_txs")
        return waiting.get("n_txs") == "0"

    async def latest_height(self) -> int:
        """Return the height of the last block that the chain has committed."""
        _, height, _ = rpc_records.committed_of(await self._rpc.call("abci_info"))
        if not self._seen_height:
            await self._check_chain()
        # Nodes may be behind one another; what was seen once stays seen.
        self._seen_height = max(self._seen_height, height)
        return self._seen_height

    async def latest_time_s(self) -> int:
        """Return the time of that block, unix seconds; 0 before the first."""
        height = await self.latest_height()
        return (await self._block(height)).time_s if height else 0

    async def query(self, store: str, key: bytes) -> bytes | None:
        """Return a committed value, unproved; a store of ours holds nothing here."""
        if store != IBC_STORE:
            return None
        height = await self.latest_height()
        response = await self._query(f"/store/{store}/key", key, height)
        return from_base64(response.get("value")) or None

    async def scan(self, store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        """Return all committed pairs under *prefix*, ascending; none of a store of ours."""
        if store != IBC_STORE:
            return []
        response = await self._query(f"/store/{store}/subspace", prefix)
        return decode_pairs(from_base64(response.get("value")))

    async def balance(self, account: bytes, denom: str) -> int:
        """Return what an account holds of a denomination, base units."""
        request = balance_query(self.account_text(account), denom)
        response = await self._query(BALANCE_PATH, request)
        return decode_balance(from_base64(response.get("value")))

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
        return await self._source.prove_many(keys, height)

    async def header(self, height: int, trusted_height: int) -> AnyMessage:
        """Return the client message from *trusted_height* to *height*. Raises NotYet."""
        await self._require(height)
        return await self._source.header(height, trusted_height)

    async def client_states(
        self, height: int, terms: ClientTerms | None = None
    ) -> tuple[AnyMessage, AnyMessage]:
        """
        Return client and consensus state for a client that starts to trust at *height*.

        Raises:
            NotYet: There is no such block yet.
        """
        await self._require(height)
        return await self._source.client_states(height, terms)

    async def submit(self, lane: str, messages: Sequence[Message]) -> SubmitResult:
        """
        Sign *messages* as one transaction and hand it in. Raises Rejected, NotYet, Unavailable.

        Sequences are counted here, so that several transactions of a lane may wait for a block;
        when
        one was refused for its sequence, it is signed again with the one that the chain wants.
        """
        encoded = [encode_message(message, self._prefix) for message in messages]
        gas = gas_limit(messages, encoded)
        return await self.submit_encoded(lane, encoded, gas)

    async def submit_encoded(
        self, lane: str, messages: Sequence[AnyMessage], gas: int
    ) -> SubmitResult:
        """As ``submit``, of any messages that the chain knows, with a gas limit."""
        key = self._lanes[lane]
        account = key.cosmos_account
        async with self._turns.setdefault(account, asyncio.Lock()):
            try:
                return await self._sign_and_send(key, messages, gas)
            except Rejected as exc:
                expected = expected_sequence(exc)
                if expected is None:
                    raise
                number = self._accounts[account].number
                self._accounts[account] = Account(number, expected)
            return await self._sign_and_send(key, messages, gas)

    async def _sign_and_send(
        self, key: Signer, messages: Sequence[AnyMessage], gas: int
    ) -> SubmitResult:
        owner = key.cosmos_account
        account = self._accounts.get(owner)
        if account is None:
            account = self._accounts[owner] = await self._stored_account(owner)
        raw = sign_messages(
            messages,
            key,
            self._chain_id,
            account.number,
            account.sequence,
            gas_limit=gas,
            fee=self._fees.of(gas),
        )
        try:
            result = await self._rpc.call("broadcast_tx_sync", tx=as_base64(raw))
        except Unavailable:
            self._accounts.pop(owner, None)  # whether it counts is not known
            raise
        if result["code"]:
            raise sorted_refusal(result["codespace"], result["code"], result["log"])
        self._accounts[owner] = Account(account.number, account.sequence + 1)
        return SubmitResult(transaction_hash(raw))

    async def _stored_account(self, owner: bytes) -> Account:
        request = account_query(self.account_text(owner))
        try:
            response = await self._query(ACCOUNT_PATH, request)
        except Unavailable as exc:
            if NO_ACCOUNT in str(exc):
                raise Rejected(*UNKNOWN_ADDRESS, str(exc)) from exc
            raise
        return decode_account(from_base64(response.get("value")))

    async def _check_chain(self) -> None:
        status = await self._rpc.call("status")
        found = status.get("node_info", {}).get("network")
        if found != self._chain_id:
            raise Unavailable(f"another chain answers: {found!r}, not {self._chain_id!r}")

    async def _query(self, path: str, data: bytes, height: int = 0) -> Json:
        answer = await self._rpc.call(
            "abci_query", path=path, data=data.hex(), height=str(height), prove=False
        )
        return response_of(path, answer)

    async def _require(self, height: int) -> None:
        latest = await self.latest_height()
        if not 1 <= height <= latest:
            raise NotYet(f"no such block: height={height} latest={latest}")

    async def _block(self, height: int) -> BlockEvents:
        known = self._blocks.get(height)
        if known is not None:
            return known
        block = await self._rpc.call("block", height=str(height))
        results = await self._rpc.call("block_results", height=str(height))
        events = self._blocks[height] = block_events_of(block, results, height)
        while len(self._blocks) > BLOCKS_KEPT:
            self._blocks.popitem(last=False)
        return events
