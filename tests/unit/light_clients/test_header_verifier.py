"""One good header, and one row per way to spoil it."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from tieline.light_clients.tendermint.messages import ClientHeader, revision_of
from tieline.light_clients.tendermint.verifier import (
    VALIDATORS_MAX,
    Anchor,
    HeaderRefused,
    verify_header,
    verify_header_once,
)
from tieline.protocol.height import Height
from tieline.wire.cometbft import ABSENT_FLAG, BlockId, CommitSig, ValidatorSet


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
    ("one signature", lambda c, h: _entry(h, 3, signature=bytes(64)), "bad signature"),
    ("one signature's length", lambda c, h: _entry(h, 3, signature=b""), "bad signature"),
    ("one flag", lambda c, h: _entry(h, 0, flag=3), "bad signature"),
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


def _refused(raw, anchor):
    """Change nothing but bytes; the anchor's height is what the client would look up."""
    try:
        verify_header(raw, anchor)
    except HeaderRefused:
        return True
    return False


def _changed(raw, place, octet):
    return raw[:place] + bytes([octet]) + raw[place + 1 :]


def _trusted_height_places(raw, header):
    """The trusted height picks the anchor; with this anchor it is free, see the client's test."""
    inner = b"\x1a\x04" + b"\x08\x01\x10" + bytes([header.trusted_height.revision_height])
    start = raw.index(inner)
    return range(start + 3, start + len(inner))


def test_no_sampled_byte_of_a_header_can_be_changed(chain, anchor):
    header = chain.update(11, 10, silent={3})
    raw = header.encode()
    free = _trusted_height_places(raw, header)
    seed = sha256(raw).digest()
    for draw in range(120):
        place = int.from_bytes(sha256(seed + bytes([draw])).digest()[:4]) % len(raw)
        if place not in free:
            assert _refused(_changed(raw, place, raw[place] ^ (1 << draw % 8)), anchor), place


@pytest.mark.slow
@pytest.mark.parametrize("silent", [(), (3,)])
@pytest.mark.parametrize("height", [11, 30])
def test_no_byte_of_a_header_can_be_changed_added_or_left_out(chain, anchor, height, silent):
    header = chain.update(height, 10, silent=silent)
    raw = header.encode()
    free = _trusted_height_places(raw, header)
    for place, octet in enumerate(raw):
        for other in {octet ^ 1, octet ^ 0x80, (octet + 1) % 256, (octet - 1) % 256, 0, 0xFF}:
            if other != octet and place not in free:
                assert _refused(_changed(raw, place, other), anchor), (place, other)
        assert _refused(raw[:place] + raw[place + 1 :], anchor), place
        assert _refused(raw[:place], anchor), place
