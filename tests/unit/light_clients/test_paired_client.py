"""A pair holds only if both halves hold: for one height, one key, one value, own cell included."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from tieline.contract.multistore import MultiStore
from tieline.interfaces.ledger import StoredValue
from tieline.light_clients.paired import PairedClient
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.light_clients.tendermint.messages import Misbehaviour
from tieline.light_clients.verified import Verified, verify_state, verify_stored
from tieline.protocol.client import ClientStatus
from tieline.protocol.errors import ClientNotActive, ClientRefused, ProofInvalid
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.swap.records import AttestorKey
from tieline.wire.attestation_proofs import (
    PAIRED_URL,
    Paired,
    PairedClientState,
    SignedAttestorKey,
    encode_any,
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
from tieline.wire.keys import SecpKey
from tieline.wire.typed_data import domain_separator, sign_record

SECOND = 10**9
START_S = 1_800_000_000
NOW_NS = (START_S + 60) * SECOND
DOMAIN = domain_separator(b"\x11" * 32)
CELLS = [SecpKey(sha256(b"cell %d" % n).digest()) for n in range(4)]
ATTESTORS = [SecpKey(sha256(b"attestor %d" % n).digest()) for n in range(4)]
STRANGER = SecpKey(sha256(b"stranger").digest())
RULES = PairedClient(TendermintClient(), domain=DOMAIN, own_cell=CELLS[0].address)
KEY, COMMITMENT = b"07-tendermint-0\x01\x00\x00\x00\x00\x00\x00\x00\x01", b"\x09" * 32
PATH = (b"ibc", KEY)


def signed_key(cell, attestor, chain_tag=b"\x22" * 32, domain=DOMAIN):
    record = AttestorKey(chain_tag, cell.address, attestor.address, 1)
    return SignedAttestorKey(
        record, sign_record(cell, domain, record), sign_record(attestor, domain, record)
    )


def terms(native, **changes):
    keys = [signed_key(*both) for both in zip(CELLS, ATTESTORS, strict=True)]
    keys.sort(key=lambda one: one.key.attestor)
    state = PairedClientState(native, tuple(keys), 3, CELLS[0].address)
    return replace(state, **changes)


def state_of(chain, store_root=None):
    header = chain.header(10, app_hash=store_root)
    return replace(chain.consensus_state(), root=header.app_hash)


@pytest.fixture
def stores():
    """A provable store with one commitment."""
    stores = MultiStore(("ibc", "tieline"))
    stores.set("ibc", KEY, COMMITMENT)
    stores.set("ibc", b"another", b"value")
    stores.commit()
    return stores


@pytest.fixture
def followed(chain, store, stores):
    """A paired client whose first height has the root of ``stores``."""
    consensus = state_of(chain, stores.app_hash())
    state = terms(chain.client_state().as_any())
    assert RULES.accepts(state.as_any())
    RULES.initialise(store, state.as_any(), consensus.as_any())
    return store


def signatures(tag, data, signers=ATTESTORS[:3]):
    digest = attestation_digest(tag, data)
    return [key.sign_digest(digest) for key in signers]


def message(header, height=11, time_s=START_S + 11, signers=ATTESTORS[:3], tag=STATE_TAG):
    data = encode_state_attestation(height, time_s)
    return paired_message(header.as_any(), data, signatures(tag, data, signers))


def proof(native, entries, height=10, signers=ATTESTORS[:3], tag=PACKET_TAG):
    data = encode_packet_attestation(height, entries)
    return paired_proof(native, data, signatures(tag, data, signers))


def test_a_header_that_is_attested_is_taken(chain, followed):
    result = RULES.update(followed, message(chain.update(11, 10)), NOW_NS)
    assert result.heights == (Height(1, 11),)
    assert RULES.timestamp_ns(followed, Height(1, 11)) == (START_S + 11) * SECOND
    assert RULES.status(followed, NOW_NS) is ClientStatus.ACTIVE
    assert RULES.client_type == "07-tendermint"


SPOILED_HEADERS = [
    ("another height", {"height": 12}),
    ("not the header's", {"time_s": START_S + 12}),
    ("quorum not met", {"signers": ATTESTORS[:2]}),
    ("duplicate", {"signers": [*ATTESTORS[:2], ATTESTORS[1]]}),
    ("not in attestor set", {"signers": [*ATTESTORS[:3], STRANGER]}),
    ("not in attestor set", {"signers": CELLS[:3]}),
    ("own cell", {"signers": ATTESTORS[1:]}),
    ("not in attestor set", {"tag": PACKET_TAG}),
]


@pytest.mark.parametrize(("reason", "change"), SPOILED_HEADERS)
def test_a_header_whose_attestation_is_spoiled_is_refused(chain, followed, reason, change):
    with pytest.raises(ClientRefused, match=reason):
        RULES.update(followed, message(chain.update(11, 10), **change), NOW_NS)


def test_an_attested_header_that_validators_did_not_sign_is_refused(chain, followed):
    with pytest.raises(ClientRefused, match="not enough signed"):
        RULES.update(followed, message(chain.update(11, 10, silent={0, 1})), NOW_NS)


def test_a_bare_header_is_refused_and_an_empty_attestation_too(chain, followed):
    native = chain.update(11, 10).as_any()
    bare = Paired(encode_any(native), b"").encode()
    for bad in (native, AnyMessage(PAIRED_URL, bare), AnyMessage(PAIRED_URL, b"\x0a\x01")):
        with pytest.raises(ClientRefused):
            RULES.update(followed, bad, NOW_NS)


def test_misbehaviour_stands_alone(chain, followed):
    """A proof that validators lied needs no quorum of cells."""
    one, other = chain.update(20, 10), chain.update(20, 10, app_hash=b"\x01" * 32)
    native = Misbehaviour(one.encode(), other.encode()).as_any()
    paired = AnyMessage(PAIRED_URL, Paired(encode_any(native), b"").encode())
    assert RULES.update(followed, paired, NOW_NS).misbehaviour
    assert RULES.status(followed, NOW_NS) is ClientStatus.FROZEN


def test_what_both_halves_show_is_believed(followed, stores):
    native, gap = stores.prove("ibc", KEY, 1), stores.prove("ibc", b"nothing", 1)
    entries = [(keccak(KEY), COMMITMENT), (keccak(b"nothing"), bytes(32))]
    height = Height(1, 10)
    assert RULES.verify_membership(followed, height, proof(native, entries), PATH, COMMITMENT)
    absent = (b"ibc", b"nothing")
    assert RULES.verify_non_membership(followed, height, proof(gap, entries), absent)


GOOD_ENTRY = [(keccak(KEY), COMMITMENT)]
SPOILED_PROOFS = [
    ("differs", {"entries": [(keccak(KEY), b"\x08" * 32)]}),
    ("differs", {"entries": [(keccak(KEY), bytes(32))]}),
    ("not found", {"entries": [(keccak(b"another"), COMMITMENT)]}),
    ("twice", {"entries": GOOD_ENTRY * 2}),
    ("height mismatch", {"entries": GOOD_ENTRY, "height": 11}),
    ("quorum not met", {"entries": GOOD_ENTRY, "signers": ATTESTORS[:2]}),
    ("own cell", {"entries": GOOD_ENTRY, "signers": ATTESTORS[1:]}),
    ("not in attestor set", {"entries": GOOD_ENTRY, "tag": STATE_TAG}),
]


@pytest.mark.parametrize(("reason", "change"), SPOILED_PROOFS)
def test_a_proof_whose_attestation_is_spoiled_is_refused(followed, stores, reason, change):
    bad = proof(stores.prove("ibc", KEY, 1), **change)
    shown = RULES.verify_membership(followed, Height(1, 10), bad, PATH, COMMITMENT)
    assert not shown
    assert reason in shown.refusal


def test_a_proof_whose_native_half_is_spoiled_is_refused(followed, stores):
    height = Height(1, 10)
    other = stores.prove("ibc", b"another", 1)
    for native in (other, b"", stores.prove("ibc", b"nothing", 1)):
        shown = RULES.verify_membership(
            followed, height, proof(native, GOOD_ENTRY), PATH, COMMITMENT
        )
        assert not shown
    absence = [(keccak(KEY), bytes(32))]
    for native in (stores.prove("ibc", KEY, 1), stores.prove("ibc", b"nothing", 1)):
        assert not RULES.verify_non_membership(followed, height, proof(native, absence), PATH)
    native = stores.prove("ibc", KEY, 1)
    assert not RULES.verify_membership(followed, height, native, PATH, COMMITMENT)
    assert not RULES.verify_membership(followed, height, proof(native, GOOD_ENTRY), PATH, b"\x02")


KEYS = tuple(
    sorted(
        (signed_key(*both) for both in zip(CELLS, ATTESTORS, strict=True)),
        key=lambda one: one.key.attestor,
    )
)
FORGED = replace(KEYS[0], cell_signature=KEYS[0].attestor_signature)
FOREIGN = signed_key(CELLS[0], ATTESTORS[0], domain=domain_separator(b"\x12" * 32))
SPOILED_TERMS = [
    ("ascending", {"attestor_keys": KEYS[::-1]}),
    ("ascending", {"attestor_keys": ()}),
    ("two thirds", {"min_signatures": 2}),
    ("two thirds", {"min_signatures": 5}),
    ("not this ledger's", {"own_cell": CELLS[1].address}),
    ("not signed by both", {"attestor_keys": (FORGED, *KEYS[1:])}),
    ("not signed by both", {"attestor_keys": (FOREIGN,), "min_signatures": 1}),
    ("no attestor", {"attestor_keys": (signed_key(CELLS[1], STRANGER),), "min_signatures": 1}),
    (
        "several ledgers",
        {
            "attestor_keys": tuple(
                sorted(
                    (
                        signed_key(CELLS[0], ATTESTORS[0]),
                        signed_key(CELLS[1], ATTESTORS[1], chain_tag=b"\x23" * 32),
                    ),
                    key=lambda one: one.key.attestor,
                )
            ),
            "min_signatures": 2,
        },
    ),
    (
        "two attestors",
        {
            "attestor_keys": tuple(
                sorted(
                    (signed_key(CELLS[0], ATTESTORS[0]), signed_key(CELLS[0], ATTESTORS[1])),
                    key=lambda one: one.key.attestor,
                )
            ),
            "min_signatures": 2,
        },
    ),
]


@pytest.mark.parametrize(("reason", "change"), SPOILED_TERMS)
def test_a_pair_with_a_bad_attestor_set_is_not_created(chain, store, reason, change):
    state = terms(chain.client_state().as_any(), **change)
    with pytest.raises(ClientRefused, match=reason):
        RULES.initialise(store, state.as_any(), chain.consensus_state().as_any())
    assert not store


def test_a_plain_client_state_is_not_accepted(chain):
    assert not RULES.accepts(chain.client_state().as_any())
    assert not RULES.accepts(terms(AnyMessage("/other", b"x")).as_any())
    assert not RULES.accepts(replace(terms(AnyMessage("/o", b"")).as_any(), value=b"\xff"))


def test_terms_are_read_and_written_byte_for_byte(chain):
    state = terms(chain.client_state().as_any())
    assert PairedClientState.decode(state.encode()) == state


NATIVE = TendermintClient()


def test_a_verified_value_is_made_by_a_light_client_only(chain, store, stores):
    NATIVE.initialise(
        store, chain.client_state().as_any(), state_of(chain, stores.app_hash()).as_any()
    )
    place = Height(1, 10)
    entry = StoredValue(KEY, COMMITMENT, place, stores.prove("ibc", KEY, 1))
    assert verify_stored(NATIVE, store, entry, (b"ibc", b"")).value == entry
    gap = StoredValue(b"nothing", None, place, stores.prove("ibc", b"nothing", 1))
    assert verify_stored(NATIVE, store, gap, (b"ibc", b"")).value == gap
    for lie in (replace(entry, value=b"\x08" * 32), replace(entry, value=None)):
        with pytest.raises(ProofInvalid):
            verify_stored(NATIVE, store, lie, (b"ibc", b""))
    header = chain.update(11, 10).as_any()
    assert verify_state(NATIVE, store, header, Height(1, 11), NOW_NS).value == START_S + 11
    with pytest.raises(TypeError):
        Verified("what an RPC returned", object())


def test_a_client_that_is_not_active_verifies_no_state(chain, store):
    NATIVE.initialise(store, chain.client_state().as_any(), chain.consensus_state().as_any())
    header = chain.update(11, 10).as_any()
    with pytest.raises(ClientNotActive):
        verify_state(NATIVE, store, header, Height(1, 11), NOW_NS + 2_000 * SECOND)
    verify_state(NATIVE, store, header, Height(1, 11), NOW_NS)
    conflict = chain.update(11, 10, app_hash=b"\x01" * 32).as_any()
    with pytest.raises(ClientNotActive):
        verify_state(NATIVE, store, conflict, Height(1, 11), NOW_NS)
