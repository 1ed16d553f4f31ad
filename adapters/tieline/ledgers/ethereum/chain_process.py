"""
What geth and anvil have in common as children of this process: a folder with genesis, data and log,
one port on this machine, ready when they answer.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, cast

from tieline.interfaces.engines import find_engine
from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.children.guarded import GuardedProgram
from tieline.ledgers.children.ports import free_ports
from tieline.ledgers.ethereum.genesis_file import GAS_LIMIT, genesis_json

READY_S: Final = 30.0
_ASKED_S: Final = 5.0


class ChainProcess(ABC):
    """A chain of one engine. Whoever started it ends it; it ends with this process anyway."""

    engine: str
    """Its name among the native engines."""

    def __init__(
        self,
        folder: Path,
        chain_id: int,
        balances_wei: Mapping[bytes, int],
        *,
        genesis_time_s: int | None = None,
        gas_limit: int = GAS_LIMIT,
        extra_data: bytes = b"",
    ) -> None:
        """
        Lay out the chain's folder, or take up the one that is there.

        Args:
            folder: Its home.
            chain_id: What transactions are signed for, at least 1.
            balances_wei: By 20-byte address; without effect on a folder that is there.
            genesis_time_s: Of block 0, unix seconds; now by default.
            gas_limit: Of block 0.
            extra_data: Up to 32 bytes of block 0.

        Raises:
            ConfigError: The engine is not here, or the folder is another chain's.
        """
        self.program = find_engine(self.engine).program
        self.folder = folder
        self.chain_id = chain_id
        self.genesis_file = folder / "genesis.json"
        self.is_new = not self.genesis_file.exists()
        if self.is_new:
            folder.mkdir(parents=True, exist_ok=True)
            born_s = int(time.time()) if genesis_time_s is None else genesis_time_s
            text = genesis_json(
                *(chain_id, balances_wei, born_s), gas_limit=gas_limit, extra_data=extra_data
            )
            self.genesis_file.write_text(text, encoding="ascii")
        self._check_folder()
        (self.port,) = free_ports(1)
        self._child: GuardedProgram | None = None

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / "engine.log"

    @property
    def pid(self) -> int:
        """Process id of the engine. Only while it runs."""
        assert self._child is not None, "not started"
        return self._child.pid

    def is_running(self) -> bool:
        """Return whether the process lives."""
        return self._child is not None and self._child.is_running()

    def answers(self) -> bool:
        """Return whether it answers now."""
        return "result" in (_ask(self.port, "eth_chainId") or {})

    def start(self) -> None:
        """
        Start, and return when it answers.

        Raises:
            Unavailable: It does not within ``READY_S``; quotes its last words.
        """
        self.prepare()
        self._child = GuardedProgram(self.command(), self.log)
        self._child.start()
        with ExitStack() as undo:
            undo.callback(self.stop)  # after an interrupt too: nothing may be left running
            self._child.await_ready(self.answers, READY_S)
            if self.is_new:
                self.begin()
            self.is_new = False
            undo.pop_all()

    def stop(self) -> None:
        """End it in order; it can be started again with all it had."""
        child, self._child = self._child, None
        if child is not None:
            child.stop()

    def kill(self) -> None:
        """End it as a power cut does; it can be started again with what it had on disk."""
        child, self._child = self._child, None
        if child is not None:
            os.kill(child.pid, signal.SIGKILL)
            child.stop()

    def prepare(self) -> None:
        """Do what has to be done before each start."""
        return

    def begin(self) -> None:
        """Do what a chain that has just begun still needs."""
        return

    def call(self, method: str, *parameters: object) -> object:
        """Return what the engine answers, in this thread. Raises Unavailable."""
        answer = _ask(self.port, method, parameters)
        if answer is None or "result" not in answer:
            raise Unavailable(f"{self.engine} answers {method} with {answer}")
        return answer["result"]

    @abstractmethod
    def command(self) -> list[str]:
        """Return how it is started."""
        ...

    def _check_folder(self) -> None:
        try:
            found = json.loads(self.genesis_file.read_bytes())["config"]["chainId"]
        except (ValueError, KeyError, TypeError) as exc:
            raise ConfigError(
                "is no genesis file", file=str(self.genesis_file), instead="choose an empty folder"
            ) from exc
        if found != self.chain_id:
            raise ConfigError(
                f"is of chain id {found}, not {self.chain_id}",
                file=str(self.genesis_file),
                instead="choose an empty folder, or its own chain id",
            )


def _ask(port: int, method: str, parameters: Sequence[object] = ()) -> dict[str, object] | None:
    """Return the whole answer; None if there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ASKED_S)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)})
    try:
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        answer: object = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return cast("dict[str, object]", answer) if isinstance(answer, dict) else None
