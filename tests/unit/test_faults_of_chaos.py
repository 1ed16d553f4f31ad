"""The faults of `make chaos`: a seed repeats them, and none of their kinds is left to chance."""

from collections import Counter
from itertools import islice, pairwise

import pytest
from fakes.faults import ENGINE, FROZEN, HOST, WEIGHTS, faults, missing

PEERS = {"four": 4, "one": 1}
DECK = sum(WEIGHTS.values())
SEEDS = (0, 1, 3_061_235_359)


def drawn(seed, count):
    return list(islice(faults(seed, PEERS), count))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_draws_the_same_faults_in_the_same_order(seed):
    assert drawn(seed, 5 * DECK) == drawn(seed, 5 * DECK)
    assert drawn(seed, DECK) != drawn(seed + 1, DECK)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_deck_has_every_kind_as_often_as_its_weight(seed):
    kinds = [one.kind for one in drawn(seed, 20 * DECK)]
    decks = [kinds[start : start + DECK] for start in range(0, len(kinds), DECK)]
    assert {frozenset(Counter(deck).items()) for deck in decks} == {frozenset(WEIGHTS.items())}
    assert any(one != other for one, other in pairwise(decks)), "shuffled anew"


def test_every_peer_is_hit_and_only_one_that_others_can_spare_is_frozen():
    hit = drawn(SEEDS[0], 20 * DECK)
    everyone = {(chain_id, n) for chain_id, count in PEERS.items() for n in range(count)}
    assert {(one.chain_id, one.peer) for one in hit} == everyone
    assert {one.chain_id for one in hit if one.kind == FROZEN} == {"four"}


def test_a_story_may_end_when_every_kind_was_there_and_enough_was_killed():
    told = Counter()
    assert missing(told, 2) == [*WEIGHTS, "2 hosts and engines killed"]
    told.update({kind: 1 for kind in WEIGHTS if kind != ENGINE})
    assert missing(told, 2) == [ENGINE, "2 hosts and engines killed"]
    told[HOST] += 1
    assert missing(told, 2) == [ENGINE]
    told[ENGINE] += 1
    assert missing(told, 3) == []
    assert missing(told, 4) == ["4 hosts and engines killed"]


@pytest.mark.parametrize("seed", SEEDS)
def test_one_deck_is_enough_for_a_short_story(seed):
    assert not missing(Counter(one.kind for one in drawn(seed, DECK)), 2)
