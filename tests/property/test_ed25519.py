"""Signatures with torsion, second spellings and forged halves against the textbook."""

from __future__ import annotations

from fakes import curve
from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.light_clients.tendermint.ed25519 import is_valid_signature, is_valid_zip215

SMALL = curve.torsion()
ODD = curve.odd_encodings()
SCALARS = st.integers(0, curve.L - 1)
SECOND_SPELLINGS = [None] * 6 + ODD


@settings(max_examples=40, deadline=None)
@given(
    SCALARS,
    SCALARS,
    st.integers(0, 7),
    st.integers(0, 7),
    st.sampled_from(SECOND_SPELLINGS),
    st.sampled_from(SECOND_SPELLINGS),
    st.sampled_from([0, 0, 0, 1, curve.L, 2**255 - 1]),
    st.binary(max_size=40),
)
def test_both_checks_say_what_the_textbook_says(
    secret, drawn, key_torsion, nonce_torsion, odd_key, odd_nonce, shift, message
):
    key = odd_key or curve.encode(curve.add(curve.times(secret, curve.BASE), SMALL[key_torsion]))
    nonce = odd_nonce or curve.encode(
        curve.add(curve.times(drawn, curve.BASE), SMALL[nonce_torsion])
    )
    k = curve.hash_scalar(nonce, key, message)
    s = ((0 if odd_nonce else drawn) + (0 if odd_key else k * secret)) % curve.L
    signature = nonce + ((s + shift) % 2**256).to_bytes(32, "little")
    expected = curve.is_valid(key, message, signature)
    assert is_valid_signature(key, message, signature) is expected
    assert is_valid_zip215(key, message, signature) is expected
    if not (odd_key or odd_nonce):
        assert expected is (shift == 0)
