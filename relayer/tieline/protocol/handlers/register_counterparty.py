"""
Pair a client with the one that tracks this ledger on the other side: once, by its creator.

Sources:
    ibc-go v11 ``02-client/v2``; ``docs/spec/trust.md`` 2.
"""

from __future__ import annotations

from tieline.protocol.client import Counterparty
from tieline.protocol.commitment import next_sequence_key
from tieline.protocol.errors import CounterpartyMismatch, InvalidRequest, Unauthorized
from tieline.protocol.handlers.context import ReadContext, WriteContext, require_client
from tieline.protocol.identifiers import parse_client_id
from tieline.protocol.limits import MERKLE_PREFIX_BYTES_MAX, MERKLE_PREFIX_PARTS_MAX
from tieline.protocol.messages import RegisterCounterparty


def validate(ctx: ReadContext, message: RegisterCounterparty) -> None:
    """
    Check who asks, what for, and that it was not done before.

    Raises:
        ClientNotFound: There is no such client.
        InvalidIdentifier: No packet could name the counterparty's client.
        CounterpartyMismatch: The merkle prefix is empty or out of range.
        InvalidRequest: The client is paired already.
        Unauthorized: The signer did not create the client.
    """
    require_client(ctx, message.client_id)
    parse_client_id(message.counterparty_client_id)
    prefix = message.counterparty_merkle_prefix
    if not 1 <= len(prefix) <= MERKLE_PREFIX_PARTS_MAX:
        raise CounterpartyMismatch("merkle prefix needs one to four parts", parts=len(prefix))
    if any(len(part) > MERKLE_PREFIX_BYTES_MAX for part in prefix):
        raise CounterpartyMismatch("merkle prefix part too long")
    if ctx.counterparty(message.client_id) is not None:
        raise InvalidRequest("client has a counterparty already", client_id=message.client_id)
    if ctx.creator(message.client_id) != message.signer:
        raise Unauthorized("only its creator may pair a client", client_id=message.client_id)


def execute(ctx: WriteContext, message: RegisterCounterparty) -> None:
    """Write the pair; packets can be sent from now on. ibc-go emits no event here, nor do we."""
    counterparty = Counterparty(message.counterparty_client_id, message.counterparty_merkle_prefix)
    ctx.set_counterparty(message.client_id, counterparty)
    ctx.set(next_sequence_key(message.client_id), (1).to_bytes(8, "big"))
