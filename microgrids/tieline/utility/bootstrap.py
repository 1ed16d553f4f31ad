"""Composition root: opens the ledgers that utility cells work on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tieline.contract.genesis import Genesis
from tieline.interfaces.errors import ConfigError
from tieline.interfaces.ledger import Fuel, Ledger, PacketProof
from tieline.interfaces.signer import Signer
from tieline.ledgers.tendermint.driven import DrivenPlan, DrivenTendermint
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.light_clients.evm.client import EvmSealedClient
from tieline.light_clients.evm.verifier import verify_header_once as verify_sealed_header_once
from tieline.light_clients.fabric.client import FabricBlockClient
from tieline.light_clients.fabric.remembering import find_written_once
from tieline.light_clients.fabric.remembering import verify_header_once as verify_fabric_header_once
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.light_clients.tendermint.verifier import verify_header_once
from tieline.protocol.client import LightClient
from tieline.protocol.messages import AnyMessage
from tieline.wire.accounts import FABRIC_KIND
from tieline.wire.keys import SecpKey

if TYPE_CHECKING:
    from tieline.ledgers.fabric.driven import DrivenFabric

__all__ = [
    "DrivenLedger",
    "NativePlan",
    "light_client_of",
    "open_embedded_ledger",
    "open_native_ledgers",
]


DEPLOYER_LANE = "deployer"
"""Whose account creates an EVM ledger's contracts, and does nothing else."""


class DrivenLedger(Ledger, Protocol):
    """A ledger whose blocks are made when the scenario's clock says so."""

    @property
    def wants_block(self) -> bool:
        """Whether there is something to put into a block or to prove."""
        ...

    @property
    def chain_tag(self) -> bytes:
        """The 32 bytes that name it; known from block 1 on."""
        ...

    async def advance(self, time_s: int, *, is_deadline: bool = False) -> bool:
        """
        Make what blocks are due at *time_s*, unix seconds; at a deadline one always is.

        Returns:
            Whether one was made.

        Raises:
            Unavailable: A native engine does not make it.
        """
        ...

    async def trust_at(self, height: int) -> tuple[AnyMessage, AnyMessage]:
        """Return client and consensus state by which others begin to trust it. Raises NotYet."""
        ...

    async def packet_proofs(self) -> Sequence[PacketProof]:
        """Return what proved each packet message that took effect, in the order of the blocks."""
        ...

    async def state_root(self) -> bytes:
        """Return the root of the state after the last block: app hash, or an EVM state root."""
        ...

    async def fuel(self) -> Sequence[Fuel]:
        """Return what its lanes have to pay transactions with; nothing where they are free."""
        ...

    async def finish(self) -> None:
        """Write what an audit asks of the last state, where the blocks alone do not say it."""
        ...

    def close(self) -> None:
        """Let go of files; end engines."""
        ...


def open_embedded_ledger(
    genesis: Genesis,
    validator_seeds: Sequence[bytes],
    lanes: Mapping[str, Signer],
    folder: Path | None,
) -> DrivenLedger:
    """
    Open an embedded ledger of the kind that its genesis names, with the blocks that *folder* holds
    already.

    Args:
        genesis: Its birth.
        validator_seeds: 32 secret bytes a validator, or a sealer; a Fabric network's members all
            come from the first.
        lanes: Keys that sign transactions, by lane; of an EVM ledger, its deployer among them.
        folder: Where blocks are kept; None: in memory.

    Raises:
        ConfigError: There is no embedded engine for this kind, or the folder is another ledger's.
    """
    opener = EMBEDDED.get(genesis.kind)
    if opener is None:
        raise ConfigError(
            f"no embedded engine for ledgers of kind {genesis.kind}",
            instead=f"take one of {', '.join(sorted(EMBEDDED))}",
        )
    return opener(genesis, validator_seeds, lanes, folder)


def _open_tendermint(
    genesis: Genesis,
    validator_seeds: Sequence[bytes],
    lanes: Mapping[str, Signer],
    folder: Path | None,
) -> DrivenLedger:
    ledger = EmbeddedTendermint(genesis, validator_seeds, store=folder)
    ledger.resume()
    for name, key in lanes.items():
        ledger.add_lane(name, key)
    return ledger


def _engine_folder(folder: Path) -> Path:
    """Return where a ledger keeps what is its operator's alone, beside what it exports."""
    own = folder.parent.parent / "engines" / folder.name
    own.mkdir(parents=True, exist_ok=True)
    return own


def _open_ethereum(
    genesis: Genesis,
    validator_seeds: Sequence[bytes],
    lanes: Mapping[str, Signer],
    folder: Path | None,
) -> DrivenLedger:
    # Imported by who uses it: the EVM takes a second and fifty megabytes.
    from tieline.ledgers.ethereum.embedded import EmbeddedEthereum  # noqa: PLC0415

    sealers = [SecpKey(seed) for seed in validator_seeds]
    seals = None if folder is None else _engine_folder(folder) / "seals.db"
    ledger = EmbeddedEthereum(genesis, lanes[DEPLOYER_LANE], sealers, folder, seals=seals)
    ledger.resume()
    for name, key in lanes.items():
        ledger.add_lane(name, key)
    return ledger


def _open_fabric(
    genesis: Genesis,
    validator_seeds: Sequence[bytes],
    lanes: Mapping[str, Signer],
    folder: Path | None,
) -> DrivenLedger:
    # As the EVM: its messages and certificates are imported by who uses them.
    from tieline.ledgers.fabric.embedded_ledger import EmbeddedFabric  # noqa: PLC0415

    ledger = EmbeddedFabric(genesis, validator_seeds[0], folder)
    ledger.resume()
    for name, key in lanes.items():
        ledger.add_lane(name, key)
    return ledger


