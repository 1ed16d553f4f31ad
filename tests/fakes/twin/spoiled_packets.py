"""Wrong variants of sends, receives, answers and news of the neighbour."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fakes.trade_records import T_A, T_B, TAU, D, S
from fakes.trade_world import MONEY
from fakes.twin.book import Deal
from fakes.twin.neighbour import SENTINEL, accepted
from fakes.twin.parties import CELL, CLIENT, PEER_CLIENT, TAG_Y, TAG_Z, account
from fakes.twin.spoiled import Sent, cut, flip, spoil_each, spoiled
from fakes.twin.spoiled_book import SIGNATURES
from fakes.twin.world import RELAYER, TwinWorld
from tieline.contract.energy_trade import payload_of
from tieline.light_clients.attestations.messages import proof_as_any
from tieline.protocol.commitment import (
    acknowledgement_key,
    commit_acknowledgement,
    commit_packet,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.height import Height
from tieline.protocol.messages import (
    AcknowledgePacket,
    RecvPacket,
    RegisterCounterparty,
    TimeoutPacket,
    UpdateClient,
)
from tieline.protocol.packet import Acknowledgement, Packet
from tieline.swap.messages import MsgLockAndSend, MsgOpenLocal, MsgTradeEvidence, MsgWithdraw
from tieline.swap.records import EnergyTrade, Level, OwnLeaf
from tieline.wire.attestation_proofs import AttestationProof
from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    encode_packet_attestation,
    encode_state_attestation,
)
from tieline.wire.hashes import keccak

SEND_AT, RECEIVE_AT = TAU - 170, TAU - 60
FRESH = b"\x71" * 32


# --- trades whose own fields are wrong --------------------------------------------------------


def _again(world: TwinWorld, name: str, change: dict[str, Any], secret: bytes = FRESH) -> Deal:
    """A deal of the same orders anew, with some fields changed."""
    orders = world.orders[name]
    fills = [(order, order.energy_wh) for order in orders]
    other = world.book.order("yop", 3 - orders[0].side, sum(wh for _, wh in fills))
    there = [(replace(other, chain_tag=TAG_Y), other.energy_wh)]
    sides = (fills, there) if orders[0].side == 1 else (there, fills)
    return world.book.deal(name, *sides, secret, **change)


TRADES: dict[str, dict[str, Any]] = {
    "D too late": {"verdict_deadline": D + 1},
    "D too early": {"verdict_deadline": D - 1},
    "T_B too early": {"expiry_out": T_B - 1},
    "T_A too early": {"expiry_in": T_A - 1},
    "T_A two days away": {"expiry_in": T_A + 200_000},
    "no energy": {"energy_wh": 0},
    "price out above price in": {"price_out": 200_401},
    "another trade id": {"trade_id": b"\x61" * 32},
    "another lock id": {"lock_id_in": b"\x62" * 32},
    "another epoch": {"cell_set_epoch": 2},
    "an unknown cell set": {"cell_set_id": b"\x63" * 32},
    "a clearing that is not here": {"clearing_root": b"\x64" * 32},
    "a ledger without a cell": {"dest_chain_tag": b"\x65" * 32},
    "another length": {"slot_length": 1800},
    "another level": {"level": Level.GRID},
    "more energy than its leaves": {"energy_wh": 301},
    "less energy than its leaves": {"energy_wh": 299},
    "another buyer": {"buyer": account("mallory")},
    "another seller": {"seller": account("mallory")},
    "version 2": {"version": 2},
    "level 3": {"level": 3},
    "level 1": {"level": 1},
}


def _cleared(world: TwinWorld, deal: Deal) -> list[Any]:
    """Its own clearing, unless its root is foreign on purpose."""
    from tieline.swap.messages import MsgPostClearing

    if deal.trade.clearing_root == b"\x64" * 32:
        return []
    clearing = world.book.clearing(deal, cell_set_id=world.cells.set_id(), level=Level.INTER)
    clearing = replace(clearing, slot_length=900)
    return [MsgPostClearing(RELAYER, clearing, world.cells.sign(clearing))]


def _send_of(world: TwinWorld, change: dict[str, Any]) -> Sent:
    deal = _again(world, "out", change)
    cell = account(CELL)
    locked = MsgLockAndSend(cell, CLIENT, TAU, (deal.wire,))
    return CELL, [*_cleared(world, deal), MsgTradeEvidence(cell, deal.evidence), locked]


NOT_SEEN_AT_THE_SOURCE = "another seller"
spoil_each(
    "sealed",
    SEND_AT,
    _send_of,
    {f"send: {k}": v for k, v in TRADES.items() if k != NOT_SEEN_AT_THE_SOURCE},
)


def _unchecked(trade: EnergyTrade) -> Any:
    """A payload that our own encoder would not make."""
    from tieline.contract.energy_trade import ENCODING, PORT, VERSION
    from tieline.protocol.packet import Payload
    from tieline.wire.abi import encode_energy_trade

    return Payload(PORT, PORT, VERSION, ENCODING, encode_energy_trade(trade))


def _receive_of(world: TwinWorld, change: dict[str, Any]) -> Sent:
    deal = _again(world, "in", {**change}, secret=world.deals["in"].preimage)
    packet = world.neighbour.packet(deal, payload=_unchecked(deal.wire))
    world.memory.packets["?"] = packet
    received = world.neighbour.receive(deal, packet, world.now_s)
    return "relayer", [*_cleared(world, deal), *received]


NOT_ON_THE_EVM = "another seller"
"""There an anchored order is found by the seller that a trade names (``docs/spec/bytes.md``)."""
NOT_YET = (
    "a clearing that is not here",
    "more energy than its leaves",
    "less energy than its leaves",
)
for _name, _change in TRADES.items():
    if _name == NOT_ON_THE_EVM:
        continue
    spoil_each(
        "sealed",
        RECEIVE_AT,
        _receive_of,
        {f"receive: {_name}": _change},
        is_told=_name not in NOT_YET,
    )


def _receive_of_another_destination(world: TwinWorld, tag: bytes) -> Sent:
    return _receive_of(world, {"dest_chain_tag": tag})


spoil_each(
    "sealed", RECEIVE_AT, _receive_of_another_destination, {"receive: for z": TAG_Z}, is_told=True
)


# --- evidence -----------------------------------------------------------------------------------


def _leaf(own: OwnLeaf, **change: Any) -> OwnLeaf:
    return replace(own, allocation=replace(own.allocation, **change))


EVIDENCE: dict[str, Any] = {
    "no clearing proof": lambda e: replace(e, clearing_proof=()),
    "a false clearing proof": lambda e: replace(e, clearing_proof=(b"\x66" * 32,)),
    "a long clearing proof": lambda e: replace(e, clearing_proof=(b"\x66" * 32,) * 33),
    "no leaves": lambda e: replace(e, own_leaves=()),
    "a leaf missing": lambda e: replace(e, own_leaves=cut(e.own_leaves)),
    "leaves out of order": lambda e: replace(e, own_leaves=e.own_leaves[::-1]),
    "a leaf twice": lambda e: replace(e, own_leaves=(*e.own_leaves, e.own_leaves[-1])),
    "a leaf of another account": lambda e: replace(
        e, own_leaves=(_leaf(e.own_leaves[0], account=account("mallory")), *e.own_leaves[1:])
    ),
    "a leaf of more energy": lambda e: replace(
        e, own_leaves=(_leaf(e.own_leaves[0], energy_wh=999), *e.own_leaves[1:])
    ),
    "a leaf of another price": lambda e: replace(
        e, own_leaves=(_leaf(e.own_leaves[0], price=1), *e.own_leaves[1:])
    ),
    "a leaf with an offset": lambda e: replace(
        e, own_leaves=(_leaf(e.own_leaves[0], offset_wh=1), *e.own_leaves[1:])
    ),
    "a leaf of an unknown order": lambda e: replace(
        e, own_leaves=(_leaf(e.own_leaves[0], order_id=b"\x67" * 32), *e.own_leaves[1:])
    ),
    "a leaf without its proof": lambda e: replace(
        e, own_leaves=(replace(e.own_leaves[0], proof=()), *e.own_leaves[1:])
    ),
}


def _send_with(world: TwinWorld, spoil: Any) -> Sent:
    evidence, message = world.send("out pooled")
    return CELL, [replace(evidence, evidence=spoil(evidence.evidence)), message]


def _receive_with(world: TwinWorld, spoil: Any) -> Sent:
    deal = world.deals["in pooled"]
    evidence = MsgTradeEvidence(RELAYER, spoil(deal.evidence))
    return "relayer", world.receive("in pooled", evidence)


def _open_with(world: TwinWorld, spoil: Any) -> Sent:
    evidence, message = world.open("local")
    return CELL, [replace(evidence, evidence=spoil(evidence.evidence)), message]


for _make, _word in ((_send_with, "send"), (_receive_with, "receive"), (_open_with, "open")):
    spoil_each(
        "sealed",
        SEND_AT,
        _make,
        {f"{_word} with {k}": v for k, v in EVIDENCE.items()},
    )


@spoiled("sealed", SEND_AT)
def _send_without_evidence(world: TwinWorld) -> Sent:
    return CELL, world.send("out")[1:]


@spoiled("sealed", SEND_AT)
def _send_with_evidence_of_another_trade(world: TwinWorld) -> Sent:
    return CELL, [world.send("out pooled")[0], world.send("out")[1]]


@spoiled("sealed", RECEIVE_AT)
def _receive_without_evidence(world: TwinWorld) -> Sent:
    messages = world.receive("in")
    return "relayer", [messages[0], messages[2]]


@spoiled("sealed", SEND_AT)
def _send_by_a_stranger(world: TwinWorld) -> Sent:
    return "mallory", [replace(m, signer=account("mallory")) for m in world.send("out")]


@spoiled("sealed", SEND_AT)
def _open_by_a_stranger(world: TwinWorld) -> Sent:
    return "mallory", [replace(m, signer=account("mallory")) for m in world.open("local")]


@spoiled("sealed", SEND_AT)
def _send_with_a_later_timeout(world: TwinWorld) -> Sent:
    return CELL, world.send("out", TAU + 1)


@spoiled("sealed", SEND_AT)
def _send_with_an_earlier_timeout(world: TwinWorld) -> Sent:
    return CELL, world.send("out", TAU - 1)


@spoiled("sealed", SEND_AT)
def _send_by_an_unknown_client(world: TwinWorld) -> Sent:
    evidence, message = world.send("out")
    return CELL, [evidence, replace(message, source_client="attestations-9")]


@spoiled("sent", SEND_AT, is_told=True)
def _send_what_is_sent(world: TwinWorld) -> Sent:
    return CELL, world.send("out")


@spoiled("sent", SEND_AT, is_told=True)
def _open_what_is_open(world: TwinWorld) -> Sent:
    return CELL, world.open("local")


@spoiled("sent", SEND_AT)
def _send_again_under_another_expiry(world: TwinWorld) -> Sent:
    deal = world.deals["out"]
    later = replace(deal.wire, expiry_in=T_A + 7)
    from tieline.contract.terms import lock_id_in

    later = replace(later, lock_id_in=lock_id_in(later))
    cell = account(CELL)
    locked = MsgLockAndSend(cell, CLIENT, TAU, (later,))
    return CELL, [MsgTradeEvidence(cell, deal.evidence), locked]


@spoiled("sent", SEND_AT)
def _send_what_its_order_no_longer_covers(world: TwinWorld) -> Sent:
    return _send_of(world, {})


@spoiled("sealed", SEND_AT)
def _a_batch_of_which_one_is_wrong(world: TwinWorld) -> Sent:
    good, bad = world.deals["out"], world.deals["out pooled"]
    cell = account(CELL)
    wrong = replace(bad.wire, verdict_deadline=D + 1)
    beside = [MsgTradeEvidence(cell, deal.evidence) for deal in (good, bad)]
    return CELL, [*beside, MsgLockAndSend(cell, CLIENT, TAU, (good.wire, wrong))]


@spoiled("sealed", SEND_AT)
def _no_trades(world: TwinWorld) -> Sent:
    del world
    return CELL, [MsgLockAndSend(account(CELL), CLIENT, TAU, ())]


def _open_of(world: TwinWorld, change: dict[str, Any]) -> Sent:
    deal = world.deals["local"]
    cell = account(CELL)
    trade = replace(deal.trade, **change)
    beside = replace(deal.evidence, trade_id=trade.trade_id)
    return CELL, [MsgTradeEvidence(cell, beside), MsgOpenLocal(cell, trade)]  # type: ignore[arg-type]


LOCALS: dict[str, dict[str, Any]] = {
    "expiry too early": {"expiry": T_B - 1},
    "expiry two days away": {"expiry": T_B + 200_000},
    "no energy": {"energy_wh": 0},
    "less energy": {"energy_wh": 300},
    "another price": {"price": 180_001},
    "another buyer": {"buyer": account("mallory")},
    "another seller": {"seller": account("mallory")},
    "another trade id": {"trade_id": b"\x61" * 32},
    "another slot": {"slot_start": S + 900},
    "off the raster": {"slot_start": S + 1},
    "another length": {"slot_length": 1800},
    "another epoch": {"cell_set_epoch": 2},
    "an unknown cell set": {"cell_set_id": b"\x63" * 32},
    "a clearing that is not here": {"clearing_root": b"\x64" * 32},
    "another secret": {"hashlock": b"\x68" * 32},
}
spoil_each("sealed", SEND_AT, _open_of, {f"open: {k}": v for k, v in LOCALS.items()})


@spoiled("sealed", TAU)
def _open_from_tau_on(world: TwinWorld) -> Sent:
    return CELL, world.open("local")


# --- packets and their proofs -------------------------------------------------------------------


def _packet_of(world: TwinWorld, change: dict[str, Any]) -> Sent:
    deal = world.deals["in"]
    packet = world.neighbour.packet(deal, **change)
    return "relayer", world.neighbour.receive(deal, packet, world.now_s)


def _payload(world: TwinWorld, change: Any) -> Sent:
    deal = world.deals["in"]
    payload = payload_of(deal.wire)
    packet = world.neighbour.packet(deal, payload=replace(payload, value=change(payload.value)))
    return "relayer", world.neighbour.receive(deal, packet, world.now_s)


def _dirty(word: int) -> Any:
    return lambda value: value[: 32 * word] + b"\x01" + value[32 * word + 1 :]


spoil_each(
    "sealed",
    RECEIVE_AT,
    _payload,
    {
        "payload one byte short": lambda value: value[:-1],
        "payload one byte long": lambda value: value + b"\x00",
        "payload empty but one": lambda value: value[:1],
        "payload of zeros": lambda value: bytes(736),
        "payload of ones": lambda value: b"\xff" * 736,
        **{
            f"payload with dirty bits in word {word}": _dirty(word)
            for word in (0, 1, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20)
        },
    },
    is_told=True,
)
spoil_each(
    "sealed",
    RECEIVE_AT,
    _packet_of,
    {"packet of another timeout": {"timeout_s": TAU + 1}},
    is_told=True,
)
spoil_each(
    "sealed",
    RECEIVE_AT,
    _packet_of,
    {"packet of another source": {"source_client": "attestations-8"}},
)


def _proof(world: TwinWorld, spoil: Any) -> Sent:
    """A receive under a state that holds, with something wrong about the packet's proof."""
    deal = world.deals["in"]
    packet = world.neighbour.packet(deal)
    update = world.neighbour.update(world.now_s)
    path = keccak(packet_commitment_key(packet.source_client, packet.sequence))
    proof, height = spoil(world, packet, path)
    beside = MsgTradeEvidence(RELAYER, deal.evidence)
    return "relayer", [update, beside, RecvPacket(RELAYER, packet, proof.encode(), height)]


