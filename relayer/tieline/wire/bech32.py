"""
Bech32 (BIP-173) for 20-byte accounts: how Cosmos-style ledgers write an account as text.

Not bech32m, not segwit.
"""

from __future__ import annotations

from functools import lru_cache

from tieline.wire.errors import Fault, Malformed, TransactionFault

ACCOUNT_PREFIX = "tieline"
ACCOUNT_BYTES = 20

_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {character: value for value, character in enumerate(_CHARSET)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH = 6
_WORDS = ACCOUNT_BYTES * 8 // 5
"""5-bit groups of an account: 32, without padding."""


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            if top >> bit & 1:
                checksum ^= generator
    return checksum


def _expand(prefix: str) -> list[int]:
    return [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]


@lru_cache(maxsize=65536)
def account_to_text(account: bytes, prefix: str = ACCOUNT_PREFIX) -> str:
    """Return the account as text. Raises Malformed unless it has 20 bytes."""
    if len(account) != ACCOUNT_BYTES:
        raise Malformed(f"account of {len(account)} bytes")
    number = int.from_bytes(account)
    words = [number >> 5 * (_WORDS - 1 - index) & 31 for index in range(_WORDS)]
    checksum = _polymod(_expand(prefix) + words + [0] * _CHECKSUM_LENGTH) ^ 1
    words += [checksum >> 5 * (_CHECKSUM_LENGTH - 1 - index) & 31 for index in range(6)]
    return prefix + "1" + "".join(_CHARSET[word] for word in words)


@lru_cache(maxsize=65536)
def account_from_text(text: str, prefix: str = ACCOUNT_PREFIX) -> bytes:
    """
    Return the 20-byte account.

    Raises:
        TransactionFault: Another prefix, a wrong length or checksum, or upper-case letters (one
            account has one spelling here).
    """
    head = prefix + "1"
    if not text.startswith(head) or len(text) != len(head) + _WORDS + _CHECKSUM_LENGTH:
        raise TransactionFault(Fault.ADDRESS, f"not an account of prefix {prefix}: {text!r}")
    try:
        words = [_VALUES[character] for character in text[len(head) :]]
    except KeyError as exc:
        raise TransactionFault(Fault.ADDRESS, f"not a bech32 character in {text!r}") from exc
    if _polymod(_expand(prefix) + words) != 1:
        raise TransactionFault(Fault.ADDRESS, f"wrong bech32 checksum: {text!r}")
    number = 0
    for word in words[:_WORDS]:
        number = number << 5 | word
    return number.to_bytes(ACCOUNT_BYTES)
