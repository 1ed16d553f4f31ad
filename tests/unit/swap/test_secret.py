"""A preimage has 32 bytes on every leg, and never shows itself."""

from hashlib import sha256

import pytest

from tieline.swap.secret import HashLock, Preimage

SECRET = bytes(range(32))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_preimage_of_another_length_cannot_be_built(length: int) -> None:
    with pytest.raises(ValueError, match="wrong length"):
        Preimage(bytes(length))


def test_a_preimage_opens_its_own_hash_lock_only() -> None:
    hash_lock = Preimage(SECRET).hash_lock
    assert hash_lock == HashLock(sha256(SECRET).digest())
    assert hash_lock.is_opened_by(SECRET)
    assert not hash_lock.is_opened_by(bytes(32))


def test_a_longer_secret_with_the_right_hash_opens_nothing() -> None:
    oversized = SECRET + b"x"
    assert not HashLock(sha256(oversized).digest()).is_opened_by(oversized)


def test_a_hash_lock_of_another_length_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="wrong length"):
        HashLock(bytes(31))


def test_a_preimage_is_not_in_any_print_of_it() -> None:
    preimage = Preimage(SECRET)
    for text in (repr(preimage), str(preimage), f"{preimage}"):
        assert SECRET.hex() not in text
        assert repr(SECRET) not in text
