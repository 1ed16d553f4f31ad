"""Which height a proof is wanted at, for any mix of blocks that clients can and cannot hold."""

from __future__ import annotations

from dataclasses import dataclass

from fakes.relay_view import CLIENT_B, END_B, ViewWorld, event
from hypothesis import given
from hypothesis import strategies as st

from tieline.relay.effects import ProofWanted

LAG = 1


@dataclass(frozen=True)
class Chain:
    """Blocks from height 1 on: seconds since the one before, whether a client can hold it."""

    blocks: tuple[tuple[int, bool], ...]
    held: tuple[int, ...]
    """Places among the provable blocks that the client knows."""

    @property
    def times(self) -> dict[int, int]:
        """By height."""
        time_s = 1000
        times: dict[int, int] = {}
        for height, (after_s, _) in enumerate(self.blocks, start=1):
            time_s += after_s
            times[height] = time_s
        return times

    @property
    def provable(self) -> list[int]:
        """Heights that a client can hold, ascending."""
        return [height for height, (_, is_provable) in enumerate(self.blocks, 1) if is_provable]

    @property
    def known(self) -> list[int]:
        """Heights that the client holds, ascending."""
        heights = self.provable
        return sorted({heights[place % len(heights)] for place in self.held if heights})

    def world(self) -> ViewWorld:
        """A view that has seen them."""
        world = ViewWorld()
        for height, (_, is_provable) in enumerate(self.blocks, start=1):
            world.block("a-1", self.times[height], is_provable=is_provable)
        for height in self.known:
            heights = f"1-{height}"
            world.block(
                "b-1", 1000, event("update_client", client_id=CLIENT_B, consensus_heights=heights)
            )
        return world


chains = st.builds(
    Chain,
    # Several blocks may have one time.
    blocks=st.lists(
        st.tuples(st.sampled_from([0, 0, 1, 15, 400]), st.booleans()), min_size=1, max_size=40
    ).map(tuple),
    held=st.lists(st.integers(0, 39), max_size=4).map(tuple),
)
states = st.integers(1, 42)
waits = st.one_of(st.just(0), st.integers(900, 9000))


def ask(world: ViewWorld, state_min: int, time_s_min: int) -> ProofWanted | None:
    return world.view.want_proof(
        END_B, b"key", state_height_min=state_min, is_present=True, time_s_min=time_s_min
    )


@given(chains, states, waits)
def test_a_wanted_header_can_be_held_and_is_high_and_late_enough(
    chain: Chain, state_min: int, time_s_min: int
) -> None:
    wanted = ask(chain.world(), state_min, time_s_min)
    if wanted is not None:
        assert wanted.header_height in chain.provable
        assert wanted.state_height == wanted.header_height - LAG >= state_min
        assert chain.times[wanted.header_height] >= time_s_min


@given(chains, states, waits)
def test_a_proof_is_wanted_exactly_if_some_header_serves(
    chain: Chain, state_min: int, time_s_min: int
) -> None:
    serving = [
        height
        for height in chain.provable
        if height >= state_min + LAG and chain.times[height] >= time_s_min
    ]
    assert (ask(chain.world(), state_min, time_s_min) is not None) is bool(serving)


@given(chains, states)
def test_a_client_is_updated_only_when_what_it_holds_newest_does_not_serve(
    chain: Chain, state_min: int
) -> None:
    wanted = ask(chain.world(), state_min, 0)
    newest_held = chain.known[-1] if chain.known else 0
    if newest_held >= state_min + LAG:
        assert wanted is not None
        assert wanted.header_height == newest_held
    elif wanted is not None:
        assert wanted.header_height == chain.provable[-1]


@given(chains, states, st.integers(900, 9000), st.integers(0, 5))
def test_the_height_of_an_absence_stays_where_it_was_while_blocks_come(
    chain: Chain, state_min: int, time_s_min: int, more: int
) -> None:
    world = chain.world()
    before = ask(world, state_min, time_s_min)
    for _ in range(more):
        world.block("a-1", max(chain.times.values()) + 400)
    world.view.begin_round()
    after = ask(world, state_min, time_s_min)
    if before is not None:
        assert after == before
        serving = [
            height
            for height in chain.provable
            if height >= state_min + LAG and chain.times[height] >= time_s_min
        ]
        held = [height for height in serving if height in chain.known]
        assert before.header_height == (held or serving)[0]


@given(chains, st.lists(st.tuples(states, st.just(0)), min_size=1, max_size=6))
def test_the_heights_of_one_round_never_fall(chain: Chain, asked: list[tuple[int, int]]) -> None:
    world = chain.world()
    answers = [wanted for one in asked if (wanted := ask(world, *one)) is not None]
    heights = [wanted.header_height for wanted in answers]
    assert heights == sorted(heights)
    assert len(set(heights)) <= 2  # one that was held, then the newest
