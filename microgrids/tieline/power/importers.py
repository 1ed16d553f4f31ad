"""
A pandapower net becomes our integer table, or is refused with the reason; then both are solved and
must agree. What we do not model is never dropped in silence.

Sources:
    ``docs/spec/physics.md`` 1, 3; pandapower ``build_branch``; e2nIEE/simbench issue 69 (taps).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import isfinite, pi, sqrt
from typing import Any

import numpy as np

from tieline.power.admittance import build_admittance_model
from tieline.power.batch import solve_batch
from tieline.power.errors import ImportRefused, ParityFailed
from tieline.power.network import NANO, Bus, Line, Network, Slack, Transformer
from tieline.power.power_flow import injections_of, quiet, run_power_flow
from tieline.power.vectors import injection_vector

PARITY_TOLERANCE_PU = 5e-6
"""
|V| of the integer table against runpp. Rounding to the micro-ohm moves a suburb of 300 buses on
five-metre cables by 2e-6 pu, a medium-voltage feeder by 1e-8; a wrong tap or switch by 1e-2.
"""
UNSUPPORTED = (
    "gen", "trafo3w", "impedance", "ward", "xward", "dcline", "motor", "svc", "ssc", "vsc", "tcsc",
    "asymmetric_load", "asymmetric_sgen", "line_dc", "bus_dc", "b2b_vsc",
)  # fmt: skip
"""Elements that our model does not have; in service, they would be lost in silence."""
GEN_REFUSED = "voltage-controlled (PV) buses are not modelled: make it a static generator"


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who owns what: every bus has one owner; a branch belongs to its to-bus unless named."""

    owners: tuple[bytes, ...]
    """EVM addresses of the cells."""
    bus: Mapping[int, int]
    """bus -> owner index."""
    line: Mapping[int, int] | None = None
    transformer: Mapping[int, int] | None = None


def import_network(
    net: Any,
    ownership: Ownership,
    *,
    band_pu: tuple[float, float] | None = None,
    tap_changer_type: str | None = None,
    tap_control: Sequence[int] = (),
) -> Network:
    """
    Return the integer table of a pandapower net, after the parity check.

    Args:
        net: The net; not changed.
        ownership: Owners of buses and branches.
        band_pu: Voltage band of all buses; None: ``net.bus.min_vm_pu`` and ``max_vm_pu``.
        tap_changer_type: Set on transformers that have taps and no type, such as "Ratio" for
            SimBench nets, whose taps pandapower 3 ignores in silence.
        tap_control: Transformers whose taps will be moved; they must state position and range.

    Raises:
        ImportRefused: The net holds something we do not model, with what to change.
        ParityFailed: Our solution and runpp differ by more than ``PARITY_TOLERANCE_PU``.
        NetworkError: No valid network, such as an island without a slack.
    """
    net = deepcopy(net)
    _refuse_unsupported(net)
    _cure_taps(net, tap_changer_type, tap_control)
    groups = _fused_buses(net)
    slack = _slack(net, groups)
    network = Network(
        owners=ownership.owners,
        slack=slack,
        buses=_buses(net, groups, ownership, band_pu),
        lines=_lines(net, groups, ownership),
        transformers=_transformers(net, groups, ownership),
        aliases=tuple((bus, target) for bus, target in groups.items() if bus != target),
    )
    check_parity(net, network)
    return network


def check_parity(net: Any, network: Network) -> float:
    """
    Solve *net* with runpp and *network* with our iteration at the net's own loads.

    Returns:
        The largest difference of |V| over all buses, pu.

    Raises:
        ParityFailed: More than ``PARITY_TOLERANCE_PU``, or our solution is not certified.
        NotConverged: runpp finds no solution.
    """
    run_power_flow(net)
    expected = net.res_bus.vm_pu.loc[list(network.load_buses)].to_numpy(dtype=np.float64)
    S = injection_vector(network, injections_of(net), "net")
    solution = solve_batch(build_admittance_model(network), S[:, None])
    if not solution.certified[0]:
        raise ParityFailed("our solution of the net's own loads is not certified")
    difference = float(np.abs(np.abs(solution.V[:, 0]) - expected).max(initial=0.0))
    if not difference <= PARITY_TOLERANCE_PU:
        worst = int(np.abs(np.abs(solution.V[:, 0]) - expected).argmax())
        raise ParityFailed(
            f"integer table and runpp differ: |dV|={difference:.2e} pu at bus "
            f"{network.load_buses[worst]}, tolerance {PARITY_TOLERANCE_PU:.0e}"
        )
    return difference


def _in_service(net: Any, table: str) -> Any:
    rows = net[table]
    return rows[rows.in_service.astype(bool)] if len(rows) else rows


