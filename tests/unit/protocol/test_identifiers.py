"""Identifiers at their borders."""

from __future__ import annotations

import pytest

from tieline.protocol.errors import InvalidIdentifier
from tieline.protocol.identifiers import (
    client_type_of,
    parse_client_id,
    parse_port_id,
    parse_sequence,
)


@pytest.mark.parametrize(
    "text", ["07-tendermint-0", "attestations-12", "abcdef-0", "a" * 62 + "-0", "evm-sealed-3"]
)
def test_client_ids_of_eight_to_sixty_four_characters_pass(text: str) -> None:
    assert parse_client_id(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ext-0",
        "abcde-0",
        "a" * 63 + "-0",
        "tendermint",
        "07-tendermint-",
        "07-tendermint-01",
        "07-tendermint-x",
        "07 tendermint-0",
        "07/tendermint-0",
        "07-tendermint-0\n",
        "07-tendermïnt-0",
        "07-tendermint--1",
    ],
)
def test_other_client_ids_are_refused(text: str) -> None:
    with pytest.raises(InvalidIdentifier, match="client id"):
        parse_client_id(text)


def test_the_type_is_what_stands_before_the_number() -> None:
    assert client_type_of(parse_client_id("07-tendermint-12")) == "07-tendermint"


@pytest.mark.parametrize("text", ["", "x", "x" * 129, "a b", "a/b", "energytrade\n"])
def test_ports_out_of_form_are_refused(text: str) -> None:
    with pytest.raises(InvalidIdentifier, match="port id"):
        parse_port_id(text)


@pytest.mark.parametrize("number", [0, -1, 2**64])
def test_sequences_out_of_range_are_refused(number: int) -> None:
    with pytest.raises(InvalidIdentifier, match="sequence"):
        parse_sequence(number)


def test_borders_of_ports_and_sequences_pass() -> None:
    assert parse_port_id("ab") == "ab"
    assert parse_port_id("x" * 128) == "x" * 128
    assert parse_sequence(2**64 - 1) == 2**64 - 1
