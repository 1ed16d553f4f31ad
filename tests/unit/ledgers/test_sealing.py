"""An operator's seals: the journal first, never two blocks at a height."""

from dataclasses import replace

import pytest

from tieline.ledgers.ethereum.sealing import HeaderSealer, SealConflict, SealJournal
from tieline.wire.errors import Malformed
from tieline.wire.evm.header import EvmHeader
from tieline.wire.ids import header_seal
from tieline.wire.keys import SecpKey, recover_address

TAG = b"t" * 32
HASH = bytes(32)
KEYS = [SecpKey(bytes([n]) * 32) for n in (3, 1, 2)]


def header(number: int, parent: bytes = HASH, time_s: int = 1) -> EvmHeader:
    return EvmHeader(
        parent, HASH, bytes(20), HASH, HASH, HASH, bytes(256), 0, number, 30_000_000, 0, time_s,
        b"", HASH, bytes(8), 7, HASH, 0, 0, HASH, HASH,
    )  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return tmp_path / "seals.sqlite"


def sealer(path, tag: bytes = TAG) -> HeaderSealer:
    return HeaderSealer(tag, KEYS, SealJournal(path))


def test_every_key_seals_the_hash_of_the_bytes_in_ascending_order_of_addresses(path):
    one = header(5)
    seals = sealer(path).seal(one.encode())
    signers = [recover_address(header_seal(TAG, one.hash()), seal) for seal in seals]
    assert signers == sorted(key.address for key in KEYS) == list(sealer(path).addresses)


def test_the_same_header_gives_the_same_bytes_again_after_a_restart(path):
    data = header(5).encode()
    assert sealer(path).seal(data) == sealer(path).seal(data)


def test_another_block_at_a_sealed_height_is_refused_for_ever(path):
    first, second = header(5), header(5, time_s=2)
    sealer(path).seal(first.encode())
    for _ in range(2):
        with pytest.raises(SealConflict, match=f"sealed={first.hash().hex()}"):
            sealer(path).seal(second.encode())
    assert SealJournal(path).sealed_hash(TAG, 5) == first.hash()


def test_a_block_that_does_not_stand_on_the_sealed_one_below_is_refused(path):
    below = header(5)
    sealer(path).seal(below.encode())
    with pytest.raises(SealConflict, match="height=5"):
        sealer(path).seal(header(6, b"x" * 32).encode())
    sealer(path).seal(header(6, below.hash()).encode())


def test_a_block_that_the_sealed_one_above_does_not_stand_on_is_refused(path):
    below = header(5)
    above = header(6, below.hash())
    sealer(path).seal(above.encode())
    with pytest.raises(SealConflict):
        sealer(path).seal(replace(below, timestamp=9).encode())
    sealer(path).seal(below.encode())


def test_what_was_refused_is_not_remembered(path):
    sealer(path).seal(header(5).encode())
    with pytest.raises(SealConflict):
        sealer(path).seal(header(6, b"x" * 32).encode())
    assert SealJournal(path).sealed_hash(TAG, 6) is None


def test_two_instances_with_one_journal_do_not_meet(path):
    sealer(path).seal(header(5).encode())
    other = sealer(path, b"u" * 32).seal(header(5, time_s=2).encode())
    assert recover_address(header_seal(b"u" * 32, header(5, time_s=2).hash()), other[0])


def test_bytes_that_are_no_header_are_not_sealed(path):
    with pytest.raises(Malformed):
        sealer(path).seal(header(5).encode() + b"\0")


def test_nothing_is_signed_before_the_journal_is_written(path):
    """A key that dies while it signs leaves the entry behind."""

    class DyingKey(SecpKey):
        def sign_digest(self, digest: bytes) -> bytes:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        HeaderSealer(TAG, [DyingKey(b"\1" * 32)], SealJournal(path)).seal(header(5).encode())
    assert SealJournal(path).sealed_hash(TAG, 5) == header(5).hash()
