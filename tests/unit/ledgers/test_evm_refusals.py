"""Revert data in words, and in the numbers that the hub sorts by."""

import pytest

from tieline.contract.errors import NotYetPosted
from tieline.hub.refusals import Refusal as Sorted
from tieline.hub.refusals import sort_refusal
from tieline.ledgers.ethereum.refusals import read_refusal
from tieline.wire.evm.declarations import Function


def revert(declaration, *values):
    return Function(declaration).encode(*values)


def test_an_error_of_the_contracts_has_the_python_contracts_numbers():
    """So a relayer waits for what is true later, on either kind of ledger."""
    why = read_refusal(revert("error NotYetPosted(bytes32 rule)", b"price band".ljust(32, b"\0")))
    assert (why.codespace, why.code) == (NotYetPosted.codespace, NotYetPosted.code)
    assert why.log == "NotYetPosted: rule=price band"
    assert sort_refusal(why.codespace, why.code) is Sorted.NOT_YET


def test_a_client_that_is_behind_is_sorted_as_such():
    why = read_refusal(revert("error HeightUnknown(uint64 client, uint64 height)", 0, 77))
    assert sort_refusal(why.codespace, why.code) is Sorted.CLIENT_BEHIND
    assert "height=77" in why.log


def test_a_frozen_client_holds_what_waits_for_it():
    why = read_refusal(revert("error ClientIsFrozen(uint64 client)", 3))
    assert sort_refusal(why.codespace, why.code) is Sorted.HELD
    assert why.log == "ClientIsFrozen: client=attestations-3"


@pytest.mark.parametrize(
    ("output", "breakdown", "log"),
    [
        (b"", "OutOfGas: Needed 3", "OutOfGas: Needed 3"),
        (b"", "", "reverted without a word"),
        (b"\x01\x02\x03\x04\x05", "", "revert data 0x0102030405"),
        (revert("error Error(string message)", "no"), "", "Error: message=no"),
        (revert("error Panic(uint256 code)", 17), "", "Panic: code=17"),
        (revert("error Paused(uint256 until)", 5)[:-1], "", "Paused: unreadable"),
        (
            revert("error NotTheCell(address caller)", b"\x09" * 20),
            "",
            "NotTheCell: caller=0x" + "09" * 20,
        ),
    ],
)
def test_whatever_comes_back_is_said(output, breakdown, log):
    """Also what no contract of ours says."""
    assert read_refusal(output, breakdown).log.startswith(log)
    assert read_refusal(output, breakdown).code
