"""What a whole run writes: true to its ledgers, the same after a restart, loud when spoiled."""

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import pandapower
import pyarrow.parquet
import pytest
from fakes.two_slots import finished, reopened
from typer.testing import CliRunner

from tieline.cli.main import app
from tieline.scenario.results.checks import check_rows
from tieline.scenario.results.material import Material, gather
from tieline.scenario.results.money import account_rows
from tieline.scenario.results.trades import trade_records
from tieline.scenario.run_folder import RunFolder
from tieline.scenario.run_records import RunSummary, TradeRecord
from tieline.scenario.summary import write_results
from tieline.swap.lock import LockStatus

BAND_LOW = 0.95


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return finished(tmp_path_factory, "B")


@pytest.fixture(scope="module")
def summary(run: RunFolder) -> RunSummary:
    return run.read_summary()


@pytest.fixture(scope="module")
def refused(run: RunFolder) -> TradeRecord:
    return next(trade for trade in run.read_trades() if trade.outcome == "refused")


@pytest.fixture(scope="module")
def material(run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Material]:
    """The run taken up again from a copy of its folder, without journal and results."""
    copy = RunFolder(tmp_path_factory.mktemp("again") / "run")
    shutil.copytree(run.path, copy.path)
    for name in ("journal.sqlite", "trades.json", "slots.json", "events.jsonl", "summary.json"):
        (copy.path / name).unlink()
    world = asyncio.run(reopened(copy))
    yield asyncio.run(gather(world))
    world.close()


def test_every_check_of_a_run_holds(summary: RunSummary) -> None:
    assert [check.name for check in summary.checks if not check.is_ok] == []
    names = {check.name.split()[0] for check in summary.checks}
    assert {"E1", "E2", "E4", "E5", "E6", "E7", "conservation"} <= names


def test_money_changes_sum_to_zero_on_every_ledger_and_in_the_settlement(
    summary: RunSummary,
) -> None:
    changes: Counter[str] = Counter()
    for row in summary.accounts:
        changes[row.chain_id] += row.closing_nano_eur - row.opening_nano_eur
    assert changes == dict.fromkeys(["mg-a", "mg-b", "mg-c", "grid-1", "settlement"], 0)
    assert sum(abs(row.closing_nano_eur - row.opening_nano_eur) for row in summary.accounts) > 0


def test_the_settlement_does_not_count_again_what_locks_have_moved(summary: RunSummary) -> None:
    labels = {row.label for row in summary.accounts if row.chain_id == "settlement"}
    assert "balancing" in labels
    assert "connector" not in labels


def test_two_that_are_fine_alone_hurt_a_third_together_and_the_marginal_one_is_cut(
    summary: RunSummary, run: RunFolder
) -> None:
    picture = summary.third_party
    assert picture is not None
    lowest = {case.name: min(case.vm_pu_min.values()) for case in picture.cases}
    third = {case.name: case.vm_pu_min["C"] for case in picture.cases}
    assert min(lowest["a-depot alone"], lowest["b-electrolyser alone"]) > BAND_LOW
    assert third["both"] < BAND_LOW < min(third["nobody"], third["after cuts"])
    slot = run.read_slots()[0]
    assert slot.rounds_count
    assert list(slot.reduced_wh) == ["b-electrolyser"]
    assert "C, which asked for nothing, down to" in picture.outcome
    assert slot.is_violated_without_gate
    assert not slot.is_violated


def test_a_trade_that_nothing_helps_is_refused_and_paid_back_in_full(
    refused: TradeRecord, summary: RunSummary
) -> None:
    assert refused.reason == "BASE_VIOLATED"
    assert summary.refused_by_reason == {"BASE_VIOLATED": 1}
    escrow = refused.energy_wh * refused.price_in_micro_eur_per_kwh
    assert (refused.paid_in_nano_eur, refused.refunded_in_nano_eur) == (0, escrow)
    assert refused.physics is not None
    assert refused.physics.value < refused.physics.bound
    steps = [step.step for step in refused.steps]
    assert steps[:3] == ["seal", "lock_and_send", "receive"]
    assert steps.index("verdict") < steps.index("acknowledge")
    assert next(s for s in refused.steps if s.step == "acknowledge").proof_bytes > 0


