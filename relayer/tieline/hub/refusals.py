"""Sorts a ledger's refusals: true later, the account's sequence, or wrong."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from tieline.contract.errors import WrongSequence
from tieline.protocol.errors import ProtocolError


class Refusal(Enum):
    """What a refused transaction asks of the relayer."""

    NOT_YET = "not yet"
    """Wait; the same message is taken later."""
    SEQUENCE = "sequence"
    """The messages were not looked at; send them again."""
    WRONG = "wrong"
    """Look at the ledger's state before trying again."""


def _kinds(kind: type[ProtocolError]) -> Iterator[type[ProtocolError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)


def sort_refusal(codespace: str, code: int) -> Refusal:
    """
    Return what to do about a refusal.

    Args:
        codespace: Whose number *code* is; empty if the ledger did not say, then nothing is
            taken for "not yet".
        code: At least 1.
    """
    if (codespace, code) == (WrongSequence.codespace, WrongSequence.code):
        return Refusal.SEQUENCE
    is_later = any(
        kind.true_later and (kind.codespace, kind.code) == (codespace, code)
        for kind in _kinds(ProtocolError)
    )
    return Refusal.NOT_YET if is_later else Refusal.WRONG
