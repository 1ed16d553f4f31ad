"""The audit of a real run: nothing is found in it, and whatever is changed in it is found."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from fakes.audited_run import write_run

from tieline.audit import audit, tamper
from tieline.audit.auditing import RunAudit, audit_run
from tieline.audit.findings import Check, Findings
from tieline.audit.light_client_states import light_clients
from tieline.audit.slot_clearing import check_clearing
from tieline.audit.slot_delivery import check_delivery, check_stored_deliveries
from tieline.audit.slot_flow import check_flow
from tieline.audit.slot_verdict import check_verdict
from tieline.audit.slot_view import SlotView
from tieline.audit.spoiling import WAYS
from tieline.audit.topology_check import check_topology
from tieline.cli import main
from tieline.interfaces.errors import ConfigError
from tieline.swap.evidence import SlotEvidence, Zone
from tieline.swap.records import Decision
from tieline.swap.topology import Topology
from tieline.wire.blocks import decode_export, encode_export
from tieline.wire.canonical_json import canonical, parse

HASH = b"\x77" * 32


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "evening"
    write_run(path)
    return path


@pytest.fixture(scope="module")
def sound(run):
    found = audit_run(run)
    assert found.findings.rows == []
    return found


@pytest.fixture
def copy(run, tmp_path):
    target = tmp_path / "run"
    shutil.copytree(run, target, ignore=shutil.ignore_patterns("keys", "cells", "journal*"))
    return target


def test_an_honest_run_passes_and_every_lock_and_packet_has_an_ending(run):
    steps = []
    report = audit(run, lambda *step: steps.append(step))
    assert report.is_ok, report.findings
    assert report.notes == ()
    assert (report.slot_count, report.verdict_count) == (2, 2)
    assert set(report.count_locks()) == {"paid", "paid and refunded", "refunded"}
    assert report.count_packets() == {"acknowledged": 8, "refused": 1}
    for row in report.locks:
        assert row.paid_wh + row.refunded_wh + row.open_wh == row.energy_wh
        assert row.opened_height < row.closed_height
    for packet in report.packets:
        assert 0 < packet.sent_height < packet.ended_height
        assert 0 < packet.received_height <= packet.answered_height
    for ledger in report.ledgers:
        held = ledger.pay_accounts + ledger.pay_escrows + ledger.pay_locks + ledger.pay_vaults
        assert held == ledger.pay_issued
        assert ledger.kwh == 0
    assert {step[0] for step in steps} == {f"ledger {row.ledger}" for row in report.ledgers} | {
        "slots"
    }
    assert json.loads(json.dumps(report.to_json()))["is_ok"] is True


FRESH = """
import sys
from pathlib import Path
from tieline.audit import audit
assert audit(Path(sys.argv[1])).is_ok
strangers = ("pandapower", "pandas", "tieline.hub", "tieline.utility", "tieline.ledgers",
             "tieline.scenario", "tieline.relay")