def _refuse_unsupported(net: Any) -> None:
    for table in UNSUPPORTED:
        if table in net and len(net[table]) and len(_in_service(net, table)):
            reason = GEN_REFUSED if table == "gen" else "not modelled: remove or replace it"
            raise ImportRefused(f"{table} {list(_in_service(net, table).index)}: {reason}")
    for name in [name for name in net.load.columns if name.startswith("const_")]:
        if len(net.load) and float(net.load[name].fillna(0).abs().max()) > 0:
            raise ImportRefused(f"load.{name}: only constant power is modelled; set it to 0")
    if len(net.switch) and "z_ohm" in net.switch:
        buses = net.switch[(net.switch.et == "b") & net.switch.closed.astype(bool)]
        if float(buses.z_ohm.fillna(0).abs().max() if len(buses) else 0) > 0:
            raise ImportRefused("bus-bus switch with impedance: replace it by a line")


def _cure_taps(net: Any, tap_changer_type: str | None, tap_control: Sequence[int]) -> None:
    for index in net.trafo.index:
        row = net.trafo.loc[index]
        stated = [_number(row.get(name)) for name in ("tap_pos", "tap_neutral", "tap_step_percent")]
        has_taps = all(value is not None for value in stated) and row.get("tap_side") in {
            "hv",
            "lv",
        }
        if index in tap_control:
            limits = [_number(row.get(name)) for name in ("tap_min", "tap_max")]
            if not has_taps or None in limits:
                raise ImportRefused(
                    f"trafo {index}: tap control needs tap_side, tap_pos, tap_neutral, tap_min, "
                    "tap_max and tap_step_percent; NaN is not a position"
                )
        if bool(row.get("tap_dependency_table", False)):
            raise ImportRefused(f"trafo {index}: tap tables are not modelled; use steps in percent")
        if not has_taps:
            continue
        kind = row.get("tap_changer_type")
        if not isinstance(kind, str) or not kind:
            if tap_changer_type is None and stated[0] != stated[1]:
                raise ImportRefused(
                    f"trafo {index}: tap_changer_type is not set, so pandapower ignores position "
                    f"{stated[0]}; set it, or import with tap_changer_type='Ratio'"
                )
            net.trafo["tap_changer_type"] = net.trafo["tap_changer_type"].astype(object)
            net.trafo.loc[index, "tap_changer_type"] = tap_changer_type
        elif kind not in {"Ratio", "Symmetrical"}:
            raise ImportRefused(f"trafo {index}: tap changer {kind!r} is not modelled")
        if _number(row.get("tap_step_degree")):
            raise ImportRefused(f"trafo {index}: taps that turn the angle are not modelled")


