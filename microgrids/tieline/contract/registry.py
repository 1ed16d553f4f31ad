"""
Who the cells are and what they sealed: roles, cell sets, clearings.

Sources:
    ``docs/spec/bytes.md`` (CellSet, Clearing, stores); ``docs/spec/trust.md`` 3.
"""

from __future__ import annotations

from dataclasses import replace
from struct import Struct

from tieline.contract.cell_sets import (
    NEWEST_CELL_SET_KEY,
    StoredCellSet,
    cell_set_key,
    cell_set_use_key,
    decode_cell_set,
    encode_cell_set,
)
from tieline.contract.context import Context, Outcome
from tieline.contract.errors import InvalidMessage, NotPermitted, NotYetPosted
from tieline.contract.quorums import require_quorum, signer_bitmap
from tieline.contract.store import Readable
from tieline.protocol.events import Event
from tieline.protocol.limits import CELLS_MAX
from tieline.protocol.quorum import more_than_two_thirds
from tieline.swap.messages import MsgPostCellSet, MsgPostClearing
from tieline.swap.records import ZERO_HASH, Clearing, Level, RegistryRow, Role
from tieline.wire import ids
from tieline.wire.errors import Malformed

FOUNDERS_KEY = b"r"
"""Addresses of the cells that sign the first set, 20 bytes each."""

TICK_S = 900
SLOT_LENGTHS_S = (900, 1_800, 3_600)

_CLEARING = Struct(">32sQQIB32s32s")


def role_key(cell: bytes) -> bytes:
    """Return the key of a cell's role on this ledger, store ``tieline``."""
    return b"r" + cell


def clearing_key(clearing_root: bytes) -> bytes:
    """Return the key of a clearing, store ``tieline``."""
    return b"c" + clearing_root


def require_own_cell(ctx: Context) -> None:
    """
    Check that this ledger's utility cell signed the transaction.

    Raises:
        NotPermitted: Somebody else did.
    """
    if ctx.state.get(role_key(ctx.signer_address)) is None:
        raise NotPermitted(
            "only the utility cell of this ledger may do this", signer=ctx.signer_address.hex()
        )


def cell_set(state: Readable, cell_set_id: bytes) -> StoredCellSet | None:
    """Return a cell set by its id."""
    data = state.get(cell_set_key(cell_set_id))
    return None if data is None else decode_cell_set(cell_set_id, data)


def cell_set_of_slot(state: Readable, slot_start: int) -> StoredCellSet | None:
    """Return the set with the largest ``from_slot`` <= *slot_start*; None before the first."""
    newest = state.get(NEWEST_CELL_SET_KEY)
    found = None if newest is None else cell_set(state, newest)
    while found is not None and found.from_slot > slot_start:
        found = cell_set(state, found.previous)
    return found


def require_cell_set(
    ctx: Context, cell_set_id: bytes, epoch: int, slot_start: int
) -> StoredCellSet:
    """
    Return the set that a record names, which must be the slot's.

    Raises:
        NotYetPosted: It is not stored here.
        InvalidMessage: Another set answers for the slot, or the epoch is not the set's.
    """
    found = cell_set(ctx.state, cell_set_id)
    if found is None:
        raise NotYetPosted("cell set not posted here", cell_set_id=cell_set_id.hex())
    if found.epoch != epoch:
        raise InvalidMessage("epoch is not the cell set's", expected=found.epoch, actual=epoch)
    of_slot = cell_set_of_slot(ctx.state, slot_start)
    if of_slot is None or of_slot.cell_set_id != cell_set_id:
        raise InvalidMessage("another cell set answers for the slot", slot_start=slot_start)
    return found


def mark_used(ctx: Context, used: StoredCellSet, slot_start: int) -> None:
    """
    Remember that a set sealed something of a slot here, so that no successor takes the slot.

    Written only when the slot is later than any before, so that posts of one slot do not meet.
    """
    key = cell_set_use_key(used.cell_set_id)
    if _latest_use(ctx.state, used.cell_set_id) < slot_start:
        ctx.state.set(key, slot_start.to_bytes(8, "big"))


