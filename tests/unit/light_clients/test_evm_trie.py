"""Tries that no ledger would grow are refused, though their hashes fit."""

import pytest
import rlp
from eth_utils import keccak

from tieline.light_clients.evm.trie import (
    NODE_BYTES_MAX,
    NODES_MAX,
    ProofNodes,
    ProofRefused,
    look_up,
    look_up_account,
    look_up_word,
)

KEY = bytes.fromhex("12" * 32)
LONG = b"v" * 40


def leaf(nibbles: str, value=LONG):
    return path("2" if len(nibbles) % 2 == 0 else "3", nibbles, value)


def extension(nibbles: str, child):
    return path("0" if len(nibbles) % 2 == 0 else "1", nibbles, child)


def path(flag: str, nibbles: str, content):
    odd = "" if len(nibbles) % 2 else "0"
    return [bytes.fromhex(flag + odd + nibbles), content]


def branch(children: dict[int, object], value=b""):
    return [children.get(n, b"") for n in range(16)] + [value]


def refusal(*nodes, root=None, key=KEY) -> str:
    encoded = [node if isinstance(node, bytes) else rlp.encode(node) for node in nodes]
    with pytest.raises(ProofRefused) as refused:
        look_up(root or keccak(encoded[0]), key, ProofNodes(encoded))
    return str(refused.value)


def found(*nodes, key=KEY):
    encoded = [rlp.encode(node) for node in nodes]
    return look_up(keccak(encoded[0]), key, ProofNodes(encoded))


def hash_of(node) -> bytes:
    return keccak(rlp.encode(node))


OTHER = leaf("3" * 63)
MINE = leaf(KEY.hex()[1:])


def test_a_hand_made_trie_is_read():
    top = branch({1: hash_of(MINE), 3: hash_of(OTHER)})
    assert found(top, MINE) == LONG
    assert found(top, MINE, key=bytes.fromhex("13" * 32)) is None
    assert found(top, key=bytes.fromhex("23" * 32)) is None
    assert found(extension("12" * 4, b"h" * 32), key=bytes(32)) is None


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([leaf(KEY.hex()[2:])], "leaf of another depth"),
        ([leaf(KEY.hex() + "1")], "leaf of another depth"),
        ([leaf("34" * 31)], "leaf of another depth"),
        ([leaf(KEY.hex(), b"")], "leaf without value"),
        ([leaf(KEY.hex(), [b"v"])], "list where bytes"),
        ([[b"", LONG]], "path of no known kind"),
        ([[b"\x01", LONG]], "path of no known kind"),
        ([[b"\x21" + KEY, LONG]], "path of no known kind"),
        ([[b"\x40" + KEY, LONG]], "path of no known kind"),
        ([[[b"\x20"], LONG]], "list where bytes"),
        ([extension("", b"h" * 32)], "extension of another depth"),
        ([extension(KEY.hex(), b"h" * 32)], "extension of another depth"),
        ([extension("12", b"h" * 31)], "neither hash nor node"),
        ([extension("34", b"h" * 31)], "neither hash nor node"),
        ([extension("12", leaf("1" * 62))], "a long node inside its parent"),
        ([extension("12", hash_of(MINE)), MINE], "leads to no branch"),
        ([extension("12", extension("12", b""))], "leads to no branch"),
        ([branch({1: hash_of(MINE)}), MINE], "fewer than two children"),
        ([branch({})], "fewer than two children"),
        ([branch({1: b"x" * 32, 2: b"y" * 32}, b"value")], "branch with a value"),
        ([branch({1: b"x" * 31, 2: b"y" * 32})], "neither hash nor node"),
        ([branch({1: [], 2: b"y" * 32})], "neither branch nor path"),
        ([branch({1: [b""] * 3, 2: b"y" * 32})], "neither branch nor path"),
        ([branch({1: hash_of(MINE), 2: b"y" * 32}), OTHER], "node of another hash"),
        ([branch({1: hash_of(MINE), 2: b"y" * 32})], "node missing"),
        ([[b"x", b"y", b"z"]], "neither branch nor path"),
        ([rlp.encode(LONG)], "not a list"),
        ([b"\xc0"], "neither branch nor path"),
        ([b"\xf8\x01\x80"], "second spelling"),
    ],
)
def test_a_trie_that_no_ledger_grows_is_refused(nodes, reason):
    assert reason in refusal(*nodes)


def test_a_short_node_by_its_hash_is_refused():
    deep = KEY.hex()[:62]
    short = branch({1: leaf("2", b"a"), 2: leaf("2", b"b")})
    assert len(rlp.encode(short)) < 32
    assert found(extension(deep, short)) == b"a"
    assert "a short node by its hash" in refusal(extension(deep, hash_of(short)), short)


def test_a_branch_below_the_last_nibble_is_refused():
    last = branch({1: b"x" * 32, 2: b"y" * 32})
    below = branch({2: hash_of(last), 3: b"z" * 32})
    top = extension(KEY.hex()[:63], hash_of(below))
    assert "branch below the last nibble" in refusal(top, below, last)


def test_roots_and_keys_that_are_no_hashes_are_refused():
    assert "not a hash" in refusal(MINE, key=b"short")
    assert "not a hash" in refusal(MINE, root=b"short")


def test_more_or_longer_nodes_than_any_trie_needs_are_refused():
    ProofNodes([b"\x80"] * NODES_MAX)
    with pytest.raises(ProofRefused, match="too many nodes"):
        ProofNodes([b"\x80"] * (NODES_MAX + 1))
    ProofNodes([bytes(NODE_BYTES_MAX)])
    with pytest.raises(ProofRefused, match="node too long"):
        ProofNodes([bytes(NODE_BYTES_MAX + 1)])


@pytest.mark.parametrize(
    "value",
    [
        rlp.encode([1, 1, b"r" * 32]),
        rlp.encode([1, 1, b"r" * 32, b"c" * 32, 1]),
        rlp.encode([1, 1, b"r" * 31, b"c" * 32]),
        rlp.encode([1, 1, b"r" * 32, b"c" * 33]),
        rlp.encode([b"\0\1", 1, b"r" * 32, b"c" * 32]),
        rlp.encode([2**64, 1, b"r" * 32, b"c" * 32]),
        rlp.encode([1, 2**256, b"r" * 32, b"c" * 32]),
        rlp.encode([[], 1, b"r" * 32, b"c" * 32]),
        rlp.encode(b"account"),
        rlp.encode([1, 1, b"r" * 32, b"c" * 32]) + b"\0",
    ],
)
def test_an_account_of_another_form_is_refused(value):
    address = b"a" * 20
    node = rlp.encode(leaf(keccak(address).hex(), value))
    with pytest.raises(ProofRefused, match="account"):
        look_up_account(keccak(node), address, ProofNodes([node]))


@pytest.mark.parametrize(
    "value",
    [rlp.encode(b""), rlp.encode(b"\0"), rlp.encode(b"\0\1"), rlp.encode(b"1" * 33), b"\xc0"],
)
def test_a_stored_word_of_another_form_is_refused(value):
    slot = b"s" * 32
    node = rlp.encode(leaf(keccak(slot).hex(), value))
    with pytest.raises(ProofRefused, match="stored"):
        look_up_word(keccak(node), slot, ProofNodes([node]))
