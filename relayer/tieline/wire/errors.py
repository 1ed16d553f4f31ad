"""What all decoders raise; callers never meet protobuf's, struct's or libsecp256k1's errors."""

from __future__ import annotations


class Malformed(ValueError):
    """Bytes or fields that are not what the specification says; trying again cannot help."""
