"""
What an Ethereum node answers instead of a result, sorted by what to do. Nodes agree on texts, not
on codes, so texts are read; each is quoted in the tests as a node said it.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, Final, cast

from tieline.interfaces.errors import HubError, NotYet, Pruned, Rejected, Unavailable

CODESPACE: Final = "evm"
REVERTED: Final = 3
"""Code of a refusal whose reason is the contract's own bytes; also the nodes' own code for it."""
DOOR: Final = 2
"""Code of any other refusal of a transaction by a node."""
_REASON_MAX: Final = 400


class Reverted(Rejected):
    """The contract undid the transaction, or would undo it; ``data`` is its reason."""

    def __init__(self, message: str, data: bytes) -> None:
        shown = f" data=0x{data[:68].hex()}" if data else ""
        super().__init__(CODESPACE, REVERTED, f"{message}{shown}")
        self.data = data


class Unsorted(Unavailable):
    """A node answered with an error of which nobody here knows what it means."""


class DoorRefusal(Enum):
    """Why a node does not take a transaction, as far as there is something to do about it."""

    KNOWN = "known"
    """It has it already: success."""
    NONCE_USED = "nonce used"
    """A transaction with that nonce is in a block: this one, an earlier form of it, or another."""
    REPLACEMENT_UNDERPRICED = "replacement underpriced"
    """Another with that nonce waits, and this one does not pay enough more."""
    UNDERPRICED = "underpriced"
    """It pays less than the node asks at all, or less than the block's base fee."""
    UNDERFUNDED = "underfunded"
    """The account cannot pay for it."""
    FULL = "full"
    """The node has no room just now."""
    OTHER = "other"
    """Something is wrong with the transaction itself."""


_DOOR: Final = (
    (DoorRefusal.KNOWN, r"already known|already imported|known transaction"),
    (DoorRefusal.NONCE_USED, r"nonce too low|nonce is too low|old nonce"),
    (DoorRefusal.REPLACEMENT_UNDERPRICED, r"replacement transaction underpriced"),
    (
        DoorRefusal.UNDERPRICED,
        r"underpriced|less than block base fee|gas price (?:below|too low)|fee per gas less than",
    ),
    (
        DoorRefusal.UNDERFUNDED,
        r"insufficient funds|insufficient balance|sender doesn't have enough",
    ),
    (DoorRefusal.FULL, r"txpool is full|pool (?:is )?full|too many (?:pending|transactions)"),
)
_DOOR_PATTERNS: Final = tuple((kind, re.compile(text, re.IGNORECASE)) for kind, text in _DOOR)

_RAN_LATE: Final = re.compile(r"timed? ?out|deadline exceeded", re.IGNORECASE)
"""The node gave up on answering, not on what it was asked to do."""
_LIMITED: Final = -32005
"""More was asked than this node answers in a time (EIP-1474)."""
_TOO_OFTEN: Final = re.compile(r"rate.?limit|too many requests", re.IGNORECASE)
_LATER: Final = re.compile(
    r"extends beyond current head|invalid block range|header not found|(?:unknown|invalid) block"
    r"|block .*not found|header for hash not found",
    re.IGNORECASE,
)
_NO_LONGER: Final = re.compile(
    r"historical state .*(?:not available|unavailable)|missing trie node|state .*is not available"
    r"|history .*(?:pruned|unavailable|not available)|pruned",
    re.IGNORECASE,
)
_OUT_OF_RANGE: Final = re.compile(r"block height is (\d+) but requested was (\d+)")
_REVERT: Final = re.compile(r"execution reverted|revert", re.IGNORECASE)
_RAN_OUT: Final = re.compile(r"out of gas|gas required exceeds|invalid opcode", re.IGNORECASE)


def door_refusal(message: str) -> DoorRefusal:
    """Return why a node that answers ``eth_sendRawTransaction`` with *message* refused it."""
    for kind, pattern in _DOOR_PATTERNS:
        if pattern.search(message):
            return kind
    return DoorRefusal.OTHER


def sorted_error(method: str, error: dict[str, Any]) -> HubError:
    """
    Return what to do about an error object of an answer.

    Args:
        method: What was asked.
        error: ``code``, ``message`` and maybe ``data``.
    """
    code, message = error.get("code", 0), str(error.get("message", ""))[:_REASON_MAX]
    said = f"{method}: {message}"
    if method == "eth_sendRawTransaction":
        # A node that ran out of time may have taken it all the same.
        is_told = not _RAN_LATE.search(message)
        return Rejected(CODESPACE, DOOR, message) if is_told else Unavailable(said)
    if method in {"eth_call", "eth_estimateGas"}:
        data = revert_data(error.get("data"))
        if code == REVERTED or data or _REVERT.search(message):
            return Reverted(message, data)
        if _RAN_OUT.search(message):
            return Reverted(message, b"")
        if door_refusal(message) is not DoorRefusal.OTHER:
            return Rejected(CODESPACE, DOOR, message)
    place = _OUT_OF_RANGE.search(message)
    if place is not None:
        # Anvil says so too of a state that it lost in a restart, below its head.
        is_below = int(place[2]) <= int(place[1])
        return Pruned(said) if is_below else NotYet(said)
    if _NO_LONGER.search(message):
        return Pruned(said)
    if _LATER.search(message):
        return NotYet(said)
    kind = Unavailable if code == _LIMITED or _TOO_OFTEN.search(message) else Unsorted
    return kind(f"{said} code={code}")


def revert_data(data: object) -> bytes:
    """Return the bytes of a revert, however a node wraps them; empty if there are none."""
    if isinstance(data, dict):
        data = cast("dict[str, object]", data).get("data")
    if not isinstance(data, str):
        return b""
    found = re.search(r"0x([0-9a-fA-F]*)", data)
    text = found[1] if found else ""
    return bytes.fromhex(text) if len(text) % 2 == 0 else b""
