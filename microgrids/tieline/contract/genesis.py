"""
What a microgrid's ledger is born with: who it is, who founded it, what accounts hold, and the
parameters that its operators agreed on. Canonical JSON, one spelling for one content.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from tieline.contract.limits import AMOUNT_MAX, TX_BYTES_MAX, TX_GAS_MAX, TX_MESSAGES_MAX
from tieline.protocol.limits import TIMEOUT_AHEAD_S_MAX
from tieline.swap.records import Role
from tieline.wire.bounded_json import loads

KINDS: Final = ("cometbft", "evm", "fabric", "cosmos", "sim")


@dataclass(frozen=True, slots=True)
class Parameters:
    """
    Governed numbers. Seconds unless the name says otherwise; ``docs/spec/trade.md`` 2 says why.
    """

    tau_lead_s: int = 400
    """Packet timeout before slot start: tau = S - tau_lead_s exactly."""
    d_lead_s: int = 100
    """Verdict deadline before slot start: D = S - d_lead_s exactly."""
    lock_lead_s: int = 160
    """A lock is opened only before tau - lock_lead_s."""
    statement_lead_s: int = 300
    """Delivery statement due after the slot's end."""
    min_claim_window_s: int = 600
    """expiry_out >= E + statement_lead_s + min_claim_window_s."""
    min_margin_s: int = 900
    """expiry_in >= expiry_out + min_margin_s."""
    gate_lead_s: int = 900
    """Gate closure before slot start."""
    order_energy_wh_min: int = 100
    """Below this, work costs more than the energy."""
    vault_shards: int = 16
    """Counters a vault is split over, by a trade id's first byte; 1 to 256."""
    outflow_cap_nano_eur: int = 10**15
    """What one client may take out of this ledger in one slot: a million euro."""
    voucher_supply_cap: int = 10**16
    """
    What may exist here of one voucher, base units: what attestors of its ledger could forge.
    """
    transfer_timeout_s: int = 3_600
    """How long money on its way to a stock chain may take, before it is owed again."""
    open_orders_per_account_max: int = 64
    """Bounds what one household can make others store."""
    tx_bytes_max: int = TX_BYTES_MAX
    tx_gas_max: int = TX_GAS_MAX
    tx_messages_max: int = TX_MESSAGES_MAX

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if type(value) is not int or value < 1:
                message = f"parameter must be a positive integer: {item.name}={value!r}"
                raise ValueError(message)
        if self.vault_shards > 256:
            message = f"vault_shards must be at most 256: {self.vault_shards}"
            raise ValueError(message)
        if self.voucher_supply_cap > AMOUNT_MAX:
            message = f"voucher_supply_cap must be below 2^128: {self.voucher_supply_cap}"
            raise ValueError(message)
        if self.transfer_timeout_s > TIMEOUT_AHEAD_S_MAX:
            message = (
                f"transfer_timeout_s must be at most {TIMEOUT_AHEAD_S_MAX}, the longest that a "
                f"packet may wait: {self.transfer_timeout_s}"
            )
            raise ValueError(message)
        if not self.tau_lead_s > self.d_lead_s:
            message = f"tau must be before D: tau_lead_s={self.tau_lead_s} d_lead_s={self.d_lead_s}"
            raise ValueError(message)
        needed = self.tau_lead_s + self.lock_lead_s
        if self.gate_lead_s < needed:
            message = (
                f"gate_lead_s={self.gate_lead_s} leaves no time to lock: needs at least "
                f"tau_lead_s + lock_lead_s = {needed}"
            )
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Genesis:
    """The birth of one ledger. Accounts are cosmos accounts, cells EVM addresses, 20 bytes each."""

    chain_id: str
    network_id: bytes
    """32 random bytes, the same for every ledger of a hub's network."""
    cell_address: bytes
    """The utility cell of this ledger."""
    founding_cells: tuple[bytes, ...]
    """Sign the first cell set, whose ``previous`` is zero; ascending."""
    role: int = Role.MICROGRID
    kind: str = "cometbft"
    host_id: bytes = bytes(32)
    balances: tuple[tuple[bytes, int], ...] = ()
    """PAY in nano-EUR, ascending by account."""
    vaults: tuple[tuple[bytes, int], ...] = ()
    """PAY that connectors have deposited already, nano-EUR, ascending by account."""
    parameters: Parameters = field(default_factory=Parameters)
    takes_plain_clients: bool = False
    """
    Whether its cell may create clients that rest on headers alone, without attestors: for chains
    that have no cells.
    """

    def __post_init__(self) -> None:
        if not 1 <= len(self.chain_id) <= 50:  # CometBFT's bound
            message = f"chain id must have 1 to 50 characters: {self.chain_id!r}"
            raise ValueError(message)
        if self.kind not in KINDS:
            message = f"unknown kind of ledger: {self.kind!r}; one of {', '.join(KINDS)}"
            raise ValueError(message)
        _require_length("network_id", self.network_id, 32)
        _require_length("host_id", self.host_id, 32)
        _require_length("cell_address", self.cell_address, 20)
        Role(self.role)
        for cell in self.founding_cells:
            _require_length("founding cell", cell, 20)
        _require_ascending("founding_cells", self.founding_cells)
        if not self.founding_cells:
            message = "founding_cells must name at least one cell"
            raise ValueError(message)
        for name, amounts in (("balances", self.balances), ("vaults", self.vaults)):
            _require_ascending(name, tuple(account for account, _ in amounts))
            for account, amount in amounts:
                _require_length(f"account in {name}", account, 20)
                if not 0 < amount < 2**128:
                    message = f"amount in {name} out of range: {account.hex()}={amount}"
                    raise ValueError(message)

    def to_bytes(self) -> bytes:
        """Return the canonical JSON: sorted keys, no spaces, bytes as hex, amounts as text."""
        content: dict[str, Any] = {
            "chain_id": self.chain_id,
            "kind": self.kind,
            "host_id": self.host_id.hex(),
            "network_id": self.network_id.hex(),
            "cell_address": self.cell_address.hex(),
            "role": int(self.role),
            "founding_cells": [cell.hex() for cell in self.founding_cells],
            "balances": {account.hex(): str(amount) for account, amount in self.balances},
            "vaults": {account.hex(): str(amount) for account, amount in self.vaults},
            "parameters": asdict(self.parameters),
            "takes_plain_clients": self.takes_plain_clients,
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Genesis:
        """
        Read canonical JSON.

        Raises:
            ValueError: A key is missing, unknown or out of range, or the spelling is not canonical.
        """
        content = loads(data.decode())
        try:
            genesis = cls(
                chain_id=_read_text(content["chain_id"]),
                kind=content["kind"],
                host_id=bytes.fromhex(content["host_id"]),
                network_id=bytes.fromhex(content["network_id"]),
                cell_address=bytes.fromhex(content["cell_address"]),
                role=content["role"],
                founding_cells=tuple(bytes.fromhex(cell) for cell in content["founding_cells"]),
                balances=_read_amounts(content["balances"]),
                vaults=_read_amounts(content["vaults"]),
                parameters=Parameters(**content["parameters"]),
                takes_plain_clients=content["takes_plain_clients"] is True,
            )
        except (KeyError, TypeError, AttributeError, OverflowError) as exc:
            message = f"genesis does not have the right keys: {exc}"
            raise ValueError(message) from exc
        if genesis.to_bytes() != data:
            message = "genesis is not in its canonical spelling, or has unknown keys"
            raise ValueError(message)
        return genesis


def _read_text(content: object) -> str:
    if not isinstance(content, str):
        raise TypeError(f"expected text, got {type(content).__name__}")
    content.encode()  # a lone half of a surrogate pair has no bytes to be hashed
    return content


def _read_amounts(content: dict[str, str]) -> tuple[tuple[bytes, int], ...]:
    return tuple((bytes.fromhex(account), int(content[account])) for account in sorted(content))


def _require_length(name: str, value: bytes, length: int) -> None:
    if len(value) != length:
        message = f"{name} must have {length} bytes: got {len(value)}"
        raise ValueError(message)


def _require_ascending(name: str, values: tuple[bytes, ...]) -> None:
    if list(values) != sorted(set(values)):
        message = f"{name} must be ascending, each once"
        raise ValueError(message)