def _number(value: Any) -> float | None:
    """Return a finite number, or None for NaN, NA and None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) else None


def _fused_buses(net: Any) -> dict[int, int]:
    """Return bus -> lowest bus joined to it by closed bus-bus switches, in-service buses only."""
    import networkx as nx  # noqa: PLC0415 - a tenth of a second

    library: Any = nx
    graph = library.Graph()
    graph.add_nodes_from(int(bus) for bus in net.bus.index[net.bus.in_service.astype(bool)])
    closed = net.switch[(net.switch.et == "b") & net.switch.closed.astype(bool)]
    for bus, other in zip(closed.bus, closed.element, strict=True):
        if int(bus) in graph and int(other) in graph:
            graph.add_edge(int(bus), int(other))
    lowest: dict[int, int] = {}
    for group in library.connected_components(graph):
        target = min(group)
        lowest.update(dict.fromkeys(sorted(group), target))
    return dict(sorted(lowest.items()))


def _slack(net: Any, groups: Mapping[int, int]) -> Slack:
    rows = _in_service(net, "ext_grid")
    if len(rows) != 1:
        raise ImportRefused(
            f"{len(rows)} slack buses in service: exactly one is modelled; "
            "cut the net into one per slack, never join them"
        )
    row = rows.iloc[0]
    bus = groups.get(int(row.bus))
    if bus is None:
        raise ImportRefused(f"slack bus {row.bus} is out of service")
    return Slack(bus, round(float(row.vm_pu) * NANO), round(float(row.va_degree) * 1e6))


def _buses(
    net: Any, groups: Mapping[int, int], ownership: Ownership, band: tuple[float, float] | None
) -> tuple[Bus, ...]:
    shunts = _shunts(net, groups)
    rows: list[Bus] = []
    for bus in sorted(set(groups.values())):
        if bus not in ownership.bus:
            raise ImportRefused(f"bus {bus} has no owner; name one")
        low, high = band or (_number(net.bus.min_vm_pu[bus]), _number(net.bus.max_vm_pu[bus]))
        if low is None or high is None:
            raise ImportRefused(f"bus {bus} has no voltage band; state band_pu")
        vn_kv = float(net.bus.vn_kv[bus])
        g, b = shunts.get(bus, (0.0, 0.0))
        rows.append(
            Bus(
                bus,
                ownership.bus[bus],
                round(vn_kv * 1e6),
                round(low * NANO),
                round(high * NANO),
                round(g * 1e9),
                round(b * 1e9),
            )
        )
    return tuple(rows)


def _shunts(net: Any, groups: Mapping[int, int]) -> dict[int, tuple[float, float]]:
    """Return bus -> siemens of its shunts."""
    totals: dict[int, tuple[float, float]] = {}
    for row in _in_service(net, "shunt").itertuples():
        siemens = float(row.step) / float(row.vn_kv) ** 2
        bus = groups[int(row.bus)]
        g, b = totals.get(bus, (0.0, 0.0))
        totals[bus] = (g + float(row.p_mw) * siemens, b - float(row.q_mvar) * siemens)
    return totals


def _open_switches(net: Any, kind: str) -> set[tuple[int, int]]:
    """Return (branch, bus) of open switches."""
    rows = net.switch[(net.switch.et == kind) & ~net.switch.closed.astype(bool)]
    return {(int(e), int(b)) for e, b in zip(rows.element, rows.bus, strict=True)}


def _owner(named: Mapping[int, int] | None, index: int, ownership: Ownership, bus: int) -> int:
    return named[index] if named is not None and index in named else ownership.bus[bus]


def _lines(net: Any, groups: Mapping[int, int], ownership: Ownership) -> tuple[Line, ...]:
    open_ends = _open_switches(net, "l")
    rows: list[Line] = []
    for row in _in_service(net, "line").sort_index().itertuples():
        index, ends = int(row.Index), (int(row.from_bus), int(row.to_bus))
        if ends[0] not in groups or ends[1] not in groups:
            continue
        closed = [(index, bus) not in open_ends for bus in ends]
        if not any(closed):
            continue
        systems = float(row.parallel)
        length = float(row.length_km)
        siemens = length * systems
        rows.append(
            Line(
                index=index,
                owner=_owner(ownership.line, index, ownership, groups[ends[1]]),
                from_bus=groups[ends[0]],
                to_bus=groups[ends[1]],
                r=round(float(row.r_ohm_per_km) * length / systems * 1e6),
                x=round(float(row.x_ohm_per_km) * length / systems * 1e6),
                g=round(float(row.g_us_per_km) * siemens * 1e3),
                b=round(2 * pi * float(net.f_hz) * float(row.c_nf_per_km) * siemens),
                i_max=round(float(row.max_i_ka) * float(row.df) * systems * 1e6),
                from_closed=closed[0],
                to_closed=closed[1],
            )
        )
    return tuple(rows)


def _transformers(
    net: Any, groups: Mapping[int, int], ownership: Ownership
) -> tuple[Transformer, ...]:
    open_ends = _open_switches(net, "t")
    rows: list[Transformer] = []
    for index, row in _in_service(net, "trafo").sort_index().iterrows():
        ends = (int(row.hv_bus), int(row.lv_bus))
        closed = [(index, bus) not in open_ends for bus in ends]
        if ends[0] not in groups or ends[1] not in groups or not any(closed):
            continue
        units, mva, kv = float(row.parallel), float(row.sn_mva), float(row.vn_hv_kv)
        ohm = float(row.vk_percent) / 100 * kv**2 / mva
        r_ohm = float(row.vkr_percent) / 100 * kv**2 / mva
        iron_mw, no_load_mva = float(row.pfe_kw) * 1e-3, float(row.i0_percent) / 100 * mva
        core_mvar = sqrt(max(no_load_mva**2 - iron_mw**2, 0.0))
        side = {"hv": 1, "lv": 2}.get(row.get("tap_side"), 0)
        typed = isinstance(row.get("tap_changer_type"), str)
        pos, neutral = _number(row.get("tap_pos")), _number(row.get("tap_neutral"))
        step = _number(row.get("tap_step_percent"))
        if not side or not typed or pos is None or neutral is None or step is None:
            side, pos, neutral, step = 0, 0.0, 0.0, 0.0
        low, high = _number(row.get("tap_min")), _number(row.get("tap_max"))
        rows.append(
            Transformer(
                index=int(index),
                owner=_owner(ownership.transformer, int(index), ownership, groups[ends[1]]),
                from_bus=groups[ends[0]],
                to_bus=groups[ends[1]],
                vn_from=round(kv * 1e6),
                vn_to=round(float(row.vn_lv_kv) * 1e6),
                r=round(r_ohm / units * 1e6),
                x=round(sqrt(max(ohm**2 - r_ohm**2, 0.0)) / units * 1e6),
                g=round(iron_mw / kv**2 * units * 1e9),
                b=-round(core_mvar / kv**2 * units * 1e9),
                sn=round(mva * float(row.df) * units * 1e6),
                shift=round(float(row.shift_degree) * 1e6),
                tap_side=side,
                tap_neutral=round(neutral),
                tap_min=round(low) if side and low is not None else round(pos),
                tap_max=round(high) if side and high is not None else round(pos),
                tap_pos=round(pos),
                tap_step=round(step * 1e7),
                from_closed=closed[0],
                to_closed=closed[1],
            )
        )
    return tuple(rows)


def read_pandapower_json(path: str) -> Any:
    """Read a user's own net from pandapower's JSON. Raises ImportRefused if it cannot be read."""
    with quiet():
        import pandapower  # noqa: PLC0415 - seconds to import, needed only here

        try:
            library: Any = pandapower
            return library.from_json(path)
        except Exception as cause:  # whatever a foreign file makes pandapower raise
            raise ImportRefused(f"not a pandapower JSON: {path}: {cause}") from cause
