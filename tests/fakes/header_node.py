"""A node of empty blocks, of which a test says how many there are and on which branch."""

from __future__ import annotations

from fakes.evm_node import text
from tieline.wire.evm.header import _FIELDS, _RPC_NAMES, EvmHeader


def chain_of(count, branch=0, *, on=()):
    """Return headers up to height *count*: those of *on*, then those of a branch."""
    headers = list(on)
    while len(headers) <= count:
        height = len(headers)
        parent = headers[-1].hash() if headers else bytes(32)
        word = branch.to_bytes(32)
        headers.append(
            EvmHeader(
                *(parent, word, bytes(20), word, word, word, bytes(256)),
                *(0, height, 30_000_000, 0, 1_700_000_000 + height, b"", word, bytes(8), 7),
            )
        )
    return headers


def told_of(header):
    """Return a block without transactions as nodes tell it."""
    told = {
        key: text(getattr(header, name))
        for (name, _), key in zip(_FIELDS, _RPC_NAMES, strict=True)
        if getattr(header, name) is not None
    }
    return {**told, "hash": text(header.hash()), "transactions": []}


class HeaderNode:
    """Stands in for ``EvmRpc``."""

    address = "node"

    def __init__(self, headers):
        self.headers = headers
        self.transactions = {}
        """Hashes by height."""

    async def batch(self, calls):
        return [getattr(self, f"_{one.method}")(*one.parameters) for one in calls]

    async def call(self, method, *parameters):
        return getattr(self, f"_{method}")(*parameters)

    def close(self):
        pass

    def _eth_blockNumber(self):
        return hex(len(self.headers) - 1)

    def _eth_getBlockByNumber(self, place, _whole):
        height = len(self.headers) - 1 if place == "latest" else int(place, 16)
        if height >= len(self.headers):
            return None
        listed = [text(one) for one in self.transactions.get(height, ())]
        return {**told_of(self.headers[height]), "transactions": listed}

    def _eth_getLogs(self, _wanted):
        return []

    def _eth_getTransactionReceipt(self, _tx_hash):
        return None
