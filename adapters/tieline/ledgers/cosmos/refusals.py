"""
What an ibc-go chain's refusals ask of us. Its numbers repeat between codespaces and versions; the
words of its logs are the safer key.
"""

from __future__ import annotations

from tieline.interfaces.errors import HubError, NotYet, Rejected

_TRUE_LATER = (
    "packet timeout not reached",
    "mempool is full",
)
"""What the same transaction meets no more after a while."""


def sorted_refusal(codespace: str, code: int, log: str) -> HubError:
    """Return the error for a transaction that was refused at the door; *code* at least 1."""
    if any(words in log for words in _TRUE_LATER):
        return NotYet(f"{codespace} {code}: {log}")
    return Rejected(codespace, code, log)
