"""
From a ledger's birth certificate to contracts on an EVM chain: which transactions put them there,
where they will be, and the record by which others find them and know them again.

Nothing here sends; engines carry the steps out in their order.

Sources:
    ``docs/spec/bytes.md`` (chainTag); EIP-161 (addresses of created contracts).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from tieline.interfaces.errors import ConfigError
from tieline.wire.hashes import keccak, sha256
from tieline.wire.ids import chain_tag

_CHAIN_ID_BYTES = 6
"""Below 2^53, which is as far as all tools count."""


def chain_id_of(ledger_id: str) -> int:
    """Return the EVM chain id of a chain that we start; EIP-155 binds signatures to it."""
    named = sha256(b"tieline/evm-chain-id/v1" + ledger_id.encode())
    return 1_000_000 + int.from_bytes(named[:_CHAIN_ID_BYTES], "big")


@dataclass(frozen=True, slots=True)
class EvmAddresses:
    """Where a ledger's contracts are, 20 bytes each."""

    host: bytes
    """IBC host with its attestations clients."""
    app: bytes
    """Front of the trade application; its storage holds everything."""
    trade: bytes
    """Module of ``app``."""
    exits: bytes
    """Module of ``app``."""
    book: bytes
    """Module of ``app``."""
    pay: bytes
    """ERC-20."""
    kwh: bytes


@dataclass(frozen=True, slots=True)
class Deployment:
    """A ledger's contracts as put on a chain. Public; kept beside the ledger's blocks."""

    ledger_id: str
    chain_id: int
    """Of EIP-155."""
    genesis_hash: bytes
    """Hash of block 0."""
    addresses: EvmAddresses
    code_hashes: EvmAddresses
    """keccak-256 of the code at each of the addresses, 32 bytes each."""
    start_height: int
    """First block that may hold logs of ours."""

    @property
    def host_id(self) -> bytes:
        """The host's address as the chain tag takes it."""
        return bytes(12) + self.addresses.host

    @property
    def chain_tag(self) -> bytes:
        """The 32 bytes that name the ledger instance."""
        return chain_tag("evm", str(self.chain_id), self.genesis_hash, self.host_id)

    def to_bytes(self) -> bytes:
        """Return canonical JSON: sorted keys, bytes as hex."""
        return json.dumps(asdict(self), sort_keys=True, default=bytes.hex).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Deployment:
        """Read what ``to_bytes`` makes. Raises ConfigError on anything else."""
        try:
            content = json.loads(data)
            deployment = cls(
                ledger_id=str(content["ledger_id"]),
                chain_id=int(content["chain_id"]),
                genesis_hash=bytes.fromhex(content["genesis_hash"]),
                addresses=_read_addresses(content["addresses"]),
                code_hashes=_read_addresses(content["code_hashes"]),
                start_height=int(content["start_height"]),
            )
        except (ValueError, KeyError, TypeError) as exc:
            raise ConfigError(f"not a deployment record: {exc}") from exc
        if deployment.to_bytes() != data:
            raise ConfigError("deployment record is not in its canonical spelling")
        return deployment


def _read_addresses(content: Mapping[str, Any]) -> EvmAddresses:
    return EvmAddresses(
        **{one.name: bytes.fromhex(content[one.name]) for one in fields(EvmAddresses)}
    )


@dataclass(frozen=True, slots=True)
class DeploymentStep:
    """One transaction of the deployer."""

    name: str
    """What it does, for messages."""
    to: bytes | None
    """None creates a contract."""
    data: bytes


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """All transactions of the deployer, in order, with nonces from ``first_nonce`` on."""

    deployment: Deployment
    first_nonce: int
    steps: tuple[DeploymentStep, ...]


def created_address(sender: bytes, nonce: int) -> bytes:
    """Return where the contract will be that *sender* creates with *nonce*."""
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    encoded = number if 0 < nonce < 0x80 else bytes((0x80 + len(number),)) + number
    payload = bytes((0x80 + len(sender),)) + sender + encoded
    return keccak(bytes((0xC0 + len(payload),)) + payload)[-20:]


def check_deployment(
    deployment: Deployment, chain_id: int, genesis_hash: bytes, code_at: Callable[[bytes], bytes]
) -> None:
    """
    Check that a chain is the one of a record, and that our code is where it says.

    Args:
        deployment: The record.
        chain_id: As the chain says.
        genesis_hash: Hash of its block 0.
        code_at: Code at an address; empty if there is none.

    Raises:
        ConfigError: Another chain, a chain that was begun anew, no code or other code.
    """
    name = deployment.ledger_id
    if chain_id != deployment.chain_id:
        raise ConfigError(
            f"another chain answers: ledger={name} chain id {chain_id}, not {deployment.chain_id}",
            instead="give the address of a peer of the right chain",
        )
    if genesis_hash != deployment.genesis_hash:
        raise ConfigError(
            f"the chain was begun anew: ledger={name} genesis 0x{genesis_hash.hex()}, "
            f"not 0x{deployment.genesis_hash.hex()}",
            instead="bring back its data folder, or deploy again under a new ledger id",
        )
    for one in fields(EvmAddresses):
        address = getattr(deployment.addresses, one.name)
        expected = getattr(deployment.code_hashes, one.name)
        code = code_at(address)
        if not code:
            raise ConfigError(f"no code at 0x{address.hex()}, where {one.name} of {name} should be")
        if keccak(code) != expected:
            raise ConfigError(
                f"other code at 0x{address.hex()} than that of {one.name} of {name}: "
                f"hash 0x{keccak(code).hex()}, not 0x{expected.hex()}",
                instead="use the build that deployed it, or deploy again under a new ledger id",
            )
