"""
ed25519 signatures as CometBFT judges them (ZIP-215).

libsodium is stricter than ZIP-215 on odd points that no honest signer makes. A verifier stricter
than consensus could be stalled by one such vote, so what libsodium refuses is asked again of a
slow check of our own, at most ``SLOW_CHECKS_MAX`` times a header.

Sources:
    ZIP 215; RFC 8032, 5.1; Hisil et al., "Twisted Edwards curves revisited", 3.
"""

from __future__ import annotations

from enum import Enum
from hashlib import sha512

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

SLOW_CHECKS_MAX = 32
"""About 50 ms in all. A set in which more validators sign oddly needs the others alone to do."""

_KEY_BYTES = 32
_SIGNATURE_BYTES = 64

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_TWICE_D = 2 * _D % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
_SCALAR_BITS = 253

_Point = tuple[int, int, int, int]
"""Extended coordinates X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z."""

_IDENTITY: _Point = (0, 1, 1, 0)


class SignatureVerdict(Enum):
    """What is known of a signature."""

    GOOD = "good"
    BAD = "bad"
    NOT_JUDGED = "not judged"
    """libsodium refuses it, and the slow checks are used up."""


class SignatureJudge:
    """Judges the signatures of one header within bounded time."""

    def __init__(self, slow_checks: int = SLOW_CHECKS_MAX) -> None:
        """Allow this many slow checks."""
        self._slow_checks_left = slow_checks

    def judge(self, public_key: bytes, message: bytes, signature: bytes) -> SignatureVerdict:
        """Judge *signature* (64 bytes) over *message* by *public_key* (32 bytes)."""
        if len(public_key) != _KEY_BYTES or len(signature) != _SIGNATURE_BYTES:
            return SignatureVerdict.BAD
        if _is_good_for_libsodium(public_key, message, signature):
            return SignatureVerdict.GOOD
        if not self._slow_checks_left:
            return SignatureVerdict.NOT_JUDGED
        self._slow_checks_left -= 1
        is_good = is_valid_zip215(public_key, message, signature)
        return SignatureVerdict.GOOD if is_good else SignatureVerdict.BAD


def is_valid_signature(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether *signature* (64 bytes) over *message* is by *public_key* (32 bytes)."""
    verdict = SignatureJudge(slow_checks=1).judge(public_key, message, signature)
    return verdict is SignatureVerdict.GOOD


def is_valid_zip215(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether 8 s B = 8 R + 8 k A, with s below the group's order. Slow (1.5 ms)."""
    s = int.from_bytes(signature[32:], "little")
    key, nonce = _point(public_key), _point(signature[:32])
    if key is None or nonce is None or s >= _ORDER:
        return False
    k = int.from_bytes(sha512(signature[:32] + public_key + message).digest(), "little") % _ORDER
    rest = _add(_sum_of_multiples(s, _BASE, k, _negated(key)), _negated(nonce))
    for _ in range(3):
        rest = _double(rest)
    x, y, z, _ = rest
    return x == 0 and (y - z) % _P == 0


def _is_good_for_libsodium(public_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        crypto_sign_open(signature + message, public_key)
    except BadSignatureError:
        return False
    return True


def _add(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = one[3] * other[3] * _TWICE_D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _double(point: _Point) -> _Point:
    x, y, z, _ = point
    a, b = x * x % _P, y * y % _P
    e = (x + y) * (x + y) - a - b
    g = b - a
    f, h = g - 2 * z * z, -a - b
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _sum_of_multiples(one: int, first: _Point, other: int, second: _Point) -> _Point:
    """Return one * first + other * second; both numbers below the group's order."""
    table = (_IDENTITY, first, second, _add(first, second))
    total = _IDENTITY
    for place in range(_SCALAR_BITS - 1, -1, -1):
        total = _double(total)
        chosen = one >> place & 1 | (other >> place & 1) << 1
        if chosen:
            total = _add(total, table[chosen])
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
