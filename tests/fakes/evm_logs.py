"""Logs as contracts write them, by the declarations that readers have."""

from __future__ import annotations

from tieline.wire.evm.contract_events import APP_EVENTS, HOST_EVENTS
from tieline.wire.evm.declarations import EventKind, Function, read_declarations
from tieline.wire.evm.logs import Log

HOST, APP = b"\x01" * 20, b"\x02" * 20
EVENTS = {
    EventKind(one).name: one
    for text in (HOST_EVENTS, APP_EVENTS)
    for one in read_declarations(text)
}


def log(address, name, topics, body="", *values):
    """A log as a contract writes it."""
    kind = EventKind(EVENTS[name])
    data = Function(f"function f({body})").encode(*values)[4:]
    return Log(address, (kind.topic, *(one.to_bytes(32, "big") for one in topics)), data)
