"""
The reference: pandapower's Newton-Raphson on the same integers, and our network as its net.

The only place where the sign is turned: in this house injection is positive into the network,
pandapower's loads and bus results are positive for consumption. pandapower is imported when called.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

import numpy as np

from tieline.power.admittance import Floats
from tieline.power.errors import NetworkError, NotConverged
from tieline.power.network import Line, Network, Transformer
from tieline.power.reference import ReferencePoint

TOLERANCE_MVA = 1e-9
NETS_KEPT_MAX = 4
"""Networks change once an epoch; tap positions make a few more."""


class RunppReference:
    """
    pandapower's ``runpp`` on the exported networks.

    Its time is nearly all overhead of one call, so all points are islands of one net, solved at
    once; the net is kept for the next slot.
    """

    def __init__(self) -> None:
        self._nets: dict[tuple[Network, ...], tuple[Any, bool]] = {}

    def magnitudes(self, points: Sequence[ReferencePoint]) -> list[Floats]:
        """Solve all points; see ``reference.ReferenceSolver``."""
        key = tuple(point.network for point in points)
        if key not in self._nets:
            if len(self._nets) >= NETS_KEPT_MAX:
                self._nets.clear()
            # A net carries its last results, from which the next solve starts: nobody shares it.
            self._nets[key] = (copy.deepcopy(_islands(key)), False)
        net, is_solved = self._nets[key]
        S = np.concatenate([point.S for point in points])
        net.load["p_mw"] = -S.real
        net.load["q_mvar"] = -S.imag
        net.ext_grid["vm_pu"] = [
            point.network.slack.vm * 1e-9 * point.slack_scale for point in points
        ]
        # A failure leaves no results to start from.
        self._nets[key] = (net, False)
        run_power_flow(net, is_repeat=is_solved)
        self._nets[key] = (net, True)
        found: list[Floats] = []
        stride = _stride(key)
        for place, network in enumerate(key):
            rows = [place * stride + bus for bus in network.load_buses]
            found.append(np.asarray(net.res_bus.vm_pu.loc[rows], dtype=np.float64))
        return found


@contextmanager
def quiet() -> Generator[None]:
    """Keep pandapower's and pandas' notices about their own future out of our output."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def run_power_flow(net: Any, *, is_repeat: bool = False) -> None:
    """
    Solve a pandapower net in place with angles, the T model and a tight tolerance.

    Args:
        net: The net; its results are written.
        is_repeat: It was solved before and only loads and slack voltages have changed since, so
            pandapower may keep its admittance matrix and start from its results.

    Raises:
        NotConverged: Newton-Raphson found no solution.
    """
    with quiet():
        import pandapower  # noqa: PLC0415 - seconds to import, needed only here

        start: dict[str, Any] = {"init": "dc"}
        if is_repeat:
            kept = {"bus_pq": True, "gen": True, "trafo": False, "only_v_results": True}
            start = {"init": "results", "recycle": kept}
        try:
            pandapower.runpp(
                net,
                calculate_voltage_angles=True,
                tolerance_mva=TOLERANCE_MVA,
                trafo_model="t",
                numba=False,
                **start,
            )
        except pandapower.LoadflowNotConverged as cause:
            raise NotConverged("runpp did not converge") from cause


@cache
def _empty() -> Any:
    with quiet():
        import pandapower  # noqa: PLC0415 - seconds to import, needed only here

        return pandapower.create_empty_network(sn_mva=1.0, f_hz=50.0)


def empty_net(name: str = "") -> Any:
    """Return a new pandapower net without elements, 1 MVA, 50 Hz: a copy, made in a twentieth."""
    net = copy.deepcopy(_empty())
    net["name"] = name
    return net


def injections_of(net: Any) -> dict[int, tuple[int, int]]:
    """
    Return what a pandapower net's loads, static generators and storages inject.

    Returns:
        bus -> (milliwatt, millivar), positive into the network, all buses with an element.
    """
    totals: dict[int, complex] = {}
    for table, sign in (("load", -1.0), ("sgen", 1.0), ("storage", -1.0)):
        rows = net[table]
        for bus, p, q, scaling, in_service in zip(
            rows.bus, rows.p_mw, rows.q_mvar, rows.scaling, rows.in_service, strict=True
        ):
            if in_service:
                power = sign * complex(float(p), float(q)) * float(scaling)
                totals[int(bus)] = totals.get(int(bus), 0j) + power
    return {
        bus: (round(power.real * 1e9), round(power.imag * 1e9))
        for bus, power in sorted(totals.items())
    }


def to_pandapower(network: Network, injections: Mapping[int, tuple[int, int]] | None = None) -> Any:
    """
    Return the network as a pandapower net, one load a bus, which needs none of our code to solve.

    Args:
        network: Any network.
        injections: bus -> (milliwatt, millivar) into the network; missing buses inject nothing.
    """
    with quiet():
        import pandapower  # noqa: PLC0415 - seconds to import, needed only here

        net = empty_net("tieline")
        _add_network(pandapower, net, network, 0)
        given = injections or {}
        for bus in network.positions:
            p, q = given.get(bus, (0, 0))
            if bus in given or bus in network.load_buses:
                pandapower.create_load(net, bus, p_mw=-p * 1e-9, q_mvar=-q * 1e-9)
    return net


