"""Scenario files: what is refused, where, and with which advice."""

from pathlib import Path

import pytest
import yaml

from tieline.interfaces.errors import ConfigError
from tieline.scenario.cells import expand_cells
from tieline.scenario.config import RelayerDownEvent
from tieline.scenario.reading import first_slots, load_scenario, shipped_scenario

TEXT = shipped_scenario("evening").read_text()
FAST = TEXT.replace("preset: fabric ", "preset: fast ").replace("    ledger: fabric\n", "")
"""The evening without the ledger whose clock ticks."""

REFUSED = [
    # written, instead of it, key, the text on its line if it is another, advice
    (
        "slot_count: 24\n",
        "slot_count: 24\nprices: {band_min_micro_eur_per_kwh: 9, band_max_micro_eur_per_kwh: 9}\n",
        "prices.band_max_micro_eur_per_kwh",
        "prices:",
        "more than the lower end",
    ),
    (
        "slot_count: 24\n",
        "slot_count: 24\nprint_time_zone: Europe/Atlantis\n",
        "print_time_zone",
        "print_time_zone:",
        "Europe/Berlin",
    ),
    (
        "rating_kw: 18",
        "rating_mw: 18",
        "microgrids[0].energy_cells[2].rating_mw",
        None,
        "rating_kw",
    ),
    ("rating_kw: 18", "rating_kw: 18 kW", "microgrids[0].energy_cells[2].rating_kw", None, "in kW"),
    ("rating_kw: 18", "rating_kw: -1", "microgrids[0].energy_cells[2].rating_kw", None, "in kW"),
    ("rating_kw: 18", "rating_kw: true", "microgrids[0].energy_cells[2].rating_kw", None, "in kW"),
    ("rating_kw: 18", "rating_kw: .nan", "microgrids[0].energy_cells[2].rating_kw", None, "in kW"),
    (
        "rating_kw: [12, 24]",
        "rating_kw: [24, 12]",
        "microgrids[0].energy_cells[0].rating_kw",
        None,
        "smaller number first",
    ),
    (
        "price_min_micro_eur_per_kwh: 130000",
        "price_min_micro_eur_per_kwh: -1",
        "microgrids[0].energy_cells[2].price_min_micro_eur_per_kwh",
        None,
        "micro-EUR per kWh",
    ),
    (
        "import_price_micro_eur_per_kwh: 320000",
        "import_price_micro_eur_per_kwh: 0.32",
        "operator.import_price_micro_eur_per_kwh",
        None,
        "0.30 EUR/kWh = 300000",
    ),
    (
        "import_price_micro_eur_per_kwh: 320000",
        "import_price_micro_eur_per_kwh: 70000",
        "operator.import_price_micro_eur_per_kwh",
        None,
        "at least the export price",
    ),
    ("seed: 20160118", "seed: 1.5", "seed", None, "docs/scenario.md"),
    ("seed: 20160118", "seed: 1\nseed: 2", "seed", "seed: 2", "keep one"),
    ("slot_minutes: 15", "slot_minutes: 20", "slot_minutes", None, "15, 30 or 60"),
    ("13:00:00Z", "13:05:00Z", "start_utc", None, "multiple of 15"),
    ("2016-01-18T13", "1969-12-31T13", "start_utc", None, "from 2000 to 2098"),
    ("2016-01-18T13", "2099-01-01T13", "start_utc", None, "from 2000 to 2098"),
    ("2016-01-18T13", "2016-02-30T13", "start_utc", None, "between quotes"),
    (
        "slot_count: 24\n",
        "slot_count: 24\nprint_time_zone: Europe\n",
        "print_time_zone",
        "print_time_zone:",
        "Europe/Berlin",
    ),
    ("13:00:00Z", "13:00:00", "start_utc", None, "2016-01-18T14:00:00Z"),
    ("buses: [1, 2, 3, 8]", "buses: [1, 2, 3]", "operator.buses", "buses: [1, 2, 3]", "each bus"),
    (
        "buses: [1, 2, 3, 8]",
        "buses: [1, 2, 3, 8, 9]",
        "microgrids[2].buses[0]",
        "buses: [9, 10, 11]",
        "one owner",
    ),
    ("buses: [1, 2, 3, 8]", "buses: [1, 2, 3, 8, 12]", "operator.buses[4]", None, "out of [1, 2"),
    ("buses: [5, 6]", "buses: [5, 7]", "microgrids[0].energy_cells[1].buses[1]", None, "[4, 5, 6]"),
    (
        "chain_id: mg-b",
        "chain_id: grid-1",
        "microgrids[1].chain_id",
        "chain_id: grid-1\n    buses: [7]",
        "another one",
    ),
    ("id: a-chp", "id: a-home-1", "microgrids[0].energy_cells[2].id", None, "another one"),
    ("kind: chp", "kind: boiler", "microgrids[0].energy_cells[2].kind", None, "docs/scenario.md"),
    ("profile: [BM1]", "profile: []", "microgrids[0].energy_cells[2].profile", None, "[H0-A]"),
    (
        "sell_hours_utc: [16, 17, 18, 19]",
        "sell_hours_utc: [24]",
        "microgrids[1].energy_cells[3].sell_hours_utc[0]",
        None,
        "0 to 23",
    ),
    ("power_kw: 1500", "power_mw: 1.5", "events[0].power_mw", None, "power_kw"),
    ("event: dispatch", "event: dispach", "events[0]", None, "'dispatch'"),
    ("slots: [8]", "slots: [24]", "events[0].slots", "slots: [24]", "0 to 23"),
    ("slots: [8]", "slots: [8, 8]", "events[0].slots", None, "earliest first"),
    ("slots: [8]", "slots: [8, 7]", "events[0].slots", None, "earliest first"),
    ("cell: a-depot", "cell: a-bus", "events[0].cell", None, "energy_cells"),
    ("cell: a-depot", "cell: a-home-1", "events[0].cell", None, "kind: device"),
    ("case: cigre_mv_feeder_1", "case: cigre", "network.case", None, "docs/scenario.md"),
    ("  case: cigre_mv_feeder_1\n", "", "network", "network:", "pandapower_json"),
    ("scenario: evening\n", "", "scenario", "", "add `scenario:`"),
]


