"""
The whole audit of a run, in parts that can be asked for one at a time: a ledger, the topology, a
slot, the files' checksums.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from tieline.audit.acknowledgements import check_acknowledgements, check_published
from tieline.audit.block_chain import check_chain
from tieline.audit.evm_chain import check_evm_chain, kind_of
from tieline.audit.evm_history import fold_history
from tieline.audit.fabric_chain import check_fabric_chain
from tieline.audit.fabric_history import run_again
from tieline.audit.findings import Check, Findings, Place
from tieline.audit.ledger_history import LedgerHistory
from tieline.audit.light_client_states import LightClientRow, light_clients
from tieline.audit.lock_endings import LockEnding, check_locks, lock_endings, lock_notes
from tieline.audit.packet_endings import PacketEnding, packet_endings
from tieline.audit.replay import replay
from tieline.audit.report import AuditReport, CheckResult, LedgerSummary, check_results
from tieline.audit.run_files import TOPOLOGY_FILE, LedgerFiles, RunFiles
from tieline.audit.slot_clearing import check_clearing
from tieline.audit.slot_delivery import check_delivery, check_stored_deliveries
from tieline.audit.slot_flow import check_flow
from tieline.audit.slot_verdict import check_verdict
from tieline.audit.slot_view import SlotView
from tieline.audit.topology_check import World, check_topology, read_world
from tieline.swap.evidence import SignedReading, SlotEvidence
from tieline.wire.accounts import EVM_KIND, FABRIC_KIND
from tieline.wire.canonical_json import parse
from tieline.wire.checksums import CHECKSUMS_FILE, decode_checksums
from tieline.wire.errors import Malformed

Progress = Callable[[str, int, int], None]
"""Told what is under work, how much of it is done, and how much there is."""

_DONE = {
    EVM_KIND: "checked, their logs folded",
    FABRIC_KIND: "checked, their transactions run again",
}

Readings = Mapping[tuple[bytes, int], SignedReading]


@dataclass(slots=True)
class RunAudit:
    """An audit under way, and what it has learned of the run."""

    files: RunFiles
    findings: Findings = field(default_factory=Findings)
    histories: dict[str, LedgerHistory] = field(default_factory=dict[str, LedgerHistory])
    """By chain id; a ledger that cannot be executed is missing."""
    clients: tuple[LightClientRow, ...] = ()
    locks: tuple[LockEnding, ...] = ()
    packets: tuple[PacketEnding, ...] = ()
    world: World | None = None
    evidence: dict[int, SlotEvidence] = field(default_factory=dict[int, SlotEvidence])
    readings: dict[tuple[bytes, int], SignedReading] = field(
        default_factory=dict[tuple[bytes, int], SignedReading]
    )
    success_count: int = 0
    notes: list[str] = field(default_factory=list[str])


def audit(run: Path, progress: Progress | None = None) -> AuditReport:
    """
    Check a run from its genesis, blocks and evidence alone.

    Args:
        run: The run folder. Its journal, keys and reports are not read.
        progress: Told how far the audit is.

    Returns:
        The report; whatever is wrong with the run's files is a finding in it.

    Raises:
        ConfigError: There is no run in that folder.
    """
    return report_of(audit_run(run, progress))


def audit_run(run: Path, progress: Progress | None = None) -> RunAudit:
    """Audit as ``audit`` does; return everything that was learned."""
    tell = progress or _silent
    work = RunAudit(RunFiles(run))
    for chain_id in work.files.ledger_ids():
        history = audit_ledger(work.files.ledger(chain_id), work.findings, tell)
        if history is not None:
            work.histories[chain_id] = history
    audit_ledgers_together(work)
    slots = work.files.slots()
    for slot_start in slots:
        read_evidence(work, slot_start)
    audit_successes(work)
    if work.world is not None:
        for done, slot_start in enumerate(sorted(work.evidence), start=1):
            audit_slot(work, slot_start, work.findings)
            tell("slots", done, len(slots))
    check_sums(work.files, work.findings, work.notes)
    return work


def audit_ledger(
    files: LedgerFiles, findings: Findings, tell: Progress | None = None
) -> LedgerHistory | None:
    """
    Check one ledger's blocks and execute them, or fold the logs of an EVM ledger's; a Fabric
    channel's transactions are judged and run again. None if a finding says why it cannot be.
    """
    progress = tell or _silent

    def tell_blocks(done: int, total: int) -> None:
        progress(f"ledger {files.chain_id}", done, total)

    kind = kind_of(files)
    if kind == FABRIC_KIND:
        channel = check_fabric_chain(files, findings)
        return None if channel is None else run_again(channel, findings, tell_blocks)
    if kind == EVM_KIND:
        evm_chain = check_evm_chain(files, findings)
        return None if evm_chain is None else fold_history(evm_chain, findings, tell_blocks)
    chain = check_chain(files, findings)
    return None if chain is None else replay(chain, findings, tell_blocks)


def verify_ledger(run: Path, chain_id: str) -> CheckResult:
    """
    Check and execute one ledger of a run, or fold its logs, from genesis to its last state.

    Args:
        run: The run folder.
        chain_id: One of its ledgers.
    """
    findings = Findings()
    history = audit_ledger(RunFiles(run).ledger(chain_id), findings)
    if findings.rows or history is None:
        first = findings.rows[0] if findings.rows else "nothing to execute"
        return CheckResult(chain_id, is_ok=False, detail=str(first))
    height = len(history.headers)
    done = _DONE.get(history.genesis.kind, "executed again")
    return CheckResult(chain_id, is_ok=True, detail=f"{height} blocks {done}")


def audit_ledgers_together(work: RunAudit) -> None:
    """Compare the ledgers with one another, and all of them with the topology."""
    ledgers = {history.chain_tag: history for history in work.histories.values()}
    work.clients = light_clients(ledgers, work.findings)
    work.locks = lock_endings(ledgers)
    check_locks(ledgers, work.locks, work.findings)
    if len(work.histories) == len(work.files.ledger_ids()):
        # With a ledger missing, every packet to it would look stranded or forged.
        work.packets = packet_endings(ledgers, work.clients, work.findings)
    work.world = read_world(work.files.topology(), ledgers, work.findings)
    if work.world is not None:
        try:
            check_topology(work.world, work.clients, work.findings)
        except (ValueError, KeyError, OverflowError) as error:
            # A number or a name that no honest record holds: encoders and look-ups refuse it.
            place = Place(file=TOPOLOGY_FILE)
            work.findings.refuse(place, Check.TOPOLOGY, "records", "in their ranges", repr(error))


def read_evidence(work: RunAudit, slot_start: int) -> None:
    """Read a slot's evidence into *work*, or note why it cannot be read."""
    place = Place(slot_start=slot_start, file=f"evidence/{slot_start}.json")
    work.evidence.pop(slot_start, None)
    raw = work.files.evidence(slot_start)
    if not raw:
        work.findings.refuse(place, Check.FILES, "evidence", "a file", "none, or an empty one")
        return
    try:
        evidence = parse(SlotEvidence, raw)
    except Malformed as error:
        work.findings.refuse(place, Check.FILES, "canonical evidence", "a slot's evidence", error)
        return
    if work.findings.expect(place, Check.FILES, "slot", slot_start, evidence.slot_start):
        work.evidence[slot_start] = evidence
        if evidence.delivery is not None:
            for signed in (*evidence.delivery.readings, *evidence.delivery.boundary):
                work.readings[signed.reading.meter_id, signed.reading.counter] = signed


