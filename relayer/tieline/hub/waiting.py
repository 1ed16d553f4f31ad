"""What each ledger keeps the relayer waiting for, in words, for operators."""

from __future__ import annotations

from tieline.hub.runner import Runner
from tieline.interfaces.journal import LedgerRow
from tieline.relay.packet_journey import JourneyStatus


def ledger_rows(runner: Runner, now_s: int, halt_after_s: int, reason: str = "") -> list[LedgerRow]:
    """
    Return where every ledger stands.

    Args:
        runner: Whose ledgers.
        now_s: The hub's clock, unix seconds.
        halt_after_s: So long without a block that is waited for, and a ledger stands still.
        reason: What holds all of them, if anything does.
    """
    rows: list[LedgerRow] = []
    for ledger_id, seen in runner.view.ledgers.items():
        since_s = runner.health.since_block_s(ledger_id, now_s)
        rows.append(
            LedgerRow(
                ledger_id=ledger_id,
                height=seen.height,
                time_s=seen.time_s,
                block_seen_s=0 if since_s is None else now_s - since_s,
                under_way=len(runner.lanes[ledger_id]),
                reason=reason or waits_for(runner, ledger_id, now_s, halt_after_s),
                updated_s=now_s,
            )
        )
    return rows


def waits_for(runner: Runner, ledger_id: str, now_s: int, halt_after_s: int) -> str:
    """Return what a ledger keeps the relayer waiting for; empty if it does not."""
    reasons: list[str] = []
    silence = runner.health.silence(ledger_id)
    if silence:
        reasons.append(f"endpoint does not answer: {silence}")
    else:
        since_s = runner.health.since_block_s(ledger_id, now_s)
        still_s = max(
            runner.health.standstill_s(ledger_id, now_s),
            (since_s or 0) if _wants_block(runner, ledger_id) else 0,
        )
        if still_s >= halt_after_s:
            reasons.append(f"no new block for {still_s} s")
    reasons += runner.holds.reasons(ledger_id)
    return "; ".join(reasons)


def _wants_block(runner: Runner, ledger_id: str) -> bool:
    """Return whether something is there that the ledger's next block would prove."""
    view = runner.view.ledgers[ledger_id]
    provable = view.provable_height - view.terms.proof_lag
    for journey in runner.view.journeys_in(JourneyStatus.SENT):
        if journey.key.source.ledger_id == ledger_id and journey.sent_height > provable:
            return True
    return any(
        journey.destination.ledger_id == ledger_id and journey.answered_height > provable
        for journey in runner.view.journeys_in(JourneyStatus.ANSWERED)
    )
