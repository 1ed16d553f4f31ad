"""Who signed a record: the same rules as on ledgers, without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tieline.audit.findings import Check, Findings, Place
from tieline.wire.errors import Malformed
from tieline.wire.typed_data import SignedRecord, recover_signer_address


@dataclass(frozen=True, slots=True)
class Quorum:
    """Who must sign, and how many of them."""

    domain: bytes
    """EIP-712 separator of the network."""
    cells: Sequence[bytes]
    """Addresses of the set, ascending."""
    needed: Callable[[int], int]
    """One of the named rules of ``protocol.quorum``."""


def signer_bits(
    domain: bytes, record: SignedRecord, signatures: Sequence[bytes], cells: Sequence[bytes]
) -> int:
    """
    Return who signed: bit i is the i-th of *cells*, ascending.

    Raises:
        Malformed: A signature is broken, a stranger's, or out of ascending order.
    """
    bits = 0
    for signature in signatures:
        signer = recover_signer_address(domain, record, signature)
        if signer not in cells:
            raise Malformed(f"signed by {signer.hex()}, which is no cell of the set")
        place = cells.index(signer)
        if bits >> place:
            raise Malformed(f"signer {signer.hex()} is not in ascending order")
        bits |= 1 << place
    return bits


def check_quorum(
    place: Place,
    check: Check,
    record: SignedRecord,
    signatures: Sequence[bytes],
    quorum: Quorum,
    findings: Findings,
) -> int:
    """
    Check that enough cells signed.

    Args:
        place: Where to note it.
        check: Under which head.
        record: What was signed.
        signatures: Ascending by signer.
        quorum: Of the record.
        findings: Takes what does not hold.

    Returns:
        Who signed; 0 if a signature is bad.
    """
    count = len(quorum.cells)
    needed = quorum.needed(count) if count else 1
    name = f"signatures of the {type(record).__name__.lower()}"
    try:
        bits = signer_bits(quorum.domain, record, signatures, quorum.cells)
    except Malformed as error:
        findings.refuse(place, check, name, "signatures of the cell set", error)
        return 0
    findings.require(
        place,
        check,
        name,
        holds=bits.bit_count() >= needed,
        expected=f"at least {needed} of {count}",
        found=bits.bit_count(),
    )
    return bits
