"""
What a transaction came to, as Cosmos tools read it: the events around what its messages told, and
the responses of its messages. Nothing is decided here, and no hash covers events.

Sources:
    Cosmos SDK 0.53 ``baseapp`` (createEvents, makeABCIData), ``x/auth/ante``, ``x/bank/keeper``;
    ibc-go v11 ``04-channel/v2/keeper/events.go``.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from tieline.contract.context import Outcome
from tieline.contract.fees import FEE_COLLECTOR, coins_to_text
from tieline.contract.results import Sender, TxResult
from tieline.protocol.events import Event
from tieline.protocol.messages import AcknowledgePacket, CreateClient, RecvPacket, TimeoutPacket
from tieline.swap.messages import MsgSend
from tieline.wire.bech32 import account_to_text
from tieline.wire.codec import TYPE_URLS, DomainMessage
from tieline.wire.proto_fields import bytes_field, message_field, uint_field

_NOOP: Final = 1
_SUCCESS: Final = 2
"""``ibc.core.channel.v2.ResponseResultType``."""
_CLIENT_MODULE: Final = "ibc_client"
_CHANNEL_MODULE: Final = "ibc_channelv2"
_MODULE_OF_EVENT: Final = {
    "create_client": _CLIENT_MODULE,
    "update_client": _CLIENT_MODULE,
    "client_misbehaviour": _CLIENT_MODULE,
    "send_packet": _CHANNEL_MODULE,
    "recv_packet": _CHANNEL_MODULE,
    "write_acknowledgement": _CHANNEL_MODULE,
    "acknowledge_packet": _CHANNEL_MODULE,
    "timeout_packet": _CHANNEL_MODULE,
}
"""Events that ibc-go accompanies with one of type ``message``."""
_RESULT_BY_OUTCOME: Final = {Outcome.ALREADY_DONE: _NOOP, Outcome.DONE: _SUCCESS}


def responses_of(
    messages: Sequence[DomainMessage],
    outcomes: Sequence[Outcome],
    events: Sequence[Event],
    events_after: Sequence[int],
) -> bytes:
    """Return ``TxMsgData``: one response a message, in order."""
    parts: list[bytes] = []
    start = 0
    for message, outcome, end in zip(messages, outcomes, events_after, strict=True):
        head = _response_head(TYPE_URLS[type(message)])
        content = _response(message, outcome, events[start:end])
        parts.append(message_field(2, head + bytes_field(2, content)))
        start = end
    return b"".join(parts)


def cosmos_events(result: TxResult) -> tuple[Event, ...]:
    """
    Return all events of a transaction, in the order of a stock chain.

    One that was refused before its messages has none; one whose message failed keeps those of its
    fee and signature, since both stand.
    """
    if result.sender is None:
        return ()
    events = _events_of_the_envelope(result.sender)
    if result.code:
        return tuple(events)
    start = 0
    messages = result.sender.decoded.messages
    for index, (message, end) in enumerate(zip(messages, result.events_after, strict=True)):
        told = result.events[start:end]
        events += _events_of_a_message(message, told, ("msg_index", str(index)))
        start = end
    return tuple(events)


@lru_cache(maxsize=256)
def _response_head(type_url: str) -> bytes:
    return bytes_field(1, (type_url + "Response").encode())


def _response(message: DomainMessage, outcome: Outcome, told: Sequence[Event]) -> bytes:
    if isinstance(message, RecvPacket | AcknowledgePacket | TimeoutPacket):
        return uint_field(1, _RESULT_BY_OUTCOME[outcome])
    if isinstance(message, CreateClient):
        created = [one.get("client_id") for one in told if one.type == "create_client"]
        return b"".join(bytes_field(1, client_id.encode()) for client_id in created[:1])
    if TYPE_URLS[type(message)].endswith((".MsgSendPacket", ".MsgTransfer")):
        sent = [int(one.get("packet_sequence")) for one in told if one.type == "send_packet"]
        return b"".join(uint_field(1, sequence) for sequence in sent[:1])
    return b""


def _events_of_the_envelope(sender: Sender) -> list[Event]:
    decoded, account = sender.decoded, account_to_text(sender.account)
    fee = coins_to_text(decoded.fee)
    events = _moved(sender.account, FEE_COLLECTOR, fee) if fee else []
    signature = b64encode(decoded.signature).decode()
    return [
        *events,
        Event("tx", (("fee", fee), ("fee_payer", account))),
        Event("tx", (("acc_seq", f"{account}/{decoded.sequence}"),)),
        Event("tx", (("signature", signature),)),
    ]


def _events_of_a_message(
    message: DomainMessage, told: Sequence[Event], index: tuple[str, str]
) -> list[Event]:
    type_url = TYPE_URLS[type(message)]
    named = message.sender if isinstance(message, MsgSend) else message.signer
    attributes = [("action", type_url), ("sender", account_to_text(named))]
    if not any(one.type in _MODULE_OF_EVENT or one.type == "message" for one in told):
        attributes.append(("module", type_url.split(".", 2)[1]))
    events = [Event("message", (*attributes, index))]
    if isinstance(message, MsgSend):
        amount = f"{message.amount_nano_eur}{message.denom}"
        events += _moved(message.sender, message.recipient, amount, index)
    for one in told:
        events.append(Event(one.type, (*_with_aliases(one), index)))
        module = _MODULE_OF_EVENT.get(one.type)
        if module is not None:
            events.append(Event("message", (("module", module), index)))
    return events


def _with_aliases(event: Event) -> tuple[tuple[str, str], ...]:
    """Return an event's attributes; ibc-go writes the first height of a client in the singular."""
    if event.type != "create_client":
        return event.attributes
    return (*event.attributes, ("consensus_height", event.get("consensus_heights")))


def _moved(sender: bytes, recipient: bytes, amount: str, *index: tuple[str, str]) -> list[Event]:
    """Return what the bank module tells of a payment."""
    payer, payee = account_to_text(sender), account_to_text(recipient)
    return [
        Event("coin_spent", (("spender", payer), ("amount", amount), *index)),
        Event("coin_received", (("receiver", payee), ("amount", amount), *index)),
        Event("transfer", (("recipient", payee), ("sender", payer), ("amount", amount), *index)),
        Event("message", (("sender", payer), *index)),
    ]
