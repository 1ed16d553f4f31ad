"""Whole runs in which something goes wrong: each ends with every nano-EUR where it belongs."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from fakes.small_world import (
    SMALL,
    SeenLedger,
    assert_all_money_came_back,
    dispatch,
    evidence_of,
    ledgers_of,
    small,
    small_with_c,
)

from tieline.contract.records import LockRecord
from tieline.scenario import world
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.parties import parties_of, wallet_of
from tieline.swap.evidence import PublishedVerdict, SlotEvidence
from tieline.swap.records import Decision, Level, Reason

DEPOT = dispatch("a-depot", 1500)
ELECTROLYSER = dispatch("b-electrolyser", 1500, price=400_000)
SLOT = 1_453_122_000
NEXT_SLOT = SLOT + 900
ACCEPT, REFUSE = int(Decision.ACCEPT), int(Decision.REFUSE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run."""

    config: ScenarioConfig
    evidence: Mapping[int, SlotEvidence]
    ledgers: Mapping[str, SeenLedger]

    def verdict(self, slot_start: int = SLOT) -> PublishedVerdict:
        """The verdict of a slot."""
        verdict = self.evidence[slot_start].verdict
        assert verdict is not None
        return verdict

    def locks(self, slot_start: int = SLOT) -> list[LockRecord]:
        """All locks of a slot, on all ledgers."""
        return [
            lock
            for ledger in self.ledgers.values()
            for lock in ledger.locks
            if lock.slot_start == slot_start
        ]

    def wallet(self, microgrid: str, cell: str) -> int:
        """PAY of an energy cell, nano-EUR."""
        ring = world.key_ring(self.config, Path())
        party = next(p for p in parties_of(self.config, ring) if p.name == microgrid)
        account = wallet_of(ring, microgrid, cell).cosmos_account
        return self.ledgers[party.ledger_id].pay(account)


Run = Callable[[ScenarioConfig], Outcome]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a scenario to its end; whatever happened, no money was made, lost or left behind."""

    def to_the_end(config: ScenarioConfig) -> Outcome:
        world.run(config, tmp_path / "run", progress=lambda _done, _all, _what: None)
        ledgers = ledgers_of(tmp_path / "run", config)
        assert_all_money_came_back(ledgers)
        return Outcome(config, evidence_of(tmp_path / "run"), ledgers)

    return to_the_end


def test_two_buyers_who_are_each_fine_are_cut_before_anything_is_locked(run: Run) -> None:
    """Re-clearing under cuts takes from the marginal one; the verdict then accepts all."""
    outcome = run(small(slot_count=1, events=[DEPOT, ELECTROLYSER]))
    imports = [
        position.packet.energy_wh
        for position in outcome.evidence[SLOT].positions
        if position.packet is not None and position.packet.level == Level.GRID
    ]
    assert max(imports) == 375_000, "the depot bids more and gets all"
    assert 0 < min(imports) < 375_000, "the electrolyser gets what is left"
    verdict = outcome.verdict()
    assert verdict.gate.kind == "FEASIBLE"
    assert {leaf.decision for leaf in verdict.leaves} == {ACCEPT}
    assert all(lock.paid_wh == lock.energy_wh for lock in outcome.locks())


def test_a_verdict_refuses_when_the_main_grid_sags_after_the_seal(run: Run) -> None:
    """Sealed and locked in good faith; judged on what is measured, refused, refunded."""
    sag = {"event": "slack_voltage", "slots": [0], "voltage_pu": 0.98}
    outcome = run(small(slot_count=1, events=[DEPOT, sag]))
    verdict = outcome.verdict()
    assert verdict.gate.kind == "BASE_VIOLATED"
    refused = [leaf for leaf in verdict.leaves if leaf.decision == REFUSE]
    assert [(leaf.cap_wh, leaf.reason) for leaf in refused] == [(0, Reason.BASE_VIOLATED)]
    legs = {lock.leg.name: lock for lock in outcome.locks() if lock.trade_id == refused[0].trade_id}
    assert (legs["IN"].status.name, legs["OUT"].status.name) == ("CLOSED", "REFUSED")
    assert (legs["IN"].paid_wh, legs["OUT"].paid_wh) == (0, 0)
    applied = outcome.ledgers["grid-1"].events("verdict_applied")
    assert [event["decision"] for event in applied] == ["REFUSE"]
    answers = outcome.ledgers["grid-1"].events("write_acknowledgement")
    assert len(answers) == 1
    assert SENTINEL in answers[0]["encoded_acknowledgement_hex"]
    opening = outcome.config.opening_balance_eur * 1000 * 10**9
    assert outcome.wallet("A", "a-depot") == opening, "the buyer's escrow is free in the same run"
    others = [lock for lock in outcome.locks() if lock.trade_id != refused[0].trade_id]
    assert others
    assert all(lock.paid_wh for lock in others), "firm trades go on"


SENTINEL = "4774d4a575993f963b1c06573736617a457abef8589178db8d10c94b4ab511ab"
"""sha256("UNIVERSAL_ERROR_ACKNOWLEDGEMENT"), the one error acknowledgement of IBC v2."""


def test_three_times_every_load_accepts_no_device(run: Run) -> None:
    """The base case itself is below its band: what worsens it is dropped before the seal."""
    wires = {"case": "cigre_mv_feeder_1", "load_scaling": 1.155}
    outcome = run(small(slot_count=1, network=wires, events=[DEPOT]))
    assert outcome.verdict().gate.kind == "BASE_VIOLATED"
    dispatchable = [p for p in outcome.evidence[SLOT].positions if p.delivery == 2]
    accepted = {leaf.trade_id for leaf in outcome.verdict().leaves if leaf.decision == ACCEPT}
    assert not [p for p in dispatchable if p.trade_id in accepted]
    assert outcome.wallet("A", "a-depot") == outcome.config.opening_balance_eur * 1000 * 10**9


def test_what_was_not_delivered_is_not_paid(run: Run) -> None:
    """A plant that feeds in a tenth is paid a tenth; buyers get the rest of their money back."""
    event = {
        "event": "non_delivery",
        "slots": [0],
        "cell": "b-hydro",
        "delivered_percent": 10,
    }
    outcome = run(small(slot_count=1, events=[event]))
    delivery = outcome.evidence[SLOT].delivery
    assert delivery is not None
    delivered = {leaf.trade_id: leaf.delivered_wh for leaf in delivery.leaves}
    partly = [lock for lock in outcome.locks() if 0 < lock.paid_wh < lock.energy_wh]
    assert partly, "some were delivered in part"
    for lock in outcome.locks():
        assert lock.paid_wh == delivered[lock.trade_id]
        assert lock.paid_wh + lock.refunded_wh == lock.energy_wh


def test_an_order_that_cannot_be_paid_keeps_no_other_away(run: Run) -> None:
    """One member's account is too small for its escrow; its neighbours trade all the same."""
    microgrids = copy.deepcopy(SMALL["microgrids"])
    microgrids[0]["energy_cells"][0] |= {"id": "a-poor", "count": 1, "rating_kw": 400}
    microgrids[0]["energy_cells"].append(
        {
            "id": "a-shop",
            "kind": "commercial",
            "buses": [5],
            "rating_kw": 4,
            "profile": ["G1-A"],
            "price_max_micro_eur_per_kwh": 400_000,
        }
    )
    outcome = run(small(slot_count=1, opening_balance_eur=1, microgrids=microgrids))
    placed = outcome.ledgers["mg-a"].events("order_placed")
    refused = outcome.ledgers["mg-a"].refusals()
    assert any("insufficient" in reason for reason in refused)
    assert placed
    assert any(lock.paid_wh for lock in outcome.ledgers["mg-a"].locks)


