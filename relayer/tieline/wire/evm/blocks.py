"""Whole blocks of EVM ledgers, as they are kept and exported: header, transactions, receipts."""

from __future__ import annotations

from dataclasses import dataclass

from tieline.wire.errors import Malformed
from tieline.wire.evm import rlp
from tieline.wire.evm.header import EvmHeader, decode_header

_PARTS = 3
_ITEMS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class EvmBlock:
    """One block. The roots in the header are of these transactions and receipts."""

    header: bytes
    """RLP."""
    transactions: tuple[bytes, ...]
    """As they were broadcast, type byte included."""
    receipts: tuple[bytes, ...]
    """As the receipts trie holds them, type byte included."""

    def encode(self) -> bytes:
        """Write the RLP of the three."""
        return rlp.encode([self.header, list(self.transactions), list(self.receipts)])

    @staticmethod
    def decode(data: bytes) -> EvmBlock:
        """Read what ``encode`` writes. Raises Malformed."""
        parts = rlp.decode_list(data, items_max=_ITEMS_MAX)
        if len(parts) != _PARTS or not isinstance(parts[0], bytes):
            raise Malformed("not a block")
        return EvmBlock(parts[0], _octets(parts[1]), _octets(parts[2]))

    def read_header(self) -> EvmHeader:
        """Return the header's fields. Raises Malformed."""
        return decode_header(self.header)


def _octets(item: rlp.Item) -> tuple[bytes, ...]:
    if isinstance(item, bytes):
        raise Malformed("not a list")
    found = [one for one in item if isinstance(one, bytes)]
    if len(found) != len(item):
        raise Malformed("a list where bytes should be")
    return tuple(found)
