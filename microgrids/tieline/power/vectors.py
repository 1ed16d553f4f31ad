"""Milliwatt at the border, MW inside: the only place where power changes its unit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tieline.power.admittance import Complexes
from tieline.power.errors import NetworkError
from tieline.power.network import Network

MILLIWATT_MAX = 10**15
"""A terawatt at one bus is a mistake of unit; sums of these also fit int64."""


def injection_vector(
    network: Network, injections: Mapping[int, tuple[int, int]], where: str
) -> Complexes:
    """
    Return MW + j Mvar in the order of ``network.load_buses``.

    Args:
        network: The network.
        injections: bus -> (milliwatt, millivar) into the network; the slack's is dropped, because
            the slack bus takes up the difference anyway.
        where: Named in errors.

    Raises:
        UnknownBus: A bus that the network does not have.
        NetworkError: A power beyond ``MILLIWATT_MAX``, or not an integer.
    """
    rows = np.array(injection_rows(network, injections, where), dtype=np.float64).reshape(-1, 2)
    return np.asarray((rows[:, 0] + 1j * rows[:, 1]) * 1e-9)


def injection_rows(
    network: Network, injections: Mapping[int, tuple[int, int]], where: str
) -> list[tuple[int, int]]:
    """Return (milliwatt, millivar) in the order of ``network.load_buses``; raises as above."""
    totals = [[0, 0] for _ in network.load_buses]
    for bus, (p, q) in injections.items():
        place = network.position(bus, where)
        for value in (p, q):
            if type(value) is not int or abs(value) > MILLIWATT_MAX:
                raise NetworkError(
                    f"power must be integer milliwatt: {value!r} at bus {bus} in {where}"
                )
        if place >= 0:
            totals[place][0] += p
            totals[place][1] += q
    return [(p, q) for p, q in totals]
