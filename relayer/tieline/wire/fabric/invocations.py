"""
How our chaincode is called and how it answers: functions and their arguments, keys of the world
state, refusals, the one event of a transaction, read-backs.

Sources:
    ``docs/spec/bytes.md`` (stores); ``docs/adr/0042-contract-as-chaincode.md``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import Any, Final

from tieline.protocol.events import Event
from tieline.wire.bounded_json import loads
from tieline.wire.errors import Malformed
from tieline.wire.hashes import sha256, tag

CHAINCODE_NAME: Final = "tieline"
EVENT_NAME: Final = "tieline"
"""Of the one chaincode event a transaction may have."""

CLOCK_KEY: Final = "clock"
"""Holds the ledger's time, BE8 unix seconds; only Tick writes it."""

STATUS_OK: Final = 200
STATUS_REFUSED: Final = 500

_STORE_OF = {"i": "ibc", "t": "tieline"}
_PREFIX_OF = {store: prefix for prefix, store in _STORE_OF.items()}
_MARKER = "x:"
_ABSENCE = "n:"
_NUMBER_BYTES = 8
_HASH_BYTES = 32
_ABSENT, _PRESENT = b"\x00", b"\x01"


class Function(StrEnum):
    """What an invocation asks for; its first argument."""

    INIT = "Init"
    SUBMIT = "Submit"
    TICK = "Tick"
    PROVE_ABSENCE = "ProveAbsence"
    READ_BACK = "ReadBack"
    QUERY = "Query"
    VERSION = "Version"


def init_args(genesis: bytes, block_0_hash: bytes) -> tuple[bytes, ...]:
    """Return the call that begins a ledger; *block_0_hash* is sha256 of block 0's header bytes."""
    return (Function.INIT.encode(), genesis, block_0_hash)


def submit_args(raw: bytes) -> tuple[bytes, ...]:
    """Return the call that runs a TxRaw."""
    return (Function.SUBMIT.encode(), raw)


def tick_args(time_s: int) -> tuple[bytes, ...]:
    """Return the call that sets the clock, unix seconds."""
    return (Function.TICK.encode(), encode_number(time_s))


def prove_absence_args(client_id: str, sequence: int, tau_s: int) -> tuple[bytes, ...]:
    """Return the call that records that a packet was not received by *tau_s*, unix seconds."""
    arguments = (client_id.encode(), encode_number(sequence), encode_number(tau_s))
    return (Function.PROVE_ABSENCE.encode(), *arguments)


def read_back_args(*physical_keys: str) -> tuple[bytes, ...]:
    """Return the call that reads keys and the clock, and writes nothing."""
    return (Function.READ_BACK.encode(), *(key.encode() for key in physical_keys))


def query_args(store: str, key: bytes) -> tuple[bytes, ...]:
    """Return the call that reads one key of a store, whose payload is the value, empty if none."""
    return (Function.QUERY.encode(), store.encode(), key)


def version_args() -> tuple[bytes, ...]:
    """Return the call that says which chaincode answers."""
    return (Function.VERSION.encode(),)


def invocation_hash(args: Sequence[bytes]) -> bytes:
    """
    Return the 32 bytes that name a writing invocation.

    Of Submit it is the transaction's own hash, of the others that of all arguments, each after
    its length as BE4. No two meet: a TxRaw does not begin with a zero octet.
    """
    if len(args) == 2 and args[0] == Function.SUBMIT.encode():
        return sha256(args[1])
    return sha256(b"".join(_sized(part) for part in args))


def encode_number(number: int) -> bytes:
    """Return BE8 of 0 <= *number* < 2**64."""
    return number.to_bytes(_NUMBER_BYTES, "big")


def decode_number(data: bytes) -> int:
    """Read BE8. Raises Malformed for another length."""
    if len(data) != _NUMBER_BYTES:
        raise Malformed(f"a number has {_NUMBER_BYTES} bytes: got {len(data)}")
    return int.from_bytes(data, "big")


def ibc_key(key: bytes) -> str:
    """Return the physical key of store ``ibc``'s *key*."""
    return f"i:{key.hex()}"


def tieline_key(key: bytes) -> str:
    """Return the physical key of store ``tieline``'s *key*."""
    return f"t:{key.hex()}"


def physical_key(store: str, key: bytes) -> str:
    """Return the physical key of a store's *key*. Raises KeyError for an unknown store."""
    return f"{_PREFIX_OF[store]}:{key.hex()}"


def marker_key(invocation: bytes) -> str:
    """Return the physical key that says that an invocation, by its hash, has run."""
    return _MARKER + invocation.hex()


def marker_value(writes: Iterable[tuple[str, bytes | None]]) -> bytes:
    """
    Return what a marker holds: the hash of all else that its invocation writes.

    Peers that read a marker back so say what was written, not only that something was: a call may
    be endorsed more than once, on different states, and one of them is in force.

    Args:
        writes: Physical key and value, None for a deletion, without the marker; in any order.
    """
    parts = list[bytes]()
    for key, value in sorted(writes, key=itemgetter(0)):
        content = b"" if value is None else value
        parts += (_sized(key.encode()), _ABSENT if value is None else _PRESENT, _sized(content))
    return sha256(b"".join(parts))


