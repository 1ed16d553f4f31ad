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
from tieline.protocol.client import LightClient
from tieline.protocol.errors import ClientTypeUnknown
from tieline.protocol.handlers import create_client, register_counterparty, update_client
from tieline.protocol.messages import (
    AnyMessage,
    CreateClient,
    RegisterCounterparty,
    UpdateClient,
)


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
    """Bring a header, or proof of misbehaviour; what is known already changes nothing."""
    view = IbcView(ctx)
    client = update_client.validate(view, message)
    result = update_client.execute(view, message, client)
    return Outcome.DONE if result.heights or result.misbehaviour else Outcome.ALREADY_DONE


def _rules_for(ctx: Context, client_state: AnyMessage) -> LightClient:
    for rules in ctx.light_clients.values():
        if rules.accepts(client_state):
            return rules
    raise ClientTypeUnknown("no light client takes this state", type_url=client_state.type_url)
