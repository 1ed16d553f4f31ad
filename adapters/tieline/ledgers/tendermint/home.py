"""
The folder of one CometBFT peer: keys drawn by the engine itself, our genesis, and the settings that
differ from the engine's own.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from tieline.contract.genesis import Genesis
from tieline.contract.host import BLOCK_BYTES_MAX
from tieline.interfaces.errors import ConfigError
from tieline.ledgers.tendermint.abci import APP_PROTOCOL
from tieline.ledgers.tendermint.settings import Settings, change_settings


@dataclass(frozen=True, slots=True)
class Ports:
    """Where one peer listens, all on the loopback address."""

    abci: int
    rpc: int
    p2p: int


@dataclass(frozen=True, slots=True)
class Pace:
    """
    How fast blocks come. Local settings, but all validators of a ledger must have the same.

    Defaults make a block when there is something to put into it or to prove, and one every ten
    seconds otherwise, so that timeouts by block time are seen.
    """

    commit_wait_ms: int = 200
    empty_block_interval_s: int = 10
    is_empty_made: bool = False
    """Make blocks all the time."""


class PeerHome:
    """One peer's folder."""

    def __init__(self, folder: Path, program: Path) -> None:
        """Use *folder*, made by *program*; existing keys stay."""
        self.folder = folder
        self._program = program
        if not (folder / "config" / "config.toml").exists():
            self._run("init")

    def peer_id(self) -> str:
        """Return the id by which other peers know this one."""
        return self._run("show-node-id").strip()

    def validator(self) -> dict[str, Any]:
        """Return this peer's line in the genesis."""
        path = self.folder / "config" / "priv_validator_key.json"
        key = json.loads(path.read_text(encoding="utf-8"))
        return {"address": key["address"], "pub_key": key["pub_key"], "power": "10", "name": ""}

    def write_genesis(self, content: Mapping[str, Any]) -> None:
        """Write the engine's genesis once; later it must be that of the same ledger."""
        path = self.folder / "config" / "genesis.json"
        known = json.loads(path.read_text(encoding="utf-8"))
        if known.get("app_state") is None:
            path.write_text(json.dumps(content, indent=2), encoding="utf-8")
        elif known["app_state"] != content["app_state"]:
            raise ConfigError(f"{self.folder} belongs to another ledger; choose an empty folder")

    def write_settings(self, settings: Settings) -> None:
        """Change keys of config.toml, all of which the engine has written there before."""
        change_settings(self.folder / "config" / "config.toml", settings)

    def _run(self, command: str) -> str:
        arguments = [str(self._program), command, "--home", str(self.folder)]
        try:
            done = subprocess.run(  # noqa: S603 -- the engine of our manifest
                arguments, check=True, capture_output=True, text=True
            )
        except (OSError, subprocess.CalledProcessError) as exc:
            raise ConfigError(f"the engine cannot {command}: {exc}") from exc
        return done.stdout


def engine_genesis(
    genesis: Genesis, validators: Sequence[Mapping[str, Any]], time_s: int | None = None
) -> dict[str, Any]:
    """
    Return CometBFT's genesis: ours is in it whole, so both are one.

    Args:
        genesis: Ours.
        validators: Lines of its validators.
        time_s: Time of block 1, unix seconds; None: now.
    """
    born = datetime.now(UTC) if time_s is None else datetime.fromtimestamp(time_s, UTC)
    return {
        "genesis_time": born.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "chain_id": genesis.chain_id,
        "initial_height": "1",
        "consensus_params": {
            "block": {"max_bytes": str(BLOCK_BYTES_MAX), "max_gas": "-1"},
            "evidence": {
                "max_age_num_blocks": "100000",
                "max_age_duration": "1814400000000000",
                "max_bytes": "1048576",
            },
            "validator": {"pub_key_types": ["ed25519"]},
            "version": {"app": str(APP_PROTOCOL)},
            "abci": {"vote_extensions_enable_height": "0"},
        },
        "validators": list(validators),
        "app_hash": "",
        "app_state": cast("dict[str, Any]", json.loads(genesis.to_bytes())),
    }


def settings_of(ports: Ports, pace: Pace, peers: Sequence[str]) -> Settings:
    """Return what must differ from the engine's own settings; peers as ``id@host:port``."""
    # An interval above zero would hold empty blocks back even where they are made all the time.
    interval_s = 0 if pace.is_empty_made else pace.empty_block_interval_s
    return {
        ("", "proxy_app"): f"tcp://127.0.0.1:{ports.abci}",
        ("", "abci"): "socket",
        ("rpc", "laddr"): f"tcp://127.0.0.1:{ports.rpc}",
        ("rpc", "pprof_laddr"): "",
        ("p2p", "laddr"): f"tcp://127.0.0.1:{ports.p2p}",
        ("p2p", "persistent_peers"): ",".join(peers),
        # Several peers share one host.
        ("p2p", "addr_book_strict"): False,
        ("p2p", "allow_duplicate_ip"): True,
        # The defaults of 100 ms each would make a block of four validators 0.3 s longer.
        ("p2p", "flush_throttle_timeout"): "10ms",
        ("consensus", "peer_gossip_sleep_duration"): "10ms",
        # One dead validator of four costs a block 0.45 s with these, 1.5 s with the defaults.
        ("consensus", "timeout_propose"): "500ms",
        ("consensus", "timeout_prevote"): "200ms",
        ("consensus", "timeout_precommit"): "200ms",
        ("consensus", "timeout_commit"): f"{pace.commit_wait_ms}ms",
        ("consensus", "create_empty_blocks"): pace.is_empty_made,
        ("consensus", "create_empty_blocks_interval"): f"{interval_s}s",
    }
