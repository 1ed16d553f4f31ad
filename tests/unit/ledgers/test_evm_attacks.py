"""
Attacks on an EVM ledger, each as a signed transaction in a block of the embedded engine, on the
byte code that ships: none of them takes effect, and none of them stands in an honest party's way.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import fakes.twin.spoiled_book
import fakes.twin.spoiled_locks
import fakes.twin.spoiled_packets
import pytest
from fakes.artifact import PROBES, SHIPPED, Abi, artifact
from fakes.microgrid import key
from fakes.trade_records import START_S, T_A, T_B, TAU, D
from fakes.trade_world import MONEY
from fakes.twin.block_ledger import BlockLedger
from fakes.twin.neighbour import SENTINEL, accepted
from fakes.twin.parties import CELL, CLIENT, Cells, account
from fakes.twin.rows import C, make_stages, reported
from fakes.twin.scene import CELLS
from fakes.twin.spoiled import SPOILED, flip
from fakes.twin.world import TwinWorld

from tieline.contract.books import audit_books
from tieline.contract.records import decode_lock
from tieline.contract.store import IBC, TIELINE
from tieline.ledgers.ethereum.artifacts import read_artifact
from tieline.ledgers.ethereum.calls import build_call
from tieline.ledgers.ethereum.deployment import shipped_artifacts
from tieline.protocol.commitment import (
    ERROR_ACKNOWLEDGEMENT,
    acknowledgement_key,
    packet_receipt_key,
)
from tieline.protocol.messages import UpdateClient
from tieline.swap.lock import LockStatus
from tieline.swap.messages import MsgWaive
from tieline.wire.evm.contract_calls import APPROVE

TABLES = (fakes.twin.spoiled_book, fakes.twin.spoiled_locks, fakes.twin.spoiled_packets)
Scene = tuple[TwinWorld, dict[str, Any]]


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A slot walked through in blocks; tests begin at one of its stages."""
    ledger = BlockLedger(CELLS, START_S)
    world = TwinWorld([ledger], Cells(ledger.chain_tag, CELLS), lambda *_: None)
    return world, make_stages(world)


@pytest.fixture
def world(scene: Scene) -> TwinWorld:
    """At the stage ``delivered``."""
    return at(scene, "delivered", C + 60)


def at(scene: Scene, stage: str, now: int) -> TwinWorld:
    world, stages = scene
    world.restore(stages[stage])
    world.now_s = now
    return world


def ledger_of(world: TwinWorld) -> BlockLedger:
    (ledger,) = world.hosts
    assert isinstance(ledger, BlockLedger)
    ledger.now_s = world.now_s
    return ledger


def money(world: TwinWorld) -> int:
    """All PAY of the ledger, as its index has it."""
    return audit_books(lambda prefix: world.hosts[0].scan(TIELINE, prefix)).total


def lock(world: TwinWorld, name: str) -> Any:
    stored = dict(world.hosts[0].scan(TIELINE, b"l" + world.deals[name].lock_id))
    (value,) = stored.values()
    return decode_lock(value)


def pay(world: TwinWorld, name: str) -> int:
    """Spendable PAY of a name."""
    stored = dict(world.hosts[0].scan(TIELINE, b"a" + account(name) + b"\0"))
    return int.from_bytes(stored[b"a" + account(name) + b"\0"], "big")


def claim(world: TwinWorld, name: str, wh: int = 150, index: int = 0, **change: Any) -> Any:
    """A claim under a statement in which every deal delivered *wh*."""
    deal = world.deals[name]
    rows = [(each, wh) for each in world.deals.values()]
    message = world.council.claim(deal, world.council.delivered(rows, deal, index))
    return replace(message, **change)


# --- the table's wrong variants, as transactions ------------------------------------------

