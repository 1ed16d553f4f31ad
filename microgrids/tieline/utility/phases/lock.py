"""After the seal: lock the own buyers' escrow, send the packets, open the local locks."""

from __future__ import annotations

from tieline.contract.keys import hash_lock_key
from tieline.swap.evidence import Position, SlotEvidence
from tieline.swap.messages import (
    MsgLockAndSend,
    MsgOpenLocal,
    MsgPostClearing,
    MsgTradeEvidence,
    TradeMessage,
)
from tieline.utility.board import hashlock_of, level_of, local_chain_tag
from tieline.utility.cell import UtilityCell
from tieline.utility.slot_work import SlotWork

POSTING_S = 15
"""So long after the seal a cell waits for a relayer to post the clearing, then brings it itself."""


async def lock_and_send(cell: UtilityCell, work: SlotWork, now_s: int) -> bool:
    """
    Bring all own locks of the slot, in one transaction; say whether there is nothing left to do.

    A cell's sends of a slot are one transaction, because a client's send sequence is one key.
    """
    evidence = cell.board.slot(work.slot_start)
    assert evidence is not None, "locking follows sealing"
    own = [position for position in evidence.positions if _is_own(cell, evidence, position)]
    missing = [
        position
        for position in own
        if not _is_opened(cell, position) and not await _is_spent(cell, position)
    ]
    if not missing:
        return True
    if now_s >= work.timeline.lock_deadline:
        return False  # The ledger takes no lock any more; escrows come back from tau on.
    levels = {level_of(position) for position in missing}
    unposted = [
        MsgPostClearing(cell.account, signed.clearing, signed.signatures)
        for signed in evidence.clearings
        if signed.clearing.level in levels and signed.clearing.trades_root not in cell.own.clearings
    ]
    if unposted and now_s < work.timeline.seal + POSTING_S:
        return False
    await cell.own.ledger.submit(cell.lane, [*unposted, *_messages(cell, work, missing)])
    return False  # Until they are seen in a block.


def _messages(cell: UtilityCell, work: SlotWork, positions: list[Position]) -> list[TradeMessage]:
    messages: list[TradeMessage] = []
    by_client: dict[str, list[Position]] = {}
    for position in positions:
        shown = cell.board.evidence(position.trade_id, cell.entry.chain_tag)
        assert shown is not None, "the board holds the position"
        messages.append(MsgTradeEvidence(cell.account, shown))
        if position.packet is not None:
            by_client.setdefault(position.source_client, []).append(position)
        else:
            assert position.local is not None, "a position is a packet or local"
            messages.append(MsgOpenLocal(cell.account, position.local))
    for client in sorted(by_client):
        trades = tuple(p.packet for p in by_client[client] if p.packet is not None)
        messages.append(MsgLockAndSend(cell.account, client, work.timeline.tau, trades))
    return messages


def _is_own(cell: UtilityCell, evidence: SlotEvidence, position: Position) -> bool:
    if position.packet is not None:
        return position.packet.source_chain_tag == cell.entry.chain_tag
    return local_chain_tag(evidence, position) == cell.entry.chain_tag


async def _is_spent(cell: UtilityCell, position: Position) -> bool:
    """
    Say whether the ledger knows the hash lock already: of this trade, or, because a seller handed
    over an old one, of another. It would take nothing of a transaction that brings it again.
    """
    return await cell.own.ledger.query("tieline", hash_lock_key(hashlock_of(position))) is not None


def _is_opened(cell: UtilityCell, position: Position) -> bool:
    leg = "local" if position.packet is None else "in"
    return (position.trade_id, leg) in cell.own.locks
