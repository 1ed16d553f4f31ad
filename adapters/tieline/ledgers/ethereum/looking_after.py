"""
What is done about transactions that are under way: those in a final block are over, lost ones are
broadcast again, the first in line pays more when it waits too long, a gap before it is filled.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tieline.interfaces.errors import HubError, NotYet, Rejected
from tieline.ledgers.ethereum.account_book import AccountBook
from tieline.ledgers.ethereum.rpc import Call
from tieline.ledgers.ethereum.rpc_errors import DoorRefusal, door_refusal
from tieline.ledgers.ethereum.rpc_records import number_of, receipt_of
from tieline.ledgers.ethereum.transaction_journal import Sent, content_of

LOOKED_AT: Final = 32
"""The oldest so many are looked for at once; the others wait behind them anyway."""
TRANSFER_GAS: Final = 21_000

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SendingPace:
    """How long one waits before something is done about a transaction."""

    again_s: float = 3.0
    """Then a transaction that is in no block is broadcast again: nodes lose some."""
    replace_after_s: float = 30.0
    """Then the first in line is replaced by one that pays more."""


async def look_after(
    book: AccountBook,
    pace: SendingPace,
    now: float,
    *,
    height: int,
    final_height: int,
    base_fee: int,
) -> None:
    """
    Look once.

    Args:
        book: The account's.
        pace: When something is done.
        now: Seconds of a clock that never goes back.
        height: Of the last block.
        final_height: Of the last final block.
        base_fee: Of the last block, wei.

    Raises:
        NotYet, Unavailable: No node answers; nothing has changed.
    """
    if book.next is None:
        await book.count()
    looked = [book.open[nonce] for nonce in sorted(book.open)[:LOOKED_AT]]
    count, final_count, places = await _places(book, looked, final_height)
    waiting = [
        sent
        for sent, place in zip(looked, places, strict=True)
        if not _is_placed(book, sent, place, final_height, final_count) and sent.nonce >= count
    ]
    await _push(book, pace, now, waiting, _Line(count, height, base_fee))
    await _fill(book, now, count, base_fee)


async def _places(
    book: AccountBook, looked: Sequence[Sent], final_height: int
) -> tuple[int, int, list[int | None]]:
    """Return the account's nonce now and in the final block, and the block of each, if any."""
    account = book.account
    calls = [
        Call("eth_getTransactionCount", (account.text, tag))
        for tag in ("latest", hex(final_height))
    ]
    hashes = [(sent.nonce, form.tx_hash) for sent in looked for form in sent.forms]
    calls += [Call("eth_getTransactionReceipt", ("0x" + one.hex(),)) for _, one in hashes]
    latest, final, *answers = await account.endpoints.ask(calls, list)
    found: dict[int, int] = {}
    for (nonce, _), answer in zip(hashes, answers, strict=True):
        receipt = receipt_of(answer)
        if receipt is not None:
            found[nonce] = receipt.height
    return number_of(latest), number_of(final), [found.get(sent.nonce) for sent in looked]


def _is_placed(
    book: AccountBook, sent: Sent, place: int | None, final_height: int, final_count: int
) -> bool:
    """Note where a transaction is; return whether there is nothing to do about it."""
    if place is None:
        book.mined.discard(sent.nonce)
        if final_count > sent.nonce:
            book.lose(sent.nonce)
        return final_count > sent.nonce
    book.mined.add(sent.nonce)
    book.since.pop(sent.nonce, None)
    if place <= final_height:
        book.end(sent.nonce, place)
    return True


@dataclass(frozen=True, slots=True)
class _Line:
    """What those that wait are up against."""

    count: int
    """The nonce of the first in line."""
    height: int
    """Of the last block."""
    base_fee: int
    """Its, wei."""


