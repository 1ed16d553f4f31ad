"""
From a ledger's birth certificate to contracts on an EVM chain: which transactions put them there,
where they will be, and the record by which others find them and know them again.

Nothing here sends; engines carry the steps out in their order.

Sources:
    ``docs/spec/bytes.md`` (chainTag); EIP-161 (addresses of created contracts).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from tieline.contract.genesis import Genesis, Parameters
from tieline.interfaces.errors import ConfigError
from tieline.ledgers.ethereum.artifacts import Artifact, load_artifact
from tieline.wire.bounded_json import loads
from tieline.wire.evm.contract_calls import APPROVE, DEPOSIT_FOR
from tieline.wire.hashes import keccak, sha256
from tieline.wire.ids import chain_tag

_ADDRESS_BYTES, _HASH_BYTES = 20, 32
_CHAIN_ID_BYTES = 6
"""Below 2^53, which is as far as all tools count."""


def chain_id_of(ledger_id: str) -> int:
    """Return the EVM chain id of a chain that we start; EIP-155 binds signatures to it."""
    named = sha256(b"tieline/evm-chain-id/v1" + ledger_id.encode())
    return 1_000_000 + int.from_bytes(named[:_CHAIN_ID_BYTES], "big")


FUEL_WEI = 10**24
"""Of each account of genesis: for half a million transactions at the highest fee."""


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
    """ERC-1155: energy with its origin, apart from the application."""

    def each(self) -> list[tuple[str, bytes]]:
        """Return names and values in the order of the fields."""
        return [(one.name, getattr(self, one.name)) for one in fields(self)]


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
    def chain_tag(self) -> bytes:
        """The 32 bytes that name the ledger instance."""
        return _chain_tag(self.chain_id, self.genesis_hash, self.addresses)

    @property
    def pinned(self) -> list[tuple[bytes, bytes]]:
        """Addresses and code hashes of host, application and its modules, ascending."""
        hashes = dict(self.code_hashes.each())
        pairs = ((at, hashes[name]) for name, at in self.addresses.each() if name in _PINNED)
        return sorted(pairs)

    def to_bytes(self) -> bytes:
        """Return canonical JSON: sorted keys, bytes as hex."""
        return json.dumps(asdict(self), sort_keys=True, default=bytes.hex).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Deployment:
        """Read what ``to_bytes`` makes. Raises ConfigError on anything else."""
        try:
            content: Any = loads(data.decode())
            deployment = cls(
                ledger_id=str(content["ledger_id"]),
                chain_id=int(content["chain_id"]),
                genesis_hash=_octets(content, "genesis_hash", _HASH_BYTES),
                addresses=_read_addresses(content["addresses"], _ADDRESS_BYTES),
                code_hashes=_read_addresses(content["code_hashes"], _HASH_BYTES),
                start_height=int(content["start_height"]),
            )
        except KeyError as exc:
            raise ConfigError(f"not a deployment record: {exc} is missing") from exc
        except (ValueError, TypeError, OverflowError) as exc:
            raise ConfigError(f"not a deployment record: {exc}") from exc
        if deployment.to_bytes() != data:
            raise ConfigError("deployment record is not in its canonical spelling")
        return deployment


def _chain_tag(chain_id: int, genesis_hash: bytes, addresses: EvmAddresses) -> bytes:
    return chain_tag("evm", str(chain_id), genesis_hash, bytes(12) + addresses.host)


def _read_addresses(content: Mapping[str, Any], size: int) -> EvmAddresses:
    return EvmAddresses(
        **{one.name: _octets(content, one.name, size) for one in fields(EvmAddresses)}
    )


def _octets(content: Mapping[str, Any], name: str, size: int) -> bytes:
    octets = bytes.fromhex(content[name])
    if len(octets) != size:
        raise ValueError(f"{name} has {len(octets)} bytes, not {size}")
    return octets


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

    ledger_id: str
    chain_id: int
    genesis_hash: bytes
    addresses: EvmAddresses
    first_nonce: int
    steps: tuple[DeploymentStep, ...]
    artifacts: Mapping[str, Artifact]
    """By the names of ``EvmAddresses``."""

    @property
    def chain_tag(self) -> bytes:
        """The 32 bytes that will name the ledger instance."""
        return _chain_tag(self.chain_id, self.genesis_hash, self.addresses)

    def recorded(self, code_at: Callable[[bytes], bytes], start_height: int) -> Deployment:
        """
        Return the record of what was deployed.

        Args:
            code_at: Code at an address, as the chain has it now.
            start_height: A height not above that of the first step's block.

        Raises:
            ConfigError: A contract is not there, or is not the one that ships.
        """
        hashes: dict[str, bytes] = {}
        for name, address in self.addresses.each():
            code = code_at(address)
            if not self.artifacts[name].is_code(code):
                raise ConfigError(
                    f"{name} of {self.ledger_id} was not deployed at 0x{address.hex()}: "
                    f"{'other code' if code else 'no code'} there"
                )
            hashes[name] = keccak(code)
        return Deployment(
            self.ledger_id,
            self.chain_id,
            self.genesis_hash,
            self.addresses,
            EvmAddresses(**hashes),
            start_height,
        )


_PINNED: Final = frozenset({"host", "app", "trade", "exits", "book"})
"""What a proof of a packet rests on."""
_ORDER: Final = ("pay", "host", "trade", "exits", "book", "app", "kwh")
"""In which contracts are created: the application's modules before it, the host before them."""
_ACCOUNTS_AT_ONCE: Final = 150
"""Each costs about 30,000 gas; a transaction may have 16.7 million."""
_ORDERS_MAX: Final = 255


