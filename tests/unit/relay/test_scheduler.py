"""Batches are bounded, routes take turns, and the guilty one of a batch is found."""

from math import ceil, log2

import pytest
from fakes.relay_view import END_B, packet

from tieline.protocol.messages import RecvPacket
from tieline.relay.effects import NO_HEIGHT, Effect, ProofWanted, StepName
from tieline.relay.route import Endpoint
from tieline.relay.scheduler import (
    BatchLimits,
    Bisection,
    estimated_bytes,
    fill_batches,
    take_turns,
)
from tieline.swap.messages import MsgReleaseOrder

END_C = Endpoint("b-1", "07-tendermint-8")


def release(number: int, messages: int = 1) -> Effect:
    orders = tuple(MsgReleaseOrder(b"", bytes([number]) * 32) for _ in range(messages))
    return Effect(StepName.RELEASE_ORDERS, "b-1", f"release/{number}", orders)


def receive(number: int, verifier: Endpoint) -> Effect:
    proof = ProofWanted(verifier, "a-1", b"key", 4, 5, is_present=True)
    message = RecvPacket(b"", packet(number), b"", NO_HEIGHT)
    key = f"recv/{verifier}/{number}"
    return Effect(StepName.DELIVER_PACKET, "b-1", key, (message,), proof)


def numbers(batches: list[tuple[Effect, ...]]) -> list[list[str]]:
    return [[effect.key.rpartition("/")[2] for effect in batch] for batch in batches]


def test_batches_are_cut_by_count() -> None:
    effects = [release(n) for n in range(5)]
    batches = fill_batches(effects, BatchLimits(messages_max=2), batches_max=9)
    assert numbers(batches) == [["0", "1"], ["2", "3"], ["4"]]


def test_batches_are_cut_by_bytes() -> None:
    effects = [receive(n, END_B) for n in range(4)]
    limits = BatchLimits(bytes_max=2 * estimated_bytes(effects[0]))
    assert numbers(fill_batches(effects, limits, batches_max=9)) == [["0", "1"], ["2", "3"]]


def test_an_effect_is_never_cut_and_a_large_one_goes_alone() -> None:
    effects = [release(0), release(1, messages=5), release(2)]
    batches = fill_batches(effects, BatchLimits(messages_max=3), batches_max=9)
    assert numbers(batches) == [["0"], ["1"], ["2"]]


@pytest.mark.parametrize("batches_max", [0, 1, 2])
def test_no_more_batches_than_lanes(batches_max: int) -> None:
    effects = [release(n) for n in range(9)]
    batches = fill_batches(effects, BatchLimits(messages_max=3), batches_max)
    assert len(batches) == batches_max


def test_a_flood_on_one_route_leaves_every_second_place_to_another() -> None:
    flood = [receive(n, END_B) for n in range(4)]
    other = [receive(n, END_C) for n in range(2)]
    order = [effect.proof.verifier for effect in take_turns(flood + other)]
    assert order == [END_B, END_C, END_B, END_C, END_B, END_B]


def test_turns_keep_the_order_of_steps() -> None:
    effects = [release(0), receive(1, END_B), receive(2, END_B), receive(3, END_C)]
    assert next(effect.step for effect in take_turns(effects)) is StepName.RELEASE_ORDERS
    assert sorted(effect.key for effect in take_turns(effects)) == sorted(
        effect.key for effect in effects
    )


@pytest.mark.parametrize("guilty", range(13))
def test_halving_finds_the_guilty_one_and_lets_all_others_through(guilty: int) -> None:
    waiting = {effect.name: effect for effect in (release(n) for n in range(13))}
    bisection, rounds = Bisection(), 0
    batches = [tuple(waiting.values())]
    while batches:
        rounds += 1
        for batch in batches:
            names = [effect.name for effect in batch]
            if f"b-1/release/{guilty}" not in names:
                for name in names:
                    del waiting[name]
            elif len(names) > 1:
                bisection.split(names)
        batches, rest = bisection.take(waiting.values())
        assert all(effect.key == f"release/{guilty}" for effect in rest)
    assert list(waiting) == [f"b-1/release/{guilty}"]
    assert rounds <= 1 + ceil(log2(13))


def test_halves_without_a_lane_come_again_and_ended_effects_drop_out() -> None:
    effects = [release(n) for n in range(4)]
    bisection = Bisection()
    bisection.split([effect.name for effect in effects])
    halves, rest = bisection.take(effects)
    assert (numbers(halves), rest) == ([["0", "1"], ["2", "3"]], [])
    bisection.give_back(halves[1])
    again, others = bisection.take([effects[1], effects[3]])
    assert numbers(again) == [["3"]]
    assert others == [effects[1]]


def test_limits_have_room_for_one() -> None:
    for spoiled in ({"messages_max": 0}, {"bytes_max": 0}):
        with pytest.raises(ValueError, match="room"):
            BatchLimits(**spoiled)
