"""Cell sets and clearings: who signs, what is refused, which set answers for a slot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from fakes.microgrid import START_S, Ledger, key

from tieline.contract import registry
from tieline.contract.limits import SIGNATURE_GAS
from tieline.contract.quorums import signer_bitmap
from tieline.contract.results import TxResult
from tieline.contract.store import TIELINE, Overlay
from tieline.swap.messages import MsgPostCellSet, MsgPostClearing
from tieline.swap.records import ZERO_HASH, CellSet, Clearing, RegistryRow, Role
from tieline.wire import ids
from tieline.wire.keys import SecpKey
from tieline.wire.typed_data import domain_separator, sign_record

RELAYER = key("relayer").cosmos_account
SLOT = START_S + 3600
DOMAIN = domain_separator(b"\xee" * 32)
EPOCH = b"\x51" * 32


def by_address(*names: str) -> list[SecpKey]:
    return sorted((key(name) for name in names), key=lambda one: one.address)


FOUNDERS = by_address("founder 0", "founder 1", "founder 2")
CELLS = by_address("cell", "cell b", "cell grid")


def sign(record: CellSet | Clearing, keys: Sequence[SecpKey]) -> tuple[bytes, ...]:
    return tuple(sign_record(one, DOMAIN, record) for one in keys)


def rows_of(ledger: Ledger) -> tuple[RegistryRow, ...]:
    tags = {
        key("cell").address: (ledger.application.chain_tag, Role.MICROGRID),
        key("cell b").address: (b"\x0b" * 32, Role.MICROGRID),
        key("cell grid").address: (b"\x0c" * 32, Role.GRID),
    }
    return tuple(RegistryRow(cell.address, *tags[cell.address]) for cell in CELLS)


def post(
    rows: tuple[RegistryRow, ...], signers: Sequence[SecpKey] = FOUNDERS, **change: object
) -> MsgPostCellSet:
    record = CellSet(
        previous=ZERO_HASH,
        network_epoch=EPOCH,
        epoch=1,
        cells_hash=ids.cells_hash(tuple(row.cell for row in rows)),
        registry_hash=ids.registry_hash(rows),
        from_slot=SLOT,
    )
    record = replace(record, **change)  # type: ignore[arg-type]
    return MsgPostCellSet(RELAYER, record, rows, sign(record, signers))


def id_of(message: MsgPostCellSet) -> bytes:
    cells = tuple(row.cell for row in message.rows)
    return ids.cell_set_id(b"\xee" * 32, EPOCH, message.cell_set.epoch, cells)


def clear(
    first: MsgPostCellSet, signers: Sequence[SecpKey] = CELLS, **change: object
) -> MsgPostClearing:
    record = Clearing(id_of(first), first.cell_set.epoch, SLOT, 900, 2, b"\x01" * 32, b"\x02" * 32)
    record = replace(record, **change)  # type: ignore[arg-type]
    return MsgPostClearing(RELAYER, record, sign(record, signers))


@pytest.fixture
def ledger() -> Ledger:
    """A ledger without a cell set."""
    return Ledger()


@pytest.fixture
def first(ledger: Ledger) -> MsgPostCellSet:
    """The first cell set, posted."""
    message = post(rows_of(ledger))
    ledger.must("relayer", message)
    return message


def codes(result: TxResult) -> tuple[str, int]:
    return result.codespace, result.code


def test_the_founders_post_the_first_set_and_a_repeat_is_a_no_op(ledger: Ledger) -> None:
    message = post(rows_of(ledger))
    result = ledger.must("relayer", message)
    assert [event.type for event in result.events] == ["cell_set_posted"]
    assert result.events[0].get("cell_set_id") == id_of(message).hex()
    assert ledger.must("relayer", message).events == ()
    found = registry.cell_set(Overlay(ledger.application._flat[TIELINE]), id_of(message))
    assert found is not None
    assert (found.rows, found.epoch, found.from_slot, found.is_newest) == (
        rows_of(ledger),
        1,
        SLOT,
        True,
    )


def _swap_tags(rows: tuple[RegistryRow, ...]) -> tuple[RegistryRow, ...]:
    tags = [row.chain_tag for row in rows]
    return tuple(
        replace(row, chain_tag=tag) for row, tag in zip(rows, tags[1:] + tags[:1], strict=True)
    )


def _same_tag(rows: tuple[RegistryRow, ...]) -> tuple[RegistryRow, ...]:
    """Give the two cells that are not ours one ledger."""
    return tuple(
        row if row.cell == key("cell").address else replace(row, chain_tag=b"\x0d" * 32)
        for row in rows
    )


SPOILED_SETS: list[tuple[str, Callable[[Ledger], MsgPostCellSet], tuple[str, int]]] = [
    ("two of three founders", lambda g: post(rows_of(g), FOUNDERS[:2]), ("tieline", 3)),
    ("nobody", lambda g: post(rows_of(g), ()), ("tieline", 3)),
    ("a stranger among them", lambda g: post(rows_of(g), [*FOUNDERS[:2], key("x")]), ("sdk", 18)),
    ("out of order", lambda g: post(rows_of(g), FOUNDERS[::-1]), ("sdk", 18)),
    ("one of them twice", lambda g: post(rows_of(g), [FOUNDERS[0]] * 3), ("sdk", 18)),
    ("its own cells sign", lambda g: post(rows_of(g), CELLS), ("sdk", 18)),
    ("no rows", lambda g: replace(post(rows_of(g)), rows=()), ("sdk", 18)),
    ("a row is missing", lambda g: replace(post(rows_of(g)), rows=rows_of(g)[:2]), ("sdk", 18)),
    ("rows descending", lambda g: replace(post(rows_of(g)), rows=rows_of(g)[::-1]), ("sdk", 18)),
    ("another's tag on our cell", lambda g: post(_swap_tags(rows_of(g))), ("sdk", 18)),
    ("two cells for one ledger", lambda g: post(_same_tag(rows_of(g))), ("sdk", 18)),
    (
        "no grid operator",
        lambda g: post(tuple(replace(row, role=1) for row in rows_of(g))),
        ("sdk", 18),
    ),
    ("first slot off the raster", lambda g: post(rows_of(g), from_slot=SLOT + 1), ("sdk", 18)),
    ("unknown predecessor", lambda g: post(rows_of(g), previous=b"\x09" * 32), ("tieline", 2)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "build", "expected"), SPOILED_SETS, ids=lambda v: v if isinstance(v, str) else None
)
def test_a_spoiled_cell_set_is_refused(
    ledger: Ledger, what: str, build: Callable[[Ledger], MsgPostCellSet], expected: tuple[str, int]
) -> None:
    del what
    result = ledger.run("relayer", build(ledger))
    assert codes(result) == expected, result.log
    assert ledger.application.query(TIELINE, b"s") is None
    assert ledger.run("relayer", post(rows_of(ledger))).code == 0


def test_a_second_founding_is_refused(ledger: Ledger, first: MsgPostCellSet) -> None:
    assert first.cell_set.epoch == 1
    assert codes(ledger.run("relayer", post(rows_of(ledger), epoch=2))) == ("sdk", 18)


def test_the_same_id_with_other_content_is_refused(ledger: Ledger, first: MsgPostCellSet) -> None:
    other = post(first.rows, from_slot=SLOT + 900)
    assert codes(ledger.run("relayer", other)) == ("sdk", 18)


def test_the_next_set_is_signed_by_the_one_before_and_takes_later_slots(
    ledger: Ledger, first: MsgPostCellSet
) -> None:
    later = {"previous": id_of(first), "epoch": 2, "from_slot": SLOT + 1800}
    assert codes(ledger.run("relayer", post(first.rows, FOUNDERS, **later))) == ("sdk", 18)
    assert codes(ledger.run("relayer", post(first.rows, CELLS[:2], **later))) == ("tieline", 3)
    for stuck in ({"epoch": 0}, {"epoch": 1}, {"from_slot": SLOT}):
        result = ledger.run("relayer", post(first.rows, CELLS, **{**later, **stuck}))
        assert codes(result) == ("sdk", 18)
    second = post(first.rows, CELLS, **later)
    ledger.must("relayer", second)
    rival = post(first.rows, CELLS, **{**later, "epoch": 3})
    assert codes(ledger.run("relayer", rival)) == ("sdk", 18)
    state = Overlay(ledger.application._flat[TIELINE])
    answers = [
        registry.cell_set_of_slot(state, SLOT + offset) for offset in (-900, 0, 900, 1800, 2700)
    ]
    found = [None if answer is None else answer.cell_set_id for answer in answers]
    assert found == [None, id_of(first), id_of(first), id_of(second), id_of(second)]


@pytest.mark.parametrize(("sealed", "code"), [(SLOT + 900, 0), (SLOT + 1800, 2), (SLOT + 2700, 2)])
def test_a_set_cannot_take_a_slot_that_is_sealed_already(
    ledger: Ledger, first: MsgPostCellSet, sealed: int, code: int
) -> None:
    ledger.must("relayer", clear(first, slot_start=sealed))
    second = post(first.rows, CELLS, previous=id_of(first), epoch=2, from_slot=SLOT + 1800)
    assert ledger.run("relayer", second).code == code


def test_a_clearing_is_stored_under_its_root_and_a_repeat_is_a_no_op(
    ledger: Ledger, first: MsgPostCellSet
) -> None:
    message = clear(first)
    result = ledger.must("relayer", message)
    assert dict(result.events[0].attributes) == {
        "slot_start": str(SLOT),
        "slot_length": "900",
        "level": "2",
        "clearing_root": "02" * 32,
    }
    assert ledger.must("relayer", message).events == ()
    assert ledger.must("relayer", replace(message, signatures=())).events == ()
    state = Overlay(ledger.application._flat[TIELINE])
    assert registry.clearing(state, b"\x02" * 32) == message.clearing


SPOILED_CLEARINGS: list[tuple[str, dict[str, object], Sequence[SecpKey], tuple[str, int]]] = [
    ("two of three cells", {}, CELLS[:2], ("tieline", 3)),
    ("the founders", {}, FOUNDERS, ("sdk", 18)),
    ("an unknown set", {"cell_set_id": b"\x09" * 32}, CELLS, ("tieline", 2)),
    ("another epoch", {"epoch": 2}, CELLS, ("sdk", 18)),
    ("a slot before the set", {"slot_start": SLOT - 900}, CELLS, ("sdk", 18)),
    ("a slot off the raster", {"slot_start": SLOT + 60}, CELLS, ("sdk", 18)),
    ("a length of no market", {"slot_length": 600}, CELLS, ("sdk", 18)),
    ("two levels", {"level": 3}, CELLS, ("sdk", 18)),
]


@pytest.mark.parametrize(
    ("what", "change", "signers", "expected"),
    SPOILED_CLEARINGS,
    ids=lambda v: v if isinstance(v, str) else None,
)
def test_a_spoiled_clearing_is_refused(
    ledger: Ledger,
    first: MsgPostCellSet,
    what: str,
    change: dict[str, object],
    signers: Sequence[SecpKey],
    expected: tuple[str, int],
) -> None:
    del what
    assert codes(ledger.run("relayer", clear(first, signers, **change))) == expected
    assert ledger.application.scan(TIELINE, b"c") == []


def test_another_clearing_cannot_take_a_stored_root(ledger: Ledger, first: MsgPostCellSet) -> None:
    ledger.must("relayer", clear(first))
    other = clear(first, orders_root=b"\x03" * 32)
    assert codes(ledger.run("relayer", other)) == ("sdk", 18)


def test_owners_are_the_cells_of_both_ledgers_and_the_grid(ledger: Ledger) -> None:
    rows = rows_of(ledger)
    stored = registry.StoredCellSet(b"", b"", b"", 1, SLOT, ZERO_HASH, rows)
    own = ledger.application.chain_tag
    assert stored.owners_required(own, b"\x0b" * 32) == 7
    grid = stored.bit_of_chain(b"\x0c" * 32)
    assert stored.grid_bits() == grid
    assert stored.owners_required(own, own) == stored.bit_of_chain(own) | grid
    assert stored.owners_required(own, b"\x0d" * 32) == 0
    assert stored.bit_of_cell(key("cell").address) == stored.bit_of_chain(own)
    assert stored.bit_of_cell(b"\x00" * 20) == 0


class Payer:
    """As much of a context as counting signers needs."""

    domain = DOMAIN

    def __init__(self) -> None:
        self.paid = 0

    def charge(self, gas: int) -> None:
        self.paid += gas


def test_every_signature_is_paid_for() -> None:
    payer = Payer()
    record = Clearing(b"\x01" * 32, 1, SLOT, 900, 2, b"\x01" * 32, b"\x02" * 32)
    cells = [cell.address for cell in CELLS]
    signatures = sign(record, [CELLS[0], CELLS[2]])
    assert signer_bitmap(payer, record, signatures, cells) == 0b101  # type: ignore[arg-type]
    assert payer.paid == 2 * SIGNATURE_GAS
