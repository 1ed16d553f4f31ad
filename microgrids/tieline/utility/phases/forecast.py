"""Before the book opens: bands on the own ledger, the zone's forecast, a secret for the coin."""

from __future__ import annotations

from tieline.contract.keys import bands_key
from tieline.interfaces.errors import Unavailable
from tieline.swap.evidence import Zone, ZoneLeaf
from tieline.swap.messages import MsgSetBands
from tieline.utility.cell import UtilityCell
from tieline.utility.journal import Statement
from tieline.utility.slot_work import SlotWork
from tieline.wire.hashes import keccak

COIN = "coin"
"""Kind under which the journal keeps what other cells committed to."""


async def set_bands(cell: UtilityCell, work: SlotWork) -> None:
    """Fix the slot's price band and bond price; called until they stand on the ledger."""
    stored = await cell.own.ledger.query("tieline", bands_key(work.slot_start, work.slot_length))
    work.has_bands = stored is not None
    if stored is None:
        message = MsgSetBands(
            cell.account,
            work.slot_start,
            work.slot_length,
            cell.terms.price_min,
            cell.terms.price_max,
            cell.terms.bond_price,
        )
        await cell.own.ledger.submit(cell.lane, [message])


def committed_zone(cell: UtilityCell, slot_start: int) -> Zone:
    """Return the zone's forecast as salted leaves, ascending bus; the same whenever it is asked."""
    forecast = cell.field_source.forecast(slot_start)
    leaves = tuple(
        ZoneLeaf(cell.derive(f"salt {slot_start} {bus}"), bus, *forecast[bus])
        for bus in sorted(forecast)
    )
    return Zone(cell.entry.chain_tag, leaves)


def coin_secret(cell: UtilityCell, slot_start: int) -> bytes:
    """Return the cell's part of the slot's coin."""
    return cell.derive(f"coin {slot_start}")


async def gather_commitments(cell: UtilityCell, work: SlotWork) -> None:
    """Keep every cell's commitment to its part of the coin, durably, before the gate closes."""
    fresh: list[Statement] = []
    for link in cell.links:
        if _commitment(cell, work, link.cell) is None:
            try:
                commitment = await link.coin_commitment(work.slot_start)
            except Unavailable:
                continue  # A silent cell has no part in the coin.
            fresh.append(Statement(COIN, cell.cell_set_id, _part(work, link.cell), commitment))
    cell.journal.bind(fresh)


async def open_coin(cell: UtilityCell, work: SlotWork) -> bytes:
    """
    Return the XOR of all cells' secrets: nobody could choose it after seeing the books.

    A cell that opens something else than it committed to is left out, by everybody alike.
    """
    coin = bytes(32)
    for link in cell.links:
        try:
            secret = await link.coin(work.slot_start)
        except Unavailable:
            continue
        if keccak(secret) == _commitment(cell, work, link.cell):
            coin = bytes(a ^ b for a, b in zip(coin, secret, strict=True))
    return coin


def _commitment(cell: UtilityCell, work: SlotWork, address: bytes) -> bytes | None:
    return cell.journal.content(COIN, cell.cell_set_id, _part(work, address))


def _part(work: SlotWork, address: bytes) -> bytes:
    return work.slot_start.to_bytes(8, "big") + address
