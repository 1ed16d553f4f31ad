"""
What the transfer application stores, as plain data and as bytes. Keys are in
``tieline.contract.keys``. Decoders raise ``Malformed`` for anything that an encoder did not make.
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.contract.records import decode_amount, encode_amount
from tieline.wire.errors import Malformed

_AMOUNT_BYTES = 16
_TAG_BYTES = 32


@dataclass(frozen=True, slots=True)
class StockChain:
    """A chain with nothing of ours on it, as this ledger's cell vouches for it."""

    client: str
    """This ledger's client of it."""
    account_prefix: str
    """In front of its bech32 accounts."""


@dataclass(frozen=True, slots=True)
class StockParty:
    """A party of a trade on a stock chain; fixed when the lock is opened."""

    client: str
    """This ledger's client of its chain."""
    account: str
    """As its chain spells it."""


@dataclass(frozen=True, slots=True)
class StockTerms:
    """What a lock says of stock chains beyond its record."""

    dest_chain_tag: bytes
    """The seller's ledger."""
    buyer: StockParty | None
    """Whom refunds go home to; None if the buying side is on this ledger."""
    seller: StockParty | None
    """Whom claims are sent to; None if the selling side is on this ledger."""


@dataclass(frozen=True, slots=True)
class OwedRecord:
    """Tokens that could not be sent; whoever retries, they go to this account only."""

    amount: int
    client: str
    receiver: str
    denom_path: str
    """``neur``, or the path of a voucher."""


def _texts(*texts: str) -> bytes:
    encoded = [text.encode() for text in texts]
    return b"".join(len(text).to_bytes(2) + text for text in encoded)


def _read_texts(data: bytes, count: int) -> list[str]:
    texts: list[str] = []
    place = 0
    for _ in range(count):
        start = place + 2
        place = start + int.from_bytes(data[start - 2 : start])
        if start > len(data) or place > len(data):
            raise Malformed("record of a transfer cut short")
        try:
            texts.append(data[start:place].decode())
        except UnicodeDecodeError as exc:
            raise Malformed("record of a transfer is not UTF-8") from exc
    if place != len(data):
        raise Malformed("record of a transfer with more than its fields")
    return texts


def encode_stock_chain(record: StockChain) -> bytes:
    """Encode what 'b' holds."""
    return _texts(record.client, record.account_prefix)


def decode_stock_chain(data: bytes) -> StockChain:
    """Decode what 'b' holds."""
    return StockChain(*_read_texts(data, 2))


def encode_stock_terms(record: StockTerms) -> bytes:
    """Encode what 'j' holds."""
    nobody = StockParty("", "")
    buyer, seller = record.buyer or nobody, record.seller or nobody
    return record.dest_chain_tag + _texts(
        buyer.client, buyer.account, seller.client, seller.account
    )


def decode_stock_terms(data: bytes) -> StockTerms:
    """Decode what 'j' holds."""
    texts = _read_texts(data[_TAG_BYTES:], 4)
    buyer, seller = (
        StockParty(client, account) if client else None
        for client, account in (texts[:2], texts[2:])
    )
    return StockTerms(data[:_TAG_BYTES], buyer, seller)


def encode_owed(record: OwedRecord) -> bytes:
    """Encode what 'u' holds."""
    return encode_amount(record.amount) + _texts(record.client, record.receiver, record.denom_path)


def decode_owed(data: bytes) -> OwedRecord:
    """Decode what 'u' holds."""
    return OwedRecord(decode_amount(data[:_AMOUNT_BYTES]), *_read_texts(data[_AMOUNT_BYTES:], 3))
