"""`tieline relay`: keys that nobody sees, a file that is checked, a status made of the journal."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tieline.cli import main
from tieline.hub.journal_sql import SqlJournal
from tieline.interfaces.journal import Intent, IntentStatus, JourneyRow, LedgerRow

ROOT = Path(__file__).parents[3]
CONFIG = """
ledgers:
  lab-a: {kind: cosmos, rpc: ['http://127.0.0.1:1'], key_file: keys/lab-a.key, lanes: 2}
  lab-b: {kind: tendermint, rpc: ['http://127.0.0.1:1'], key_file: keys/lab-b.key}
paths:
  - {between: [lab-a, lab-b], clients: [07-tendermint-0, 07-tendermint-1]}
"""
HEAVY = {
    "pandapower", "pandas", "numpy", "scipy", "pyarrow", "alembic", "networkx", "grpc", "fastapi",
    "uvicorn", "rich", "cryptography", "Crypto", "sqlalchemy.orm", "sqlalchemy.dialects.postgresql",
}  # fmt: skip


class Commands:
    """Calls the command line in this process, in a folder of its own."""

    def __init__(self, monkeypatch, capsys) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["tieline", "relay", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = self._capsys.readouterr()
        return (end.value.code if isinstance(end.value.code, int) else 0), out, err


@pytest.fixture
def relay(monkeypatch, capsys, tmp_path) -> Commands:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "relay.yaml").write_text(CONFIG)
    return Commands(monkeypatch, capsys)


def test_keys_are_made_once_and_only_accounts_are_shown(relay: Commands, tmp_path: Path) -> None:
    code, out, _ = relay("keys", "--json")
    rows = json.loads(out)
    assert (code, [row["ledger"] for row in rows]) == (0, ["lab-a", "lab-a", "lab-b"])
    assert all(row["is_new"] for row in rows)
    assert rows[0]["account"].startswith("cosmos1")
    secrets = [path.read_text().strip() for path in (tmp_path / "keys").iterdir()]
    _, table, _ = relay("keys")
    assert len(secrets) == 2
    assert not any(secret in out + table for secret in secrets)
    assert " new" not in table
    _, again, _ = relay("keys", "--json")
    assert [row["account"] for row in json.loads(again)] == [row["account"] for row in rows]


REFUSED = [
    # what is typed, exit code, what the one line on standard error says
    (["status", "none.yaml"], 2, "none.yaml: cannot be read"),
    (["check"], 2, "run `tieline relay keys` to make it"),
    (["start"], 2, "run `tieline relay keys` to make it"),
    (["link"], 2, "run `tieline relay keys` to make it"),
    (["start", "--log-level", "loud"], 2, "no log level 'loud'; write debug, info"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), REFUSED)
def test_a_refusal_is_one_line(
    relay: Commands, arguments: list[str], code: int, words: str
) -> None:
    found, out, err = relay(*arguments)
    assert (found, out) == (code, "")
    assert words in err
    assert err.count("\n") == 1


def test_a_ledger_that_does_not_answer_is_named(relay: Commands) -> None:
    relay("keys")
    code, _, err = relay("check")
    assert code == 1
    assert "127.0.0.1:1" in err
    assert "Traceback" not in err


def test_a_status_before_the_first_start_makes_nothing(relay: Commands, tmp_path: Path) -> None:
    code, out, _ = relay("status")
    assert (code, out) == (0, "never started\n")
    assert not list(tmp_path.glob("relay.db*"))
    assert json.loads(relay("status", "--json")[1])["heard_s"] == 0


def write_journal(folder: Path, updated_s: int) -> None:
    journal = SqlJournal(f"sqlite:///{folder}/relay.db")
    journal.save_ledgers(
        [
            LedgerRow("lab-a", 70, 1, updated_s - 2, 1, "", updated_s),
            LedgerRow("lab-b", 9, 1, updated_s - 31, 0, "no new block for 31 s", updated_s),
        ]
    )
    route = "lab-a/07-tendermint-0->lab-b/07-tendermint-1"
    journal.save_journeys(
        [JourneyRow(f"p{n}", route, "SENT", 0, 5, "sent=4", is_done=False) for n in range(3)]
        + [JourneyRow("p9", route, "ANSWERED", 0, 5, "sent=4", is_done=False)]
    )
    (number,) = journal.write_intents([Intent("lab-b", "relayer", "deliver_packet", "recv/c/7", 5)])
    journal.record_outcome([number], IntentStatus.REJECTED, detail="rejected: code=30 no proof")
    journal.close()


def test_status_says_why_something_is_held_and_what_is_under_way(
    relay: Commands, tmp_path: Path
) -> None:
    write_journal(tmp_path, int(time.time()))
    _, out, _ = relay("status")
    assert out.startswith("running\n")
    for words in ("no new block for 31 s", "lab-b/recv/c/7", "code=30 no proof"):
        assert words in out
    told = json.loads(relay("status", "--json")[1])
    assert told["is_running"]
    assert [row["held_because"] for row in told["ledgers"]] == ["", "no new block for 31 s"]
    (route,) = told["backlog"]
    assert (route["sent"], route["received"], route["answered"]) == (3, 0, 1)


def test_a_relayer_that_is_silent_does_not_run(relay: Commands, tmp_path: Path) -> None:
    write_journal(tmp_path, int(time.time()) - 60)
    _, out, _ = relay("status")
    assert out.startswith("does not run; last heard of 6")


def wait_for_reason(relay: Commands) -> dict:
    """The status in which the ledgers' silence is told."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        told = json.loads(relay("status", "--json")[1])
        if any("127.0.0.1:1" in row["held_because"] for row in told["ledgers"]):
            return told
        time.sleep(0.1)
    raise AssertionError("nothing was told")


def test_the_process_loads_nothing_heavy_waits_for_ledgers_and_stops_when_asked(
    relay: Commands, tmp_path: Path
) -> None:
    """Nobody answers: it says so in its journal, goes on, and ends in order on SIGTERM."""
    relay("keys")
    program = (
        "import sys\n"
        "sys.argv = ['-c', 'relay.yaml', 'WARNING']\n"
        "from tieline.hub.relay_process import main\n"
        "try:\n    main()\n"
        "finally:\n    print(*sorted(sys.modules))\n"
        "    print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
    )
    roots = ":".join(str(ROOT / name) for name in ("relayer", "adapters", "microgrids"))
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": roots},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            told = wait_for_reason(relay)
            child.send_signal(signal.SIGTERM)
            out, err = child.communicate(timeout=120)
        finally:
            child.kill()
    assert child.returncode == 0, err
    assert "cannot start yet" in err
    modules, peak_kb = out.splitlines()
    assert not set(modules.split()) & HEAVY
    assert "tieline.power" not in modules
    assert "tieline.market" not in modules
    assert not {"typer", "click"} & set(modules.split()), "read before, and gone"
    assert int(peak_kb) < 65 * 1024
    assert told["is_running"]
