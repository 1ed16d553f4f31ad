"""Merkle-Patricia proofs against the reference library: random tries, presence and absence."""

import pytest
import rlp
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from trie import HexaryTrie

from tieline.light_clients.evm.building import pooled_nodes
from tieline.light_clients.evm.trie import (
    EMPTY_ROOT,
    ProofNodes,
    ProofRefused,
    look_up,
    look_up_account,
    look_up_word,
)

# Keys that share long beginnings make extensions, deep branches and nodes inside their parents.
beginnings = st.sampled_from([b"", b"\x11" * 8, b"\x11" * 28, b"\x11" * 31])
keys = st.builds(
    lambda head, tail: (head + tail)[:32], beginnings, st.binary(min_size=32, max_size=32)
)
values = st.one_of(st.binary(min_size=1, max_size=3), st.binary(min_size=1, max_size=110))
tries = st.dictionaries(keys, values, max_size=16)


def grow(entries) -> HexaryTrie:
    tree = HexaryTrie({})
    for key, value in entries.items():
        tree[key] = value
    return tree


def nodes_for(tree: HexaryTrie, key: bytes) -> list[bytes]:
    """As ``eth_getProof``: nodes inside their parents are not listed again, nothing is 0x80."""
    listed = [rlp.encode(node) for node in tree.get_proof(key)]
    return [node for n, node in enumerate(listed) if len(node) >= 32 or n == 0] or [b"\x80"]


def shown(tree: HexaryTrie, key: bytes, nodes) -> bytes | None:
    taken = ProofNodes(nodes)
    found = look_up(tree.root_hash, key, taken)
    taken.finish()
    return found


@given(tries, keys)
@settings(max_examples=80, deadline=None)
def test_every_key_is_shown_to_be_what_it_is(entries, absent):
    tree = grow(entries)
    for key, value in entries.items():
        assert shown(tree, key, nodes_for(tree, key)) == value
    if absent not in entries:
        assert shown(tree, absent, nodes_for(tree, absent)) is None


@given(tries.filter(bool))
@settings(max_examples=30, deadline=None)
def test_the_proofs_of_all_keys_make_one_pool(entries):
    tree = grow(entries)
    pool = ProofNodes(pooled_nodes(nodes_for(tree, key) for key in entries))
    for key, value in entries.items():
        assert look_up(tree.root_hash, key, pool) == value
    pool.finish()


@given(tries, keys, st.data())
@settings(max_examples=80, deadline=None)
def test_a_proof_with_any_byte_changed_shows_nothing(entries, key, data):
    tree = grow(entries)
    nodes = nodes_for(tree, key)
    index = data.draw(st.integers(0, len(nodes) - 1))
    place = data.draw(st.integers(0, len(nodes[index]) - 1))
    flip = data.draw(st.integers(1, 255))
    node = bytearray(nodes[index])
    node[place] ^= flip
    with pytest.raises(ProofRefused):
        shown(tree, key, [*nodes[:index], bytes(node), *nodes[index + 1 :]])


@given(tries.filter(lambda entries: len(entries) > 1), st.data())
@settings(max_examples=30, deadline=None)
def test_a_proof_with_nodes_left_out_added_doubled_or_moved_shows_nothing(entries, data):
    tree = grow(entries)
    key = data.draw(st.sampled_from(sorted(entries)))
    nodes = nodes_for(tree, key)
    spoilt = [nodes[1:], nodes[:-1], [*nodes, nodes[-1]], [nodes[0], *nodes], [*nodes, b"\x80"], []]
    if len(nodes) > 1:
        spoilt.append(nodes[::-1])
    for one in spoilt:
        with pytest.raises(ProofRefused):
            shown(tree, key, one)


@given(tries.filter(bool), st.data())
@settings(max_examples=30, deadline=None)
def test_a_proof_of_one_key_never_shows_another_to_be_there(entries, data):
    tree = grow(entries)
    asked = data.draw(st.sampled_from(sorted(entries)))
    nodes = nodes_for(tree, asked)
    for other, value in entries.items():
        try:
            found = shown(tree, other, nodes)
        except ProofRefused:
            continue
        assert found == value


def test_nothing_is_under_the_root_of_nothing():
    assert HexaryTrie({}).root_hash == EMPTY_ROOT
    assert shown(HexaryTrie({}), bytes(32), [b"\x80"]) is None
    with pytest.raises(ProofRefused, match="node missing"):
        shown(HexaryTrie({}), bytes(32), [])


@given(
    st.dictionaries(st.binary(min_size=32, max_size=32), st.integers(1, 2**256 - 1), max_size=12)
)
@settings(max_examples=30, deadline=None)
def test_storage_words_are_padded_on_the_left(words):
    tree = grow({keccak(slot): rlp.encode(word) for slot, word in words.items()})
    for slot, word in words.items():
        nodes = ProofNodes(nodes_for(tree, keccak(slot)))
        assert look_up_word(tree.root_hash, slot, nodes) == word.to_bytes(32, "big")


@given(
    st.binary(min_size=20, max_size=20),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**256 - 1),
    tries,
)
@settings(max_examples=30, deadline=None)
def test_accounts_are_read_field_by_field(address, nonce, balance, others):
    fields = [nonce, balance, b"r" * 32, b"c" * 32]
    tree = grow({**others, keccak(address): rlp.encode(fields)})
    account = look_up_account(tree.root_hash, address, ProofNodes(nodes_for(tree, keccak(address))))
    assert account is not None
    assert [account.nonce, account.balance_wei, account.storage_root, account.code_hash] == fields
