"""
A light client with the manners of a real one and no cryptography: whoever knows the root of a
height can prove, so tests play the other ledger by hand.
"""

from __future__ import annotations

from hashlib import sha256

from tieline.protocol.client import (
    VERIFIED,
    ClientStatus,
    ClientStore,
    LightClient,
    UpdateResult,
    Verification,
    refused,
)
from tieline.protocol.errors import ClientRefused, ConsensusStateNotFound
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.protocol.time import TimestampNanoseconds

STATE = "/fakes.ClientState"
CONSENSUS = "/fakes.ConsensusState"
HEADER = "/fakes.Header"
MISBEHAVIOUR = "/fakes.Misbehaviour"
TRUSTING_PERIOD_NS = 14 * 24 * 3600 * 10**9

_LATEST = b"clientState"
_FROZEN = b"frozen"
"""Behind the latest height in the client state, as real clients have it there."""


def root_at(height: int) -> bytes:
    """The other ledger's root at a height: different at every height."""
    return sha256(b"root" + height.to_bytes(8, "big")).digest()


def prove(height: int, path: tuple[bytes, ...], value: bytes | None) -> bytes:
    """Prove a value, or with None absence, under the root of *height*."""
    said = b"nothing" if value is None else b"value" + value
    return sha256(root_at(height) + repr(path).encode() + said).digest()


def header(height: int, time_s: int) -> AnyMessage:
    """A header of the other ledger."""
    return AnyMessage(HEADER, encode(height, time_s * 10**9))


def encode(height: int, time_ns: int) -> bytes:
    """Height and time, eight bytes each."""
    return height.to_bytes(8, "big") + time_ns.to_bytes(8, "big")


def _key(height: Height) -> bytes:
    return f"consensusStates/{height}".encode()


class FakeLightClient:
    """Fits ``LightClient``."""

    client_type = "07-fake"

    def accepts(self, client_state: AnyMessage) -> bool:
        return client_state.type_url == STATE

    def initialise(
        self, store: ClientStore, client_state: AnyMessage, consensus_state: AnyMessage
    ) -> None:
        if consensus_state.type_url != CONSENSUS or len(client_state.value) != 8:
            raise ClientRefused("states do not decode")
        store.set(_LATEST, client_state.value)
        store.set(_key(self.latest_height(store)), consensus_state.value)

    def status(self, store: ClientStore, now_ns: TimestampNanoseconds) -> ClientStatus:
        if (store.get(_LATEST) or b"").endswith(_FROZEN):
            return ClientStatus.FROZEN
        latest_ns = self.timestamp_ns(store, self.latest_height(store))
        expired = latest_ns + TRUSTING_PERIOD_NS <= now_ns
        return ClientStatus.EXPIRED if expired else ClientStatus.ACTIVE

    def latest_height(self, store: ClientStore) -> Height:
        latest = store.get(_LATEST)
        assert latest is not None
        return Height(0, int.from_bytes(latest[:8], "big"))

    def timestamp_ns(self, store: ClientStore, height: Height) -> TimestampNanoseconds:
        value = store.get(_key(height))
        if value is None:
            raise ConsensusStateNotFound("no consensus state", height=height)
        return TimestampNanoseconds(int.from_bytes(value, "big"))

    def update(
        self, store: ClientStore, message: AnyMessage, now_ns: TimestampNanoseconds
    ) -> UpdateResult:
        del now_ns
        if message.type_url == MISBEHAVIOUR:
            store.set(_LATEST, (store.get(_LATEST) or b"")[:8] + _FROZEN)
            return UpdateResult((), misbehaviour=True)
        if message.type_url != HEADER or len(message.value) != 16:
            raise ClientRefused("header does not decode")
        height = Height(0, int.from_bytes(message.value[:8], "big"))
        if store.get(_key(height)) is not None:
            return UpdateResult(())
        store.set(_key(height), message.value[8:])
        if height > self.latest_height(store):
            store.set(_LATEST, message.value[:8])
        return UpdateResult((height,))

    def verify_membership(
        self,
        store: ClientStore,
        height: Height,
        proof: bytes,
        path: tuple[bytes, ...],
        value: bytes,
    ) -> Verification:
        return self._verify(store, height, proof, path, value)

    def verify_non_membership(
        self, store: ClientStore, height: Height, proof: bytes, path: tuple[bytes, ...]
    ) -> Verification:
        return self._verify(store, height, proof, path, None)

    @staticmethod
    def _verify(
        store: ClientStore,
        height: Height,
        proof: bytes,
        path: tuple[bytes, ...],
        value: bytes | None,
    ) -> Verification:
        if store.get(_key(height)) is None:
            return refused("no consensus state")
        if proof != prove(height.revision_height, path, value):
            return refused("root mismatch")
        return VERIFIED


_: LightClient = FakeLightClient()
