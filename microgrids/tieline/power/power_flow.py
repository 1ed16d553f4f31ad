"""
The reference: pandapower's Newton-Raphson on the same integers, and our network as its net.

The only place where the sign is turned: in this house injection is positive into the network,
pandapower's loads and bus results are positive for consumption. pandapower is imported when called.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from tieline.power.admittance import Floats
from tieline.power.errors import NetworkError, NotConverged
from tieline.power.network import Line, Network, Transformer

TOLERANCE_MVA = 1e-9


class ReferenceSolver(Protocol):
    """A second opinion on one operating point, made by other code than ours."""

    def voltages(self, network: Network, S: np.ndarray[Any, Any], slack_scale: float) -> Floats:
        """
        Return |V| in pu of ``network.load_buses`` for injections S in MW + j Mvar.

        Raises:
            NotConverged: No solution found.
        """
        ...


class RunppReference:
    """pandapower's ``runpp`` on the exported network; the net is kept between calls."""

    def __init__(self) -> None:
        self._nets: dict[Network, Any] = {}

    def voltages(self, network: Network, S: np.ndarray[Any, Any], slack_scale: float) -> Floats:
        """Solve one operating point; see ``ReferenceSolver``."""
        net = self._nets.get(network)
        if net is None:
            net = to_pandapower(network)
            self._nets = {**self._nets, network: net} if len(self._nets) < 8 else {network: net}
        net.load["p_mw"] = -S.real
        net.load["q_mvar"] = -S.imag
        net.ext_grid["vm_pu"] = network.slack.vm * 1e-9 * slack_scale
        run_power_flow(net)
        return net.res_bus.vm_pu.loc[list(network.load_buses)].to_numpy(dtype=np.float64)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pandapower's and pandas' notices about their own future out of our output."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def run_power_flow(net: Any) -> None:
    """
    Solve a pandapower net in place with angles, the T model and a tight tolerance.

    Raises:
        NotConverged: Newton-Raphson found no solution.
    """
    with quiet():
        import pandapower  # noqa: ICN001, PLC0415 - seconds to import, needed only here

        try:
            pandapower.runpp(
                net,
                calculate_voltage_angles=True,
                init="dc",
                tolerance_mva=TOLERANCE_MVA,
                trafo_model="t",
                numba=False,
            )
        except pandapower.LoadflowNotConverged as cause:
            raise NotConverged("runpp did not converge") from cause


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
        import pandapower  # noqa: ICN001, PLC0415 - seconds to import, needed only here

        net = pandapower.create_empty_network(name="tieline", sn_mva=1.0, f_hz=50.0)
        for bus in network.buses:
            pandapower.create_bus(
                net,
                vn_kv=bus.vn * 1e-6,
                index=bus.index,
                min_vm_pu=bus.v_min * 1e-9,
                max_vm_pu=bus.v_max * 1e-9,
            )
            if bus.shunt_g or bus.shunt_b:
                mva = (bus.vn * 1e-6) ** 2 * 1e-9
                p_mw, q_mvar = bus.shunt_g * mva, -bus.shunt_b * mva
                pandapower.create_shunt(net, bus.index, q_mvar=q_mvar, p_mw=p_mw)
        rated = {bus.index: bus.vn * 1e-6 for bus in network.buses}
        for alias, target in network.aliases:
            pandapower.create_bus(net, vn_kv=rated[target], index=alias)
            pandapower.create_switch(net, alias, target, et="b", closed=True)
        pandapower.create_ext_grid(
            net, network.slack.bus, network.slack.vm * 1e-9, va_degree=network.slack.va * 1e-6
        )
        for line in network.lines:
            _add_line(pandapower, net, line)
        for unit in network.transformers:
            _add_transformer(pandapower, net, unit)
        given = injections or {}
        for bus_index in network.load_buses:
            p, q = given.get(bus_index, (0, 0))
            pandapower.create_load(net, bus_index, p_mw=-p * 1e-9, q_mvar=-q * 1e-9)
        for alias, _ in network.aliases:
            if alias in given:
                p, q = given[alias]
                pandapower.create_load(net, alias, p_mw=-p * 1e-9, q_mvar=-q * 1e-9)
    return net


def _add_line(pandapower: Any, net: Any, line: Line) -> None:
    omega = 2 * np.pi * net.f_hz
    pandapower.create_line_from_parameters(
        net,
        line.from_bus,
        line.to_bus,
        length_km=1.0,
        r_ohm_per_km=line.r * 1e-6,
        x_ohm_per_km=line.x * 1e-6,
        c_nf_per_km=line.b / omega,
        g_us_per_km=line.g * 1e-3,
        max_i_ka=line.i_max * 1e-6 or 1e6,
        index=line.index,
    )
    ends = ((line.from_bus, line.from_closed), (line.to_bus, line.to_closed))
    for bus, closed in ends:
        if not closed:
            pandapower.create_switch(net, bus, line.index, et="l", closed=False)


def _add_transformer(pandapower: Any, net: Any, unit: Transformer) -> None:
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
        unit.from_bus,
        unit.to_bus,
        sn_mva=mva,
        vn_hv_kv=kv,
        vn_lv_kv=unit.vn_to * 1e-6,
        vkr_percent=unit.r * 1e-6 / kv**2 * mva * 100,
        vk_percent=ohm / kv**2 * mva * 100,
        pfe_kw=unit.g * 1e-9 * kv**2 * 1e3,
        i0_percent=siemens * kv**2 / mva * 100,
        shift_degree=unit.shift * 1e-6,
        index=unit.index,
        **tapped,
    )
    ends = ((unit.from_bus, unit.from_closed), (unit.to_bus, unit.to_closed))
    for bus, closed in ends:
        if not closed:
            pandapower.create_switch(net, bus, unit.index, et="t", closed=False)
