"""Keys, recovery and accounts."""

import pytest

from tieline.interfaces.signer import Signer
from tieline.wire import keys
from tieline.wire.bech32 import account_from_text, account_to_text
from tieline.wire.errors import Malformed
from tieline.wire.hashes import keccak, ripemd160, sha256
from tieline.wire.keys import SecpKey

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SECRET = b"\x42" * 32
KEY: Signer = SecpKey(SECRET)
DIGEST = sha256(b"what is signed")
SIGNATURE = KEY.sign_digest(DIGEST)


def high_s(signature: bytes) -> bytes:
    """The other signature of the same key over the same digest."""
    turned = (ORDER - int.from_bytes(signature[32:64])).to_bytes(32)
    return signature[:32] + turned + bytes([55 - signature[64]])


def test_keccak_is_not_sha3() -> None:
    """The empty hash that every Ethereum client knows."""
    assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


def test_ripemd160_of_abc() -> None:
    assert ripemd160(b"abc").hex() == "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"


def test_ripemd160_without_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tieline.wire.hashes._RIPEMD160_IS_BUILT_IN", False)
    assert ripemd160(b"abc").hex() == "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"


def test_key_one_has_its_well_known_address() -> None:
    key = SecpKey(bytes(31) + b"\x01")
    assert key.address.hex() == "7e5f4552091a69125d5dfcb7b8c2659029395bdf"
    assert key.cosmos_account.hex() == "751e76e8199196d454941c45d1b3a323f1433bd6"


def test_signature_is_deterministic_and_names_its_key() -> None:
    assert KEY.sign_digest(DIGEST) == SIGNATURE
    assert len(SIGNATURE) == 65
    assert SIGNATURE[64] in {27, 28}
    assert keys.recover(DIGEST, SIGNATURE) == KEY.public_key
    assert keys.recover_address(DIGEST, SIGNATURE) == KEY.address == keys.address_of(KEY.public_key)
    assert keys.cosmos_account_of(KEY.public_key) == KEY.cosmos_account


def test_repr_does_not_show_the_key() -> None:
    assert SECRET.hex() not in repr(KEY)
    assert KEY.address.hex() in repr(KEY)
    assert str(int.from_bytes(SECRET)) not in repr(KEY)


@pytest.mark.parametrize(
    ("spoiled", "why"),
    [
        (SIGNATURE[:64], "64 bytes"),
        (SIGNATURE + b"\0", "66 bytes"),
        (SIGNATURE[:64] + b"\x00", "neither"),
        (SIGNATURE[:64] + b"\x01", "neither"),
        (SIGNATURE[:64] + b"\x1d", "neither"),
        (high_s(SIGNATURE), "high"),
        (bytes(32) + SIGNATURE[32:], "no key"),
        (b"\xff" * 32 + SIGNATURE[32:], "no key"),
        (SIGNATURE[:32] + bytes(32) + SIGNATURE[64:], "no key"),
    ],
)
def test_spoiled_signature_is_refused(spoiled: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        keys.recover(DIGEST, spoiled)
    with pytest.raises(Malformed, match=why):
        keys.recover_address(DIGEST, spoiled)


def test_digest_of_another_length_is_refused() -> None:
    with pytest.raises(Malformed, match="digest"):
        keys.recover(DIGEST + b"\0", SIGNATURE)


@pytest.mark.parametrize("secret", [bytes(32), ORDER.to_bytes(32), b"\x01" * 33])
def test_secret_out_of_range_is_refused_without_being_quoted(secret: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        SecpKey(secret)
    assert secret.hex() not in str(caught.value)
    assert caught.value.__cause__ is None


def test_compact_signature_verifies_for_its_key_and_digest_only() -> None:
    compact = SIGNATURE[:64]
    other = SecpKey(b"\x43" * 32)
    assert keys.verify_compact(KEY.public_key, DIGEST, compact)
    assert not keys.verify_compact(other.public_key, DIGEST, compact)
    assert not keys.verify_compact(KEY.public_key, sha256(DIGEST), compact)


@pytest.mark.parametrize(
    "compact",
    [
        SIGNATURE,
        SIGNATURE[:63],
        high_s(SIGNATURE)[:64],
        bytes(64),
        b"\xff" * 32 + SIGNATURE[32:64],
        SIGNATURE[:32] + bytes(32),
    ],
)
def test_spoiled_compact_signature_does_not_verify(compact: bytes) -> None:
    assert not keys.verify_compact(KEY.public_key, DIGEST, compact)


def test_bytes_that_are_no_key_verify_nothing_and_have_no_address() -> None:
    off_curve = b"\x02" + b"\xff" * 32
    assert not keys.verify_compact(off_curve, DIGEST, SIGNATURE[:64])
    with pytest.raises(Malformed):
        keys.address_of(off_curve)
    for function in (keys.address_of, keys.cosmos_account_of):
        with pytest.raises(Malformed, match="34 bytes"):
            function(KEY.public_key + b"\0")


def test_account_text_is_bip_173() -> None:
    """Key one of BIP-173's examples, as Cosmos' hub writes its account."""
    account = SecpKey(bytes(31) + b"\x01").cosmos_account
    text = account_to_text(account, "cosmos")
    assert text == "cosmos1w508d6qejxtdg4y5r3zarvary0c5xw7k6ah60c"
    assert account_from_text(text, "cosmos") == account
    assert account_from_text(account_to_text(account)) == account


GOOD = account_to_text(bytes(range(20)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD.upper(),
        GOOD[:-1],
        GOOD + "q",
        "cosmos" + GOOD[7:],
        GOOD[:-1] + ("p" if GOOD[-1] == "q" else "q"),
        GOOD[:10] + "b" + GOOD[11:],
        GOOD[:10] + "é" + GOOD[11:],
    ],
)
def test_spoiled_account_text_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        account_from_text(text)


def test_account_of_another_length_is_refused() -> None:
    with pytest.raises(Malformed, match="21 bytes"):
        account_to_text(bytes(21))
