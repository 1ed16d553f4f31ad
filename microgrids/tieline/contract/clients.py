"""
Messages about light clients: create, pair, update. On our hosts only the utility cell of this
ledger creates and pairs; anyone updates.

Sources:
    ``docs/spec/trust.md`` 2.
"""

from __future__ import annotations

from tieline.contract.context import Context, Outcome
from tieline.contract.ibc_view import IbcView
from tieline.contract.registry import require_own_cell
from tieline.light_clients.attestations.rotation import RotatesSet
from tieline.protocol.client import BoundClient, LightClient
from tieline.protocol.errors import ClientRefused, ClientTypeUnknown
from tieline.protocol.events import Event
from tieline.protocol.handlers import create_client, register_counterparty, update_client
from tieline.protocol.messages import (
    AnyMessage,
    CreateClient,
    RegisterCounterparty,
    UpdateClient,
)
from tieline.wire.set_rotation import ROTATE_SET_URL


def handle_create_client(ctx: Context, message: CreateClient) -> None:
    """Create a client of whichever type takes the client state."""
    require_own_cell(ctx)
    view = IbcView(ctx)
    rules = _rules_for(ctx, message.client_state)
    client_id = create_client.validate(view, rules.client_type)
    client = view.bind(client_id)
    assert client is not None, "the rules were just found under this type"
    create_client.execute(view, message, client)


def handle_register_counterparty(ctx: Context, message: RegisterCounterparty) -> None:
    """Pair a client, once."""
    require_own_cell(ctx)
    view = IbcView(ctx)
    register_counterparty.validate(view, message)
    register_counterparty.execute(view, message)


def handle_update_client(ctx: Context, message: UpdateClient) -> Outcome:
    """
    Bring a header, proof of misbehaviour, or another attestor set; what is known already changes
    nothing.
    """
    view = IbcView(ctx)
    client = update_client.validate(view, message)
    if message.client_message.type_url == ROTATE_SET_URL:
        _rotate_set(ctx, client, message.client_message.value)
        return Outcome.DONE
    result = update_client.execute(view, message, client)
    return Outcome.DONE if result.heights or result.misbehaviour else Outcome.ALREADY_DONE


def _rotate_set(ctx: Context, client: BoundClient, data: bytes) -> None:
    """Hand a client to other attestors; only the ledger knows by which names they signed it."""
    if not isinstance(client.rules, RotatesSet):
        raise ClientRefused("client has no attestors", client_id=client.client_id)
    rotation = client.rules.rotate_set(client.store, data, ctx.chain_tag, client.client_id)
    facts = (
        ("client_id", client.client_id),
        ("attestors", ",".join(one.hex() for one in rotation.attestors)),
        ("min_signatures", str(rotation.min_signatures)),
        ("from_height", str(rotation.from_height)),
    )
    ctx.emit(Event("attestor_set_rotated", facts))


def _rules_for(ctx: Context, client_state: AnyMessage) -> LightClient:
    for rules in ctx.light_clients.values():
        if rules.accepts(client_state):
            return rules
    raise ClientTypeUnknown("no light client takes this state", type_url=client_state.type_url)
