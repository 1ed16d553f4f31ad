"""
The gate of a proposer: the judgement, and a second solver's word on it.

Sources:
    ``docs/spec/physics.md`` 2 (last row of the table).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tieline.interfaces.limits import PPM
from tieline.power.admittance import Floats
from tieline.power.errors import NotConverged
from tieline.power.gate_result import Baseline, GateKind, GateResult, ProvedScenario, TradeInjection
from tieline.power.judgement import Judge
from tieline.power.network import Network
from tieline.power.power_flow import RunppReference
from tieline.power.reference import ReferencePoint, ReferenceSolver
from tieline.power.settings import Limits, Margins

REFERENCE_DIFFERENCE_MAX_PU = 1e-6
"""Two solvers that differ by more do not solve the same network: refuse and alarm."""


class Gate:
    """Judges batches on one network epoch; matrices and the reference's net are kept."""

    def __init__(
        self,
        network: Network,
        limits: Limits | None = None,
        margins: Margins | None = None,
        reference: ReferenceSolver | None = None,
        *,
        with_reference: bool = True,
    ) -> None:
        """
        Prepare a network.

        Args:
            network: All joined feeders.
            limits: Limits beside the table's bands and ratings.
            margins: How cautious.
            reference: Second solver for the accepted set and the tightest scenario; ``runpp``
                unless another is given.
            with_reference: False: none is asked and pandapower is never loaded; for cells that
                check another's proposal.
        """
        self._judge = Judge(network, limits, margins)
        self._reference = (reference or RunppReference()) if with_reference else None

    @property
    def epoch(self) -> bytes:
        """The network epoch, 32 bytes."""
        return self._judge.epoch

    def judge(
        self,
        baseline_milliwatt: Baseline,
        trades: Sequence[TradeInjection],
        previous_voltages: Mapping[int, int] | None = None,
        sigma_milliwatt: Mapping[int, int] | None = None,
    ) -> GateResult:
        """
        Decide on every trade of a batch; arguments and errors as ``Judge.judge``.

        A disagreement with the reference solver refuses every trade and is an alarm.
        """
        result = self._judge.judge(baseline_milliwatt, trades, previous_voltages, sigma_milliwatt)
        if result.kind is GateKind.NOT_CERTIFIED or self._reference is None:
            return result
        return self._compare(result, trades, self._reference)

    def _compare(
        self, result: GateResult, trades: Sequence[TradeInjection], reference: ReferenceSolver
    ) -> GateResult:
        """Solve the accepted set and the tightest scenario with the reference, or refuse all."""
        named = {scenario.name: scenario for scenario in result.scenarios}
        # Always two points: the reference keeps one net of two islands for the whole epoch.
        checked = {1: result.scenarios[1], 0: result.scenarios[0]}
        if result.tightest is not None and result.tightest.scenario in named:
            checked[0] = named[result.tightest.scenario]
        difference = self._difference(list(checked.values()), reference)
        if difference > REFERENCE_DIFFERENCE_MAX_PU:
            why = f"reference solver disagrees: |dV|={difference:.2e} pu"
            refused = self._judge.nothing_proved(trades, why)
            return replace(refused, reference_difference_pu=difference)
        return replace(result, reference_difference_pu=difference)

    def _difference(self, scenarios: Sequence[ProvedScenario], reference: ReferenceSolver) -> float:
        """Return the largest |V| difference of proofs and reference; inf without a solution."""
        points: list[ReferencePoint] = []
        actual: list[Floats] = []
        for scenario in scenarios:
            network = self._judge.network
            for transformer, position in scenario.taps:
                network = network.with_tap(transformer, position)
            rows = np.array(scenario.proof.rows, dtype=np.float64).reshape(-1, 4)
            S = np.asarray((rows[:, 0] + 1j * rows[:, 1]) * 1e-9, dtype=np.complex128)
            points.append(ReferencePoint(network, S, scenario.slack_ppm / PPM))
            actual.append(np.asarray(np.hypot(rows[:, 2], rows[:, 3]) * 1e-9))
        try:
            expected = reference.magnitudes(points)
        except NotConverged:
            return float("inf")
        pairs = zip(actual, expected, strict=True)
        return max(float(np.abs(ours - theirs).max(initial=0.0)) for ours, theirs in pairs)