Opener = Callable[[Genesis, Sequence[bytes], Mapping[str, Signer], Path | None], DrivenLedger]
EMBEDDED: dict[str, Opener] = {
    "cometbft": _open_tendermint,
    "evm": _open_ethereum,
    FABRIC_KIND: _open_fabric,
}
"""Engines in this process, by kind of ledger."""


@dataclass(frozen=True, slots=True)
class NativePlan:
    """What a ledger on native engines of its own is started with."""

    genesis: Genesis
    lanes: Mapping[str, Signer]
    """Keys that sign transactions, by lane; of an EVM ledger, its deployer among them."""
    seeds: Sequence[bytes]
    """
    32 secret bytes each: its sealers' on an EVM ledger; from the first come all members of a Fabric
    network; CometBFT's validators draw their own.
    """
    heartbeat: Signer
    """Makes a block where nobody else does; an account of genesis with some PAY."""
    validator_count: int
    start_s: int
    """Time of block 1, unix seconds."""
    export: Path
    """Folder for blocks and what belongs to them."""
    home: Path
    """Folder of the engines: their keys, their stores, their logs."""


NATIVE_PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "cometbft": ("cometbft-driven",),
    "evm": ("geth",),
    FABRIC_KIND: ("fabric-peer", "fabric-orderer", "fabric-configtxgen"),
}
"""By kind of ledger: the engines that take their time from a scenario's clock."""


def light_client_of(kind: str, engine: str) -> LightClient:
    """
    Return the rules by which a cell verifies a ledger.

    Args:
        kind: Of the ledger, as its chain tag names it.
        engine: embedded: headers that one cell of this process believed are remembered; native:
            every cell verifies for itself.
    """
    return LIGHT_CLIENTS[kind](engine)


def _tendermint_client(engine: str) -> LightClient:
    return TendermintClient() if engine == "native" else TendermintClient(verify_header_once)


def _evm_client(engine: str) -> LightClient:
    return EvmSealedClient() if engine == "native" else EvmSealedClient(verify_sealed_header_once)


def _fabric_client(engine: str) -> LightClient:
    if engine == "native":
        return FabricBlockClient()
    return FabricBlockClient(verify_fabric_header_once, find_written_once)


LIGHT_CLIENTS: dict[str, Callable[[str], LightClient]] = {
    "cometbft": _tendermint_client,
    "evm": _evm_client,
    FABRIC_KIND: _fabric_client,
}


async def open_native_ledgers(plans: Sequence[NativePlan]) -> list[DrivenLedger]:
    """
    Start ledgers on engines of their own, with the blocks they have already.

    Raises:
        ConfigError: An engine is not built, or a folder is another ledger's.
        Unavailable: Engines do not come up.
    """
    with ExitStack() as undo:
        # Those of CometBFT and Fabric come up at the same time, while the others are opened here.
        driven = {
            plan.genesis.chain_id: DrivenTendermint(_driven_plan(plan))
            for plan in plans
            if plan.genesis.kind == "cometbft"
        }
        starting = [asyncio.ensure_future(asyncio.to_thread(one.start)) for one in driven.values()]
        opened: dict[str, DrivenLedger] = {**driven}
        for ledger in driven.values():
            undo.callback(ledger.close)  # after an interrupt too: no engine may be left running
        for plan in plans:
            if plan.genesis.kind == FABRIC_KIND:
                fabric = _lay_out_fabric(plan)
                undo.callback(fabric.close)
                starting.append(asyncio.ensure_future(fabric.start()))
                opened[plan.genesis.chain_id] = fabric
        for plan in plans:
            if plan.genesis.kind == "evm":
                geth = opened[plan.genesis.chain_id] = _start_geth(plan)
                undo.callback(geth.close)
        if starting:  # all have come up or given up before one is closed
            await asyncio.wait(starting)
        for started in starting:
            started.result()
        undo.pop_all()
    return [opened[plan.genesis.chain_id] for plan in plans]


def _driven_plan(plan: NativePlan) -> DrivenPlan:
    return DrivenPlan(
        genesis=plan.genesis,
        lanes=plan.lanes,
        heartbeat=plan.heartbeat,
        validator_count=plan.validator_count,
        start_s=plan.start_s,
        export=plan.export,
        home=plan.home,
    )


def _start_geth(plan: NativePlan) -> DrivenLedger:
    from tieline.ledgers.ethereum.driven_geth import open_driven_geth  # noqa: PLC0415 -- as above

    sealers = [SecpKey(seed) for seed in plan.seeds]
    deployer = plan.lanes[DEPLOYER_LANE]
    ledger = open_driven_geth(plan.genesis, deployer, sealers, plan.export, plan.home)
    with ExitStack() as undo:
        undo.callback(ledger.close)
        ledger.resume()
        for name, key in plan.lanes.items():
            ledger.add_lane(name, key)
        undo.pop_all()
    return ledger


def _lay_out_fabric(plan: NativePlan) -> DrivenFabric:
    from tieline.ledgers.fabric.driven import DrivenFabric, DrivenFabricPlan  # noqa: PLC0415

    return DrivenFabric(
        DrivenFabricPlan(
            genesis=plan.genesis,
            lanes=plan.lanes,
            seed=plan.seeds[0],
            start_s=plan.start_s,
            export=plan.export,
            home=plan.home,
        )
    )