def _attested(
    world: TwinWorld, entries: list[tuple[bytes, bytes]], height: int | None = None
) -> AttestationProof:
    at = world.neighbour.height if height is None else height
    return world.neighbour.signed(PACKET_TAG, encode_packet_attestation(at, entries))


def _good(world: TwinWorld, packet: Packet, path: bytes) -> AttestationProof:
    return _attested(world, [(path, commit_packet(packet))])


def _with_signatures(spoil: Any) -> Any:
    def made(world: TwinWorld, packet: Packet, path: bytes) -> tuple[AttestationProof, Height]:
        proof = _good(world, packet, path)
        return replace(proof, signatures=spoil(proof.signatures)), world.neighbour.at()

    return made


PROOFS: dict[str, Any] = {
    "one signature too few": _with_signatures(lambda signed: signed[:2]),
    "one signature twice": _with_signatures(lambda signed: (*signed[:2], signed[1])),
    **{
        name: _with_signatures(lambda signed, spoil=spoil: (*signed[:2], spoil(signed[2])))
        for name, spoil in SIGNATURES.items()
    },
    "another commitment": lambda w, p, k: (_attested(w, [(k, b"\x69" * 32)]), w.neighbour.at()),
    "absence": lambda w, p, k: (_attested(w, [(k, bytes(32))]), w.neighbour.at()),
    "no entry": lambda w, p, k: (_attested(w, []), w.neighbour.at()),
    "another path": lambda w, p, k: (
        _attested(w, [(b"\x6a" * 32, commit_packet(p))]),
        w.neighbour.at(),
    ),
    "a path twice": lambda w, p, k: (
        _attested(w, [(k, commit_packet(p)), (k, b"\x69" * 32)]),
        w.neighbour.at(),
    ),
    "an unknown height": lambda w, p, k: (
        _attested(w, [(k, commit_packet(p))], w.neighbour.height + 1),
        Height(0, w.neighbour.height + 1),
    ),
    "signed as a state": lambda w, p, k: (
        w.neighbour.signed(STATE_TAG, _good(w, p, k).data),
        w.neighbour.at(),
    ),
    "bytes too many": lambda w, p, k: (
        w.neighbour.signed(PACKET_TAG, _good(w, p, k).data + bytes(32)),
        w.neighbour.at(),
    ),
    "bytes too few": lambda w, p, k: (
        w.neighbour.signed(PACKET_TAG, _good(w, p, k).data[:-1]),
        w.neighbour.at(),
    ),
    "another offset": lambda w, p, k: (
        w.neighbour.signed(PACKET_TAG, flip(_good(w, p, k).data, 30)),
        w.neighbour.at(),
    ),
    "signed by strangers": lambda w, p, k: (
        w.neighbour.signed(PACKET_TAG, _good(w, p, k).data, _strangers()),
        w.neighbour.at(),
    ),
}


