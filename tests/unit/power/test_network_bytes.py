"""Canonical bytes of a network and its epoch."""

from dataclasses import replace

import pytest
from fakes.networks import network_rows, published_case

from tieline.power.errors import IslandWithoutSlack, NetworkError, UnknownBus
from tieline.power.network import Bus, Line, Network, Slack, Tie, Transformer
from tieline.power.network_bytes import network_bytes, network_epoch, network_from_bytes
from tieline.wire.errors import Malformed


def from_rows(rows: dict) -> Network:
    """Build a network from the plain columns of the golden file."""
    return Network(
        owners=tuple(bytes.fromhex(owner) for owner in rows["owners"]),
        slack=Slack(*rows["slack"]),
        buses=tuple(Bus(*row) for row in rows["buses"]),
        lines=tuple(Line(*row[:9], *map(bool, row[9:])) for row in rows["lines"]),
        transformers=tuple(
            Transformer(*row[:18], *map(bool, row[18:])) for row in rows["transformers"]
        ),
        aliases=tuple((bus, target) for bus, target in rows["aliases"]),
        ties=tuple(
            Tie(line, bytes.fromhex(start), bytes.fromhex(end), share)
            for line, start, end, share in rows["ties"]
        ),
    )


@pytest.mark.parametrize("name", sorted(network_rows()))
def test_the_golden_columns_give_the_golden_bytes_and_epoch(name: str) -> None:
    case = network_rows()[name]
    network = from_rows(case["rows"])
    assert network_bytes(network).hex() == case["bytes"]
    assert network_epoch(network).hex() == case["epoch"]
    assert network_from_bytes(bytes.fromhex(case["bytes"])) == network


ALL_COLUMNS = from_rows(network_rows()["all_columns"]["rows"])


@pytest.mark.parametrize("bit", [1, 2, 128])
def test_every_single_byte_of_the_table_changes_the_network_or_is_refused(bit: int) -> None:
    data = network_bytes(ALL_COLUMNS)
    for place in range(len(data)):
        spoiled = data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]
        try:
            decoded = network_from_bytes(spoiled)
        except Malformed:
            continue
        assert decoded != ALL_COLUMNS
        assert network_bytes(decoded) == spoiled


@pytest.mark.parametrize("cut", [0, 1, 31, 32, 51, 52, 100, -1])
def test_bytes_that_end_early_are_refused(cut: int) -> None:
    with pytest.raises(Malformed):
        network_from_bytes(network_bytes(ALL_COLUMNS)[:cut])


def test_a_byte_too_many_is_refused() -> None:
    with pytest.raises(Malformed, match="1 bytes too many"):
        network_from_bytes(network_bytes(ALL_COLUMNS) + b"\0")


def test_one_switch_is_another_epoch() -> None:
    network = published_case("cigre_mv_feeder_1").network
    closed = network.with_line_switch(12)
    assert network_epoch(closed) != network_epoch(network)
    assert network_epoch(closed.with_line_switch(12, to_closed=False)) == network_epoch(network)


def test_one_tap_step_is_another_epoch() -> None:
    assert network_epoch(ALL_COLUMNS.with_tap(0, -3)) != network_epoch(ALL_COLUMNS)


def test_a_tap_position_that_the_transformer_lacks_is_refused() -> None:
    with pytest.raises(NetworkError, match="no such tap position"):
        ALL_COLUMNS.with_tap(0, 10)


def test_a_negative_number_in_an_unsigned_column_does_not_fit() -> None:
    spoiled = replace(ALL_COLUMNS, lines=(replace(ALL_COLUMNS.lines[0], i_max=-1),), ties=())
    with pytest.raises(Malformed, match="does not fit"):
        network_bytes(spoiled)


LINE = ALL_COLUMNS.lines[0]
BUS = ALL_COLUMNS.buses[0]
REFUSED = [
    # what is wrong                       change of the network                           error
    ("slack at a bus that is not there", {"slack": Slack(99, 10**9)}, UnknownBus),
    ("line to a bus that is not there", {"lines": (replace(LINE, to_bus=99),)}, UnknownBus),
    ("line to itself", {"lines": (replace(LINE, to_bus=8),)}, NetworkError),
    ("line without impedance", {"lines": (replace(LINE, r=0, x=0),)}, NetworkError),
    ("line between two voltages", {"lines": (replace(LINE, from_bus=7),)}, NetworkError),
    ("owner that is not there", {"buses": (replace(BUS, owner=2),)}, NetworkError),
    ("owner of 19 bytes", {"owners": (bytes(19), bytes(20))}, NetworkError),
    ("no owners", {"owners": ()}, NetworkError),
    ("buses not ascending", {"buses": ALL_COLUMNS.buses[::-1]}, NetworkError),
    ("bus twice", {"buses": (BUS, *ALL_COLUMNS.buses)}, NetworkError),
    ("band upside down", {"buses": (replace(BUS, v_min=2 * 10**9),)}, NetworkError),
    ("slack without voltage", {"slack": Slack(7, 0)}, NetworkError),
    ("alias to a bus that is not there", {"aliases": ((13, 99),)}, NetworkError),
    ("alias of a bus of the table", {"aliases": ((12, 8),)}, NetworkError),
    ("tie that is no line", {"ties": (replace(ALL_COLUMNS.ties[0], line=9),)}, NetworkError),
    ("share above one", {"ties": (replace(ALL_COLUMNS.ties[0], from_share=2**21),)}, NetworkError),
    ("island", {"lines": (ALL_COLUMNS.lines[1],), "ties": ()}, IslandWithoutSlack),
]


@pytest.mark.parametrize(
    ("change", "error"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_a_network_that_cannot_be_is_refused(change: dict, error: type[Exception]) -> None:
    with pytest.raises(error):
        replace(ALL_COLUMNS, **change)


def test_an_island_names_its_buses() -> None:
    with pytest.raises(IslandWithoutSlack) as refused:
        replace(ALL_COLUMNS, lines=(ALL_COLUMNS.lines[1],), ties=())
    assert refused.value.buses == (12,)
