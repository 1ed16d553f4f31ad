"""
Who takes part in a scenario, with all keys: cells, members, meters, connectors, relayer lanes.

Names are the scenario's; keys come from the key ring, an owner a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tieline.interfaces.signer import Signer
from tieline.scenario.cells import EnergyCell
from tieline.scenario.config import LedgerKind, Microgrid, Operator, ScenarioConfig
from tieline.scenario.field import Member
from tieline.swap.records import Role
from tieline.swap.topology import MeterEntry
from tieline.utility.bootstrap import DEPLOYER_LANE
from tieline.utility.keys import KeyRing
from tieline.wire.accounts import account_of
from tieline.wire.ids import meter_id
from tieline.wire.keys import SecpKey

RELAYER_LANES = ("relayer-0", "relayer-1", "relayer-2", "relayer-3")
CELL_LANE = "cell"
CONNECTOR_LANE = "connector"
VALIDATORS = 4
NANO_EUR_PER_EUR = 1_000_000_000
RICH_FACTOR = 1000
"""The operator and devices trade sums that households never see."""


@dataclass(frozen=True, slots=True)
class Party:
    """One ledger with its utility cell."""

    name: str
    """Of the microgrid, or the operator's."""
    ledger_id: str
    kind: str
    """Of its ledger, as chain tags name it; keys have their accounts by it."""
    role: Role
    buses: tuple[int, ...]
    cell_key: SecpKey
    connector: SecpKey
    lanes: Mapping[str, SecpKey]
    """Keys that sign transactions on this ledger, by lane."""
    validator_seeds: tuple[bytes, ...]
    """Of the embedded engine; native ones draw their own keys."""
    heartbeat: SecpKey
    """Makes blocks on native engines where time alone must be seen to pass."""
    native_validators: int

    def account(self, key: Signer) -> bytes:
        """Return the account that a key has on this ledger, 20 bytes."""
        return account_of(self.kind, key.public_key)


def parties_of(config: ScenarioConfig, ring: KeyRing) -> tuple[Party, ...]:
    """Return the microgrids in the order of the file, then the operator."""
    microgrids = [_party(ring, zone, Role.MICROGRID) for zone in config.microgrids]
    return (*microgrids, _party(ring, config.operator, Role.GRID))


def member_of(ring: KeyRing, cell: EnergyCell, party: Party, chain_tag: bytes) -> Member:
    """Return an energy cell's keys and meter on its ledger."""
    return member(ring, party, cell.id, cell.bus, chain_tag)


def member(ring: KeyRing, party: Party, name: str, bus: int, chain_tag: bytes) -> Member:
    """Return the keys and meter called *name*, of the members of a party's microgrid."""
    wallet = wallet_of(ring, party.name, name)
    meter_key = ring.key(f"members-{party.name}", f"meter {name}")
    entry = MeterEntry(
        name,
        meter_id(chain_tag, meter_key.address),
        meter_key.address,
        party.account(wallet),
        chain_tag,
        bus,
    )
    return Member(entry, wallet, meter_key)


def wallet_of(ring: KeyRing, microgrid: str, name: str) -> SecpKey:
    """Return the wallet of the member called *name*."""
    return ring.key(f"members-{microgrid}", f"wallet {name}")


def attestor_key(ring: KeyRing, cell: str, ledger_id: str) -> SecpKey:
    """Return a cell's attestor key for one ledger instance."""
    return ring.key(f"cell-{cell}", f"attestor {ledger_id}")


def _party(ring: KeyRing, zone: Microgrid | Operator, role: Role) -> Party:
    name, ledger_id = zone.name, zone.chain_id
    cell_key = ring.key(f"cell-{name}", "cell")
    connector = ring.key("connector", ledger_id)
    lanes = {lane: ring.key("relayer", f"{ledger_id} {lane}") for lane in RELAYER_LANES}
    lanes |= {CELL_LANE: cell_key, CONNECTOR_LANE: connector}
    owner = f"ledger-{ledger_id}"
    if zone.ledger is LedgerKind.ETHEREUM:
        lanes[DEPLOYER_LANE] = ring.key(owner, "deployer")
    return Party(
        name,
        ledger_id,
        zone.ledger.chain_kind,
        role,
        tuple(zone.buses),
        cell_key,
        connector,
        lanes,
        tuple(ring.derive(owner, f"validator {index}") for index in range(VALIDATORS)),
        ring.key(owner, "heartbeat"),
        zone.native_validators,
    )
