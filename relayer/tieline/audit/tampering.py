"""
Spoils a copy of a run in one way after another and audits it: every change must be seen, and its
ledger and height, or its slot, named.

Only what a change concerns is audited again; where that part sees nothing, all the rest is asked.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random, SystemRandom

from tieline.audit.auditing import (
    Progress,
    RunAudit,
    audit_ledger,
    audit_ledgers_together,
    audit_run,
    audit_slot,
    audit_successes,
    check_sums,
    read_evidence,
)
from tieline.audit.findings import Finding, Findings, Place
from tieline.audit.run_files import RunFiles
from tieline.audit.spoiling import WAYS, Spoiled
from tieline.audit.spoiling_fabric import FABRIC_WAYS
from tieline.interfaces.errors import ConfigError
from tieline.wire.checksums import CHECKSUMS_FILE, COVERED_FILES

_SEEDS = 2**32
_WAYS = (*WAYS, *FABRIC_WAYS)


@dataclass(frozen=True, slots=True)
class Trial:
    """One change, and whether the audit saw it."""

    what: str
    """What was done, in words."""
    is_noticed: bool
    """A finding names the ledger and height, or the slot, or the file that was spoiled."""
    finding: str
    """That finding; the first other one, or nothing, if it was not noticed."""


@dataclass(frozen=True, slots=True)
class TamperReport:
    """The outcome of all trials."""

    seed: int
    """Gives the same trials again."""
    trials: tuple[Trial, ...]

    @property
    def is_ok(self) -> bool:
        """Every change was noticed."""
        return all(trial.is_noticed for trial in self.trials)

    def to_json(self) -> dict[str, object]:
        """Return plain data for ``json.dumps``."""
        trials = [dataclasses.asdict(trial) for trial in self.trials]
        return {"is_ok": self.is_ok, "seed": self.seed, "trials": trials}


def tamper(
    run: Path, count: int, seed: int | None = None, progress: Progress | None = None
) -> TamperReport:
    """
    Spoil a copy of *run* in *count* ways, one at a time.

    Args:
        run: A run that passes the audit; it is not touched.
        count: How many trials; every way comes once before any comes again.
        seed: Chooses places; drawn if None.
        progress: Told how far the trials are.

    Raises:
        ConfigError: There is no run, or it does not pass the audit as it is.
    """
    chosen = SystemRandom().randrange(_SEEDS) if seed is None else seed
    chance = Random(chosen)  # noqa: S311 - chooses places to spoil, guards nothing
    with tempfile.TemporaryDirectory(prefix="tieline-tamper-") as folder:
        copy = Path(folder) / "run"
        _copy(run, copy)
        sound = audit_run(copy, progress)
        if sound.findings.rows:
            raise ConfigError(
                f"the run does not pass the audit as it is: {sound.findings.rows[0]}",
                file=str(run),
                instead="look at `tieline audit` first",
            )
        trials: list[Trial] = []
        for number in range(count):
            spoiled = _spoil(sound.files, number, chance)
            trials.append(_try(sound, spoiled))
            if progress is not None:
                progress("trials", number + 1, count)
    return TamperReport(chosen, tuple(trials))


def _copy(run: Path, copy: Path) -> None:
    """Copy what an audit reads."""
    for pattern in (*COVERED_FILES, CHECKSUMS_FILE):
        for path in run.glob(pattern):
            target = copy / path.relative_to(run)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _spoil(files: RunFiles, number: int, chance: Random) -> Spoiled:
    """Return the next change; a way that this run offers nothing for gives its turn away."""
    for offset in range(len(_WAYS)):
        spoiled = _WAYS[(number + offset) % len(_WAYS)](files, chance)
        if spoiled is not None:
            return spoiled
    raise AssertionError("a run has blocks, and blocks can always be deleted")


def _try(sound: RunAudit, spoiled: Spoiled) -> Trial:
    """Apply a change, audit, and put everything back."""
    files = sound.files
    before = {name: files.read(name) for name in spoiled.changes}
    try:
        for name, content in spoiled.changes.items():
            _put(files.path / name, content)
        first = None
        for finding in _audit_changed(sound, spoiled):
            first = first or finding
            if _is_at(spoiled.place, finding.place):
                return Trial(spoiled.what, is_noticed=True, finding=str(finding))
        return Trial(spoiled.what, is_noticed=False, finding="" if first is None else str(first))
    finally:
        for name, content in before.items():
            _put(files.path / name, content)


def _put(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


def _is_at(wanted: Place, found: Place) -> bool:
    """Say whether a finding names what was spoiled: at least a ledger, a slot or a file."""
    pairs = (
        (wanted.ledger, found.ledger),
        (wanted.height, found.height),
        (wanted.slot_start, found.slot_start),
        (wanted.file, found.file),
    )
    names_something = bool(found.ledger or found.slot_start or found.file)
    return names_something and all(not want or want == got for want, got in pairs)


def _audit_changed(sound: RunAudit, spoiled: Spoiled) -> Iterator[Finding]:
    """Yield findings, those of the changed part first; nothing is asked before it is needed."""
    files = sound.files
    findings = Findings()
    work = dataclasses.replace(
        sound,
        findings=findings,
        histories=dict(sound.histories),
        evidence=dict(sound.evidence),
        readings=dict(sound.readings),
    )
    for name in spoiled.changes:
        kind, _, rest = name.partition("/")
        if kind == "ledgers":
            chain_id = rest.partition("/")[0]
            history = audit_ledger(files.ledger(chain_id), findings)
            if history is not None:
                work.histories[chain_id] = history
        elif kind == "evidence":
            slot_start = int(rest.removesuffix(".json"))
            read_evidence(work, slot_start)
            if slot_start in work.evidence:
                audit_slot(work, slot_start, findings)
    yield from findings.rows
    findings.rows.clear()
    audit_ledgers_together(work)
    audit_successes(work)
    yield from findings.rows
    findings.rows.clear()
    for slot_start in sorted(work.evidence) if work.world is not None else ():
        audit_slot(work, slot_start, findings)
        yield from findings.rows
        findings.rows.clear()
    check_sums(files, findings, [])
    yield from findings.rows
