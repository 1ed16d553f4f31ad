"""As many signatures as needed, the own cell's among them, by ascending address."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from tieline.hub.attestor_pool import AttestorPool, AttestorQuorum
from tieline.hub.proof_form import Attestation
from tieline.interfaces.errors import ConfigError, NotYet
from tieline.interfaces.ledger import StoredValue
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    attestation_digest,
    decode_packet_attestation,
    decode_state_attestation,
    encode_packet_attestation,
    encode_state_attestation,
)
from tieline.wire.hashes import keccak
from tieline.wire.keys import SecpKey, recover_address

HEADER = AnyMessage("/header", b"")


def keys() -> list[SecpKey]:
    """Four keys whose addresses run against the order of the cells."""
    drawn = [SecpKey(bytes([number]) * 32) for number in range(1, 5)]
    return sorted(drawn, key=lambda key: key.address, reverse=True)


KEYS = dict(enumerate(keys(), start=1))


@dataclass
class Attestor:
    """Signs with the key of its number."""

    number: int
    is_silent: bool = False
    last_reason: str = ""
    asked: int = 0
    time_s: int = 1234
    spoil: Callable[[bytes], bytes] = bytes
    """What a cell that is broken, or lies, makes of its signatures."""

    @property
    def cell(self) -> bytes:
        return bytes([self.number]) * 20

    def address(self, ledger_id: str) -> bytes:
        if ledger_id != "a-1":
            raise KeyError(ledger_id)
        return KEYS[self.number].address

    def _sign(self, tag: int, data: bytes) -> bytes | None:
        self.asked += 1
        self.last_reason = "asleep" if self.is_silent else ""
        signature = KEYS[self.number].sign_digest(attestation_digest(tag, data))
        return None if self.is_silent else self.spoil(signature)

    async def attest_state(self, ledger_id: str, header: AnyMessage, height: int) -> bytes | None:
        return self._sign(STATE_TAG, encode_state_attestation(height, self.time_s))

    async def attest_packets(
        self, ledger_id: str, height: int, entries: Sequence[StoredValue]
    ) -> bytes | None:
        listed = [(keccak(entry.key), entry.value or bytes(32)) for entry in entries]
        return self._sign(PACKET_TAG, encode_packet_attestation(height, listed))


def who(tag: int, attestation: Attestation) -> list[int]:
    """Return the numbers of the signers, in order."""
    numbers = {key.address: number for number, key in KEYS.items()}
    digest = attestation_digest(tag, attestation.data)
    return [numbers[recover_address(digest, one)] for one in attestation.signatures]


def pool(count: int, *silent: int) -> tuple[AttestorPool, list[Attestor]]:
    attestors = [Attestor(number, number in silent) for number in range(1, count + 1)]
    return AttestorPool(attestors), attestors


def signers(the_pool: AttestorPool, height: int = 7, own: int = 1, needed: int = 3) -> list[int]:
    quorum = AttestorQuorum(bytes([own]) * 20, needed)
    attestation = asyncio.run(the_pool.attest_state("a-1", HEADER, height, 1234, quorum))
    assert decode_state_attestation(attestation.data) == (height, 1234)
    return who(STATE_TAG, attestation)


@pytest.mark.parametrize("own", [1, 2, 3, 4])
@pytest.mark.parametrize("height", [6, 7, 8, 9])
def test_the_own_cell_signs_always_and_no_more_than_needed(own: int, height: int) -> None:
    the_pool, attestors = pool(4)
    signed = signers(the_pool, height, own)
    assert own in signed
    assert len(signed) == 3
    assert signed == sorted(signed, reverse=True), "addresses run against the numbers"
    assert sum(attestor.asked for attestor in attestors) == 3


def test_the_others_take_turns_by_height() -> None:
    the_pool, _ = pool(4)
    asked = {tuple(sorted(signers(the_pool, height))) for height in range(9)}
    assert asked == {(1, 2, 3), (1, 3, 4), (1, 2, 4)}


@pytest.mark.parametrize("silent", [2, 3, 4])
def test_a_silent_one_is_replaced_at_once(silent: int) -> None:
    the_pool, attestors = pool(4, silent)
    for height in range(3):
        assert silent not in signers(the_pool, height)
    assert the_pool.silences == {attestors[silent - 1].cell: "asleep"}
    attestors[silent - 1].is_silent = False
    for height in range(3, 6):
        signers(the_pool, height)
    assert the_pool.silences == {}


@pytest.mark.parametrize(
    ("silent", "why"), [((1,), "own attestor"), ((2, 3), "have=2 need=3"), ((2, 3, 4), "have=1")]
)
def test_without_a_quorum_it_is_not_yet(silent: tuple[int, ...], why: str) -> None:
    the_pool, _ = pool(4, *silent)
    with pytest.raises(NotYet, match=why):
        signers(the_pool)


@pytest.mark.parametrize("silent", [(), (1,), (3,)])
def test_a_client_of_attestations_alone_needs_a_quorum_but_not_the_own_cell(
    silent: tuple[int, ...],
) -> None:
    the_pool, _ = pool(4, *silent)
    quorum = AttestorQuorum(bytes([1]) * 20, 3, needs_own_cell=False)
    attestation = asyncio.run(the_pool.attest_state("a-1", HEADER, 7, 1234, quorum))
    signed = set(who(STATE_TAG, attestation))
    assert len(signed) == 3
    assert not signed & set(silent)
    assert (1 in signed) is (1 not in silent), "the own cell is asked first"


def test_a_cell_without_attestor_is_not_yet() -> None:
    the_pool, _ = pool(4)
    with pytest.raises(NotYet, match="no attestor of the own cell"):
        signers(the_pool, own=9)


def test_a_height_is_asked_for_once_for_all_clients() -> None:
    the_pool, attestors = pool(4)
    for own in (1, 2, 3, 4):
        assert own in signers(the_pool, own=own)
    assert [attestor.asked for attestor in attestors] == [1, 1, 1, 1]


def test_packets_are_attested_in_the_order_given_and_absence_as_zeros() -> None:
    the_pool, _ = pool(4)
    entries = [
        StoredValue(b"k2", b"\x05" * 32, Height(1, 8), b""),
        StoredValue(b"k1", None, Height(1, 8), b""),
    ]
    quorum = AttestorQuorum(bytes([2]) * 20, 3)
    attestation = asyncio.run(the_pool.attest_packets("a-1", 8, entries, quorum))
    height, attested = decode_packet_attestation(attestation.data)
    assert height == 8
    assert attested == ((keccak(b"k2"), b"\x05" * 32), (keccak(b"k1"), bytes(32)))


BAD: list[Callable[[bytes], bytes]] = [
    lambda signature: bytes(65),
    lambda signature: signature[:64],
    lambda signature: b"",
    lambda signature: signature[:-1] + b"\x00",
    lambda signature: KEYS[1].sign_digest(keccak(b"something else")),
]


@pytest.mark.parametrize("bad", [2, 3, 4])
@pytest.mark.parametrize("spoil", BAD, ids=range(len(BAD)))
def test_one_cell_that_signs_badly_stops_nobody(bad: int, spoil: Callable[[bytes], bytes]) -> None:
    the_pool, attestors = pool(4)
    attestors[bad - 1].spoil = spoil
    for height in range(3):
        assert sorted({1, 2, 3, 4} - {bad}, reverse=True) == signers(the_pool, height)
    assert "signed something else" in the_pool.silences[attestors[bad - 1].cell]
    quorum = AttestorQuorum(bytes([1]) * 20, 3)
    entries = [StoredValue(b"k", b"\x05" * 32, Height(1, 8), b"")]
    attestation = asyncio.run(the_pool.attest_packets("a-1", 8, entries, quorum))
    assert bad not in who(PACKET_TAG, attestation)


def test_one_that_says_another_time_is_not_shown_to_clients() -> None:
    the_pool, attestors = pool(4)
    attestors[2].time_s = 1235
    assert all(3 not in signers(the_pool, height) for height in range(3))


def test_an_own_cell_that_signs_badly_is_silent() -> None:
    the_pool, attestors = pool(4)
    attestors[0].spoil = lambda _: bytes(65)
    with pytest.raises(NotYet, match="own attestor is silent"):
        signers(the_pool)


@pytest.mark.parametrize("gone", [2, 3, 4])
def test_who_is_not_in_the_set_of_a_client_is_not_asked_for_it(gone: int) -> None:
    the_pool, attestors = pool(4)
    others = frozenset(KEYS[number].address for number in KEYS if number != gone)
    quorum = AttestorQuorum(bytes([1]) * 20, 3, attestors=others)
    for height in range(3):
        attestation = asyncio.run(the_pool.attest_state("a-1", HEADER, height, 1234, quorum))
        assert gone not in who(STATE_TAG, attestation)
    assert attestors[gone - 1].asked == 0


def test_attestors_without_a_key_for_a_ledger_are_left_out() -> None:
    the_pool, _ = pool(4)
    quorum = AttestorQuorum(bytes([1]) * 20, 3, attestors=frozenset({KEYS[1].address}))
    with pytest.raises(NotYet, match="no attestor of the own cell"):
        asyncio.run(the_pool.attest_state("b-1", HEADER, 7, 1234, quorum))


def test_a_value_that_is_no_commitment_is_not_yet() -> None:
    the_pool, _ = pool(4)
    entries = [StoredValue(b"k", b"short", Height(1, 8), b"")]
    with pytest.raises(NotYet, match="not to be attested"):
        asyncio.run(the_pool.attest_packets("a-1", 8, entries, AttestorQuorum(bytes([1]) * 20, 3)))


def test_two_attestors_of_one_cell_are_refused() -> None:
    with pytest.raises(ConfigError, match="two attestors"):
        AttestorPool([Attestor(1), Attestor(1)])
