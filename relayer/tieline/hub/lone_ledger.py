"""
Composition root of one ledger on CometBFT by itself, with gRPC and REST beside it: for wallets,
explorers and relayers, without a world around it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tieline.contract.fees import GasPrice
from tieline.contract.genesis import Genesis
from tieline.interfaces.errors import ConfigError
from tieline.ledgers.tendermint.home import Pace
from tieline.ledgers.tendermint.peers import PeerGroup
from tieline.wire.bech32 import account_from_text, account_to_text
from tieline.wire.errors import Malformed
from tieline.wire.keys import SecpKey

CELL_KEY_FILE = "cell.key"
GENESIS_FILE = "genesis.json"
CELL_PAY = 10**9
"""One PAY for the utility cell: an account that holds nothing cannot sign."""


@dataclass(frozen=True, slots=True)
class LonePlan:
    """What a ledger is started with; all but the pace is the folder's own once it is there."""

    chain_id: str
    given: Mapping[str, int]
    """Accounts as text, and what they hold at first, nano-EUR."""
    validators: int = 1
    block_ms: int = 1000
    minimum_gas_price: str = ""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where one peer is reached."""

    rpc: str
    grpc: str
    rest: str


class LoneLedger:
    """A running ledger."""

    def __init__(self, group: PeerGroup, genesis: Genesis, cell: str) -> None:
        self._group = group
        self.chain_id = genesis.chain_id
        self.cell = cell
        """The utility cell's account."""
        self.addresses: Sequence[Addresses] = tuple(
            Addresses(f"http://{peer.rpc.address}", gateway.grpc_url, gateway.rest_url)
            for peer, gateway in zip(group.peers, group.gateways, strict=True)
        )

    def stop(self) -> None:
        """End all its processes; the folder stays, and the ledger can be started again."""
        self._group.stop()


def start_lone_ledger(folder: Path, plan: LonePlan) -> LoneLedger:
    """
    Make a ledger in *folder*, or go on with the one that is there; return when blocks are made.

    Raises:
        ConfigError: An option makes no sense, or the folder holds another ledger.
        Unavailable: No block within a minute.
    """
    try:
        GasPrice.parse(plan.minimum_gas_price)
    except ValueError as exc:
        raise ConfigError(str(exc), key="--minimum-gas-price") from exc
    folder.mkdir(parents=True, exist_ok=True)
    cell = SecpKey(_cell_secret(folder / CELL_KEY_FILE))
    genesis = _genesis(folder / GENESIS_FILE, plan, cell)
    group = PeerGroup(
        genesis,
        folder,
        validator_count=plan.validators,
        pace=Pace(commit_wait_ms=plan.block_ms, is_empty_made=True),
        has_gateways=True,
        minimum_gas_price=plan.minimum_gas_price,
    )
    group.start()
    return LoneLedger(group, genesis, account_to_text(cell.cosmos_account))


def _cell_secret(path: Path) -> bytes:
    """Return the utility cell's key, drawn when the folder is made."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32), encoding="ascii")
    return bytes.fromhex(path.read_text(encoding="ascii"))


def _genesis(path: Path, plan: LonePlan, cell: SecpKey) -> Genesis:
    if path.exists():
        known = Genesis.from_bytes(path.read_bytes())
        if known.chain_id != plan.chain_id:
            raise ConfigError(
                f"{path.parent} holds the ledger {known.chain_id}",
                key="--chain-id",
                instead="choose an empty folder, or its own chain id",
            )
        return known
    balances = {cell.cosmos_account: CELL_PAY}
    for text, amount in plan.given.items():
        try:
            balances[account_from_text(text)] = amount
        except Malformed as exc:
            raise ConfigError(str(exc), key="--give", instead="write tieline1...=AMOUNT") from exc
    try:
        return Genesis(
            chain_id=plan.chain_id,
            network_id=secrets.token_bytes(32),
            cell_address=cell.address,
            founding_cells=(cell.address,),
            balances=tuple(sorted(balances.items())),
        )
    except ValueError as exc:
        raise ConfigError(str(exc)) from exc
