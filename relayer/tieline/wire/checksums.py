"""
SHA-256 sums of a run's files, in the form that ``sha256sum -c`` reads.

They tell damage from change; who wants to lie writes them anew. What binds is signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from tieline.wire.errors import Malformed

CHECKSUMS_FILE = "SHA256SUMS"
COVERED_FILES = ("evidence/*.json", "ledgers/*/*", "topology.json")
"""What a list of checksums covers, as patterns below the run folder: all that an audit reads."""

_HEX_DIGITS = 64


def encode_checksums(contents: Mapping[str, bytes]) -> bytes:
    """
    Return one line a file, ascending by name.

    Args:
        contents: Bytes by name, relative and with forward slashes.
    """
    lines = (f"{sha256(contents[name]).hexdigest()}  {name}\n" for name in sorted(contents))
    return "".join(lines).encode()


def decode_checksums(data: bytes) -> dict[str, bytes]:
    """
    Return 32-byte sums by name.

    Raises:
        Malformed: Anything that ``encode_checksums`` does not write.
    """
    sums: dict[str, bytes] = {}
    previous = ""
    try:
        lines = data.decode().splitlines(keepends=True)
    except UnicodeDecodeError as exc:
        raise Malformed("checksums are not text") from exc
    for number, line in enumerate(lines, start=1):
        digits, gap, name = line[:_HEX_DIGITS], line[_HEX_DIGITS : _HEX_DIGITS + 2], line[66:-1]
        try:
            value = bytes.fromhex(digits)
        except ValueError:
            value = b""
        is_line = gap == "  " and line.endswith("\n") and value.hex() == digits
        if not is_line or len(value) != sha256().digest_size or name <= previous:
            raise Malformed(f"checksums: line {number} is not one")
        sums[name] = value
        previous = name
    return sums