def shipped_artifacts() -> dict[str, Artifact]:
    """Return the contracts of this package by the names of ``EvmAddresses``."""
    return {name: load_artifact(name.capitalize()) for name in _ORDER}


def plan_deployment(
    genesis: Genesis,
    chain_id: int,
    genesis_hash: bytes,
    deployer: bytes,
    *,
    first_nonce: int = 0,
    artifacts: Mapping[str, Artifact] | None = None,
) -> DeploymentPlan:
    """
    Return the transactions that make a chain this ledger.

    Args:
        genesis: The ledger's birth, of kind ``evm``.
        chain_id: Of EIP-155.
        genesis_hash: Hash of the chain's block 0.
        deployer: Address that sends all steps and ends up with nothing.
        first_nonce: Its next nonce; no other transaction of it may come between.
        artifacts: Other contracts than those that ship, for tests.

    Raises:
        ConfigError: The genesis is of another kind, or holds what an EVM ledger cannot.
    """
    _require_fit(genesis)
    chosen = shipped_artifacts() if artifacts is None else dict(artifacts)
    places = {
        name: created_address(deployer, first_nonce + index) for index, name in enumerate(_ORDER)
    }
    addresses = EvmAddresses(**places)
    supply = sum(amount for _, amount in (*genesis.balances, *genesis.vaults))
    founders = keccak(b"".join(genesis.founding_cells))
    config = (addresses.host, addresses.pay, founders, _numbers(genesis.parameters))
    modules = (addresses.trade, addresses.exits, addresses.book)
    born: dict[str, tuple[Any, ...]] = {
        "pay": (deployer, supply),
        "host": (genesis_hash, genesis.network_id, genesis.cell_address, addresses.app),
        **dict.fromkeys(("trade", "exits", "book"), (config,)),
        "app": (config, *modules),
        "kwh": (addresses.host,),
    }
    steps = [
        DeploymentStep(f"create {name}", None, chosen[name].creation(*born[name]))
        for name in _ORDER
    ]
    if supply:
        approval = APPROVE.encode(addresses.app, supply)
        steps.append(DeploymentStep("approve", addresses.pay, approval))
    steps += _deposits(addresses.app, genesis.balances, is_into_vaults=False)
    steps += _deposits(addresses.app, genesis.vaults, is_into_vaults=True)
    return DeploymentPlan(
        genesis.chain_id, chain_id, genesis_hash, addresses, first_nonce, tuple(steps), chosen
    )


def _deposits(
    app: bytes, amounts: Sequence[tuple[bytes, int]], *, is_into_vaults: bool
) -> Iterator[DeploymentStep]:
    for start in range(0, len(amounts), _ACCOUNTS_AT_ONCE):
        part = amounts[start : start + _ACCOUNTS_AT_ONCE]
        accounts, sums = [account for account, _ in part], [amount for _, amount in part]
        data = DEPOSIT_FOR.encode(accounts, sums, is_into_vaults)
        yield DeploymentStep(f"{'vaults' if is_into_vaults else 'balances'} {start}", app, data)


def _require_fit(genesis: Genesis) -> None:
    if genesis.kind != "evm":
        raise ConfigError(f"genesis of kind {genesis.kind}", key="kind", instead="write kind evm")
    orders_max = genesis.parameters.open_orders_per_account_max
    if orders_max > _ORDERS_MAX:
        raise ConfigError(
            f"open_orders_per_account_max is {orders_max} on {genesis.chain_id}",
            key="parameters",
            instead=f"an EVM ledger takes at most {_ORDERS_MAX}",
        )


def _numbers(parameters: Parameters) -> tuple[int, ...]:
    """Return the governed numbers in the order of Solidity's ``Parameters``."""
    return (
        parameters.tau_lead_s,
        parameters.d_lead_s,
        parameters.lock_lead_s,
        parameters.statement_lead_s,
        parameters.min_claim_window_s,
        parameters.min_margin_s,
        parameters.gate_lead_s,
        parameters.order_energy_wh_min,
        parameters.outflow_cap_nano_eur,
        parameters.open_orders_per_account_max,
    )


def created_address(sender: bytes, nonce: int) -> bytes:
    """Return where the contract will be that *sender* creates with *nonce*."""
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    encoded = number if 0 < nonce < 0x80 else bytes((0x80 + len(number),)) + number
    payload = bytes((0x80 + len(sender),)) + sender + encoded
    return keccak(bytes((0xC0 + len(payload),)) + payload)[-20:]


def check_chain(deployment: Deployment, chain_id: int, genesis_hash: bytes) -> None:
    """As ``check_deployment``, without the code. Raises ConfigError."""
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
    check_chain(deployment, chain_id, genesis_hash)
    name = deployment.ledger_id
    expected_hashes = dict(deployment.code_hashes.each())
    for part, address in deployment.addresses.each():
        expected, code = expected_hashes[part], code_at(address)
        if not code:
            raise ConfigError(f"no code at 0x{address.hex()}, where {part} of {name} should be")
        if keccak(code) != expected:
            raise ConfigError(
                f"other code at 0x{address.hex()} than that of {part} of {name}: "
                f"hash 0x{keccak(code).hex()}, not 0x{expected.hex()}",
                instead="use the build that deployed it, or deploy again under a new ledger id",
            )


def fuel_of(genesis: Genesis, deployer: bytes) -> dict[bytes, int]:
    """Return the wei of block 0, by account: those with PAY, the cell, and who deploys."""
    accounts = [account for account, _ in (*genesis.balances, *genesis.vaults)]
    return dict.fromkeys((*accounts, genesis.cell_address, deployer), FUEL_WEI)
