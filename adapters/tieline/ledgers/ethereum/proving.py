"""Headers and proofs of an Ethereum chain, as its light client takes them. Verified where used."""

from __future__ import annotations

from collections.abc import Sequence

from tieline.interfaces.errors import ConfigError, Contradicted, Unavailable
from tieline.interfaces.ledger import StoredValue
from tieline.ledgers.ethereum.deployment import Deployment
from tieline.ledgers.ethereum.endpoints import EvmEndpoints
from tieline.ledgers.ethereum.rpc import Call, Json
from tieline.ledgers.ethereum.rpc_records import (
    AccountProof,
    SeenBlock,
    block_call,
    block_of,
    proof_of,
)
from tieline.ledgers.ethereum.sealing import HeaderSealer
from tieline.ledgers.ethereum.trusting import client_states
from tieline.light_clients.evm.building import client_header, commitment_slot, storage_proof
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage

_WORD_BYTES = 32


class ChainProver:
    """Makes what ``evm-sealed`` clients elsewhere verify."""

    def __init__(
        self, deployment: Deployment, endpoints: EvmEndpoints, sealer: HeaderSealer | None
    ) -> None:
        """
        Prove the storage of the ledger's host.

        Args:
            deployment: Where the contracts are.
            endpoints: Who is asked.
            sealer: Seals headers; None where their own consensus does.
        """
        self._host = "0x" + deployment.addresses.host.hex()
        self._deployment = deployment
        self._pinned = [address for address, _ in deployment.pinned]
        self._endpoints = endpoints
        self._sealer = sealer

    async def prove(self, keys: Sequence[bytes], height: int) -> list[StoredValue]:
        """Prove *keys* as of the final block *height*. Raises Pruned, Unavailable."""
        if not keys:
            return []
        slots = ["0x" + commitment_slot(key).hex() for key in keys]
        proof = await self._endpoints.ask(
            [Call("eth_getProof", (self._host, slots, hex(height)))],
            lambda answers: _proof_of_slots(answers, len(slots)),
        )
        place = Height(0, height)
        return [
            StoredValue(
                key, value.to_bytes(_WORD_BYTES) if value else None, place, storage_proof(nodes)
            )
            for key, value, nodes in zip(keys, proof.values, proof.storage_nodes, strict=True)
        ]

    async def header(
        self, height: int, trusted_height: int, expected_hash: bytes | None
    ) -> AnyMessage:
        """
        Return the sealed header of the final block *height*, with the code that runs there.

        Args:
            height: Which block.
            trusted_height: Held by the client.
            expected_hash: As the block was read before; None if that was long ago.

        Raises:
            Contradicted: A node tells another block than was read, or another one is sealed.
            ConfigError: This process has no seals for it.
        """
        block, proofs = await self._block(height, self._pinned)
        if expected_hash not in {None, block.hash}:
            raise Contradicted(f"another block than was read: height={height}")
        if self._sealer is None:
            raise ConfigError(
                f"headers of {self._deployment.ledger_id} are sealed by its operator, whose keys "
                "are not here",
                instead="let its cells attest it, or run this beside its operator",
            )
        raw = block.header.encode()
        return client_header(
            raw, [one.nodes for one in proofs], self._sealer.seal(raw), trusted_height
        ).as_any()

    async def client_states(self, height: int) -> tuple[AnyMessage, AnyMessage]:
        """Return client and consensus state for a client that starts to trust at *height*."""
        block, proofs = await self._block(height, [self._deployment.addresses.host])
        sealers = self._sealer.addresses if self._sealer else ()
        return client_states(self._deployment, sealers, block.header, proofs[0].storage_root)

    async def _block(
        self, height: int, addresses: Sequence[bytes]
    ) -> tuple[SeenBlock, list[AccountProof]]:
        calls = [Call(*block_call(height))]
        calls += [Call("eth_getProof", ("0x" + one.hex(), [], hex(height))) for one in addresses]
        return await self._endpoints.ask(
            calls, lambda answers: (block_of(answers[0]), [proof_of(one) for one in answers[1:]])
        )


def _proof_of_slots(answers: Sequence[Json], count: int) -> AccountProof:
    proof = proof_of(answers[0])
    if len(proof.values) != count:
        raise Unavailable(f"answer without sense: {len(proof.values)} proofs of {count}")
    return proof
