"""
Worlds with a ledger of another kind among Tendermint ones: the simulated ledger in the place of
microgrid B's, as a ledger that verifies no headers itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tieline.contract.genesis import Genesis
from tieline.interfaces.ledger import Capabilities, Fuel, PacketProof
from tieline.interfaces.signer import Signer
from tieline.ledgers.simulated.ledger import CAPABILITIES, SimulatedLedger
from tieline.light_clients.attestations.client import AttestationsClient
from tieline.protocol.messages import AnyMessage
from tieline.scenario import config
from tieline.scenario.config import LedgerKind, Preset, ScenarioConfig
from tieline.utility import bootstrap
from tieline.wire.keys import SecpKey


class DrivenSimulated(SimulatedLedger):
    """Implements ``utility.bootstrap.DrivenLedger``."""

    @property
    def capabilities(self) -> Capabilities:
        """As Ethereum, its contract runs attestations clients alone."""
        return replace(CAPABILITIES, verifies_headers=False)

    async def advance(self, time_s: int, *, is_deadline: bool = False) -> bool:
        """Make the block that is due."""
        return self.produce_block(time_s, is_deadline=is_deadline)

    async def trust_at(self, height: int) -> tuple[AnyMessage, AnyMessage]:
        """States of a client of its operators."""
        return self.client_states(height)

    async def packet_proofs(self) -> Sequence[PacketProof]:
        """It keeps no transactions."""
        return ()

    async def state_root(self) -> bytes:
        """Root of its hash chain."""
        return self.application.app_hash

    async def fuel(self) -> Sequence[Fuel]:
        """Gas is free."""
        return ()

    async def finish(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is open."""


def open_simulated(
    genesis: Genesis,
    seeds: Sequence[bytes],
    lanes: Mapping[str, Signer],
    folder: Path | None,
) -> DrivenSimulated:
    """Open one; its genesis is written where results look for it."""
    ledger = DrivenSimulated(genesis, [SecpKey(seed) for seed in seeds])
    for name, key in lanes.items():
        ledger.add_lane(name, key)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "genesis.json").write_bytes(genesis.to_bytes())
    return ledger


def let_simulated_stand_in(patch: pytest.MonkeyPatch) -> None:
    """Let scenarios that name Ethereum get a simulated ledger."""
    patch.setitem(config.CHAIN_KINDS, LedgerKind.ETHEREUM, "sim")
    patch.setitem(bootstrap.EMBEDDED, "sim", open_simulated)
    patch.setitem(bootstrap.LIGHT_CLIENTS, "sim", lambda _engine: AttestationsClient())


def with_ethereum(scenario: ScenarioConfig, *names: str) -> ScenarioConfig:
    """Return the scenario with the ledgers of these microgrids on Ethereum, and of no others."""
    kinds = {True: LedgerKind.ETHEREUM, False: LedgerKind.TENDERMINT}
    zones = [
        zone.model_copy(update={"ledger": kinds[zone.name in names]})
        for zone in scenario.microgrids
    ]
    return scenario.model_copy(update={"microgrids": zones})


def with_fabric(scenario: ScenarioConfig, *names: str) -> ScenarioConfig:
    """Return the scenario with the ledgers of these microgrids on Fabric too, and its leads."""
    zones = [
        zone.model_copy(update={"ledger": LedgerKind.FABRIC}) if zone.name in names else zone
        for zone in scenario.microgrids
    ]
    preset = Preset.FABRIC if names else scenario.preset
    return scenario.model_copy(update={"microgrids": zones, "preset": preset})