def absence_key(client_id: str, sequence: int) -> str:
    """Return the physical key of the record that a packet was not received."""
    return _ABSENCE + (tag(client_id) + encode_number(sequence)).hex()


def store_key_of(physical: str) -> tuple[str, bytes] | None:
    """Return store and key of a physical key of ``i:`` or ``t:``, None for any other text."""
    store = _STORE_OF.get(physical[:1])
    if store is None or physical[1:2] != ":":
        return None
    key = _unhex(physical[2:])
    return None if key is None else (store, key)


def invocation_of_marker(physical: str) -> bytes | None:
    """Return the hash of the invocation whose marker a physical key is, None if it is none."""
    value = _unhex(physical[2:]) if physical.startswith(_MARKER) else None
    return value if value is not None and len(value) == _HASH_BYTES else None


def absence_of(physical: str) -> tuple[bytes, int] | None:
    """Return T(client) and sequence of an absence record's key, None if it is none."""
    value = _unhex(physical[2:]) if physical.startswith(_ABSENCE) else None
    if value is None or len(value) != _HASH_BYTES + _NUMBER_BYTES:
        return None
    return value[:_HASH_BYTES], int.from_bytes(value[_HASH_BYTES:], "big")


def is_physical_key(text: str) -> bool:
    """Say whether *text* is a key that this chaincode may have written."""
    return (
        text == CLOCK_KEY
        or store_key_of(text) is not None
        or invocation_of_marker(text) is not None
        or absence_of(text) is not None
    )


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _unhex(text: str) -> bytes | None:
    """Read lower-case hex of at least one byte; nothing else is a key's spelling."""
    try:
        value = bytes.fromhex(text)
    except ValueError:
        return None
    return value if value and value.hex() == text else None


def encode_events(events: Sequence[Event]) -> bytes:
    """
    Return the payload of the chaincode event: canonical JSON,
    ``[[type, [[key, value], ...]], ...]``.

    No events are no bytes: such a transaction has no chaincode event.
    """
    if not events:
        return b""
    return _json([[event.type, event.attributes] for event in events]).encode()


def decode_events(data: bytes) -> tuple[Event, ...]:
    """
    Read what ``encode_events`` made.

    Raises:
        Malformed: Any other bytes.
    """
    if not data:
        return ()
    try:
        events = tuple(
            Event(_text(kind), tuple((_text(key), _text(value)) for key, value in attributes))
            for kind, attributes in loads(data.decode())
        )
    except (ValueError, TypeError, KeyError) as exc:
        raise Malformed(f"not a list of events: {exc}") from exc
    if encode_events(events) != data:
        raise Malformed("list of events is not in canonical form")
    return events


@dataclass(frozen=True, slots=True)
class InvocationRefusal:
    """Why the chaincode refused; the same three that a block's result holds elsewhere."""

    codespace: str
    code: int
    """At least 1; whose number it is, the codespace says."""
    log: str


def encode_refusal(refusal: InvocationRefusal) -> str:
    """Return the message of a refused response: canonical JSON, ASCII."""
    content = {"code": refusal.code, "codespace": refusal.codespace, "log": refusal.log}
    return _json(content)


def decode_refusal(text: str) -> InvocationRefusal:
    """
    Read the message of a refused response.

    Raises:
        Malformed: Not ours: the peer itself refused, or another chaincode.
    """
    try:
        content = loads(text)
        code = _positive(content["code"])
        refusal = InvocationRefusal(_text(content["codespace"]), code, _text(content["log"]))
    except (ValueError, TypeError, KeyError) as exc:
        raise Malformed(f"not a refusal of the contract: {exc}") from exc
    if encode_refusal(refusal) != text:
        raise Malformed("refusal is not in canonical form")
    return refusal


@dataclass(frozen=True, slots=True)
class ReadBackAnswer:
    """What ReadBack read: the payload of its response, under the endorsers' signatures."""

    clock_s: int
    """Unix seconds; 0 before the first Tick."""
    values: tuple[bytes | None, ...]
    """One for each key that was asked for, in that order; None is absent."""


def encode_read_back(answer: ReadBackAnswer) -> bytes:
    """Return BE8 clock, then for each value 0x00, or 0x01, BE4 length and the value."""
    parts = [encode_number(answer.clock_s)]
    for value in answer.values:
        if value is None:
            parts.append(_ABSENT)
        else:
            parts += (_PRESENT, len(value).to_bytes(4, "big"), value)
    return b"".join(parts)


def decode_read_back(payload: bytes) -> ReadBackAnswer:
    """Read what ``encode_read_back`` made. Raises Malformed for any other bytes."""
    clock_s = decode_number(payload[:_NUMBER_BYTES])
    place, values = _NUMBER_BYTES, list[bytes | None]()
    while place < len(payload):
        kind, place = payload[place : place + 1], place + 1
        if kind == _ABSENT:
            values.append(None)
            continue
        length = int.from_bytes(payload[place : place + 4], "big")
        end = place + 4 + length
        if kind != _PRESENT or not length or end > len(payload):
            raise Malformed("read-back is cut short, or of an unknown form")
        values.append(payload[place + 4 : end])
        place = end
    return ReadBackAnswer(clock_s, tuple(values))


def _json(content: object) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"expected text, got {type(value).__name__}")
    return value


def _positive(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise TypeError(f"expected a positive integer, got {value!r}")
    return value
