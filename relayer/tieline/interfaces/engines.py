"""
Native engines: which there are, in which version, and where ``make ledgers`` puts them.

They lie outside the checkout, in ``$TIELINE_CACHE`` or ``~/.cache/tieline``, one folder for a
version and the hash of what it was built from, with a manifest beside the program.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, cast

from tieline.interfaces.errors import ConfigError

HOW_TO_GET: Final = "run `make ledgers` in a checkout of tieline (needs Go 1.25 or newer, and npm)"
MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class EngineKind:
    """An engine that a ledger can run on."""

    name: str
    version: str
    purpose: str
    module: str
    """Folder in deploy/engines with the module file and sums, or the lock, it is made from."""
    is_packaged: bool = False
    """Whether it comes as a program in an npm package; else it is built from Go modules."""
    is_clock_driven: bool = False
    """Whether it takes its time from the file that ``CLOCK_VARIABLE`` names, when that is set."""
    module_version: str = ""
    """What Go calls the version, where that is another word."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that is here."""

    name: str
    version: str
    program: Path
    source_hash: str
    """SHA-256 over module file, sums and recipe it was built from."""
    program_hash: str
    """SHA-256 of the program."""


_FABRIC: Final = "1.4.0-rc1.0.20250510200036-435a7f1a780a"
"""The commit of 3.1.1: Fabric's tags above 1 are not versions that Go takes."""
KINDS: Final = (
    EngineKind("cometbft", "0.38.25", "Tendermint ledgers in real time", "cometbft"),
    EngineKind(
        "cometbft-driven",
        "0.38.25",
        "scenarios with --engine native, on their own clock",
        "cometbft",
        is_clock_driven=True,
    ),
    EngineKind(
        "simapp",
        "11.2.0",
        "stock ibc-go chains, in real time or on their own clock",
        "simapp",
        is_clock_driven=True,
    ),
    EngineKind("geth", "1.17.5", "Ethereum ledgers in real time or on a scenario's clock", "geth"),
    EngineKind(
        "anvil",
        "1.7.1",
        "Ethereum ledgers in tests: re-orgs, time that is set",
        "foundry",
        is_packaged=True,
    ),
    EngineKind("forge", "1.7.1", "tests of the Solidity contracts", "foundry", is_packaged=True),
    EngineKind(
        "fabric-peer",
        "3.1.1",
        "Fabric ledgers: endorses, validates, keeps the state",
        "fabric",
        module_version=_FABRIC,
    ),
    EngineKind(
        "fabric-orderer",
        "3.1.1",
        "Fabric ledgers: makes blocks, on Raft or SmartBFT",
        "fabric",
        module_version=_FABRIC,
    ),
    EngineKind(
        "fabric-configtxgen",
        "3.1.1",
        "Fabric ledgers: a channel's first block",
        "fabric",
        module_version=_FABRIC,
    ),
)
CLOCK_VARIABLE: Final = "TIELINE_CLOCK_FILE"
"""Names a file of 8 bytes, unix nanoseconds, little endian: an engine's time."""


def engines_folder() -> Path:
    """Return where engines are kept."""
    cache = os.environ.get("TIELINE_CACHE", "")
    return (Path(cache) if cache else Path.home() / ".cache" / "tieline") / "engines"


def found_engines() -> dict[str, Engine]:
    """Return the pinned engines that are here, by name; damaged folders are passed over."""
    found: dict[str, Engine] = {}
    for kind in KINDS:
        for folder in sorted(engines_folder().glob(f"{kind.name}/{kind.version}-*")):
            engine = _read(folder)
            if engine is not None and (engine.name, engine.version) == (kind.name, kind.version):
                found[kind.name] = engine
    return found


def find_engine(name: str) -> Engine:
    """
    Return an engine.

    Raises:
        ConfigError: It has not been built.
    """
    engine = found_engines().get(name)
    if engine is None:
        version = next(kind.version for kind in KINDS if kind.name == name)
        raise ConfigError(f"engine {name} {version} is not here", instead=HOW_TO_GET)
    return engine


def is_intact(engine: Engine) -> bool:
    """Return whether the program still has the hash of its manifest; reads all of it."""
    return sha256(engine.program.read_bytes()).hexdigest() == engine.program_hash


def _read(folder: Path) -> Engine | None:
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict):
        return None
    facts = cast("dict[str, str]", content)
    program = folder / facts.get("program", "")
    if not program.is_file() or not os.access(program, os.X_OK):
        return None
    return Engine(
        facts.get("name", ""),
        facts.get("version", ""),
        program,
        facts.get("source_hash", ""),
        facts.get("program_hash", ""),
    )
