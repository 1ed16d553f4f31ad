"""The same transactions give the same state, on any machine and whatever Python's hash seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from fakes.conflicts import conflicts
from fakes.history import play, receive
from fakes.microgrid import LOCAL, Ledger, key, pay

from tieline.contract.multistore import MultiStore
from tieline.contract.store import IBC, STORES
from tieline.protocol.commitment import packet_receipt_key
from tieline.protocol.messages import UpdateClient

ROOT = Path(__file__).parents[3]


def run_history(hash_seed: str) -> str:
    roots = [str(ROOT / part) for part in ("relayer", "adapters", "microgrids", "tests")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(roots),
        "PYTHONHASHSEED": hash_seed,
    }
    script = ROOT / "tests" / "fakes" / "history.py"
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_two_processes_with_two_hash_seeds_agree_on_every_block() -> None:
    one, two = run_history("1"), run_history("4242")
    assert one == two
    assert one.splitlines() == [f"{app_hash.hex()} {results}" for app_hash, results in play()]


def test_the_history_holds_successes_and_refusals() -> None:
    codes = [result.code for _, results in play() for result in results]
    assert codes.count(0) > 20
    assert {2, 111_222} <= set(codes)


def names_of(count: int) -> list[str]:
    return [f"household {n}" for n in range(count)]


def test_thirty_two_disjoint_payments_touch_no_common_key() -> None:
    names = names_of(64)
    ledger = Ledger(names=["cell", *names], record_access=True)
    pairs = zip(names[::2], names[1::2], strict=True)
    results = ledger.block(*(ledger.transaction(a, pay(a, b, 5)) for a, b in pairs))
    assert [result.code for result in results] == [0] * 32
    assert conflicts(ledger.application) == set()


def test_two_payments_to_one_account_do_meet() -> None:
    """The measure itself must be able to say no."""
    ledger = Ledger(record_access=True)
    ledger.block(
        ledger.transaction("ann", pay("ann", "cell", 5)),
        ledger.transaction("bob", pay("bob", "cell", 5)),
    )
    assert len(conflicts(ledger.application)) == 1


def test_thirty_two_receives_through_lanes_touch_no_common_key() -> None:
    names = names_of(32)
    ledger = Ledger(names=["cell", "relayer", *names], record_access=True)
    ledger.open_client()
    relayer = key("relayer").cosmos_account
    ledger.must("relayer", UpdateClient(relayer, LOCAL, ledger.header(11)))
    for answer in (b"ok", b"later", b"no"):
        offset = {b"ok": 1, b"later": 101, b"no": 201}[answer]
        results = ledger.block(
            *(
                ledger.transaction(name, receive(name, n + offset, answer))
                for n, name in enumerate(names)
            )
        )
        assert [result.code for result in results] == [0] * 32
        assert conflicts(ledger.application) == set()


def test_a_receipt_can_be_proved_from_the_multistore() -> None:
    ledger = Ledger(tree=MultiStore(STORES))
    ledger.open_client()
    relayer = key("relayer").cosmos_account
    ledger.must("relayer", UpdateClient(relayer, LOCAL, ledger.header(11)))
    ledger.must("relayer", receive("relayer", 1, b"ok"))
    height = ledger.application.height
    there = ledger.application.prove(IBC, packet_receipt_key(LOCAL, 1), height)
    absent = ledger.application.prove(IBC, packet_receipt_key(LOCAL, 2), height)
    assert len(there) > 100
    assert len(absent) > 100
    assert there != absent
