"""A node as far as one account's nonces go: its pool, its chain, what it refuses at the door."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from fakes.header_node import chain_of, told_of
from tieline.interfaces.errors import HubError
from tieline.ledgers.ethereum.rpc_errors import sorted_error
from tieline.wire.evm.transactions import decode_transaction, transaction_hash


class PoolNode:
    """Stands in for ``EvmRpc``; one account, one transaction a block."""

    address = "node"

    def __init__(self):
        self.mined = []
        """By nonce, each in a block of its own, one behind another."""
        self.first_height = 1
        """Of the block with the first of them."""
        self.blocks_on_top = 0
        self.pool = {}
        self.refusal_of = lambda _nonce: None
        """Text of the error that answers a transaction with this nonce; None takes it."""
        self.is_late = False
        """It takes a transaction and answers that it ran out of time."""
        self.before_broadcast = None
        """Awaited before a broadcast is answered."""
        self.fails_with = None
        """A HubError that any request fails with."""

    async def call(self, method, *parameters):
        (outcome,) = await self.batch([_Call(method, parameters)])
        if isinstance(outcome, HubError):
            raise outcome
        return outcome

    async def batch(self, calls):
        await asyncio.sleep(0)
        if self.fails_with is not None:
            raise self.fails_with
        answers = [getattr(self, f"_{one.method}")(*one.parameters) for one in calls]
        if calls[0].method == "eth_sendRawTransaction" and self.before_broadcast is not None:
            await self.before_broadcast()
        return answers

    def close(self):
        pass

    def use(self, nonce, raw):
        """Somebody else's transaction is mined."""
        assert nonce == len(self.mined)
        self.mined.append(raw)

    def mine(self):
        """Take in all that follow one another."""
        while (raw := self.pool.pop(len(self.mined), None)) is not None:
            self.mined.append(raw)

    def leave_branch(self, count):
        """Only the first *count* transactions are left; the others are in no pool either."""
        del self.mined[count:]

    def calls_mined(self):
        """Call data of all that took effect."""
        return [decode_transaction(raw).data for raw in self.mined if raw != b"theirs"]

    def _eth_getTransactionCount(self, _account, place):
        count = len(self.mined)
        if place.startswith("0x"):
            return hex(min(max(int(place, 16) - self.first_height + 1, 0), count))
        if place == "pending":
            while count in self.pool:
                count += 1
        return hex(count)

    def _eth_sendRawTransaction(self, text):
        raw = bytes.fromhex(text[2:])
        nonce = decode_transaction(raw).nonce
        said = self.refusal_of(nonce)
        if said is None and nonce < len(self.mined):
            said = "already known" if self.mined[nonce] == raw else "nonce too low"
        elif said is None and not _may_replace(raw, self.pool.get(nonce, raw)):
            said = "replacement transaction underpriced"
        if said is not None:
            return _error(-32000, said)
        self.pool[nonce] = raw
        if self.is_late:
            return _error(-32002, "request timed out")
        return "0x" + transaction_hash(raw).hex()

    @property
    def height(self):
        return self.first_height - 1 + len(self.mined) + self.blocks_on_top

    def _eth_getBlockByNumber(self, _place, _whole):
        return told_of(replace(chain_of(0)[0], number=self.height))

    def _eth_getTransactionReceipt(self, text):
        for height, raw in enumerate(self.mined, self.first_height):
            if raw != b"theirs" and transaction_hash(raw).hex() == text[2:]:
                return {
                    "blockNumber": hex(height),
                    "blockHash": "0x" + bytes(32).hex(),
                    "transactionIndex": "0x0",
                    "status": "0x1",
                    "gasUsed": "0x5208",
                }
        return None


def _may_replace(raw, held):
    one, other = decode_transaction(raw), decode_transaction(held)
    pairs = (
        (one.max_fee, other.max_fee),
        (one.max_priority_fee, other.max_priority_fee),
    )
    return raw == held or all(10 * new >= 11 * old for new, old in pairs)


def _error(code, message):
    return sorted_error("eth_sendRawTransaction", {"code": code, "message": message})


class _Call:
    def __init__(self, method, parameters):
        self.method, self.parameters = method, parameters
