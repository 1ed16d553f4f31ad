"""
A node's JSON-RPC over an embedded EVM ledger, honest, or with single leaves of its answers changed.
"""

from __future__ import annotations

import copy

import rlp

from fakes.lying_peer import leaves
from tieline.interfaces.errors import HubError, Unavailable
from tieline.wire.evm.header import _FIELDS, _RPC_NAMES, decode_header
from tieline.wire.evm.transactions import transaction_hash
from tieline.wire.hashes import keccak

__all__ = ["HonestNode", "LyingNode", "leaves"]


def text(value):
    """As nodes write it."""
    return hex(value) if isinstance(value, int) else "0x" + value.hex()


class HonestNode:
    """Stands in for ``EvmRpc``; *final_height* is what it tags as finalized."""

    address = "node"

    def __init__(self, ledger, final_height=None):
        self.ledger = ledger
        self.chain = ledger._chain
        self.final_height = final_height

    async def call(self, method, *parameters):
        outcome = self.answer(method, parameters)
        if isinstance(outcome, HubError):
            raise outcome
        return outcome

    async def batch(self, calls):
        return [self.answer(one.method, one.parameters) for one in calls]

    def close(self):
        pass

    def answer(self, method, parameters):
        return getattr(self, f"_{method}")(*parameters)

    def _height(self, place):
        if place == "finalized":
            return self.chain.height if self.final_height is None else self.final_height
        return self.chain.height if place == "latest" else int(place, 16)

    def _eth_chainId(self):
        return hex(self.ledger.deployment.chain_id)

    def _eth_blockNumber(self):
        return hex(self.chain.height)

    def _eth_getCode(self, address, _place):
        return text(self.chain.code(bytes.fromhex(address[2:])))

    def _eth_getBlockByNumber(self, place, _whole):
        height = self._height(place)
        if height > self.chain.height:
            return None
        return self.block(height)

    def block(self, height):
        raw = self.chain.header(height)
        header = decode_header(raw)
        told = {
            key: text(getattr(header, name))
            for (name, _), key in zip(_FIELDS, _RPC_NAMES, strict=True)
            if getattr(header, name) is not None
        }
        transactions = self.ledger.blocks[height - 1].transactions if height else ()
        listed = [text(transaction_hash(one)) for one in transactions]
        return {**told, "hash": text(keccak(raw)), "transactions": listed, "uncles": []}

    def _eth_getProof(self, address, slots, place):
        account, height = bytes.fromhex(address[2:]), int(place, 16)
        if height > self.chain.height:
            return Unavailable("no such block")
        nodes = self.chain.account_proof(account, height)
        if not self.chain.code(account):
            empty = text(keccak(b"\x80"))
            proofs = [{"key": one, "value": "0x0", "proof": []} for one in slots]
            listed = [text(one) for one in nodes]
            return {"accountProof": listed, "storageHash": empty, "storageProof": proofs}
        shown = [self.chain.storage_proof(account, bytes.fromhex(one[2:]), height) for one in slots]
        return {
            "address": address,
            "accountProof": [text(one) for one in nodes],
            "storageHash": text(self.chain.storage_root(account, height)),
            "storageProof": [
                {
                    "key": slot,
                    "value": hex(int.from_bytes(value or b"", "big")),
                    "proof": [text(one) for one in nodes],
                }
                for slot, (value, nodes) in zip(slots, shown, strict=True)
            ],
        }

    def _eth_getLogs(self, wanted):
        first, last = int(wanted["fromBlock"], 16), int(wanted["toBlock"], 16)
        found = []
        for height in range(max(first, 1), last + 1):
            block = self.ledger.blocks[height - 1]
            for place, (raw, receipt) in enumerate(
                zip(block.transactions, block.receipts, strict=True)
            ):
                fields = rlp.decode(receipt if receipt[0] > 0x7F else receipt[1:])
                for address, topics, data in fields[3]:
                    if text(address) in wanted["address"]:
                        found.append(
                            {
                                "address": text(address),
                                "topics": [text(one) for one in topics],
                                "data": text(data),
                                "blockNumber": hex(height),
                                "blockHash": text(self.chain.block_hash(height)),
                                "transactionHash": text(transaction_hash(raw)),
                                "transactionIndex": hex(place),
                            }
                        )
        return found

    def _eth_getTransactionReceipt(self, _tx_hash):
        return None


class LyingNode(HonestNode):
    """Changes the answers to *method* from the moment on at which it begins to lie."""

    def __init__(self, ledger, method, lie, final_height=None):
        super().__init__(ledger, final_height)
        self.method = method
        self.lie = lie
        self.is_lying = True

    def answer(self, method, parameters):
        told = super().answer(method, parameters)
        if method != self.method or not self.is_lying or isinstance(told, HubError):
            return told
        return self.lie(copy.deepcopy(told), parameters)
