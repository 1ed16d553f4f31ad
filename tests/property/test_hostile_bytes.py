"""Whatever bytes are shown to a light client: refused with a reason, or what was shown before."""

from __future__ import annotations

import pytest
from fakes.signing_chain import START_NS, DictStore, SigningChain
from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.contract.multistore import MultiStore
from tieline.light_clients.ics23 import ProofRefused, verify_membership, verify_non_membership
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.light_clients.tendermint.messages import HEADER_URL, MISBEHAVIOUR_URL, Misbehaviour
from tieline.protocol.errors import ClientRefused
from tieline.protocol.messages import AnyMessage

CHAIN = SigningChain()
CLIENT = TendermintClient()
NOW_NS = START_NS + 60 * 10**9
GOOD = CHAIN.update(20, 10).encode()
OTHER = CHAIN.update(20, 10, app_hash=b"\x01" * 32).encode()
TWO = Misbehaviour(GOOD, GOOD).encode()


def _store():
    store = DictStore()
    CLIENT.initialise(store, CHAIN.client_state().as_any(), CHAIN.consensus_state().as_any())
    return store


def _stores():
    stores = MultiStore(("ibc", "tieline"))
    for number in range(0, 40, 2):
        stores.set("ibc", b"key%02d" % number, b"v%d" % number)
    return stores, stores.commit()


STORES, ROOT = _stores()
PRESENT = STORES.prove("ibc", b"key04", 1)
ABSENT = STORES.prove("ibc", b"key05", 1)


@st.composite
def spoiled(draw, *goods):
    """Bytes of good messages, cut, joined, exchanged, with strange ones between."""
    data = bytearray(draw(st.sampled_from(goods)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        end = draw(st.integers(place, min(len(data), place + 40)))
        other = draw(st.sampled_from(goods))
        start = draw(st.integers(0, len(other) - 1))
        data[place:end] = draw(
            st.one_of(
                st.binary(max_size=12),
                st.just(other[start : start + draw(st.integers(0, 60))]),
                st.integers(0, 2**70).map(lambda n: n.to_bytes(9, "little")),
            )
        )
    return bytes(data)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([HEADER_URL, MISBEHAVIOUR_URL]), spoiled(GOOD, OTHER, TWO))
def test_no_bytes_but_a_signed_header_move_a_client(url, data):
    store = _store()
    before = dict(store)
    try:
        result = CLIENT.update(store, AnyMessage(url, data), NOW_NS)
    except ClientRefused:
        assert store == before
        return
    held = [store[key] for key in store if key.endswith(b"/1-20")]
    assert result.misbehaviour or held


@settings(max_examples=300, deadline=None)
@given(spoiled(PRESENT, ABSENT), st.sampled_from([b"key04", b"key05", b"key06"]))
def test_no_bytes_but_a_proof_show_anything(data, key):
    value = STORES.get("ibc", key)
    if data not in {PRESENT, ABSENT}:
        with pytest.raises(ProofRefused):
            verify_membership(ROOT, (b"ibc", key), data, value or b"v")
        with pytest.raises(ProofRefused):
            verify_non_membership(ROOT, (b"ibc", key), data)
