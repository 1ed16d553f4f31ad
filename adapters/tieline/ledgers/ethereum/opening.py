"""Opens an Ethereum ledger that an operator names in a file; nothing is asked of it yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tieline.contract.genesis import Genesis
from tieline.interfaces.errors import ConfigError
from tieline.interfaces.signer import Signer
from tieline.ledgers.ethereum.deployment import Deployment
from tieline.ledgers.ethereum.fees import FeePolicy
from tieline.ledgers.ethereum.final_view import EvmLedgerPlan
from tieline.ledgers.ethereum.finality import FinalityRule
from tieline.ledgers.ethereum.ledger import EthereumLedger
from tieline.ledgers.ethereum.rpc import EvmRpc
from tieline.ledgers.ethereum.settings import EvmSettings
from tieline.ledgers.ethereum.transaction_journal import TransactionJournal
from tieline.ledgers.named_files import read_named

_WRITTEN: Final = "name the file that was written when the contracts were deployed"


@dataclass(frozen=True, slots=True)
class EvmSource:
    """Where a ledger is, and what is paid there."""

    ledger_id: str
    rpc: tuple[str, ...]
    genesis_file: Path
    deployment_file: Path
    journal_file: Path
    chain_id: int | None
    """As the operator wrote it, beside the deployment record's."""
    confirmations: int | None
    finality: str
    priority_fee_wei: int
    max_fee_wei: int


def open_ethereum(source: EvmSource, lanes: Mapping[str, Signer]) -> EthereumLedger:
    """
    Open a ledger with the keys of its lanes.

    Raises:
        ConfigError: A file, an address or a number is not what it must be.
    """
    record = read_named(source.deployment_file, "deployment record", _WRITTEN)
    try:
        deployment = Deployment.from_bytes(record)
    except ConfigError as exc:
        raise ConfigError(exc.what, file=str(source.deployment_file), instead=_WRITTEN) from exc
    if source.ledger_id != deployment.ledger_id:
        raise ConfigError(
            f"is of the ledger {deployment.ledger_id}, not {source.ledger_id}",
            file=str(source.deployment_file),
            instead="name the record of this ledger",
        )
    if source.chain_id not in {None, deployment.chain_id}:
        raise ConfigError(
            f"chain_id is {source.chain_id}, and {deployment.chain_id} in the deployment record",
            file=str(source.deployment_file),
            instead="name the record of this chain, or leave chain_id out",
        )
    try:
        genesis = Genesis.from_bytes(read_named(source.genesis_file, "genesis", _WRITTEN))
    except ValueError as exc:
        raise ConfigError(
            f"is no genesis: {exc}", file=str(source.genesis_file), instead=_WRITTEN
        ) from exc
    ledger = EthereumLedger(
        EvmLedgerPlan(genesis, deployment),
        [EvmRpc.parse(address) for address in source.rpc],
        EvmSettings(
            FinalityRule(source.confirmations, source.finality),
            FeePolicy(source.priority_fee_wei, source.max_fee_wei),
        ),
        TransactionJournal(source.journal_file),
    )
    for name, key in lanes.items():
        ledger.add_lane(name, key)
    return ledger
