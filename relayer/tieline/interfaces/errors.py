"""
What can go wrong, sorted by what the caller should do.

    HubError
    ├─ NotYet         true later                          -> wait; warn when late
    ├─ Unavailable    the ledger does not answer          -> back off and retry
    ├─ Rejected       the ledger refused the transaction  -> look at its state again; never resend
    unchanged
    └─ ConfigError    the operator must act               -> stop at start, name the key and what
    to write
"""

from __future__ import annotations


class HubError(Exception):
    """Anything the hub expects to meet."""


class NotYet(HubError):
    """True later; wait and ask again."""


class Unavailable(HubError):
    """The ledger does not answer; back off and retry."""


class Rejected(HubError):
    """The ledger refused the transaction; read its state again, never resend unchanged."""

    def __init__(self, codespace: str, code: int, log: str) -> None:
        super().__init__(f"rejected: codespace={codespace} code={code} {log}")
        self.codespace = codespace
        self.code = code
        self.log = log


class ConfigError(HubError):
    """The operator must change something; the message says what to write instead."""
