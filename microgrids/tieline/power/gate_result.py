"""What is put to the gate and what comes out of it, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from tieline.interfaces.limits import PPM, LimitKind, LinearCut
from tieline.power.flow_proof import FlowProof
from tieline.swap.records import Reason

Baseline = Mapping[int, tuple[int, int]]
"""bus -> (milliwatt, millivar), injection positive into the network; buses left out inject 0."""


@dataclass(frozen=True, slots=True)
class TradeInjection:
    """What a trade moves on the network. A firm trade moves nothing: it is in the forecast."""

    key: bytes
    """Trade id, packet commitment or order id: unique in a batch."""
    injections_milliwatt: Mapping[int, int]
    """bus -> milliwatt on top of the forecast, positive into the network (sellers)."""
    group: int = 0
    """Trades of one group are acknowledged in one transaction: all or none. 0: alone."""
    divisible: bool = True
    """False: all or none, never capped."""


class GateKind(Enum):
    """What the gate says of the received set."""

    FEASIBLE = "FEASIBLE"
    """Every trade fits, with every subset that can come true."""
    INFEASIBLE = "INFEASIBLE"
    """Some trades were capped or refused; the rest was certified."""
    NOT_CERTIFIED = "NOT_CERTIFIED"
    """A solution could not be proved; never treated as feasible."""
    BASE_VIOLATED = "BASE_VIOLATED"
    """The forecast alone breaks a limit; only trades that worsen nothing are accepted."""


class DecisionKind(Enum):
    """What becomes of one trade."""

    ACCEPT = "ACCEPT"
    CAP = "CAP"
    REFUSE = "REFUSE"


@dataclass(frozen=True, slots=True)
class TradeDecision:
    """The gate's decision on one trade."""

    key: bytes
    kind: DecisionKind
    cap_ppm: int = PPM
    """Accepted share of the quantity, millionths, rounded down; 0 if refused."""
    reason: Reason = Reason.NONE
    limit: str = ""
    """Name of the limit that caps or refuses it."""
    owners: tuple[bytes, ...] = ()
    """Cells whose zone it touches, ascending: their signatures are required."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One limit broken in one scenario."""

    limit: str
    kind: LimitKind
    element: int
    """Index of the bus, line or transformer."""
    value: float
    """In the unit of ``interfaces.limits.UNITS``, at the bad end of its proved interval."""
    bound: float
    margin: float
    """Safety margin subtracted from the bound."""
    scenario: str


@dataclass(frozen=True, slots=True)
class TightestLimit:
    """The limit with the least room left, and who would use that room."""

    limit: str
    kind: LimitKind
    element: int
    scenario: str
    margin_percent: float
    """Room left after the safety margins, in % of the rated voltage, the rating or the bound."""
    safety_margin: float
    """Safety margin subtracted from the bound, in the limit's unit."""
    marginal_trade: bytes | None
    """The last trade in merit order that uses the room."""
    margin_kw: float | None
    """The same room in kW of the marginal trade."""


@dataclass(frozen=True, slots=True)
class ProvedScenario:
    """One solved operating point, with its proof."""

    number: int
    name: str
    slack_ppm: int
    """Slack voltage as millionths of the network table's."""
    taps: tuple[tuple[int, int], ...]
    """(transformer, position) where they differ from the network table's."""
    trades: tuple[bytes, ...]
    """The trades that take place in it, each at its cap."""
    proof: FlowProof


@dataclass(frozen=True, slots=True)
class GateResult:
    """What the gate says, with everything that others need to check it."""

    kind: GateKind
    decisions: tuple[TradeDecision, ...]
    """In the order of the trades."""
    scenarios: tuple[ProvedScenario, ...]
    flow_proof_hash: bytes
    """32 bytes; zero if nothing could be proved."""
    violations: tuple[Violation, ...] = ()
    """Of the received set as it came; the worst scenario of each limit."""
    cuts: tuple[LinearCut, ...] = ()
    tightest: TightestLimit | None = None
    """Of the accepted set."""
    network_epoch: bytes = field(default=bytes(32))
    reference_difference_pu: float | None = None
    """Largest |V| difference from the reference solver; None where none was asked."""
    alarms: tuple[str, ...] = ()
    """What an operator must be told, such as a disagreement with the reference solver."""
