"""
The network as cells agree on it: integers, one owner for every bus and branch.

Ohmic quantities are in micro-ohm and nano-siemens, voltages in millivolt or 1e-9 per unit, so that
two machines hash the same network. Nothing here solves anything; floats begin in ``admittance``.

Sources:
    ``docs/spec/network_bytes.md``, ``docs/spec/physics.md`` 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from tieline.power.errors import IslandWithoutSlack, NetworkError, UnknownBus

NANO = 10**9


@dataclass(frozen=True, slots=True)
class Slack:
    """The bus that holds the voltage and takes up the difference: here, the grid operator's."""

    bus: int
    vm: int
    """Voltage magnitude, 1e-9 pu."""
    va: int = 0
    """Voltage angle, microdegree."""


@dataclass(frozen=True, slots=True)
class Bus:
    """A point of the network with one voltage."""

    index: int
    owner: int
    """Index into the network's owners."""
    vn: int
    """Rated voltage, line to line, millivolt."""
    v_min: int
    """Voltage band, 1e-9 pu."""
    v_max: int
    shunt_g: int = 0
    """Constant admittance to earth, nano-siemens; conductance >= 0 draws active power."""
    shunt_b: int = 0
    """Positive is capacitive."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line or cable: the pi model with half of the shunt at each end."""

    index: int
    owner: int
    from_bus: int
    to_bus: int
    r: int
    """micro-ohm, all parallel systems together."""
    x: int
    g: int
    """nano-siemens, of both ends together."""
    b: int
    i_max: int
    """Thermal rating, milliampere, all parallel systems together; 0 is unlimited."""
    from_closed: bool = True
    to_closed: bool = True


@dataclass(frozen=True, slots=True)
class Transformer:
    """A two-winding transformer: the T model with the magnetising branch in the middle."""

    index: int
    owner: int
    from_bus: int
    """High-voltage side."""
    to_bus: int
    """Low-voltage side."""
    vn_from: int
    """Rated voltages, millivolt."""
    vn_to: int
    r: int
    """Short-circuit impedance seen from the high-voltage side, micro-ohm, all parallel units."""
    x: int
    g: int
    """Magnetising admittance seen from the high-voltage side, nano-siemens."""
    b: int
    """Negative: the core draws reactive power."""
    sn: int
    """Rated power, volt-ampere, all parallel units together; 0 is unlimited."""
    shift: int
    """Vector group, microdegree by which the low-voltage side lags."""
    tap_side: int = 0
    """0 none, 1 high-voltage side, 2 low-voltage side."""
    tap_neutral: int = 0
    tap_min: int = 0
    tap_max: int = 0
    tap_pos: int = 0
    tap_step: int = 0
    """Voltage of one step, 1e-9 of the rated voltage of its side."""
    from_closed: bool = True
    to_closed: bool = True


Branch = Line | Transformer


@dataclass(frozen=True, slots=True)
class Tie:
    """A line between two owners: metered at both ends, its loss shared by agreement."""

    line: int
    from_meter: bytes
    """32-byte meter id of the meter at the from-side."""
    to_meter: bytes
    from_share: int
    """Share of the tie's loss borne by the from-side, in millionths."""