async def _push(
    book: AccountBook, pace: SendingPace, now: float, waiting: Sequence[Sent], line: _Line
) -> None:
    """Broadcast again what is in no block, and let the first in line pay more in time."""
    pushed: list[Sent] = []
    for sent in waiting:
        since, seen_height = book.since.setdefault(sent.nonce, (now, line.height))
        # A payable one with no block since was not passed over: the chain stands still, and a
        # higher price would be paid for nothing when it goes on.
        can_wait = sent.forms[-1].fees.max_fee >= line.base_fee and line.height <= seen_height
        is_late = now - since >= pace.replace_after_s and not can_wait
        is_late = is_late and sent.nonce == line.count
        if is_late:
            book.since[sent.nonce] = now, line.height
        if is_late and _replace(book, sent, line.base_fee):
            book.sent_at.pop(sent.nonce, None)
        if now - book.sent_at.get(sent.nonce, float("-inf")) < pace.again_s:
            continue
        book.sent_at[sent.nonce] = now
        pushed.append(sent)
    if not pushed:
        return
    outcomes, _ = await book.account.broadcast([sent.forms[-1].raw for sent in pushed])
    for sent, outcome in zip(pushed, outcomes, strict=True):
        if isinstance(outcome, Rejected):
            _note_refusal(book, sent, outcome, line.base_fee)


def _note_refusal(book: AccountBook, sent: Sent, refusal: Rejected, base_fee: int) -> None:
    kind = door_refusal(refusal.log)
    if kind in {DoorRefusal.KNOWN, DoorRefusal.NONCE_USED}:
        return
    if kind in {DoorRefusal.UNDERPRICED, DoorRefusal.REPLACEMENT_UNDERPRICED}:
        # The market went on without it; the next look sends the dearer form.
        if _replace(book, sent, base_fee):
            book.sent_at.pop(sent.nonce, None)
        return
    why = refusal
    if kind is DoorRefusal.UNDERFUNDED:
        _, _, gas = content_of(sent.forms[-1].raw)
        why = book.account.underfunded(gas, sent.forms[-1].fees, refusal.log)
    _LOG.warning("transaction waits nonce=%d %s", sent.nonce, why)


def _replace(book: AccountBook, sent: Sent, base_fee: int) -> bool:
    """Sign and write down a form that pays more; return False if that is above the cap."""
    account, last = book.account, sent.forms[-1]
    fees = account.policy.raised(last.fees, base_fee)
    if fees is None:
        _LOG.warning(
            "transaction waits at the highest fee that is allowed: account=%s nonce=%d "
            "max_fee=%d wei; raise max_fee_gwei",
            *(account.text, sent.nonce, last.fees.max_fee),
        )
        return False
    to, data, gas = content_of(last.raw)
    book.add_form(sent, account.sign(to, data, gas, sent.nonce, fees))
    _LOG.info(
        "transaction replaced account=%s nonce=%d max_fee=%d wei",
        *(account.text, sent.nonce, fees.max_fee),
    )
    return True


async def _fill(book: AccountBook, now: float, count: int, base_fee: int) -> None:
    """Put an empty transfer where the first nonce in line is nobody's and others wait for it."""
    account = book.account
    if count in account.journal.ended_from(account.address, count):
        book.reopen(count)  # and broadcast it at the next look
        return
    if count not in book.gaps or not any(nonce > count for nonce in book.open):
        return
    try:
        fees = account.policy.fees(base_fee)
    except NotYet as exc:
        _LOG.warning("gap stays account=%s nonce=%d %s", account.text, count, exc)
        return
    form = account.sign(account.address, b"", TRANSFER_GAS, count, fees)
    book.write([(count, form)])
    book.gaps.discard(count)  # not before: a journal that does not answer must not lose it
    book.sent_at[count] = now
    _LOG.info("gap filled account=%s nonce=%d", account.text, count)
    (outcome,), _ = await account.broadcast([form.raw])
    if isinstance(outcome, HubError):
        _LOG.warning("gap stays account=%s nonce=%d %s", account.text, count, outcome)
