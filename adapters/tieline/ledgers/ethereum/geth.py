"""
Geth over a genesis of ours, all states kept: in development mode a block a second, with or without
transactions; or without one, a block when it is told to make one.

Never without a genesis (the built-in one runs a fork that is not released), never with
``--dev.period 0`` (its time would run ahead of the clock), never with the path scheme (a power cut
would take the chain back to its first blocks). See ``docs/engines.md``.
"""

from __future__ import annotations

import subprocess
from typing import Final

from tieline.interfaces.errors import ConfigError
from tieline.ledgers.children.ports import free_ports
from tieline.ledgers.ethereum.chain_process import ChainProcess
from tieline.ledgers.ethereum.made_blocks import BLOCK_GAS

INIT_S: Final = 60.0
PERIOD_S: Final = 1
_SCHEME: Final = ("--state.scheme", "hash")


class _Geth(ChainProcess):
    """A data folder made from the genesis, and how every geth of ours is started."""

    engine = "geth"
    mode: tuple[str, ...]
    """Who makes its blocks, and which doors are open."""

    def prepare(self) -> None:
        """Make the data folder from the genesis, once. Raises ConfigError if geth refuses it."""
        if (self.folder / "data" / "geth").exists():
            return
        made = subprocess.run(  # noqa: S603 -- the engine of our manifest
            [str(self.program), "init", *_SCHEME, *self._data(), str(self.genesis_file)],
            capture_output=True,
            timeout=INIT_S,
            check=False,
        )
        if made.returncode:
            said = made.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise ConfigError(
                f"geth cannot begin a chain with it: {' '.join(said)}", file=str(self.genesis_file)
            )

    def command(self) -> list[str]:
        """Return how it is started."""
        (engine_port,) = free_ports(1)  # else two geths meet at the default one
        return [
            *(str(self.program), *self.mode),
            *(*_SCHEME, "--gcmode", "archive", *self._data()),
            *("--http", "--http.addr", "127.0.0.1", "--http.port", str(self.port)),
            *("--authrpc.addr", "127.0.0.1", "--authrpc.port", str(engine_port)),
            *("--port", "0", "--nodiscover", "--maxpeers", "0", "--nat", "none", "--ipcdisable"),
            *("--txpool.accountslots", "256", "--txpool.accountqueue", "256"),
            *("--cache", "128", "--verbosity", "2"),
        ]

    def _data(self) -> tuple[str, ...]:
        return "--datadir", str(self.folder / "data")


class GethProcess(_Geth):
    """A geth in real time. After a power cut it may lack its last blocks; ``stop`` keeps all."""

    mode = (
        *("--dev", "--dev.period", str(PERIOD_S)),
        *("--http.api", "eth,net,web3,txpool,debug"),
    )


class DrivenGethProcess(_Geth):
    """
    A geth that makes no block by itself: whoever asks its namespace ``testing`` gives contents and
    time of each.
    """

    mode = ("--miner.gaslimit", str(BLOCK_GAS), "--http.api", "eth,net,web3,debug,testing")
