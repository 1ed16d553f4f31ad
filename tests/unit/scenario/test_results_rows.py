"""Small parts of the results: notes with their units, cuts in words, events as lines."""

import json

import pytest

from tieline.interfaces.limits import LimitKind
from tieline.market.accounts import operator, participant
from tieline.market.identities import LedgerSupply, check_identities
from tieline.market.settlement import NetworkEnergy, ParticipantEnergy, settle_slot
from tieline.power.gate_result import TightestLimit, Violation
from tieline.power.limits import Limit
from tieline.power.operating_point import OperatingPoint
from tieline.protocol.commitment import acknowledgement_key, packet_commitment_key
from tieline.protocol.events import Event
from tieline.scenario.results.event_lines import record_of
from tieline.scenario.results.history import Happening, open_packets
from tieline.scenario.results.notes import note_of_tightest, note_of_violation
from tieline.scenario.results.slots import cuts_in_words, imbalance_wh, worst_voltages
from tieline.utility.phases.settle import unmetered
from tieline.utility.slot_work import CheckRound

V_LOW = Limit("V_LOW bus 10", LimitKind.V_LOW, 10, 0.95, is_upper=False, percent_of=1.0)
LINE = Limit("LINE 3 (4-5)", LimitKind.LINE, 3, 1.0, is_upper=True, percent_of=1.0)
PCC = Limit("PCC A max", LimitKind.PCC, 1, 2.5, is_upper=True, percent_of=2.5)


def test_a_lower_bound_rises_by_its_margin() -> None:
    broken = Violation("V_LOW bus 10", LimitKind.V_LOW, 10, 0.9468, 0.95, 0.0121, "whole set")
    note = note_of_violation(broken, V_LOW)
    assert (note.value, note.bound, note.margin_subtracted) == (0.9468, 0.9621, 0.0121)
    assert (note.unit, note.scenario) == ("pu", "whole set")


def test_a_rating_is_told_in_percent_and_falls_by_its_margin() -> None:
    broken = Violation("LINE 3 (4-5)", LimitKind.LINE, 3, 1.08, 1.0, 0.05, "")
    note = note_of_violation(broken, LINE)
    assert (note.value, note.bound, note.margin_subtracted) == (108.0, 95.0, 5.0)
    assert note.unit == "percent"


@pytest.mark.parametrize(
    ("limit", "percent", "value", "bound"),
    [
        (V_LOW, 1.0, 0.97, 0.96),
        (V_LOW, -1.0, 0.95, 0.96),
        (LINE, 20.0, 79.0, 99.0),
        (PCC, 10.0, 2240.0, 2490.0),
    ],
)
def test_the_tightest_limit_has_its_room_between_value_and_bound(
    limit: Limit, percent: float, value: float, bound: float
) -> None:
    row = TightestLimit(limit.name, limit.kind, limit.element, "s", percent, 0.01, None, None)
    note = note_of_tightest(row, limit)
    assert (note.value, note.bound) == (value, bound)


def test_each_round_that_broke_something_is_a_sentence() -> None:
    rounds = (
        CheckRound(800, "INFEASIBLE", ("V_LOW bus 3", "a", "b", "c"), 0),
        CheckRound(500, "INFEASIBLE", ("V_LOW bus 6",), 300),
        CheckRound(470, "FEASIBLE", (), 330),
    )
    assert cuts_in_words(rounds) == [
        "round 1: 800 Wh broke V_LOW bus 3, a, b and 1 more; 500 Wh were left after the cut",
        "round 2: 500 Wh broke V_LOW bus 6; 470 Wh were left after the cut",
    ]
    assert cuts_in_words(rounds[2:]) == []


def test_the_main_grids_own_bus_is_nobodys_worst_voltage() -> None:
    point = OperatingPoint({0: 0.90, 3: 0.97, 5: 0.96, 7: 1.01}, {}, 0.0, 0.0)
    assert worst_voltages(point, slack=0) == (0.96, 5, 1.01)


TAG = b"\x01" * 32
HOME, WIND = participant(TAG, b"h" * 20), participant(TAG, b"w" * 20)


def test_loads_without_a_meter_are_no_imbalance_of_those_who_have_one() -> None:
    rows = [
        ParticipantEnergy(HOME, -120, -120),
        ParticipantEnergy(WIND, 50, 50),
        ParticipantEnergy(unmetered(TAG), -1000, -1000),
    ]
    network = NetworkEnergy(1100, 1100, 30, 30)
    statement = settle_slot(rows, [], network, operator(b"\x02" * 32), 350_000)
    assert imbalance_wh(statement) == 170
    assert check_identities(statement, [LedgerSupply("a", 5, 0, 5, 0)]) == []


def test_an_event_of_a_lock_carries_the_slot_of_its_opening() -> None:
    slots: dict[str, int] = {}
    opened = Event("lock_opened", (("lock_id", "ab"), ("slot_start", "900"), ("price", "7")))
    claimed = Event("claimed", (("lock_id", "ab"), ("wh", "12"), ("preimage", "00")))
    first = record_of(Happening("mg-a", 3, 40, opened), slots)
    second = record_of(Happening("mg-a", 9, 95, claimed), slots)
    assert json.loads(json.dumps(first))["price"] == 7
    assert (second["slot_start_s"], second["wh"], second["preimage"]) == (900, 12, "00")
    assert (second["time_s"], second["height"], second["chain_id"]) == (95, 9, "mg-a")


def packet_event(kind: str, client: str, sequence: int) -> Happening:
    end = "source" if kind == "send_packet" else "dest"
    attributes = ((f"packet_{end}_client", client), ("packet_sequence", str(sequence)))
    return Happening("mg-a", 3, 40, Event(kind, attributes))


def test_a_packet_is_open_while_it_is_committed_or_not_answered() -> None:
    rows = [
        packet_event("send_packet", "07-tendermint-0", 1),
        packet_event("send_packet", "07-tendermint-0", 2),
        packet_event("recv_packet", "07-tendermint-1", 7),
        packet_event("recv_packet", "07-tendermint-1", 8),
    ]
    provable = {
        packet_commitment_key("07-tendermint-0", 2): b"x",
        acknowledgement_key("07-tendermint-1", 7): b"x",
    }
    assert open_packets(provable, rows) == ("sent 07-tendermint-0/2", "received 07-tendermint-1/8")