ON_CHAIN = (
    "clearing: one too few",
    "clearing: one twice",
    "clearing: a high s beside enough",
    "cell set that takes a sealed slot",
    "order, s is high",
    "order, v is 0 or 1",
    "packet's proof: one signature too few",
    "packet's proof: one signature twice",
    "packet's proof: s is high",
    "packet's proof: v is 0 or 1",
    "packet's proof: signed by strangers",
    "packet's proof: signed as a state",
    "packet's proof: another commitment",
    "packet's proof: an unknown height",
    "news that contradicts",
    "verdict: one too few",
    "verdict: one twice",
    "verdict, s is high",
    "verdict of the next slot",
    "verdict of another epoch",
    "verdict of an unknown set",
    "leaf of another ledger",
    "leaf of another client",
    "leaf of another sequence",
    "leaf of another packet",
    "leaf of another trade",
    "an accept without cell x",
    "an accept without cell y",
    "an accept without cell grid",
    "an accept that its owner cell x did not sign",
    "an accept that its owner cell z did not sign",
    "a second verdict is evidence",
    "statement: one too few",
    "claim without a statement",
    "claim before the verdict",
    "claim in with another preimage",
    "claim in with 31 bytes",
    "claim in with 33 bytes",
    "claim in with no preimage",
    "claim out with another preimage",
    "claim in of more than was stated",
    "claim in with a leaf of another trade",
    "a grid claim that the operator did not sign",
    "waiver of a direct sale by a stranger",
    "waiver of a pool without the operator",
    "refund with one of two statements",
    "share of another account",
)


@pytest.mark.parametrize("name", ON_CHAIN)
def test_a_wrong_variant_changes_nothing_on_chain(scene: Scene, name: str) -> None:
    """Refused, or told as evidence; nothing of it is stored, and nobody is paid."""
    (case,) = (case for case in SPOILED if case.name == name)
    world = at(scene, case.stage, case.now)
    sender, messages = case.script(world)
    messages = world.without_lead(sender, messages)
    before = world.hosts[0].scan(TIELINE, b"")
    reply = world.run(sender, *messages)
    assert reply.is_accepted == case.is_told, reply.detail
    assert world.hosts[0].scan(TIELINE, b"") == before


# --- claims and refunds -------------------------------------------------------------------


@pytest.mark.parametrize(("name", "expiry"), [("in", T_B), ("out", T_A), ("local direct", T_B)])
def test_a_claim_at_the_expiry_is_late_and_a_refund_before_it_is_early(
    scene: Scene, name: str, expiry: int
) -> None:
    world = at(scene, "delivered", expiry - 1)
    rows = reported(world)
    shown = [world.council.delivered(rows, world.deals[name])]
    early = world.run("relayer", world.council.refund(world.deals[name], shown))
    assert "refund before the expiry" in early.detail
    world = at(scene, "delivered", expiry)
    assert "claim from the expiry on" in world.run("relayer", claim(world, name)).detail
    assert lock(world, name).status in (LockStatus.LOCKED, LockStatus.CONFIRMED)
    world = at(scene, "delivered", expiry - 1)
    assert world.run("relayer", claim(world, name)).events


def test_a_second_claim_pays_nothing(world: TwinWorld) -> None:
    world.must("relayer", claim(world, "in"))
    held = pay(world, "bob")
    again = world.must("mallory", claim(world, "in"))
    assert not again.events
    assert pay(world, "bob") == held


def test_two_different_statements_pay_the_larger_once_and_bind_a_refund(world: TwinWorld) -> None:
    """Nobody is first: every root is kept, and a refund must show a leaf of each."""
    before = pay(world, "bob")
    more = [(deal, 180) for deal in world.deals.values()]
    told = world.must("relayer", world.council.statement(more))
    assert [event.type for event in told.events] == ["delivery_posted", "conflicting_delivery"]
    world.must("relayer", claim(world, "in"))
    world.must("relayer", claim(world, "in", 180, 1))
    world.must("relayer", claim(world, "in"))
    assert pay(world, "bob") - before == 180 * (200_000 + 20_000)
    world.now_s = T_B
    deal = world.deals["in"]
    one = world.council.delivered(reported(world), deal)
    assert world.run("relayer", world.council.refund(deal, [one])).refusal
    both = [one, world.council.delivered(more, deal, 1)]
    world.must("relayer", world.council.refund(deal, both))
    assert lock(world, "in").slashed_wh == 200 - 180


