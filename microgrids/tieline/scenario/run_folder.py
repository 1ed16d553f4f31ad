"""
The folder that a run leaves behind: where each file lies, and readers for the commands.

The layout is a promise to users and to the audit: ``docs/run_folder.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import TypeAdapter, ValidationError

from tieline.interfaces.errors import ConfigError
from tieline.scenario.run_records import SCHEMA, Record, RunSummary, SlotRecord, TradeRecord
from tieline.wire.bounded_json import loads
from tieline.wire.checksums import CHECKSUMS_FILE, COVERED_FILES, encode_checksums

EngineName = Literal["embedded", "native"]
"""What the ledgers of a run stand on: engines in its own process, or the real ones as children."""
_TRADES = TypeAdapter(tuple[TradeRecord, ...])
_BRING_BACK = "bring back a copy of the file, or delete it"
_SLOTS = TypeAdapter(tuple[SlotRecord, ...])


class RunState(Record):
    """run.json: written first, and again at the end."""

    schema_name: str = SCHEMA
    scenario: str
    scenario_sha256: str
    """Of scenario.yaml in this folder; a resume refuses another one."""
    tieline_version: str
    engine: EngineName = "embedded"
    state: Literal["running", "finished", "failed"]
    slots_done: int = 0


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of one run, and what is in them."""

    path: Path

    @property
    def run_json(self) -> Path:
        """State of the run."""
        return self.path / "run.json"

    @property
    def scenario_yaml(self) -> Path:
        """The scenario in full, with every default written out."""
        return self.path / "scenario.yaml"

    @property
    def summary_json(self) -> Path:
        """``RunSummary``."""
        return self.path / "summary.json"

    @property
    def trades_json(self) -> Path:
        """A list of ``TradeRecord``."""
        return self.path / "trades.json"

    @property
    def slots_json(self) -> Path:
        """A list of ``SlotRecord``."""
        return self.path / "slots.json"

    @property
    def events_jsonl(self) -> Path:
        """One JSON object a line, in the order of things."""
        return self.path / "events.jsonl"

    @property
    def journal_sqlite(self) -> Path:
        """The relayer's journal; it may be deleted, it is rebuilt from the ledgers."""
        return self.path / "journal.sqlite"

    @property
    def _clock(self) -> Path:
        """The scenario's clock, for a resume."""
        return self.path / "clock"

    @property
    def keys(self) -> Path:
        """Private keys and preimages, mode 0700; never share this folder."""
        return self.path / "keys"

    @property
    def checksums(self) -> Path:
        """SHA-256 of what an audit reads, for ``sha256sum -c``; there only while no run goes on."""
        return self.path / CHECKSUMS_FILE

    @property
    def report_html(self) -> Path:
        """The report, one file."""
        return self.path / "report.html"

    @property
    def tightest_slot_json(self) -> Path:
        """The tightest slot as a plain pandapower network."""
        return self.path / "tightest_slot.json"

    def ledger(self, chain_id: str) -> Path:
        """Folder of one ledger: ``genesis.json`` and ``blocks.bin``."""
        return self.path / "ledgers" / chain_id

    def engines(self, chain_id: str) -> Path:
        """Folder of a ledger's native engines: their own stores, logs and private keys."""
        return self.path / "engines" / chain_id

    def evidence(self, slot_start_s: int) -> Path:
        """What the cells signed for a slot."""
        return self.path / "evidence" / f"{slot_start_s}.json"

    def ledger_ids(self) -> list[str]:
        """Return the chain ids that have a folder, ascending."""
        root = self.path / "ledgers"
        return sorted(p.name for p in root.iterdir() if p.is_dir()) if root.is_dir() else []

    def evidence_slots(self) -> list[int]:
        """Return the starts of the slots with evidence, ascending, unix seconds."""
        return sorted(int(p.stem) for p in (self.path / "evidence").glob("*.json"))

    def read_state(self) -> RunState:
        """Return run.json. Raises ConfigError if this is not a run folder."""
        try:
            return RunState.model_validate_json(self.run_json.read_bytes())
        except (OSError, ValidationError) as exc:
            raise _not_a_run(self.run_json, exc) from exc

    def read_summary(self) -> RunSummary:
        """Return summary.json. Raises ConfigError if the run has not ended yet."""
        try:
            return RunSummary.model_validate_json(self.summary_json.read_bytes())
        except (OSError, ValidationError) as exc:
            raise _not_a_run(self.summary_json, exc) from exc

    def read_zone(self) -> str:
        """Return the time zone for display: the run's own, UTC before it has a summary."""
        return self.read_summary().print_time_zone if self.summary_json.is_file() else "UTC"

    def read_trades(self) -> tuple[TradeRecord, ...]:
        """Return all trades by slot. Raises ConfigError if there is no readable trades.json."""
        try:
            return _TRADES.validate_json(self.trades_json.read_bytes())
        except (OSError, ValidationError) as exc:
            raise _not_a_run(self.trades_json, exc) from exc

    def read_slots(self) -> tuple[SlotRecord, ...]:
        """Return all slots in order. Raises ConfigError if there is no readable slots.json."""
        try:
            return _SLOTS.validate_json(self.slots_json.read_bytes())
        except (OSError, ValidationError) as exc:
            raise _not_a_run(self.slots_json, exc) from exc

    def read_events(self) -> Iterator[dict[str, Any]]:
        """Yield the events; a torn last line (after a crash) ends them. Raises ConfigError."""
        if not self.events_jsonl.is_file():
            return
        with self.events_jsonl.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    return
                yield _event(f"{self.events_jsonl}:{number}", line)

    def write_state(self, state: RunState) -> None:
        """Write run.json, whole or not at all."""
        self.path.mkdir(parents=True, exist_ok=True)
        _write_whole(self.run_json, state.model_dump_json(indent=2).encode())

    def read_clock(self) -> int:
        """Return the instant that the run had reached, unix seconds; 0 before the first."""
        try:
            return int(self._clock.read_text(encoding="ascii"))
        except FileNotFoundError:
            return 0

    def write_clock(self, now_s: int) -> None:
        """Write the instant that begins, whole or not at all."""
        _write_whole(self._clock, b"%d" % now_s)

    def write_summary(self, summary: RunSummary) -> None:
        """Write summary.json, whole or not at all."""
        _write_whole(self.summary_json, summary.model_dump_json(indent=2).encode())

    def write_trades(self, trades: Sequence[TradeRecord]) -> None:
        """Write trades.json, whole or not at all."""
        _write_whole(self.trades_json, _TRADES.dump_json(tuple(trades), indent=1))

    def write_slots(self, slots: Sequence[SlotRecord]) -> None:
        """Write slots.json, whole or not at all."""
        _write_whole(self.slots_json, _SLOTS.dump_json(tuple(slots), indent=1))

    def write_checksums(self) -> None:
        """Write the checksums of ledgers, evidence and topology as they are now."""
        paths = sorted(path for name in COVERED_FILES for path in self.path.glob(name))
        contents = {path.relative_to(self.path).as_posix(): path.read_bytes() for path in paths}
        _write_whole(self.checksums, encode_checksums(contents), end=b"")


