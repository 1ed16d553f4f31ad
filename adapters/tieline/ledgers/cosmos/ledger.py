"""
A stock ibc-go chain behind CometBFT's JSON-RPC: reads, events by height, proofs, headers and
transactions. Nothing of ours runs there, and what this RPC says is believed by no contract.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from tieline.interfaces.errors import Rejected, Unavailable
from tieline.interfaces.ledger import Capabilities, Message, SubmitResult
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
)
from tieline.ledgers.cosmos.events import block_events_of, reading_only
from tieline.ledgers.cosmos.gas import Fees, gas_limit
from tieline.ledgers.cosmos.genesis import ACCOUNT_PREFIX
from tieline.ledgers.cosmos.refusals import sorted_refusal
from tieline.ledgers.tendermint.chain_reader import BLOCKS_KEPT
from tieline.ledgers.tendermint.client_terms import CAPABILITIES as COMETBFT
from tieline.ledgers.tendermint.comet_reader import IBC_STORE, CometReader
from tieline.ledgers.tendermint.endpoints import CometEndpoints
from tieline.ledgers.tendermint.lane_queue import LaneQueue
from tieline.ledgers.tendermint.rpc import CometRpc, from_base64
from tieline.protocol.messages import AnyMessage
from tieline.wire.bech32 import account_to_text
from tieline.wire.codec import encode_message
from tieline.wire.store_answers import decode_pairs
from tieline.wire.transactions import sign_messages

TX_BYTES_MAX: Final = 1_048_576
"""CometBFT's own bound of a transaction, unless a chain has another one."""
FEW_BLOCKS_KEPT: Final = 2
CAPABILITIES: Final = replace(COMETBFT, kind="cosmos", native_locks=False, in_flight_max=16)


class CosmosLedger(CometReader):
    """Implements ``interfaces.ledger.Ledger``."""

    def __init__(
        self,
        chain_id: str,
        peers: CometRpc | CometEndpoints,
        *,
        account_prefix: str = ACCOUNT_PREFIX,
        fees: Fees | None = None,
        tx_bytes_max: int = TX_BYTES_MAX,
        kinds: frozenset[str] | None = None,
    ) -> None:
        """
        Talk to a running chain.

        Args:
            chain_id: Its id; a node of another chain is not used.
            peers: One of its nodes, or several.
            account_prefix: How its accounts begin.
            fees: What it wants to be paid; nothing by default.
            tx_bytes_max: The longest transaction that its nodes take.
            kinds: Of the events that are read; all by default. Who reads few keeps few blocks.
        """
        kept = BLOCKS_KEPT if kinds is None else FEW_BLOCKS_KEPT
        super().__init__(chain_id, peers, block_events_of, reading_only(kinds), kept)
        self._prefix = account_prefix
        self._fees = fees or Fees()
        self._tx_bytes_max = tx_bytes_max
        self._lanes: dict[str, Signer] = {}
        self._numbers: dict[bytes, int] = {}
        self._queues: dict[bytes, LaneQueue] = {}

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

    async def is_idle(self) -> bool:
        """Return whether no transaction waits for a block."""
        waiting = await self._peers.call("num_unconfirmed_txs")
        return waiting.get("n_txs") == "0"

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

    async def submit(self, lane: str, messages: Sequence[Message]) -> SubmitResult:
        """
        Sign *messages* as one transaction and hand it in. Many of a lane may be under way.

        Raises:
            Rejected: Refused at the door, where the chain has executed it whole; it holds no
                sequence. Also for an account that never held anything.
            NotYet: True later: the mempool is full, or a timeout has not come.
            Unavailable: It is not known whether it went in; look before sending it again.
        """
        encoded = [encode_message(message, self._prefix) for message in messages]
        return await self.submit_encoded(lane, encoded, gas_limit(messages, encoded))

    async def submit_encoded(
        self, lane: str, messages: Sequence[AnyMessage], gas: int
    ) -> SubmitResult:
        """As ``submit``, of any messages that the chain knows, with a gas limit."""
        key = self._lanes[lane]
        account = key.cosmos_account
        try:
            return await self._queue(account).submit(self._signing(key, messages, gas))
        except Rejected as exc:
            raise sorted_refusal(exc.codespace, exc.code, exc.log) from exc

    def _signing(
        self, key: Signer, messages: Sequence[AnyMessage], gas: int
    ) -> Callable[[int], bytes]:
        def sign(sequence: int) -> bytes:
            number = self._numbers[key.cosmos_account]
            fee = self._fees.of(gas)
            return sign_messages(
                messages, key, self._chain_id, number, sequence, gas_limit=gas, fee=fee
            )

        return sign

    def _queue(self, account: bytes) -> LaneQueue:
        queue = self._queues.get(account)
        if queue is None:

            async def stored_sequence() -> int:
                stored = await self._stored_account(account)
                self._numbers[account] = stored.number
                return stored.sequence

            queue = LaneQueue(self._peers, stored_sequence, self._tx_bytes_max)
            self._queues[account] = queue
        return queue

    async def _stored_account(self, owner: bytes) -> Account:
        request = account_query(self.account_text(owner))
        try:
            response = await self._query(ACCOUNT_PATH, request)
        except Unavailable as exc:
            if NO_ACCOUNT in str(exc):
                raise Rejected(*UNKNOWN_ADDRESS, str(exc)) from exc
            raise
        return decode_account(from_base64(response.get("value")))
