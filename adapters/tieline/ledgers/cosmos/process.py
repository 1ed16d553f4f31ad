"""
Runs a stock chain of one validator as a child: its own ports, its log in its folder, ready when its
height moves. It ends with this process, because its standard input closes.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path

from tieline.interfaces.engines import CLOCK_VARIABLE, find_engine
from tieline.interfaces.errors import NotYet, Unavailable
from tieline.ledgers.children.ending import end_child
from tieline.ledgers.children.ports import free_ports
from tieline.ledgers.cosmos.genesis import Balances
from tieline.ledgers.cosmos.home import StockHome, StockPace, StockPorts
from tieline.ledgers.tendermint.rpc import CometRpc

ENGINE = "simapp"
READY_HEIGHT = 2
READY_S = 60.0
STOP_S = 10.0
_POLL_S = 0.05
_ENDS_WITH_INPUT = "SIMAPP_ENDS_WITH_INPUT"


class StockChain:
    """The process of one stock chain, and its folder."""

    def __init__(
        self,
        chain_id: str,
        folder: Path,
        balances: Balances,
        *,
        pace: StockPace | None = None,
        clock_file: Path | None = None,
        genesis_time_ns: int | None = None,
    ) -> None:
        """
        Lay out the chain's folder, or take up the one that is there.

        Args:
            chain_id: Its id.
            folder: Its home.
            balances: Who has what at the start; without effect on a folder that is there.
            pace: How fast blocks come.
            clock_file: The chain's time, as ``ClockFile`` writes it; the real one by default.
            genesis_time_ns: When it begins; now by default.

        Raises:
            ConfigError: The engine is not built, or the folder is another chain's.
        """
        self._program = find_engine(ENGINE).program
        self._clock_file = clock_file
        self.home = StockHome(folder, self._program, chain_id)
        if self.home.is_new:
            self.home.write_genesis(balances, genesis_time_ns)
        self.ports = StockPorts(*free_ports(3))
        self.home.write_settings(self.ports, pace or StockPace())
        self._process: subprocess.Popen[bytes] | None = None
        self.rpc = CometRpc("127.0.0.1", self.ports.rpc)

    @property
    def pid(self) -> int:
        """Process id. Only while it runs."""
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self) -> None:
        """
        Start, and return when blocks are made.

        Raises:
            Unavailable: No block within a minute; ``engine.log`` in its folder says why.
        """
        self.launch()
        with contextlib.ExitStack() as undo:
            undo.callback(self.stop)  # after an interrupt too: nothing may be left running
            self._await_blocks()
            undo.pop_all()

    def launch(self) -> None:
        """Start, and return at once."""
        assert self._process is None, "started twice"
        environment = {**os.environ, _ENDS_WITH_INPUT: "1"}
        environment.pop(CLOCK_VARIABLE, None)
        if self._clock_file is not None:
            environment[CLOCK_VARIABLE] = str(self._clock_file)
        command = [str(self._program), "start", "--home", str(self.home.folder)]
        with self.home.folder.joinpath("engine.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 -- the engine of our manifest
                [*command, "--log_level", "error", "--log_no_color"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
            )

    def is_running(self) -> bool:
        """Return whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it in order; it can be started again."""
        child, self._process = self._process, None
        if child is not None:
            end_child(child, STOP_S)
        self.rpc.close()

    def _await_blocks(self) -> None:
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            if not self.is_running():
                raise Unavailable(f"the chain has ended; see {self.home.folder / 'engine.log'}")
            with contextlib.suppress(Unavailable, NotYet):
                status = self.rpc.call_now("abci_info")
                if int(status["response"].get("last_block_height", 0)) >= READY_HEIGHT:
                    return
            time.sleep(_POLL_S)
        raise Unavailable(f"no block within {READY_S:.0f} s")
