"""
Brings a view up to the ledgers' present: their events since a height, then their stores.

Events say what packets hold; stores say what still stands. Where they differ the store is right.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from tieline.hub.inbox import Inbox
from tieline.interfaces.errors import Unavailable
from tieline.interfaces.ledger import Ledger
from tieline.relay.scan import Answers, PacketsUnknown, questions, reconcile_store
from tieline.relay.view import RelayView

_LOG = logging.getLogger(__name__)


STORES_READ_MAX = 5
"""A ledger that makes a block during every one of so many readings is taken as it is."""


async def reconcile(
    view: RelayView,
    ledgers: Mapping[str, Ledger],
    inbox: Inbox,
    resume_heights: Mapping[str, int],
) -> list[str]:
    """
    Fill an empty *view*. Returns, in words, what the stores knew and the events did not.

    A commitment whose packet is not in the events that were read makes every ledger be read from
    its first block: what became of that packet may be as old as the packet.

    Raises:
        Unavailable: A ledger does not answer.
    """
    try:
        return await _read_from(view, ledgers, inbox, resume_heights)
    except PacketsUnknown as error:
        _LOG.warning("reading from the first block: %s", error)
    try:
        return await _read_from(view, ledgers, inbox, {})
    except PacketsUnknown as error:
        raise Unavailable(f"a ledger has pruned blocks that are needed: {error}") from error


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
