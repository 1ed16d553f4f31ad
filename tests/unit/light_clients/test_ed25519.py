"""Signatures on which libraries differ are judged as CometBFT judges them."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from fakes.signature_cases import MESSAGE, signature_cases
from nacl.signing import SigningKey

from tieline.light_clients.tendermint.ed25519 import (
    SignatureJudge,
    SignatureVerdict,
    is_valid_signature,
    is_valid_zip215,
)

IDENTITY = (1).to_bytes(32, "little")
IDENTITY_UNREDUCED = (2**255 - 19 + 1).to_bytes(32, "little")
KEY = SigningKey(bytes(range(32)))
PUBLIC_KEY = KEY.verify_key.encode()
SIGNATURE = KEY.sign(b"block").signature
VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "ed25519_zip215.json").read_text("utf-8")
)["cases"]


def _judged_as_cometbft_does(rows):
    cases = {name: (key, signature) for name, key, signature in signature_cases()}
    for row in rows:
        key, signature = cases[row["name"]]
        assert sha256(key + signature).hexdigest()[:16] == row["digest"]
        assert is_valid_signature(key, MESSAGE, signature) is row["is_valid"], row["name"]


def test_odd_keys_nonces_and_scalars_are_judged_as_cometbft_judges_them():
    assert {row["is_valid"] for row in VECTORS[::9]} == {True, False}
    _judged_as_cometbft_does(VECTORS[::9])


@pytest.mark.slow
def test_every_pair_of_odd_halves_is_judged_as_cometbft_judges_it():
    _judged_as_cometbft_does(VECTORS)


def test_an_honest_signature_is_valid_by_both_checks():
    assert is_valid_signature(PUBLIC_KEY, b"block", SIGNATURE)
    assert is_valid_zip215(PUBLIC_KEY, b"block", SIGNATURE)


def test_any_changed_bit_is_refused_by_both_checks():
    for bit in range(0, 512, 37):
        bad = bytearray(SIGNATURE)
        bad[bit // 8] ^= 1 << bit % 8
        assert not is_valid_signature(PUBLIC_KEY, b"block", bytes(bad))
    assert not is_valid_signature(PUBLIC_KEY, b"blocK", SIGNATURE)


def test_points_of_small_order_are_valid_as_zip215_says():
    """A = R = identity, S = 0: Go accepts, libsodium refuses."""
    assert is_valid_signature(IDENTITY, b"anything", IDENTITY + bytes(32))


def test_a_nonce_point_that_is_not_reduced_is_valid_as_zip215_says():
    assert is_valid_signature(IDENTITY, b"anything", IDENTITY_UNREDUCED + bytes(32))


def test_a_scalar_beyond_the_order_is_refused():
    """s + order signs the same thing; taking it would make signatures malleable."""
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(SIGNATURE[32:], "little") + order
    assert not is_valid_signature(PUBLIC_KEY, b"block", SIGNATURE[:32] + s.to_bytes(32, "little"))


def test_what_is_no_point_is_refused():
    no_point = (2).to_bytes(32, "little")
    assert not is_valid_signature(no_point, b"block", SIGNATURE)
    assert not is_valid_signature(PUBLIC_KEY, b"block", no_point + SIGNATURE[32:])


def test_other_lengths_are_refused():
    assert not is_valid_signature(PUBLIC_KEY, b"block", SIGNATURE[:63])
    assert not is_valid_signature(PUBLIC_KEY[:31], b"block", SIGNATURE)


def test_slow_checks_are_counted_and_what_is_left_is_not_judged():
    judge = SignatureJudge(slow_checks=2)
    odd = IDENTITY + bytes(32)
    assert judge.judge(IDENTITY, b"x", odd) is SignatureVerdict.GOOD
    assert judge.judge(PUBLIC_KEY, b"block", SIGNATURE) is SignatureVerdict.GOOD
    assert judge.judge(PUBLIC_KEY, b"other", SIGNATURE) is SignatureVerdict.BAD
    assert judge.judge(IDENTITY, b"x", odd) is SignatureVerdict.NOT_JUDGED
    assert judge.judge(PUBLIC_KEY, b"block", SIGNATURE) is SignatureVerdict.GOOD
    assert judge.judge(PUBLIC_KEY, b"block", SIGNATURE[:63]) is SignatureVerdict.BAD