def test_whoever_copies_a_claim_pays_for_the_gas_only(world: TwinWorld) -> None:
    """Call data names no beneficiary: the seller is paid, the honest claim finds it done."""
    ledger = ledger_of(world)
    call = build_call([claim(world, "in")], ledger.ledger.twin.state, ledger.addresses)
    before, stranger = pay(world, "bob"), pay(world, "mallory")
    assert ledger.call("mallory", call.to, call.data).events
    assert pay(world, "bob") - before == 150 * (200_000 + 20_000)
    assert pay(world, "mallory") == stranger
    late = ledger.call("bob", call.to, call.data)
    assert late.is_accepted
    assert not late.events


def test_a_waiver_is_the_payee_s_own_transaction(world: TwinWorld) -> None:
    """A copied waiver, sent by another key, gives nothing away."""
    ledger = ledger_of(world)
    waiver = world.council.waive(world.deals["in"], 20, "bob")
    call = build_call([waiver], ledger.ledger.twin.state, ledger.addresses)
    assert ledger.call("connector", call.to, call.data).refusal
    forged = MsgWaive(account("bob"), waiver.lock_id, 0, b"")
    assert world.run("mallory", forged).refusal
    assert lock(world, "in").cap_wh == 200


# --- attestations -------------------------------------------------------------------------


def test_a_replayed_attestation_is_nothing_new(scene: Scene) -> None:
    """The same news and the same packet again, by anyone, at any time."""
    world = at(scene, "sealed", TAU - 60)
    messages = world.receive("in")
    world.must("relayer", *messages)
    before = world.hosts[0].scan(TIELINE, b""), world.hosts[0].scan(IBC, b"")
    for now in (TAU - 50, TAU, T_A):
        world.now_s = now
        again = world.run("mallory", *(replace(one, signer=account("mallory")) for one in messages))
        assert again.is_accepted, again.detail
        assert (world.hosts[0].scan(TIELINE, b""), world.hosts[0].scan(IBC, b"")) == before


def test_attestations_of_one_ledger_are_no_proof_of_another(scene: Scene) -> None:
    """A second client of another ledger: every attestor key is of one chain instance."""
    world = at(scene, "sealed", TAU - 60)
    neighbour = world.neighbour
    own = neighbour.keys
    try:
        neighbour.keys = sorted((key(f"attestor {n} of z") for n in range(4)), key=address_of)
        world.must(CELL, *neighbour.birth()[:1])
        foreign = neighbour.update(world.now_s, neighbour.height + 1)
    finally:
        neighbour.keys = own
    assert isinstance(foreign, UpdateClient)
    assert "SignerInvalid" in world.run("relayer", foreign).detail
    native = neighbour.update(world.now_s, neighbour.height + 1)
    crossed = replace(native, client_id="attestations-1")
    assert "SignerInvalid" in world.run("relayer", crossed).detail
    assert world.run("relayer", native).is_accepted


def address_of(one: Any) -> bytes:
    return one.address  # type: ignore[no-any-return]


def test_a_frozen_client_stops_packets_and_no_exit(scene: Scene) -> None:
    """Two times of one height: nothing can be proved any more; what is locked still ends."""
    world = at(scene, "delivered", C + 60)
    world.must("relayer", world.neighbour.update(world.now_s + 3, world.neighbour.height))
    refused = world.run("relayer", *world.acknowledge("out", SENTINEL))
    assert "ClientIsFrozen" in refused.detail
    assert world.must("relayer", claim(world, "out")).events
    assert world.must("relayer", claim(world, "in")).events
    world.now_s = T_A
    for name in ("out", "out pooled"):
        assert world.must("relayer", world.council.refund(world.deals[name])).events


# --- packets ------------------------------------------------------------------------------


