"""
Attestations name no ledger: what keeps those for one from passing on another is that every cell has
another key for each. Made for one instance, shown to the clients of all: refused as a stranger's.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.evm_chain import SECOND, START_S, EvmChain
from fakes.microgrid import key
from fakes.signing_chain import DictStore, SigningChain

from tieline.light_clients.attestations.client import AttestationsClient
from tieline.light_clients.attestations.messages import (
    ClientState,
    ConsensusState,
    address_text,
    proof_as_any,
)
from tieline.light_clients.evm.client import EvmSealedClient
from tieline.light_clients.paired import PairedClient
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.protocol.errors import ClientRefused
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.swap.records import AttestorKey
from tieline.wire.attestation_proofs import (
    AttestationProof,
    PairedClientState,
    SignedAttestorKey,
    paired_message,
    paired_proof,
)
from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    attestation_digest,
    encode_packet_attestation,
    encode_state_attestation,
)
from tieline.wire.hashes import keccak
from tieline.wire.ids import chain_tag
from tieline.wire.typed_data import domain_separator, sign_record

HEIGHT, TIME_S = 5, START_S + 5
NOW = (START_S + 60) * SECOND
PATH, VALUE = b"07-tendermint-0\x01" + bytes(8), b"\x09" * 32
DOMAIN = domain_separator(b"\xee" * 32)
CELLS = [key(f"cell {n}") for n in range(4)]


class Evm:
    """An instance of the same EVM chain: begun anew with another block 0."""

    rules, revision = EvmSealedClient(), 0

    def __init__(self, genesis_hash):
        self.chain = EvmChain()
        self.chain.commit(PATH, VALUE)
        self.state = self.chain.client_state(genesis_hash=genesis_hash)
        self.chain.client_state = lambda: self.state
        self.tag = self.state.chain_tag
        self.states = self.state.as_any(), self.chain.consensus_state().as_any()
        self.header = self.chain.header(HEIGHT).as_any()
        self.proof, self.path = self.chain.prove(PATH), (PATH,)


class Comet:
    """A CometBFT ledger at the same height and time."""

    rules, revision = TendermintClient(), 1

    def __init__(self):
        chain = SigningChain()
        self.tag = chain_tag("cometbft", chain.chain_id, b"g" * 32)
        self.states = chain.client_state(1).as_any(), chain.consensus_state(1).as_any()
        self.header = chain.update(HEIGHT, 1).as_any()
        self.proof, self.path = b"", (b"ibc", PATH)


LEDGERS = {"first": Evm(b"1" * 32), "begun anew": Evm(b"2" * 32), "comet": Comet()}


def attestors(name):
    """Each cell's key for a ledger instance."""
    found = [(cell, key(f"{cell.address.hex()} {LEDGERS[name].tag.hex()}")) for cell in CELLS]
    return sorted(found, key=lambda both: both[1].address)


def signatures(name, tag, data):
    digest = attestation_digest(tag, data)
    return tuple(one.sign_digest(digest) for _, one in attestors(name))


STATE = encode_state_attestation(HEIGHT, TIME_S)
PACKETS = encode_packet_attestation(HEIGHT, [(keccak(PATH), VALUE)])


def plain_client(name):
    rules, store = AttestationsClient(), DictStore()
    addresses = tuple(address_text(one.address) for _, one in attestors(name))
    first = ConsensusState(START_S * SECOND)
    rules.initialise(store, ClientState(addresses, 3, 1).as_any(), first.as_any())
    return rules, store


def paired_client(name):
    ledger = LEDGERS[name]
    rules = PairedClient(ledger.rules, domain=DOMAIN, own_cell=CELLS[0].address)
    signed = []
    for cell, attestor in attestors(name):
        record = AttestorKey(ledger.tag, cell.address, attestor.address, 1)
        both = sign_record(cell, DOMAIN, record), sign_record(attestor, DOMAIN, record)
        signed.append(SignedAttestorKey(record, *both))
    terms = PairedClientState(ledger.states[0], tuple(signed), 3, CELLS[0].address)
    store = DictStore()
    rules.initialise(store, terms.as_any(), ledger.states[1])
    return rules, store


