"""ed25519 in the plainest form there is: affine points, one rule of addition. For tests alone."""

from __future__ import annotations

from hashlib import sha512

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P

NEUTRAL = (0, 1)


def add(one, other):
    """The complete law of twisted Edwards curves."""
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P
    return x, y


def times(number, point):
    """Double and add, from the top."""
    total = NEUTRAL
    for bit in f"{number:b}":
        total = add(total, total)
        if bit == "1":
            total = add(total, point)
    return total


def decode(encoded):
    """ZIP 215: y modulo p, any sign for x = 0; None if there is no such point."""
    number = int.from_bytes(encoded, "little")
    y = number % 2**255 % P
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        return None
    return (-x % P if x % 2 != number >> 255 else x), y


def encode(point):
    """The one canonical form."""
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def hash_scalar(nonce, key, message):
    """k of RFC 8032."""
    return int.from_bytes(sha512(nonce + key + message).digest(), "little") % L


def is_valid(key, message, signature):
    """ZIP 215, word for word."""
    point, nonce = decode(key), decode(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if point is None or nonce is None or s >= L:
        return False
    k = hash_scalar(signature[:32], key, message)
    left = times(8 * s, BASE)
    return left == add(times(8, nonce), times(8 * k, point))


def torsion():
    """The eight points of small order, from a generator of order eight on."""
    for number in range(2, 100):
        point = decode(number.to_bytes(32, "little"))
        if point is None:
            continue
        small = times(L, point)
        if times(4, small) != NEUTRAL:
            return [times(index, small) for index in range(8)]
    raise AssertionError


def odd_encodings():
    """Second spellings: y of p and more, and a sign for x = 0; only those of points."""
    found = []
    for y in range(P, 2**255):
        for sign in (0, 1):
            encoded = (y | sign << 255).to_bytes(32, "little")
            if decode(encoded) is not None:
                found.append(encoded)
    return found + [(y | 1 << 255).to_bytes(32, "little") for y in (1, P - 1)]