def next_run_folder(parent: Path, scenario: str) -> Path:
    """Return ``parent/scenario-001``, or the next free number."""
    number = 1
    while (parent / f"{scenario}-{number:03d}").exists():
        number += 1
    return parent / f"{scenario}-{number:03d}"


def latest_run_folder(parent: Path) -> Path:
    """
    Return the run under *parent* that was started last.

    Raises:
        ConfigError: There is none.
    """
    runs = [path.parent for path in parent.glob("*/run.json")]
    if not runs:
        raise ConfigError(
            "no run found", file=str(parent), instead="name a run folder, or start `tieline demo`"
        )
    return max(runs, key=lambda run: ((run / "run.json").stat().st_mtime_ns, run.name))


def _event(place: str, line: bytes) -> dict[str, Any]:
    try:
        event: object = loads(line.decode())
    except ValueError as exc:
        raise ConfigError(f"no event: {exc}", file=place, instead=_BRING_BACK) from exc
    if not isinstance(event, dict) or not {"time_s", "event"} <= event.keys():
        raise ConfigError("no event with time_s", file=place, instead=_BRING_BACK)
    return cast("dict[str, Any]", event)


def _write_whole(path: Path, content: bytes, end: bytes = b"\n") -> None:
    """Write beside and rename, so that a reader never sees half a file."""
    beside = path.with_suffix(path.suffix + ".part")
    beside.write_bytes(content + end)
    beside.replace(path)


def _not_a_run(path: Path, cause: Exception) -> ConfigError:
    reason = "is missing" if isinstance(cause, OSError) else f"is not {SCHEMA}: {cause}"
    return ConfigError(
        reason, file=str(path), instead="name the folder of a run that has come this far"
    )
