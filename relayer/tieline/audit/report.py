"""What an audit came to: findings, checks, sums, and how every lock and packet ended."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass

from tieline.audit.findings import Check, Finding
from tieline.audit.lock_endings import LockEnding
from tieline.audit.packet_endings import PacketEnding


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One head of checks."""

    name: str
    is_ok: bool
    detail: str
    """How much was compared, or the first finding."""


@dataclass(frozen=True, slots=True)
class LedgerSummary:
    """One ledger that was executed again. Money in nano-EUR, energy in Wh."""

    ledger: str
    chain_tag: str
    genesis_sha256: str
    validators_sha256: str
    """The roots of trust: compare them with what the operators published."""
    height: int
    transaction_count: int
    failed_transaction_count: int
    app_hash: str
    pay_issued: int
    pay_accounts: int
    pay_escrows: int
    pay_locks: int
    pay_vaults: int
    kwh: int


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The outcome of an audit."""

    findings: tuple[Finding, ...]
    checks: tuple[CheckResult, ...]
    ledgers: tuple[LedgerSummary, ...]
    locks: tuple[LockEnding, ...]
    packets: tuple[PacketEnding, ...]
    slot_count: int
    verdict_count: int
    success_count: int
    """Success acknowledgements and accepted local trades; behind each stands a verdict."""
    notes: tuple[str, ...]
    """What could not be checked, and what is odd but no contradiction."""

    @property
    def is_ok(self) -> bool:
        """Nothing was found."""
        return not self.findings

    def count_locks(self) -> dict[str, int]:
        """Return how many locks' money ended which way."""
        return dict(sorted(Counter(row.ending for row in self.locks).items()))

    def count_packets(self) -> dict[str, int]:
        """Return how many packets ended which way."""
        return dict(sorted(Counter(row.ending for row in self.packets).items()))

    def to_json(self) -> dict[str, object]:
        """Return plain data for ``json.dumps``."""
        return {
            "is_ok": self.is_ok,
            "findings": [
                {
                    "ledger": row.place.ledger,
                    "height": row.place.height,
                    "slot_start": row.place.slot_start,
                    "file": row.place.file,
                    "check": str(row.check),
                    "rule": row.rule,
                    "expected": row.expected,
                    "found": row.found,
                }
                for row in self.findings
            ],
            "checks": [dataclasses.asdict(row) for row in self.checks],
            "ledgers": [dataclasses.asdict(row) for row in self.ledgers],
            "lock_endings": self.count_locks(),
            "packet_endings": self.count_packets(),
            "locks": [dataclasses.asdict(row) for row in self.locks],
            "packets": [dataclasses.asdict(row) for row in self.packets],
            "slot_count": self.slot_count,
            "verdict_count": self.verdict_count,
            "success_count": self.success_count,
            "notes": list(self.notes),
        }


def check_results(findings: tuple[Finding, ...], held: dict[Check, int]) -> tuple[CheckResult, ...]:
    """Return one row a head of checks, in their order."""
    rows: list[CheckResult] = []
    for check in Check:
        against = [row for row in findings if row.check is check]
        count = held.get(check, 0)
        if against:
            more = f" (and {len(against) - 1} more)" if len(against) > 1 else ""
            rows.append(CheckResult(str(check), is_ok=False, detail=f"{against[0]}{more}"))
        elif count:
            rows.append(CheckResult(str(check), is_ok=True, detail=f"{count:,} comparisons hold"))
        else:
            rows.append(CheckResult(str(check), is_ok=True, detail="nothing to compare"))
    return tuple(rows)
