"""
Every message that a transaction may carry, as ``google.protobuf.Any`` with its type URL.

IBC and bank messages have Cosmos' own type URLs and bytes, so that stock wallets and chains read
them. Accounts are text with the prefix of the chain that the message is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any, Protocol

from cosmpy.protos.cosmos.bank.v1beta1 import tx_pb2 as bank_pb2
from cosmpy.protos.cosmos.base.v1beta1 import coin_pb2
from cosmpy.protos.ibc.applications.transfer.v1 import tx_pb2 as transfer_pb2
from cosmpy.protos.ibc.core.channel.v2 import tx_pb2 as channel_pb2
from cosmpy.protos.ibc.core.client.v1 import client_pb2 as height_pb2
from cosmpy.protos.ibc.core.client.v1 import tx_pb2 as client_pb2
from cosmpy.protos.ibc.core.client.v2 import tx_pb2 as client_v2_pb2
from google.protobuf.message import Message

from tieline.protocol import messages as ibc
from tieline.protocol.denom import TRANSFER_PORT
from tieline.protocol.messages import AnyMessage, IbcMessage
from tieline.swap import messages as trade
from tieline.swap.messages import TradeMessage
from tieline.wire import records_codec as rc
from tieline.wire.abi import decode_energy_trade, encode_energy_trade
from tieline.wire.bech32 import ACCOUNT_PREFIX, account_from_text, account_to_text
from tieline.wire.errors import Fault, Malformed, TransactionFault
from tieline.wire.fields import (
    Converter,
    RecordCodec,
    amount_from_text,
    amount_to_text,
    money_from_text,
    money_to_text,
    parse_strictly,
)
from tieline.wire.generated.trade.v1 import messages_pb2

DomainMessage = IbcMessage | TradeMessage
"""Anything a transaction may carry, in domain form."""


class _MessageCodec(Protocol):
    """What the table needs of a codec."""

    @property
    def message(self) -> type[Message]: ...
    def encode(self, record: Any) -> bytes: ...
    def decode(self, data: bytes) -> Any: ...


class _SendCodec:
    """``cosmos.bank.v1beta1.MsgSend`` with exactly one coin."""

    message: type[Message] = bank_pb2.MsgSend

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def encode(self, record: trade.MsgSend) -> bytes:
        amount = coin_pb2.Coin(denom=record.denom, amount=money_to_text(record.amount_nano_eur))
        return bank_pb2.MsgSend(
            from_address=account_to_text(record.sender, self._prefix),
            to_address=account_to_text(record.recipient, self._prefix),
            amount=[amount],
        ).SerializeToString(deterministic=True)

    def decode(self, data: bytes) -> trade.MsgSend:
        message = parse_strictly(bank_pb2.MsgSend, data)
        if len(message.amount) != 1:
            raise TransactionFault(Fault.COINS, f"send of {len(message.amount)} coins, expected 1")
        try:
            amount = money_from_text(message.amount[0].amount)
        except Malformed as exc:
            raise TransactionFault(Fault.COINS, str(exc)) from exc
        return trade.MsgSend(
            account_from_text(message.from_address, self._prefix),
            account_from_text(message.to_address, self._prefix),
            amount,
            message.amount[0].denom,
        )


class _TransferCodec:
    """
    ``ibc.applications.transfer.v1.MsgTransfer``. A height that is there must be zero: IBC v2 has
    none, and ibc-go would ignore what the sender meant.
    """

    message: type[Message] = transfer_pb2.MsgTransfer

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def encode(self, record: ibc.Transfer) -> bytes:
        return transfer_pb2.MsgTransfer(
            source_port=TRANSFER_PORT,
            source_channel=record.source_client,
            token=coin_pb2.Coin(denom=record.denom, amount=amount_to_text(record.amount)),
            sender=account_to_text(record.signer, self._prefix),
            receiver=record.receiver,
            timeout_height=height_pb2.Height(),  # gogoproto writes it, empty
            timeout_timestamp=record.timeout_s,
            memo=record.memo,
            encoding=record.encoding,
        ).SerializeToString(deterministic=True)

    def decode(self, data: bytes) -> ibc.Transfer:
        message = parse_strictly(transfer_pb2.MsgTransfer, data)
        if message.source_port != TRANSFER_PORT:
            raise Malformed(f"transfer on port {message.source_port!r}, expected {TRANSFER_PORT}")
        height = message.timeout_height
        if height.revision_number or height.revision_height:
            raise Malformed("transfer with a timeout height; IBC v2 has timeouts in seconds only")
        return ibc.Transfer(
            account_from_text(message.sender, self._prefix),
            message.source_channel,
            message.token.denom,
            amount_from_text(message.token.amount),
            message.receiver,
            message.timeout_timestamp,
            message.memo,
            message.encoding,
        )


def _trades_to_wire(trades: Any) -> list[bytes]:
    return [encode_energy_trade(entry) for entry in trades]


def _trades_from_wire(payloads: Any) -> tuple[Any, ...]:
    return tuple(map(decode_energy_trade, payloads))


_NESTED: dict[str, RecordCodec[Any]] = {
    "Any": rc.ANY,
    "Height": rc.HEIGHT,
    "Payload": rc.PAYLOAD,
    "Packet": rc.PACKET,
    "Acknowledgement": rc.ACKNOWLEDGEMENT,
    "SignedOrder": rc.SIGNED_ORDER,
    "Cancel": rc.CANCEL,
    "Mandate": rc.MANDATE,
    "CellSet": rc.CELL_SET,
    "RegistryRow": rc.REGISTRY_ROW,
    "Clearing": rc.CLEARING,
    "TradeEvidence": rc.TRADE_EVIDENCE,
    "LocalTrade": rc.LOCAL_TRADE,
    "ProvedVerdictLeaf": rc.PROVED_VERDICT_LEAF,
    "Verdict": rc.VERDICT,
    "Delivery": rc.DELIVERY,
    "ProvedDeliveryLeaf": rc.PROVED_DELIVERY_LEAF,
    "Allocation": rc.ALLOCATION,
}

_COLUMNS: tuple[tuple[type[Any], type[Message], str], ...] = (
    (ibc.CreateClient, client_pb2.MsgCreateClient, "Any client_state,Any consensus_state"),
    (
        ibc.RegisterCounterparty,
        client_v2_pb2.MsgRegisterCounterparty,
        "string client_id,string counterparty_client_id,bytes[] counterparty_merkle_prefix",
    ),
    (ibc.UpdateClient, client_pb2.MsgUpdateClient, "string client_id,Any client_message"),
    (
        ibc.SendPacket,
        channel_pb2.MsgSendPacket,
        "string source_client,uint64 timeout_s:timeout_timestamp,Payload[] payloads",
    ),
    (
        ibc.RecvPacket,
        channel_pb2.MsgRecvPacket,
        "Packet packet,bytes proof_commitment,Height proof_height",
    ),
    (
        ibc.AcknowledgePacket,
        channel_pb2.MsgAcknowledgement,
        "Packet packet,Acknowledgement acknowledgement,bytes proof_acked,Height proof_height",
    ),
    (
        ibc.TimeoutPacket,
        channel_pb2.MsgTimeout,
        "Packet packet,bytes proof_unreceived,Height proof_height",
    ),
    (trade.MsgPlaceOrders, messages_pb2.MsgPlaceOrders, "SignedOrder[] orders"),
    (trade.MsgCancel, messages_pb2.MsgCancel, "Cancel cancel,bytes65 signature"),
    (trade.MsgReleaseOrder, messages_pb2.MsgReleaseOrder, "bytes32 order_id"),
    (
        trade.MsgPostCellSet,
        messages_pb2.MsgPostCellSet,
        "CellSet cell_set,RegistryRow[] rows,bytes65[] signatures",
    ),
    (
        trade.MsgPostClearing,
        messages_pb2.MsgPostClearing,
        "Clearing clearing,bytes65[] signatures",
    ),
    (trade.MsgTradeEvidence, messages_pb2.MsgTradeEvidence, "TradeEvidence evidence"),
    (
        trade.MsgLockAndSend,
        messages_pb2.MsgLockAndSend,
        "string source_client,uint64 timeout_s,EnergyTrade trades",
    ),
    (trade.MsgOpenLocal, messages_pb2.MsgOpenLocal, "LocalTrade trade"),
    (
        trade.MsgApplyVerdict,
        messages_pb2.MsgApplyVerdict,
        (
            "uint64 slot_start,bytes32 decisions_root,ProvedVerdictLeaf[] leaves,Verdict? verdict,"
            "bytes65[] signatures"
        ),
    ),
    (trade.MsgExpirePending, messages_pb2.MsgExpirePending, "bytes32 lock_id"),
    (
        trade.MsgPostDelivery,
        messages_pb2.MsgPostDelivery,
        "Delivery delivery,bytes65[] signatures",
    ),
    (
        trade.MsgClaim,
        messages_pb2.MsgClaim,
        "bytes32 lock_id,bytes32 preimage,ProvedDeliveryLeaf delivery",
    ),
    (trade.MsgWaive, messages_pb2.MsgWaive, "bytes32 lock_id,uint64 wh,bytes65? cosignature"),
    (trade.MsgRefund, messages_pb2.MsgRefund, "bytes32 lock_id,ProvedDeliveryLeaf[] deliveries"),
    (
        trade.MsgCollectShare,
        messages_pb2.MsgCollectShare,
        "bytes32 lock_id,uint8 side,Allocation allocation,bytes32[] proof",
    ),
    (trade.MsgDeposit, messages_pb2.MsgDeposit, "uint128 amount_nano_eur"),
    (trade.MsgWithdraw, messages_pb2.MsgWithdraw, "uint128 amount_nano_eur"),
    (trade.MsgSetMandate, messages_pb2.MsgSetMandate, "Mandate mandate,bytes65 signature"),
    (
        trade.MsgSetBands,
        messages_pb2.MsgSetBands,
        "uint64 slot_start,uint32 slot_length,uint64 price_min,uint64 price_max,uint64 bond_price",
    ),
    (
        trade.MsgSetStockChain,
        messages_pb2.MsgSetStockChain,
        "bytes32 chain_tag,string client,string account_prefix",
    ),
    (trade.MsgOpenAbroad, messages_pb2.MsgOpenAbroad, "EnergyTrade trades"),
    (trade.MsgRetryOwed, messages_pb2.MsgRetryOwed, "address account,bytes32 owed_id"),
    (trade.MsgTakeOwed, messages_pb2.MsgTakeOwed, "bytes32 owed_id"),
)
"""Message, generated class, columns after the signer."""


@lru_cache(maxsize=8)
def _codecs(prefix: str) -> Mapping[type[Any], _MessageCodec]:
    """Return the codec of each message for chains whose accounts have *prefix*."""
    forms: dict[str, tuple[Converter, Converter]] = {
        "EnergyTrade": (_trades_to_wire, _trades_from_wire),
        "account": (
            partial(account_to_text, prefix=prefix),
            partial(account_from_text, prefix=prefix),
        ),
    }
    codecs: dict[type[Any], _MessageCodec] = {
        record: RecordCodec(record, message, "account signer," + columns, _NESTED, forms)
        for record, message, columns in _COLUMNS
    }
    codecs[trade.MsgSend] = _SendCodec(prefix)
    codecs[ibc.Transfer] = _TransferCodec(prefix)
    return codecs


_CODECS = _codecs(ACCOUNT_PREFIX)

TYPE_URLS: dict[type[Any], str] = {
    record: "/" + codec.message.DESCRIPTOR.full_name for record, codec in _CODECS.items()
}
"""Type URL of each message class."""

_BY_TYPE_URL = {TYPE_URLS[record]: codec for record, codec in _CODECS.items()}


def encode_message(message: DomainMessage, prefix: str = ACCOUNT_PREFIX) -> AnyMessage:
    """
    Return the message as a transaction carries it. Raises Malformed on a field out of range.

    Args:
        message: In domain form.
        prefix: Of accounts, on the chain that it is for.
    """
    kind = type(message)
    return AnyMessage(TYPE_URLS[kind], _codecs(prefix)[kind].encode(message))


def decode_message(wire: AnyMessage) -> DomainMessage:
    """
    Read a message.

    Raises:
        Malformed: An unknown type URL, bytes that ``encode_message`` does not make, lengths or
            ranges that the records do not have.
    """
    codec = _BY_TYPE_URL.get(wire.type_url)
    if codec is None:
        raise Malformed(f"unable to resolve type URL {wire.type_url}: unknown message")
    message: DomainMessage = codec.decode(wire.value)
    return message