def clearing(state: Readable, clearing_root: bytes) -> Clearing | None:
    """Return a stored clearing by its trades root."""
    data = state.get(clearing_key(clearing_root))
    return None if data is None else decode_clearing(data)


def encode_clearing(record: Clearing) -> bytes:
    """Return the stored bytes of a clearing."""
    return _CLEARING.pack(
        record.cell_set_id,
        record.epoch,
        record.slot_start,
        record.slot_length,
        record.level,
        record.orders_root,
        record.trades_root,
    )


def decode_clearing(data: bytes) -> Clearing:
    """Read what ``encode_clearing`` made."""
    return Clearing(*_CLEARING.unpack(data))


def post_cell_set(ctx: Context, message: MsgPostCellSet) -> Outcome:
    """
    Store a cell set, signed by more than two thirds of the one before it (row A0).

    Raises:
        NotYetPosted: The set before it is missing here, or the old set already sealed a slot that
            the new one claims.
        InvalidMessage: Hashes, rows, epoch or first slot are wrong, or another set follows already.
        QuorumMissing: Too few signatures.
    """
    record, rows = message.cell_set, message.rows
    cells = _require_rows(ctx, message)
    cell_set_id = ids.cell_set_id(ctx.network_id, record.network_epoch, record.epoch, cells)
    new = StoredCellSet(
        cell_set_id,
        record.previous,
        record.network_epoch,
        record.epoch,
        record.from_slot,
        ZERO_HASH,
        rows,
    )
    known = cell_set(ctx.state, cell_set_id)
    if known is not None:
        if replace(known, successor=ZERO_HASH) == new:
            return Outcome.ALREADY_DONE
        raise InvalidMessage("a different cell set has this id", cell_set_id=cell_set_id.hex())
    signers = _signers_of_next(ctx, new)
    bitmap = signer_bitmap(ctx, record, message.signatures, signers)
    require_quorum(bitmap, len(signers), more_than_two_thirds)
    _store_next(ctx, new)
    ctx.emit(
        Event(
            "cell_set_posted",
            (
                ("cell_set_id", cell_set_id.hex()),
                ("epoch", str(new.epoch)),
                ("from_slot", str(new.from_slot)),
            ),
        )
    )
    return Outcome.DONE


def post_clearing(ctx: Context, message: MsgPostClearing) -> Outcome:
    """
    Store a sealed clearing, signed by more than two thirds of the slot's cells (row A0).

    Raises:
        NotYetPosted: Its cell set is missing here.
        InvalidMessage: Slot, level or cell set are wrong, or the root is another clearing's.
        QuorumMissing: Too few signatures.
    """
    record = message.clearing
    require_slot(record.slot_start, record.slot_length)
    if record.level not in (Level.INTRA, Level.INTER, Level.GRID):
        raise InvalidMessage("unknown level", level=record.level)
    stored = ctx.state.get(clearing_key(record.trades_root))
    encoded = encode_clearing(record)
    if stored is not None:
        if stored == encoded:
            return Outcome.ALREADY_DONE
        raise InvalidMessage("a different clearing has this root", root=record.trades_root.hex())
    members = require_cell_set(ctx, record.cell_set_id, record.epoch, record.slot_start)
    bitmap = signer_bitmap(ctx, record, message.signatures, members.cells)
    require_quorum(bitmap, len(members.rows), more_than_two_thirds)
    ctx.state.set(clearing_key(record.trades_root), encoded)
    mark_used(ctx, members, record.slot_start)
    ctx.emit(
        Event(
            "clearing_posted",
            (
                ("slot_start", str(record.slot_start)),
                ("slot_length", str(record.slot_length)),
                ("level", str(int(record.level))),
                ("clearing_root", record.trades_root.hex()),
            ),
        )
    )
    return Outcome.DONE


