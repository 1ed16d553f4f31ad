"""One good header, and one row per way to spoil it."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from fakes.curve import BASE, L, add, encode, hash_scalar, times, torsion
from nacl.signing import SigningKey

from tieline.light_clients.tendermint.ed25519 import SLOW_CHECKS_MAX
from tieline.light_clients.tendermint.messages import ClientHeader, revision_of
from tieline.light_clients.tendermint.verifier import (
    POWER_MAX,
    VALIDATORS_MAX,
    Anchor,
    HeaderRefused,
    verify_header,
    verify_header_once,
)
from tieline.protocol.height import Height
from tieline.wire.cometbft import (
    ABSENT_FLAG,
    BlockId,
    CommitSig,
    Validator,
    ValidatorSet,
    decode_time,
    encode_time,
)
from tieline.wire.errors import Malformed
from tieline.wire.proto_fields import int_field, message_field
from tieline.wire.votes import vote_bytes


@pytest.fixture
def anchor(chain):
    following = chain.validators.hash()
    return Anchor(chain.chain_id, 1, 3, Height(1, 10), following)


def _commit(header, **changes):
    signed = header.signed_header
    return replace(header, signed_header=replace(signed, commit=replace(signed.commit, **changes)))


def _entry(header, index, **changes):
    entries = list(header.signed_header.commit.signatures)
    entries[index] = replace(entries[index], **changes)
    return _commit(header, signatures=tuple(entries))


def _resigned(chain, **changes):
    """A header with other content, signed by all: only its form is wrong."""
    header = replace(chain.header(11), **changes)
    return ClientHeader(chain.signed(header), chain.validators, Height(1, 10), chain.validators)


def _swapped(header):
    first, second, *rest = header.signed_header.commit.signatures
    return _commit(header, signatures=(second, first, *rest))


def _without_power(chain, header):
    members = [replace(one, voting_power=0) for one in chain.validators.validators]
    return replace(header, validators=ValidatorSet(tuple(members)))


def _with_power(chain, header, power):
    first, *rest = chain.validators.validators
    return replace(header, validators=ValidatorSet((replace(first, voting_power=power), *rest)))


def _doubled(header):
    first, _, *rest = header.signed_header.commit.signatures
    return _commit(header, signatures=(first, first, *rest))


SPOILED = [
    # what is spoiled, how, expected refusal
    ("height of the commit", lambda c, h: _commit(h, height=12), "another block"),
    ("round", lambda c, h: _commit(h, round=0), "bad signature"),
    ("negative round", lambda c, h: _commit(h, round=-1), "round"),
    ("block id", lambda c, h: _commit(h, block_id=BlockId(bytes(32), 1, b"")), "another block"),
    (
        "parts of the block id",
        lambda c, h: _commit(h, block_id=replace(h.signed_header.commit.block_id, parts_total=2)),
        "bad signature",
    ),
    ("time of one vote", lambda c, h: _entry(h, 2, time_ns=1), "bad signature"),
    ("one signature", lambda c, h: _entry(h, 1, signature=bytes(64)), "bad signature"),
    ("one signature's length", lambda c, h: _entry(h, 1, signature=bytes(63)), "bad signature"),
    ("an unknown flag", lambda c, h: _entry(h, 0, flag=4), "unknown flag"),
    ("a talking absentee", lambda c, h: _entry(h, 0, flag=ABSENT_FLAG), "absent"),
    ("order of the commit", lambda c, h: _swapped(h), "order"),
    (
        "one entry too few",
        lambda c, h: _commit(h, signatures=h.signed_header.commit.signatures[:3]),
        "length",
    ),
    ("chain", lambda c, h: _resigned(c, chain_id="micro-2-1"), "another chain"),
    ("revision", lambda c, h: _resigned(c, chain_id="micro-2"), "another revision"),
    ("protocol", lambda c, h: _resigned(c, block_protocol=12), "protocol"),
    ("app hash", lambda c, h: _resigned(c, app_hash=b""), "lacks a hash"),
    ("announced set", lambda c, h: _resigned(c, next_validators_hash=b""), "lacks a hash"),
    ("own set", lambda c, h: _resigned(c, validators_hash=bytes(32)), "other validators"),
    ("proposer", lambda c, h: _resigned(c, proposer_address=bytes(20)), "proposer"),
    ("not above", lambda c, h: c.update(10, 10), "not above"),
    (
        "trusted set",
        lambda c, h: replace(h, trusted_validators=c.validator_set((1,), salt=4)),
        "trusted validators",
    ),
    (
        "validator set",
        lambda c, h: replace(h, validators=c.validator_set((1,), salt=4)),
        "not the header's",
    ),
    ("no validators", lambda c, h: replace(h, validators=ValidatorSet(())), "number of"),
    (
        "a validator twice",
        lambda c, h: replace(h, validators=ValidatorSet(c.validators.validators * 2)),
        "twice",
    ),
    ("no power", _without_power, "without power"),
    ("power below zero", lambda c, h: _with_power(c, h, -1), "without power"),
    ("power beyond all bounds", lambda c, h: _with_power(c, h, 2**63 - 1), "not the sum"),
    ("power as much as can be", lambda c, h: _with_power(c, h, POWER_MAX), "too much voting"),
    ("hash of another length", lambda c, h: _resigned(c, data_hash=b"x"), "another length"),
    (
        "last block",
        lambda c, h: _resigned(c, last_block_id=BlockId(b"x", 1, b"")),
        "another length",
    ),
    (
        "a vote that is not looked at, without signature",
        lambda c, h: _entry(h, 3, signature=b""),
        "another length",
    ),
    (
        "a vote that is not looked at, too long",
        lambda c, h: _entry(h, 3, signature=bytes(65)),
        "another length",
    ),
    ("a validator's vote twice", lambda c, h: _doubled(h), "order"),
    ("a round beyond all bounds", lambda c, h: _commit(h, round=1 << 31), "round"),
]


@pytest.mark.parametrize(("what", "spoil", "reason"), SPOILED, ids=[row[0] for row in SPOILED])
def test_a_spoiled_header_is_refused(chain, anchor, what, spoil, reason):
    good = chain.update(11, 10)
    assert verify_header(good.encode(), anchor) == good
    with pytest.raises(HeaderRefused, match=reason):
        verify_header(spoil(chain, good).encode(), anchor)


def test_more_validators_than_can_be_checked_in_time_are_refused(chain, anchor):
    many = chain.validator_set((1,) * (VALIDATORS_MAX + 1), salt=5)
    with pytest.raises(HeaderRefused, match="number of validators"):
        verify_header(replace(chain.update(11, 10), validators=many).encode(), anchor)


def test_what_was_believed_once_is_not_believed_from_another_anchor(chain, anchor):
    raw = chain.update(11, 10).encode()
    assert verify_header_once(raw, anchor) is verify_header_once(raw, anchor)
    with pytest.raises(HeaderRefused):
        verify_header_once(raw, replace(anchor, next_validators_hash=bytes(32)))
    with pytest.raises(HeaderRefused):
        verify_header_once(raw, replace(anchor, chain_id="other-1"))


def test_what_lies_behind_two_thirds_is_not_looked_at_as_in_cometbft(chain, anchor):
    good = chain.update(11, 10)
    assert verify_header(_entry(good, 3, signature=bytes(64)).encode(), anchor)
    for index in range(3):
        with pytest.raises(HeaderRefused, match="bad signature"):
            verify_header(_entry(good, index, signature=bytes(64)).encode(), anchor)


def test_exactly_two_thirds_of_good_votes_are_not_enough(make_chain):
    chain = make_chain(powers=(10, 10, 10))
    anchor = Anchor(chain.chain_id, 1, 3, Height(1, 10), chain.validators.hash())
    good = chain.update(11, 10)
    assert verify_header(good.encode(), anchor)
    with pytest.raises(HeaderRefused, match="bad signature"):
        verify_header(_entry(good, 2, signature=bytes(64)).encode(), anchor)


def test_exactly_the_trust_level_of_good_votes_is_not_enough(make_chain):
    """Two of three trusted ones claim to have signed; the second is forged."""
    chain = make_chain()
    trusted = chain.validator_set((1, 1, 1), salt=1)
    own = chain.validator_set((30, 30, 30), salt=2)
    both = ValidatorSet((*own.validators, *trusted.validators[:2]), own.validators[0])
    anchor = Anchor(chain.chain_id, 1, 3, Height(1, 10), trusted.hash())
    good = chain.update(20, 10, validators=both, trusted=trusted)
    assert verify_header(good.encode(), anchor)
    with pytest.raises(HeaderRefused, match="bad signature"):
        verify_header(_entry(good, 4, signature=bytes(64)).encode(), anchor)


def test_forged_votes_of_trusted_validators_give_no_trust_wherever_they_stand(make_chain):
    """Three of power 30 sign truly, two trusted ones of power 1 are forged behind them."""
    chain = make_chain()
    trusted = chain.validator_set((1, 1), salt=1)
    own = chain.validator_set((30, 30, 30), salt=2)
    both = ValidatorSet((*own.validators, *trusted.validators), own.validators[0])
    anchor = Anchor(chain.chain_id, 1, 3, Height(1, 10), trusted.hash())
    good = chain.update(20, 10, validators=both, trusted=trusted)
    assert verify_header(good.encode(), anchor)
    forged = _entry(_entry(good, 3, signature=bytes(64)), 4, signature=bytes(64))
    with pytest.raises(HeaderRefused, match="bad signature"):
        verify_header(forged.encode(), anchor)


def chain_of_odd_keys(count):
    """Honest keys with a point of small order added: libsodium refuses what they sign oddly."""
    small = torsion()[1]
    return [encode(add(times(number + 2, BASE), small)) for number in range(count)]


def _oddly_signed(chain, odd, honest=4, odd_power=1):
    """A header that *odd* validators before *honest* ones signed validly, yet not canonically."""
    keys = chain_of_odd_keys(odd)
    honest_ones = chain.validator_set((10,) * honest, salt=3).validators if honest else ()
    twisted = tuple(Validator(key, odd_power) for key in keys)
    members = (*twisted, *honest_ones)
    validators = ValidatorSet(members, members[0])
    header = chain.header(11, validators)
    for one in twisted:
        chain.keys[one.address] = SigningKey(bytes(32))
    signed = chain.signed(header, validators)
    entries = list(signed.commit.signatures)
    for index, key in enumerate(keys):
        entry = entries[index]
        vote = vote_bytes(chain.chain_id, 11, 1, signed.commit.block_id, entry.time_ns)
        nonce = encode(add(times(7, BASE), torsion()[3]))
        s = (7 + hash_scalar(nonce, key, vote) * (index + 2)) % L
        entries[index] = replace(entry, signature=nonce + s.to_bytes(32, "little"))
    commit = replace(signed.commit, signatures=tuple(entries))
    shown = ClientHeader(replace(signed, commit=commit), validators, Height(1, 10), validators)
    return shown, Anchor(chain.chain_id, 1, 3, Height(1, 10), validators.hash())


def test_odd_signatures_count_up_to_the_bound_of_slow_checks(chain):
    """All odd: 3 of 4 must count; with 40 equal ones, 32 can be judged and 27 are enough."""
    for odd, honest in ((4, 0), (40, 0)):
        header, anchor = _oddly_signed(chain, odd, honest=honest)
        assert verify_header(header.encode(), anchor)
    header, anchor = _oddly_signed(chain, SLOW_CHECKS_MAX * 2, honest=0)
    with pytest.raises(HeaderRefused, match="too many odd signatures"):
        verify_header(header.encode(), anchor)


def test_beyond_the_bound_the_honest_alone_are_enough_so_nobody_can_stall(chain):
    header, anchor = _oddly_signed(chain, SLOW_CHECKS_MAX + 8, honest=20)
    assert verify_header(header.encode(), anchor)


def test_a_silent_validator_has_the_one_empty_entry(chain, anchor):
    good = chain.update(11, 10, silent={0})
    assert verify_header(good.encode(), anchor)
    with pytest.raises(HeaderRefused, match="absent"):
        verify_header(_entry(good, 0, time_ns=0).encode(), anchor)
    assert good.signed_header.commit.signatures[0] == CommitSig(
        ABSENT_FLAG, b"", -62_135_596_800 * 10**9, b""
    )


@pytest.mark.parametrize(
    ("chain_id", "revision"),
    [
        ("micro-1", 1),
        ("micro-a-12", 12),
        ("micro", 0),
        ("micro-", 0),
        ("-1", 0),
        ("micro-0", 0),
        ("micro-01", 0),
        ("micro--1", 0),
        ("micro-1x", 0),
        ("micro-\u0661", 0),
    ],
)
def test_the_revision_is_the_number_behind_the_last_hyphen(chain_id, revision):
    assert revision == revision_of(chain_id)


def _refused(raw, anchor, good):
    """
    Refused, or the same header with one vote that was not needed spoiled. Nothing is changed but
    bytes; the anchor's height is what the client would look up.
    """
    try:
        header = verify_header(raw, anchor)
    except HeaderRefused:
        return True
    votes = zip(
        header.signed_header.commit.signatures, good.signed_header.commit.signatures, strict=True
    )
    untouched = sum(one == other for one, other in votes)
    return untouched == 3 and _commit(header, signatures=()) == _commit(good, signatures=())


def _changed(raw, place, octet):
    return raw[:place] + bytes([octet]) + raw[place + 1 :]


def _trusted_height_places(raw, header):
    """The trusted height picks the anchor; with this anchor it is free, see the client's test."""
    inner = b"\x1a\x04" + b"\x08\x01\x10" + bytes([header.trusted_height.revision_height])
    start = raw.index(inner)
    return range(start + 3, start + len(inner))