@pytest.mark.parametrize("word", [0, 1, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20])
def test_dirty_bits_above_a_field_are_refused_for_good(scene: Scene, word: int) -> None:
    """The sentinel at once, with the reason: the packet can never become a lock."""
    name = f"payload with dirty bits in word {word}"
    (case,) = (case for case in SPOILED if case.name == name)
    world = at(scene, case.stage, case.now)
    reply = world.run(*unpacked(case.script(world)))
    reasons = [dict(e.attributes)["reason"] for e in reply.events if e.type == "receive_refused"]
    assert reasons == ["PAYLOAD"]
    assert any(event.type == "write_acknowledgement" for event in reply.events)


def unpacked(sent: tuple[str, list[Any]]) -> tuple[Any, ...]:
    return sent[0], *sent[1]


def test_too_little_gas_never_makes_an_error_acknowledgement(scene: Scene) -> None:
    """At every limit the packet is taken, or the transaction leaves nothing at all."""
    world = at(scene, "sealed", TAU - 60)
    ledger = ledger_of(world)
    rest = world.without_lead("relayer", world.receive("in"))
    call = build_call(rest, ledger.ledger.twin.state, ledger.addresses)
    packet = world.memory.packets["in"]
    receipt = packet_receipt_key(CLIENT, packet.sequence)
    answer = acknowledgement_key(CLIENT, packet.sequence)
    place = world.save()
    taken = []
    for gas in (*range(45_000, 400_000, 12_500), 1_000_000):
        world.restore(place)
        reply = ledger.call("mallory", call.to, call.data, gas)
        stored = dict(world.hosts[0].scan(IBC, b""))
        assert answer not in stored, gas
        assert (receipt in stored) == bool(reply.is_accepted and reply.events), gas
        taken.append(receipt in stored)
    assert taken[0] is False
    assert taken[-1] is True
    assert taken == sorted(taken), "more gas never does less"


def test_too_little_gas_never_ends_a_packet_that_was_sent(scene: Scene) -> None:
    """An answer is taken whole or not at all: no commitment is cleared without its refund."""
    world = at(scene, "sent", D)
    ledger = ledger_of(world)
    answer = accepted(world.deals["out"].wire, 100)
    messages = world.acknowledge("out", answer)
    call = build_call(messages, ledger.ledger.twin.state, ledger.addresses)
    place, before = world.save(), money(world)
    for gas in range(45_000, 300_000, 15_000):
        world.restore(place)
        reply = ledger.call("mallory", call.to, call.data, gas)
        status = lock(world, "out").status
        assert status is (LockStatus.CONFIRMED if reply.is_accepted else LockStatus.OPEN), gas
        assert money(world) == before


def test_the_sentinel_alone_is_a_refusal(scene: Scene) -> None:
    """Whatever else the other ledger answers, nothing below the cap goes back."""
    world = at(scene, "sent", D)
    garbage = type(SENTINEL)((flip(ERROR_ACKNOWLEDGEMENT),))
    reply = world.must("relayer", *world.acknowledge("out", garbage))
    assert "alarm" in {event.type for event in reply.events}
    assert lock(world, "out").open_wh == 300


# --- what the cell can and cannot stop -----------------------------------------------------


def paused(world: TwinWorld) -> None:
    """Everything that can be paused, for as long as it can be."""
    ledger = ledger_of(world)
    app, host = (Abi(artifact(name)["abi"]) for name in ("App", "Host"))
    until = world.now_s + 80_000
    data = app.encode("setPauses", until, until, until, world.now_s + 900)
    reply = ledger.call(CELL, ledger.addresses.app, data)
    assert reply.is_accepted, reply.detail
    data = host.encode("setPause", 0, True, True)
    reply = ledger.call(CELL, ledger.addresses.host, data)
    assert reply.is_accepted, reply.detail


def test_a_pause_in_the_claim_window_stops_no_exit(scene: Scene) -> None:
    world = at(scene, "locked", C)
    paused(world)
    world.must("relayer", world.council.statement(reported(world)))
    for name in world.deals:
        assert world.must("relayer", claim(world, name)).events, name
    for name in world.deals:
        payee = world.council.payee_of(world.deals[name])
        assert world.must(payee, world.council.waive(world.deals[name], 180, payee)).events, name
    world.now_s = T_A
    paused(world)
    for name, deal in world.deals.items():
        shown = [] if deal.is_source else [world.council.delivered(reported(world), deal)]
        assert world.must("relayer", world.council.refund(deal, shown)).events, name


