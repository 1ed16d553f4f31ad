"""
A world with a microgrid on Fabric and its grid operator on an EVM ledger, of which nobody relays
the second slot; and what was shown to whom in it, read from the blocks and from the cells.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fakes.small_world import SMALL, small
from tieline.contract.twin.state import client_id_of
from tieline.ledgers.fabric.seen_blocks import SeenInvocation, read_block
from tieline.light_clients.evm.client import EvmSealedClient
from tieline.light_clients.fabric.client import FabricBlockClient
from tieline.protocol.client import ClientStore
from tieline.protocol.height import Height
from tieline.scenario import world
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.run_folder import EngineName, RunFolder
from tieline.swap.topology import Topology
from tieline.utility import bootstrap
from tieline.wire.accounts import FABRIC_KIND
from tieline.wire.attestation_proofs import AttestationProof
from tieline.wire.blocks import split_frames
from tieline.wire.canonical_json import parse
from tieline.wire.evm import contract_calls as calls
from tieline.wire.evm.blocks import EvmBlock
from tieline.wire.evm.declarations import SELECTOR_BYTES
from tieline.wire.evm.transactions import call_data

FABRIC, COMETBFT, ETHEREUM = "mg-a", "mg-b", "grid-1"
BOTH = (0, 1)
"""Slots: in the first all is relayed, in the second nobody relays until tau has passed."""
SLEEP_S = 550

PACKET_CALLS = {
    calls.RECEIVE_PACKETS.selector: calls.RECEIVE_PACKETS,
    calls.ACKNOWLEDGE_PACKETS.selector: calls.ACKNOWLEDGE_PACKETS,
    calls.TIMEOUT_PACKETS.selector: calls.TIMEOUT_PACKETS,
}


def beside_ethereum() -> ScenarioConfig:
    """
    Return the scenario: in each slot the depot buys of the operator and the battery sells to it,
    and the homes buy of the other microgrid. So packets go both ways between Fabric and Ethereum.
    """
    zones = copy.deepcopy(SMALL["microgrids"])
    zones[0]["ledger"] = "fabric"
    battery = {"id": "a-battery", "kind": "battery", "buses": [5], "rating_kw": 15}
    zones[0]["energy_cells"].append({**battery, "price_min_micro_eur_per_kwh": 200_000})
    trade = {"event": "dispatch", "slots": BOTH, "levels": ["GRID"]}
    buys = {"cell": "a-depot", "power_kw": 20, "price_micro_eur_per_kwh": 450_000}
    sells = {"cell": "a-battery", "power_kw": 12, "price_micro_eur_per_kwh": 50_000, "side": "sell"}
    down = {"event": "relayer_down", "slot": 1, "seconds": SLEEP_S}
    return small(
        preset="fabric",
        microgrids=zones,
        operator={**SMALL["operator"], "ledger": "ethereum"},
        events=[{**trade, **buys}, {**trade, **sells}, down],
    )


@dataclass(frozen=True)
class Judged:
    """What a cell's light client of the channel was shown, and what it said."""

    store: ClientStore
    height: Height
    proof: bytes
    path: tuple[bytes, ...]
    value: bytes | None
    """None: that nothing is there."""
    is_believed: bool


class Watched:
    """Beside the rules of a light client: remembers what it judged."""

    def __init__(self) -> None:
        super().__init__()
        self.judged: list[Judged] = []

    def verify_membership(self, *claim):
        """Judge store, height, proof, path and value, and note it."""
        said = super().verify_membership(*claim)
        self.judged.append(Judged(*claim, is_believed=bool(said)))
        return said

    def verify_non_membership(self, *claim):
        """Judge store, height, proof and path, and note it."""
        said = super().verify_non_membership(*claim)
        self.judged.append(Judged(*claim, value=None, is_believed=bool(said)))
        return said

    def shown(self, key: bytes, height: int, value: bytes | None) -> list[Judged]:
        """What made it believe that a key held just this at a height."""
        return [
            one
            for one in self.judged
            if (one.path[-1], one.height.revision_height, one.value) == (key, height, value)
            and one.is_believed
        ]


class WatchedFabric(Watched, FabricBlockClient):
    """A cell's own light client of the channel."""


class WatchedEvm(Watched, EvmSealedClient):
    """A cell's own light client of the EVM ledger."""


@dataclass(frozen=True)
class Told:
    """A call by which packets were proved to the host on the EVM ledger."""

    function: str
    client_id: str
    proof: AttestationProof
    timeouts_s: Mapping[int, int]
    """By sequence of each packet."""


@dataclass
class Story:
    """A finished run, and every cell's light clients of the two."""

    folder: RunFolder
    of_fabric: list[WatchedFabric] = field(default_factory=list)
    of_ethereum: list[WatchedEvm] = field(default_factory=list)

    @property
    def topology(self) -> Topology:
        """Who is who."""
        return parse(Topology, (self.folder.path / "topology.json").read_bytes())

    def attestors_of(self, ledger_id: str) -> set[bytes]:
        """Addresses of the keys that are bound to a ledger, one a cell."""
        (tag,) = [one.chain_tag for one in self.topology.cells if one.ledger_id == ledger_id]
        keys = [one.record for one in self.topology.attestor_keys if one.record.chain_tag == tag]
        return {one.attestor for one in keys}

    def frames(self, ledger_id: str) -> list[bytes]:
        """The blocks that a ledger exported, as they are."""
        frames, _ = split_frames((self.folder.ledger(ledger_id) / "blocks.bin").read_bytes())
        return list(frames)

    def invocations(self) -> list[tuple[int, SeenInvocation]]:
        """What was invoked on the channel and took effect, by block number."""
        blocks = [read_block(raw, FABRIC) for raw in self.frames(FABRIC)]
        return [(one.number, call) for one in blocks for call in one.invocations if call.is_valid]

    def told_to_ethereum(self) -> list[Told]:
        """All calls that proved packets to the EVM host, in the order of its blocks."""
        blocks = [EvmBlock.decode(raw) for raw in self.frames(ETHEREUM)]
        return [
            told for one in blocks for raw in one.transactions for told in _told(call_data(raw))
        ]


def _told(data: bytes) -> Iterator[Told]:
    if data[:SELECTOR_BYTES] == calls.MULTICALL.selector:
        for entry in calls.MULTICALL.decode(data)["calls"]:
            yield from _told(entry)
        return
    function = PACKET_CALLS.get(data[:SELECTOR_BYTES])
    if function is None:
        return
    values = function.decode(data)
    attested, signatures = values["proof"]
    cut = [signatures[start : start + 65] for start in range(0, len(signatures), 65)]
    yield Told(
        function.name,
        client_id_of(values["client"]),
        AttestationProof(attested, tuple(cut)),
        {item[0][0]: item[0][1] for item in values["packets"]},
    )


def run_beside_ethereum(path: Path, engine: EngineName) -> Story:
    """Run the scenario in this process."""
    story = Story(RunFolder(path))

    def of_fabric(_engine: str) -> WatchedFabric:
        story.of_fabric.append(WatchedFabric())
        return story.of_fabric[-1]

    def of_ethereum(_engine: str) -> WatchedEvm:
        story.of_ethereum.append(WatchedEvm())
        return story.of_ethereum[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(bootstrap.LIGHT_CLIENTS, FABRIC_KIND, of_fabric)
        patch.setitem(bootstrap.LIGHT_CLIENTS, "evm", of_ethereum)
        world.run(beside_ethereum(), path, progress=lambda *_: None, engine=engine)
    return story
