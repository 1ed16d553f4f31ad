"""Composition root: opens the ledgers that utility cells work on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tieline.contract.genesis import Genesis
from tieline.interfaces.ledger import Ledger
from tieline.interfaces.signer import Signer
from tieline.ledgers.tendermint.driven import DrivenPlan, DrivenTendermint
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.light_clients.tendermint.verifier import verify_header_once
from tieline.protocol.client import LightClient
from tieline.protocol.messages import AnyMessage
from tieline.wire.blocks import StoredBlock

__all__ = [
    "DrivenLedger",
    "DrivenPlan",
    "light_client_of_embedded",
    "light_client_of_native",
    "open_embedded_ledger",
    "open_native_ledgers",
]


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

    async def whole_blocks(self) -> Sequence[StoredBlock]:
        """Return all blocks with their commits, from height 1."""
        ...

    async def app_hash(self) -> bytes:
        """Return the root of the state after the last block."""
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
    Open an embedded Tendermint ledger, with the blocks that *folder* holds already.

    Args:
        genesis: Its birth.
        validator_seeds: 32 secret bytes a validator.
        lanes: Keys that sign transactions, by lane.
        folder: Where blocks are kept; None: in memory.
    """
    ledger = EmbeddedTendermint(genesis, validator_seeds, store=folder)
    ledger.resume()
    for name, key in lanes.items():
        ledger.add_lane(name, key)
    return ledger


def light_client_of_embedded() -> LightClient:
    """Return the rules by which cells verify embedded ledgers; believed headers are remembered."""
    return TendermintClient(verify_header_once)


async def open_native_ledgers(plans: Sequence[DrivenPlan]) -> list[DrivenLedger]:
    """
    Start ledgers on CometBFT engines, all at the same time, with the blocks they have already.

    Raises:
        ConfigError: The engine is not built, or a folder is another ledger's.
        Unavailable: Engines do not come up.
    """
    ledgers = [DrivenTendermint(plan) for plan in plans]
    starting = [asyncio.ensure_future(asyncio.to_thread(one.start)) for one in ledgers]
    try:
        # All have come up or given up before one is closed.
        await asyncio.wait(starting)
        for started in starting:
            started.result()
    except BaseException:  # an interrupt too: no engine may be left running
        for ledger in ledgers:
            ledger.close()
        raise
    return [*ledgers]


def light_client_of_native() -> LightClient:
    """Return the rules by which cells verify native ledgers; every cell verifies for itself."""
    return TendermintClient()
