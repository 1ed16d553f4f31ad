"""
What an EVM ledger writes beside its blocks at the end of a run: its last block sealed, and proofs
of what its contracts hold then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tieline.contract.twin.final_slots import Scan, final_slots
from tieline.ledgers.ethereum.deployment import Deployment
from tieline.light_clients.evm.building import pooled_nodes
from tieline.wire.evm.exports import FinalProofs, ProvedSlots, TrustRoots

ROOTS_FILE = "validators.bin"
PROOFS_FILE = "proofs.bin"
SLOTS_AT_ONCE = 64
"""So that no group has more nodes than a proof may have."""

Prove = Callable[[bytes, bytes], Sequence[bytes]]
"""Nodes of a storage slot: address, slot."""


def prove_final(header: bytes, host: bytes, app: bytes, scan: Scan, prove: Prove) -> FinalProofs:
    """
    Prove all that an audit compares.

    Args:
        header: The last block as an ``EvmSealedHeader``.
        host: Address of the IBC host.
        app: Address of the trade application.
        scan: Returns all pairs of a store of the twin under a prefix.
        prove: Returns a slot's proof at that block.
    """
    groups: list[ProvedSlots] = []
    for address, is_host in ((host, True), (app, False)):
        slots = [one.slot for one in final_slots(scan) if one.is_host is is_host]
        for start in range(0, len(slots), SLOTS_AT_ONCE):
            part = tuple(slots[start : start + SLOTS_AT_ONCE])
            nodes = pooled_nodes(prove(address, slot) for slot in part)
            groups.append(ProvedSlots(address, part, nodes))
    return FinalProofs(header, tuple(groups))


def trust_roots(
    deployment: Deployment, genesis_header: bytes, sealers: Sequence[bytes]
) -> TrustRoots:
    """
    Return what an audit must be told of a chain.

    Args:
        deployment: Where its contracts are.
        genesis_header: RLP of block 0's header.
        sealers: Ascending addresses.
    """
    return TrustRoots(
        deployment.chain_id,
        genesis_header,
        tuple(sealers),
        deployment.addresses.host,
        tuple(deployment.pinned),
    )
