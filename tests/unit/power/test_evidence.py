"""A gate's answer written down and read back says the same to those who check it."""

from dataclasses import replace

import pytest
from fakes.networks import buys, published_case, sells

from tieline.interfaces.limits import PPM
from tieline.power.evidence import gate_evidence, injections_of_zones, network_at, result_of
from tieline.power.gate_result import DecisionKind, GateKind
from tieline.power.judgement import Judge
from tieline.power.settings import Margins
from tieline.power.verification import verify_result
from tieline.swap.evidence import BusInjection, Zone, ZoneLeaf
from tieline.swap.records import Reason
from tieline.wire.errors import Malformed

CASE = published_case("cigre_mv_feeder_1")
TRADES = [buys("a", 6, 1500), buys("b", 7, 1500), sells("s", 9, 200)]
RESULT = Judge(CASE.network, CASE.limits, Margins()).judge(CASE.baseline, TRADES)
WRITTEN = gate_evidence(RESULT, TRADES, PPM)


def test_what_is_read_back_is_what_was_judged() -> None:
    read = result_of(WRITTEN, CASE.network)
    assert read.kind is RESULT.kind is GateKind.INFEASIBLE
    assert read.decisions == RESULT.decisions
    assert read.scenarios == RESULT.scenarios
    assert read.flow_proof_hash == RESULT.flow_proof_hash
    assert read.network_epoch == RESULT.network_epoch


def test_what_is_read_back_passes_the_verifier() -> None:
    read = result_of(WRITTEN, CASE.network)
    args = (CASE.network, CASE.limits, Margins(), CASE.baseline, TRADES)
    assert verify_result(*args, read) == ()


def test_injections_are_written_in_merit_order_by_bus() -> None:
    trade = replace(TRADES[0], injections_milliwatt={7: -2, 5: -1})
    written = gate_evidence(RESULT, [trade, TRADES[2]], PPM).injections
    assert written[:2] == (BusInjection(trade.key, 5, -1), BusInjection(trade.key, 7, -2))
    assert written[2].trade_id == TRADES[2].key


def test_decision_kinds_follow_from_their_caps() -> None:
    caps = {DecisionKind.ACCEPT: PPM, DecisionKind.CAP: 123_456, DecisionKind.REFUSE: 0}
    rows = tuple(replace(WRITTEN.decisions[0], cap_ppm=cap) for cap in caps.values())
    read = result_of(replace(WRITTEN, decisions=rows), CASE.network)
    assert [row.kind for row in read.decisions] == list(caps)


def test_evidence_without_scenarios_has_the_zero_hash() -> None:
    read = result_of(replace(WRITTEN, kind="NOT_CERTIFIED", scenarios=()), CASE.network)
    assert (read.flow_proof_hash, read.kind) == (bytes(32), GateKind.NOT_CERTIFIED)


@pytest.mark.parametrize("proof", [b"", b"\x00\x00\x00\x01", b"\xff" * 64])
def test_a_flow_proof_in_another_form_is_malformed(proof: bytes) -> None:
    first, *rest = WRITTEN.scenarios
    with pytest.raises(Malformed):
        result_of(
            replace(WRITTEN, scenarios=(replace(first, flow_proof=proof), *rest)), CASE.network
        )


def test_unknown_kinds_and_reasons_are_refused() -> None:
    with pytest.raises(ValueError, match="FINE"):
        result_of(replace(WRITTEN, kind="FINE"), CASE.network)
    row = replace(WRITTEN.decisions[0], reason=250)
    with pytest.raises(ValueError, match="250"):
        result_of(replace(WRITTEN, decisions=(row,)), CASE.network)
    assert Reason(WRITTEN.decisions[0].reason) is RESULT.decisions[0].reason


def test_a_measured_slack_voltage_scales_the_networks() -> None:
    assert network_at(CASE.network, PPM) is CASE.network
    higher = network_at(CASE.network, 1_010_000)
    assert higher.slack.vm == CASE.network.slack.vm * 1_010_000 // PPM
    assert replace(higher, slack=CASE.network.slack).buses == CASE.network.buses


def test_another_slack_voltage_is_another_network_epoch() -> None:
    moved = result_of(WRITTEN, network_at(CASE.network, 1_000_100))
    assert moved.network_epoch != RESULT.network_epoch


def test_zones_add_up_by_bus_ascending() -> None:
    zones = (
        Zone(b"b", (ZoneLeaf(b"", 7, 10, 1), ZoneLeaf(b"", 4, 3, -1))),
        Zone(b"a", (ZoneLeaf(b"", 7, -4, 2),)),
    )
    assert list(injections_of_zones(zones).items()) == [(4, (3, -1)), (7, (6, 3))]