def _line_of(text: str, marker: str) -> int:
    """Return the line on which *marker* stands, from 1; 0 for no marker."""
    return text[: text.index(marker)].count("\n") + 1 if marker else 0


@pytest.mark.parametrize(("old", "new", "key", "at", "advice"), REFUSED)
def test_a_spoiled_scenario_is_refused_with_line_key_and_advice(
    tmp_path: Path, old: str, new: str, key: str, at: str | None, advice: str
) -> None:
    assert old in TEXT
    path = tmp_path / "spoiled.yaml"
    spoiled = TEXT.replace(old, new, 1)
    path.write_text(spoiled)
    line = _line_of(spoiled, new if at is None else at)
    with pytest.raises(ConfigError) as refusal:
        load_scenario(path)
    expected_place = f"{path}:{line}" if line else str(path)
    assert (refusal.value.key, refusal.value.file) == (key, expected_place)
    assert advice in refusal.value.instead


@pytest.mark.parametrize("name", ["evening", "day"])
def test_a_shipped_scenario_has_twenty_energy_cells_a_microgrid(name: str) -> None:
    config = load_scenario(shipped_scenario(name))
    for microgrid in config.microgrids:
        cells = [cell for cell in expand_cells(config) if cell.microgrid == microgrid.name]
        assert len(cells) >= 20


