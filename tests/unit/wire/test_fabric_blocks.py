"""Blocks of Fabric: headers, hashes, both forms of signatures, how data is cut."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fakes.fabric_messages import official
from fakes.fabric_samples import BLOCK, ENVELOPES, HEADER, VALUE

from tieline.wire.errors import Malformed
from tieline.wire.fabric import blocks
from tieline.wire.fabric.blocks import (
    Block,
    BlockHeader,
    Metadata,
    MetadataSignature,
    OrdererMetadata,
    check_well_formed,
    data_hash,
    identifier_header,
)
from tieline.wire.fabric.envelopes import Envelope
from tieline.wire.fabric.signatures import P256_ORDER, read_signature, sign, verify

KEY = ec.derive_private_key(7, ec.SECP256R1())


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "020100"), (127, "02017f"), (128, "02020080"), ((1 << 64) - 1, "020900" + "ff" * 8)],
)
def test_the_number_in_a_header_takes_as_few_bytes_as_may_be(number: int, expected: str) -> None:
    der = BlockHeader(number, b"", b"\x02" * 32).to_der()
    assert der[2:].startswith(bytes.fromhex(expected) + b"\x04\x00\x04\x20")
    assert der[1] == len(der) - 2


def test_a_block_is_what_the_official_classes_write() -> None:
    read = official("Block").FromString(BLOCK.encode())
    assert read.SerializeToString() == BLOCK.encode()
    assert tuple(read.data.data) == ENVELOPES
    assert Block.decode(BLOCK.encode()) == BLOCK
    assert BLOCK.is_data_of_header
    assert BLOCK.transactions_filter == b"\x00\x0b"
    value = official("OrdererBlockMetadata").FromString(BLOCK.signatures.value)
    assert value.SerializeToString() == BLOCK.signatures.value
    assert OrdererMetadata.decode(BLOCK.signatures.value) == VALUE


def test_a_block_cut_elsewhere_has_the_same_hash_and_is_malformed() -> None:
    """The hash covers no lengths: only the check of every envelope tells the two apart."""
    check_well_formed(ENVELOPES)
    joined = b"".join(ENVELOPES)
    for place in range(len(joined) + 1):
        cut = (joined[:place], joined[place:])
        assert data_hash(cut) == data_hash(ENVELOPES)
        if cut != ENVELOPES:
            with pytest.raises(Malformed):
                check_well_formed(cut)
    with pytest.raises(Malformed):
        check_well_formed((joined,))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        Envelope(b"", b"s").encode(),
        Envelope(b"p", b"").encode(),
        b"\x12\x01s\x0a\x01p",
        b"\x0a\x81\x00p\x12\x01s",
        b"\x8a\x00\x01p\x12\x01s",
        b"\x1a\x01u\x0a\x01p\x12\x01s",
    ],
)
def test_an_envelope_that_go_would_write_otherwise_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        check_well_formed((raw, ENVELOPES[0]))


def test_fields_that_go_keeps_at_the_end_are_well_formed() -> None:
    check_well_formed((ENVELOPES[0] + b"\x1a\x01u\x18\x80\x00", ENVELOPES[1]))


def test_a_block_without_data_is_malformed() -> None:
    with pytest.raises(Malformed):
        check_well_formed(())
    assert not blocks.is_config_block(ENVELOPES)


@pytest.mark.parametrize("head", [{"signature_header": b"creator"}, {"identifier_header": b"id"}])
def test_orderers_sign_value_head_and_header(head: dict[str, bytes]) -> None:
    unsigned = MetadataSignature(b"", **head)
    message = unsigned.signed_bytes(b"value", HEADER)
    assert message == b"value" + next(iter(head.values())) + HEADER.to_der()
    signature = sign(KEY, message)
    public = KEY.public_key()
    assert verify(public, signature, message)
    assert not verify(public, signature, unsigned.signed_bytes(b"", HEADER))
    other = replace(HEADER, number=301)
    assert not verify(public, signature, unsigned.signed_bytes(b"value", other))


def test_a_signature_with_both_heads_is_of_the_form_of_etcdraft() -> None:
    """As Fabric's own verifier decides; the other reading would let the creator be ignored."""
    both = MetadataSignature(b"s", b"creator", identifier_header(3, b"nonce"))
    assert not both.is_by_identifier
    assert both.signed_bytes(b"", HEADER) == b"creator" + HEADER.to_der()
    alone = replace(both, signature_header=b"")
    assert alone.is_by_identifier
    assert alone.identifier == 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        BLOCK.encode() + b"\x22\x00",
        BLOCK.encode()[:-1],
        replace(BLOCK, header=replace(HEADER, data_hash=b"short")).encode(),
        replace(BLOCK, data=(b"",) * 65_537).encode(),
        replace(BLOCK, metadata=(b"",) * 17).encode(),
    ],
)
def test_other_bytes_are_no_block(data: bytes) -> None:
    with pytest.raises(Malformed):
        Block.decode(data)


