"""The report and the tables: whole, self-contained, and honest about what does not add up."""

import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet
import pytest
from fakes.finished_run import LIMIT, REFUSED, slots, summary, trades, write_finished_run

from tieline.scenario.report import report_html, write_report
from tieline.scenario.tables import write_tables, write_tightest_slot

VOID = {"meta", "rect", "line", "circle", "polyline", "path"}


class _Balance(HTMLParser):
    """Counts open elements, so that a tag that is never closed is found."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID - {"circle", "path"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page() -> str:
    return report_html(summary(), slots(), trades())


def test_every_element_is_closed(page: str) -> None:
    parser = _Balance()
    parser.feed(page)
    assert parser.open == []


def test_the_page_needs_nothing_from_outside(page: str) -> None:
    assert not re.findall(r"<script|<link|<img|https?://|url\(|@import", page)


def test_names_from_the_scenario_are_escaped(page: str) -> None:
    assert "A winter &lt;evening&gt; &amp; more" in page
    assert "<evening>" not in page


def test_all_parts_of_the_story_are_there(page: str) -> None:
    for text in (
        "Where trades were made",
        "by worst voltage",
        "with and without the gate",
        "Fine alone, harmful together",
        "The way of one trade",
        "Money by account",
        "exactly 0 nano-EUR",
        "What this run does not show",
        "One machine ran all parties.",
        "V_LOW bus 10: 0.9468 against 0.9621 pu",
    ):
        assert text in page, text


def test_the_way_shows_heights_proofs_and_seconds(page: str) -> None:
    assert "receive at 44" in page
    assert "proved at height 42, 1893 bytes" in page
    assert "+1800 s" in page


def test_times_are_printed_in_local_time(page: str) -> None:
    assert "Monday 18 January 2016, 15:00 (Europe/Berlin)" in page


def test_each_bus_carries_its_number_and_its_worst_voltage(page: str) -> None:
    diagram = page.partition("The network, by worst voltage")[2].partition("</svg>")[0]
    for text in ("0.9468", "0.9612", ">6<", ">10<", "open"):
        assert text in diagram
    assert 'class="bus v0"' in diagram


def test_money_that_does_not_add_up_is_said_loudly() -> None:
    page = report_html(summary(money_missing_nano_eur=1), slots(), trades())
    assert "The changes sum to -1 nano-EUR; they must sum to 0." in page
    assert "exactly 0" not in page


def test_a_failed_check_is_in_the_headline() -> None:
    page = report_html(summary(is_ok=False), slots(), trades())
    assert "1 FAILED" in page.split("</header>")[0]


def test_a_run_without_third_party_slot_or_refusal_leaves_them_out() -> None:
    calm = summary().model_copy(update={"third_party": None, "refused_by_reason": {}})
    page = report_html(calm, slots()[:1], trades()[:1])
    assert "harmful together" not in page
    assert "No trade was refused." in page


def test_tables_have_units_in_their_columns_and_exact_integers(tmp_path: Path) -> None:
    run = write_finished_run(tmp_path / "evening-001")
    write_tables(run, trades(), slots(), summary().accounts)
    table = pyarrow.parquet.read_table(run.path / "trades.parquet")
    assert table.column("paid_in_nano_eur").to_pylist() == [3704 * 214_500, 0]
    assert table.column("limit_unit").to_pylist() == [None, LIMIT.unit]
    settlement = pyarrow.parquet.read_table(run.path / "settlement.parquet")
    assert sum(settlement.column("change_nano_eur").to_pylist()) == 0
    with (run.path / "slots.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["reduced_wh"] for row in rows] == ["0", "47500"]
    units = ("_wh", "_s", "_utc", "_pu", "_percent", "_kw", "_count", "_nano_eur", "_per_kwh")
    bare = {"slot_index", "verdict", "tightest_limit", "bus_at_vm_min", "vm_pu_min", "vm_pu_max"}
    for name in rows[0]:
        is_flag = name.startswith("is_")
        assert name in bare or is_flag or name.endswith(units) or name.startswith("vm_pu"), name


def test_the_tightest_slot_can_be_read_by_pandapower_alone(tmp_path: Path) -> None:
    import pandapower
    import pandapower.networks

    run = write_finished_run(tmp_path / "evening-001")
    write_tightest_slot(run, pandapower.networks.simple_four_bus_system())
    assert len(pandapower.from_json(str(run.tightest_slot_json)).bus) == 4


def test_the_report_of_a_folder_is_made_from_its_records(tmp_path: Path) -> None:
    run = write_finished_run(tmp_path / "evening-001")
    write_report(run, run.read_summary(), run.read_slots(), run.read_trades())
    assert REFUSED[:12] in run.report_html.read_text()
