"""Lists of checksums: what ``sha256sum`` would write, and nothing else is read."""

from __future__ import annotations

from hashlib import sha256

import pytest

from tieline.wire.checksums import decode_checksums, encode_checksums
from tieline.wire.errors import Malformed

A, B = sha256(b"a").hexdigest(), sha256(b"b").hexdigest()


def test_the_list_is_what_sha256sum_writes():
    raw = encode_checksums({"z.json": b"b", "a/x.bin": b"a"})
    assert raw.decode() == f"{A}  a/x.bin\n{B}  z.json\n"
    assert decode_checksums(raw) == {"a/x.bin": bytes.fromhex(A), "z.json": bytes.fromhex(B)}


def test_no_files_make_an_empty_list():
    assert decode_checksums(encode_checksums({})) == {}


SPOILED = [
    ("one space", f"{A} a\n"),
    ("no end of line", f"{A}  a"),
    ("capital digits", f"{A.upper()}  a\n"),
    ("a digit less", f"{A[:-1]}  a\n"),
    ("no name", f"{A}  \n"),
    ("not hex", f"{'x' * 64}  a\n"),
    ("not ascending", f"{A}  b\n{B}  a\n"),
    ("twice", f"{A}  a\n{B}  a\n"),
    ("a line between", f"{A}  a\n\n{B}  b\n"),
]


@pytest.mark.parametrize(("what", "text"), SPOILED)
def test_a_spoiled_list_is_refused(what, text):
    with pytest.raises(Malformed, match="is not one"):
        decode_checksums(text.encode())


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(Malformed, match="not text"):
        decode_checksums(b"\xff\xfe")
