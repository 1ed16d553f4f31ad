"""What the gate asks of a second solver: other code, the same operating points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tieline.power.admittance import Complexes, Floats
from tieline.power.network import Network


@dataclass(frozen=True)
class ReferencePoint:
    """One operating point to be solved by other code than ours."""

    network: Network
    S: Complexes
    """(n,): MW + j Mvar into the network, in the order of ``network.load_buses``."""
    slack_scale: float
    """Slack voltage as a factor of the network table's."""


class ReferenceSolver(Protocol):
    """A second opinion on operating points."""

    def magnitudes(self, points: Sequence[ReferencePoint]) -> list[Floats]:
        """
        Return |V| in pu of each point's ``network.load_buses``.

        Raises:
            NotConverged: No solution found for some point.
        """
        ...