def audit_slot(work: RunAudit, slot_start: int, findings: Findings) -> None:
    """
    Check one slot's evidence against the ledgers, the network and itself.

    Note:
        Each part builds on the one before: what rests on a wrong record is not looked at.
    """
    world, evidence = work.world, work.evidence[slot_start]
    assert world is not None, "the caller looked"
    view = SlotView(world, evidence, work.readings)
    try:
        if not check_clearing(view, findings):
            return
        verdict = evidence.verdict
        if verdict is not None and check_verdict(view, verdict, findings):
            check_flow(view, verdict, findings)
        check_stored_deliveries(view, findings)
        if evidence.delivery is not None:
            check_delivery(view, evidence.delivery, findings)
    except (ValueError, KeyError, OverflowError) as error:
        # A number or a name that no honest record holds: encoders and look-ups refuse it.
        findings.refuse(view.place, Check.CLEARINGS, "records", "in their ranges", repr(error))


def audit_successes(work: RunAudit) -> None:
    """Check that behind every success there is a verdict with its evidence."""
    ledgers = {history.chain_tag: history for history in work.histories.values()}
    check_published(ledgers, work.evidence, work.findings)
    work.success_count = check_acknowledgements(ledgers, work.evidence, work.findings)


def check_sums(files: RunFiles, findings: Findings, notes: list[str]) -> None:
    """
    Compare all files with the run's list of checksums, if it wrote one.

    What is signed needs none; names and explanations are covered by nothing else.
    """
    raw = files.checksums()
    place = Place(file=CHECKSUMS_FILE)
    if not raw:
        notes.append(
            f"no {CHECKSUMS_FILE}: names and explanations, which nobody signs, are not covered"
        )
        return
    try:
        sums = decode_checksums(raw)
    except Malformed as error:
        findings.refuse(place, Check.FILES, "list of checksums", "readable", error)
        return
    for name in sorted(sums.keys() | set(files.covered())):
        data = files.read(name)
        found = sha256(data).digest() if data else b""
        findings.expect(_place_of(name), Check.FILES, "SHA-256", sums.get(name, b""), found)


def _place_of(name: str) -> Place:
    """Return the ledger or the slot that a file is about."""
    kind, _, rest = name.partition("/")
    if kind == "ledgers":
        return Place(ledger=rest.partition("/")[0], file=name)
    stem = rest.removesuffix(".json")
    return Place(slot_start=int(stem) if stem.isdecimal() else 0, file=name)


def report_of(work: RunAudit) -> AuditReport:
    """Sum an audit up."""
    findings = tuple(work.findings.rows)
    return AuditReport(
        findings=findings,
        checks=check_results(findings, work.findings.held),
        ledgers=tuple(_summary(work.files, history) for history in work.histories.values()),
        locks=work.locks,
        packets=work.packets,
        slot_count=len(work.evidence),
        verdict_count=sum(row.verdict is not None for row in work.evidence.values()),
        success_count=work.success_count,
        notes=(*work.notes, *lock_notes(work.locks)),
    )


def _summary(files: RunFiles, history: LedgerHistory) -> LedgerSummary:
    raw, books = files.ledger(history.chain_id), history.books
    genesis = history.genesis
    return LedgerSummary(
        ledger=history.chain_id,
        chain_tag=history.chain_tag.hex(),
        genesis_sha256=sha256(raw.genesis).hexdigest(),
        validators_sha256=sha256(raw.validators).hexdigest(),
        height=history.height,
        transaction_count=history.transaction_count,
        failed_transaction_count=history.failed_count,
        app_hash=history.state_root.hex(),
        pay_issued=sum(amount for _, amount in (*genesis.balances, *genesis.vaults)),
        pay_accounts=books.accounts,
        pay_escrows=books.escrows,
        pay_locks=books.locks,
        pay_vaults=books.vaults,
        kwh=books.kwh,
    )


def _silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""
    del what, done, total
