"""
What an IBC v2 packet and its answer look like as 32 bytes, and under which keys they are stored.

Sources:
    ibc-go v11 ``04-channel/v2/types/commitment.go``, ``24-host/v2/packet_keys.go``;
    golden cases ``tests/vectors/ibc_v2_commitments.json`` and ``trade_bytes.json``.
"""

from __future__ import annotations

from hashlib import sha256

from tieline.protocol.packet import Acknowledgement, Packet, Payload

ERROR_ACKNOWLEDGEMENT = sha256(b"UNIVERSAL_ERROR_ACKNOWLEDGEMENT").digest()
"""The sentinel: the only error acknowledgement there is. Reasons live elsewhere."""

RECEIPT = b"\x02"
"""What a receipt holds; only its absence is ever proved."""

_VERSION = b"\x02"
_COMMITMENT_TAG = b"\x01"
_RECEIPT_TAG = b"\x02"
_ACKNOWLEDGEMENT_TAG = b"\x03"


def _hash(data: bytes) -> bytes:
    return sha256(data).digest()


def hash_payload(payload: Payload) -> bytes:
    """Hash one payload; every field to fixed length first, so that no border can be moved."""
    return _hash(
        _hash(payload.source_port.encode())
        + _hash(payload.destination_port.encode())
        + _hash(payload.version.encode())
        + _hash(payload.encoding.encode())
        + _hash(payload.value)
    )


def commit_packet(packet: Packet) -> bytes:
    """Return the 32 bytes that a source ledger stores for *packet*."""
    payloads = b"".join(hash_payload(payload) for payload in packet.payloads)
    return _hash(
        _VERSION
        + _hash(packet.destination_client.encode())
        + _hash(packet.timeout_s.to_bytes(8, "big"))
        + _hash(payloads)
    )


def commit_acknowledgement(acknowledgement: Acknowledgement) -> bytes:
    """Return the 32 bytes that a destination ledger stores for its answer."""
    answers = b"".join(_hash(answer) for answer in acknowledgement.app_acknowledgements)
    return _hash(_VERSION + answers)


def packet_commitment_key(source_client: str, sequence: int) -> bytes:
    """Return the key of a packet's commitment, on its source."""
    return source_client.encode() + _COMMITMENT_TAG + sequence.to_bytes(8, "big")


def packet_receipt_key(destination_client: str, sequence: int) -> bytes:
    """Return the key of a packet's receipt, on its destination."""
    return destination_client.encode() + _RECEIPT_TAG + sequence.to_bytes(8, "big")


def acknowledgement_key(destination_client: str, sequence: int) -> bytes:
    """Return the key of a packet's acknowledgement, on its destination."""
    return destination_client.encode() + _ACKNOWLEDGEMENT_TAG + sequence.to_bytes(8, "big")


def next_sequence_key(source_client: str) -> bytes:
    """Return the key of the next sequence a client sends with: one key a client."""
    return b"nextSequenceSend/" + source_client.encode()


def async_packet_key(destination_client: str, sequence: int) -> bytes:
    """Return the key under which a received packet waits for its late acknowledgement."""
    return b"async_packet/" + destination_client.encode() + b"/" + str(sequence).encode()


def client_prefix(client_id: str) -> bytes:
    """Return what stands before every key of a client's own store."""
    return b"clients/" + client_id.encode() + b"/"


NEXT_CLIENT_NUMBER_KEY = b"nextClientSequence"


def merkle_path(prefix: tuple[bytes, ...], key: bytes) -> tuple[bytes, ...]:
    """Return the path of *key* under a counterparty's *prefix*; the key joins its last part."""
    return (*prefix[:-1], prefix[-1] + key)


def is_error(acknowledgement: Acknowledgement) -> bool:
    """Say whether the answer is the sentinel and nothing else."""
    return acknowledgement.app_acknowledgements == (ERROR_ACKNOWLEDGEMENT,)
