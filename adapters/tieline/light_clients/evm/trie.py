"""
What an EVM ledger's state holds, or does not hold, under a root: Merkle-Patricia proofs.

Only for tries whose keys are hashes of 32 bytes, as accounts and storage are. A node in a spelling
that no node would write is refused, also where the answer would be the same.

Sources:
    Ethereum yellow paper, appendices C and D.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tieline.wire.errors import Malformed
from tieline.wire.evm import rlp
from tieline.wire.hashes import keccak

EMPTY_ROOT = keccak(b"\x80")
"""Root of a trie without entries."""
EMPTY_CODE_HASH = keccak(b"")

NODE_BYTES_MAX = 640
"""A branch of 16 hashes takes 532, a leaf with an account at most 150."""
NODES_MAX = 1024
"""Of all proofs in one message: sixteen accounts, 64 nodes deep at the very most."""

_NIBBLES = 64
_BRANCH_ITEMS = 17
_PATH_ITEMS = 2
_NODE_DEPTH_MAX = 4
"""A node below 32 bytes stands inside its parent: branch, extension, branch, leaf fill it."""
_HASH_BYTES = 32
_WORD_BITS = 256


class ProofRefused(Exception):
    """The proof shows nothing; carries the first rule it breaks."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the state trie holds of an address."""

    nonce: int
    balance_wei: int
    storage_root: bytes
    code_hash: bytes


class ProofNodes:
    """
    The nodes of one proof or of several under one root, each once, in the order of first use.

    So no node can be left out, added, doubled or moved.
    """

    __slots__ = ("_nodes", "_place", "_taken")

    def __init__(self, nodes: Sequence[bytes]) -> None:
        """Take nodes as RLP. Raises ProofRefused if they are too many or one is too long."""
        if len(nodes) > NODES_MAX:
            raise ProofRefused(f"too many nodes: {len(nodes)}")
        if any(len(node) > NODE_BYTES_MAX for node in nodes):
            raise ProofRefused("node too long")
        self._nodes = nodes
        self._place = 0
        self._taken: dict[bytes, bytes] = {}

    def take(self, node_hash: bytes) -> bytes:
        """Return the node with this hash: one that was taken before, or the next one."""
        taken = self._taken.get(node_hash)
        if taken is not None:
            return taken
        if self._place == len(self._nodes):
            raise ProofRefused(f"node missing: hash={node_hash.hex()}")
        node = self._nodes[self._place]
        if keccak(node) != node_hash:
            raise ProofRefused(f"node of another hash: index={self._place}")
        self._place += 1
        self._taken[node_hash] = node
        return node

    def finish(self) -> None:
        """Raise ProofRefused if a node was not needed."""
        if self._place != len(self._nodes):
            raise ProofRefused(f"nodes left over: {len(self._nodes) - self._place}")


def look_up(root: bytes, key: bytes, nodes: ProofNodes) -> bytes | None:
    """
    Return what is at *key* under *root*, or None if it is shown that nothing is.

    Args:
        root: 32 bytes.
        key: 32 bytes: the hash of an address or of a storage slot.
        nodes: What has been brought.

    Raises:
        ProofRefused: Neither is shown.
    """
    if len(root) != _HASH_BYTES or len(key) != _HASH_BYTES:
        raise ProofRefused("root or key is not a hash")
    try:
        if root == EMPTY_ROOT:
            nodes.take(root)
            return None
        return _descend(root, key.hex(), nodes)
    except Malformed as exc:
        raise ProofRefused(f"node malformed: {exc}") from exc


def look_up_account(state_root: bytes, address: bytes, nodes: ProofNodes) -> Account | None:
    """Return the account at *address* (20 bytes), None if there is none. Raises ProofRefused."""
    value = look_up(state_root, keccak(address), nodes)
    if value is None:
        return None
    try:
        items = rlp.decode_list(value, depth_max=1, items_max=5)
        if len(items) != 4:
            raise ProofRefused(f"account has not four fields: {len(items)}")
        return Account(
            rlp.to_uint(items[0], 64),
            rlp.to_uint(items[1], _WORD_BITS),
            rlp.to_octets(items[2], _HASH_BYTES),
            rlp.to_octets(items[3], _HASH_BYTES),
        )
    except Malformed as exc:
        raise ProofRefused(f"account malformed: {exc}") from exc


