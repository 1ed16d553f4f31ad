"""
What can be wrong with a network, or with a question put to it.

    NetworkError
    ├─ ImportRefused        the pandapower net holds something we do not model  -> change the net
    ├─ ParityFailed         our table and pandapower disagree                   -> do not use it
    ├─ UnknownBus           a bus that the network does not have                -> name another
    ├─ IslandWithoutSlack   buses with no path to the slack bus                 -> connect or drop
    └─ NotConverged         no power flow found                                 -> curtail, refuse
"""

from __future__ import annotations

from collections.abc import Iterable

from tieline.interfaces.errors import HubError


class NetworkError(HubError):
    """Physics, or the description of it, says no."""


class ImportRefused(NetworkError):
    """The pandapower net holds something we do not model; the message says what to change."""


class ParityFailed(NetworkError):
    """The integer table and pandapower's own solution differ by more than the tolerance."""


class UnknownBus(NetworkError):
    """A bus that the network does not have."""

    def __init__(self, bus: int, where: str) -> None:
        super().__init__(f"unknown bus: {bus} in {where}; use a bus of the network table")
        self.bus = bus


class IslandWithoutSlack(NetworkError):
    """Buses that no closed branch joins to the slack bus."""

    def __init__(self, buses: Iterable[int]) -> None:
        self.buses = tuple(buses)
        super().__init__(
            f"island without a slack: buses={list(self.buses)}; "
            "close a switch, or take these buses out of service"
        )


class NotConverged(NetworkError):
    """No solution of the power flow was found; the same question gives the same answer."""
