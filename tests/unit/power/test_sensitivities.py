"""Sensitivities against finite differences, and the forecast margin against its formula."""

import numpy as np
import pytest
from fakes.networks import published_case

from tieline.power.admittance import build_admittance_model
from tieline.power.batch import solve_batch
from tieline.power.limits import LimitTable
from tieline.power.sensitivities import forecast_margin, sensitivities
from tieline.power.settings import NO_MARGINS, Limits, PowerLimit
from tieline.power.vectors import injection_vector

CASE = published_case("cigre_mv_feeder_1")
LIMITS = Limits(power=(PowerLimit("feeder", ("line", 0), 10**10, -(10**10)),))
TABLE = LimitTable(CASE.network, LIMITS, NO_MARGINS)
MODEL = build_admittance_model(CASE.network)
STEP_MW = 1e-3


@pytest.mark.parametrize("factor", [1.0, 3.0, -1.5])
def test_every_limit_s_room_moves_as_the_jacobian_says(factor: float) -> None:
    base = injection_vector(CASE.network, CASE.baseline, "test") * factor
    n = len(base)
    before = np.full(n, 1.0)
    steps = STEP_MW * np.concatenate([np.eye(n), 1j * np.eye(n)], axis=1)
    up = solve_batch(MODEL, base[:, None] + steps, step_pu=1e-13)
    down = solve_batch(MODEL, base[:, None] - steps, step_pu=1e-13)
    measured = (TABLE.room(MODEL, up, before) - TABLE.room(MODEL, down, before)) / (2 * STEP_MW)
    point = solve_batch(MODEL, base[:, None], step_pu=1e-13)
    slopes = sensitivities(MODEL, TABLE, point, base, before)
    measured_v = (np.abs(up.V) - np.abs(down.V)) / (2 * STEP_MW)
    assert np.abs(slopes.magnitude - measured_v).max() < 1e-6
    # The two nearly empty open lines turn their current with the load: compare all the others.
    loaded = [
        row
        for row, limit in enumerate(TABLE.limits)
        if limit.name[:7] not in {"LINE 12", "LINE 13"}
    ]
    difference = np.abs(slopes.room - measured)[loaded]
    assert difference.max() < 1e-4 * np.abs(measured).max()


def test_the_forecast_margin_is_its_formula() -> None:
    room = np.array([[1.0, -2.0, 0.5, 0.0]])
    S = np.array([-3.0 - 1.0j, 2.0 + 0.5j])
    z, own, common = 1.64, 0.1, 0.2
    independent = (1.0 * 0.3) ** 2 + (2.0 * 0.2) ** 2 + (0.5 * 0.1) ** 2
    together = 1.0 * -0.6 + -2.0 * 0.4 + 0.5 * -0.2
    expected = z * np.sqrt(independent + together**2)
    assert forecast_margin(room, S, z, own, common)[0] == pytest.approx(expected)
    measured = forecast_margin(room, S, z, own, 0.0, np.array([0.7, 0.0]))[0]
    assert measured == pytest.approx(z * np.sqrt(0.7**2 + (0.5 * 0.1) ** 2))