def _strangers() -> list[Any]:
    from fakes.microgrid import key

    names = ("mallory", "mallet", "trudy")
    return sorted((key(name) for name in names), key=lambda one: one.address)


spoil_each("sealed", RECEIVE_AT, _proof, {f"packet's proof: {k}": v for k, v in PROOFS.items()})


# --- news ---------------------------------------------------------------------------------------


def _news(world: TwinWorld, case: tuple[int, int]) -> Sent:
    """Height above the newest, seconds from now."""
    ahead, seconds = case
    height = world.neighbour.height + ahead
    return "relayer", [world.neighbour.update(world.now_s + seconds, height)]


spoil_each(
    "sealed",
    RECEIVE_AT,
    _news,
    {
        "news from 16 seconds ahead": (1, 16),
        "news from before the last": (1, -100_000),
        "news of height zero": (-10, 0),
    },
)
spoil_each(
    "sealed",
    RECEIVE_AT,
    _news,
    {"news from 15 seconds ahead": (1, 15), "news that contradicts": (0, 1)},
    is_told=True,
)


@spoiled("sealed", RECEIVE_AT)
def _receive_by_a_client_that_is_frozen(world: TwinWorld) -> Sent:
    conflict = world.neighbour.update(world.now_s, world.neighbour.height)
    return "relayer", [conflict, *world.receive("in")]


