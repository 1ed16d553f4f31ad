"""The contract as chaincode: how a ledger begins, what runs once, what is answered and refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from coincurve.utils import GROUP_ORDER_INT
from fakes.fabric_world import Channel, FabricLedger, FabricWorld, Watched, refusal_of
from fakes.microgrid import key, pay
from fakes.trade_records import S
from fakes.trade_world import TradeWorld, account

from tieline.contract.chaincode import CHAINCODE_VERSION, Chaincode
from tieline.contract.genesis import Genesis
from tieline.hub.refusals import Refusal, sort_refusal
from tieline.protocol.commitment import packet_receipt_key
from tieline.swap.messages import MsgPlaceOrders
from tieline.swap.records import Side
from tieline.wire.codec import build_transaction, transaction_hash
from tieline.wire.fabric.invocations import (
    CLOCK_KEY,
    decode_read_back,
    ibc_key,
    init_args,
    invocation_hash,
    marker_key,
    marker_value,
    query_args,
    read_back_args,
    submit_args,
    tick_args,
    tieline_key,
    version_args,
)
from tieline.wire.hashes import sha256, tag
from tieline.wire.ids import chain_tag

BLOCK_0 = sha256(b"header of block 0")
NOW_S = S - 3600
ACCOUNTS = ("ann", "bob", "relayer", "cell")
GENESIS = Genesis(
    chain_id="lab",
    kind="fabric",
    host_id=tag("tieline"),
    network_id=b"\xee" * 32,
    cell_address=key("cell").address,
    founding_cells=(key("cell").address,),
    balances=tuple(sorted((key(name).cosmos_account, 10**9) for name in ACCOUNTS)),
)


def codes(watched: Watched) -> tuple[str, int]:
    """Codespace and code of a refusal."""
    refusal = refusal_of(watched)
    return refusal.codespace, refusal.code


def begun(genesis: Genesis = GENESIS) -> Channel:
    """A channel on which Init has run."""
    channel = Channel(Chaincode(sha256(genesis.to_bytes())))
    assert channel.invoke(init_args(genesis.to_bytes(), BLOCK_0)).invocation.is_ok
    return channel


def running() -> Channel:
    """A channel that knows the time, too."""
    channel = begun()
    channel.set_clock(NOW_S)
    return channel


def payment(nonce: int = 0, amount: int = 5, chain_id: str = "lab", **envelope: object) -> bytes:
    """Ann pays bob."""
    messages = [pay("ann", "bob", amount)]
    return build_transaction(messages, key("ann"), chain_id, 0, nonce, **envelope)  # type: ignore[arg-type]


# --- Init -------------------------------------------------------------------------------------


def test_init_writes_the_genesis_and_names_the_ledger_by_block_0() -> None:
    channel = Channel(Chaincode(sha256(GENESIS.to_bytes())))
    done = channel.invoke(init_args(GENESIS.to_bytes(), BLOCK_0))
    named = chain_tag("fabric", "lab", BLOCK_0, tag("tieline"))
    assert done.invocation.payload == named
    values = channel.state.values
    assert values[tieline_key(b"ztag")] == named
    assert values[tieline_key(b"zgenesis")] == GENESIS.to_bytes()
    assert values[marker_key(invocation_hash(init_args(GENESIS.to_bytes(), BLOCK_0)))]
    assert CLOCK_KEY not in values


def test_another_genesis_than_the_one_it_was_deployed_for_is_refused() -> None:
    channel = Channel(Chaincode(sha256(GENESIS.to_bytes())))
    other = replace(GENESIS, balances=())
    assert codes(channel.invoke(init_args(other.to_bytes(), BLOCK_0))) == ("tieline", 45)


@pytest.mark.parametrize(
    ("genesis", "block_0"),
    [
        (replace(GENESIS, kind="cometbft").to_bytes(), BLOCK_0),
        (GENESIS.to_bytes() + b" ", BLOCK_0),
        (b"{}", BLOCK_0),
        (b"[" * 100_000, BLOCK_0),
        (b"\xff", BLOCK_0),
        (GENESIS.to_bytes().replace(b'"400"', b"Infinity").replace(b":400,", b":1e999,"), BLOCK_0),
        (GENESIS.to_bytes().replace(b'"1000000000"', b"1e999"), BLOCK_0),
    ],
)
def test_what_is_no_genesis_of_a_fabric_ledger_is_refused(genesis: bytes, block_0: bytes) -> None:
    assert codes(Channel(Chaincode()).invoke(init_args(genesis, block_0))) == ("tieline", 45)


def test_a_ledger_begins_once_whatever_block_0_is_said_to_be() -> None:
    channel = begun()
    assert codes(channel.invoke(init_args(GENESIS.to_bytes(), sha256(b"other")))) == ("tieline", 45)
    assert codes(channel.invoke(init_args(GENESIS.to_bytes(), BLOCK_0))) == ("tieline", 42)


def test_after_init_the_stored_genesis_rules_whatever_the_chaincode_expects() -> None:
    channel = begun()
    channel.chaincode = Chaincode(sha256(b"another deployment's"))
    assert channel.invoke(submit_args(payment())).invocation.is_ok


@pytest.mark.parametrize(
    "args", [submit_args(payment()), tick_args(NOW_S), (b"ProveAbsence", b"", b"", b"")]
)
def test_nothing_runs_before_init_and_that_is_no_final_answer(args: tuple[bytes, ...]) -> None:
    refused = Channel(Chaincode()).invoke(args, NOW_S)
    assert codes(refused) == ("tieline", 40)
    assert sort_refusal(*codes(refused)) is Refusal.NOT_YET


# --- Submit -------------------------------------------------------------------------------------


def test_a_payment_moves_money_and_leaves_its_marker_and_no_sequence() -> None:
    channel = begun()
    raw = payment()
    done = channel.invoke(submit_args(raw))
    marker = marker_key(transaction_hash(raw))
    changed = {tieline_key(b"a" + account(name) + b"\x00") for name in ("ann", "bob")}
    assert done.writes == {marker, *changed}
    others = ((key, value) for key, value in done.invocation.writes if key != marker)
    assert channel.state.values[marker] == marker_value(others)
    assert list(done.invocation.writes) == sorted(done.invocation.writes)
    parameters = {tieline_key(b"zgenesis"), tieline_key(b"ztag")}
    assert done.reads == {marker, *changed, *parameters}


def test_a_transaction_runs_once() -> None:
    channel = begun()
    assert channel.invoke(submit_args(payment())).invocation.is_ok
    again = channel.invoke(submit_args(payment()))
    assert codes(again) == ("tieline", 42)
    assert sort_refusal(*codes(again)) is Refusal.REDUNDANT


def test_two_copies_in_one_block_are_one_valid_transaction() -> None:
    channel = begun()
    copies = [channel.endorse(submit_args(payment())) for _ in range(2)]
    assert channel.order(*copies) == [True, False]


def test_a_refused_transaction_leaves_nothing_and_may_come_again() -> None:
    channel = begun()
    raw = payment(amount=15 * 10**8)
    assert codes(channel.invoke(submit_args(raw))) == ("sdk", 5)
    give = build_transaction([pay("bob", "ann", 10**9)], key("bob"), "lab", 0, 0)
    assert channel.invoke(submit_args(give)).invocation.is_ok
    assert channel.invoke(submit_args(raw)).invocation.is_ok


def test_any_number_tells_two_equal_payments_apart_in_any_order() -> None:
    channel = begun()
    for nonce in (7, 0, 2**64 - 1, 3):
        assert channel.invoke(submit_args(payment(nonce))).invocation.is_ok


def other_spellings(raw: bytes) -> dict[str, bytes]:
    """The same signed content in other bytes: a carrier could run it twice."""
    head, signature = raw[:-64], raw[-64:]
    s = int.from_bytes(signature[32:], "big")
    high = signature[:32] + (GROUP_ORDER_INT - s).to_bytes(32, "big")
    return {
        "high s": head + high,
        "unknown field": raw + b"\x22\x01\x00",
        "field twice": raw + raw,
        "no signature": head[:-2],
        "trailing": raw + b"\x00",
    }


@pytest.mark.parametrize("how", list(other_spellings(payment())))
def test_a_carrier_cannot_run_a_transaction_again_in_another_spelling(how: str) -> None:
    channel = begun()
    raw = payment()
    assert channel.invoke(submit_args(raw)).invocation.is_ok
    assert not channel.invoke(submit_args(other_spellings(raw)[how])).invocation.is_ok


def test_only_the_inner_key_speaks_for_its_account_and_only_on_its_channel() -> None:
    channel = begun()
    forged = build_transaction([pay("ann", "bob", 5)], key("bob"), "lab", 0, 0)
    assert codes(channel.invoke(submit_args(forged))) == ("sdk", 8)
    assert codes(channel.invoke(submit_args(payment(chain_id="lab-2")))) == ("sdk", 4)


def test_who_never_held_anything_may_send_what_costs_nothing() -> None:
    """In blocks a signer is known by its money; here the channel says who may hand in."""
    channel = begun()
    stranger = build_transaction([pay("eve", "bob", 1)], key("eve"), "lab", 0, 0)
    assert codes(channel.invoke(submit_args(stranger))) == ("sdk", 5)
    nothing = build_transaction([pay("ann", "eve", 1)], key("ann"), "lab", 0, 0)
    assert channel.invoke(submit_args(nothing)).invocation.is_ok
    assert channel.invoke(submit_args(stranger)).invocation.is_ok


def test_what_would_be_a_key_of_everybody_is_refused() -> None:
    """A fee collector and a height are shared by all; neither exists here."""
    channel = begun()
    assert codes(channel.invoke(submit_args(payment(fee=[("neur", 1)])))) == ("sdk", 37)
    assert codes(channel.invoke(submit_args(payment(timeout_height=9)))) == ("sdk", 37)
    assert channel.invoke(submit_args(payment(fee=[("neur", 0)]))).invocation.is_ok


def test_one_lane_has_several_transactions_in_one_block() -> None:
    """No sequence: a relayer needs no second key to work side by side."""
    world = FabricWorld()
    ledger = world.a
    assert isinstance(ledger, FabricLedger)
    assert ledger.channel is not None
    orders = [
        world.sign(name, world.order(name, Side.BUY, 100)) for name in ("ann", "amy", "abe", "sol")
    ]
    lane, signer = account("relayer"), key("relayer")
    endorsed = [
        ledger.channel.endorse(
            submit_args(
                build_transaction(
                    [MsgPlaceOrders(lane, (signed,))], signer, ledger.chain_id, 0, nonce
                )
            )
        )
        for nonce, signed in enumerate(orders)
    ]
    assert ledger.channel.order(*endorsed) == [True] * 4


# --- reading -------------------------------------------------------------------------------------


def test_a_read_back_reads_versions_values_and_the_clock_and_writes_nothing() -> None:
    channel = running()
    raw = payment()
    done = channel.invoke(submit_args(raw))
    marker = marker_key(transaction_hash(raw))
    digest = marker_value(pair for pair in done.invocation.writes if pair[0] != marker)
    absent = ibc_key(packet_receipt_key("07-fake-0", 1))
    read = channel.invoke(read_back_args(marker, absent, CLOCK_KEY))
    assert read.invocation.writes == ()
    assert read.reads == {marker, absent, CLOCK_KEY}
    answer = decode_read_back(read.invocation.payload)
    assert answer.clock_s == NOW_S
    assert answer.values == (digest, None, NOW_S.to_bytes(8, "big"))


def test_a_read_back_before_the_first_tick_shows_no_time() -> None:
    answer = decode_read_back(begun().invoke(read_back_args(CLOCK_KEY)).invocation.payload)
    assert answer.clock_s == 0
    assert answer.values == (None,)


@pytest.mark.parametrize(
    "keys", [(), ("i:",), ("namespaces/fields/tieline/Sequence",), ("\x00a",), ("clock",) * 257]
)
def test_a_read_back_of_other_keys_is_refused(keys: tuple[str, ...]) -> None:
    assert codes(running().invoke(read_back_args(*keys))) == ("sdk", 18)


def test_a_query_answers_with_the_value_or_with_nothing() -> None:
    channel = begun()
    assert channel.invoke(query_args("tieline", b"zgenesis")).invocation.payload
    nothing = channel.invoke(query_args("ibc", b"clients/none")).invocation
    assert nothing.is_ok
    assert nothing.payload == b""
    assert codes(channel.invoke(query_args("clock", b"k"))) == ("sdk", 18)
    assert codes(channel.invoke(query_args("ibc", b""))) == ("sdk", 18)


def test_the_version_names_the_genesis_it_was_deployed_for() -> None:
    done = Channel(Chaincode(sha256(b"g"))).invoke(version_args())
    said = (
        f'{{"chaincode":"tieline","version":{CHAINCODE_VERSION},"genesis":"{sha256(b"g").hex()}"}}'
    )
    assert done.invocation.payload == said.encode() + b"\n"
    assert done.reads == frozenset()


@pytest.mark.parametrize(
    "args",
    [(), (b"",), (b"submit", b""), (b"Submit\x00", b""), (b"\xff\xfe", b""), (b"InitLedger",)],
)
def test_a_function_that_is_not_there_is_named_in_the_refusal(args: tuple[bytes, ...]) -> None:
    refused = begun().invoke(args)
    assert codes(refused) == ("sdk", 6)
    assert "Submit" in refusal_of(refused).log


@pytest.mark.parametrize(
    "args",
    [(b"Init", b""), (b"Submit",), (b"Submit", b"", b""), (b"Tick",), (b"ProveAbsence", b"")],
)
def test_too_few_or_too_many_arguments_are_refused(args: tuple[bytes, ...]) -> None:
    assert codes(running().invoke(args)) == ("sdk", 18)


# --- the peer -------------------------------------------------------------------------------------


class PeerGone(Exception):
    """What a shim raises when its stream ends."""


class FailingState:
    """Answers until one key is asked for."""

    def __init__(self, values: dict[str, bytes], fails_at: str) -> None:
        self.values = values
        self.fails_at = fails_at

    def get_state(self, key_: str, /) -> bytes:
        if key_ == self.fails_at:
            raise PeerGone
        return self.values.get(key_, b"")

    def get_states(self, keys: Sequence[str], /) -> list[bytes]:
        return [self.get_state(one) for one in keys]


@pytest.mark.parametrize("place", ["marker", "genesis", "balance"])
def test_a_peer_that_does_not_answer_is_no_refusal(place: str) -> None:
    """Also where a message's handler was asking: it must not look like a broken handler."""
    channel = begun()
    raw = payment()
    fails_at = {
        "marker": marker_key(transaction_hash(raw)),
        "genesis": tieline_key(b"zgenesis"),
        "balance": tieline_key(b"a" + account("ann") + b"\x00"),
    }[place]
    state = FailingState(channel.state.values, fails_at)
    with pytest.raises(PeerGone):
        channel.chaincode.invoke(submit_args(raw), state, lambda: 0)


def test_one_chaincode_serves_ledgers_of_different_geneses_in_turn() -> None:
    """The decoded genesis is known again by its bytes, never by having been the last."""
    one, two = begun(), Channel(Chaincode())
    other = replace(GENESIS, chain_id="lab-2")
    assert two.invoke(init_args(other.to_bytes(), BLOCK_0)).invocation.is_ok
    two.chaincode = one.chaincode
    for nonce in range(3):
        assert one.invoke(submit_args(payment(nonce))).invocation.is_ok
        assert two.invoke(submit_args(payment(nonce, chain_id="lab-2"))).invocation.is_ok
        assert codes(two.invoke(submit_args(payment(9)))) == ("sdk", 4)


def test_the_trade_world_is_on_fabric_by_name() -> None:
    ledger = FabricWorld().a
    assert ledger.app.genesis.kind == "fabric"
    assert ledger.tag != TradeWorld().a.tag
