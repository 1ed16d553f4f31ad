"""What a cell locks after the seal: all that a ledger will take, in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

from fakes.cell_world import CellWorld

from tieline.contract.keys import hash_lock_key
from tieline.market.timeline import slot_timeline
from tieline.swap.messages import MsgLockAndSend, MsgOpenLocal, TradeMessage
from tieline.utility.board import hashlock_of
from tieline.utility.cell import UtilityCell
from tieline.utility.phases.lock import lock_and_send
from tieline.utility.slot_work import SlotWork


@dataclass
class StrictLedger:
    """Refuses a transaction for one hash lock that was used, as every ledger of ours does."""

    used: set[bytes] = field(default_factory=set[bytes])
    sent: list[Sequence[TradeMessage]] = field(default_factory=list[Sequence[TradeMessage]])

    async def query(self, store: str, name: bytes) -> bytes | None:
        del store
        return bytes(32) if name in {hash_lock_key(one) for one in self.used} else None

    async def submit(self, lane: str, messages: Sequence[TradeMessage]) -> None:
        del lane
        self.sent.append(messages)


def locked(messages: Sequence[TradeMessage]) -> list[bytes]:
    """Trades that a transaction locks, ascending."""
    sends = [one for one in messages if isinstance(one, MsgLockAndSend)]
    local = [one.trade.trade_id for one in messages if isinstance(one, MsgOpenLocal)]
    return sorted([*local, *(trade.trade_id for one in sends for trade in one.trades)])


def anew(cells: CellWorld, name: str) -> tuple[UtilityCell, StrictLedger, SlotWork]:
    """A cell as it was after the seal: clearings are posted, and no lock is open."""
    real, ledger = cells.cell(name), StrictLedger()
    roots = {signed.clearing.trades_root for signed in cells.evidence.clearings}
    cell = SimpleNamespace(
        board=real.board,
        entry=real.entry,
        account=real.account,
        lane=real.lane,
        own=SimpleNamespace(ledger=ledger, locks={}, clearings=roots),
    )
    work = SlotWork(slot_timeline(real.profile, cells.slot, real.slot_length))
    return cast("UtilityCell", cell), ledger, work


def step(cell: UtilityCell, work: SlotWork) -> bool:
    return asyncio.run(lock_and_send(cell, work, work.timeline.seal + 1))


def test_a_hash_lock_that_was_used_stops_its_own_trade_only(cells: CellWorld) -> None:
    """A seller may hand over the hash of an old secret: no ledger takes it, nor what came along."""
    sellers = ("A", "B", "grid")
    for name in sellers:
        cell, ledger, work = anew(cells, name)
        assert step(cell, work) is not bool(ledger.sent)
        if not ledger.sent:
            continue
        whole = locked(ledger.sent[0])
        for position in cells.evidence.positions:
            if position.trade_id not in whole:
                continue
            ledger.used, ledger.sent = {hashlock_of(position)}, []
            rest = [one for one in whole if one != position.trade_id]
            assert step(cell, work) is not bool(rest)
            assert [locked(messages) for messages in ledger.sent] == ([rest] if rest else [])
    assert len(cells.evidence.positions) > len(sellers)
