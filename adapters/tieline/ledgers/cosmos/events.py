"""Blocks of an ibc-go chain as observers see them: every packet event once."""

from __future__ import annotations

from typing import Any

from tieline.interfaces.errors import Unavailable
from tieline.interfaces.ledger import BlockEvents, TxEvents
from tieline.ledgers.tendermint.rpc import Hook, Json, from_base64
from tieline.ledgers.tendermint.rpc_records import PACKET_EVENTS, events_of, once, time_ns_of
from tieline.protocol.events import Event
from tieline.protocol.time import TimestampNanoseconds, to_seconds
from tieline.wire.codec import transaction_hash


def reading_only(kinds: frozenset[str] | None) -> Hook:
    """
    Return what makes events while JSON is read, so that a block of a thousand packets is never
    whole in memory.

    Args:
        kinds: Of the events that are kept; None keeps all.
    """

    def read(one: Json) -> object:
        if "value" in one and "key" in one:
            return one["key"], one["value"]
        kind = one.get("type")
        if kind is None or "attributes" not in one:
            return one
        return Event(kind, tuple(one["attributes"] or ())) if not kinds or kind in kinds else None

    return read


def block_events_of(block: Json, results: Json, height: int) -> BlockEvents:
    """
    Read the answers of ``block`` and ``block_results``, with events as ``reading_only`` makes them
    or as plain JSON. Raises Unavailable.

    ibc-go emits ``recv_packet`` twice, because it writes a cached context twice; the second is left
    out. Packets that a chain's own modules send at the end of a block stand behind its
    transactions, as one that has no hash.
    """
    try:
        header = block["block"]["header"]
        if not height == int(header["height"]) == int(results["height"]):
            raise Unavailable(f"another height than asked for: {header['height']}, not {height}")
        raw: list[str] = block["block"]["data"]["txs"] or []
        outcomes: list[Json] = results["txs_results"] or []
        seen: set[tuple[str, ...]] = set()
        transactions = [
            TxEvents(
                transaction_hash(from_base64(transaction)),
                int(outcome["code"]),
                str(outcome["log"]),
                # What was undone has left its events.
                () if outcome["code"] else once(_events(outcome["events"]), seen),
                str(outcome["codespace"]),
            )
            for transaction, outcome in zip(raw, outcomes, strict=True)
        ]
        own = once(_packet_events(results.get("finalize_block_events")), seen)
        if own:
            transactions.append(TxEvents(b"", 0, "", own))
        time_s = to_seconds(TimestampNanoseconds(time_ns_of(header["time"])))
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise Unavailable(f"block without sense: height={height} {exc!r}") from exc
    return BlockEvents(height, time_s, tuple(transactions))


def _events(raw: list[Any] | None) -> tuple[Event, ...]:
    made: list[Event] = [one for one in raw or () if isinstance(one, Event)]
    return tuple(made) or events_of([one for one in raw or () if one is not None])


def _packet_events(raw: list[Any] | None) -> tuple[Event, ...]:
    return tuple(one for one in _events(raw) if one.type in PACKET_EVENTS)
