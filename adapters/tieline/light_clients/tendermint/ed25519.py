"""
ed25519 signatures as CometBFT judges them (ZIP-215).

libsodium is stricter than ZIP-215 on odd points that no honest signer makes. A verifier stricter
than consensus could be stalled by one such vote, so what libsodium refuses is asked again of a
slow check of our own (3 ms).

Sources:
    ZIP 215; RFC 8032, 5.1.
"""

from __future__ import annotations

from hashlib import sha512

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

_KEY_BYTES = 32
_SIGNATURE_BYTES = 64

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)

_Point = tuple[int, int, int, int]
"""Extended coordinates X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z."""

_IDENTITY: _Point = (0, 1, 1, 0)


def is_valid_signature(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether *signature* (64 bytes) over *message* is by *public_key* (32 bytes)."""
    if len(public_key) != _KEY_BYTES or len(signature) != _SIGNATURE_BYTES:
        return False
    try:
        crypto_sign_open(signature + message, public_key)
    except BadSignatureError:
        return _is_valid_zip215(public_key, message, signature)
    return True


def _add(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: _Point) -> _Point:
    total = _IDENTITY
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _add(point, point)
        scalar >>= 1
    return total


def _point(encoded: bytes) -> _Point | None:
    """Decode a point; a y of the field's size or more is taken modulo it, as ZIP-215 says."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, (number & (1 << 255) - 1) % _P
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - square) % _P:
        return None
    if x & 1 != sign:
        x = -x % _P
    return x, y, 1, x * y % _P


def _negated(point: _Point) -> _Point:
    return -point[0] % _P, point[1], point[2], -point[3] % _P


def _base_point() -> _Point:
    point = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))
    assert point is not None
    return point


_BASE = _base_point()


def _is_valid_zip215(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """8 s B = 8 R + 8 k A, with s below the group's order."""
    key, nonce = _point(public_key), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if key is None or nonce is None or s >= _ORDER:
        return False
    k = int.from_bytes(sha512(signature[:32] + public_key + message).digest(), "little") % _ORDER
    rest = _add(_times(s, _BASE), _negated(_add(nonce, _times(k, key))))
    x, y, z, _ = _times(8, rest)
    return x == 0 and (y - z) % _P == 0
