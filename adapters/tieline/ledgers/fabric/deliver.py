"""
Blocks of a channel as one peer has committed them, by number, over its deliver service: the bytes
as they come, with the peer's own verdict on each transaction in the metadata.

Sources:
    Fabric 3.1 ``common/deliver/deliver.go``; fabric-protos ``orderer/ab.proto``,
    ``peer/events.proto``.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fabric_protos.common import common_pb2
from fabric_protos.orderer import ab_pb2

from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.fabric.peer_calls import PeerAddress
from tieline.ledgers.fabric.port import Carrier
from tieline.wire.errors import Malformed
from tieline.wire.fabric.envelopes import ChannelHeader, Envelope, Payload, SignatureHeader
from tieline.wire.fabric.proposals import NONCE_BYTES
from tieline.wire.fabric.reader import Message

METHOD: Final = "/protos.Deliver/Deliver"
DELIVER_SEEK_INFO: Final = 5
_STATUS_FIELD, _BLOCK_FIELD = 1, 2
_SUCCESS, _BAD_REQUEST, _FORBIDDEN, _NOT_FOUND = 200, 400, 403, 404
_NS_PER_S: Final = 10**9


def seek_envelope(
    carrier: Carrier, address: PeerAddress, fabric_channel: str, first: int, last: int
) -> bytes:
    """
    Return the request for blocks *first* to *last* as far as the peer has them; it does not wait
    for more.
    """
    seek = ab_pb2.SeekInfo(
        start=ab_pb2.SeekPosition(specified=ab_pb2.SeekSpecified(number=first)),
        stop=ab_pb2.SeekPosition(specified=ab_pb2.SeekSpecified(number=last)),
        behavior=ab_pb2.SeekInfo.FAIL_IF_NOT_READY,
    )
    seconds, nanos = divmod(time.time_ns(), _NS_PER_S)
    channel_header = ChannelHeader(
        DELIVER_SEEK_INFO,
        fabric_channel,
        "",
        seconds=seconds,
        nanos=nanos,
        # With mutual TLS the peer wants the request tied to the connection.
        tls_cert_hash=_certificate_hash(address.certificate_pem),
    )
    payload = Payload(
        channel_header.encode(),
        SignatureHeader(carrier.creator, secrets.token_bytes(NONCE_BYTES)).encode(),
        seek.SerializeToString(deterministic=True),
    ).encode()
    return Envelope(payload, carrier.sign(payload)).encode()


async def read_blocks(responses: AsyncIterator[bytes], first: int, peer: str) -> list[bytes]:
    """
    Return the ``common.Block`` bytes of a stream of DeliverResponses, ascending from *first*.

    Raises:
        Unavailable: The peer answers what it was not asked.
        ConfigError: It does not let us read.
    """
    blocks: list[bytes] = []
    async for raw in responses:
        try:
            answer = Message(raw)
            status, block = answer.int32(_STATUS_FIELD), answer.octets(_BLOCK_FIELD)
            number = Message(block).message(1).uint64(1)
        except Malformed as exc:
            raise Unavailable(f"a peer delivers no block: peer={peer} {exc}") from exc
        if not block:
            _check_status(status, peer)
            return blocks
        if number != first + len(blocks):
            raise Unavailable(f"a peer delivers another block: peer={peer} number={number}")
        blocks.append(block)
    return blocks


def _check_status(status: int, peer: str) -> None:
    if status in {_SUCCESS, _NOT_FOUND}:
        return  # all of them, or as many as there are
    named = common_pb2.Status.Name(status) if status in common_pb2.Status.values() else status
    if status == _FORBIDDEN:
        raise ConfigError(
            f"the peer does not let us read blocks: status={named}",
            key=peer,
            instead="take an identity of an organisation of this channel",
        )
    if status == _BAD_REQUEST:
        # It says no more; of a request like ours it dislikes the time or the tie to the connection.
        raise ConfigError(
            f"the peer refuses to be asked for blocks: status={named}",
            key=peer,
            instead="set this computer's clock and the peer's by NTP (the peer's limit is "
            "peer.authentication.timewindow), and look whether what stands between ends TLS",
        )
    raise Unavailable(f"a peer delivers nothing: peer={peer} status={named}")


def _certificate_hash(pem: bytes) -> bytes:
    if not pem:
        return b""
    return sha256(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)).digest()
