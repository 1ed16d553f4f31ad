"""
What may be acknowledged, so that the network holds whatever subset comes true. Numpy only: the
proposer's gate and those who check it run this same code.

Solved on the feeders of all cells together. What is not certified is never feasible.

Sources:
    ``docs/spec/physics.md`` 1-3, 5; ``docs/spec/trust.md`` 3 (owners).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tieline.interfaces.limits import PPM
from tieline.power.admission import (
    Admitted,
    Bar,
    Evaluation,
    admit,
    columns_over,
    evaluate,
    raise_bar,
)
from tieline.power.admittance import Floats
from tieline.power.corners import SlotQuestion, corners_of, safety_margins
from tieline.power.errors import NotConverged
from tieline.power.gate_report import (
    cuts_of,
    owners_touched,
    prove_scenarios,
    tightest_limit,
    violations_of,
)
from tieline.power.gate_result import (
    Baseline,
    DecisionKind,
    GateKind,
    GateResult,
    TradeDecision,
    TradeInjection,
)
from tieline.power.limits import LimitTable
from tieline.power.network import Network
from tieline.power.network_bytes import network_epoch
from tieline.power.sensitivities import Sensitivities
from tieline.power.settings import Limits, Margins
from tieline.swap.records import Reason


class Judge:
    """Judges batches on one network epoch; matrices are kept between slots."""

    def __init__(
        self, network: Network, limits: Limits | None = None, margins: Margins | None = None
    ) -> None:
        """
        Prepare a network.

        Args:
            network: All joined feeders.
            limits: Limits beside the table's bands and ratings.
            margins: How cautious.
        """
        self.network = network
        self.margins = margins or Margins()
        self.table = LimitTable(network, limits or Limits(), self.margins)
        self.corners = corners_of(network, self.margins)
        self.epoch = network_epoch(network)

    def judge(
        self,
        baseline_milliwatt: Baseline,
        trades: Sequence[TradeInjection],
        previous_voltages: Mapping[int, int] | None = None,
        sigma_milliwatt: Mapping[int, int] | None = None,
    ) -> GateResult:
        """
        Decide on every trade of a batch.

        Args:
            baseline_milliwatt: Forecast of all injections, traded or not.
            trades: In merit order: the last one is the marginal one.
            previous_voltages: bus -> |V| of the slot before, 1e-9 pu; None: steps are not judged.
            sigma_milliwatt: bus -> standard deviation of its own forecast error; None: a share.

        Raises:
            UnknownBus: A bus that the network does not have.
            NetworkError: Powers that are not integers, repeated trade keys.
        """
        question = self.question(baseline_milliwatt, trades, previous_voltages)
        nominal = question.corners[0]
        slopes = question.slopes(nominal, np.ones(len(question.groups)))
        slopes = slopes or question.slopes(nominal, np.zeros(len(question.groups)))
        if slopes is None:
            return self.nothing_proved(trades, "the forecast alone has no certified solution")
        safety = safety_margins(question, slopes, self.margins, sigma_milliwatt)
        bar = raise_bar(question, safety)
        if any(np.isneginf(need).any() for need in bar.need):
            return self.nothing_proved(trades, "the forecast alone is not certified in a corner")
        per_group = question.per_group(slopes)
        received = np.ones(len(question.groups))
        # The worst subsets usually tell; only a set that passes them is tried in all its unions.
        for exhaustive in (False, True):
            columns = columns_over(question, per_group, received, exhaustive=exhaustive)
            outcome = evaluate(question, bar, columns)
            if not outcome.fits:
                break
        admitted, accepted = Admitted(received), outcome
        if not outcome.fits:
            admitted, accepted = self._admit(question, bar, per_group)
        kind = GateKind.FEASIBLE if outcome.fits else GateKind.INFEASIBLE
        if bar.is_base_violated:
            kind = GateKind.BASE_VIOLATED
        result = GateResult(
            kind=kind,
            decisions=_decisions(question, admitted, slopes, bar),
            scenarios=(),
            flow_proof_hash=bytes(32),
            violations=violations_of(question, outcome, safety),
            cuts=() if outcome.fits else cuts_of(question, outcome, safety),
            network_epoch=self.epoch,
        )
        caps = {
            place: decision.cap_ppm
            for place, decision in enumerate(result.decisions)
            if decision.cap_ppm
        }
        try:
            scenarios, root = prove_scenarios(question, caps, accepted)
        except NotConverged as cause:
            return self.nothing_proved(trades, str(cause))
        tightest = tightest_limit(question, caps, accepted, safety, slopes)
        return replace(result, scenarios=scenarios, flow_proof_hash=root, tightest=tightest)

    def question(
        self,
        baseline_milliwatt: Baseline,
        trades: Sequence[TradeInjection],
        previous_voltages: Mapping[int, int] | None = None,
    ) -> SlotQuestion:
        """Compile a slot's question; raises as ``judge`` does."""
        return SlotQuestion(
            self.network, self.corners, self.table, baseline_milliwatt, trades, previous_voltages
        )

    @staticmethod
    def _admit(question: SlotQuestion, bar: Bar, per_group: Floats) -> tuple[Admitted, Evaluation]:
        """Try the worst subsets first; if a union was missed, solve all of them at every step."""
        for exhaustive in (False, True):
            admitted = admit(question, bar, per_group, exhaustive=exhaustive)
            columns = columns_over(question, per_group, admitted.shares, exhaustive=True)
            accepted = evaluate(question, bar, columns)
            if accepted.fits:
                return admitted, accepted
        nobody = np.zeros(len(question.groups))
        columns = columns_over(question, per_group, nobody, exhaustive=True)
        refused = dict.fromkeys(question.moving, -1)
        return Admitted(nobody, refused), evaluate(question, bar, columns)

    def nothing_proved(self, trades: Sequence[TradeInjection], why: str) -> GateResult:
        """Refuse every trade, because *why*."""
        refusals = tuple(
            TradeDecision(trade.key, DecisionKind.REFUSE, 0, Reason.NOT_CERTIFIED)
            for trade in trades
        )
        return GateResult(
            kind=GateKind.NOT_CERTIFIED,
            decisions=refusals,
            scenarios=(),
            flow_proof_hash=bytes(32),
            network_epoch=self.epoch,
            alarms=(why,),
        )


def _decisions(
    question: SlotQuestion, admitted: Admitted, slopes: Sensitivities, bar: Bar
) -> tuple[TradeDecision, ...]:
    """Return one decision a trade, in the order of the batch."""
    decisions: dict[int, TradeDecision] = {}
    for number, group in enumerate(question.groups):
        cap_ppm = round(float(admitted.shares[number]) * PPM)
        row = admitted.stopped_by.get(number)
        reason, name = Reason.NONE, ""
        if row is not None and row >= 0:
            limit = question.table.limits[row]
            reason, name = Reason(limit.kind), limit.name
        elif row is not None:
            reason = Reason.NOT_CERTIFIED
        if bar.is_base_violated and cap_ppm == 0 and reason is not Reason.NOT_CERTIFIED:
            reason = Reason.BASE_VIOLATED
        kind = DecisionKind.ACCEPT if cap_ppm == PPM else DecisionKind.CAP
        if cap_ppm == 0:
            kind = DecisionKind.REFUSE
        for place in group.trades:
            owners = owners_touched(question, slopes, place, cap_ppm or PPM)
            key = question.trades[place].key
            decisions[place] = TradeDecision(key, kind, cap_ppm, reason, name, owners)
    return tuple(decisions[place] for place in range(len(question.trades)))
