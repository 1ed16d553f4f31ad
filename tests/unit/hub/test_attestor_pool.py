"""As many signatures as needed, the own cell's among them, by ascending address."""

import asyncio
from dataclasses import dataclass

import pytest

from tieline.hub.attestor_pool import AttestorPool, AttestorQuorum
from tieline.interfaces.errors import ConfigError, NotYet
from tieline.interfaces.ledger import StoredValue
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.wire.attestations import decode_packet_attestation, decode_state_attestation
from tieline.wire.hashes import keccak

HEADER = AnyMessage("/header", b"")


@dataclass
class Attestor:
    """Signs with its own number; addresses run against the order of cells."""

    number: int
    is_silent: bool = False
    last_reason: str = ""
    asked: int = 0

    @property
    def cell(self) -> bytes:
        return bytes([self.number]) * 20

    def address(self, ledger_id: str) -> bytes:
        return bytes([100 - self.number]) * 20

    async def _sign(self) -> bytes | None:
        self.asked += 1
        self.last_reason = "asleep" if self.is_silent else ""
        return None if self.is_silent else bytes([self.number]) * 65

    async def attest_state(self, ledger_id: str, header: AnyMessage, height: int) -> bytes | None:
        return await self._sign()

    async def attest_packets(self, ledger_id: str, height: int, entries: object) -> bytes | None:
        return await self._sign()


def pool(count: int, *silent: int) -> tuple[AttestorPool, list[Attestor]]:
    attestors = [Attestor(number, number in silent) for number in range(1, count + 1)]
    return AttestorPool(attestors), attestors


def signers(the_pool: AttestorPool, height: int = 7, own: int = 1, needed: int = 3) -> list[int]:
    quorum = AttestorQuorum(bytes([own]) * 20, needed)
    attestation = asyncio.run(the_pool.attest_state("a-1", HEADER, height, 1234, quorum))
    assert decode_state_attestation(attestation.data) == (height, 1234)
    return [signature[0] for signature in attestation.signatures]


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
    signed = {signature[0] for signature in attestation.signatures}
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


def test_two_attestors_of_one_cell_are_refused() -> None:
    with pytest.raises(ConfigError, match="two attestors"):
        AttestorPool([Attestor(1), Attestor(1)])