def test_the_way_of_a_trade_names_ledgers_heights_proofs_and_signers(
    summary: RunSummary, run: RunFolder
) -> None:
    trade = next(t for t in run.read_trades() if t.trade_id == summary.journey_trade_id)
    assert trade.level == "INTER"
    steps = {(step.step, step.chain_id): step for step in trade.steps}
    source, destination = trade.source_chain_id, trade.dest_chain_id
    way = [
        ("lock_and_send", source),
        ("receive", destination),
        ("apply_verdict", destination),
        ("acknowledge", source),
        ("statement", destination),
        ("claim", destination),
        ("collect_shares", destination),
    ]
    times = [steps[key].time_s for key in way]
    assert times == sorted(times)
    for name, chain_id, other in (
        ("receive", destination, source),
        ("acknowledge", source, destination),
    ):
        proved = steps[name, chain_id].proof_height
        shown = "lock_and_send" if name == "receive" else "apply_verdict"
        # Tendermint proves a block's state with the next header, an EVM with its own.
        lag = 0 if other == "mg-b" else 1
        assert proved >= steps[shown, other].height + lag
        assert steps[name, chain_id].proof_bytes > 200
    assert "A, B, C, grid (4 of 4)" in steps["verdict", ""].detail
    assert steps["claim", source].height
    assert {part.side for part in trade.allocations} == {"buy", "sell"}


def test_what_was_not_delivered_is_not_paid(run: RunFolder) -> None:
    short = [t for t in run.read_trades() if t.outcome == "partly_settled"]
    assert any(any(p.cell == "c-wind-1" for p in t.allocations) for t in short)
    for trade in short:
        paid = trade.delivered_wh * trade.price_in_micro_eur_per_kwh
        assert trade.paid_in_nano_eur == paid
        whole = trade.energy_wh * trade.price_in_micro_eur_per_kwh
        assert trade.refunded_in_nano_eur == whole - paid


def test_a_sceptic_solves_the_tightest_slot_with_pandapower_alone(run: RunFolder) -> None:
    net = pandapower.from_json(str(run.tightest_slot_json))
    pandapower.runpp(net, calculate_voltage_angles=True, trafo_model="t", numba=False)
    lowest = {round(slot.vm_pu_min, 6) for slot in run.read_slots()}
    assert round(float(net.res_bus.vm_pu.min()), 6) in lowest


def test_tables_and_events_say_what_the_records_say(run: RunFolder) -> None:
    trades, events = run.read_trades(), list(run.read_events())
    table = pyarrow.parquet.read_table(run.path / "trades.parquet")
    assert table.column("trade_id").to_pylist() == [trade.trade_id for trade in trades]
    times = [event["time_s"] for event in events]
    assert times == sorted(times)
    counts = Counter(event["event"] for event in events)
    assert counts["lock_opened"] == sum(1 + bool(trade.lock_id_out) for trade in trades)
    slots = {event["slot_start_s"] for event in events if event["event"] == "claimed"}
    assert slots == {slot.slot_start_s for slot in run.read_slots()}


@pytest.mark.parametrize(
    "command",
    [
        ["trade", "list", "--level", "GRID"],
        ["trade", "show", "{trade}"],
        ["explain", "{trade}"],
        ["explain", "0"],
        ["explain", "1"],
    ],
)
def test_commands_tell_of_a_real_run(
    run: RunFolder, refused: TradeRecord, command: list[str]
) -> None:
    words = [word.replace("{trade}", refused.trade_id[:12]) for word in command]
    outcome = CliRunner().invoke(app, [*words, "--run", str(run.path)])
    assert outcome.exit_code == 0, outcome.output
    assert len(outcome.output) > 100


def test_ledgers_of_a_run_can_be_described(run: RunFolder) -> None:
    outcome = CliRunner().invoke(app, ["ledger", "describe", str(run.path)])
    assert outcome.exit_code == 0, outcome.output
    assert "grid-1" in outcome.output


def test_status_groups_the_accounts(run: RunFolder) -> None:
    outcome = CliRunner().invoke(app, ["status", str(run.path)])
    assert outcome.exit_code == 0, outcome.output
    assert sum(line.startswith("energy cells") for line in outcome.output.splitlines()) == 4


def test_a_run_taken_up_again_tells_the_same_to_the_byte(
    run: RunFolder, material: Material
) -> None:
    world = material.world
    asyncio.run(write_results(world, wall_seconds=0.0))
    for name in ("trades.json", "slots.json", "events.jsonl"):
        assert (world.folder.path / name).read_bytes() == (run.path / name).read_bytes(), name
    first, second = (
        json.loads((folder / "summary.json").read_bytes())
        for folder in (run.path, world.folder.path)
    )
    first.pop("wall_seconds")
    second.pop("wall_seconds")
    assert first == second


def failed(material: Material) -> list[str]:
    trades = trade_records(material)
    rows = check_rows(material, trades, account_rows(material))
    return [row.name.split()[0] for row in rows if not row.is_ok]


def test_a_statement_that_does_not_add_up_is_a_failed_check(material: Material) -> None:
    start, statement = next(iter(material.statements.items()))
    network = replace(statement.network, loss_wh=statement.network.loss_wh + 100)
    spoiled = {**material.statements, start: replace(statement, network=network)}
    assert {"E1", "E4"} <= set(failed(replace(material, statements=spoiled)))


