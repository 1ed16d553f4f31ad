"""What the gate judges besides the network table's own bands and ratings, and how cautiously."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tieline.interfaces.limits import PPM
from tieline.power.errors import NetworkError
from tieline.swap.topology import GateTerms

SLACK_CORNER_PPM = 10_000
"""The slack voltage is known to 1 %."""
STEP_MAX = 30_000_000
"""From slot to slot no voltage moves by more than 3 %, 1e-9 pu."""
Z_FORECAST = 1.64
"""One-sided 95 % quantile of the normal distribution."""


def _none() -> Mapping[int, float]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PowerLimit:
    """
    A signed limit on the active power through a branch: a point of common coupling, reverse
    power, or a tie contract.
    """

    name: str
    branch: tuple[str, int]
    """("line" | "transformer", index)."""
    p_max_milliwatt: int | None
    """Largest power from the from-side into the branch; None is unlimited."""
    p_min_milliwatt: int | None
    """Smallest one, negative for reverse flow; None is unlimited."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits beside the voltage bands and ratings of the network table."""

    loading_ppm: int = PPM
    """Highest current as millionths of the rating."""
    step_max: int | None = STEP_MAX
    """Largest change of a voltage against the slot before, 1e-9 pu; None: not judged."""
    power: tuple[PowerLimit, ...] = ()


@dataclass(frozen=True, slots=True)
class Margins:
    """
    What is subtracted from every limit, and the scenarios that are solved besides.

    Forecast errors are one own part a bus and one common part that moves all buses together.
    """

    z: float = Z_FORECAST
    sigma_share: float = 0.03
    """Standard deviation of a bus's own forecast error as a share of its |P| and |Q|."""
    common_share: float = 0.015
    """Standard deviation of the error common to all buses, as a share of |P| and |Q|."""
    slack_corner_ppm: int = SLACK_CORNER_PPM
    """The sealed set must also hold with the slack voltage lower and higher by this."""
    unbalance_pu: float = 0.03
    """Subtracted from the band of buses up to 1 kV, whose phases are not known."""
    peak_factors: Mapping[int, float] = field(default_factory=_none)
    """bus -> peak over slot mean of the customers behind it: 1.0, 1.3 or 2.0. Missing: 1.0."""
    taps: tuple[tuple[tuple[int, int], ...], ...] = ()
    """Each row ((transformer, position), ...): what a regulator could hold instead, a scenario."""

    def __post_init__(self) -> None:
        numbers = (self.z, self.sigma_share, self.common_share, self.unbalance_pu)
        if min(numbers) < 0 or not 0 <= self.slack_corner_ppm < PPM:
            raise NetworkError("margins must not be negative")
        if any(factor < 1 for factor in self.peak_factors.values()):
            raise NetworkError("peak factors are 1.0 or more")


NO_MARGINS = Margins(z=0.0, sigma_share=0.0, common_share=0.0, slack_corner_ppm=0, unbalance_pu=0.0)
"""For studies that compare with published cases; never for a verdict."""


def margins_of(terms: GateTerms) -> Margins:
    """Return the margins that a hub's cells agreed on."""
    return Margins(
        z=terms.z_milli / 1000,
        sigma_share=terms.sigma_ppm / PPM,
        common_share=terms.common_ppm / PPM,
        slack_corner_ppm=terms.slack_corner_ppm,
        unbalance_pu=terms.unbalance_ppm / PPM,
    )
