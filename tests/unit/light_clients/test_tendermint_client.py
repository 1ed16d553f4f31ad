"""A 07-tendermint client's life: created, updated, skipped ahead, expired, frozen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tieline.light_clients.tendermint.client import TendermintClient
from tieline.light_clients.tendermint.messages import Misbehaviour
from tieline.light_clients.tendermint.verifier import verify_header_once
from tieline.protocol.client import ClientStatus
from tieline.protocol.errors import ClientRefused, ConsensusStateNotFound
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage

SECOND = 10**9
START_NS = 1_800_000_000 * SECOND
NOW_NS = START_NS + 60 * SECOND
CLIENT = TendermintClient()


@pytest.fixture
def followed(chain, store):
    """A client created at height 10."""
    CLIENT.initialise(store, chain.client_state().as_any(), chain.consensus_state().as_any())
    return store


def update(store, header, now_ns=NOW_NS, client=CLIENT):
    return client.update(store, header.as_any(), now_ns)


def test_a_new_client_is_active_at_its_first_height(chain, followed):
    assert CLIENT.status(followed, NOW_NS) is ClientStatus.ACTIVE
    assert CLIENT.latest_height(followed) == Height(1, 10)
    assert CLIENT.timestamp_ns(followed, Height(1, 10)) == START_NS + 10 * SECOND


@pytest.mark.parametrize("client", [CLIENT, TendermintClient(verify=verify_header_once)])
def test_an_adjacent_header_brings_the_client_one_block_on(chain, followed, client):
    for height in (11, 12):
        result = update(followed, chain.update(height, height - 1), client=client)
        assert result.heights == (Height(1, height),)
    assert CLIENT.latest_height(followed) == Height(1, 12)


def test_a_known_header_changes_nothing(chain, followed):
    update(followed, chain.update(11, 10))
    before = dict(followed)
    assert update(followed, chain.update(11, 10)).heights == ()
    assert before == followed


def test_skipping_needs_more_than_a_third_of_the_trusted_and_two_thirds_of_the_new(chain, followed):
    """Two of four trusted validators stay: half of the old power, and new ones beside them."""
    fresh = chain.validator_set((10, 10, 10), salt=7)
    kept = chain.validators.validators[:2]
    members = sorted(kept + fresh.validators, key=lambda one: one.address)
    mixed = replace(chain.validators, validators=tuple(members), proposer=members[0])
    update(followed, chain.update(30, 10, validators=mixed))
    assert CLIENT.latest_height(followed) == Height(1, 30)


def test_skipping_is_refused_when_too_few_of_the_trusted_signed(chain, followed):
    """One of four is less than a third; the message tells the relayer to bisect."""
    fresh = chain.validator_set((10, 10, 10), salt=7)
    members = sorted(chain.validators.validators[:1] + fresh.validators, key=lambda v: v.address)
    mixed = replace(chain.validators, validators=tuple(members), proposer=members[0])
    with pytest.raises(ClientRefused, match="not enough trust"):
        update(followed, chain.update(30, 10, validators=mixed))


def test_exactly_a_third_of_the_trusted_power_is_not_enough(make_chain, store):
    chain = make_chain(powers=(10, 10, 10))
    CLIENT.initialise(store, chain.client_state().as_any(), chain.consensus_state().as_any())
    fresh = chain.validator_set((10, 10, 10, 10, 10), salt=7)
    members = sorted(chain.validators.validators[:1] + fresh.validators, key=lambda v: v.address)
    mixed = replace(chain.validators, validators=tuple(members), proposer=members[0])
    with pytest.raises(ClientRefused, match="not enough trust: 10 of 30"):
        update(store, chain.update(30, 10, validators=mixed))


def test_exactly_two_thirds_of_the_new_power_is_not_enough(make_chain, store):
    chain = make_chain(powers=(10, 10, 10))
    CLIENT.initialise(store, chain.client_state().as_any(), chain.consensus_state().as_any())
    with pytest.raises(ClientRefused, match="not enough signed: 20 of 30"):
        update(store, chain.update(11, 10, silent={1}))


def test_one_silent_and_one_for_nil_of_seven_are_borne(make_chain, store):
    chain = make_chain(powers=(10,) * 7)
    CLIENT.initialise(store, chain.client_state().as_any(), chain.consensus_state().as_any())
    assert update(store, chain.update(11, 10, silent={0}, for_nil={3})).heights
    with pytest.raises(ClientRefused, match="not enough signed"):
        update(store, chain.update(12, 11, silent={0}, for_nil={3, 4}))


def test_an_adjacent_header_must_be_by_the_announced_validators(chain, followed):
    other = chain.validator_set((10, 10, 10), salt=9)
    with pytest.raises(ClientRefused, match="other validators than announced"):
        update(followed, chain.update(11, 10, validators=other))


def test_a_change_of_validators_is_followed_when_announced(chain, followed):
    other = chain.validator_set((10, 10, 10), salt=9)
    update(followed, chain.update(11, 10, following=other))
    update(followed, chain.update(12, 11, validators=other, trusted=other))
    assert CLIENT.latest_height(followed) == Height(1, 12)


def test_a_header_in_between_is_filled_in_later(chain, followed):
    for height, trusted in ((20, 10), (30, 20), (25, 10), (15, 10), (28, 25)):
        assert update(followed, chain.update(height, trusted)).heights == (Height(1, height),)
    assert CLIENT.latest_height(followed) == Height(1, 30)
    for height in (10, 15, 20, 25, 28, 30):
        assert CLIENT.timestamp_ns(followed, Height(1, height)) == START_NS + height * SECOND
    with pytest.raises(ConsensusStateNotFound):
        CLIENT.timestamp_ns(followed, Height(1, 11))


def test_two_headers_at_one_height_freeze_the_client(chain, followed):
    update(followed, chain.update(11, 10))
    result = update(followed, chain.update(11, 10, app_hash=b"\x01" * 32))
    assert result.misbehaviour
    assert CLIENT.status(followed, NOW_NS) is ClientStatus.FROZEN
    with pytest.raises(ClientRefused, match="frozen"):
        update(followed, chain.update(12, 11))


@pytest.mark.parametrize("at_s", [20, 30, 31, 9_000])
def test_a_time_that_does_not_lie_between_its_neighbours_freezes_the_client(chain, followed, at_s):
    """Above height 15 at 15 s, below height 20 at 20 s; drift is judged first, so look late."""
    update(followed, chain.update(15, 10))
    update(followed, chain.update(20, 15))
    now_ns = START_NS + 800 * SECOND
    if at_s == 9_000:
        with pytest.raises(ClientRefused, match="future"):
            update(followed, chain.update(17, 15, time_ns=START_NS + at_s * SECOND), now_ns)
        return
    assert update(
        followed, chain.update(17, 15, time_ns=START_NS + at_s * SECOND), now_ns
    ).misbehaviour


def test_a_time_before_the_lower_neighbour_freezes_the_client(chain, followed):
    update(followed, chain.update(15, 10))
    header = chain.update(17, 10, time_ns=START_NS + 15 * SECOND)
    assert update(followed, header).misbehaviour


def test_the_trusting_period_is_over_at_its_last_instant(chain, followed):
    end_ns = START_NS + 10 * SECOND + 1_000 * SECOND
    assert CLIENT.status(followed, end_ns - 1) is ClientStatus.ACTIVE
    assert CLIENT.status(followed, end_ns) is ClientStatus.EXPIRED
    with pytest.raises(ClientRefused, match="expired"):
        update(followed, chain.update(11, 10), now_ns=end_ns)
    assert update(followed, chain.update(11, 10), now_ns=end_ns - 1).heights


def test_the_future_begins_at_the_drift(chain, followed):
    time_ns = NOW_NS + 10 * SECOND
    with pytest.raises(ClientRefused, match="future"):
        update(followed, chain.update(11, 10, time_ns=time_ns))
    assert update(followed, chain.update(11, 10, time_ns=time_ns - 1)).heights


def test_a_header_is_later_than_the_one_it_builds_on(chain, followed):
    with pytest.raises(ClientRefused, match="not later"):
        update(followed, chain.update(11, 10, time_ns=START_NS + 10 * SECOND))


def test_an_expired_state_is_forgotten_by_the_next_update_and_the_rest_stays(chain, followed):
    update(followed, chain.update(500, 10), now_ns=START_NS + 600 * SECOND)
    now_ns = START_NS + 1_010 * SECOND
    update(followed, chain.update(900, 500), now_ns=now_ns)
    with pytest.raises(ConsensusStateNotFound):
        CLIENT.timestamp_ns(followed, Height(1, 10))
    update(followed, chain.update(700, 500), now_ns=now_ns)
    assert CLIENT.timestamp_ns(followed, Height(1, 500))
    assert len([key for key in followed if key.startswith(b"neighbours/")]) == 3


def test_one_expired_state_goes_with_every_message_also_with_a_known_header(chain, followed):
    """However many have expired, a message pays for one of them, as in ibc-go."""
    for height in (11, 12, 13):
        update(followed, chain.update(height, height - 1))
    update(followed, chain.update(600, 13), now_ns=START_NS + 700 * SECOND)
    now_ns = START_NS + 1_100 * SECOND
    header = chain.update(900, 600)
    for held in ((11, 12, 13, 600, 900), (12, 13, 600, 900), (13, 600, 900), (600, 900)):
        update(followed, header, now_ns=now_ns)
        found = sorted(int(key.split(b"-")[1]) for key in followed if key.startswith(b"cons"))
        assert tuple(found) == held
    update(followed, header, now_ns=now_ns)
    assert CLIENT.timestamp_ns(followed, Height(1, 600)) == START_NS + 600 * SECOND


def test_a_frozen_client_stays_frozen_when_it_has_expired(chain, followed):
    update(followed, chain.update(11, 10))
    update(followed, chain.update(11, 10, app_hash=b"\x01" * 32))
    assert CLIENT.status(followed, START_NS + 10_000 * SECOND) is ClientStatus.FROZEN


def test_an_expired_client_wakes_by_no_header_at_all(chain, followed):
    update(followed, chain.update(11, 10))
    end_ns = START_NS + 11 * SECOND + 1_000 * SECOND
    assert CLIENT.status(followed, end_ns) is ClientStatus.EXPIRED
    for header in (chain.update(12, 11), chain.update(1_011, 11), chain.update(900, 10)):
        with pytest.raises(ClientRefused, match="expired"):
            update(followed, header, now_ns=end_ns)


def test_misbehaviour_upon_an_expired_state_is_refused(chain, followed):
    one, other = chain.update(20, 10), chain.update(20, 10, app_hash=b"\x01" * 32)
    end_ns = START_NS + 10 * SECOND + 1_000 * SECOND
    with pytest.raises(ClientRefused, match="expired"):
        CLIENT.update(followed, _misbehaviour(one, other), end_ns)
    assert CLIENT.update(followed, _misbehaviour(one, other), end_ns - 1).misbehaviour


def test_misbehaviour_needs_the_trust_level_of_the_trusted_set_even_of_the_next_block(
    chain, followed
):
    """As in ibc-go, where the next header is nothing special here."""
    fresh = chain.validator_set((10, 10, 10), salt=7)
    one = chain.update(11, 10, validators=fresh)
    other = chain.update(11, 10, validators=fresh, app_hash=b"\x01" * 32)
    with pytest.raises(ClientRefused, match="not enough trust"):
        CLIENT.update(followed, _misbehaviour(one, other), NOW_NS)


def test_misbehaviour_may_name_a_client_as_ibc_go_asks(chain, followed):
    one, other = chain.update(20, 10), chain.update(20, 10, app_hash=b"\x01" * 32)
    named = Misbehaviour(one.encode(), other.encode(), "07-tendermint-4")
    assert Misbehaviour.decode(named.encode()) == named
    assert CLIENT.update(followed, named.as_any(), NOW_NS).misbehaviour


def _misbehaviour(one, other):
    return Misbehaviour(one.encode(), other.encode()).as_any()


def test_two_signed_headers_at_one_height_are_misbehaviour(chain, followed):
    one, other = chain.update(20, 10), chain.update(20, 10, app_hash=b"\x01" * 32)
    assert CLIENT.update(followed, _misbehaviour(one, other), NOW_NS).misbehaviour
    assert CLIENT.status(followed, NOW_NS) is ClientStatus.FROZEN


def test_time_that_falls_with_height_is_misbehaviour(chain, followed):
    one, other = chain.update(21, 10, time_ns=START_NS + 20 * SECOND), chain.update(20, 10)
    assert CLIENT.update(followed, _misbehaviour(one, other), NOW_NS).misbehaviour


def test_what_is_no_misbehaviour_is_refused(chain, followed):
    update(followed, chain.update(11, 10))
    rows = [
        ("same header twice", chain.update(20, 10), chain.update(20, 11)),
        ("time rises", chain.update(21, 10), chain.update(20, 10)),
        ("lower header first", chain.update(20, 10), chain.update(21, 10)),
        (
            "not enough signed",
            chain.update(20, 10),
            chain.update(20, 10, app_hash=b"\x01" * 32, silent={0, 1}),
        ),
    ]
    for reason, one, other in rows:
        with pytest.raises(ClientRefused, match=reason):
            CLIENT.update(followed, _misbehaviour(one, other), NOW_NS)
    assert CLIENT.status(followed, NOW_NS) is ClientStatus.ACTIVE


@pytest.mark.parametrize("height", [9, 10])
def test_no_header_at_or_below_its_trusted_height_is_misbehaviour(chain, followed, height):
    """Its validators need not have been any then: whoever signs it now risks nothing."""
    one, other = chain.update(height, 10), chain.update(height, 10, app_hash=b"\x01" * 32)
    with pytest.raises(ClientRefused, match="not above its trusted height"):
        CLIENT.update(followed, _misbehaviour(one, other), NOW_NS)
    assert CLIENT.status(followed, NOW_NS) is ClientStatus.ACTIVE


SPOILED_STATES = [
    ("chain id", {"chain_id": ""}),
    ("chain id", {"chain_id": "x" * 49 + "-1"}),
    ("trust level", {"trust_numerator": 1, "trust_denominator": 4}),
    ("trust level", {"trust_numerator": 4, "trust_denominator": 3}),
    ("trust level", {"trust_numerator": 0, "trust_denominator": 0}),
    ("unbonding", {"trusting_period_ns": 2_000 * SECOND}),
    ("unbonding", {"trusting_period_ns": 0}),
    ("drift", {"max_clock_drift_ns": 0}),
    ("frozen", {"is_frozen": True}),
    ("revision", {"latest_height": Height(2, 10)}),
    ("revision", {"chain_id": "micro-01"}),
    ("specs", {"proof_specs": ()}),
    ("upgrade", {"upgrade_path": ("upgrade", "")}),
]


@pytest.mark.parametrize(("reason", "change"), SPOILED_STATES)
def test_a_client_with_a_bad_parameter_is_not_created(chain, store, reason, change):
    state = chain.client_state(**change)
    with pytest.raises(ClientRefused, match=reason):
        CLIENT.initialise(store, state.as_any(), chain.consensus_state().as_any())
    assert not store


def test_a_consensus_state_without_hash_or_time_is_refused(chain, store):
    good = chain.consensus_state()
    for bad in (
        replace(good, root=b""),
        replace(good, next_validators_hash=b"x"),
        replace(good, time_ns=0),
    ):
        with pytest.raises(ClientRefused):
            CLIENT.initialise(store, chain.client_state().as_any(), bad.as_any())


@pytest.mark.parametrize("time_ns", [SECOND - 1, 1 << 63, -SECOND])
def test_a_consensus_state_of_a_time_that_go_cannot_hold_is_refused(chain, store, time_ns):
    bad = replace(chain.consensus_state(), time_ns=time_ns)
    with pytest.raises(ClientRefused, match="1970 to 2262"):
        CLIENT.initialise(store, chain.client_state().as_any(), bad.as_any())


@pytest.mark.parametrize("span_ns", [-1, 1 << 63])
@pytest.mark.parametrize(
    "name", ["trusting_period_ns", "unbonding_period_ns", "max_clock_drift_ns"]
)
def test_a_span_that_go_cannot_hold_is_refused(chain, store, name, span_ns):
    state = chain.client_state(**{name: span_ns})
    with pytest.raises(ClientRefused, match="no duration"):
        CLIENT.initialise(store, state.as_any(), chain.consensus_state().as_any())


def test_foreign_messages_are_refused(chain, followed):
    with pytest.raises(ClientRefused, match="unknown client message"):
        CLIENT.update(followed, AnyMessage("/x", b""), NOW_NS)
    with pytest.raises(ClientRefused, match="malformed"):
        CLIENT.update(
            followed, AnyMessage(chain.update(11, 10).as_any().type_url, b"\x1a\x01\x00"), NOW_NS
        )
    with pytest.raises(ClientRefused, match="no consensus state"):
        update(followed, chain.update(12, 11))