def test_a_pause_stops_no_answer_timeout_or_expiry(scene: Scene) -> None:
    world = at(scene, "sent", D)
    paused(world)
    assert world.must("relayer", *world.acknowledge("out", SENTINEL)).events
    packet = world.memory.packets["out pooled"]
    assert world.must("relayer", *world.neighbour.time_out(packet, world.now_s)).events
    for name in ("in", "in pooled", "local"):
        assert world.must("relayer", world.council.expire(world.deals[name])).events


def test_a_pause_stops_what_opens(scene: Scene) -> None:
    """Orders, sends, local locks and receives; a receive that waits is not refused."""
    world = at(scene, "founded", START_S)
    orders = next(iter(world.orders.values()))
    place = world.save()
    assert world.run("relayer", world.place(*orders)).is_accepted
    world.restore(place)
    paused(world)
    assert "Paused" in world.run("relayer", world.place(*orders)).detail
    world = at(scene, "sealed", TAU - 170)
    paused(world)
    for sender, messages in (
        (CELL, world.send("out")),
        (CELL, world.open("local")),
        ("relayer", world.receive("in")),
    ):
        reply = world.run(sender, *messages)
        assert not reply.is_accepted
        assert "Paused" in reply.detail
    answer = acknowledgement_key(CLIENT, world.memory.packets["in"].sequence)
    assert answer not in dict(world.hosts[0].scan(IBC, b""))


def test_only_the_cell_pauses(scene: Scene) -> None:
    world = at(scene, "sealed", TAU - 170)
    ledger = ledger_of(world)
    data = Abi(artifact("App")["abi"]).encode("setPauses", 1, 1, 1, 1)
    assert ledger.call("mallory", ledger.addresses.app, data).refusal


# --- code ---------------------------------------------------------------------------------

SELFDESTRUCT, CALLCODE, DELEGATECALL = 0xFF, 0xF2, 0xF4
PUSH1, PUSH32 = 0x60, 0x7F
JUMPDEST, INVALID = 0x5B, 0xFE


def opcodes(name: str) -> list[int]:
    """
    Every instruction of a contract's code that can be reached.

    What PUSH carries is no instruction, and behind an INVALID with no JUMPDEST after it lie data.
    """
    text = json.loads((SHIPPED / f"{name}.json").read_text())["deployedBytecode"]
    code, place, found = bytes.fromhex(text.removeprefix("0x")), 0, []
    while place < len(code):
        found.append(code[place])
        place += 1 + (code[place] - PUSH1 + 1 if PUSH1 <= code[place] <= PUSH32 else 0)
    last = len(found) - found[::-1].index(JUMPDEST)
    end = found.index(INVALID, last) if INVALID in found[last:] else len(found)
    return found[:end]


@pytest.mark.parametrize("name", ["Host", "App", "Trade", "Exits", "Book", "Pay", "Kwh"])
def test_no_contract_can_be_destroyed_or_run_other_code(name: str) -> None:
    """Only the fronts run code of others: App that of its modules, the host its own."""
    used = set(opcodes(name))
    assert not used & {SELFDESTRUCT, CALLCODE}
    assert (DELEGATECALL in used) == (name in {"App", "Host"})


def test_modules_do_nothing_when_they_are_called_themselves(world: TwinWorld) -> None:
    """Their own storage is empty and stays so."""
    ledger = ledger_of(world)
    call = build_call([claim(world, "in")], ledger.ledger.twin.state, ledger.addresses)
    for module in (ledger.addresses.exits, ledger.addresses.trade, ledger.addresses.book):
        assert ledger.call("mallory", module, call.data).refusal
    host_only = Abi(artifact("Host")["abi"])
    data = host_only.encode("writeAcknowledgement", 0, 1, bytes(32), ERROR_ACKNOWLEDGEMENT)
    assert ledger.call("mallory", ledger.addresses.host, data).refusal
    data = host_only.encode("sendPacket", 0, world.now_s + 60, b"x")
    assert ledger.call("mallory", ledger.addresses.host, data).refusal
    callbacks = Abi(artifact("Trade")["abi"])
    arrival = (0, 1, TAU, bytes(32), bytes(32))
    data = callbacks.encode("onTimeout", arrival, bytes(736))
    assert ledger.call("mallory", ledger.addresses.app, data).refusal


