"""How an Ethereum ledger is read and written: what an operator may turn, each with a default."""

from __future__ import annotations

from dataclasses import dataclass, field

from tieline.ledgers.ethereum.fees import FeePolicy
from tieline.ledgers.ethereum.finality import FinalityRule
from tieline.ledgers.ethereum.looking_after import SendingPace


@dataclass(frozen=True, slots=True)
class EvmSettings:
    """For one ledger."""

    finality: FinalityRule
    fees: FeePolicy = field(default_factory=FeePolicy)
    pace: SendingPace = field(default_factory=SendingPace)
    gas_max: int = 12_000_000
    """Of one transaction; from Osaka on no node takes one above 16,777,216."""
    data_bytes_max: int = 100_000
    """Of one transaction; nodes take 128 kB."""
    drift_s_max: int = 5
    """No swap begins on a chain whose time is so far ahead of this computer's."""
