"""Packets, payloads and acknowledgements of IBC v2: information and permission, never money."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Payload:
    """What one application says to another."""

    source_port: str
    destination_port: str
    version: str
    encoding: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Packet:
    """A message from a client's ledger to its counterparty's."""

    sequence: int
    """At least 1."""
    source_client: str
    destination_client: str
    timeout_s: int
    """Unix seconds of the destination's chain time; from then on it cannot be received."""
    payloads: tuple[Payload, ...]
    """Exactly one today, as in ibc-go v11."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What the destination answered: one entry a payload, or the 32-byte sentinel alone."""

    app_acknowledgements: tuple[bytes, ...]
