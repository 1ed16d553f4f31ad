"""
The YAML of `tieline relay`: which ledgers, which pairs of them, at which pace. Validated once;
units stand in the keys, unknown keys are refused. ``docs/relayer.md`` explains each.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from tieline.hub.yaml_file import read_yaml
from tieline.interfaces.errors import ConfigError

_Count = Annotated[int, Field(ge=1)]
_ChainId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$")]

EXAMPLE = """\
journal: relay.db
ledgers:
  lab-a:
    kind: cosmos
    rpc: [http://127.0.0.1:26657]
    key_file: keys/lab-a.key
  north-1:
    kind: tendermint
    rpc: [http://127.0.0.1:26757]
    key_file: keys/north-1.key
paths:
  - between: [lab-a, north-1]
"""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FabricSection(_Section):
    """Who carries transactions to a Fabric channel, and how its peers are known."""

    wallet: str
    """Of X.509 identities, relative to this file: a folder, or the file of an encrypted one."""
    identity: str
    """Its label in the wallet."""
    passphrase_variable: str = ""
    """Environment variable with the passphrase of an encrypted wallet; empty: a folder."""
    tls_roots_file: str
    """TLS root certificates of the peers' organisations, PEM, one behind the other."""
    tls_certificate_file: str = ""
    """What is shown to peers that ask for a certificate, with ``tls_key_file``."""
    tls_key_file: str = ""
    history_file: str = ""
    """
    What was read of the channel, SQLite, relative to this file; a start goes on from there. Left
    out: the ledger's name with ``.fabric.db``. Deleted: the channel is read again from block 0.
    """

    @model_validator(mode="after")
    def _pair(self) -> FabricSection:
        if bool(self.tls_certificate_file) != bool(self.tls_key_file):
            raise ValueError("tls_certificate_file and tls_key_file go together")
        return self


class LedgerSection(_Section):
    """One ledger: how it is reached, and who the relayer is there."""

    kind: Literal["cosmos", "tendermint", "ethereum", "fabric"]
    """
    cosmos: a stock ibc-go chain; tendermint: a microgrid's own ledger on CometBFT; ethereum: one on
    an EVM chain; fabric: one on a Hyperledger Fabric channel, which the ledger is named after.
    """
    rpc: Annotated[tuple[str, ...], Field(min_length=1, max_length=8)]
    """
    RPC addresses of its nodes: CometBFT's, Ethereum's, or HOST:PORT of Fabric peers. The first is
    asked while it answers and keeps up; one that tells what cannot be true is put aside.
    """
    key_file: str
    """The relayer's key there, relative to this file; `tieline relay keys` makes it."""
    lanes: Annotated[int, Field(ge=1, le=16)] = 1
    """
    Accounts, all made from the one key. One is enough where nodes check again what waits in their
    mempool, as they do by default; else a second and third one go on where the first has to wait.
    """
    link_key_file: str = ""
    """
    Whose account makes clients there, the relayer's own if left out. A microgrid's ledger lets only
    its utility cell do so.
    """
    account_prefix: Annotated[str, Field(pattern=r"^[a-z]{1,20}$")] = "cosmos"
    """How accounts of a cosmos chain begin."""
    fee_denom: str = "stake"
    gas_price_nano: Annotated[int, Field(ge=0)] = 0
    """Billionths of a base unit of ``fee_denom`` for one gas; cosmos only."""
    trusting_period_h: _Count = 336
    """How long others trust a header of this ledger; less than its unbonding period."""
    unbonding_period_h: _Count = 504
    chain_id: Annotated[int, Field(ge=1)] | None = None
    """Of EIP-155; ethereum only, and there it must be that of the deployment record."""
    genesis_file: str = ""
    """The ledger's birth, relative to this file; ethereum only."""
    deployment_file: str = ""
    """Where its contracts are, as they were deployed, relative to this file; ethereum only."""
    confirmations: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Blocks on top of one that is final; ethereum only, this or ``finality``."""
    finality: Literal["", "finalized", "safe"] = ""
    """The node's tag of the last final block; ethereum only."""
    priority_fee_gwei: Annotated[float, Field(ge=0, le=10_000)] = 1.0
    max_fee_gwei: Annotated[float, Field(gt=0, le=1_000_000)] = 500.0
    """Above it nothing is sent; a lower base fee is waited for. ethereum only."""
    fabric: FabricSection | None = None
    """fabric only, and needed there."""
    journal_file: str = ""
    """
    What was sent from the relayer's account, SQLite, relative to this file; ethereum only. Left
    out: the ledger's name with ``.evm.db``.
    """

    @model_validator(mode="after")
    def _periods(self) -> LedgerSection:
        if self.trusting_period_h >= self.unbonding_period_h:
            raise ValueError("trusting_period_h must be below unbonding_period_h")
        return self

    @model_validator(mode="after")
    def _fabric(self) -> LedgerSection:
        if (self.kind == "fabric") != (self.fabric is not None):
            raise ValueError(
                "a ledger of kind fabric, and no other, has `fabric:` with wallet, identity and "
                "tls_roots_file"
            )
        return self

    @model_validator(mode="after")
    def _ethereum(self) -> LedgerSection:
        own = ("chain_id", "genesis_file", "deployment_file", "confirmations", "finality")
        if self.kind != "ethereum":
            written = sorted(self.model_fields_set & {*own, "journal_file"})
            if written:
                raise ValueError(f"only ledgers of kind ethereum have {', '.join(written)}")
            return self
        for name in ("genesis_file", "deployment_file"):
            if not getattr(self, name):
                raise ValueError(f"a ledger of kind ethereum needs {name}")
        if (self.confirmations is None) == (not self.finality):
            raise ValueError("say when a block is final: confirmations: N, or finality: finalized")
        if self.lanes != 1:
            raise ValueError("one account is enough on Ethereum: leave lanes out")
        return self


class PathSection(_Section):
    """A pair of ledgers between which packets are carried, both ways."""

    between: tuple[_ChainId, _ChainId]
    clients: tuple[str, str] | None = None
    """Their clients of each other, in that order; left out: those that `link` made."""

    @model_validator(mode="after")
    def _two(self) -> PathSection:
        if self.between[0] == self.between[1]:
            raise ValueError("a path joins two different ledgers")
        return self


class BatchSection(_Section):
    """How much one transaction carries."""

    messages_max: _Count = 100
    bytes_max: _Count = 600_000
    """Estimated; CometBFT's RPC takes a million, in base64."""


class PaceSection(_Section):
    """How often one looks, and how long one waits."""

    poll_ms_min: _Count = 20
    poll_ms_max: _Count = 250
    """
    Between two looks at the ledgers, inside these bounds: a tenth of their blocks' distance,
    shorter while a block is due.
    """
    halt_after_s: _Count = 15
    """A ledger that leaves transactions so long without a block stands still."""
    inclusion_blocks_max: _Count = 50
    inclusion_s_max: _Count = 120
    """A transaction that is in none of so many blocks, or not after so long, is sent again."""


class RelayConfig(_Section):
    """The whole file."""

    journal: str = "relay.db"
    """SQLite file, relative to this one, or an SQLAlchemy URL."""
    journal_days: _Count = 30
    links_file: str = "relay.links.json"
    """Where `tieline relay link` writes which clients it made."""
    ledgers: Annotated[dict[_ChainId, LedgerSection], Field(min_length=2)]
    paths: Annotated[tuple[PathSection, ...], Field(min_length=1)]
    batches: BatchSection = BatchSection()
    pace: PaceSection = PaceSection()

    @model_validator(mode="after")
    def _known(self) -> RelayConfig:
        for path in self.paths:
            for ledger_id in path.between:
                if ledger_id not in self.ledgers:
                    known = ", ".join(self.ledgers)
                    raise ValueError(f"path names unknown ledger {ledger_id!r}; known: {known}")
        pairs = [frozenset(path.between) for path in self.paths]
        if len(set(pairs)) != len(pairs) and any(path.clients is None for path in self.paths):
            raise ValueError("two paths between the same ledgers must both name their clients")
        return self


class LedgersFile(RelayConfig):
    """The same file where ledgers are looked at by themselves: one is enough, paths may come."""

    ledgers: Annotated[dict[_ChainId, LedgerSection], Field(min_length=1)]
    paths: tuple[PathSection, ...] = ()


_ConfigT = TypeVar("_ConfigT", bound=RelayConfig)


def read_relay_config(path: Path) -> RelayConfig:
    """
    Read the file.

    Raises:
        ConfigError: It is not there, not YAML, or says what it may not; with the key and what to
            write instead.
    """
    return _read(path, RelayConfig)


def read_ledgers(path: Path) -> Mapping[str, LedgerSection]:
    """Return the ledgers of a file that need not have two, nor paths. Raises ConfigError."""
    return _read(path, LedgersFile).ledgers


def _read(path: Path, model: type[_ConfigT]) -> _ConfigT:
    content = read_yaml(path, "name a file; docs/relayer.md has one").content
    try:
        return model.model_validate(content or {})
    except ValidationError as exc:
        first = exc.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part != "[key]")
        raise ConfigError(_what(first), file=str(path), key=key, instead=_instead(first)) from exc


def _what(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown key"
    return error["msg"].removeprefix("Value error, ")


_SECTIONS: dict[str, type[BaseModel]] = {
    "ledgers": LedgerSection,
    "paths": PathSection,
    "batches": BatchSection,
    "pace": PaceSection,
}


def _instead(error: ErrorDetails) -> str:
    """Return what to write instead."""
    place = error["loc"]
    if error["type"] == "extra_forbidden":
        model = _SECTIONS.get(str(place[0]), RelayConfig) if len(place) > 1 else RelayConfig
        if "fabric" in place[2:-1]:
            model = FabricSection
        return f"write one of {', '.join(model.model_fields)}"
    if error["type"] == "missing":
        return "write it; docs/relayer.md has an example"
    return f"instead of {error['input']!r}" if isinstance(error["input"], str | int) else ""
