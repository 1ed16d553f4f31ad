"""Events as Cosmos chains write them, for the engine and for answers."""

from __future__ import annotations

from typing import Any, Final, cast

from cosmpy.protos.tendermint.abci import types_pb2 as abci

from tieline.protocol.events import Event

VERSION: Final = "0.1.0"

_attribute: Any = cast("Any", abci).EventAttribute
_event: Any = abci.Event


def abci_event(event: Event) -> abci.Event:
    """Return an event of which the engine indexes every attribute."""
    return cast(
        "abci.Event",
        _event(
            type=event.type,
            attributes=[
                _attribute(key=key, value=value, index=True) for key, value in event.attributes
            ],
        ),
    )