def test_a_slot_that_cannot_be_settled_is_a_failed_check(material: Material) -> None:
    start = next(iter(material.statements))
    spoiled = replace(material, faults={start: "MissingReading: no reading of meter ab"})
    assert "E6" in failed(spoiled)


def test_a_nano_eur_that_is_not_there_is_a_failed_check(material: Material) -> None:
    tag, history = next(iter(material.histories.items()))
    books = replace(history.books, accounts=history.books.accounts - 1)
    spoiled = {**material.histories, tag: replace(history, books=books)}
    names = failed(replace(material, histories=spoiled))
    assert "conservation" in names
    assert "E6" in names


def test_an_open_packet_is_a_failed_check(material: Material) -> None:
    tag, history = next(iter(material.histories.items()))
    open_one = replace(history, open_packets=("sent 07-tendermint-0/1",))
    spoiled = {**material.histories, tag: open_one}
    assert failed(replace(material, histories=spoiled)) == ["every"]


def test_losses_are_shared_by_those_whose_energy_came_on_top(material: Material) -> None:
    statement = next(iter(material.statements.values()))
    shares = {row.account: row.loss_wh for row in statement.participants if row.loss_wh}
    names = {
        material.names.account_of[bytes.fromhex(tag), bytes.fromhex(account)]: share
        for (tag, account), share in ((row.name.split("/"), share) for row, share in shares.items())
    }
    assert names["a-depot"] > names["b-electrolyser"] > 0
    network = statement.network
    assert sum(names.values()) == network.loss_wh - network.base_loss_wh
    assert network.loss_wh < 5 * network.base_loss_wh < 2.5 * network.loss_wh
    truth = material.world.truth.slot(material.world.slots[0]).point
    assert abs(network.loss_wh - truth.losses_mw * 250_000) < network.loss_wh / 20


def test_meters_explain_the_import_to_the_watt_hour_a_meter(material: Material) -> None:
    for statement in material.statements.values():
        network = statement.network
        assert abs(network.import_wh - network.metered_import_wh) <= 1
        assert abs(statement.unaccounted_wh) <= len(statement.participants)


def test_who_does_not_deliver_deviates_by_what_is_missing(material: Material) -> None:
    start, statement = next(iter(material.statements.items()))
    evidence = material.evidence(start)
    assert evidence is not None
    meter = next(m for m in material.world.topology.meters if m.name == "c-wind-1")
    row = next(r for r in statement.participants if r.account.name.endswith(meter.account.hex()))
    assert row.metered_wh == 0 < row.position_wh
    assert row.deviation_wh == -row.position_wh


def with_lock_left_open(material: Material) -> Material:
    tag, history = next(iter(material.histories.items()))
    lock_id, lock = next(iter(history.locks.items()))
    locks = {**history.locks, lock_id: replace(lock, status=LockStatus.LOCKED)}
    return replace(material, histories={**material.histories, tag: replace(history, locks=locks)})


def with_escrow_left(material: Material) -> Material:
    tag, history = next(iter(material.histories.items()))
    order_id, order = next(iter(history.orders.items()))
    orders = {**history.orders, order_id: replace(order, money_left=1)}
    spoiled = {**material.histories, tag: replace(history, orders=orders)}
    return replace(material, histories=spoiled)


def with_another_verdict(material: Material) -> Material:
    start, judged = next(iter(material.judgements.items()))
    judgements = {**material.judgements, start: replace(judged, is_same=False)}
    return replace(material, judgements=judgements)


def with_client_without_attestors(material: Material) -> Material:
    world = material.world
    first, *rest = world.topology.routes
    routes = (replace(first, source_client="07-tendermint-9"), *rest)
    return replace(material, world=replace(world, topology=replace(world.topology, routes=routes)))


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (with_lock_left_open, "every lock has ended"),
        (with_escrow_left, "no order holds money"),
        (with_another_verdict, "verdicts can be made again"),
        (with_client_without_attestors, "how clients believe"),
    ],
)
def test_each_check_fails_for_its_own_reason(
    material: Material, spoil: Callable[[Material], Material], name: str
) -> None:
    trades, accounts = trade_records(material), account_rows(material)
    rows = check_rows(spoil(material), trades, accounts)
    assert [row.name for row in rows if not row.is_ok] == [name]


def test_a_payment_without_a_verdict_or_to_nobody_is_a_failed_check(material: Material) -> None:
    trades, accounts = trade_records(material), account_rows(material)
    paid = next(place for place, trade in enumerate(trades) if trade.paid_out_nano_eur)
    trades[paid] = trades[paid].model_copy(update={"decision": "none"})
    accounts[0] = accounts[0].model_copy(
        update={"closing_nano_eur": accounts[0].closing_nano_eur + 1}
    )
    names = [row.name for row in check_rows(material, trades, accounts) if not row.is_ok]
    assert names == ["money of all accounts", "a verdict stands behind every payment"]