@dataclass(frozen=True)
class Network:
    """
    The joined feeders of all cells, with exactly one slack bus.

    Raises:
        UnknownBus: A branch, the slack or an alias names a bus that is not there.
        IslandWithoutSlack: Some buses have no path of closed branches to the slack bus.
        NetworkError: Numbers out of range, unsorted or repeated indices.
    """

    owners: tuple[bytes, ...]
    """EVM addresses of the owners' cells, 20 bytes each; an index of this tuple is an owner."""
    slack: Slack
    buses: tuple[Bus, ...]
    """Ascending by index."""
    lines: tuple[Line, ...]
    """Ascending by index; lines and transformers count apart, as in pandapower."""
    transformers: tuple[Transformer, ...]
    aliases: tuple[tuple[int, int], ...] = ()
    """(bus, bus it is joined to by a closed bus-bus switch), ascending."""
    ties: tuple[Tie, ...] = ()

    def __post_init__(self) -> None:
        _check_order(self)
        known = {bus.index for bus in self.buses}
        if self.slack.bus not in known:
            raise UnknownBus(self.slack.bus, "slack")
        for bus in self.buses:
            _check_bus(self, bus)
        for branch in self.branches:
            _check_branch(self, branch, known)
        _check_lines(self)
        for alias, target in self.aliases:
            if target not in known or alias in known:
                raise NetworkError(f"alias must join a new bus to a known one: {alias}->{target}")
        if self.slack.vm <= 0:
            raise NetworkError(f"slack voltage must be positive: vm={self.slack.vm}")
        lost = known - set(self._reachable())
        if lost:
            raise IslandWithoutSlack(sorted(lost))

    @property
    def branches(self) -> tuple[Branch, ...]:
        """Lines, then transformers."""
        return (*self.lines, *self.transformers)

    @cached_property
    def load_buses(self) -> tuple[int, ...]:
        """All buses but the slack, ascending: the order of every vector and of the flow proof."""
        return tuple(bus.index for bus in self.buses if bus.index != self.slack.bus)

    @cached_property
    def positions(self) -> dict[int, int]:
        """Place of each bus in ``load_buses``; -1 is the slack; joined buses share a place."""
        places = {bus: place for place, bus in enumerate(self.load_buses)}
        places[self.slack.bus] = -1
        places.update({alias: places[target] for alias, target in self.aliases})
        return places

    def position(self, bus: int, where: str) -> int:
        """Return the place of *bus*; raises UnknownBus with *where* in its message."""
        try:
            return self.positions[bus]
        except KeyError:
            raise UnknownBus(bus, where) from None

    def with_tap(self, transformer: int, tap_pos: int) -> Network:
        """
        Return the network with a transformer at another tap position: another epoch.

        Raises:
            NetworkError: No such transformer, no tap changer, or a position it does not have.
        """
        for place, unit in enumerate(self.transformers):
            if unit.index == transformer:
                if not unit.tap_side or not unit.tap_min <= tap_pos <= unit.tap_max:
                    raise NetworkError(
                        f"no such tap position: transformer={transformer} position={tap_pos} "
                        f"range={unit.tap_min}..{unit.tap_max}"
                    )
                changed = replace(unit, tap_pos=tap_pos)
                units = (*self.transformers[:place], changed, *self.transformers[place + 1 :])
                return replace(self, transformers=units)
        raise NetworkError(f"unknown transformer: {transformer}")

    def with_line_switch(
        self, line: int, *, from_closed: bool = True, to_closed: bool = True
    ) -> Network:
        """Return the network with a line's switches set: another epoch. Raises NetworkError."""
        for place, row in enumerate(self.lines):
            if row.index == line:
                changed = replace(row, from_closed=from_closed, to_closed=to_closed)
                return replace(self, lines=(*self.lines[:place], changed, *self.lines[place + 1 :]))
        raise NetworkError(f"unknown line: {line}")

    def with_slack_vm(self, vm: int) -> Network:
        """Return the network with another slack voltage, 1e-9 pu: another epoch."""
        return replace(self, slack=replace(self.slack, vm=vm))

    def _reachable(self) -> dict[int, None]:
        neighbours: dict[int, list[int]] = {}
        for branch in self.branches:
            if branch.from_closed and branch.to_closed:
                neighbours.setdefault(branch.from_bus, []).append(branch.to_bus)
                neighbours.setdefault(branch.to_bus, []).append(branch.from_bus)
        seen = {self.slack.bus: None}
        frontier = [self.slack.bus]
        while frontier:
            for bus in neighbours.get(frontier.pop(), []):
                if bus not in seen:
                    seen[bus] = None
                    frontier.append(bus)
        return seen


def _check_order(network: Network) -> None:
    columns: Sequence[tuple[str, list[int]]] = (
        ("buses", [bus.index for bus in network.buses]),
        ("lines", [line.index for line in network.lines]),
        ("transformers", [unit.index for unit in network.transformers]),
        ("aliases", [alias for alias, _ in network.aliases]),
        ("ties", [tie.line for tie in network.ties]),
    )
    for name, indices in columns:
        if any(left >= right for left, right in pairwise(indices)):
            raise NetworkError(f"{name} must ascend by index without repeats")
    if not network.owners or any(len(owner) != 20 for owner in network.owners):
        raise NetworkError("owners must be addresses of 20 bytes, at least one")


def _check_bus(network: Network, bus: Bus) -> None:
    if bus.vn <= 0 or not 0 < bus.v_min < bus.v_max:
        raise NetworkError(f"bus {bus.index}: rated voltage or voltage band out of range")
    if not 0 <= bus.owner < len(network.owners):
        raise NetworkError(f"bus {bus.index}: no owner {bus.owner}")


def _check_lines(network: Network) -> None:
    rated = {bus.index: bus.vn for bus in network.buses}
    for line in network.lines:
        if rated[line.from_bus] != rated[line.to_bus]:
            raise NetworkError(f"line {line.index}: its ends have different rated voltages")
    lines = {line.index for line in network.lines}
    for tie in network.ties:
        if tie.line not in lines or not 0 <= tie.from_share <= 10**6:
            raise NetworkError(f"tie names no line, or its share is out of range: {tie.line}")


def _check_branch(network: Network, branch: Branch, known: set[int]) -> None:
    name = type(branch).__name__.lower()
    for bus in (branch.from_bus, branch.to_bus):
        if bus not in known:
            raise UnknownBus(bus, f"{name} {branch.index}")
    if not 0 <= branch.owner < len(network.owners):
        raise NetworkError(f"{name} {branch.index}: no owner {branch.owner}")
    if branch.from_bus == branch.to_bus or (branch.r == 0 and branch.x == 0):
        raise NetworkError(f"{name} {branch.index}: joins a bus to itself or has no impedance")
    if isinstance(branch, Transformer):
        if branch.vn_from <= 0 or branch.vn_to <= 0 or branch.tap_side not in {0, 1, 2}:
            raise NetworkError(f"{name} {branch.index}: rated voltage or tap side out of range")
        if not branch.tap_min <= branch.tap_pos <= branch.tap_max:
            raise NetworkError(f"{name} {branch.index}: tap position outside its range")
