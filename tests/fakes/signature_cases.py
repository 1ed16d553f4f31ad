"""Keys, nonces and scalars on which ed25519 libraries differ, each with each."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from fakes.curve import BASE, L, add, encode, hash_scalar, odd_encodings, times, torsion

MESSAGE = b"block"


def _scalar(text):
    return int.from_bytes(sha256(text).digest(), "little") % L


def halves(text):
    """Yield name, encoding and discrete logarithm of the part in the large group."""
    scalar = _scalar(text)
    honest = times(scalar, BASE)
    small = torsion()
    yield "honest", encode(honest), scalar
    for index in (1, 2, 4):
        yield f"honest+order{8 // index}", encode(add(honest, small[index])), scalar
    for index, point in enumerate(small):
        yield f"small{index}", encode(point), 0
    for index, encoded in enumerate(odd_encodings()):
        yield f"odd{index}", encoded, None
    yield "no point", (2).to_bytes(32, "little"), None


def signature_cases() -> Iterator[tuple[str, bytes, bytes]]:
    """Yield name, key and signature over ``MESSAGE``; not all are valid, nor all invalid."""
    for key_name, key, secret in halves(b"key"):
        for nonce_name, nonce, drawn in halves(b"nonce"):
            is_odd = key_name.startswith("odd") and nonce_name.startswith("odd")
            if is_odd and key_name[3:] != nonce_name[3:]:
                continue
            k = hash_scalar(nonce, key, MESSAGE)
            s = ((drawn or 0) + k * (secret or 0)) % L
            name = f"{key_name}/{nonce_name}"
            yield name, key, nonce + s.to_bytes(32, "little")
            if key_name in {nonce_name, "honest"}:
                yield f"{name}/s+1", key, nonce + ((s + 1) % L).to_bytes(32, "little")
                yield f"{name}/s+order", key, nonce + (s + L).to_bytes(32, "little")
    _, honest, _ = next(halves(b"key"))
    _, nonce, _ = next(halves(b"nonce"))
    for top in (L, L - 1, 2**253, 2**255 - 1, 2**256 - 1):
        yield f"scalar {top:x}", honest, nonce + top.to_bytes(32, "little")
