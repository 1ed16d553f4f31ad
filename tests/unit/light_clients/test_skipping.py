"""Which headers a client needs that cannot skip at once; it then takes exactly these."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.signing_chain import START_NS, History, fetch

from tieline.light_clients.tendermint.client import TendermintClient
from tieline.light_clients.tendermint.skipping import (
    HEADERS_MAX,
    TooManyHeaders,
    TrustLevel,
    can_skip,
    headers_between,
)
from tieline.protocol.errors import ClientRefused
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.wire.cometbft import ValidatorSet
from tieline.wire.errors import Malformed

SECOND = 10**9
NOW_NS = START_NS + 500 * SECOND
CLIENT = TendermintClient()


def rolling(chain, length, members=4, stay=3):
    """At every height divisible by *stay* one of the members goes and another comes."""
    pool = [chain.validator_set((10,), salt=n).validators[0] for n in range(length + members)]
    sets = []
    for height in range(length):
        first = height // stay
        ordered = sorted(pool[first : first + members], key=lambda one: one.address)
        sets.append(ValidatorSet(tuple(ordered), ordered[0]))
    return History(chain, sets)


def test_a_set_that_stays_needs_one_header(chain, store):
    history = History(chain, [chain.validators] * 200)
    found = fetch(headers_between(1, 190), history)
    assert [height for height, _ in found] == [190]


@pytest.mark.parametrize("target", [2, 3, 12, 40, 58])
def test_the_client_takes_every_header_that_is_found_and_could_not_do_with_less(
    chain, store, target
):
    history = rolling(chain, 60)
    history.begin(CLIENT, store)
    found = fetch(headers_between(1, target), history)
    trusted = 1
    for height, message in found:
        assert CLIENT.update(store, message, NOW_NS).heights == (Height(1, height),)
        beyond = [later for later in range(height + 1, target + 1) if later == target]
        for later in beyond:
            with pytest.raises(ClientRefused, match="not enough trust"):
                CLIENT.update(store, history.message(later, trusted).as_any(), NOW_NS)
        trusted = height
    assert CLIENT.latest_height(store) == Height(1, target)


def test_once_a_change_is_behind_the_rest_is_skipped_at_once(chain, store):
    """The old set up to height 30, another one from 31 on."""
    other = chain.validator_set((10, 10, 10), salt=9)
    history = History(chain, [chain.validators] * 30 + [other] * 40)
    history.begin(CLIENT, store)
    found = fetch(headers_between(1, 60), history)
    assert [height for height, _ in found] == [19, 25, 30, 60]
    for _, message in found:
        assert CLIENT.update(store, message, NOW_NS).heights


def test_a_stricter_client_is_brought_there_in_smaller_steps(chain, store):
    strict = TrustLevel(2, 3)
    history = rolling(chain, 60)
    history.begin(CLIENT, store, trust_numerator=2)
    loose = fetch(headers_between(1, 50), history)
    steps = fetch(headers_between(1, 50, strict), history)
    assert len(steps) > len(loose)
    for _, message in steps:
        CLIENT.update(store, message, NOW_NS)
    assert CLIENT.latest_height(store) == Height(1, 50)


def test_exactly_the_trust_level_is_not_enough(chain):
    third = chain.validator_set((10, 10, 10), salt=1)
    fresh = chain.validator_set((10,) * 5, salt=2)
    ordered = sorted((third.validators[0], *fresh.validators), key=lambda one: one.address)
    mixed = ValidatorSet(tuple(ordered), ordered[0])
    message = chain.update(30, 10, validators=mixed, trusted=third).as_any()
    assert not can_skip(message, 10, 30)
    message = chain.update(11, 10, validators=mixed, trusted=third).as_any()
    assert can_skip(message, 10, 11), "the next header is announced, not skipped to"


def test_a_chain_whose_validators_all_change_every_block_is_given_up(chain):
    sets = [chain.validator_set((10,), salt=n) for n in range(HEADERS_MAX + 10)]
    history = History(chain, sets)
    with pytest.raises(TooManyHeaders, match="too many"):
        fetch(headers_between(1, HEADERS_MAX + 5), history)
    assert len(fetch(headers_between(1, 31), history)) == 30


def test_a_header_of_another_height_than_asked_for_is_not_taken(chain):
    search = headers_between(10, 30)
    next(search)
    with pytest.raises(Malformed, match="another header"):
        search.send(chain.update(29, 10).as_any())


def test_what_is_signed_for_nothing_does_not_count(chain):
    header = chain.update(30, 10, for_nil={0, 1, 2})
    assert not can_skip(header.as_any(), 10, 30)
    doubled = replace(
        header.signed_header.commit, signatures=header.signed_header.commit.signatures[3:] * 4
    )
    forged = replace(header, signed_header=replace(header.signed_header, commit=doubled))
    assert not can_skip(forged.as_any(), 10, 30), "one validator four times is one"


def test_headers_of_another_kind_are_taken_as_they_are():
    search = headers_between(10, 30)
    next(search)
    message = AnyMessage("/other", b"x")
    with pytest.raises(StopIteration) as end:
        search.send(message)
    assert end.value.value == ((30, message),)
