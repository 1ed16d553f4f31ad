"""What a slot really did to the network: with what was accepted, and had nobody asked."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fakes.networks import KILOWATT, published_case

from tieline.power.operating_point import operating_point
from tieline.scenario.truth_of_slot import Truth
from tieline.swap.records import Role

CASE = published_case("cigre_mv_feeder_1")
SLOT = 900
PARTIES = (
    SimpleNamespace(name="A", ledger_id="mg-a", role=Role.MICROGRID, buses=(4, 5, 6)),
    SimpleNamespace(name="grid", ledger_id="grid-1", role=Role.GRID, buses=(1, 2, 3, 8)),
)


class Houses:
    """Energy cells that do exactly what their set points say, on the published forecast."""

    cells = (SimpleNamespace(id="a-depot", chain_id="mg-a"),)

    def __init__(self) -> None:
        self.solved: list[Mapping[str, int]] = []

    def actual(self, _: int, set_points: Mapping[str, int]) -> Any:
        self.solved.append(set_points)
        buses = dict(CASE.baseline)
        p, q = buses.get(6, (0, 0))
        buses[6] = (p + set_points.get("a-depot", 0) * 4_000, q)
        return SimpleNamespace(buses=buses, slack_voltage_ppm=CASE.network.slack.vm / 1000)

    def energy(self, _: int, set_points: Mapping[str, int]) -> Any:
        return {"a-depot": SimpleNamespace(metered_wh=set_points.get("a-depot", 0))}


def truth(accepted: int, cleared: int) -> tuple[Truth, Houses]:
    houses = Houses()
    made = Truth(
        cast(Any, SimpleNamespace(slot_length_s=900)),
        CASE.network,
        cast(Any, houses),
        cast(Any, PARTIES),
        lambda _: {"a-depot": -accepted},
        lambda _: {"a-depot": -cleared},
    )
    return made, houses


def test_a_slot_is_solved_once() -> None:
    made, houses = truth(1000, 1000)
    assert made.slot(SLOT) is made.slot(SLOT)
    assert len(houses.solved) == 1


def test_where_nothing_was_cut_both_pictures_are_one() -> None:
    found = truth(1000, 1000)[0].slot(SLOT)
    assert found.without_gate is found.point


def test_without_the_gate_the_cleared_set_would_have_flown() -> None:
    found = truth(100_000, 500_000)[0].slot(SLOT)
    assert found.without_gate is not None
    assert found.without_gate.vm_pu[6] < found.point.vm_pu[6] - 1e-3


def test_a_set_that_would_have_collapsed_has_no_picture() -> None:
    found = truth(1000, 50_000_000)[0].slot(SLOT)
    assert found.without_gate is None
    assert found.point.vm_pu[6] > 0.9


def test_a_zones_coupling_point_counts_all_its_buses() -> None:
    made, _ = truth(1000, 1000)
    baseline = sum(CASE.baseline.get(bus, (0, 0))[0] for bus in (4, 5, 6))
    expected = round(baseline * 900 / 3_600_000) - 1000
    assert made.zone("mg-a")(SLOT).boundary == pytest.approx(expected, abs=1)
    assert made.zone("mg-a")(SLOT).metered == {"a-depot": -1000}


def test_the_operators_meter_counts_what_comes_over_the_slack() -> None:
    made, _ = truth(1000, 1000)
    slot = made.slot(SLOT)
    point = operating_point(CASE.network, slot.injections, slot.slack_scale)
    expected = round(point.slack_p_mw * 1000 * KILOWATT * 900 / 3_600_000)
    assert slot.zones["grid-1"].boundary == expected
    assert expected > 0
    assert slot.zones["grid-1"].metered == {}