def _update_with(world: TwinWorld, spoil: Any) -> Sent:
    height = world.neighbour.height + 1
    data = encode_state_attestation(height, world.now_s)
    proof = spoil(world.neighbour.signed(STATE_TAG, data))
    return "relayer", [UpdateClient(RELAYER, CLIENT, proof_as_any(proof))]


spoil_each(
    "sealed",
    RECEIVE_AT,
    _update_with,
    {
        "news signed by too few": lambda proof: replace(proof, signatures=proof.signatures[:2]),
        "news of 63 bytes": lambda proof: replace(proof, data=proof.data[:-1]),
        "news with a bit turned": lambda proof: replace(proof, data=flip(proof.data, 31)),
    },
)


@spoiled("sealed", RECEIVE_AT)
def _pairing_again(world: TwinWorld) -> Sent:
    del world
    return CELL, [RegisterCounterparty(account(CELL), CLIENT, PEER_CLIENT, (b"",))]


# --- answers ------------------------------------------------------------------------------------


def _answer(world: TwinWorld, answer: Any) -> Sent:
    made = answer(world.deals["out"].wire) if callable(answer) else answer
    return "relayer", world.acknowledge("out", made)


spoil_each(
    "sent",
    D,
    _answer,
    {
        "answer of garbage": Acknowledgement((b"\x01",)),
        "answer for another trade": lambda trade: accepted(trade, 5, trade_id=b"\x6b" * 32),
        "answer for another lock": lambda trade: accepted(trade, 5, lock_id_out=b"\x6b" * 32),
        "answer of another expiry": lambda trade: accepted(trade, 5, expiry_out=T_B + 1),
        "answer of cap zero": lambda trade: accepted(trade, 0),
        "answer of a cap above the energy": lambda trade: accepted(trade, 301),
        "answer of version 2": lambda trade: accepted(trade, 5, version=2),
        "answer one byte short": lambda trade: Acknowledgement(
            (accepted(trade, 5).app_acknowledgements[0][:-1],)
        ),
    },
    is_told=True,
)


