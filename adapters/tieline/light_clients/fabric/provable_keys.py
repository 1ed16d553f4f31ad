"""Which keys of store ``ibc`` a Fabric ledger proves: those that mean one thing for ever."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from tieline.protocol.limits import CLIENT_ID_LENGTH_MAX, CLIENT_ID_LENGTH_MIN
from tieline.wire.errors import Malformed

_TAIL_BYTES = 9


class KeyKind(IntEnum):
    """The octet behind the client's id in an IBC v2 key."""

    COMMITMENT = 1
    RECEIPT = 2
    ACKNOWLEDGEMENT = 3


@dataclass(frozen=True, slots=True)
class ProvableKey:
    """A packet's commitment, receipt or acknowledgement."""

    raw: bytes
    client_id: str
    kind: KeyKind
    sequence: int


def read_key(path: tuple[bytes, ...]) -> ProvableKey:
    """
    Read a merkle path of one step, the raw key.

    Raises:
        Malformed: Another number of steps, or a key that is not provable here.
    """
    if len(path) != 1:
        raise Malformed(f"path has not one step: count={len(path)}")
    raw = path[0]
    name, kind = raw[:-_TAIL_BYTES], raw[-_TAIL_BYTES : -_TAIL_BYTES + 1]
    if not CLIENT_ID_LENGTH_MIN <= len(name) <= CLIENT_ID_LENGTH_MAX or not name.isascii():
        raise Malformed(f"key of no client: {raw.hex()}")
    try:
        return ProvableKey(raw, name.decode(), KeyKind(kind[0]), int.from_bytes(raw[-8:]))
    except ValueError as exc:
        raise Malformed(f"key of a kind that is not provable: {raw.hex()}") from exc
