"""
The folder of a stock chain of one validator: keys drawn by the engine itself or at run time here,
balances, and the settings that differ from the engine's own.
"""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tieline.interfaces.errors import ConfigError
from tieline.ledgers.cosmos.genesis import (
    BASE_DENOM,
    VALIDATOR_STAKE,
    Balances,
    add_balances,
    validator_transaction,
)
from tieline.ledgers.tendermint.settings import change_settings
from tieline.wire.keys import SecpKey

BATCH_BYTES_MAX = 4 * 1024 * 1024
"""A transaction of some hundred packets; the engine's own bound is 1 MiB."""
_BASE64_GROWTH = 2


@dataclass(frozen=True, slots=True)
class StockPorts:
    """Where a chain listens, all on the loopback address."""

    rpc: int
    p2p: int
    grpc: int


@dataclass(frozen=True, slots=True)
class StockPace:
    """How fast blocks come; each changes the state, so they come all the time."""

    block_ms: int = 1000
    """Between two blocks, about: what ``timeout_commit`` is set to."""


class StockHome:
    """One stock chain's folder."""

    def __init__(self, folder: Path, program: Path, chain_id: str) -> None:
        """
        Use *folder*, made by *program*; what is there stays.

        Raises:
            ConfigError: The engine cannot make it, or it is another chain's.
        """
        self.folder = folder
        self.chain_id = chain_id
        self._genesis = folder / "config" / "genesis.json"
        self.is_new = not self._genesis.exists()
        if self.is_new:
            self._init(program)
        elif self._read_genesis()["chain_id"] != chain_id:
            raise ConfigError(f"{folder} belongs to another chain; choose an empty folder")

    def write_genesis(self, balances: Balances, time_ns: int | None = None) -> None:
        """
        Put balances and the validator into the genesis.

        Args:
            balances: Who has what at the start.
            time_ns: When the chain begins; now by default.
        """
        content = self._read_genesis()
        owner = SecpKey(secrets.token_bytes(32))
        given: dict[bytes, Mapping[str, int]] = dict(balances)
        given[owner.cosmos_account] = {BASE_DENOM: VALIDATOR_STAKE}
        state: dict[str, Any] = content["app_state"]
        add_balances(state, given)
        key = json.loads(self.validator_key_file.read_text(encoding="utf-8"))
        consensus_key = base64.b64decode(key["pub_key"]["value"])
        state["genutil"]["gen_txs"] = [validator_transaction(self.chain_id, owner, consensus_key)]
        if time_ns is not None:
            begins = datetime.fromtimestamp(time_ns // 10**9, UTC)
            content["genesis_time"] = begins.strftime("%Y-%m-%dT%H:%M:%SZ")
        self._genesis.write_text(json.dumps(content), encoding="utf-8")

    @property
    def validator_key_file(self) -> Path:
        """The key that signs blocks, as CometBFT keeps it."""
        return self.folder / "config" / "priv_validator_key.json"

    def write_settings(self, ports: StockPorts, pace: StockPace) -> None:
        """Set ports and pace."""
        change_settings(
            self.folder / "config" / "config.toml",
            {
                ("rpc", "laddr"): f"tcp://127.0.0.1:{ports.rpc}",
                ("rpc", "pprof_laddr"): "",
                # The body is JSON, a transaction in it base64.
                ("rpc", "max_body_bytes"): BATCH_BYTES_MAX * _BASE64_GROWTH,
                ("p2p", "laddr"): f"tcp://127.0.0.1:{ports.p2p}",
                ("mempool", "max_tx_bytes"): BATCH_BYTES_MAX,
                # Every receive is executed whole in a check; a recheck would do it once more.
                ("mempool", "recheck"): False,
                ("consensus", "timeout_propose"): "1s",
                ("consensus", "timeout_commit"): f"{pace.block_ms}ms",
            },
        )
        change_settings(
            self.folder / "config" / "app.toml",
            {
                ("", "minimum-gas-prices"): f"0{BASE_DENOM}",
                ("", "pruning"): "nothing",  # proofs of old heights
                ("grpc", "enable"): True,
                ("grpc", "address"): f"127.0.0.1:{ports.grpc}",
                ("api", "enable"): False,
            },
        )

    def _read_genesis(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._genesis.read_text(encoding="utf-8"))
        return content

    def _init(self, program: Path) -> None:
        arguments = [str(program), "init", self.chain_id, "--chain-id", self.chain_id]
        arguments += ["--home", str(self.folder)]
        try:
            subprocess.run(  # noqa: S603 -- the engine of our manifest
                arguments, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL
            )
        except subprocess.CalledProcessError as exc:
            raise ConfigError(f"the engine cannot init: {exc.stderr.strip()}") from exc
        except OSError as exc:
            raise ConfigError(f"the engine cannot init: {exc}") from exc
