"""Composition root: opens the ledgers that utility cells work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tieline.contract.block import Application
from tieline.contract.genesis import Genesis
from tieline.interfaces.ledger import Ledger
from tieline.interfaces.signer import Signer
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.light_clients.tendermint.verifier import verify_header_once
from tieline.protocol.client import LightClient
from tieline.protocol.messages import AnyMessage
from tieline.wire.blocks import StoredBlock


class InProcessLedger(Ledger, Protocol):
    """A ledger whose blocks are made by whoever drives it."""

    @property
    def wants_block(self) -> bool:
        """Whether there is something to put into a block or to prove."""
        ...

    @property
    def chain_tag(self) -> bytes:
        """The 32 bytes that name it; known from block 1 on."""
        ...

    @property
    def application(self) -> Application:
        """The contract behind it, for reading."""
        ...

    @property
    def blocks(self) -> Sequence[StoredBlock]:
        """All blocks with their commits, from height 1."""
        ...

    def produce_block(self, time_s: int, *, is_deadline: bool = False) -> bool:
        """Make a block at *time_s* if one is due; at a deadline one always is."""
        ...

    def close(self) -> None:
        """Let go of files."""
        ...

    def client_states(self, height: int) -> tuple[AnyMessage, AnyMessage]:
        """Return client and consensus state by which others begin to trust it."""
        ...


def open_embedded_ledger(
    genesis: Genesis,
    validator_seeds: Sequence[bytes],
    lanes: Mapping[str, Signer],
    folder: Path | None,
) -> InProcessLedger:
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
