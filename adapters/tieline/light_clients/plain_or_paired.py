"""
Clients with and without attestors side by side, each as it was created.

A chain without cells of ours has nobody who could attest it but our own; a ledger whose genesis
says so takes such a chain's headers alone.

Sources:
    ``docs/spec/trust.md`` 1.
"""

from __future__ import annotations

from tieline.light_clients.paired import PairedClient, is_paired
from tieline.protocol.client import (
    ClientStatus,
    ClientStore,
    LightClient,
    UpdateResult,
    Verification,
)
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.protocol.time import TimestampNanoseconds
from tieline.wire.set_rotation import RotateSet


class PlainOrPaired:
    """Fits ``protocol.client.LightClient``."""

    def __init__(self, native: LightClient, paired: PairedClient) -> None:
        """Take clients of the type of *native*, which *paired* is made of too."""
        assert native.client_type == paired.client_type, "two types of clients"
        self._native = native
        self._paired = paired

    @property
    def client_type(self) -> str:
        """The native client's type."""
        return self._native.client_type

    def accepts(self, client_state: AnyMessage) -> bool:
        """Say whether this is a client state of the native type, or one paired with it."""
        return self._paired.accepts(client_state) or self._native.accepts(client_state)

    def initialise(
        self, store: ClientStore, client_state: AnyMessage, consensus_state: AnyMessage
    ) -> None:
        """Check states and write them; how the client was created stays. Raises ClientRefused."""
        is_attested = self._paired.accepts(client_state)
        rules: LightClient = self._paired if is_attested else self._native
        rules.initialise(store, client_state, consensus_state)

    def status(self, store: ClientStore, now_ns: TimestampNanoseconds) -> ClientStatus:
        """Return the client's status."""
        return self._native.status(store, now_ns)

    def latest_height(self, store: ClientStore) -> Height:
        """Return the highest height with a consensus state."""
        return self._native.latest_height(store)

    def timestamp_ns(self, store: ClientStore, height: Height) -> TimestampNanoseconds:
        """Return the chain time at *height*. Raises ConsensusStateNotFound."""
        return self._native.timestamp_ns(store, height)

    def update(
        self, store: ClientStore, message: AnyMessage, now_ns: TimestampNanoseconds
    ) -> UpdateResult:
        """Take a header, or proof of misbehaviour. Raises ClientRefused."""
        return self._rules(store).update(store, message, now_ns)

    def verify_membership(
        self,
        store: ClientStore,
        height: Height,
        proof: bytes,
        path: tuple[bytes, ...],
        value: bytes,
    ) -> Verification:
        """Say whether *value* is shown at *path*."""
        return self._rules(store).verify_membership(store, height, proof, path, value)

    def verify_non_membership(
        self, store: ClientStore, height: Height, proof: bytes, path: tuple[bytes, ...]
    ) -> Verification:
        """Say whether it is shown that nothing is at *path*."""
        return self._rules(store).verify_non_membership(store, height, proof, path)

    def rotate_set(
        self, store: ClientStore, data: bytes, chain_tag: bytes, client_id: str
    ) -> RotateSet:
        """As ``rotation.RotatesSet``; refused for a client without attestors."""
        return self._paired.rotate_set(store, data, chain_tag, client_id)

    def _rules(self, store: ClientStore) -> LightClient:
        return self._paired if is_paired(store) else self._native
