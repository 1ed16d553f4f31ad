"""
Signatures of cells on records: who signed, and whether they are enough. Rules by name are in
``tieline.protocol.quorum``; which record needs which is in ``docs/spec/trust.md`` 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tieline.contract.context import Context
from tieline.contract.errors import InvalidMessage, QuorumMissing
from tieline.contract.limits import SIGNATURE_GAS
from tieline.wire.errors import Malformed
from tieline.wire.typed_data import SignedRecord, recover_signer_address


def signer_bitmap(
    ctx: Context, record: SignedRecord, signatures: Sequence[bytes], cells: Sequence[bytes]
) -> int:
    """
    Return who signed: bit i is the i-th of *cells* (addresses, ascending).

    Raises:
        InvalidMessage: A signature is malformed, a stranger's, or out of ascending order; one bad
            signature spoils all.
    """
    if len(signatures) > len(cells):
        raise InvalidMessage("more signatures than cells", count=len(signatures))
    places = {cell: place for place, cell in enumerate(cells)}
    bitmap = 0
    for signature in signatures:
        ctx.charge(SIGNATURE_GAS)
        try:
            signer = recover_signer_address(ctx.domain, record, signature)
        except Malformed as exc:
            raise InvalidMessage(f"invalid signature, {exc}") from exc
        place = places.get(signer)
        if place is None:
            raise InvalidMessage("signer is not a cell of the set", signer=signer.hex())
        if bitmap >> place:
            raise InvalidMessage("signers are not strictly ascending", signer=signer.hex())
        bitmap |= 1 << place
    return bitmap


def require_quorum(bitmap: int, n: int, rule: Callable[[int], int]) -> None:
    """
    Check that enough cells signed.

    Args:
        bitmap: Who signed.
        n: Cells in the set.
        rule: One of the named rules of ``tieline.protocol.quorum``.

    Raises:
        QuorumMissing: Too few.
    """
    signed, needed = bitmap.bit_count(), rule(n)
    if signed < needed:
        raise QuorumMissing("quorum missing", signed=signed, needed=needed, cells=n)