def require_slot(slot_start: int, slot_length: int) -> None:
    """
    Check that a slot starts on the market's 15-minute raster and has one of its lengths.

    Raises:
        InvalidMessage: It does not.
    """
    if slot_start <= 0 or slot_start % TICK_S or slot_length not in SLOT_LENGTHS_S:
        raise InvalidMessage(
            "not a slot of the market", slot_start=slot_start, slot_length=slot_length
        )


def _require_rows(ctx: Context, message: MsgPostCellSet) -> tuple[bytes, ...]:
    """Check rows against the record's hashes and against one another; return the cells."""
    record, rows = message.cell_set, message.rows
    cells = tuple(row.cell for row in rows)
    if not 0 < len(rows) <= CELLS_MAX:
        raise InvalidMessage("number of cells out of range", cells=len(rows), most=CELLS_MAX)
    try:
        hashes = (ids.cells_hash(cells), ids.registry_hash(rows))
    except Malformed as exc:
        raise InvalidMessage(f"invalid registry rows, {exc}") from exc
    if hashes != (record.cells_hash, record.registry_hash):
        raise InvalidMessage("rows do not match the hashes of the cell set")
    _require_roles(ctx, rows)
    if record.from_slot <= 0 or record.from_slot % TICK_S:
        raise InvalidMessage("first slot is off the raster", from_slot=record.from_slot)
    return cells


def _require_roles(ctx: Context, rows: tuple[RegistryRow, ...]) -> None:
    if any(row.role not in (Role.MICROGRID, Role.GRID) for row in rows):
        raise InvalidMessage("unknown role of a cell")
    if all(row.role != Role.GRID for row in rows):
        raise InvalidMessage("the grid operator's cell sits in every set")
    if len({row.chain_tag for row in rows}) != len(rows):
        raise InvalidMessage("a ledger has exactly one utility cell")
    own = [row for row in rows if row.chain_tag == ctx.chain_tag]
    if not own or own[0].cell != ctx.names.cell_address:
        raise InvalidMessage("the set does not name this ledger's utility cell")


def _signers_of_next(ctx: Context, new: StoredCellSet) -> tuple[bytes, ...]:
    """Return who must sign the set after the newest."""
    newest = ctx.state.get(NEWEST_CELL_SET_KEY)
    if new.previous == ZERO_HASH:
        if newest is not None:
            raise InvalidMessage("the first cell set is posted already")
        founders = ctx.state.get(FOUNDERS_KEY) or b""
        return tuple(founders[place : place + 20] for place in range(0, len(founders), 20))
    before = cell_set(ctx.state, new.previous)
    if before is None:
        raise NotYetPosted("previous cell set not posted here", previous=new.previous.hex())
    if not before.is_newest:
        raise InvalidMessage("another cell set follows already", follower=before.successor.hex())
    if new.epoch <= before.epoch or new.from_slot <= before.from_slot:
        raise InvalidMessage(
            "epoch and first slot must rise", epoch=new.epoch, from_slot=new.from_slot
        )
    used = _latest_use(ctx.state, before.cell_set_id)
    if used >= new.from_slot:
        raise NotYetPosted(
            "the set before has sealed a slot that this one claims",
            used=used,
            from_slot=new.from_slot,
        )
    return before.cells


def _store_next(ctx: Context, new: StoredCellSet) -> None:
    if new.previous != ZERO_HASH:
        before = cell_set(ctx.state, new.previous)
        assert before is not None, "found a moment ago"
        followed = replace(before, successor=new.cell_set_id)
        ctx.state.set(cell_set_key(new.previous), encode_cell_set(followed))
    ctx.state.set(cell_set_key(new.cell_set_id), encode_cell_set(new))
    ctx.state.set(NEWEST_CELL_SET_KEY, new.cell_set_id)


def _latest_use(state: Readable, cell_set_id: bytes) -> int:
    value = state.get(cell_set_use_key(cell_set_id))
    return 0 if value is None else int.from_bytes(value, "big")
