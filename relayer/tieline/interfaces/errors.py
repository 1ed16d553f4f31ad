"""
What can go wrong, sorted by what the caller should do.

    HubError
    ├─ NotYet         true later                          -> wait; warn when late
    ├─ Unavailable    the ledger does not answer          -> back off and retry
    │  ├─ Pruned        it no longer has that height      -> another peer may; retrying helps not
    │  ├─ Contradicted  a peer says what cannot be true   -> ask another; look at this one
    │  └─ Reorganised   shown blocks were left by the ledger -> read it again from before them
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


class Pruned(Unavailable):
    """A height is no longer kept; another peer may have it, retrying with this one helps not."""


class Contradicted(Unavailable):
    """A peer says what cannot be true beside what was seen before; an operator must look at it."""


class Reorganised(Unavailable):
    """
    Blocks that were final by the configured rule are gone; what was learnt from them must be
    forgotten, and the ledger read again.

    Args:
        ledger_id: Which ledger.
        height: The last block that still stands.
        depth: How many shown blocks are gone.
    """

    def __init__(self, ledger_id: str, height: int, depth: int) -> None:
        super().__init__(
            f"re-organised deeper than its finality: ledger={ledger_id} stands={height} "
            f"gone={depth}; wait for more confirmations if this was no test"
        )
        self.ledger_id = ledger_id
        self.height = height
        self.depth = depth

    def joined(self, other: Reorganised) -> Reorganised:
        """Return what tells of this one and of another of the same ledger at once."""
        height = min(self.height, other.height)
        last = max(self.height + self.depth, other.height + other.depth)
        return Reorganised(self.ledger_id, height, last - height)


class Rejected(HubError):
    """The ledger refused the transaction; read its state again, never resend unchanged."""

    def __init__(self, codespace: str, code: int, log: str) -> None:
        super().__init__(f"rejected: codespace={codespace} code={code} {log}")
        self.codespace = codespace
        self.code = code
        self.log = log


class ConfigError(HubError):
    """
    The operator must change something; the message says where, what is wrong and what to write.

    Args:
        what: What is wrong, a lower-case phrase.
        file: The file, with its line where known (``evening.yaml:17``).
        key: The path of the key, such as ``microgrids[0].energy_cells[2].rating_kw``.
        instead: What to write instead.
    """

    def __init__(self, what: str, *, file: str = "", key: str = "", instead: str = "") -> None:
        place = ": ".join(part for part in (file, key) if part)
        message = f"{place}: {what}" if place else what
        super().__init__(f"{message}; {instead}" if instead else message)
        self.what = what
        self.file = file
        self.key = key
        self.instead = instead
