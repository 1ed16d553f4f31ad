"""The run folder: what is written comes back, and what is no run is named."""

import hashlib
from pathlib import Path

import pytest

from tieline.interfaces.errors import ConfigError
from tieline.scenario.run_folder import RunFolder, RunState, latest_run_folder, next_run_folder


def _state(**changes: object) -> RunState:
    fields = {
        "scenario": "evening",
        "scenario_sha256": "ab" * 32,
        "tieline_version": "0.1.0",
        "state": "running",
    }
    return RunState.model_validate(fields | changes)


def test_a_state_that_was_written_is_read_back(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "evening-001")
    run.write_state(_state(slots_done=3))
    assert run.read_state() == _state(slots_done=3)


def test_a_folder_that_is_no_run_is_refused_with_the_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"run\.json: is missing"):
        RunFolder(tmp_path).read_state()


def test_a_run_of_another_layout_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"schema_name": "tieline-run-1", "state": "asleep"}')
    with pytest.raises(ConfigError, match="is not tieline-run-1"):
        RunFolder(tmp_path).read_state()


def test_run_folders_are_numbered_and_the_latest_is_found(tmp_path: Path) -> None:
    first = next_run_folder(tmp_path, "evening")
    RunFolder(first).write_state(_state())
    second = next_run_folder(tmp_path, "evening")
    RunFolder(second).write_state(_state())
    assert [first.name, second.name] == ["evening-001", "evening-002"]
    assert latest_run_folder(tmp_path) == second


def test_no_run_at_all_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tieline demo"):
        latest_run_folder(tmp_path)


def test_events_end_before_a_line_that_a_crash_tore(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.events_jsonl.write_text('{"event": "lock_opened", "time_s": 9}\n{"event": "claim')
    assert list(run.read_events()) == [{"event": "lock_opened", "time_s": 9}]


@pytest.mark.parametrize("line", [b"null", b"[1]", b"\xff", b"{", b'{"event": "x"}', b"[" * 9999])
def test_a_damaged_event_is_said_with_its_line(tmp_path: Path, line: bytes) -> None:
    run = RunFolder(tmp_path)
    run.events_jsonl.write_bytes(b'{"event": "lock_opened", "time_s": 9}\n' + line + b"\n")
    with pytest.raises(ConfigError, match=r"events\.jsonl:2: no event"):
        list(run.read_events())


def test_checksums_cover_what_an_audit_reads_and_nothing_else(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for name in ("ledgers/mg-a/blocks.bin", "evidence/900.json", "topology.json", "report.html"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    run.write_checksums()
    lines = run.checksums.read_text().splitlines()
    assert [line[66:] for line in lines] == [
        "evidence/900.json",
        "ledgers/mg-a/blocks.bin",
        "topology.json",
    ]
    assert lines[2][:64] == hashlib.sha256(b"topology.json").hexdigest()
