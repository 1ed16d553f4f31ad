"""
Names of tokens that crossed ledgers: a base denomination, and the hops it came by, newest first.

Sources:
    ibc-go v11 ``apps/transfer/types/denom.go``, ``hop.go``, ``keys.go``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from tieline.protocol.errors import InvalidPayload

TRANSFER_PORT = "transfer"
VOUCHER_PREFIX = "ibc/"
VOUCHER_HASH_BYTES = 32

_ESCROW_VERSION = b"ics20-1"
_CLIENT_FORM = re.compile(r"\w+([\w-]+\w)?-[0-9]{1,20}\Z", re.ASCII)
_CHANNEL_FORM = re.compile(r"channel-[0-9]{1,20}\Z", re.ASCII)
_PORT = re.compile(r"[a-zA-Z0-9._+\-#\[\]<>]{2,128}\Z", re.ASCII)
_CHANNEL = re.compile(r"[a-zA-Z0-9._+\-#\[\]<>]{8,64}\Z", re.ASCII)
_VOUCHER = re.compile(r"ibc/([0-9A-F]{64})\Z", re.ASCII)
_UINT64_MAX = 2**64 - 1
_LOCALHOST = "09-localhost"


@dataclass(frozen=True, slots=True)
class Hop:
    """One crossing: the port and the client (or channel) of the ledger that received."""

    port: str
    client: str


@dataclass(frozen=True, slots=True)
class Denom:
    """A token's name. Without hops it is native to the ledger that speaks of it."""

    base: str
    trace: tuple[Hop, ...] = ()
    """The last hop first."""

    @property
    def path(self) -> str:
        """How packets name it: ``port/client/.../base``."""
        return "".join(f"{hop.port}/{hop.client}/" for hop in self.trace) + self.base

    @property
    def name(self) -> str:
        """How balances name it: the base, or ``ibc/`` and the hash of the path."""
        return voucher_name(self.voucher_hash) if self.trace else self.base

    @property
    def voucher_hash(self) -> bytes:
        """SHA-256 of the path, 32 bytes."""
        return sha256(self.path.encode()).digest()

    def came_through(self, port: str, client: str) -> bool:
        """Say whether its newest hop is this one: sending it there takes it home."""
        return bool(self.trace) and self.trace[0] == Hop(port, client)

    def through(self, port: str, client: str) -> Denom:
        """Return its name after it was received on this port and client."""
        return Denom(self.base, (Hop(port, client), *self.trace))

    def back(self) -> Denom:
        """Return its name one hop nearer home. It must have a hop."""
        return Denom(self.base, self.trace[1:])


def parse_denom_path(path: str) -> Denom:
    """
    Read what a packet calls a token. Anything is a base denomination that is not a hop.

    Raises:
        InvalidPayload: The base is blank, or a hop is not a port and a client.
    """
    parts = path.split("/")
    trace: list[Hop] = []
    place = 0
    while len(parts) > 2 and place < len(parts) - 1 and _is_hop_end(parts[place + 1]):
        trace.append(Hop(parts[place], parts[place + 1]))
        place += 2
    base = "/".join(parts[place:])
    if not base.strip():
        raise InvalidPayload("base denomination is blank", denom=repr(path))
    for hop in trace:
        if _PORT.match(hop.port) is None or _CHANNEL.match(hop.client) is None:
            raise InvalidPayload("denomination with an invalid hop", denom=repr(path))
    return Denom(base, tuple(trace))


def _is_hop_end(text: str) -> bool:
    if text == _LOCALHOST:
        return True
    if _CLIENT_FORM.match(text) is None and _CHANNEL_FORM.match(text) is None:
        return False
    return int(text.rpartition("-")[2]) <= _UINT64_MAX


def voucher_name(voucher_hash: bytes) -> str:
    """Return ``ibc/`` and the hash in upper-case hex."""
    return VOUCHER_PREFIX + voucher_hash.hex().upper()


def parse_voucher_name(name: str) -> bytes | None:
    """Return the 32-byte hash of a voucher's name, or None if it is not one."""
    match = _VOUCHER.match(name)
    return None if match is None else bytes.fromhex(match[1])


def escrow_account(port: str, client: str) -> bytes:
    """Return the account, without a key, that holds what left through a client; 20 bytes."""
    return sha256(_ESCROW_VERSION + b"\0" + f"{port}/{client}".encode()).digest()[:20]
