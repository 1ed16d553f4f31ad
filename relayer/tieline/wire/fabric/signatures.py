"""
ECDSA on P-256 with SHA-256 as Fabric has it: DER, low s.

Nonces follow RFC 6979, so signing draws no randomness.

Sources:
    fabric-lib-go 1.1 ``bccsp/sw/ecdsa.go``, ``bccsp/utils/ecdsa.go``; Go ``encoding/asn1``.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256

from tieline.wire.errors import Malformed

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_HALF_ORDER = P256_ORDER >> 1
_SIGNING = ECDSA(SHA256(), deterministic_signing=True)
_VERIFYING = ECDSA(SHA256())

_SEQUENCE = 0x30
_INTEGER = 0x02
_LONG_FORM = 0x80
_LENGTH_OCTETS_MAX = 4


def sign(key: EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Sign *message* with a P-256 key: DER, low s, the same bytes every time."""
    assert isinstance(key.curve, SECP256R1)
    r, s = decode_dss_signature(key.sign(message, _SIGNING))
    return encode_dss_signature(r, min(s, P256_ORDER - s))


def verify(key: EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    """Tell whether a peer would take *signature* over *message*; a high s it does not take."""
    if not isinstance(key.curve, SECP256R1):
        return False
    try:
        r, s = read_signature(signature)
    except Malformed:
        return False
    if not (0 < r < P256_ORDER and 0 < s <= _HALF_ORDER):
        return False
    try:
        key.verify(encode_dss_signature(r, s), message, _VERIFYING)
    except InvalidSignature:
        return False
    return True


def read_signature(signature: bytes) -> tuple[int, int]:
    """Return r and s as Go reads them from DER, passing over what follows. Raises Malformed."""
    start, end = _element(signature, 0, len(signature), _SEQUENCE)
    r_start, r_end = _element(signature, start, end, _INTEGER)
    s_start, s_end = _element(signature, r_end, end, _INTEGER)
    return _integer(signature[r_start:r_end]), _integer(signature[s_start:s_end])


def _element(data: bytes, place: int, end: int, tag: int) -> tuple[int, int]:
    """Return where the content of the element at *place* begins and ends."""
    if place + 2 > end or data[place] != tag:
        raise Malformed("signature is not two numbers in DER")
    length, start = data[place + 1], place + 2
    if length & _LONG_FORM:
        count = length & ~_LONG_FORM
        octets = data[start : start + count]
        length, start = int.from_bytes(octets), start + count
        if not 0 < count <= _LENGTH_OCTETS_MAX or octets[:1] == b"\0" or length < _LONG_FORM:
            raise Malformed("signature's DER length in a second spelling")
    if start + length > end:
        raise Malformed("signature cut short")
    return start, start + length


def _integer(content: bytes) -> int:
    number = int.from_bytes(content, signed=True)
    if not content or (
        len(content) > 1 and -0x80 <= int.from_bytes(content[:2], signed=True) < 0x80
    ):
        raise Malformed("signature's number is not minimal")
    return number
