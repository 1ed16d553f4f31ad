"""
Brings a view up to the ledgers' present: their events since a height, then their stores.

Events say what packets hold; stores say what still stands. Where they differ the store is right.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from tieline.hub.inbox import Inbox
from tieline.interfaces.errors import Pruned, Unavailable
from tieline.interfaces.ledger import Ledger
from tieline.relay.scan import (
    Answers,
    PacketsUnknown,
    commitments_of,
    questions,
    reconcile_store,
)
from tieline.relay.view import RelayView

_LOG = logging.getLogger(__name__)


STORES_READ_MAX = 5
"""A ledger that makes a block during every one of so many readings is taken as it is."""

WINDOWS_S = (120, 1_800, 7_200, 43_200, 172_800)
"""
How far back a relayer without a memory looks for packets that still stand, longer each time. A
packet lives a day at most until it can time out.
"""


async def reconcile(
    view: RelayView,
    ledgers: Mapping[str, Ledger],
    inbox: Inbox,
    resume_heights: Mapping[str, int],
) -> list[str]:
    """
    Fill an empty *view*. Returns, in words, what the stores knew and the events did not.

    A commitment whose packet is not in the events that were read makes every ledger be read from
    further back, in the end from its first block: what became of that packet may be as old as it.
    Ledgers without cells may be old and full of strangers' blocks: of these no more is read than
    is needed.

    Raises:
        Unavailable: A ledger does not answer.
    """
    has_cells = any(seen.terms.has_cells for seen in view.ledgers.values())
    if has_cells or all(ledger_id in resume_heights for ledger_id in ledgers):
        try:
            return await _read_from(view, ledgers, inbox, resume_heights)
        except PacketsUnknown as error:
            _LOG.warning("reading from further back: %s", error)
    if not has_cells:
        differences = await _read_back(view, ledgers, inbox)
        if differences is not None:
            return differences
    try:
        return await _read_from(view, ledgers, inbox, {})
    except PacketsUnknown as error:
        raise Unavailable(f"a ledger has pruned blocks that are needed: {error}") from error


async def _read_back(
    view: RelayView, ledgers: Mapping[str, Ledger], inbox: Inbox
) -> list[str] | None:
    """Read as far back as the packets that stand need; None if that is further than any window."""
    tips = {one: max(await ledger.latest_height() - 1, 0) for one, ledger in ledgers.items()}
    if not await _has_packets(view, ledgers):
        return await _read_from(view, ledgers, inbox, tips)
    newest_s = min([await ledger.latest_time_s() for ledger in ledgers.values()])
    for window_s in WINDOWS_S:
        heights = {
            one: await height_before(ledger, newest_s - window_s, tips[one])
            for one, ledger in ledgers.items()
        }
        try:
            return await _read_from(view, ledgers, inbox, heights)
        except PacketsUnknown as error:
            _LOG.warning("older than %d s: %s", window_s, error)
    return None


async def _has_packets(view: RelayView, ledgers: Mapping[str, Ledger]) -> bool:
    """Return whether any client of ours has a packet that is not at its end."""
    for ledger_id, ledger in ledgers.items():
        for endpoint in view.topology.clients_on(ledger_id):
            question = commitments_of(endpoint.client_id)
            if await ledger.scan(question.store, question.prefix):
                return True
    return False


async def height_before(ledger: Ledger, time_s: int, tip: int) -> int:
    """Return the last height up to *tip* whose block is older than *time_s*; 0 if none is kept."""
    low, high = 0, tip
    while low < high:
        middle = (low + high + 1) // 2
        try:
            blocks = await ledger.blocks_after(middle - 1, 1)
        except Pruned:
            low = middle
            continue
        if blocks and blocks[0].time_s < time_s:
            low = middle
        else:
            high = middle - 1
    return low


async def _read_from(
    view: RelayView,
    ledgers: Mapping[str, Ledger],
    inbox: Inbox,
    heights: Mapping[str, int],
) -> list[str]:
    for ledger_id in ledgers:
        view.resume_from(ledger_id, heights.get(ledger_id, 0))
        await inbox.catch_up(ledger_id)
    differences: list[str] = []
    for ledger_id, ledger in ledgers.items():
        answers = await _read_stores(view, ledger, inbox)
        differences += reconcile_store(view, ledger_id, answers)
    return differences


async def _read_stores(view: RelayView, ledger: Ledger, inbox: Inbox) -> Answers:
    """
    Return the stores as of the last block in *view*; of a later one, events would count twice.
    """
    answers: Answers = {}
    for _ in range(STORES_READ_MAX):
        await inbox.catch_up(ledger.ledger_id)
        answers = {
            question: await ledger.scan(question.store, question.prefix)
            for question in questions(view, ledger.ledger_id)
        }
        if await ledger.latest_height() == view.ledgers[ledger.ledger_id].height:
            break
    return answers