def test_no_sampled_byte_that_counts_can_be_changed(chain, anchor):
    header = chain.update(11, 10, silent={3})
    raw = header.encode()
    free = _trusted_height_places(raw, header)
    seed = sha256(raw).digest()
    for draw in range(120):
        place = int.from_bytes(sha256(seed + bytes([draw])).digest()[:4]) % len(raw)
        if place not in free:
            assert _refused(_changed(raw, place, raw[place] ^ (1 << draw % 8)), anchor, header), (
                place
            )


@pytest.mark.slow
@pytest.mark.parametrize("silent", [(), (3,)])
@pytest.mark.parametrize("height", [11, 30])
def test_no_byte_that_counts_can_be_changed_added_or_left_out(chain, anchor, height, silent):
    header = chain.update(height, 10, silent=silent)
    raw = header.encode()
    free = _trusted_height_places(raw, header)
    for place, octet in enumerate(raw):
        for other in {octet ^ 1, octet ^ 0x80, (octet + 1) % 256, (octet - 1) % 256, 0, 0xFF}:
            if other != octet and place not in free:
                assert _refused(_changed(raw, place, other), anchor, header), (place, other)
        assert _refused(raw[:place] + raw[place + 1 :], anchor, header), place
        assert _refused(raw[:place], anchor, header), place