@spoiled("sent", D)
def _answer_that_is_not_the_proved_one(world: TwinWorld) -> Sent:
    packet = world.memory.packets["out"]
    update = world.neighbour.update(world.now_s)
    key = acknowledgement_key(packet.destination_client, packet.sequence)
    proof = world.neighbour.proof(key, commit_acknowledgement(SENTINEL))
    other = accepted(world.deals["out"].wire, 5)
    return "relayer", [
        update,
        AcknowledgePacket(RELAYER, packet, other, proof, world.neighbour.at()),
    ]


@spoiled("sent", D)
def _answer_to_a_packet_that_was_not_sent(world: TwinWorld) -> Sent:
    packet = replace(world.memory.packets["out"], timeout_s=TAU + 1)
    answered = world.neighbour.acknowledge(packet, SENTINEL, world.now_s)
    return "relayer", answered


@spoiled("locked", D, is_told=True)
def _a_sentinel_after_a_success(world: TwinWorld) -> Sent:
    return "relayer", world.acknowledge("out", SENTINEL)


@spoiled("sent", TAU + 5)
def _timeout_of_a_packet_that_was_received(world: TwinWorld) -> Sent:
    packet = world.memory.packets["out"]
    update = world.neighbour.update(TAU)
    key = packet_receipt_key(packet.destination_client, packet.sequence)
    proof = world.neighbour.proof(key, b"\x02" + bytes(31))
    return "relayer", [update, TimeoutPacket(RELAYER, packet, proof, world.neighbour.at())]


