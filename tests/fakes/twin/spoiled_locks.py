"""Wrong variants of verdicts, statements, claims, waivers, refunds and shares."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fakes.trade_records import T_A, T_B, TAU, D, S
from fakes.twin.decisions import REFUSE
from fakes.twin.parties import CELL, TAG_Y, account
from fakes.twin.rows import CAP_WH, C, reported
from fakes.twin.spoiled import Sent, flip, spoil_each, spoiled
from fakes.twin.spoiled_book import AMONG_OTHERS, SIGNATURES, SIGNERS
from fakes.twin.world import RELAYER, TwinWorld
from tieline.swap.messages import (
    MsgClaim,
    MsgCollectShare,
    MsgExpirePending,
    MsgRefund,
    MsgWaive,
    ProvedDeliveryLeaf,
)
from tieline.swap.records import DeliveryLeaf, Side, VerdictLeaf
from tieline.wire.hashes import tag

JUDGED_AT = TAU + 30
PENDING = ("in", "in pooled", "local", "local direct")


def _leaf(world: TwinWorld, name: str = "in", **change: Any) -> VerdictLeaf:
    packet = world.memory.packets.get(name)
    return world.council.leaf(world.deals[name], packet, **{"cap_wh": CAP_WH, **change})


# --- verdicts ---------------------------------------------------------------------------------


def _verdict_leaf(world: TwinWorld, change: dict[str, Any]) -> Sent:
    return "relayer", [world.council.apply([_leaf(world, **change)])]


LEAVES: dict[str, dict[str, Any]] = {
    "of another ledger": {"dest_chain_tag": TAG_Y},
    "of another client": {"dest_client": tag("attestations-1")},
    "of another sequence": {"sequence": 2},
    "of a sequence that never was": {"sequence": 99},
    "of another packet": {"packet_commitment": b"\x6c" * 32},
    "of another trade": {"trade_id": b"\x6d" * 32},
    "with an unknown decision": {"decision": 3},
    "with decision 0": {"decision": 0},
    "with a cap of nothing": {"cap_wh": 0},
    "with a cap above the energy": {"cap_wh": 301},
    "with a reason beside an accept": {"reason": 1},
    "of group 0": {"group": 0},
    "of a group of 2 alone": {"group_size": 2},
    "of a group of none": {"group_size": 0},
    "of a group of 65": {"group_size": 65},
    "refused with an unknown reason": {**REFUSE, "reason": 13},
    "refused in a group": {**REFUSE, "group": 1, "group_size": 1},
}
spoil_each("sent", JUDGED_AT, _verdict_leaf, {f"leaf {k}": v for k, v in LEAVES.items()})


def _owners(world: TwinWorld, name: str) -> Sent:
    owners = world.cells.bits() & ~world.cells.bits(name)
    return "relayer", [world.council.apply([_leaf(world, owners=owners)])]


spoil_each(
    "sent",
    JUDGED_AT,
    _owners,
    {f"an accept without {name}": name for name in (CELL, "cell y", "cell grid")},
)


def _unsigned_owner(world: TwinWorld, name: str) -> Sent:
    names = tuple(each for each in world.cells.names if each != name)
    return "relayer", [world.council.apply([_leaf(world)], names=names)]


spoil_each(
    "sent",
    JUDGED_AT,
    _unsigned_owner,
    {f"an accept that its owner {name} did not sign": name for name in (CELL, "cell y", "cell z")},
)


@spoiled("sent", JUDGED_AT)
def _an_owner_that_is_no_cell(world: TwinWorld) -> Sent:
    return "relayer", [world.council.apply([_leaf(world, owners=world.cells.bits() | 1 << 40)])]


@spoiled("sent", JUDGED_AT, is_told=True)
def _a_refusal_needs_no_owner(world: TwinWorld) -> Sent:
    names = (CELL, "cell y", "cell grid")
    return "relayer", [world.council.apply([_leaf(world, **REFUSE, owners=0)], names=names)]


@spoiled("sent", JUDGED_AT, is_told=True)
def _an_accept_needs_no_cell_that_owns_nothing_of_it(world: TwinWorld) -> Sent:
    names = (CELL, "cell y", "cell grid")
    owners = world.cells.bits(*names)
    return "relayer", [world.council.apply([_leaf(world, owners=owners)], names=names)]


def _verdict_of(world: TwinWorld, change: dict[str, Any]) -> Sent:
    return "relayer", [world.council.apply([_leaf(world)], **change)]


spoil_each(
    "sent",
    JUDGED_AT,
    _verdict_of,
    {
        "verdict of another epoch": {"epoch": 2},
        "verdict of an unknown set": {"cell_set_id": b"\x6e" * 32},
        "verdict of another network epoch": {"network_epoch": b"\x6e" * 32},
        "verdict of the next slot": {"slot_start": S + 900},
        "verdict off the raster": {"slot_start": S + 1},
        "verdict of slot 0": {"slot_start": 0},
        "verdict of two ticks": {"slot_length": 1800},
    },
)


def _verdict_signed(world: TwinWorld, spoil: Any) -> Sent:
    message = world.council.apply([_leaf(world, **REFUSE, owners=0)])
    return "relayer", [replace(message, signatures=spoil(message.signatures))]


spoil_each("sent", JUDGED_AT, _verdict_signed, {f"verdict: {k}": v for k, v in SIGNERS.items()})
spoil_each(
    "sent",
    JUDGED_AT,
    _verdict_signed,
    {
        f"verdict, {name}": lambda signed, spoil=spoil: (*signed[:3], spoil(signed[3]))
        for name, spoil in AMONG_OTHERS.items()
    },
)


@spoiled("sent", JUDGED_AT)
def _leaves_of_a_verdict_that_nobody_signed(world: TwinWorld) -> Sent:
    return "relayer", [world.council.apply([_leaf(world)], is_brought=False)]


@spoiled("locked", JUDGED_AT)
def _leaves_of_another_verdict_than_the_stored(world: TwinWorld) -> Sent:
    return "relayer", [world.council.apply([_leaf(world)], is_brought=False)]


@spoiled("locked", JUDGED_AT, is_told=True)
def _a_second_verdict_is_evidence(world: TwinWorld) -> Sent:
    return "relayer", [world.council.apply([_leaf(world)])]


@spoiled("locked", JUDGED_AT)
def _a_second_verdict_without_a_quorum_is_none(world: TwinWorld) -> Sent:
    return "relayer", [world.council.apply([_leaf(world)], names=(CELL, "cell y"))]


@spoiled("sent", JUDGED_AT)
def _a_leaf_twice(world: TwinWorld) -> Sent:
    leaf = _leaf(world, group_size=2)
    return "relayer", [world.council.apply([leaf], [leaf, leaf])]


@spoiled("sent", JUDGED_AT)
def _two_groups_at_once(world: TwinWorld) -> Sent:
    leaves = [_leaf(world, name, group=place + 1) for place, name in enumerate(PENDING[:2])]
    return "relayer", [world.council.apply(leaves)]


@spoiled("sent", JUDGED_AT)
def _a_leaf_that_is_not_in_the_tree(world: TwinWorld) -> Sent:
    message = world.council.apply([_leaf(world), _leaf(world, "in pooled", group=2)])
    (first, second) = message.leaves
    false = replace(first, leaf=replace(first.leaf, cap_wh=CAP_WH + 1))
    assert second.leaf.group == 2
    return "relayer", [replace(message, leaves=(false,))]


@spoiled("sent", JUDGED_AT)
def _a_leaf_by_another_proof(world: TwinWorld) -> Sent:
    message = world.council.apply([_leaf(world), _leaf(world, "in pooled", group=2)])
    (first, _) = message.leaves
    return "relayer", [replace(message, leaves=(replace(first, proof=(b"\x6f" * 32,)),))]


@spoiled("sent", JUDGED_AT)
def _half_of_a_group_is_refused_already(world: TwinWorld) -> Sent:
    group = [_leaf(world, name, group=3, group_size=2) for name in PENDING[:2]]
    refused = _leaf(world, **REFUSE)
    whole = [*group, refused]
    first = world.council.apply(whole, [refused])
    return "relayer", [
        first,
        world.council.apply(whole, group, is_brought=False),
    ]


@spoiled("sent", JUDGED_AT, is_told=True)
def _a_whole_group(world: TwinWorld) -> Sent:
    group = [_leaf(world, name, group=3, group_size=2) for name in PENDING[:2]]
    return "relayer", [world.council.apply(group)]


@spoiled("sent", JUDGED_AT, is_told=True)
def _refusals_of_many_at_once(world: TwinWorld) -> Sent:
    leaves = [_leaf(world, name, **REFUSE) for name in PENDING]
    return "relayer", [world.council.apply(leaves)]


@spoiled("sent", JUDGED_AT, is_told=True)
def _a_verdict_alone(world: TwinWorld) -> Sent:
    return "relayer", [world.council.apply([_leaf(world)], [])]


@spoiled("sent", JUDGED_AT, is_told=True)
def _more_signers_are_added(world: TwinWorld) -> Sent:
    few = world.council.apply([_leaf(world)], [], names=(CELL, "cell y", "cell grid"))
    return "relayer", [few, world.council.apply([_leaf(world)])]


@spoiled("sent", JUDGED_AT)
def _a_local_leaf_with_a_sequence(world: TwinWorld) -> Sent:
    return "relayer", [world.council.apply([_leaf(world, "local", sequence=1)])]


@spoiled("sent", D)
def _expire_what_was_sent_from_here(world: TwinWorld) -> Sent:
    return "relayer", [world.council.expire(world.deals["out"])]


@spoiled("sent", D)
def _expire_what_is_not_here(world: TwinWorld) -> Sent:
    del world
    return "relayer", [MsgExpirePending(RELAYER, b"\x70" * 32)]


# --- statements -------------------------------------------------------------------------------


def _statement_signed(world: TwinWorld, spoil: Any) -> Sent:
    message = world.council.statement(reported(world))
    return "relayer", [replace(message, signatures=spoil(message.signatures))]


spoil_each(
    "locked",
    C,
    _statement_signed,
    {f"statement: {k}": v for k, v in SIGNERS.items()},
)
spoil_each(
    "locked",
    C,
    _statement_signed,
    {
        f"statement, {name}": lambda signed, spoil=spoil: (*signed[:3], spoil(signed[3]))
        for name, spoil in AMONG_OTHERS.items()
    },
)


def _statement_of(world: TwinWorld, change: dict[str, Any]) -> Sent:
    return "relayer", [world.council.statement(reported(world), **change)]


spoil_each(
    "locked",
    C,
    _statement_of,
    {
        "statement of another epoch": {"epoch": 2},
        "statement of an unknown set": {"cell_set_id": b"\x71" * 32},
        "statement of two ticks": {"slot_length": 1800},
        "statement off the raster": {"slot_start": S + 1},
        "statement of slot 0": {"slot_start": 0},
    },
)


@spoiled("delivered", C, is_told=True)
def _the_same_statement_again(world: TwinWorld) -> Sent:
    return "relayer", [world.council.statement(reported(world))]


@spoiled("delivered", C, is_told=True)
def _a_second_statement_is_stored_and_told(world: TwinWorld) -> Sent:
    other = [(deal, 1) for deal in world.deals.values()]
    return "relayer", [world.council.statement(other)]


@spoiled("locked", C, is_told=True)
def _a_statement_gains_signers(world: TwinWorld) -> Sent:
    few = world.council.statement(reported(world), names=(CELL, "cell y", "cell grid"))
    return "relayer", [few, world.council.statement(reported(world))]


# --- claims -------------------------------------------------------------------------------------


def _claim(world: TwinWorld, name: str = "in") -> MsgClaim:
    deal = world.deals[name]
    message = world.council.claim(deal, world.council.delivered(reported(world), deal))
    assert isinstance(message, MsgClaim)
    return message


def _claim_with(world: TwinWorld, case: tuple[str, Any]) -> Sent:
    name, spoil = case
    return "relayer", [spoil(world, _claim(world, name))]


def _delivery(**change: Any) -> Any:
    return lambda world, claim: replace(claim, delivery=replace(claim.delivery, **change))


CLAIMS: dict[str, Any] = {
    "with another preimage": lambda w, m: replace(m, preimage=flip(m.preimage)),
    "with 31 bytes": lambda w, m: replace(m, preimage=m.preimage[:31]),
    "with 33 bytes": lambda w, m: replace(m, preimage=m.preimage + b"\x00"),
    "with no preimage": lambda w, m: replace(m, preimage=b""),
    "with a statement that is not there": _delivery(index=1),
    "without the leaf's proof": _delivery(proof=()),
    "with a false proof": _delivery(proof=(b"\x72" * 32,)),
    "with a long proof": _delivery(proof=(b"\x72" * 32,) * 33),
    "of more than was stated": lambda w, m: replace(
        m,
        delivery=replace(m.delivery, leaf=DeliveryLeaf(m.delivery.leaf.trade_id, 200)),
    ),
    "with a leaf of another trade": lambda w, m: replace(
        m, delivery=_claim(w, "in pooled" if m.lock_id == w.deals["in"].lock_id else "in").delivery
    ),
    "of a lock that is not here": lambda w, m: replace(m, lock_id=b"\x73" * 32),
}
for _name in ("in", "out", "local"):
    spoil_each(
        "delivered",
        C,
        _claim_with,
        {f"claim {_name} {case}": (_name, spoil) for case, spoil in CLAIMS.items()},
    )


@spoiled("locked", C)
def _claim_without_a_statement(world: TwinWorld) -> Sent:
    return "relayer", [_claim(world)]


@spoiled("sent, reported", D)
def _claim_before_the_verdict(world: TwinWorld) -> Sent:
    return "relayer", [_claim(world)]


@spoiled("delivered", C, is_told=True)
def _a_claim_twice(world: TwinWorld) -> Sent:
    return "relayer", [_claim(world), _claim(world)]


@spoiled("delivered", C, is_told=True)
def _claims_of_two_statements_pay_the_larger(world: TwinWorld) -> Sent:
    more = [(deal, 180) for deal in world.deals.values()]
    second = world.council.statement(more)
    deal = world.deals["in"]
    claims = [_claim(world), world.council.claim(deal, world.council.delivered(more, deal, 1))]
    return "relayer", [second, *claims, *reversed(claims)]


@spoiled("locked", C)
def _a_grid_claim_that_the_operator_did_not_sign(world: TwinWorld) -> Sent:
    names = (CELL, "cell y", "cell z")
    deal = world.deals["in pooled"]
    statement = world.council.statement(reported(world), names=names)
    leaf = world.council.delivered(reported(world), deal)
    return "relayer", [statement, world.council.claim(deal, leaf)]


@spoiled("locked", C, is_told=True)
def _an_inter_claim_needs_no_operator(world: TwinWorld) -> Sent:
    names = (CELL, "cell y", "cell z")
    return "relayer", [world.council.statement(reported(world), names=names), _claim(world)]


# --- waivers ------------------------------------------------------------------------------------


def _waiver(world: TwinWorld, case: tuple[str, str, int, str]) -> Sent:
    name, signer, wh, cosigner = case
    return signer, [world.council.waive(world.deals[name], wh, signer, cosigner)]


WAIVERS: dict[str, tuple[str, str, int, str]] = {
    "of the source by a stranger": ("out", "mallory", 20, "cell grid"),
    "of the source by the cell": ("out", CELL, 20, "cell grid"),
    "of a direct sale by a stranger": ("in", "mallory", 20, "cell grid"),
    "of a direct sale by the connector": ("in", "connector", 20, "cell grid"),
    "of a pool by a stranger": ("in pooled", "mallory", 20, "cell grid"),
    "of a pool by a member": ("in pooled", "ben", 20, "cell grid"),
    "of a pool without the operator": ("in pooled", CELL, 20, "cell y"),
    "of a pool co-signed by a stranger": ("in pooled", CELL, 20, "mallory"),
    "of a local pool by a stranger": ("local", "mallory", 20, "cell grid"),
    "of more than the cap": ("in", "bob", CAP_WH + 1, "cell grid"),
    "of a source above its cap": ("out", "connector", CAP_WH + 1, "cell grid"),
}
spoil_each("locked", C, _waiver, {f"waiver {k}": v for k, v in WAIVERS.items()})
spoil_each(
    "locked",
    C,
    _waiver,
    {
        "a waiver of the cap gives nothing up": ("in", "bob", CAP_WH, "cell grid"),
        "a waiver of everything": ("in", "bob", 0, "cell grid"),
        "a waiver of all of a pool": ("in pooled", CELL, 0, "cell grid"),
    },
    is_told=True,
)


@spoiled("sent", TAU)
def _waiver_before_the_verdict(world: TwinWorld) -> Sent:
    return "bob", [world.council.waive(world.deals["in"], 20, "bob")]


@spoiled("delivered", C)
def _waiver_below_what_is_paid(world: TwinWorld) -> Sent:
    deal = world.deals["in"]
    waiver = replace(world.council.waive(deal, 149, "bob"), signer=account("bob"))
    return "bob", [replace(_claim(world), signer=account("bob")), waiver]


def _cosigned(world: TwinWorld, spoil: Any) -> Sent:
    message = world.council.waive(world.deals["in pooled"], 20, CELL)
    return CELL, [replace(message, cosignature=spoil(message.cosignature))]


spoil_each("locked", C, _cosigned, {f"pool's waiver, {k}": v for k, v in SIGNATURES.items()})


@spoiled("locked", C)
def _waiver_of_a_lock_that_is_not_here(world: TwinWorld) -> Sent:
    del world
    return "bob", [MsgWaive(account("bob"), b"\x73" * 32, 1)]


@spoiled("locked", C)
def _waiver_with_a_co_signature_over_other_wh(world: TwinWorld) -> Sent:
    message = world.council.waive(world.deals["in pooled"], 20, CELL)
    return CELL, [replace(message, wh=21)]


# --- refunds ------------------------------------------------------------------------------------


def _shown(world: TwinWorld, name: str, **change: Any) -> ProvedDeliveryLeaf:
    return replace(world.council.delivered(reported(world), world.deals[name]), **change)


def _refund_with(world: TwinWorld, leaves: Any) -> Sent:
    return "relayer", [MsgRefund(RELAYER, world.deals["in"].lock_id, tuple(leaves(world)))]


spoil_each(
    "delivered",
    T_B,
    _refund_with,
    {
        "refund with no leaf of a stated slot": lambda w: [],
        "refund with a leaf of another trade": lambda w: [_shown(w, "in pooled")],
        "refund with a false proof": lambda w: [_shown(w, "in", proof=())],
        "refund with a statement that is not there": lambda w: [_shown(w, "in", index=1)],
        "refund with 65 leaves": lambda w: [_shown(w, "in")] * 65,
    },
)
spoil_each(
    "delivered",
    T_B,
    _refund_with,
    {"refund with a leaf twice": lambda w: [_shown(w, "in")] * 2},
    is_told=True,
)


@spoiled("sent", T_B)
def _refund_of_what_is_pending(world: TwinWorld) -> Sent:
    return "relayer", [world.council.refund(world.deals["in"])]


@spoiled("locked", T_A)
def _refund_of_a_lock_that_is_not_here(world: TwinWorld) -> Sent:
    del world
    return "relayer", [MsgRefund(RELAYER, b"\x73" * 32)]


@spoiled("delivered", T_B, is_told=True)
def _refund_takes_the_largest_of_two_statements(world: TwinWorld) -> Sent:
    deal = world.deals["in"]
    more = [(each, 180) for each in world.deals.values()]
    leaves = [
        world.council.delivered(reported(world), deal),
        world.council.delivered(more, deal, 1),
    ]
    return "relayer", [world.council.statement(more), world.council.refund(deal, leaves)]


@spoiled("delivered", T_B)
def _refund_with_one_of_two_statements(world: TwinWorld) -> Sent:
    deal = world.deals["in"]
    more = [(each, 180) for each in world.deals.values()]
    leaf = world.council.delivered(reported(world), deal)
    return "relayer", [world.council.statement(more), world.council.refund(deal, [leaf])]


# --- shares -------------------------------------------------------------------------------------


def _share(world: TwinWorld, case: tuple[str, Side, int]) -> MsgCollectShare:
    name, side, place = case
    return world.council.share(world.deals[name], side, place)


def _share_of(world: TwinWorld, case: tuple[str, Side, int]) -> Sent:
    return "relayer", [_share(world, case)]


spoil_each(
    "closed",
    T_A,
    _share_of,
    {
        "share of the second leaf first": ("out pooled", Side.BUY, 1),
        "seller's share of the second leaf first": ("in pooled", Side.SELL, 1),
        "share of a direct buyer": ("out", Side.BUY, 0),
        "share of a direct seller": ("in", Side.SELL, 0),
    },
)


def _share_with(world: TwinWorld, spoil: Any) -> Sent:
    return "relayer", [spoil(_share(world, ("in pooled", Side.SELL, 0)))]


def _allocation(**change: Any) -> Any:
    return lambda m: replace(m, allocation=replace(m.allocation, **change))


spoil_each(
    "closed",
    T_A,
    _share_with,
    {
        "share of another account": _allocation(account=account("mallory")),
        "share of more energy": _allocation(energy_wh=700),
        "share at another price": _allocation(price=1),
        "share of an unknown order": _allocation(order_id=b"\x74" * 32),
        "share without its proof": lambda m: replace(m, proof=()),
        "share of the wrong side": lambda m: replace(m, side=Side.BUY),
        "share of side 3": lambda m: replace(m, side=3),
        "share of a lock that is not here": lambda m: replace(m, lock_id=b"\x73" * 32),
    },
)


@spoiled("closed", T_A, is_told=True)
def _all_shares_of_a_pool(world: TwinWorld) -> Sent:
    return "relayer", [_share(world, ("in pooled", Side.SELL, place)) for place in (0, 1)]


@spoiled("closed", T_A, is_told=True)
def _a_share_twice(world: TwinWorld) -> Sent:
    share = _share(world, ("in pooled", Side.SELL, 0))
    return "relayer", [share, share]


@spoiled("closed", T_A, is_told=True)
def _all_shares_of_a_local_pool(world: TwinWorld) -> Sent:
    buyers = [_share(world, ("local", Side.BUY, place)) for place in (0, 1)]
    return "relayer", [*buyers, _share(world, ("local", Side.SELL, 0))]
