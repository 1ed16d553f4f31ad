"""
A cell's attestor on EVM ledgers, behind a node that lies: whatever leaf of whatever answer is
changed, nothing is signed but the truth.
"""

import asyncio
import re
from dataclasses import replace

import pytest
from fakes.evm_chain import keys
from fakes.lying_peer import leaves
from fakes.recorded_node import ENGINES, RECORDED, RecordedLedger, octets

from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.ethereum.sealing import HeaderSealer, SealJournal
from tieline.light_clients.attestations.client import AttestationsClient
from tieline.light_clients.attestations.messages import ClientState, ConsensusState, proof_as_any
from tieline.light_clients.evm.client import EvmSealedClient
from tieline.protocol.errors import ClientRefused
from tieline.utility.attestor import CellAttestor, FollowedLedger, MemoryClientStore
from tieline.utility.journal import SigningJournal, Statement
from tieline.wire.attestation_proofs import AttestationProof
from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    attestation_digest,
    encode_packet_attestation,
    encode_state_attestation,
)
from tieline.wire.hashes import keccak
from tieline.wire.keys import SecpKey, recover_address

KEY = SecpKey(b"\x0a" * 32)
engines = pytest.mark.parametrize("engine", ENGINES)


class Clock:
    """Stands at the recorded block, a little later."""

    def __init__(self, time_s):
        self.time_s = time_s

    def now_s(self):
        return self.time_s


class Bench:
    """An attestor with a journal of its own behind one recorded node."""

    def __init__(self, engine, lie=lambda answers: None, late_s=5, journal=":memory:"):
        self.ledger = RecordedLedger(engine, lie)
        self.journal = SigningJournal(journal)
        self.attestor = CellAttestor(b"\1" * 20, self.journal, Clock(self.ledger.time_s + late_s))
        followed = FollowedLedger(self.ledger, self.ledger.chain_tag, EvmSealedClient(), KEY)
        self.attestor.follow(followed, *self.ledger.first_states())

    def state(self, height=None):
        return asyncio.run(self._state(self.ledger.height if height is None else height))

    async def _state(self, height):
        header = await self.ledger.header(height, 0)
        return await self.attestor.attest_state(self.ledger.ledger_id, header, height)

    def packets(self, entries=None, height=None):
        asked = self.ledger.entries() if entries is None else entries
        at = self.ledger.height if height is None else height
        return asyncio.run(self.attestor.attest_packets(self.ledger.ledger_id, at, asked))

    def rows(self):
        return self.journal._connection.execute("SELECT * FROM bound").fetchall()


def truth(engine):
    ledger = RecordedLedger(engine)
    state = attestation_digest(STATE_TAG, encode_state_attestation(ledger.height, ledger.time_s))
    listed = [
        (keccak(octets(one["path"])), octets(one["value"])) for one in ledger.honest["stored"]
    ]
    listed += [(keccak(octets(path)), bytes(32)) for path in ledger.honest["absent"]]
    data = encode_packet_attestation(ledger.height, listed)
    return state, attestation_digest(PACKET_TAG, data)


@engines
def test_an_honest_node_gives_signatures_over_what_its_chain_holds(engine):
    bench = Bench(engine)
    state, packets = truth(engine)
    assert recover_address(state, bench.state()) == KEY.address
    assert recover_address(packets, bench.packets()) == KEY.address


@pytest.mark.parametrize("height", [-1, 0, 2**64])
def test_a_height_that_no_block_has_is_met_with_silence(height):
    bench = Bench("geth")
    header = asyncio.run(bench.ledger.header(bench.ledger.height, 0))
    asked = bench.attestor.attest_state(bench.ledger.ledger_id, header, height)
    assert asyncio.run(asked) is None
    assert bench.attestor.last_reason
    assert bench.packets([], height) is None
    assert bench.attestor.last_reason


NOT_READ = re.compile(
    r"block\.(hash|size|totalDifficulty|transactions.*|uncles.*|withdrawals.*)$"
    r"|host\.(address|balance|codeHash|nonce|storageHash)$|host\.storageProof\.\d+\.key$"
)
"""What an adapter needs not read: it is in the proofs, or the request."""


def other(value):
    """Other leaves of the same kind, near enough to be read."""
    yield value[:-1] + ("1" if value[-1] != "1" else "2")
    middle = 2 + (len(value) - 2) // 2
    if middle < len(value):
        yield value[:middle] + ("7" if value[middle] != "7" else "8") + value[middle + 1 :]
    yield "0x"
    yield "0x0"
    yield value + "00"


def changed(path, value):
    def lie(answers):
        inner = answers
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value

    return lie


def ways(engine):
    for name in ("block", "host"):
        yield from ((name, *path) for path in leaves(RECORDED[engine][name]))


def answers_of(engine, lie):
    bench = Bench(engine, lie)
    try:
        entries = bench.ledger.entries()
    except (ValueError, OverflowError):
        return None, []  # no adapter reads this
    return bench, entries


@engines
def test_whatever_leaf_a_node_changes_nothing_is_signed_but_the_truth(engine):
    state, packets = truth(engine)
    silent = set()
    for path in ways(engine):
        honest = RECORDED[engine]
        for step in path:
            honest = honest[step]
        place = ".".join(map(str, path))
        for value in other(honest):
            bench, entries = answers_of(engine, changed(path, value))
            if bench is None:
                silent.add(place)
                continue
            signatures = [sign(bench.state), sign(bench.packets, entries)]
            for signature, digest in zip(signatures, (state, packets), strict=True):
                if signature is None:
                    silent.add(place)
                else:
                    assert recover_address(digest, signature) == KEY.address, place
    read = {".".join(map(str, path)) for path in ways(engine)} - silent
    assert {place for place in read if not NOT_READ.search(place)} == set()
    assert any(place.startswith("block.timestamp") for place in silent)


