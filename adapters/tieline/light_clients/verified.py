"""
Facts of another ledger that a light client here has checked.

``Verified`` can be made only in this package, so a function that takes one can never be given what
an RPC merely returned. Attestors sign nothing else.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from tieline.interfaces.ledger import StoredValue
from tieline.protocol.client import ClientStatus, ClientStore, LightClient
from tieline.protocol.errors import ClientNotActive, ProofInvalid
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.protocol.time import TimestampNanoseconds, TimestampSeconds, to_seconds

T_co = TypeVar("T_co", covariant=True)

_SEAL = object()


class Verified(Generic[T_co]):
    """A value with the word of a light client behind it."""

    __slots__ = ("_value",)

    def __init__(self, value: T_co, seal: object) -> None:
        """Raise TypeError outside this module: only a check makes one."""
        if seal is not _SEAL:
            raise TypeError("only a light client makes a verified value")
        self._value = value

    @property
    def value(self) -> T_co:
        """What was checked."""
        return self._value

    def __repr__(self) -> str:
        return f"Verified({self._value!r})"


def verify_state(
    light_client: LightClient,
    store: ClientStore,
    header: AnyMessage,
    height: Height,
    now_ns: TimestampNanoseconds,
) -> Verified[TimestampSeconds]:
    """
    Bring a client to *header* and return the time at *height*, whole seconds.

    Args:
        light_client: The native rules.
        store: What the caller trusts so far; updated.
        header: Native client message.
        height: Of that header, or one that is held already.
        now_ns: The caller's clock, to refuse expired trust and headers from the future.

    Raises:
        ClientNotActive: Expired, or frozen, perhaps by this very header.
        ClientRefused: The header does not convince.
        ConsensusStateNotFound: The header is of another height.
    """
    _require_active(light_client, store, now_ns)
    light_client.update(store, header, now_ns)
    _require_active(light_client, store, now_ns)
    return Verified(to_seconds(light_client.timestamp_ns(store, height)), _SEAL)


def verify_stored(
    light_client: LightClient,
    store: ClientStore,
    entry: StoredValue,
    merkle_prefix: tuple[bytes, ...],
) -> Verified[StoredValue]:
    """
    Check a stored value, or its absence, under a header that the client holds.

    Args:
        light_client: The native rules.
        store: What the caller trusts.
        entry: With its native proof.
        merkle_prefix: Of the ledger; the key is added to its last part.

    Raises:
        ProofInvalid: It is not shown.
    """
    path = (*merkle_prefix[:-1], merkle_prefix[-1] + entry.key)
    if entry.value is None:
        shown = light_client.verify_non_membership(store, entry.proof_height, entry.proof, path)
    else:
        shown = light_client.verify_membership(
            store, entry.proof_height, entry.proof, path, entry.value
        )
    if not shown:
        raise ProofInvalid(shown.refusal or "", key=entry.key.hex(), height=entry.proof_height)
    return Verified(entry, _SEAL)


def _require_active(
    light_client: LightClient, store: ClientStore, now_ns: TimestampNanoseconds
) -> None:
    status = light_client.status(store, now_ns)
    if status is not ClientStatus.ACTIVE:
        raise ClientNotActive("client is not active", status=status.value)
