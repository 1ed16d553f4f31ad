"""What an audit finds, and where: a ledger and a height, a slot, or a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

_SHOWN_CHARACTERS = 160


class Check(StrEnum):
    """What is checked, as the report groups it."""

    FILES = "files"
    BLOCKS = "blocks"
    STATE = "state"
    MONEY = "money"
    LIGHT_CLIENTS = "light clients"
    PACKETS = "packets"
    TOPOLOGY = "topology"
    CLEARINGS = "clearings"
    VERDICTS = "verdicts"
    FLOW_PROOFS = "flow proofs"
    DELIVERIES = "deliveries"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something was found; fields that say nothing are empty or 0."""

    ledger: str = ""
    """Chain id."""
    height: int = 0
    slot_start: int = 0
    """Unix seconds."""
    file: str = ""
    """Below the run folder."""

    def __str__(self) -> str:
        parts: list[str] = []
        if self.ledger:
            parts.append(f"ledger {self.ledger}")
        if self.height:
            parts.append(f"height {self.height}")
        if self.slot_start:
            parts.append(f"slot {self.slot_start}{_when(self.slot_start)}")
        if self.file:
            parts.append(self.file)
        return " ".join(parts)


def _when(time_s: int) -> str:
    """Return an instant in words; nothing of a number that no clock shows."""
    try:
        return f" ({datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M} UTC)"
    except (ValueError, OverflowError, OSError):
        return ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be."""

    place: Place
    check: Check
    rule: str
    """What was compared, in words."""
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}: expected {self.expected}, found {self.found}"


@dataclass(slots=True)
class Findings:
    """Collects findings, and counts what held."""

    rows: list[Finding] = field(default_factory=list[Finding])
    held: dict[Check, int] = field(default_factory=dict[Check, int])

    @property
    def is_empty(self) -> bool:
        """Nothing was found so far."""
        return not self.rows

    def refuse(
        self, place: Place, check: Check, rule: str, expected: object, found: object
    ) -> None:
        """Note that a rule does not hold."""
        self.rows.append(Finding(place, check, rule, show(expected), show(found)))

    def hold(self, check: Check, count: int = 1) -> None:
        """Count rules that hold."""
        self.held[check] = self.held.get(check, 0) + count

    def expect(
        self, place: Place, check: Check, rule: str, expected: object, found: object
    ) -> bool:
        """Compare, note the difference or count; say whether they are equal."""
        if expected == found:
            self.hold(check)
            return True
        self.refuse(place, check, rule, expected, found)
        return False

    def require(
        self, place: Place, check: Check, rule: str, *, holds: bool, expected: str, found: object
    ) -> bool:
        """Note *found* unless the rule holds; say whether it does."""
        if holds:
            self.hold(check)
        else:
            self.refuse(place, check, rule, expected, found)
        return holds


def show(value: object) -> str:
    """Return a value for people: bytes as hex, long ones cut."""
    text = value.hex() if isinstance(value, bytes) else str(value)
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS] + "..."
    return text or "nothing"
