"""
Bring a header to a client, or proof of misbehaviour.

Sources:
    ibc-go v11 ``02-client/keeper/client.go``.
"""

from __future__ import annotations

from tieline.protocol.client import BoundClient, UpdateResult
from tieline.protocol.events import Event
from tieline.protocol.handlers.context import (
    ReadContext,
    WriteContext,
    require_active,
    require_client,
)
from tieline.protocol.messages import UpdateClient


def validate(ctx: ReadContext, message: UpdateClient) -> BoundClient:
    """
    Return the client, which must be active.

    Raises:
        ClientNotFound: There is no such client.
        ClientNotActive: It is expired or frozen.
    """
    client = require_client(ctx, message.client_id)
    require_active(ctx, client)
    return client


def execute(ctx: WriteContext, message: UpdateClient, client: BoundClient) -> UpdateResult:
    """
    Let the rules judge and write.

    Raises:
        ClientRefused: The message does not convince.
    """
    result = client.rules.update(client.store, message.client_message, ctx.now_ns)
    identity = (("client_id", client.client_id), ("client_type", client.rules.client_type))
    if result.misbehaviour:
        ctx.emit(Event("client_misbehaviour", identity))
    elif result.heights:
        heights = ",".join(str(height) for height in result.heights)
        ctx.emit(Event("update_client", (*identity, ("consensus_heights", heights))))
    return result
