"""
Events and results as Cosmos chains write them, for the engine and for answers. By hand: a block of
hundreds of transactions has thousands of attributes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cosmpy.protos.tendermint.abci import types_pb2 as abci

from tieline.contract.cosmos_form import cosmos_events
from tieline.contract.results import TxResult
from tieline.protocol.events import Event
from tieline.wire.proto_fields import bytes_field, int_field, message_field, uint_field

VERSION: Final = "0.1.0"
_INDEXED: Final = uint_field(3, 1)


@lru_cache(maxsize=4_096)
def _known_attribute(pair: tuple[str, str]) -> bytes:
    return _attribute(pair)


def _attribute(pair: tuple[str, str]) -> bytes:
    content = bytes_field(1, pair[0].encode()) + bytes_field(2, pair[1].encode()) + _INDEXED
    return message_field(2, content)


_LONG: Final = 128
"""Longer values, such as packets, come once; they are not kept."""


def encode_event(event: Event) -> bytes:
    """Return ``tendermint.abci.Event``; the engine indexes every attribute."""
    parts = [bytes_field(1, event.type.encode())]
    parts += [
        _known_attribute(pair) if len(pair[1]) < _LONG else _attribute(pair)
        for pair in event.attributes
    ]
    return b"".join(parts)


def abci_event(event: Event) -> abci.Event:
    """Return the event as a message."""
    return abci.Event.FromString(encode_event(event))


def encode_result(result: TxResult) -> bytes:
    """Return ``tendermint.abci.ExecTxResult`` with its events in Cosmos form."""
    events = [message_field(7, encode_event(one)) for one in cosmos_events(result)]
    return b"".join(
        (
            uint_field(1, result.code),
            bytes_field(2, result.data),
            bytes_field(3, result.log.encode()),
            int_field(5, result.gas_wanted),
            int_field(6, result.gas_used),
            *events,
            bytes_field(8, result.codespace.encode()),
        )
    )
