"""
What an EVM ledger exports beside its blocks: the roots of trust, and proofs of its last state.

One spelling each: RLP of the fields in their order.
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.wire.errors import Malformed
from tieline.wire.evm import rlp
from tieline.wire.evm.header import ADDRESS_BYTES, HASH_BYTES, EvmHeader, decode_header

_CHAIN_ID_BITS = 64
_ITEMS_MAX = 1_000_000
_ROOT_FIELDS = 5
_PROOF_FIELDS = 2
_GROUP_FIELDS = 3
_PAIR = 2


@dataclass(frozen=True, slots=True)
class TrustRoots:
    """What an audit must be told about a chain; everything else follows."""

    chain_id: int
    """Of EIP-155."""
    genesis_header: bytes
    """RLP of block 0's header."""
    sealers: tuple[bytes, ...]
    """Whose seals make a block final, ascending addresses."""
    host: bytes
    """Address of the IBC host."""
    pinned: tuple[tuple[bytes, bytes], ...]
    """Addresses and code hashes of all contracts that hold state or are run, ascending."""

    def encode(self) -> bytes:
        """Write the roots."""
        pinned: list[rlp.Item] = [list(pair) for pair in self.pinned]
        return rlp.encode(
            [
                rlp.uint_octets(self.chain_id),
                self.genesis_header,
                list(self.sealers),
                self.host,
                pinned,
            ]
        )

    @staticmethod
    def decode(data: bytes) -> TrustRoots:
        """Read what ``encode`` writes. Raises Malformed."""
        items = rlp.decode_list(data)
        if len(items) != _ROOT_FIELDS:
            raise Malformed(f"roots of trust have five fields: {len(items)}")
        pairs = [_list(pair) for pair in _list(items[4])]
        if any(len(pair) != _PAIR for pair in pairs):
            raise Malformed("a pinned contract is an address and a code hash")
        return TrustRoots(
            rlp.to_uint(items[0], _CHAIN_ID_BITS),
            rlp.to_octets(items[1]),
            tuple(rlp.to_octets(one, ADDRESS_BYTES) for one in _list(items[2])),
            rlp.to_octets(items[3], ADDRESS_BYTES),
            tuple(
                (rlp.to_octets(pair[0], ADDRESS_BYTES), rlp.to_octets(pair[1], HASH_BYTES))
                for pair in pairs
            ),
        )

    def read_genesis(self) -> EvmHeader:
        """Return block 0's header. Raises Malformed."""
        return decode_header(self.genesis_header)


@dataclass(frozen=True, slots=True)
class ProvedSlots:
    """Storage slots of one contract, with the nodes that show what they hold."""

    address: bytes
    slots: tuple[bytes, ...]
    """32 bytes each."""
    nodes: tuple[bytes, ...]
    """Of all proofs, each once, in the order in which they come up."""


@dataclass(frozen=True, slots=True)
class FinalProofs:
    """A ledger's last block, sealed, and what its state holds."""

    header: bytes
    """An ``EvmSealedHeader``: header, seals, proofs of the pinned contracts' accounts."""
    groups: tuple[ProvedSlots, ...]

    def encode(self) -> bytes:
        """Write the proofs."""
        groups: list[rlp.Item] = [
            [one.address, list(one.slots), list(one.nodes)] for one in self.groups
        ]
        return rlp.encode([self.header, groups])

    @staticmethod
    def decode(data: bytes) -> FinalProofs:
        """Read what ``encode`` writes. Raises Malformed."""
        items = rlp.decode_list(data, items_max=_ITEMS_MAX)
        if len(items) != _PROOF_FIELDS:
            raise Malformed(f"final proofs have two fields: {len(items)}")
        groups: list[ProvedSlots] = []
        for item in _list(items[1]):
            parts = _list(item)
            if len(parts) != _GROUP_FIELDS:
                raise Malformed("a group has an address, slots and nodes")
            groups.append(
                ProvedSlots(
                    rlp.to_octets(parts[0], ADDRESS_BYTES),
                    tuple(rlp.to_octets(one, HASH_BYTES) for one in _list(parts[1])),
                    tuple(rlp.to_octets(one) for one in _list(parts[2])),
                )
            )
        return FinalProofs(rlp.to_octets(items[0]), tuple(groups))


def _list(item: rlp.Item) -> list[rlp.Item]:
    if isinstance(item, bytes):
        raise Malformed("bytes where a list should be")
    return item
