"""The tree against a naive second one, which copies everything and hashes everything."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.contract.iavl import EMPTY_ROOT, IavlTree


def _varint(number):
    number <<= 1
    out = b""
    while number > 127:
        out += bytes([number % 128 + 128])
        number //= 128
    return out + bytes([number])


class Leaf:
    height, size = 0, 1

    def __init__(self, key, value, version):
        self.key, self.value, self.version = key, value, version

    def hash(self):
        head = _varint(0) + _varint(1) + _varint(self.version)
        key = bytes([len(self.key)]) + self.key
        return sha256(head + key + b"\x20" + sha256(self.value).digest()).digest()


class Inner:
    def __init__(self, key, left, right, version):
        self.key, self.left, self.right, self.version = key, left, right, version
        self.height = 1 + max(left.height, right.height)
        self.size = left.size + right.size

    def hash(self):
        head = _varint(self.height) + _varint(self.size) + _varint(self.version)
        return sha256(head + b"\x20" + self.left.hash() + b"\x20" + self.right.hash()).digest()


def turned(node, v):
    lean = node.left.height - node.right.height
    left, right = node.left, node.right
    if lean > 1:
        if left.left.height < left.right.height:
            x = left.right
            left = Inner(x.key, Inner(left.key, left.left, x.left, v), x.right, v)
        return Inner(left.key, left.left, Inner(node.key, left.right, right, v), v)
    if lean < -1:
        if right.left.height > right.right.height:
            x = right.left
            right = Inner(x.key, x.left, Inner(right.key, x.right, right.right, v), v)
        return Inner(right.key, Inner(node.key, left, right.left, v), right.right, v)
    return node


def put(node, key, value, v):
    if node is None:
        return Leaf(key, value, v), False
    if node.height == 0:
        fresh = Leaf(key, value, v)
        if key == node.key:
            return fresh, True
        if key < node.key:
            return Inner(node.key, fresh, node, v), False
        return Inner(key, node, fresh, v), False
    if key < node.key:
        below, known = put(node.left, key, value, v)
        made = Inner(node.key, below, node.right, v)
    else:
        below, known = put(node.right, key, value, v)
        made = Inner(node.key, node.left, below, v)
    return (made if known else turned(made, v)), known


def take(node, key, v):
    """Return (rest, key that moves up)."""
    if node.height == 0:
        return None, None
    if key < node.key:
        rest, moved = take(node.left, key, v)
        if rest is None:
            return node.right, node.key
        return turned(Inner(node.key, rest, node.right, v), v), moved
    rest, moved = take(node.right, key, v)
    if rest is None:
        return node.left, None
    return turned(Inner(moved or node.key, node.left, rest, v), v), None


KEYS = st.binary(min_size=1, max_size=2)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS),
        st.tuples(st.just("remove"), st.integers(0, 1000)),
        st.tuples(st.just("commit"), st.none()),
    ),
    max_size=120,
)


@settings(max_examples=60, deadline=None)
@given(OPERATIONS)
def test_roots_are_those_of_the_naive_tree(operations):
    tree, naive, content = IavlTree(), None, {}
    for index, (name, argument) in enumerate(operations):
        v = tree.version + 1
        if name == "set":
            value = b"%d" % index
            known, tree_known = argument in content, tree.set(argument, value)
            assert known == tree_known
            naive, _ = put(naive, argument, value, v)
            content[argument] = value
        elif name == "remove" and content:
            key = sorted(content)[argument % len(content)]
            assert tree.remove(key) == content.pop(key)
            naive, _ = take(naive, key, v)
        elif name == "commit":
            expected = naive.hash() if naive else EMPTY_ROOT
            assert tree.commit() == expected
    assert tree.root_hash() == (naive.hash() if naive else EMPTY_ROOT)
    assert dict(tree.items()) == content
    assert len(tree) == len(content)
