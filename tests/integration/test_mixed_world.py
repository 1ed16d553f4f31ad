"""A world whose ledgers are not all of one kind: trades at all levels, in all directions."""

from collections import Counter

import pytest
from fakes.mixed_world import let_simulated_stand_in, with_ethereum
from fakes.two_slots import config as two_slots
from fakes.two_slots import finished

from tieline.scenario import world
from tieline.scenario.run_folder import RunFolder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    path = tmp_path_factory.mktemp("mixed") / "run"
    with pytest.MonkeyPatch.context() as patch:
        let_simulated_stand_in(patch)
        world.run(with_ethereum(two_slots(), "B"), path, progress=lambda *_: None)
    return RunFolder(path)


def test_every_check_holds(run: RunFolder) -> None:
    assert [check for check in run.read_summary().checks if not check.is_ok] == []


def test_its_ledgers_are_of_two_kinds(run: RunFolder) -> None:
    kinds = Counter(ledger.kind for ledger in run.read_summary().ledgers)
    assert kinds == {"cometbft": 3, "sim": 1}


def test_it_trades_as_a_world_of_one_kind_does(
    run: RunFolder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    alike = finished(tmp_path_factory).read_trades()

    def facts(trades: tuple[object, ...]) -> Counter[tuple[object, ...]]:
        names = ("slot_start_s", "level", "source_chain_id", "dest_chain_id", "outcome")
        numbers = ("energy_wh", "cap_wh", "delivered_wh", "paid_in_nano_eur", "paid_out_nano_eur")
        return Counter(tuple(getattr(one, name) for name in names + numbers) for one in trades)

    assert facts(run.read_trades()) == facts(alike)


def test_the_other_ledger_buys_and_sells_at_every_level(run: RunFolder) -> None:
    settled = {
        (trade.level, trade.source_chain_id == "mg-b", trade.dest_chain_id == "mg-b")
        for trade in run.read_trades()
        if trade.outcome == "settled"
    }
    assert {
        ("INTER", True, False),
        ("GRID", True, False),
    } <= settled


def test_where_transactions_are_dear_there_are_at_most_eight_a_slot(run: RunFolder) -> None:
    rows = {row.chain_id: row for row in run.read_summary().ledgers}
    assert 0 < rows["mg-b"].transactions_in_slot_max <= 8
    assert rows["mg-b"].transactions_count < rows["mg-a"].transactions_count
