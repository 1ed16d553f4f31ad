"""An attestor signs what its own light client has seen, and is silent with a reason on doubt."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.cell_world import CellWorld

from tieline.interfaces.cell_link import ProposeVerdict
from tieline.interfaces.clock import Clock
from tieline.interfaces.errors import Unavailable
from tieline.interfaces.ledger import StoredValue
from tieline.light_clients.verified import Verified
from tieline.protocol.height import Height
from tieline.utility.attestor import CellAttestor, FollowedLedger
from tieline.utility.bootstrap import light_client_of
from tieline.utility.journal import SigningJournal, Statement
from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    attestation_digest,
    encode_packet_attestation,
    encode_state_attestation,
)
from tieline.wire.hashes import keccak
from tieline.wire.keys import SecpKey, address_of, recover

KEY = SecpKey(b"\x0a" * 32)


class LyingRpc:
    """A ledger with one answer changed; all else is as it is."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


class Bench:
    """An attestor for the grid operator's ledger, with its own journal and an RPC that may lie."""

    def __init__(self, cells: CellWorld, path: Path) -> None:
        self.ledger = next(iter(cells.world.ledgers.values()))
        self.rpc = LyingRpc(self.ledger)
        self.clock: Clock = cells.world.clock
        self.path = path
        self.is_down = False
        self.open()

    def open(self) -> None:
        self.journal = SigningJournal(self.path)
        self.attestor = CellAttestor(b"\x01" * 20, self.journal, self.clock, lambda: self.is_down)
        followed = FollowedLedger(
            self.rpc, self.ledger.chain_tag, light_client_of("cometbft", "embedded"), KEY
        )
        self.attestor.follow(followed, *self.ledger.client_states(1))

    @property
    def name(self) -> str:
        return self.ledger.ledger_id

    def header(self, height: int, trusted: int = 1) -> Any:
        return asyncio.run(self.ledger.header(height, trusted))

    def state(self, height: int, header: Any = None) -> bytes | None:
        header = self.header(height) if header is None else header
        return asyncio.run(self.attestor.attest_state(self.name, header, height))

    def packets(self, height: int, *entries: StoredValue) -> bytes | None:
        return asyncio.run(self.attestor.attest_packets(self.name, height, entries))

    def rows(self) -> list[Any]:
        return self.journal._connection.execute("SELECT * FROM bound").fetchall()

    def assert_silent(self, answer: bytes | None, reason: str) -> None:
        assert answer is None
        assert reason in self.attestor.last_reason


@pytest.fixture
def bench(cells: CellWorld, tmp_path: Path) -> Bench:
    return Bench(cells, tmp_path / "signing.sqlite")


def time_s(bench: Bench, height: int) -> int:
    blocks = asyncio.run(bench.ledger.blocks_after(height - 1, 1))
    return blocks[0].time_s


def entry(cells: CellWorld, bench: Bench) -> StoredValue:
    """A commitment that stood on the ledger when the batch closed."""
    for proof in cells.proposal(ProposeVerdict).receipts:
        for found in (proof.commitment, proof.receipt):
            height = found.proof_height.revision_height
            again = asyncio.run(bench.ledger.prove(found.key, height - 1))
            if found.value and len(found.value) == 32 and again.value == found.value:
                return again
    raise AssertionError("no packet on this ledger")


def test_height_and_time_are_signed_as_the_header_says(bench: Bench) -> None:
    signature = bench.state(5)
    assert signature is not None
    data = encode_state_attestation(5, time_s(bench, 5))
    digest = attestation_digest(STATE_TAG, data)
    assert address_of(recover(digest, signature)) == KEY.address
    assert signature[64] in {27, 28}
    assert bench.attestor.last_reason == ""


def test_a_stored_value_is_signed_as_it_is_proved(cells: CellWorld, bench: Bench) -> None:
    stored = entry(cells, bench)
    height = stored.proof_height.revision_height
    signature = bench.packets(height, stored)
    assert signature is not None
    assert stored.value is not None
    data = encode_packet_attestation(height, [(keccak(stored.key), stored.value)])
    assert address_of(recover(attestation_digest(PACKET_TAG, data), signature)) == KEY.address


def test_the_same_request_gives_the_same_bytes_after_a_restart(
    cells: CellWorld, bench: Bench
) -> None:
    stored = entry(cells, bench)
    height = stored.proof_height.revision_height
    state, packets, rows = bench.state(height), bench.packets(height, stored), bench.rows()
    bench.journal.close()
    bench.open()
    assert (bench.state(height), bench.packets(height, stored)) == (state, packets)
    assert bench.rows() == rows


def test_absence_is_signed_only_from_a_proof_of_absence(cells: CellWorld, bench: Bench) -> None:
    stored = entry(cells, bench)
    height = stored.proof_height.revision_height
    missing = asyncio.run(bench.ledger.prove(stored.key[:-1] + b"\xfe", height - 1))
    assert missing.value is None
    assert bench.packets(height, missing) is not None
    rows = bench.rows()
    bench.assert_silent(bench.packets(height, replace(stored, value=None)), "ProofInvalid")
    assert bench.rows() == rows


