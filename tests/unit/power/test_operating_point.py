"""One solved case for reports and settlement: powers balance, and runpp says the same elsewhere."""

from dataclasses import replace

import pytest
from fakes.networks import KILOWATT, published_case

from tieline.power.errors import NotConverged, UnknownBus
from tieline.power.operating_point import operating_point

CASE = published_case("cigre_mv_feeder_1")
MEGAWATT = 1000 * KILOWATT


def total_mw(injections: dict[int, tuple[int, int]]) -> float:
    return sum(p for p, _ in injections.values()) / MEGAWATT


def test_import_covers_load_and_losses() -> None:
    point = operating_point(CASE.network, CASE.baseline)
    assert point.slack_p_mw == pytest.approx(point.losses_mw - total_mw(CASE.baseline), abs=1e-12)
    assert point.losses_mw > 0


def test_every_bus_has_a_voltage_the_slack_its_own() -> None:
    point = operating_point(CASE.network, CASE.baseline)
    assert set(point.vm_pu) == {row.index for row in CASE.network.buses}
    slack = CASE.network.slack
    assert point.vm_pu[slack.bus] == pytest.approx(slack.vm / 1e9, abs=1e-12)
    assert min(point.vm_pu.values()) < slack.vm / 1e9


def test_the_slacks_scale_moves_all_voltages() -> None:
    low, high = (operating_point(CASE.network, CASE.baseline, scale) for scale in (0.99, 1.01))
    slack = CASE.network.slack.bus
    assert high.vm_pu[slack] / low.vm_pu[slack] == pytest.approx(1.01 / 0.99)
    assert all(high.vm_pu[bus] > low.vm_pu[bus] for bus in low.vm_pu)


def test_a_quantity_drawn_at_the_slack_is_imported_and_moves_nothing() -> None:
    slack = CASE.network.slack.bus
    drawn = {**CASE.baseline, slack: (-3 * MEGAWATT, 0)}
    base, more = (operating_point(CASE.network, rows) for rows in (CASE.baseline, drawn))
    assert more.slack_p_mw == pytest.approx(base.slack_p_mw + 3)
    assert more.vm_pu == base.vm_pu
    assert more.losses_mw == base.losses_mw


def test_export_is_negative_import() -> None:
    p, q = CASE.baseline[1]
    sunny = {**CASE.baseline, 1: (p + 15 * MEGAWATT, q)}
    assert operating_point(CASE.network, sunny).slack_p_mw < 0


def test_loading_rises_with_what_flows_and_unlimited_branches_show_none() -> None:
    p, q = CASE.baseline[6]
    heavy = {**CASE.baseline, 6: (p - 2 * MEGAWATT, q)}
    base, more = (operating_point(CASE.network, rows) for rows in (CASE.baseline, heavy))
    assert max(more.loading.values()) > max(base.loading.values())
    assert set(more.loading) == {("line", row.index) for row in CASE.network.lines} | {
        ("transformer", row.index) for row in CASE.network.transformers
    }
    first = CASE.network.lines[0]
    free = replace(CASE.network, lines=(replace(first, i_max=0), *CASE.network.lines[1:]))
    assert operating_point(free, heavy).loading["line", first.index] == 0


def test_a_load_that_nothing_can_serve_has_no_operating_point() -> None:
    with pytest.raises(NotConverged):
        operating_point(CASE.network, {6: (-500 * MEGAWATT, 0)})


def test_a_bus_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownBus, match="77"):
        operating_point(CASE.network, {77: (1, 0)})