ABSURD_TIMES = [
    # seconds, nanoseconds
    (1_800_000_000, 10**9),
    (1_800_000_000, 2**31),
    (1_800_000_000, -1),
    (253_402_300_800, 0),
    (-62_135_596_801, 0),
    (2**63 - 1, 0),
    (-(2**63), 0),
]


@pytest.mark.parametrize(("seconds", "nanos"), ABSURD_TIMES)
@pytest.mark.parametrize("place", ["header", "vote"])
def test_a_time_that_no_clock_shows_is_refused(chain, anchor, place, seconds, nanos):
    raw = chain.update(11, 10).encode()
    absurd = int_field(1, seconds) + int_field(2, nanos)
    with pytest.raises(Malformed, match="no time"):
        decode_time(absurd)
    header = chain.header(11)
    time_ns = header.time_ns if place == "header" else header.time_ns + 1
    good = encode_time(time_ns)
    assert good in raw
    number = 4 if place == "header" else 3
    spoiled = raw.replace(message_field(number, good), message_field(number, absurd), 1)
    assert spoiled != raw
    with pytest.raises(HeaderRefused, match="malformed"):
        verify_header(spoiled, anchor)


def test_a_set_is_taken_with_its_total_and_without_as_go_writes_it(chain, anchor):
    good = chain.update(11, 10)
    own, trusted = good.validators, good.trusted_validators
    without = (
        message_field(1, good.signed_header.encode())
        + message_field(2, own.encode_without_total())
        + message_field(3, b"\x08\x01\x10\x0a")
        + message_field(4, trusted.encode_without_total())
    )
    assert verify_header(without, anchor) == good
    wrong = without.replace(
        own.encode_without_total(), own.encode_without_total() + int_field(3, 41), 1
    )
    with pytest.raises(HeaderRefused, match="malformed"):
        verify_header(wrong, anchor)


def test_a_trust_level_that_go_cannot_count_with_is_refused(chain):
    strong = chain.validator_set((POWER_MAX // 4,) * 4)
    header = chain.update(30, 10, validators=strong, trusted=strong)
    good = Anchor(chain.chain_id, 2, 6, Height(1, 10), strong.hash())
    assert verify_header(header.encode(), good)
    with pytest.raises(HeaderRefused, match="numerator too large"):
        verify_header(header.encode(), replace(good, trust_numerator=9, trust_denominator=27))
