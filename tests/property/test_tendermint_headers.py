"""Random sets, commits and states: the verifier and the plain reference agree."""

from __future__ import annotations

from fakes.header_cases import make_case
from fakes.header_reference import is_to_be_believed
from fakes.signing_chain import START_NS, DictStore, History, SigningChain, fetch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tieline.light_clients.tendermint.client import TendermintClient
from tieline.light_clients.tendermint.skipping import TrustLevel, headers_between
from tieline.protocol.errors import ClientRefused
from tieline.protocol.height import Height
from tieline.wire.cometbft import Validator, ValidatorSet

SECOND = 10**9
CLIENT = TendermintClient()


def is_taken(case):
    store = DictStore()
    CLIENT.initialise(store, case.state.as_any(), case.consensus.as_any())
    try:
        return bool(CLIENT.update(store, case.header.as_any(), case.now_ns).heights)
    except ClientRefused:
        return False


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_header_is_taken_exactly_if_the_plain_rules_say_so(data):
    case = make_case(lambda count: data.draw(st.integers(0, count - 1)))
    assume(not case.is_beyond_cometbft)
    assert is_taken(case) is is_to_be_believed(case)


POOL = 7
POWERS = st.dictionaries(
    st.integers(0, POOL - 1), st.sampled_from([1, 2, 5, 30]), min_size=1, max_size=5
)


def _sets(chain, history):
    keys = [chain.validator_set((1,), salt=50 + n).validators[0].public_key for n in range(POOL)]
    sets = []
    for powers, length in history:
        members = [Validator(keys[number], power) for number, power in powers.items()]
        members.sort(key=lambda one: (-one.voting_power, one.address))
        sets += [ValidatorSet(tuple(members), members[0])] * length
    return sets


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(POWERS, st.integers(1, 6)), min_size=1, max_size=8),
    st.sampled_from([TrustLevel(1, 3), TrustLevel(1, 2), TrustLevel(2, 3), TrustLevel(1, 1)]),
    st.data(),
)
def test_any_height_of_any_history_is_reached_and_no_header_of_the_way_is_refused(
    history, trust, data
):
    chain = SigningChain()
    sets = _sets(chain, [*history, ({0: 1}, 2)])
    followed = History(chain, sets)
    start = data.draw(st.integers(1, len(sets) - 2), label="start")
    target = data.draw(st.integers(start + 1, len(sets) - 1), label="target")
    store = DictStore()
    followed.begin(
        CLIENT,
        store,
        start,
        trust_numerator=trust.numerator,
        trust_denominator=trust.denominator,
    )
    now_ns = START_NS + 200 * SECOND
    found = fetch(headers_between(start, target, trust), followed)
    for height, message in found:
        assert CLIENT.update(store, message, now_ns).heights == (Height(1, height),)
    assert CLIENT.latest_height(store) == Height(1, target)
    assert len(found) <= target - start