# --- tokens -------------------------------------------------------------------------------

MOODS = {"takes a fee": 1, "gives more": 2, "lies": 4}
AMOUNT = 10**9


@pytest.fixture(scope="module")
def tokens() -> tuple[BlockLedger, Abi, Any]:
    """A ledger that was given an evil token; ann holds some of it."""
    evil = read_artifact((PROBES / "EvilPay.json").read_text())
    ledger = BlockLedger(CELLS, START_S, artifacts={**shipped_artifacts(), "pay": evil})
    token, app = Abi(artifact("EvilPay", PROBES)["abi"]), ledger.addresses.app
    give = token.encode("give", account("ann"), 10 * AMOUNT)
    assert ledger.call("ann", ledger.addresses.pay, give).is_accepted
    approve = APPROVE.encode(app, 10 * AMOUNT)
    assert ledger.call("ann", ledger.addresses.pay, approve).is_accepted
    return ledger, token, ledger.save()


def held(ledger: BlockLedger, name: str) -> int:
    (value,) = dict(ledger.scan(TIELINE, b"a" + account(name) + b"\0")).values()
    return int.from_bytes(value, "big")


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize("call", ["depositPay", "depositFor"])
def test_a_token_that_moves_another_amount_is_not_taken(
    tokens: tuple[BlockLedger, Abi, Any], mood: str, call: str
) -> None:
    ledger, token, place = tokens
    ledger.restore(place)
    setting = token.encode("set", MOODS[mood], bytes(20), b"")
    assert ledger.call("mallory", ledger.addresses.pay, setting).is_accepted
    book = Abi(artifact("Book")["abi"])
    arguments: tuple[Any, ...] = (AMOUNT,)
    if call == "depositFor":
        arguments = ([account("ann")], [AMOUNT], False)
    reply = ledger.call("ann", ledger.addresses.app, book.encode(call, *arguments))
    assert reply.refusal
    assert held(ledger, "ann") == MONEY


REENTRIES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "deposit again": ("depositPay", (AMOUNT,)),
    "withdraw at once": ("withdrawPay", (AMOUNT,)),
    "send": ("send", (account("mallory"), 1)),
    "move to a vault": ("deposit", (AMOUNT,)),
    "a batch": ("multicall", ([],)),
}


@pytest.mark.parametrize("door", ["depositPay", "withdrawPay"])
@pytest.mark.parametrize("entry", REENTRIES)
def test_a_token_that_calls_back_finds_every_door_shut(
    tokens: tuple[BlockLedger, Abi, Any], entry: str, door: str
) -> None:
    """The honest part of the call goes on; the call from inside is refused."""
    ledger, token, place = tokens
    ledger.restore(place)
    book, front = (Abi(artifact(name)["abi"]) for name in ("Book", "App"))
    app = ledger.addresses.app
    name, arguments = REENTRIES[entry]
    inside = (front if name == "multicall" else book).encode(name, *arguments)
    setting = token.encode("set", 3, app, inside)
    assert ledger.call("mallory", ledger.addresses.pay, setting).is_accepted
    reply = ledger.call("ann", app, book.encode(door, AMOUNT))
    assert reply.is_accepted, reply.detail
    change = AMOUNT if door == "depositPay" else -AMOUNT
    assert held(ledger, "ann") == MONEY + change
    evm = ledger.chain._state()
    assert not evm.get_storage(ledger.addresses.pay, entered_slot(token)) & 1


def entered_slot(token: Abi) -> int:
    """Where the token notes that its call went through."""
    assert token.functions["isEntered"]
    rows = artifact("EvilPay", PROBES)["storageLayout"]
    (row,) = (row for row in rows if row["label"] == "isEntered")
    slot: int = row["slot"]
    return slot
