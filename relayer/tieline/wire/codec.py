"""
Protobuf in and out, in one place to import from: messages, transactions, packets, records.

All decoders take exactly one encoding and raise ``Malformed`` on any other bytes.
"""

from __future__ import annotations

from tieline.protocol.packet import Acknowledgement, Packet
from tieline.swap.records import SignedOrder
from tieline.wire import records_codec
from tieline.wire.messages_codec import TYPE_URLS, DomainMessage, decode_message, encode_message
from tieline.wire.transactions import (
    DEFAULT_GAS_LIMIT,
    DecodedTransaction,
    TransactionSigner,
    build_transaction,
    decode_transaction,
    sign_bytes,
    transaction_hash,
    verify_transaction,
)

__all__ = [
    "DEFAULT_GAS_LIMIT",
    "TYPE_URLS",
    "DecodedTransaction",
    "DomainMessage",
    "TransactionSigner",
    "build_transaction",
    "decode_acknowledgement",
    "decode_message",
    "decode_packet",
    "decode_signed_order",
    "decode_transaction",
    "encode_acknowledgement",
    "encode_message",
    "encode_packet",
    "encode_signed_order",
    "sign_bytes",
    "transaction_hash",
    "verify_transaction",
]


def encode_packet(packet: Packet) -> bytes:
    """Return ``ibc.core.channel.v2.Packet``, the bytes of attribute encoded_packet_hex."""
    return records_codec.PACKET.encode(packet)


def decode_packet(data: bytes) -> Packet:
    """Read ``ibc.core.channel.v2.Packet``. Raises Malformed."""
    return records_codec.PACKET.decode(data)


def encode_acknowledgement(acknowledgement: Acknowledgement) -> bytes:
    """Return the bytes of attribute encoded_acknowledgement_hex."""
    return records_codec.ACKNOWLEDGEMENT.encode(acknowledgement)


def decode_acknowledgement(data: bytes) -> Acknowledgement:
    """Read ``ibc.core.channel.v2.Acknowledgement``. Raises Malformed."""
    return records_codec.ACKNOWLEDGEMENT.decode(data)


def encode_signed_order(order: SignedOrder) -> bytes:
    """Return ``tieline.trade.v1.SignedOrder``."""
    return records_codec.SIGNED_ORDER.encode(order)


def decode_signed_order(data: bytes) -> SignedOrder:
    """Read ``tieline.trade.v1.SignedOrder``; its signature is not checked. Raises Malformed."""
    return records_codec.SIGNED_ORDER.decode(data)