def test_a_block_without_metadata_has_no_signatures() -> None:
    bare = replace(BLOCK, metadata=())
    assert bare.transactions_filter == b""
    with pytest.raises(Malformed):
        _ = bare.signatures
    crowded = Metadata(b"", (MetadataSignature(b"s"),) * 257).encode()
    with pytest.raises(Malformed):
        Metadata.decode(crowded)


def test_signing_is_repeatable_and_low() -> None:
    for index in range(16):
        message = sha256(bytes([index])).digest()
        signature = sign(KEY, message)
        assert signature == sign(KEY, message)
        assert read_signature(signature)[1] <= P256_ORDER // 2


def _der(r: bytes, s: bytes, behind: bytes = b"") -> bytes:
    body = b"\x02%c" % len(r) + r + b"\x02%c" % len(s) + s + behind
    return b"\x30%c" % len(body) + body


def _octets(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1)


def test_a_high_s_is_refused() -> None:
    r, s = read_signature(sign(KEY, b"message"))
    high = _der(_octets(r), _octets(P256_ORDER - s))
    assert read_signature(high) == (r, P256_ORDER - s)
    assert verify(KEY.public_key(), _der(_octets(r), _octets(s)), b"message")
    assert not verify(KEY.public_key(), high, b"message")


def test_bytes_behind_the_numbers_are_passed_over_as_go_does() -> None:
    """A peer takes such a signature, so the light client must: else a write could be hidden."""
    r, s = map(_octets, read_signature(sign(KEY, b"m")))
    for odd in (_der(r, s) + b"rest", _der(r, s, b"\x04\x01x")):
        assert verify(KEY.public_key(), odd, b"m")


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"\x30\x00",
        _der(b"\x01", b""),
        _der(b"\x00\x01", b"\x01"),
        _der(b"\x01", b"\xff\xff"),
        b"\x30\x81\x06\x02\x01\x01\x02\x01\x01",
        b"\x30\x80\x02\x01\x01\x02\x01\x01\x00\x00",
        b"\x30\x07\x02\x01\x01\x02\x01\x01",
    ],
)
def test_a_signature_that_go_cannot_read_is_refused(signature: bytes) -> None:
    with pytest.raises(Malformed):
        read_signature(signature)
    assert not verify(KEY.public_key(), signature, b"message")


@pytest.mark.parametrize(("r", "s"), [(b"\x00", b"\x01"), (b"\x01", b"\x00"), (b"\xff", b"\x01")])
def test_numbers_out_of_range_are_refused(r: bytes, s: bytes) -> None:
    assert not verify(KEY.public_key(), _der(r, s), b"message")


@pytest.mark.parametrize("curve", [ec.SECP256K1(), ec.BrainpoolP256R1()])
def test_a_key_of_another_curve_verifies_nothing(curve: ec.EllipticCurve) -> None:
    key = ec.derive_private_key(7, curve)
    low = 0
    for seed in range(16):
        signature = key.sign(bytes([seed]), ec.ECDSA(SHA256(), deterministic_signing=True))
        low += read_signature(signature)[1] <= P256_ORDER // 2
        assert not verify(key.public_key(), signature, bytes([seed]))
    assert low, "none that only its curve speaks against"


def test_a_header_in_a_second_spelling_is_malformed() -> None:
    raw = HEADER.encode()
    assert BlockHeader.decode(raw) == HEADER
    for odd in (raw + b"\x08\x00", b"\x08\x00" + raw[3:], raw[3:] + raw[:3]):
        with pytest.raises(Malformed):
            BlockHeader.decode(odd)
