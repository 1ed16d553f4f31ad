"""
A world on three kinds of ledger: trades in all six directions, packets to and from Fabric that time
out while the relayer sleeps, and an audit that sees each change of what Fabric's ledger exports.
"""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import pytest

from tieline.audit.auditing import audit
from tieline.audit.tampering import tamper
from tieline.scenario import world
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.reading import load_scenario, shipped_scenario
from tieline.scenario.run_folder import RunFolder

pytestmark = pytest.mark.slow

FIRST, LAST = 3, 11
"""Slots of the evening."""
ASLEEP = (6, 10)
"""In the first the Fabric ledger sends a packet, in the second it is sent some."""
AGAIN = 7
"""What the cold store could not have in the first is offered once more."""
SLEEP_S = 550
"""From the gate until tau has passed, and not until preimages may no more be shown."""
FABRIC = "mg-c"


def config() -> ScenarioConfig:
    """The evening's slots in which all directions come; in one of them nobody relays."""
    evening = load_scenario(shipped_scenario("evening")).model_dump(mode="json")
    events = []
    for event in evening["events"]:
        slots = [slot - FIRST for slot in event["slots"] if FIRST <= slot <= LAST]
        if slots and event["event"] == "dispatch" and "depot" not in event["cell"]:
            events.append({**event, "slots": slots})
        if event.get("cell") in {"c-cooling", "a-battery"} and ASLEEP[0] in event["slots"]:
            events.append({**event, "slots": [AGAIN - FIRST]})
    events += [
        {"event": "relayer_down", "slot": slot - FIRST, "seconds": SLEEP_S} for slot in ASLEEP
    ]
    evening.update(
        start_utc="2016-01-18T13:45:00Z",
        slot_count=LAST - FIRST + 1,
        reproducible_keys=True,
        events=events,
    )
    return ScenarioConfig.model_validate(evening)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    path = tmp_path_factory.mktemp("fabric") / "run"
    world.run(config(), path, progress=lambda *_: None)
    return RunFolder(path)


def test_every_check_of_the_run_holds(run: RunFolder) -> None:
    assert [check for check in run.read_summary().checks if not check.is_ok] == []


def test_there_are_three_kinds_of_ledger_and_packets_in_all_six_directions(run: RunFolder) -> None:
    kinds = Counter(ledger.kind for ledger in run.read_summary().ledgers)
    assert kinds == {"cometbft": 2, "evm": 1, "fabric": 1}
    paid = {
        (trade.source_chain_id, trade.dest_chain_id)
        for trade in run.read_trades()
        if trade.level == "INTER" and trade.paid_out_nano_eur
    }
    assert paid == set(permutations(("mg-a", "mg-b", "mg-c"), 2))


def test_what_nobody_relayed_was_refunded_on_every_kind_of_ledger(run: RunFolder) -> None:
    starts = [config().slot_start_s(slot - FIRST) for slot in ASLEEP]
    asleep = [
        trade
        for trade in run.read_trades()
        if trade.slot_start_s in starts and trade.level != "INTRA"
    ]
    assert {trade.outcome for trade in asleep} == {"refunded"}
    ways = {(trade.source_chain_id, trade.dest_chain_id) for trade in asleep}
    assert {(FABRIC, "mg-a"), ("mg-a", FABRIC), ("mg-b", FABRIC)} <= ways


def test_the_audit_holds_and_tells_how_each_packet_ended(run: RunFolder) -> None:
    report = audit(run.path)
    assert report.findings == ()
    ends = report.count_packets()
    assert ends["timed out"] > 0
    assert ends["acknowledged"] > 0


def test_every_way_to_spoil_the_run_is_noticed(run: RunFolder) -> None:
    report = tamper(run.path, 24, seed=6)
    assert [trial.what for trial in report.trials if not trial.is_noticed] == []
    spoiled = " ".join(trial.what for trial in report.trials)
    for words in ("turned, hashes mended", "commit hash of the one before", "signatures of block"):
        assert words in spoiled