def test_packets_that_no_relayer_brought_time_out_and_everything_is_refunded(run: Run) -> None:
    """Cells lock and send without a relayer; from tau on the absence of a receipt is proved."""
    event = {"event": "relayer_down", "slot": 0, "seconds": 700}
    outcome = run(small(slot_count=1, events=[event]))
    sent = [lock for lock in outcome.locks() if lock.leg.name == "IN"]
    assert sent
    assert all(lock.refunded_wh == lock.energy_wh for lock in sent)
    timeouts = [e for ledger in outcome.ledgers.values() for e in ledger.events("timeout_packet")]
    assert len(timeouts) == len(sent)
    local = [lock for lock in outcome.locks() if lock.leg.name == "LOCAL"]
    assert local
    assert all(lock.paid_wh for lock in local), "trades inside a microgrid need no packet"


@pytest.mark.slow
def test_no_verdict_without_the_owner_of_a_touched_zone(run: Run) -> None:
    """C is silent and the depot's draw touches C: nothing is accepted, everything is refunded."""
    silent = {"event": "silent_owner", "slots": [0], "microgrid": "C"}
    outcome = run(small_with_c(events=[DEPOT, silent]))
    assert outcome.evidence[SLOT].verdict is None
    assert outcome.locks()
    assert not any(lock.paid_wh for lock in outcome.locks())
    reasons = [
        e["lock_id"]
        for ledger in outcome.ledgers.values()
        for e in ledger.events("pending_expired")
    ]
    assert len(reasons) == len([x for x in outcome.locks() if x.leg.name != "IN"])
    assert all(lock.paid_wh for lock in outcome.locks(NEXT_SLOT)), "the next slot is a new one"


@pytest.mark.slow
@pytest.mark.parametrize("silent", ["A", "B", "C", "grid"])
def test_stand_ins_propose_for_a_cell_that_is_silent(run: Run, silent: str) -> None:
    """
    Three of four cells seal whatever the place of the silent one; firm trades that touch nobody
    are judged without it, unless it is a side of them.
    """
    event = {"event": "silent_owner", "slots": [0], "microgrid": silent}
    outcome = run(small_with_c(events=[event]))
    evidence = outcome.evidence[SLOT]
    assert {len(signed.signatures) for signed in evidence.clearings} == {3}
    if silent == "grid":
        assert evidence.verdict is None, "the operator owns the backbone of every trade"
    else:
        assert len(outcome.verdict().signatures) == 3
        assert all(lock.paid_wh for lock in outcome.locks())
    assert len(outcome.verdict(NEXT_SLOT).signatures) == 4, "back, it knows what it missed"
    assert all(lock.paid_wh for lock in outcome.locks(NEXT_SLOT))
