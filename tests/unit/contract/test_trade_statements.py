"""Which statements count for a lock, and what each record that cells sign keeps others from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from fakes.microgrid import key
from fakes.trade_records import NETWORK_EPOCH, T_A, T_B, TAU, E, S
from fakes.trade_world import (
    BOND_PRICE,
    CELLS,
    MONEY,
    NETWORK_ID,
    TradeLedger,
    TradeWorld,
    account,
    events,
    signed_by,
)

from tieline.contract.keys import verdict_key
from tieline.contract.records import decode_verdict
from tieline.contract.store import TIELINE
from tieline.contract.vaults import imbalance_account
from tieline.swap.messages import (
    MsgApplyVerdict,
    MsgClaim,
    MsgOpenLocal,
    MsgPostCellSet,
    MsgRefund,
    MsgTradeEvidence,
    ProvedVerdictLeaf,
)
from tieline.swap.records import (
    Level,
    RegistryRow,
    Role,
    Side,
    VerdictLeaf,
)
from tieline.wire import ids
from tieline.wire.hashes import sha256

RELAYER = account("relayer")
SECRET = b"\x5e" * 32
WH = 4000


class Scene:
    """A direct trade of a level, LOCKED on b, OPEN on a; no statement yet."""

    def __init__(self, level: Level) -> None:
        world = self.world = TradeWorld()
        buy = world.place("ann", Side.BUY, WH)
        sell = world.place("bob", Side.SELL, WH, anchor=sha256(SECRET))
        position = world.position([(buy, WH)], [(sell, WH)], SECRET, level=level)
        root = position.trade.clearing_root
        self.position = replace(position, clearing=world.clearing(root, level))
        packet = world.send(self.position)
        world.receive(self.position, packet)
        leaf = world.leaf(self.position, packet)
        world.b.must("relayer", world.apply_verdict([leaf]), at=TAU)
        self.trade_id = position.trade.trade_id

    @property
    def legs(self) -> tuple[tuple[TradeLedger, bytes], ...]:
        return (self.world.a, self.position.lock_in), (self.world.b, self.position.lock_out)

    def state(self, ledger: TradeLedger, wh: int, names: Sequence[str] = CELLS) -> None:
        message = self.world.delivery([(self.trade_id, wh)], names)
        ledger.must("relayer", message, at=max(E, ledger.now_s))

    def claim(self, lock_id: bytes, wh: int) -> MsgClaim:
        return self.world.claim(lock_id, SECRET, self.trade_id, wh)

    def refund(self, *delivered: tuple[int, int]) -> MsgRefund:
        """A refund on b with leaves: (Wh, index) each."""
        leaves = tuple(
            self.world.delivery_leaf([(self.trade_id, wh)], self.trade_id, index)
            for wh, index in delivered
        )
        return MsgRefund(RELAYER, self.position.lock_out, leaves)


# --- GRID ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", CELLS)
def test_a_grid_trade_is_claimed_under_both_cells_signatures_only(missing: str) -> None:
    scene = Scene(Level.GRID)
    for ledger, lock_id in scene.legs:
        scene.state(ledger, 3600, [name for name in CELLS if name != missing])
        early = ledger.run("relayer", scene.claim(lock_id, 3600))
        assert (early.code, "both cells of a GRID trade" in early.log) == (2, True)
        more = ledger.must("relayer", scene.world.delivery([(scene.trade_id, 3600)]))
        assert [told["signers"] for told in events(more, "delivery_signed")] == ["7"]
        ledger.must("relayer", scene.claim(lock_id, 3600))
        assert ledger.lock(lock_id).paid_wh == 3600


def test_a_trade_between_microgrids_is_claimed_under_the_quorum() -> None:
    scene = Scene(Level.INTER)
    for ledger, lock_id in scene.legs:
        scene.state(ledger, 3600, ("cell a", "cell b"))
        ledger.must("relayer", scene.claim(lock_id, 3600))


def test_a_statement_that_does_not_count_neither_delays_a_refund_nor_slashes() -> None:
    for leaves in ((), ((3600, 0),)):
        scene = Scene(Level.GRID)
        b, lock_id = scene.legs[1]
        scene.state(b, 3600, ("cell a", "cell b"))
        b.must("relayer", scene.refund(*leaves), at=T_B)
        assert b.lock(lock_id).slashed_wh == 0
        assert b.pay("bob") == MONEY
    scene = Scene(Level.GRID)
    b, lock_id = scene.legs[1]
    scene.state(b, 3600)
    assert "every stored statement" in b.attempt("relayer", scene.refund(), at=T_A - 1).log
    b.must("relayer", scene.refund((3600, 0)), at=T_B)
    assert b.lock(lock_id).slashed_wh == 400


# --- refunds ------------------------------------------------------------------------------------


def test_from_t_a_on_some_of_the_statements_slash_nothing() -> None:
    """With three cells two statements may differ; whoever refunds does not choose between them."""
    scene = Scene(Level.INTER)
    b, lock_id = scene.legs[1]
    for wh in (0, 3900):
        scene.state(b, wh)
    b.must("relayer", scene.refund((0, 0)), at=T_A)
    assert b.lock(lock_id).slashed_wh == 0
    assert b.pay("bob") == MONEY
    assert b.vault(imbalance_account(b.tag)) == 0


def test_one_statement_shown_twice_is_one_statement() -> None:
    scene = Scene(Level.INTER)
    b, _ = scene.legs[1]
    for wh in (3600, 3900):
        scene.state(b, wh)
    twice = scene.refund((3600, 0), (3600, 0))
    assert "every stored statement" in b.attempt("relayer", twice, at=T_A - 1).log


@pytest.mark.parametrize(("count", "code"), [(64, 0), (65, 4)])
def test_a_refund_shows_at_most_64_leaves(count: int, code: int) -> None:
    scene = Scene(Level.INTER)
    b, _ = scene.legs[1]
    scene.state(b, 3600)
    message = scene.refund(*((3600, 0),) * count)
    assert b.attempt("relayer", message, at=T_B).code == code


@pytest.mark.parametrize(("is_shown", "slashed_wh"), [(True, 100), (False, 0)])
def test_an_intra_refund_needs_no_leaf_but_slashes_with_one_only(
    *, is_shown: bool, slashed_wh: int
) -> None:
    """T_A = T_B inside a microgrid, so relayers bring the leaf of their own accord."""
    world = TradeWorld()
    a = world.a
    buy = world.place("ann", Side.BUY, 700)
    sell = world.place("abe", Side.SELL, 700, anchor=sha256(SECRET))
    local = world.local_position([(buy, 700)], [(sell, 700)], preimage=SECRET)
    world.open_local(local)
    a.must("relayer", world.apply_verdict([world.local_leaf(local)]), at=TAU)
    trade_id = local.trade.trade_id
    a.must("relayer", world.delivery([(trade_id, 600)]), at=E)
    leaf = world.delivery_leaf([(trade_id, 600)], trade_id)
    message = MsgRefund(RELAYER, local.lock_id, (leaf,) if is_shown else ())
    assert "before the expiry" in a.attempt("relayer", message, at=T_B - 1).log
    a.must("relayer", message, at=T_B)
    assert a.lock(local.lock_id).slashed_wh == slashed_wh
    assert a.pay("abe") == MONEY - slashed_wh * BOND_PRICE
    assert a.pay("ann") == MONEY - 700 * (300_000 - 180_000)  # waits in the order for its release


def test_an_intra_trade_stands_in_an_intra_clearing() -> None:
    world = TradeWorld()
    buy = world.place("ann", Side.BUY, 700)
    sell = world.place("abe", Side.SELL, 700, anchor=sha256(SECRET))
    local = world.local_position([(buy, 700)], [(sell, 700)], preimage=SECRET)
    cleared = world.clearing(local.trade.clearing_root, Level.INTER)
    world.a.must("relayer", world.post_clearing(cleared))
    cell = account("cell a")
    messages = (MsgTradeEvidence(cell, local.evidence), MsgOpenLocal(cell, local.trade))
    assert "another cell set, slot or level" in world.a.attempt("cell a", *messages).log


# --- cell sets ----------------------------------------------------------------------------------


def bare_verdict(world: TradeWorld, *names: str) -> MsgApplyVerdict:
    """A verdict that is posted without applying anything."""
    leaf = VerdictLeaf(world.b.tag, bytes(32), 1, bytes(32), bytes(32), 2, 0, 1, 0, 0, 0)
    return world.apply_verdict([leaf], apply=(), names=names or CELLS)


@pytest.mark.parametrize("record", ["verdict", "statement"])
def test_a_slot_with_a_verdict_or_statement_goes_to_no_later_set(record: str) -> None:
    world = TradeWorld()
    sealed = bare_verdict(world) if record == "verdict" else world.delivery([(bytes(32), 1)])
    _, claims_it = world.second_cell_set(S)
    assert world.a.attempt("relayer", claims_it).code == 0
    world.a.must("relayer", sealed)
    refused = world.a.attempt("relayer", claims_it)
    assert (refused.code, "sealed a slot" in refused.log) == (2, True)
    _, leaves_it = world.second_cell_set(S + 900)
    assert world.a.attempt("relayer", leaves_it).code == 0


def test_the_same_verdict_with_other_signers_adds_them() -> None:
    world = TradeWorld()
    four = (*CELLS, "cell d")
    new = RegistryRow(key("cell d").address, b"\x0d" * 32, Role.MICROGRID)
    rows = tuple(sorted((*world.rows, new), key=lambda row: row.cell))
    cells = tuple(row.cell for row in rows)
    cell_set = replace(
        world.cell_set,
        previous=world.cell_set_id,
        epoch=2,
        from_slot=S,
        cells_hash=ids.cells_hash(cells),
        registry_hash=ids.registry_hash(rows),
    )
    world.a.must("relayer", MsgPostCellSet(RELAYER, cell_set, rows, signed_by(cell_set)))
    message = bare_verdict(world)
    assert message.verdict is not None
    cell_set_id = ids.cell_set_id(NETWORK_ID, NETWORK_EPOCH, 2, cells)
    verdict = replace(message.verdict, cell_set_id=cell_set_id, epoch=2)
    for missing, count, kind in (("cell d", 3, "posted"), ("cell a", 4, "signed")):
        names = [name for name in four if name != missing]
        result = world.a.must(
            "relayer", replace(message, verdict=verdict, signatures=signed_by(verdict, names))
        )
        (told,) = events(result, f"verdict_{kind}")
        assert int(told["signers"]).bit_count() == count
        stored = world.a.app.query(TIELINE, verdict_key(S))
        assert stored is not None
        assert decode_verdict(stored).signers.bit_count() == count


# --- groups -------------------------------------------------------------------------------------


def test_a_group_is_not_filled_up_with_the_same_trade() -> None:
    """Else half of a group would go through alone."""
    world = TradeWorld()
    leaf = VerdictLeaf(world.b.tag, bytes(32), 1, bytes(32), bytes(32), 1, 9, 0, 1, 2, 7)
    twice = world.apply_verdict([leaf], apply=[leaf, leaf])
    assert "a trade comes twice" in world.b.attempt("relayer", twice).log
    both = [leaf, replace(leaf, cap_wh=8)]
    assert "a trade comes twice" in world.b.attempt("relayer", world.apply_verdict(both)).log


def test_a_group_has_at_most_64_members() -> None:
    world = TradeWorld()
    leaf = VerdictLeaf(world.b.tag, bytes(32), 1, bytes(32), bytes(32), 1, 9, 0, 1, 1, 7)
    message = world.apply_verdict([leaf])
    for size, refusal in ((64, "not in the verdict"), (65, "group or its size out of range")):
        group = tuple(
            ProvedVerdictLeaf(replace(leaf, trade_id=bytes((n,)) * 32, group_size=size), ())
            for n in range(size)
        )
        result = world.b.attempt("relayer", replace(message, leaves=group))
        assert refusal in result.log