def _stride(networks: Sequence[Network]) -> int:
    """Return the distance of indices between islands; small, for pandapower's look-up tables."""
    rows = [row.index for network in networks for row in (*network.buses, *network.branches)]
    joined = [alias for network in networks for alias, _ in network.aliases]
    return 1 + max(rows + joined)


@lru_cache(maxsize=NETS_KEPT_MAX)
def _islands(networks: tuple[Network, ...]) -> Any:
    """
    Return one net with an island and one load a bus for each network, in order.

    Cells that share a process ask for the same one; it is never solved, only copied.
    """
    with quiet():
        import pandapower  # noqa: PLC0415 - seconds to import, needed only here

        net = empty_net()
        stride = _stride(networks)
        for place, network in enumerate(networks):
            offset = place * stride
            _add_network(pandapower, net, network, offset)
            for bus in network.load_buses:
                pandapower.create_load(net, offset + bus, p_mw=0.0, q_mvar=0.0)
    return net


def _add_network(pandapower: Any, net: Any, network: Network, offset: int) -> None:
    """Write a network into a net, all indices moved by *offset*."""
    rated = {bus.index: bus.vn * 1e-6 for bus in network.buses}
    for bus in network.buses:
        pandapower.create_bus(
            net,
            vn_kv=rated[bus.index],
            index=offset + bus.index,
            min_vm_pu=bus.v_min * 1e-9,
            max_vm_pu=bus.v_max * 1e-9,
        )
        if bus.shunt_g or bus.shunt_b:
            mva = rated[bus.index] ** 2 * 1e-9
            p_mw, q_mvar = bus.shunt_g * mva, -bus.shunt_b * mva
            pandapower.create_shunt(net, offset + bus.index, q_mvar=q_mvar, p_mw=p_mw)
    for alias, target in network.aliases:
        pandapower.create_bus(net, vn_kv=rated[target], index=offset + alias)
        pandapower.create_switch(net, offset + alias, offset + target, et="b", closed=True)
    slack = network.slack
    pandapower.create_ext_grid(net, offset + slack.bus, slack.vm * 1e-9, va_degree=slack.va * 1e-6)
    for line in network.lines:
        _add_line(pandapower, net, line, offset)
    for unit in network.transformers:
        _add_transformer(pandapower, net, unit, offset)


def _add_line(pandapower: Any, net: Any, line: Line, offset: int) -> None:
    omega = 2 * np.pi * net.f_hz
    pandapower.create_line_from_parameters(
        net,
        offset + line.from_bus,
        offset + line.to_bus,
        length_km=1.0,
        r_ohm_per_km=line.r * 1e-6,
        x_ohm_per_km=line.x * 1e-6,
        c_nf_per_km=line.b / omega,
        g_us_per_km=line.g * 1e-3,
        max_i_ka=line.i_max * 1e-6 or 1e6,
        index=offset + line.index,
    )
    ends = ((line.from_bus, line.from_closed), (line.to_bus, line.to_closed))
    for bus, closed in ends:
        if not closed:
            pandapower.create_switch(net, offset + bus, offset + line.index, et="l", closed=False)


def _add_transformer(pandapower: Any, net: Any, unit: Transformer, offset: int) -> None:
    kv = unit.vn_from * 1e-6
    # Any rated power gives the same ohms; an unlimited unit is written with a very large one.
    mva = unit.sn * 1e-6 or 1e4
    ohm = abs(complex(unit.r, unit.x)) * 1e-6
    siemens = abs(complex(unit.g, unit.b)) * 1e-9
    if unit.g < 0 or unit.b > 0:
        raise NetworkError(f"transformer {unit.index}: a core that generates power")
    tapped = {}
    if unit.tap_side:
        tapped = {
            "tap_side": "hv" if unit.tap_side == 1 else "lv",
            "tap_neutral": unit.tap_neutral,
            "tap_min": unit.tap_min,
            "tap_max": unit.tap_max,
            "tap_pos": unit.tap_pos,
            "tap_step_percent": unit.tap_step * 1e-7,
            "tap_changer_type": "Ratio",
        }
    pandapower.create_transformer_from_parameters(
        net,
        offset + unit.from_bus,
        offset + unit.to_bus,
        sn_mva=mva,
        vn_hv_kv=kv,
        vn_lv_kv=unit.vn_to * 1e-6,
        vkr_percent=unit.r * 1e-6 / kv**2 * mva * 100,
        vk_percent=ohm / kv**2 * mva * 100,
        pfe_kw=unit.g * 1e-9 * kv**2 * 1e3,
        i0_percent=siemens * kv**2 / mva * 100,
        shift_degree=unit.shift * 1e-6,
        index=offset + unit.index,
        **tapped,
    )
    ends = ((unit.from_bus, unit.from_closed), (unit.to_bus, unit.to_closed))
    for bus, closed in ends:
        if not closed:
            pandapower.create_switch(net, offset + bus, offset + unit.index, et="t", closed=False)
