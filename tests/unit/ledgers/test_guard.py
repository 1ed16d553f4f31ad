"""Programs that end with their parent, however that ends."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from tieline.interfaces.errors import Unavailable
from tieline.ledgers.children.guarded import GuardedProgram

SLEEP = "import time; print('here', flush=True); time.sleep(600)"
"""Far longer than anybody waits here: what ends in time was ended."""
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); " + SLEEP


ASKED_TOGETHER = """
import os, pathlib, signal, sys, time
asked = pathlib.Path(sys.argv[1])
def end(*_):
    (asked / str(os.getpid())).touch()
    while len(list(asked.iterdir())) < 4:
        time.sleep(0.01)
    print("all were asked", flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, end)
"""
"""One of four that do not end before each of them was asked to."""


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def await_end(pid):
    end = time.monotonic() + 60
    while lives(pid):
        assert time.monotonic() < end, "it lives on"
        time.sleep(0.01)


@pytest.fixture
def program(tmp_path):
    child = GuardedProgram([sys.executable, "-c", SLEEP], tmp_path / "log")
    child.start()
    yield child
    child.stop()


def test_a_program_runs_until_it_is_stopped_and_can_be_started_again(program):
    first = program.pid
    assert program.is_running()
    program.stop()
    await_end(first)
    assert not program.is_running()
    program.start()
    assert program.is_running()
    assert program.pid != first


def test_what_it_says_is_in_the_log(program):
    program.await_ready(lambda: "here" in program.last_words(), 60)


def test_one_that_does_not_listen_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("tieline.ledgers.children.guarded.STOP_S", 0.3)
    child = GuardedProgram([sys.executable, "-c", STUBBORN], tmp_path / "log")
    child.start()
    child.await_ready(lambda: "here" in child.last_words(), 60)
    pid = child.pid
    child.stop()
    await_end(pid)


def test_it_ends_when_its_guard_is_killed(program):
    assert program._guard is not None
    os.kill(program._guard.pid, signal.SIGKILL)
    await_end(program.pid)


def test_it_ends_when_its_parent_is_killed(tmp_path):
    script = textwrap.dedent(f"""
        import os, signal, sys
        from pathlib import Path
        from tieline.ledgers.children.guarded import GuardedProgram
        child = GuardedProgram([sys.executable, "-c", {SLEEP!r}], Path({str(tmp_path / "log")!r}))
        child.start()
        print(child.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    path = os.pathsep.join(part for part in sys.path if part)
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    await_end(int(ended.stdout))


def test_a_program_that_ends_says_why(tmp_path):
    child = GuardedProgram([sys.executable, "-c", "raise SystemExit('no room')"], tmp_path / "log")
    child.start()
    with pytest.raises(Unavailable, match="no room"):
        child.await_ready(lambda: False, 60)
    child.stop()


def test_a_program_that_is_not_there_does_not_start(tmp_path):
    child = GuardedProgram([str(tmp_path / "nothing")], tmp_path / "log")
    with pytest.raises(Unavailable, match="did not start"):
        child.start()


def test_a_killed_program_has_no_time_for_anything_and_can_be_started_again(tmp_path):
    child = GuardedProgram([sys.executable, "-c", STUBBORN], tmp_path / "log")
    child.start()
    first = child.pid
    child.kill()
    await_end(first)
    assert not child.is_running()
    child.kill()  # of one that is down: nothing
    child.start()
    assert child.pid != first
    child.kill()


def test_many_are_asked_to_end_before_one_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("tieline.ledgers.children.guarded.STOP_S", 30.0)
    asked = tmp_path / "asked"
    asked.mkdir()
    command = [sys.executable, "-c", ASKED_TOGETHER + SLEEP, str(asked)]
    children = [GuardedProgram(command, tmp_path / name) for name in "abcd"]
    for child in children:
        child.start()
    for child in children:
        child.await_ready(lambda child=child: "here" in child.last_words(), 60.0)
    for child in children:
        child.begin_stop()
    for child in children:
        child.stop()
    assert [child.last_words() for child in children] == ["here | all were asked"] * 4
    assert not any(child.is_running() for child in children)


def test_a_program_finds_what_is_in_its_environment_besides_ours(tmp_path):
    say = "import os; print(os.environ['TIELINE_SAID'], os.environ['PATH'][:1], flush=True)"
    child = GuardedProgram([sys.executable, "-c", say], tmp_path / "log", {"TIELINE_SAID": "so"})
    child.start()
    with pytest.raises(Unavailable, match="so /"):
        child.await_ready(lambda: False, 60.0)
    child.stop()