Lie = Callable[[StoredValue], StoredValue]


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (lambda e: replace(e, value=b"\x07" * 32), "ProofInvalid"),
        (lambda e: replace(e, value=e.value[:31]), "ProofInvalid"),
        (lambda e: replace(e, key=e.key[:-1] + b"\xfe"), "ProofInvalid"),
        (lambda e: replace(e, proof=e.proof[:-1]), "ProofInvalid"),
        (lambda e: replace(e, proof=b""), "ProofInvalid"),
        (lambda e: replace(e, proof=b"\xff" * 40), "ProofInvalid"),
        (
            lambda e: replace(e, proof_height=Height(0, e.proof_height.revision_height - 1)),
            "another height",
        ),
    ],
    ids=["value", "31 bytes", "key", "cut proof", "no proof", "garbage", "height"],
)
def test_what_an_rpc_merely_returned_is_never_signed(
    cells: CellWorld, bench: Bench, lie: Lie, reason: str
) -> None:
    stored = entry(cells, bench)
    height = stored.proof_height.revision_height
    assert bench.packets(height, stored) is not None
    rows = bench.rows()
    bench.assert_silent(bench.packets(height, lie(stored)), reason)
    assert bench.rows() == rows


def test_a_proved_value_of_another_length_is_no_commitment(cells: CellWorld, bench: Bench) -> None:
    """A client state lies in the same store and is truly there; it is not 32 bytes."""
    height = entry(cells, bench).proof_height.revision_height
    key = b"clients/07-tendermint-0/clientState"
    found = asyncio.run(bench.ledger.prove(key, height - 1))
    assert found.value is not None
    bench.assert_silent(bench.packets(height, found), "not a commitment")
    assert bench.rows() == []


def test_two_entries_for_one_path_that_differ_cannot_both_be_true(
    cells: CellWorld, bench: Bench
) -> None:
    stored = entry(cells, bench)
    height = stored.proof_height.revision_height
    other = replace(stored, value=b"\x07" * 32)
    bench.assert_silent(bench.packets(height, stored, other), "ProofInvalid")
    assert bench.rows() == []


def test_a_header_of_another_height_gives_the_signature_over_the_true_one(bench: Bench) -> None:
    """The cell fetches the height it was asked for itself; what it signs is that one's time."""
    assert bench.state(6, bench.header(5)) == bench.state(6)


def test_a_header_that_nobody_made_is_met_with_silence(bench: Bench) -> None:
    async def refuse(*_: Any) -> Any:
        raise Unavailable("no such header")

    bench.rpc.header = refuse  # type: ignore[attr-defined]
    header = bench.header(5)
    forged = replace(header, value=header.value[:-1] + bytes([header.value[-1] ^ 1]))
    assert bench.state(5, forged) is None
    assert bench.attestor.last_reason
    assert bench.rows() == []


@pytest.mark.parametrize("at", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_forged_header_from_a_lying_rpc_is_met_with_silence(bench: Bench, at: float) -> None:
    honest = bench.header(7)
    value = bytearray(honest.value)
    value[int(len(value) * at)] ^= 0x55
    forged = replace(honest, value=bytes(value))

    async def lie(*_: Any) -> Any:
        return forged

    bench.rpc.header = lie  # type: ignore[attr-defined]
    assert bench.state(7, forged) is None
    assert bench.attestor.last_reason
    assert bench.rows() == []


def test_a_height_that_is_not_there_yet_is_met_with_silence(cells: CellWorld, bench: Bench) -> None:
    stored = entry(cells, bench)
    bench.assert_silent(bench.packets(10**6, stored), "NotYet")


@pytest.mark.parametrize(("height", "shift"), [(4, 1), (6, -1)])
def test_time_never_runs_backwards_over_heights(bench: Bench, height: int, shift: int) -> None:
    """A height below was signed with a later time, or one above with an earlier one."""
    false = time_s(bench, 5) + shift
    row = Statement(
        "state",
        bench.ledger.chain_tag,
        height.to_bytes(8, "big"),
        false.to_bytes(8, "big"),
    )
    bench.journal.bind([row])
    bench.assert_silent(bench.state(5), "SigningConflict")
    assert len(bench.rows()) == 1


def test_another_time_for_a_height_is_refused_for_ever(bench: Bench) -> None:
    """The chain was rolled back and made another block 5: the attestor has signed the first."""
    row = Statement("state", bench.ledger.chain_tag, (5).to_bytes(8, "big"), (1).to_bytes(8, "big"))
    bench.journal.bind([row])
    for _ in range(2):
        bench.assert_silent(bench.state(5), "already signed")
        bench.journal.close()
        bench.open()


def test_a_header_from_the_future_is_met_with_silence(bench: Bench) -> None:
    early = time_s(bench, 2)

    class Slow:
        def now_s(self) -> int:
            return early

    bench.clock = Slow()
    bench.open()
    late = asyncio.run(bench.ledger.latest_height())
    assert bench.state(late) is None
    assert bench.attestor.last_reason
    assert bench.rows() == []


def test_an_unknown_ledger_is_met_with_silence(bench: Bench) -> None:
    header = bench.header(5)
    answer = asyncio.run(bench.attestor.attest_state("elsewhere", header, 5))
    bench.assert_silent(answer, "elsewhere")


def test_a_cell_that_is_down_signs_nothing(bench: Bench) -> None:
    bench.is_down = True
    bench.assert_silent(bench.state(5), "the cell is down")
    bench.is_down = False
    assert bench.state(5) is not None


def test_nobody_outside_the_light_clients_makes_a_verified_value() -> None:
    with pytest.raises(TypeError):
        Verified(1, object())


def test_an_attestor_has_another_key_for_every_ledger(cells: CellWorld) -> None:
    attestors = [service.parts.attestor for service in cells.world.services]
    addresses = [a.address(name) for a in attestors for name in cells.world.ledgers]
    assert len(set(addresses)) == len(addresses)