pairs = pytest.mark.parametrize(
    ("made_for", "shown_to"), [(one, other) for one in LEDGERS for other in LEDGERS]
)


@pairs
def test_an_attested_time_passes_on_its_own_ledger_only(made_for, shown_to):
    rules, store = plain_client(shown_to)
    alone = proof_as_any(AttestationProof(STATE, signatures(made_for, STATE_TAG, STATE)))
    paired_rules, paired_store = paired_client(shown_to)
    beside = paired_message(LEDGERS[shown_to].header, STATE, signatures(made_for, STATE_TAG, STATE))
    if made_for == shown_to:
        assert rules.update(store, alone, NOW).heights
        assert paired_rules.update(paired_store, beside, NOW).heights
        return
    with pytest.raises(ClientRefused, match="signer is not in attestor set"):
        rules.update(store, alone, NOW)
    with pytest.raises(ClientRefused, match="signer is not in attestor set"):
        paired_rules.update(paired_store, beside, NOW)


@pairs
def test_an_attested_packet_passes_on_its_own_ledger_only(made_for, shown_to):
    ledger = LEDGERS[shown_to]
    rules, store = plain_client(shown_to)
    honest = proof_as_any(AttestationProof(STATE, signatures(shown_to, STATE_TAG, STATE)))
    rules.update(store, honest, NOW)
    alone = AttestationProof(PACKETS, signatures(made_for, PACKET_TAG, PACKETS)).encode()
    shown = rules.verify_membership(store, Height(0, HEIGHT), alone, (PATH,), VALUE)
    paired_rules, paired_store = paired_client(shown_to)
    update = paired_message(ledger.header, STATE, signatures(shown_to, STATE_TAG, STATE))
    paired_rules.update(paired_store, update, NOW)
    beside = paired_proof(ledger.proof, PACKETS, signatures(made_for, PACKET_TAG, PACKETS))
    place = Height(ledger.revision, HEIGHT)
    both = paired_rules.verify_membership(paired_store, place, beside, ledger.path, VALUE)
    if made_for == shown_to:
        assert shown
        # The CometBFT ledger here holds no store: its native half is what fails.
        assert both or shown_to == "comet"
        return
    assert "signer is not in attestor set" in (shown.refusal or "")
    assert "signer is not in attestor set" in (both.refusal or "")


def test_attestors_of_another_instance_are_not_bound_to_a_client():
    one, other = LEDGERS["first"], LEDGERS["begun anew"]
    rules = PairedClient(one.rules, domain=DOMAIN, own_cell=CELLS[0].address)
    signed = []
    for cell, attestor in attestors("begun anew"):
        record = AttestorKey(other.tag, cell.address, attestor.address, 1)
        both = sign_record(cell, DOMAIN, record), sign_record(attestor, DOMAIN, record)
        signed.append(SignedAttestorKey(record, *both))
    terms = PairedClientState(one.states[0], tuple(signed), 3, CELLS[0].address)
    with pytest.raises(ClientRefused, match="another ledger than the native client's"):
        rules.initialise(DictStore(), terms.as_any(), one.states[1])


def test_a_native_state_that_cannot_be_read_is_refused():
    rules = PairedClient(EvmSealedClient(), domain=DOMAIN, own_cell=CELLS[0].address)
    _, store = paired_client("first")
    terms = PairedClientState.decode(store[b"attestors"])
    spoilt = replace(terms, native=AnyMessage(terms.native.type_url, b"\xff"))
    with pytest.raises(ClientRefused, match="malformed"):
        rules.initialise(DictStore(), spoilt.as_any(), LEDGERS["first"].states[1])