def sign(ask, *entries):
    """A node that makes no sense gives nothing to ask with."""
    try:
        return ask(*entries)
    except Unavailable:
        return None


@engines
@pytest.mark.parametrize(
    "change",
    [
        {"value": b"\x07" * 32},
        {"value": None},
        {"value": b"\x01" * 31},
        {"key": b"07-tendermint-0\x01" + bytes(8)},
        {"proof": b""},
        {"proof": b"\xff" * 40},
    ],
)
def test_an_entry_that_differs_from_its_proof_is_not_signed(engine, change):
    bench = Bench(engine)
    assert bench.packets() is not None
    rows = bench.rows()
    first, *rest = bench.ledger.entries()
    assert bench.packets([replace(first, **change), *rest]) is None
    assert bench.attestor.last_reason
    assert bench.rows() == rows


@engines
def test_another_height_than_the_headers_is_not_signed(engine):
    bench = Bench(engine)
    assert bench.state(bench.ledger.height + 1) is None
    assert bench.packets(height=bench.ledger.height + 1) is None
    assert bench.rows() == []


@engines
def test_a_header_from_the_future_is_not_signed(engine):
    bench = Bench(engine, late_s=-16)
    assert bench.state() is None
    assert "future" in bench.attestor.last_reason


@engines
def test_a_block_that_its_operator_has_not_sealed_as_final_is_not_signed(engine):
    bench = Bench(engine)
    tag = bench.ledger.chain_tag
    bench.ledger.operator = HeaderSealer(tag, keys(4)[:2], SealJournal(":memory:"))
    assert bench.state() is None
    assert "not enough seals" in bench.attestor.last_reason
    assert bench.packets() is None
    assert bench.rows() == []


@engines
@pytest.mark.parametrize("change", [{"chain_id": 1}, {"genesis_hash": b"g" * 32}])
def test_a_ledger_of_another_chain_or_genesis_is_not_followed(engine, change):
    ledger = RecordedLedger(engine)
    attestor = CellAttestor(b"\1" * 20, SigningJournal(":memory:"), Clock(ledger.time_s))
    followed = FollowedLedger(ledger, ledger.chain_tag, EvmSealedClient(), KEY)
    other_chain = replace(ledger.client_state(), **change).as_any()
    with pytest.raises(ConfigError, match="another ledger instance"):
        attestor.follow(followed, other_chain, ledger.first_states()[1])


@engines
def test_code_that_is_not_the_pinned_one_is_not_attested(engine):
    bench = Bench(engine)
    other_code = RecordedLedger(engine)
    state = other_code.client_state()
    pinned = (replace(state.pinned[0], code_hash=b"c" * 32),)
    followed = FollowedLedger(other_code, other_code.chain_tag, EvmSealedClient(), KEY)
    other_code.ledger_id = "another code"
    bench.attestor.follow(
        followed, replace(state, pinned=pinned).as_any(), other_code.first_states()[1]
    )
    bench.ledger = other_code
    assert bench.state() is None
    assert "other code" in bench.attestor.last_reason
    assert bench.rows() == []


@engines
def test_the_journal_outlives_the_attestor_and_holds_it_to_its_word(engine, tmp_path):
    path = tmp_path / "signing.sqlite"
    first = Bench(engine, journal=path)
    signed = first.state(), first.packets()
    again = Bench(engine, journal=path)
    assert (again.state(), again.packets()) == signed
    subject = again.ledger.height.to_bytes(8, "big")
    again.journal._connection.execute("DELETE FROM bound")
    false = (again.ledger.time_s + 1).to_bytes(8, "big")
    again.journal.bind([Statement("state", again.ledger.chain_tag, subject, false)])
    assert again.state() is None
    assert "already signed" in again.attestor.last_reason


def test_every_attestation_for_one_ledger_is_a_strangers_on_every_other():
    """One key a cell and ledger instance; three instances, each asked by clients of all others."""
    cells = range(3)
    instances = [(engine, reset) for engine in ENGINES for reset in (False, True)]

    def key_for(cell, instance):
        engine, reset = instance
        ledger = RecordedLedger(engine)
        tag = ledger.chain_tag if not reset else keccak(ledger.chain_tag)
        return SecpKey(keccak(b"cell %d" % cell + tag))

    for made_for in instances:
        ledger = RecordedLedger(made_for[0])
        data = encode_state_attestation(ledger.height, ledger.time_s)
        digest = attestation_digest(STATE_TAG, data)
        signers = sorted((key_for(cell, made_for) for cell in cells), key=lambda k: k.address)
        proof = AttestationProof(data, tuple(key.sign_digest(digest) for key in signers))
        for asked in instances:
            addresses = tuple("0x" + key_for(cell, asked).address.hex() for cell in cells)
            store, rules = MemoryClientStore(), AttestationsClient()
            rules.initialise(
                store,
                ClientState(addresses, 3, 1).as_any(),
                ConsensusState(10**9).as_any(),
            )
            now = (ledger.time_s + 1) * 10**9
            if asked == made_for:
                assert rules.update(store, proof_as_any(proof), now).heights
                continue
            with pytest.raises(ClientRefused, match="signer is not in attestor set"):
                rules.update(store, proof_as_any(proof), now)