def look_up_word(storage_root: bytes, slot: bytes, nodes: ProofNodes) -> bytes | None:
    """
    Return the word at a storage slot, 32 bytes, None for zero, which storage does not keep.

    Raises:
        ProofRefused: Neither is shown.
    """
    value = look_up(storage_root, keccak(slot), nodes)
    if value is None:
        return None
    try:
        number = rlp.to_uint(rlp.decode(value, depth_max=0), _WORD_BITS)
    except Malformed as exc:
        raise ProofRefused(f"stored word malformed: {exc}") from exc
    if not number:
        raise ProofRefused("a stored zero")
    return number.to_bytes(_HASH_BYTES, "big")


def _descend(root: bytes, nibbles: str, nodes: ProofNodes) -> bytes | None:
    """Walk from the root; every step is a hash, or a node inside its parent."""
    at = 0
    node = _node_of(nodes.take(root))
    while True:
        if len(node) == _BRANCH_ITEMS:
            child = _branch_child(node, nibbles, at)
            at += 1
        else:
            path, is_leaf = _path_of(rlp.to_octets(node[0]))
            if is_leaf:
                return _leaf_value(node, path, nibbles, at)
            child = _extension_child(node, path, nibbles, at)
            at += len(path)
        if child is None:
            return None
        below = _follow(child, nodes)
        if len(node) == len(below) == _PATH_ITEMS:
            raise ProofRefused("an extension leads to no branch")
        node = below


def _branch_child(node: list[rlp.Item], nibbles: str, at: int) -> rlp.Item | None:
    if at == _NIBBLES:
        raise ProofRefused("branch below the last nibble")
    if node[16] != b"":
        raise ProofRefused("branch with a value")
    if node.count(b"") > _BRANCH_ITEMS - 2:
        raise ProofRefused("branch with fewer than two children")
    child = node[int(nibbles[at], 16)]
    return None if child == b"" else child


def _leaf_value(node: list[rlp.Item], path: str, nibbles: str, at: int) -> bytes | None:
    if at + len(path) != _NIBBLES:
        raise ProofRefused("leaf of another depth")
    value = rlp.to_octets(node[1])
    if not value:
        raise ProofRefused("leaf without value")
    return value if nibbles.endswith(path) else None


def _extension_child(node: list[rlp.Item], path: str, nibbles: str, at: int) -> rlp.Item | None:
    if not path or at + len(path) >= _NIBBLES:
        raise ProofRefused("extension of another depth")
    _check_reference(node[1])
    return node[1] if nibbles.startswith(path, at) else None


def _follow(child: rlp.Item, nodes: ProofNodes) -> list[rlp.Item]:
    _check_reference(child)
    if not isinstance(child, bytes):
        return _shaped(child)
    data = nodes.take(child)
    if len(data) < _HASH_BYTES:
        raise ProofRefused("a short node by its hash")
    return _node_of(data)


def _check_reference(child: rlp.Item) -> None:
    """A child is named by its hash, or stands here if it is shorter than one."""
    if isinstance(child, bytes):
        if len(child) != _HASH_BYTES:
            raise ProofRefused(f"child is neither hash nor node: bytes={len(child)}")
    elif len(rlp.encode(child)) >= _HASH_BYTES:
        raise ProofRefused("a long node inside its parent")


def _node_of(data: bytes) -> list[rlp.Item]:
    return _shaped(rlp.decode_list(data, depth_max=_NODE_DEPTH_MAX, items_max=NODE_BYTES_MAX))


def _shaped(node: list[rlp.Item]) -> list[rlp.Item]:
    if len(node) not in {_PATH_ITEMS, _BRANCH_ITEMS}:
        raise ProofRefused(f"neither branch nor path: items={len(node)}")
    return node


def _path_of(octets: bytes) -> tuple[str, bool]:
    """Return the nibbles of a compact path, and whether it ends in a leaf."""
    digits = octets.hex()
    flag = digits[:1]
    if flag in {"1", "3"}:
        return digits[1:], flag == "3"
    if flag in {"0", "2"} and digits[1] == "0":
        return digits[2:], flag == "2"
    raise ProofRefused("path of no known kind")
