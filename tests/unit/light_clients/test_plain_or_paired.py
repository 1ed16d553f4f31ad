"""Clients with and without attestors on one ledger: each stays what it was created as."""

from __future__ import annotations

from hashlib import sha256

import pytest

from tieline.light_clients.paired import PairedClient
from tieline.light_clients.plain_or_paired import PlainOrPaired
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.protocol.client import ClientStatus
from tieline.protocol.errors import ClientRefused
from tieline.protocol.height import Height
from tieline.swap.records import AttestorKey
from tieline.wire.attestation_proofs import PairedClientState, SignedAttestorKey
from tieline.wire.keys import SecpKey
from tieline.wire.typed_data import domain_separator, sign_record

NOW_NS = (1_800_000_000 + 60) * 10**9
DOMAIN = domain_separator(b"\x11" * 32)
CELL, ATTESTOR = (SecpKey(sha256(name).digest()) for name in (b"cell", b"attestor"))
NATIVE = TendermintClient()
PAIRED = PairedClient(NATIVE, domain=DOMAIN, own_cell=CELL.address)
RULES = PlainOrPaired(NATIVE, PAIRED)
PATH = (b"ibc", b"07-tendermint-0\x01\x00\x00\x00\x00\x00\x00\x00\x01")


def paired_state(chain):
    record = AttestorKey(b"\x22" * 32, CELL.address, ATTESTOR.address, 1)
    signatures = (sign_record(one, DOMAIN, record) for one in (CELL, ATTESTOR))
    key = SignedAttestorKey(record, *signatures)
    return PairedClientState(chain.client_state().as_any(), (key,), 1, CELL.address).as_any()


def test_a_plain_client_takes_headers_alone(chain, store):
    state = chain.client_state().as_any()
    assert RULES.accepts(state)
    assert not PAIRED.accepts(state), "without leave there are none"
    RULES.initialise(store, state, chain.consensus_state().as_any())
    result = RULES.update(store, chain.update(11, 10).as_any(), NOW_NS)
    assert result.heights == (Height(1, 11),)
    assert RULES.latest_height(store) == Height(1, 11)
    assert RULES.timestamp_ns(store, Height(1, 11)) == NATIVE.timestamp_ns(store, Height(1, 11))
    assert RULES.status(store, NOW_NS) is ClientStatus.ACTIVE
    # It is asked natively: no attestation is missed, the bytes are no proof of a tree.
    answer = RULES.verify_membership(store, Height(1, 10), b"\x0a\x00", PATH, b"\x01" * 32)
    assert "attestation" not in answer.refusal
    assert "attestation" not in RULES.verify_non_membership(store, Height(1, 10), b"", PATH).refusal


def test_a_paired_client_still_wants_its_attestors(chain, store):
    RULES.initialise(store, paired_state(chain), chain.consensus_state().as_any())
    with pytest.raises(ClientRefused, match="not a paired client message"):
        RULES.update(store, chain.update(11, 10).as_any(), NOW_NS)
    answer = RULES.verify_membership(store, Height(1, 10), b"\x0a\x00", PATH, b"\x01" * 32)
    assert "attestation" in answer.refusal
    assert "attestation" in RULES.verify_non_membership(store, Height(1, 10), b"", PATH).refusal
