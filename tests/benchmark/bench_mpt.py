"""
Merkle-Patricia proofs, as an EVM ledger's light client verifies them: an account and a word of its
storage, beside the ``trie`` library on the same nodes. And what one whole header costs.
"""

from __future__ import annotations

import rlp
from clock import at_least, best_us, report
from fakes.evm_chain import EvmChain
from fakes.recorded_node import ENGINES, RECORDED, octets
from trie import HexaryTrie

from tieline.light_clients.evm.trie import ProofNodes, look_up_account, look_up_word
from tieline.light_clients.evm.verifier import Anchor, verify_header
from tieline.wire.evm.header import header_of_rpc_block
from tieline.wire.hashes import keccak

ROUNDS = 7
REPEATS = 200
PER_S_MIN = 2_000
"""Asked for: a receive of twenty packets from an EVM ledger costs under 10 ms of proofs."""


class Recorded:
    """One recorded answer to ``eth_getProof``."""

    def __init__(self, engine: str) -> None:
        told = RECORDED[engine]["host"]
        first = told["storageProof"][0]
        self.state_root = header_of_rpc_block(RECORDED[engine]["block"]).state_root
        self.address = octets(told["address"])
        self.account_nodes = [octets(node) for node in told["accountProof"]]
        self.slot = octets(first["key"])
        self.storage_nodes = [octets(node) for node in first["proof"]]

    def ours(self, _: object) -> None:
        nodes = ProofNodes(self.account_nodes)
        account = look_up_account(self.state_root, self.address, nodes)
        nodes.finish()
        assert account is not None
        nodes = ProofNodes(self.storage_nodes)
        assert look_up_word(account.storage_root, self.slot, nodes)
        nodes.finish()

    def theirs(self, _: object) -> None:
        account = HexaryTrie.get_from_proof(
            self.state_root, keccak(self.address), [rlp.decode(one) for one in self.account_nodes]
        )
        root = rlp.decode(account)[2]
        nodes = [rlp.decode(one) for one in self.storage_nodes]
        assert HexaryTrie.get_from_proof(root, keccak(self.slot), nodes)


def main() -> None:
    """Measure proofs of both nodes, then a header with five pinned contracts and four seals."""
    for engine in ENGINES:
        recorded = Recorded(engine)
        sizes = {
            "account_nodes": len(recorded.account_nodes),
            "storage_nodes": len(recorded.storage_nodes),
            "bytes": sum(map(len, recorded.account_nodes + recorded.storage_nodes)),
        }
        took = best_us(ROUNDS, recorded.ours, [None] * REPEATS)
        theirs = best_us(3, recorded.theirs, [None] * (REPEATS // 4))
        report(
            f"mpt.{engine}",
            1e6 / took,
            "account and storage proofs/s",
            at_least(PER_S_MIN),
            **sizes,
            tieline_us=round(took, 1),
            trie_library_us=round(theirs, 1),
        )
        report(f"mpt.{engine}.times_faster_than_trie", theirs / took, "times", at_least(1))
    chain = EvmChain()
    raw = chain.header(5).encode()
    anchor = Anchor.of(chain.client_state(), 0, None)
    took = best_us(ROUNDS, lambda data: verify_header(data, anchor), [raw] * 50)
    details = {"pinned_contracts": 5, "seals": 4, "header_bytes": len(raw)}
    report("mpt.sealed_header", took, "us", **details, clock="CPU, best of rounds")


if __name__ == "__main__":
    main()
