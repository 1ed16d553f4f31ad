"""Signatures on which libraries differ are judged as CometBFT judges them."""

from __future__ import annotations

from nacl.signing import SigningKey

from tieline.light_clients.tendermint import ed25519
from tieline.light_clients.tendermint.ed25519 import is_valid_signature

IDENTITY = (1).to_bytes(32, "little")
IDENTITY_UNREDUCED = (2**255 - 19 + 1).to_bytes(32, "little")
KEY = SigningKey(bytes(range(32)))
PUBLIC_KEY = KEY.verify_key.encode()
SIGNATURE = KEY.sign(b"block").signature


def test_an_honest_signature_is_valid_by_both_checks():
    assert is_valid_signature(PUBLIC_KEY, b"block", SIGNATURE)
    assert ed25519._is_valid_zip215(PUBLIC_KEY, b"block", SIGNATURE)


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
