"""A proposer asks every cell of the set; what comes back is checked before it counts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from tieline.interfaces.cell_link import CellLink, Refusal, Signature
from tieline.interfaces.errors import NotYet, Unavailable
from tieline.utility.cell import UtilityCell
from tieline.utility.slot_work import SlotWork
from tieline.wire.errors import Malformed
from tieline.wire.typed_data import SignedRecord, recover_signer_address

Ask = Callable[[CellLink], Awaitable[Signature | Refusal]]


async def gather_signatures(
    cell: UtilityCell, work: SlotWork, records: Sequence[SignedRecord], ask: Ask
) -> dict[bytes, tuple[bytes, ...]]:
    """
    Return each agreeing cell's signatures over *records*, ascending address.

    Refusals, silence and signatures that are not the asked cell's go into ``work.refusals``: one
    cell that answers nonsense must not spoil what the others signed.
    """
    signed: dict[bytes, tuple[bytes, ...]] = {}
    for link in cell.links:
        try:
            answer = await ask(link)
        except (NotYet, Unavailable) as silence:
            work.refusals.append(f"{link.cell.hex()}: {silence}")
            continue
        if isinstance(answer, Refusal):
            work.refusals.append(f"{link.cell.hex()}: {answer.rule}: {answer.first_difference}")
        elif not _is_signed_by(cell, link.cell, records, answer.signatures):
            work.refusals.append(f"{link.cell.hex()}: not its signature")
        else:
            signed[link.cell] = answer.signatures
    return signed


def _is_signed_by(
    cell: UtilityCell,
    address: bytes,
    records: Sequence[SignedRecord],
    signatures: Sequence[bytes],
) -> bool:
    if len(signatures) != len(records):
        return False
    try:
        return all(
            recover_signer_address(cell.domain, record, signature) == address
            for record, signature in zip(records, signatures, strict=True)
        )
    except Malformed:
        return False
