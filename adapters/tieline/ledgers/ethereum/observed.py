"""
From what an engine says of a block to what observers see: the twin folds the logs, refusals become
words, and a transaction that brought nothing but what could not be received counts as refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from tieline.contract.twin.twin import Twin
from tieline.interfaces.ledger import BlockEvents, TxEvents
from tieline.ledgers.ethereum.refusals import read_refusal
from tieline.wire.evm.logs import Log, LoggedBlock, LoggedTransaction

_SKIPPED: Final = "packet_skipped"
_BESIDE: Final = frozenset({_SKIPPED, "update_client"})
"""What may stand beside skipped packets in a transaction that did nothing that was asked."""


@dataclass(frozen=True, slots=True)
class ObservedTransaction:
    """One transaction of a final block, as an engine says it."""

    tx_hash: bytes
    is_success: bool
    logs: tuple[Log, ...]
    output: bytes = b""
    """Why it reverted; empty if it broke down, or the engine does not say."""
    breakdown: str = ""
    """The engine's word for that."""


def observe_block(
    twin: Twin, height: int, time_s: int, transactions: Sequence[ObservedTransaction]
) -> BlockEvents:
    """
    Let *twin* take in the next final block, and return what it did.

    Args:
        twin: As of the block before.
        height: Of the block.
        time_s: Its time, unix seconds.
        transactions: All of the block that were sent to our contracts, or made them.
    """
    logged = tuple(_logged(one) for one in transactions)
    folded = twin.fold(LoggedBlock(height, time_s, logged))
    return replace(folded, transactions=tuple(map(_judged, folded.transactions)))


def _logged(one: ObservedTransaction) -> LoggedTransaction:
    if one.is_success:
        return LoggedTransaction(one.tx_hash, 0, "", "", one.logs)
    why = read_refusal(one.output, one.breakdown)
    return LoggedTransaction(one.tx_hash, why.code, why.log, why.codespace, ())


def _judged(transaction: TxEvents) -> TxEvents:
    """
    Return a transaction that only skipped packets as one that was refused: the host keeps the rest
    of a batch going, but who brought one packet must learn that it did not arrive, and why.
    """
    skipped = [one for one in transaction.events if one.type == _SKIPPED]
    if not skipped or not {one.type for one in transaction.events} <= _BESIDE:
        return transaction
    why = read_refusal(bytes.fromhex(skipped[0].get("reason")))
    return replace(transaction, code=why.code, log=why.log, codespace=why.codespace, events=())