def test_a_file_that_extends_another_lays_its_keys_over_it(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(TEXT)
    over = tmp_path / "over.yaml"
    over.write_text("extends: base.yaml\nnetwork: {load_scaling: 0.3}\n")
    config = load_scenario(over)
    assert config.network.load_scaling == pytest.approx(0.3)
    assert config.network.case == "cigre_mv_feeder_1"


def test_files_that_extend_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    loop = tmp_path / "loop.yaml"
    loop.write_text("extends: loop.yaml\n")
    with pytest.raises(ConfigError, match="circle"):
        load_scenario(loop)


def test_the_first_slots_keep_their_events_and_lose_those_of_later_ones() -> None:
    config = load_scenario(shipped_scenario("evening"))
    short = first_slots(config, 15)
    assert short.slot_count == 15
    kept = [(event.event, getattr(event, "slots", None)) for event in short.events]
    assert kept == [
        ("dispatch", [8]),
        ("dispatch", [8]),
        ("dispatch", [14]),
        ("slack_voltage", [14]),
        ("dispatch", [2, 9]),
        ("dispatch", [5]),
        ("dispatch", [3, 6]),
        ("dispatch", [3]),
        ("dispatch", [6, 11]),
    ]
    assert first_slots(config, 24) == config
    down = config.model_copy(
        update={"events": [RelayerDownEvent(event="relayer_down", slot=3, seconds=60)]}
    )
    assert (len(first_slots(down, 3).events), len(first_slots(down, 4).events)) == (0, 1)


@pytest.mark.parametrize("count", [0, -1, 25])
def test_more_or_fewer_slots_than_there_are_are_refused(count: int) -> None:
    config = load_scenario(shipped_scenario("evening"))
    with pytest.raises(ConfigError, match="from 1 to 24"):
        first_slots(config, count)


def test_an_unknown_shipped_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="day, evening"):
        shipped_scenario("morning")


def test_broken_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("scenario: x\nnetwork: {case: [\n")
    with pytest.raises(ConfigError) as refusal:
        load_scenario(path)
    assert refusal.value.file == f"{path}:3"


def test_a_scenario_written_out_in_full_is_read_back_the_same(tmp_path: Path) -> None:
    """A run folder holds the scenario with every default, and a resume reads it from there."""
    path = tmp_path / "own.yaml"
    own = "\n  week: winter\n  meters_csv: own.csv\n  meters_unit: kWh\n"
    path.write_text(TEXT.replace("\n  week: winter\n", own))
    config = load_scenario(path)
    written = tmp_path / "run" / "scenario.yaml"
    written.parent.mkdir()
    written.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
    assert load_scenario(written) == config
    assert config.profiles.meters_csv == tmp_path / "own.csv"


def test_import_may_cost_what_export_brings(tmp_path: Path) -> None:
    path = tmp_path / "equal.yaml"
    path.write_text(
        TEXT.replace(
            "export_price_micro_eur_per_kwh: 80000", "export_price_micro_eur_per_kwh: 320000"
        )
    )
    assert load_scenario(path).operator.export_price_micro_eur_per_kwh == 320_000


def test_main_net_finality_does_not_fit_a_lead_of_fifteen_minutes(tmp_path: Path) -> None:
    path = tmp_path / "main-net.yaml"
    text = FAST.replace("    chain_id: mg-a\n", "    chain_id: mg-a\n    finality_s: 960\n")
    assert text != FAST
    path.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        load_scenario(path)
    assert refusal.value.key == "preset"
    assert "lock deadline before tau: have 160 s, need 1110 s" in refusal.value.what
    assert "F_A 960 + P 30 + 2 I_B 60 + K 60" in refusal.value.what
    path.write_text(text.replace("preset: fast", "preset: slow"))
    assert load_scenario(path).microgrids[0].finality_s == 960


def test_a_fabric_ledger_needs_its_preset(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    text = FAST.replace("    chain_id: mg-a\n", "    chain_id: mg-a\n    ledger: fabric\n")
    path.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        load_scenario(path)
    assert refusal.value.key == "preset"
    assert "have 160 s, need 205 s = F_A 10 + P 30 + 2 I_B 60 + K 105" in refusal.value.what
    assert "write preset: fabric" in refusal.value.instead
    path.write_text(text.replace("preset: fast", "preset: fabric"))
    assert load_scenario(path).microgrids[0].ledger.chain_kind == "fabric"


def test_an_unknown_kind_of_ledger_lists_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(TEXT.replace("    chain_id: mg-a\n", "    chain_id: mg-a\n    ledger: besu\n"))
    with pytest.raises(ConfigError, match="'tendermint', 'ethereum' or 'fabric'"):
        load_scenario(path)
