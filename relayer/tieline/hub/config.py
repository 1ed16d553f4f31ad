"""
What an operator may say about the hub, in YAML: validated once, units in the keys, unknown keys
refused.

Which ledgers, cells and routes there are is not said here: it is in the topology that they share.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tieline.hub.pacing import Window
from tieline.hub.settings import RunnerSettings
from tieline.hub.yaml_file import read_yaml
from tieline.interfaces.errors import ConfigError
from tieline.relay.scheduler import BatchLimits

_Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LedgerConfig(_Section):
    """How the relayer works on one ledger."""

    lanes: Annotated[tuple[str, ...], Field(min_length=1, max_length=64)] = ("relayer",)
    """Names of its accounts there; each carries one transaction at a time."""
    reveal_lead_s: _Count = 490
    """R before T_B: a preimage is never first shown later (``docs/spec/trade.md`` 2)."""
    window_s: Annotated[int, Field(ge=0, le=60)] = 0
    """Work waits so long for company, where each transaction costs; 0: it goes at once."""
    patience_s: Annotated[int, Field(ge=0, le=3600)] = 0
    """Refunds, shares and releases wait so long for something to go along with."""

    @property
    def window(self) -> Window:
        """How long work waits on the ledger."""
        return Window(self.window_s, self.patience_s)


class BatchConfig(_Section):
    """How much one transaction carries."""

    messages_max: _Count = 256
    bytes_max: _Count = 500_000


class HubConfig(_Section):
    """The whole file."""

    journal_url: str = "sqlite:///journal.db"
    """SQLAlchemy URL; SQLite beside the hub, or PostgreSQL."""
    journal_days: _Count = 30
    inclusion_blocks_max: _Count = 8
    inclusion_s_max: _Count = 60
    batches: BatchConfig = BatchConfig()
    ledgers: dict[str, LedgerConfig] = {}
    """By chain id; a ledger that is not named takes the defaults."""

    def ledger(self, ledger_id: str) -> LedgerConfig:
        """Return what holds for a ledger."""
        return self.ledgers.get(ledger_id, LedgerConfig())

    def runner_settings(self, ledger_ids: tuple[str, ...]) -> RunnerSettings:
        """
        Return the runner's settings for these ledgers.

        Raises:
            ConfigError: A ledger is named that is none of them.
        """
        for ledger_id in self.ledgers:
            if ledger_id not in ledger_ids:
                raise ConfigError(
                    f"no such ledger: {ledger_id}",
                    key=f"ledgers.{ledger_id}",
                    instead=f"write one of {', '.join(ledger_ids)}",
                )
        return RunnerSettings(
            lanes={ledger_id: self.ledger(ledger_id).lanes for ledger_id in ledger_ids},
            limits=BatchLimits(self.batches.messages_max, self.batches.bytes_max),
            inclusion_blocks_max=self.inclusion_blocks_max,
            inclusion_s_max=self.inclusion_s_max,
            journal_days=self.journal_days,
            windows={ledger_id: self.ledger(ledger_id).window for ledger_id in ledger_ids},
        )


def read_config(path: Path) -> HubConfig:
    """
    Read the hub's YAML.

    Raises:
        ConfigError: The file is not there, not YAML, or says what it may not.
    """
    content = read_yaml(path, "name a file").content
    try:
        return HubConfig.model_validate(content or {})
    except ValidationError as exc:
        first = exc.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(first["msg"], file=str(path), key=key) from exc