print([name for name in strangers if name in sys.modules])
"""


def test_a_fresh_process_needs_neither_journal_nor_pandapower_nor_the_parts_that_ran(copy):
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(copy)],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n", "", 0)


def test_every_way_to_tamper_is_noticed_where_it_was_done(run):
    report = tamper(run, len(WAYS), seed=3)
    assert [trial for trial in report.trials if not trial.is_noticed] == []
    assert len({trial.what.split()[0] for trial in report.trials}) > 5
    assert report.is_ok
    assert report.to_json()["seed"] == 3


def test_the_same_seed_gives_the_same_trials(run):
    first, again = (tamper(run, 2, seed=11) for _ in range(2))
    assert first == again


def test_a_run_that_does_not_pass_cannot_be_tampered_with(copy):
    path = copy / "ledgers" / "mg-a" / "blocks.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ConfigError, match=r"does not pass .* ledger mg-a height"):
        tamper(copy, 1)


def test_what_nobody_signs_is_covered_by_the_checksums(copy):
    path = next((copy / "evidence").glob("*.json"))
    evidence = parse(SlotEvidence, path.read_bytes())
    verdict = replace(evidence.verdict, explanation="all is well")
    path.write_bytes(canonical(replace(evidence, verdict=verdict)))
    (finding,) = audit(copy).findings
    assert (finding.rule, finding.place.slot_start) == ("SHA-256", evidence.slot_start)
    (copy / "SHA256SUMS").unlink()
    report = audit(copy)
    assert report.is_ok
    assert "not covered" in report.notes[0]


MISSING = [
    # what is removed, words of the first finding
    ("topology.json", "topology.json: canonical topology"),
    ("ledgers/mg-a/genesis.json", "ledger mg-a genesis.json"),
    ("ledgers/mg-a/validators.bin", "ledger mg-a validators.bin"),
    ("ledgers/mg-a/blocks.bin", "ledger mg-a height 1 blocks.bin"),
]


@pytest.mark.parametrize(("name", "words"), MISSING)
def test_a_missing_file_is_named(copy, name, words):
    (copy / name).unlink()
    assert words in str(audit(copy).findings[0])


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no ledgers there"):
        audit(tmp_path)


def _cut(copy, chain_id: str, blocks: int) -> None:
    """Leave the last blocks out of a ledger, of its index and of the checksums."""
    folder = copy / "ledgers" / chain_id
    whole = decode_export((folder / "blocks.bin").read_bytes())
    (folder / "blocks.bin").write_bytes(encode_export(whole[:-blocks]))
    index = (folder / "blocks.idx").read_bytes()
    (folder / "blocks.idx").write_bytes(index[: -48 * blocks])
    (copy / "SHA256SUMS").unlink()


def test_blocks_that_another_ledger_relied_upon_are_missed(copy):
    _cut(copy, "mg-a", 40)
    findings = audit(copy).findings
    words = [str(row) for row in findings if row.check is Check.LIGHT_CLIENTS]
    assert words
    assert words[0].startswith("ledger mg-a height ")
    assert "the ledger ends at" in words[0]


def test_a_header_that_another_ledger_saw_otherwise_is_found(sound):
    ledgers = {history.chain_tag: history for history in sound.histories.values()}
    history = sound.histories["mg-a"]
    headers = tuple(replace(header, app_hash=HASH) for header in history.headers)
    ledgers[history.chain_tag] = replace(history, headers=headers)
    findings = Findings()
    light_clients(ledgers, findings)
    assert {row.place.ledger for row in findings.rows} == {"mg-a"}
    assert all(row.place.height for row in findings.rows)
    assert {row.check for row in findings.rows} == {Check.LIGHT_CLIENTS}


def test_a_success_without_its_evidence_is_found_on_its_ledger(copy):
    path = max((copy / "evidence").glob("*.json"))
    path.unlink()
    (copy / "SHA256SUMS").unlink()
    findings = audit(copy).findings
    posted = [row.rule for row in findings if row.check is Check.FILES]
    for kind in ("clearing_posted", "verdict_posted", "delivery_posted"):
        assert f"evidence of a slot with {kind}" in posted
    found = [row for row in findings if row.expected == "a verdict with its evidence"]
    assert {row.place.slot_start for row in found} == {int(path.stem)}
    assert all(row.place.ledger and row.place.height for row in found)


# --- records, one spoiled field a row ---------------------------------------------------------


def _first(items: tuple, **changes: object) -> tuple:
    return (replace(items[0], **changes), *items[1:])


def _view(sound: RunAudit, evidence: SlotEvidence) -> SlotView:
    assert sound.world is not None
    return SlotView(sound.world, evidence, sound.readings)


def _refused_slot(sound: RunAudit) -> SlotEvidence:
    """The slot with a refusal: it has trades of all levels."""
    return next(
        evidence
        for evidence in sound.evidence.values()
        if any(leaf.decision == Decision.REFUSE for leaf in evidence.verdict.leaves)
    )


def _with_order(e: SlotEvidence, **changes: object) -> SlotEvidence:
    first = e.orders[0]
    changed = replace(first, order=replace(first.order, **changes))
    return replace(e, orders=(changed, *e.orders[1:]))


def _with_packet(e: SlotEvidence, **changes: object) -> SlotEvidence:
    rows = list(e.positions)
    index = next(i for i, row in enumerate(rows) if row.packet is not None)
    rows[index] = replace(rows[index], packet=replace(rows[index].packet, **changes))
    return replace(e, positions=tuple(rows))


def _with_leaf(e: SlotEvidence, **changes: object) -> SlotEvidence:
    first = e.positions[0]
    leaf = replace(first.buyers[0], **changes)
    changed = replace(first, buyers=(leaf, *first.buyers[1:]))
    return replace(e, positions=(changed, *e.positions[1:]))


def _with_clearing(e: SlotEvidence, **changes: object) -> SlotEvidence:
    first = e.clearings[0]
    changed = replace(first, clearing=replace(first.clearing, **changes))
    return replace(e, clearings=(changed, *e.clearings[1:]))


CLEARINGS = [
    # what is changed, words of a finding
    (lambda e: replace(e, orders=e.orders[::-1]), "orders ascending"),
    (lambda e: replace(e, orders=e.orders[1:]), "expected in the clearing's orders"),
    (lambda e: _with_order(e, energy_wh=1), "signer"),
    (lambda e: replace(e, orders=_first(e.orders, signature=b"\x01" * 65)), "signature"),
    (lambda e: _with_packet(e, source_chain_tag=HASH), "client and connectors of its route"),
    (lambda e: _with_order(e, slot_start=900), "slot"),
    (lambda e: _with_order(e, meter_id=HASH), "account of its meter"),
    (lambda e: _with_order(e, nonce=77), "on its ledger"),
    (lambda e: _with_packet(e, energy_wh=99), "Wh of the buy side"),
    (lambda e: _with_packet(e, trade_id=HASH), "trade id"),
    (lambda e: _with_packet(e, allocations_root=HASH), "root of the allocations"),
    (lambda e: _with_packet(e, slot_start=900), "slot"),
    (lambda e: _with_packet(e, buyer=b"\x01" * 20), "party of the buy side"),
    (lambda e: _with_packet(e, seller=b"\x01" * 20), "party of the sell side"),
    (lambda e: _with_packet(e, connector_in=b"\x01" * 20), "client and connectors"),
    (lambda e: _with_packet(e, price_out=10**9), "what is wrong"),
    (lambda e: _with_packet(e, clearing_root=HASH), "clearing root"),
    (lambda e: _with_leaf(e, order_id=HASH), "buy allocation"),
    (lambda e: _with_leaf(e, price=1), "buy allocation"),
    (lambda e: _with_leaf(e, offset_wh=1), "buy allocation"),
    (lambda e: _with_leaf(e, account=b"\x01" * 20), "buy allocation"),
    (lambda e: _with_leaf(e, energy_wh=10**6), "Wh filled"),
    (lambda e: replace(e, clearings=e.clearings[1:]), "levels with a clearing"),
    (lambda e: _with_clearing(e, orders_root=HASH), "root of the orders"),
    (lambda e: _with_clearing(e, trades_root=HASH), "root of the trades"),
    (lambda e: _with_clearing(e, slot_start=900), "slot"),
    (lambda e: _with_clearing(e, cell_set_id=HASH), "cell set and epoch"),
    (lambda e: _with_clearing(e, epoch=2), "cell set and epoch"),
    (lambda e: _with_clearing(e, trades_root=HASH), "clearing on ledger"),
    (
        lambda e: replace(e, clearings=(replace(e.clearings[0], signatures=()), *e.clearings[1:])),
        "expected at least 3 of 4, found 0",
    ),
    (
        lambda e: replace(e, positions=(replace(e.positions[0], packet=None, local=None),)),
        "both or none",
    ),
]


@pytest.mark.parametrize(("spoil", "words"), CLEARINGS)
def test_a_spoiled_clearing_is_found(sound, spoil, words):
    findings = Findings()
    assert not check_clearing(_view(sound, spoil(_refused_slot(sound))), findings)
    assert any(words in str(row) for row in findings.rows), [str(row) for row in findings.rows]
    assert {row.place.slot_start for row in findings.rows} == {_refused_slot(sound).slot_start}


def _v(e: SlotEvidence, **changes: object) -> SlotEvidence:
    return replace(e, verdict=replace(e.verdict, **changes))


def _with_verdict(e: SlotEvidence, **changes: object) -> SlotEvidence:
    return _v(e, verdict=replace(e.verdict.verdict, **changes))


def _with_decision(e: SlotEvidence, decision: int, **changes: object) -> SlotEvidence:
    rows = list(e.verdict.leaves)
    index = next(i for i, row in enumerate(rows) if row.decision == decision)
    rows[index] = replace(rows[index], **changes)
    return _v(e, leaves=tuple(rows))


def _with_load(e: SlotEvidence, **changes: object) -> SlotEvidence:
    zone = e.verdict.baseline[0]
    changed = Zone(zone.zone_tag, (replace(zone.leaves[0], **changes), *zone.leaves[1:]))
    return _v(e, baseline=(changed, *e.verdict.baseline[1:]))


VERDICTS = [
    (lambda e: _with_verdict(e, slot_length=1800), "slot of the verdict"),
    (lambda e: _with_verdict(e, network_epoch=HASH), "network epoch"),
    (lambda e: _with_verdict(e, baseline_hash=HASH), "baseline hash"),
    (lambda e: _with_verdict(e, pending_root=HASH), "pending root"),
    (lambda e: _with_verdict(e, decisions_root=HASH), "decisions root"),
    (lambda e: _with_verdict(e, flow_proof_hash=HASH), "flow proof hash"),
    (lambda e: _with_verdict(e, setpoints_hash=HASH), "set points hash"),
    (lambda e: _with_verdict(e, cell_set_id=HASH), "cell set and epoch"),
    (lambda e: _v(e, signatures=e.verdict.signatures[:2]), "expected at least 3 of 4, found 2"),
    (lambda e: _v(e, signatures=e.verdict.signatures[::-1]), "not in ascending order"),
    (lambda e: _v(e, signatures=(b"\x01" * 65,)), "signatures of the cell set"),
    (lambda e: _with_load(e, p_milliwatt=-1), "baseline hash"),
    (lambda e: _with_load(e, salt=HASH), "baseline hash"),
    (lambda e: _with_load(e, bus=e.verdict.baseline[1].leaves[0].bus), "baseline: zone of bus"),
    (lambda e: _v(e, baseline=e.verdict.baseline[1:]), "zones of the baseline"),
    (lambda e: _v(e, setpoints=()), "set points"),
    (lambda e: _v(e, pending=e.verdict.pending[1:]), "decisions are about the pending set"),
    (lambda e: _v(e, leaves=e.verdict.leaves[1:]), "received, so in the pending set"),
    (lambda e: _with_decision(e, 2, sequence=99), "never received"),
    (lambda e: _with_decision(e, 1, cap_wh=10**9), "cap within the trade"),
    (lambda e: _with_decision(e, 1, cap_wh=0), "cap within the trade"),
    (lambda e: _with_decision(e, 1, group_size=2), "size of its group"),
    (lambda e: _with_decision(e, 1, owners=0), "owners left out"),
    (lambda e: _with_decision(e, 1, owners=31), "owners who did not sign"),
    (lambda e: _with_decision(e, 2, reason=0), "a refusal without group, with a reason"),
    (lambda e: _with_decision(e, 2, group=1), "a refusal without group, with a reason"),
    (lambda e: _with_decision(e, 1, trade_id=HASH), "expected a trade of the clearing"),
    (lambda e: _with_decision(e, 1, cap_wh=1), "decision applied to lock"),
    (lambda e: _with_verdict(e, baseline_hash=HASH), "verdict on the ledger"),
]


@pytest.mark.parametrize(("spoil", "words"), VERDICTS)
def test_a_spoiled_verdict_is_found(sound, spoil, words):
    view = _view(sound, spoil(_refused_slot(sound)))
    findings = Findings()
    assert not check_verdict(view, view.evidence.verdict, findings)
    assert any(words in str(row) for row in findings.rows), [str(row) for row in findings.rows]
    assert {row.place.slot_start for row in findings.rows} == {view.slot_start}


def _with_gate(e: SlotEvidence, **changes: object) -> SlotEvidence:
    return _v(e, gate=replace(e.verdict.gate, **changes))


def _with_proof(e: SlotEvidence, number: int, place: int) -> SlotEvidence:
    rows = list(e.verdict.gate.scenarios)
    proof = bytearray(rows[number].flow_proof)
    proof[place] ^= 1
    rows[number] = replace(rows[number], flow_proof=bytes(proof))
    return _with_gate(e, scenarios=tuple(rows))


FLOWS = [
    (lambda e: _with_gate(e, slack_ppm=1_020_000), "flow proofs and limits"),
    (lambda e: _with_gate(e, kind="PERFECT"), "expected readable"),
    (lambda e: _with_gate(e, slack_ppm=0), "expected readable"),
    (lambda e: _with_load(e, bus=999), "expected of this network"),
    (lambda e: _with_gate(e, injections=e.verdict.gate.injections[1:]), "injections of the trades"),
    (lambda e: _with_gate(e, scenarios=e.verdict.gate.scenarios[:2]), "flow proofs and limits"),
    (lambda e: _with_proof(e, 1, 11), "injections are not the signed ones"),
    (lambda e: _with_proof(e, 1, 26), "flow proof does not hold"),
    (lambda e: _with_proof(e, 1, -1), "flow proof does not hold"),
    (lambda e: _with_load(e, p_milliwatt=-1), "injections are not the signed ones"),
    (lambda e: _with_decision(e, 2, owners=0), "owners left out"),
    (lambda e: _with_decision(e, 2, cap_wh=5), "cap, reason"),
    (lambda e: _with_decision(e, 2, reason=1000), "cap, reason"),
]


@pytest.mark.parametrize(("spoil", "words"), FLOWS)
def test_a_spoiled_power_flow_is_found(sound, spoil, words):
    view = _view(sound, spoil(_refused_slot(sound)))
    findings = Findings()
    check_flow(view, view.evidence.verdict, findings)
    assert any(words in str(row) for row in findings.rows), [str(row) for row in findings.rows]


def test_a_meter_at_another_bus_moves_other_injections(sound):
    evidence = _refused_slot(sound)
    bus = evidence.verdict.gate.injections[0].bus
    topology = sound.world.topology
    meters = tuple(
        replace(row, bus=bus + 1) if row.bus == bus else row
        for row in (*topology.meters, *topology.boundary_meters)
    )
    world = replace(sound.world, topology=replace(topology, meters=meters, boundary_meters=()))
    findings = Findings()
    check_flow(SlotView(world, evidence, sound.readings), evidence.verdict, findings)
    assert [row.rule for row in findings.rows] == ["injections of the trades"]


def test_the_refused_trade_could_not_have_been_accepted(sound):
    """Whoever accepts what the gate refused must lie about the power flow as well."""
    evidence = _refused_slot(sound)
    refused = next(row for row in evidence.verdict.gate.decisions if not row.cap_ppm)
    decisions = tuple(
        replace(row, cap_ppm=1_000_000, reason=0) if row is refused else row
        for row in evidence.verdict.gate.decisions
    )
    energy = next(row.packet.energy_wh for row in evidence.positions if row.trade_id == refused.key)
    rows = tuple(
        replace(row, decision=1, cap_wh=energy, reason=0, group=99, group_size=1)
        if row.trade_id == refused.key
        else row
        for row in evidence.verdict.leaves
    )
    gate = replace(evidence.verdict.gate, decisions=decisions)
    view = _view(sound, _v(evidence, gate=gate, leaves=rows))
    findings = Findings()
    check_flow(view, view.evidence.verdict, findings)
    found = [row.found for row in findings.rows]
    assert any(what.startswith("scenario 1 (whole set, nominal)") for what in found)
    assert any(what.endswith("cap posted=1000000 own=0 ppm") for what in found)


def _d(e: SlotEvidence, **changes: object) -> SlotEvidence:
    return replace(e, delivery=replace(e.delivery, **changes))


def _with_statement(e: SlotEvidence, **changes: object) -> SlotEvidence:
    return _d(e, delivery=replace(e.delivery.delivery, **changes))


def _with_delivered(e: SlotEvidence, wh: int) -> SlotEvidence:
    leaves = e.delivery.leaves
    return _d(e, leaves=(replace(leaves[0], delivered_wh=wh), *leaves[1:]))


def _with_reading(e: SlotEvidence, **changes: object) -> SlotEvidence:
    rows = e.delivery.readings
    changed = replace(rows[0], reading=replace(rows[0].reading, **changes))
    return _d(e, readings=(changed, *rows[1:]))


DELIVERIES = [
    (lambda e: _with_statement(e, slot_length=1800), "tick of the statement"),
    (lambda e: _with_statement(e, verdict_hash=HASH), "verdict of the statement"),
    (lambda e: _with_statement(e, readings_root=HASH), "readings root"),
    (lambda e: _with_statement(e, boundary_root=HASH), "boundary root"),
    (lambda e: _with_statement(e, estimate_hash=HASH), "estimate hash"),
    (lambda e: _with_statement(e, deliveries_root=HASH), "deliveries root"),
    (lambda e: _with_statement(e, epoch=9), "cell set and epoch"),
    (lambda e: _d(e, signatures=e.delivery.signatures[:2]), "expected at least 3 of 4, found 2"),
    (lambda e: _d(e, readings=e.delivery.readings[1:]), "meters read"),
    (lambda e: _d(e, boundary=e.delivery.boundary[1:]), "boundary meters read"),
    (lambda e: _d(e, leaves=e.delivery.leaves[1:]), "trades with a leaf"),
    (lambda e: _with_delivered(e, 10**9), "at most its cap"),
    (lambda e: _with_delivered(e, 0), "by the registers"),
    (lambda e: _with_reading(e, period_start=900), "period"),
    (lambda e: _d(e, readings=_first(e.delivery.readings, signature=b"\x01" * 65)), "signature"),
    (lambda e: _with_reading(e, counter=9), "signer and ledger"),
    (lambda e: _with_reading(e, meter_id=HASH), "signer and ledger"),
    (lambda e: _with_reading(e, import_register_wh=0, export_register_wh=0), "registers"),
]


@pytest.mark.parametrize(("spoil", "words"), DELIVERIES)
def test_a_spoiled_statement_is_found(sound, spoil, words):
    second = sound.evidence[max(sound.evidence)]
    view = _view(sound, spoil(second))
    findings = Findings()
    check_delivery(view, view.evidence.delivery, findings)
    assert any(words in str(row) for row in findings.rows), [str(row) for row in findings.rows]


def test_a_statement_on_a_ledger_that_the_evidence_lacks_is_found(sound):
    second = sound.evidence[max(sound.evidence)]
    findings = Findings()
    check_stored_deliveries(_view(sound, replace(second, delivery=None)), findings)
    assert {row.rule for row in findings.rows} == {"statement 0 on the ledger"}
    assert all(row.place.height for row in findings.rows)


TOPOLOGIES = [
    (lambda t: replace(t, network_id=HASH), "network id"),
    (lambda t: replace(t, cells=t.cells[::-1]), "cells ascending"),
    (lambda t: replace(t, cells=_first(t.cells, ledger_id="mg-x")), "utility cell"),
    (lambda t: replace(t, cells=_first(t.cells, chain_tag=HASH)), "ledger of cell"),
    (lambda t: replace(t, cell_sets=_first(t.cell_sets, signatures=())), "signatures of the cell"),
    (
        lambda t: replace(t, cell_sets=_first(t.cell_sets, rows=t.cell_sets[0].rows[1:])),
        "hashes of cell set 1",
    ),
    (
        lambda t: replace(
            t,
            cell_sets=_first(
                t.cell_sets, cell_set=replace(t.cell_sets[0].cell_set, network_epoch=HASH)
            ),
        ),
        "network epoch of cell set 1",
    ),
    (
        lambda t: replace(
            t,
            cell_sets=_first(t.cell_sets, cell_set=replace(t.cell_sets[0].cell_set, from_slot=900)),
        ),
        "cell set 1 on the ledger",
    ),
    (lambda t: replace(t, meters=_first(t.meters, key=b"\x01" * 20)), "id"),
    (lambda t: replace(t, meters=(*t.meters, t.meters[0])), "found twice"),
    (lambda t: replace(t, meters=_first(t.meters, bus=9)), "owner of bus 9"),
    (
        lambda t: replace(t, attestor_keys=_first(t.attestor_keys, cell_signature=b"\x01" * 65)),
        "signature of the cell",
    ),
    (
        lambda t: replace(
            t,
            attestor_keys=_first(
                t.attestor_keys, attestor_signature=t.attestor_keys[0].cell_signature
            ),
        ),
        "signature of the attestor",
    ),
    (lambda t: replace(t, routes=_first(t.routes, source_client="07-tendermint-9")), "paired with"),
    (lambda t: replace(t, routes=_first(t.routes, connector_out=b"\x01" * 20)), "mandate"),
    (lambda t: replace(t, accounts=_first(t.accounts, account=b"\x01" * 20)), "account of a-"),
    (lambda t: replace(t, meters=_first(t.meters, account=b"\x01" * 20)), "account of a-"),
]


def test_a_topology_that_no_encoder_takes_is_a_finding_not_a_crash(copy):
    path = copy / "topology.json"
    topology = parse(Topology, path.read_bytes())
    changed = replace(topology, cell_sets=_first(topology.cell_sets, rows=()))
    path.write_bytes(canonical(changed))
    assert "number of cells out of range" in str(audit(copy).findings[0])


@pytest.mark.parametrize(("spoil", "words"), TOPOLOGIES)
def test_a_spoiled_topology_is_found(sound, spoil, words):
    world = replace(sound.world, topology=spoil(sound.world.topology))
    findings = Findings()
    check_topology(world, sound.clients, findings)
    assert any(words in str(row) for row in findings.rows), [str(row) for row in findings.rows]


# --- the command ------------------------------------------------------------------------------


@pytest.fixture
def tieline(monkeypatch, capsys):
    def call(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["tieline", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0, capsys.readouterr().out

    return call


def test_the_command_passes_an_honest_run_and_tells_the_endings(tieline, run):
    code, out = tieline("audit", run)
    assert code == 0
    assert "FAILED" not in out
    assert "Packets  8 acknowledged, 1 refused" in out
    assert "Behind 16 successes stand 2 verdicts of 2 slots." in out


def test_the_command_names_ledger_and_height_and_exits_1(tieline, copy):
    path = copy / "ledgers" / "mg-b" / "blocks.bin"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    code, out = tieline("audit", copy)
    assert code == 1
    assert "FAILED ledger mg-b height " in out
    code, out = tieline("audit", copy, "--json")
    assert code == 1
    first = json.loads(out)["findings"][0]
    assert (first["ledger"], first["check"]) == ("mg-b", "blocks")
    assert first["height"] > 1


def test_the_command_names_the_slot_and_exits_1(tieline, copy):
    path = min((copy / "evidence").glob("*.json"))
    evidence = parse(SlotEvidence, path.read_bytes())
    path.write_bytes(canonical(_with_packet(evidence, energy_wh=1)))
    code, out = tieline("audit", copy)
    assert code == 1
    assert f"FAILED slot {evidence.slot_start} (" in out


def test_the_command_tampers_for_the_user(tieline, run):
    code, out = tieline("audit", run, "--tamper", 2, "--seed", 5)
    assert code == 0
    assert out.count("seen   ") == 2
    assert out.endswith("2 of 2 changes seen; --seed 5 repeats them.\n")
