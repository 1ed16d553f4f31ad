"""
`tieline relay` as a process of its own between two running ledgers: its folder with configuration
and keys, its commands, its end by signals.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from fakes.microgrid import key
from tieline.hub.key_files import draw_key, read_keys
from tieline.wire.hashes import sha256

STOP_S = 90.0


class RelayProgram:
    """One relayer's folder, and its process while it runs."""

    def __init__(self, folder: Path, ledgers: dict[str, str]) -> None:
        """
        Prepare keys.

        Args:
            folder: Its own.
            ledgers: Kind by ledger id; of a path between the first and the second.
        """
        self.folder = folder
        self.kinds = ledgers
        self.config = folder / "relay.yaml"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        for ledger_id in ledgers:
            draw_key(folder / f"{ledger_id}.key")

    def account(self, ledger_id: str) -> bytes:
        """The relayer's account on a ledger."""
        return read_keys(self.folder / f"{ledger_id}.key")[0].cosmos_account

    def configure(self, ports: dict[str, int], **pace: int) -> None:
        """Write the YAML; a ledger of ours lets its utility cell make the client."""
        lines = ["ledgers:"]
        for ledger_id, kind in self.kinds.items():
            lines += [
                f"  {ledger_id}:",
                f"    kind: {kind}",
                f"    rpc: ['http://127.0.0.1:{ports[ledger_id]}']",
                f"    key_file: {ledger_id}.key",
            ]
            if kind == "tendermint":
                cell = self.folder / f"{ledger_id}.cell.key"
                cell.touch(mode=0o600)
                cell.write_text(sha256(f"test key cell of {ledger_id}".encode()).hex())
                assert read_keys(cell)[0].address == key(f"cell of {ledger_id}").address
                lines.append(f"    link_key_file: {cell.name}")
        lines += ["paths:", f"  - between: [{', '.join(self.kinds)}]", "pace:"]
        lines += [f"  {name}: {value}" for name, value in {"halt_after_s": 3, **pace}.items()]
        self.config.write_text("\n".join(lines) + "\n")

    def run(self, noun: str, *options: str) -> str:
        """Run a command to its end; return what it printed."""
        done = subprocess.run(
            _command("relay", noun, str(self.config), *options),
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status(self) -> dict:
        """What `tieline relay status --json` says."""
        return json.loads(self.run("status", "--json"))

    def start(self) -> None:
        """Start it."""
        assert self._process is None
        with (self.folder / "relay.log").open("ab") as log:
            self._process = subprocess.Popen(
                _command("relay", "start", str(self.config)), stderr=log, env=_environment()
            )

    @property
    def pid(self) -> int:
        """Process id. Only while it runs."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """End it with -9, whatever it is doing."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Ask it to end; return its exit code. None runs: 0."""
        if self._process is None:
            return 0
        self._process.send_signal(how)
        try:
            code = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._process = None
        return code

    def lose_journal(self) -> None:
        """Forget everything."""
        for path in self.folder.glob("relay.db*"):
            path.unlink()

    def log(self) -> str:
        """All that it has logged."""
        return (self.folder / "relay.log").read_text()


def _command(*words: str) -> list[str]:
    return [sys.executable, "-c", "from tieline.cli import main; main()", *words]


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}


def wait_until(holds, seconds: float = 180.0, every_s: float = 0.1) -> None:
    """Wait until a call's answer is true."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(every_s)
