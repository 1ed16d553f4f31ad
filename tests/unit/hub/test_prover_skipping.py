"""A client that cannot skip to a header is brought there in several updates of one transaction."""

from __future__ import annotations

import asyncio

from fakes.relay_view import END_A, END_B, ViewWorld
from fakes.signing_chain import START_NS, DictStore, History, SigningChain

from tieline.hub.attestor_pool import AttestorPool, AttestorQuorum
from tieline.hub.proof_form import PairedForm, PlainForm
from tieline.hub.prover import ClientTerms, Prover
from tieline.interfaces.errors import Unavailable
from tieline.interfaces.ledger import BlockEvents, StoredValue
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.light_clients.tendermint.skipping import HEADERS_MAX, TrustLevel
from tieline.protocol.height import Height
from tieline.relay.effects import Effect, ProofWanted, StepName
from tieline.wire.attestation_proofs import AttestationProof, Paired, decode_any
from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    attestation_digest,
    decode_state_attestation,
    encode_packet_attestation,
    encode_state_attestation,
)
from tieline.wire.cometbft import ValidatorSet
from tieline.wire.hashes import keccak
from tieline.wire.keys import SecpKey

CLIENT = TendermintClient()
NOW_NS = START_NS + 500 * 10**9


class Source:
    """Ledger ``b-1``: its validators change, and every key holds something."""

    def __init__(self, chain, sets):
        self.history = History(chain, sets)

    async def header(self, height, trusted_height):
        return self.history.message(height, trusted_height).as_any()

    async def prove(self, key, height):
        return StoredValue(key, b"\x01" * 32, Height(1, height + 1), b"proof")

    async def prove_many(self, keys, height):
        return [await self.prove(key, height) for key in keys]

    async def blocks_after(self, height, limit):
        assert limit == 1
        return [BlockEvents(height + 1, START_NS // 10**9 + height + 1, ())]


class Attestor:
    """Signs every state, and remembers of which heights."""

    cell = b"\x01" * 20
    last_reason = ""
    key = SecpKey(b"\x02" * 32)

    def __init__(self):
        self.heights = []

    def address(self, ledger_id):
        assert ledger_id == "b-1"
        return self.key.address

    async def attest_state(self, ledger_id, header, height):
        assert header.type_url
        self.heights.append(height)
        data = encode_state_attestation(height, START_NS // 10**9 + height)
        return self.key.sign_digest(attestation_digest(STATE_TAG, data))

    async def attest_packets(self, ledger_id, height, entries):
        listed = [(keccak(entry.key), entry.value) for entry in entries]
        data = encode_packet_attestation(height, listed)
        return self.key.sign_digest(attestation_digest(PACKET_TAG, data))


def rolling(length=40):
    """A chain where one of three members goes and another comes, every block."""
    chain = SigningChain("b-1")
    pool = [chain.validator_set((10,), salt=number).validators[0] for number in range(length + 3)]
    members = [sorted(pool[n : n + 3], key=lambda one: one.address) for n in range(length)]
    return Source(chain, [ValidatorSet(tuple(one), one[0]) for one in members])


def prove(source, target, terms, attestors=()):
    """Let the client of ``b-1`` on ``a-1`` stand at height 1, and prove a key with *target*."""
    world = ViewWorld()
    world.view.ledgers["a-1"].client_heights[END_A.client_id] = [1]
    prover = Prover(
        world.view, {"b-1": source}, {END_A: terms, END_B: terms}, AttestorPool(attestors)
    )
    wanted = ProofWanted(END_A, "b-1", b"key", target - 1, target, is_present=True)
    effect = Effect(StepName.DELIVER_PACKET, "a-1", "recv/1", (), wanted)
    return asyncio.run(prover.prove([effect]))


def take(source, messages):
    """Hand the messages to a client that trusts height 1; return where it comes."""
    store = DictStore()
    source.history.begin(CLIENT, store)
    for message in messages:
        assert CLIENT.update(store, message, NOW_NS).heights
    return CLIENT.latest_height(store)


def test_a_client_is_brought_there_by_several_updates_in_order():
    source = rolling()
    proved = prove(source, 30, ClientTerms(PlainForm()))
    assert len(proved.updates) > 3
    assert {update.client_id for update in proved.updates} == {END_A.client_id}
    assert take(source, [update.client_message for update in proved.updates]) == Height(1, 30)
    assert len(proved.proofs) == 1


def test_a_stricter_client_gets_more_and_a_set_that_stays_needs_one():
    source = rolling()
    loose = prove(source, 12, ClientTerms(PlainForm()))
    strict = prove(source, 12, ClientTerms(PlainForm(), trust=TrustLevel(2, 3)))
    assert len(strict.updates) > len(loose.updates)
    chain = SigningChain("b-1")
    steady = Source(chain, [chain.validators] * 40)
    assert len(prove(steady, 30, ClientTerms(PlainForm())).updates) == 1


def test_attestors_are_shown_every_header_of_the_way():
    source = rolling()
    attestor = Attestor()
    terms = ClientTerms(PairedForm(), AttestorQuorum(attestor.cell, 1))
    proved = prove(source, 20, terms, [attestor])
    paired = [Paired.decode(update.client_message.value) for update in proved.updates]
    attested = [
        decode_state_attestation(AttestationProof.decode(one.attestation).data) for one in paired
    ]
    assert [height for height, _ in attested] == attestor.heights
    assert attestor.heights == sorted(attestor.heights)
    assert attestor.heights[-1] == 20
    natives = [decode_any(one.native) for one in paired]
    assert take(source, natives) == Height(1, 20)


def test_a_way_that_is_too_long_puts_the_proofs_off():
    chain = SigningChain("b-1")
    count = HEADERS_MAX + 20
    source = Source(chain, [chain.validator_set((10,), salt=number) for number in range(count)])
    proved = prove(source, HEADERS_MAX + 10, ClientTerms(PlainForm()))
    ((_, error),) = proved.deferred
    assert isinstance(error, Unavailable)
    assert "too many headers" in str(error)
    assert (proved.updates, proved.proofs) == ([], {})
