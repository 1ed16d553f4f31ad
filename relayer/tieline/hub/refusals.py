"""
Sorts a ledger's refusals by what to do: wait, send again, divide, take for done, or look.

Numbers are those of the contract, of ibc-go and of the Cosmos SDK; each is looked up with its
codespace, since they repeat between these.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final

from tieline.contract.chaincode_errors import AlreadyExecuted
from tieline.contract.errors import WrongSequence
from tieline.protocol.errors import (
    ClientNotActive,
    ConsensusStateNotFound,
    HeightTooHigh,
    ProtocolError,
)


class Refusal(Enum):
    """What a refused transaction asks of the relayer."""

    NOT_YET = "not yet"
    """Wait; the same message is taken later."""
    CLIENT_BEHIND = "client behind"
    """An update that was counted on did not come; the next transaction brings it itself."""
    SEQUENCE = "sequence"
    """The messages were not looked at; send them again."""
    BUSY = "busy"
    """The ledger takes no more just now; send the same again."""
    REDUNDANT = "redundant"
    """All of it is done: somebody else was faster."""
    HELD = "held"
    """Nothing of this kind is taken before somebody acts: hold it, say why, try now and then."""
    WRONG = "wrong"
    """Look at the ledger's state before trying again."""


_KNOWN: Final = {
    (WrongSequence.codespace, WrongSequence.code): Refusal.SEQUENCE,
    (HeightTooHigh.codespace, HeightTooHigh.code): Refusal.CLIENT_BEHIND,
    (ConsensusStateNotFound.codespace, ConsensusStateNotFound.code): Refusal.CLIENT_BEHIND,
    (ClientNotActive.codespace, ClientNotActive.code): Refusal.HELD,
    (AlreadyExecuted.codespace, AlreadyExecuted.code): Refusal.REDUNDANT,
    ("channel", 22): Refusal.REDUNDANT,
    ("sdk", 5): Refusal.HELD,  # the account cannot pay the fee
    ("sdk", 13): Refusal.HELD,  # the fee is too small
    ("sdk", 19): Refusal.BUSY,  # the same transaction waits in the mempool
    ("sdk", 20): Refusal.BUSY,  # the mempool is full
    # Fabric's validation codes: the last of several proposals lost, and nothing of it took effect.
    ("fabric", 10): Refusal.BUSY,  # endorsed under a policy that changed meanwhile
    ("fabric", 11): Refusal.BUSY,  # others wrote what it had read
    ("fabric", 12): Refusal.BUSY,  # others wrote into a range that it had read
    ("fabric", 17): Refusal.BUSY,  # endorsed under a definition that changed meanwhile
}

HELD_BECAUSE: Final = {
    (ClientNotActive.codespace, ClientNotActive.code): "client is not active",
    ("sdk", 5): "the relayer's account cannot pay; send it money",
    ("sdk", 13): "the fee is too small; raise gas_price",
}
"""In words, why a ledger takes nothing of a kind."""


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
    known = _KNOWN.get((codespace, code))
    if known is not None:
        return known
    is_later = any(
        kind.true_later and (kind.codespace, kind.code) == (codespace, code)
        for kind in _kinds(ProtocolError)
    )
    return Refusal.NOT_YET if is_later else Refusal.WRONG


def held_because(codespace: str, code: int, log: str) -> str:
    """Return why a ledger takes nothing of a kind, as an operator reads it."""
    for status in ("Frozen", "Expired"):
        if f"status {status}" in log or f"status={status}" in log:
            return f"client {status.lower()}"
    return HELD_BECAUSE.get((codespace, code), log)