# --- what the connector lets be locked ------------------------------------------------------------

MANDATES: dict[str, dict[str, int]] = {
    "expired": {"expiry": RECEIVE_AT},
    "revoked": {"expiry": 0},
    "of smaller trades": {"max_trade": 300 * 200_000 - 1},
    "of a smaller sum": {"max_open": 300 * 200_000 - 1},
    "of a higher fee": {"min_fee": 401},
    "of a wider margin": {"min_margin": 901},
}


def _mandated(world: TwinWorld, change: dict[str, int]) -> Sent:
    world.must("connector", world.book.mandate(nonce=2, **change))
    return "relayer", world.receive("in")


spoil_each(
    "sealed",
    RECEIVE_AT,
    _mandated,
    {f"receive under a mandate {k}": v for k, v in MANDATES.items()},
    is_told=True,
)


@spoiled("sealed", RECEIVE_AT, is_told=True)
def _receive_with_an_empty_vault(world: TwinWorld) -> Sent:
    left = 300 * 200_000 - 1
    world.must("connector", MsgWithdraw(account("connector"), MONEY - left))
    return "relayer", world.receive("in")


def _spare(world: TwinWorld) -> Sent:
    packet = world.neighbour.packet(world.spare)
    return "relayer", world.neighbour.receive(world.spare, packet, world.now_s)


@spoiled("sent", RECEIVE_AT, is_told=True)
def _receive_above_the_outflow_cap(world: TwinWorld) -> Sent:
    return _spare(world)


@spoiled("sealed", RECEIVE_AT, is_told=True)
def _receive_of_the_same_below_the_cap(world: TwinWorld) -> Sent:
    return _spare(world)


@spoiled("sent", RECEIVE_AT, is_told=True)
def _receive_of_a_hash_lock_that_is_used(world: TwinWorld) -> Sent:
    return _receive_of(world, {})
