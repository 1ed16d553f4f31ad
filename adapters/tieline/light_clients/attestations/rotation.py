"""
How an attestor set is replaced, on hosts of ours: by more than two thirds of itself.

The new set speaks from a height on; that height rises with every rotation, so none can be
repeated. It is kept beside the client:

    attestedFrom                   uint64, big-endian; absent before the first rotation

Sources:
    ``docs/spec/trust.md`` 2; ``docs/spec/bytes.md`` (RotateSet).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol, runtime_checkable

from tieline.light_clients.attestations.messages import ATTESTORS_MAX
from tieline.light_clients.attestations.quorum import AttestationRefused, check_quorum
from tieline.protocol.client import ClientStore
from tieline.protocol.errors import ClientRefused
from tieline.protocol.quorum import has_more_than_two_thirds, more_than_two_thirds
from tieline.wire.attestation_proofs import AttestationProof
from tieline.wire.attestations import ROTATE_TAG
from tieline.wire.errors import Malformed
from tieline.wire.ids import rotate_set_data
from tieline.wire.set_rotation import RotateSet

_FROM_KEY = b"attestedFrom"
_ADDRESS_BYTES = 20
_HEIGHT_COUNT = 1 << 64


@runtime_checkable
class RotatesSet(Protocol):
    """A client that is attested and runs on a host of ours."""

    def rotate_set(
        self, store: ClientStore, data: bytes, chain_tag: bytes, client_id: str
    ) -> RotateSet:
        """
        Replace a client's attestors.

        Args:
            store: The client's.
            data: Bytes of ``RotateSet``.
            chain_tag: Of the ledger that runs the client.
            client_id: The client there.

        Raises:
            ClientRefused: It does not convince. Nothing was written.
        """
        ...


def check_rotation(
    store: ClientStore, data: bytes, old: Collection[bytes], chain_tag: bytes, client_id: str
) -> RotateSet:
    """
    Return a rotation that the old set has signed; the new one is a set that may be relied on.

    Args:
        store: The client's.
        data: Bytes of ``RotateSet``.
        old: The attestors so far, 20 bytes each.
        chain_tag: Of the ledger that runs the client.
        client_id: The client there.

    Raises:
        ClientRefused: See ``RotatesSet.rotate_set``.
    """
    try:
        rotation = RotateSet.decode(data)
        _check_set(rotation)
        if not attested_from(store) < rotation.from_height < _HEIGHT_COUNT:
            raise ClientRefused(
                "first height of the new set does not rise", height=rotation.from_height
            )
        said = rotate_set_data(
            chain_tag,
            client_id,
            rotation.attestors,
            rotation.min_signatures,
            rotation.from_height,
        )
        # More than two thirds of the old set, whatever it asks of itself.
        needed = more_than_two_thirds(len(old))
        proof = AttestationProof(said, rotation.signatures)
        check_quorum(ROTATE_TAG, proof, old, needed, is_strict=True)
    except (AttestationRefused, Malformed) as exc:
        raise ClientRefused(f"rotation: {exc}") from exc
    return rotation


def attested_from(store: ClientStore) -> int:
    """Return the first height of which attestations are taken; 0 before a rotation."""
    data = store.get(_FROM_KEY)
    return 0 if data is None else int.from_bytes(data, "big")


def write_attested_from(store: ClientStore, height: int) -> None:
    """Refuse attestations of lower heights from now on."""
    store.set(_FROM_KEY, height.to_bytes(8, "big"))


def require_attestable(store: ClientStore, height: int) -> None:
    """Raise AttestationRefused for a height that only a set that was replaced has attested."""
    first = attested_from(store)
    if height < first:
        raise AttestationRefused(f"attested by a set that was replaced: height={height} < {first}")


def _check_set(rotation: RotateSet) -> None:
    attestors = rotation.attestors
    if not 0 < len(attestors) <= ATTESTORS_MAX or list(attestors) != sorted(set(attestors)):
        raise ClientRefused("attestors not ascending, or number out of range")
    if any(len(one) != _ADDRESS_BYTES for one in attestors):
        raise ClientRefused("an attestor's address is not 20 bytes")
    needed = rotation.min_signatures
    if needed > len(attestors) or not has_more_than_two_thirds(needed, len(attestors)):
        raise ClientRefused("required signatures not above two thirds")
