"""
Create a light client of another ledger.

Sources:
    ibc-go v11 ``02-client/keeper/client.go``.
"""

from __future__ import annotations

from tieline.protocol.client import BoundClient
from tieline.protocol.commitment import NEXT_CLIENT_NUMBER_KEY
from tieline.protocol.events import Event
from tieline.protocol.handlers.context import ReadContext, WriteContext, require_active
from tieline.protocol.identifiers import ClientId, parse_client_id
from tieline.protocol.messages import CreateClient


def validate(ctx: ReadContext, client_type: str) -> ClientId:
    """Return the id that a new client of this type gets."""
    stored = ctx.get(NEXT_CLIENT_NUMBER_KEY)
    number = int.from_bytes(stored, "big") if stored else 0
    return parse_client_id(f"{client_type}-{number}")


def execute(ctx: WriteContext, message: CreateClient, client: BoundClient) -> None:
    """
    Let the rules write the client, and remember its creator.

    Args:
        ctx: This ledger.
        message: Who creates, and the first states.
        client: The new id with its rules and its empty store.

    Raises:
        ClientRefused: The rules refuse the states.
        ClientNotActive: The client would be expired or frozen from birth.
    """
    client.rules.initialise(client.store, message.client_state, message.consensus_state)
    require_active(ctx, client)
    number = int(client.client_id.rpartition("-")[2])
    ctx.set(NEXT_CLIENT_NUMBER_KEY, (number + 1).to_bytes(8, "big"))
    ctx.set_creator(client.client_id, message.signer)
    ctx.emit(
        Event(
            "create_client",
            (
                ("client_id", client.client_id),
                ("client_type", client.rules.client_type),
                ("consensus_heights", str(client.rules.latest_height(client.store))),
            ),
        )
    )
