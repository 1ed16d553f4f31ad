"""
A committed block as the adapter reads it: what was invoked of our chaincode, what it wrote, and
what the peer found it to be. The peer is believed; what is shown to others is proved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tieline.interfaces.errors import Contradicted
from tieline.ledgers.fabric.port import CHAINCODE, Validation
from tieline.wire.errors import Malformed
from tieline.wire.fabric.blocks import Block, is_config_block
from tieline.wire.fabric.lifecycle import LIFECYCLE, sequence_key
from tieline.wire.fabric.rwsets import Write
from tieline.wire.fabric.transactions import EndorserTransaction, decode_transaction

_DEFINED_BY: Final = sequence_key(CHAINCODE)
"""The key that every new definition of our chaincode writes."""


@dataclass(frozen=True, slots=True)
class SeenInvocation:
    """One transaction of our chaincode in a block, valid or not."""

    index: int
    """Its place in the block."""
    tx_id: str
    code: int
    """A ``Validation``."""
    args: tuple[bytes, ...]
    writes: Mapping[str, bytes | None]
    """By physical key; None is a deletion."""
    event: bytes
    """Payload of its chaincode event; empty if it has none."""

    @property
    def is_valid(self) -> bool:
        """Whether it took effect."""
        return self.code == Validation.VALID

    @property
    def function(self) -> bytes:
        """What was asked for."""
        return self.args[0] if self.args else b""


@dataclass(frozen=True, slots=True)
class SeenBlock:
    """One block."""

    number: int
    previous_hash: bytes
    data_hash: bytes
    hash: bytes
    invocations: tuple[SeenInvocation, ...]
    is_config: bool
    """Whether it holds a configuration of the channel."""
    definitions: tuple[tuple[int, tuple[Write, ...]], ...]
    """Places of valid transactions that defined our chaincode anew, and what they wrote."""


def read_block(raw: bytes, fabric_channel: str) -> SeenBlock:
    """
    Read a committed block.

    Args:
        raw: ``common.Block`` with the peer's TRANSACTIONS_FILTER.
        fabric_channel: Transactions of any other are a lie.

    Raises:
        Contradicted: The data is not what the header names, the peer has not said what is valid,
            or something is of another channel.
    """
    try:
        block = Block.decode(raw)
    except Malformed as exc:
        raise Contradicted(f"a peer answers what is no block: {exc}") from exc
    number = block.header.number
    if not block.is_data_of_header:
        raise Contradicted(f"other transactions than the header names: block={number}")
    is_config = is_config_block(block.data)
    codes = block.transactions_filter
    if len(codes) != len(block.data) and number:
        raise Contradicted(
            f"the peer does not say what is valid: block={number} codes={len(codes)} "
            f"transactions={len(block.data)}; orderers do not know it, ask a peer"
        )
    found: list[SeenInvocation] = []
    defined: list[tuple[int, tuple[Write, ...]]] = []
    for index, envelope in enumerate(() if is_config else block.data):
        transaction = _read(envelope, codes[index], (number, index), fabric_channel)
        if transaction is None:
            continue
        if transaction.chaincode == CHAINCODE:
            found.append(_invocation(transaction, index, codes[index]))
        elif transaction.chaincode == LIFECYCLE and codes[index] == Validation.VALID:
            writes = transaction.opened.content.sets.of(LIFECYCLE).writes
            if any(write.key == _DEFINED_BY for write in writes):
                defined.append((index, writes))
    return SeenBlock(
        number=number,
        previous_hash=block.header.previous_hash,
        data_hash=block.header.data_hash,
        hash=block.header.hash(),
        invocations=tuple(found),
        is_config=is_config,
        definitions=tuple(defined),
    )


def _read(
    envelope: bytes, code: int, place: tuple[int, int], fabric_channel: str
) -> EndorserTransaction | None:
    """Return a chaincode's transaction; None for what cannot be read, which is never valid."""
    try:
        transaction = decode_transaction(envelope)
    except Malformed as exc:
        if code != Validation.VALID:
            return None
        raise Contradicted(
            f"called valid, but no transaction: block={place[0]} index={place[1]}: {exc}"
        ) from exc
    if transaction.channel_id == fabric_channel:
        return transaction
    if code != Validation.VALID:
        return None
    raise Contradicted(
        f"block {place[0]} is of channel {transaction.channel_id!r}, not {fabric_channel!r}: "
        "name a peer of the right one"
    )


def _invocation(transaction: EndorserTransaction, index: int, code: int) -> SeenInvocation:
    content = transaction.opened.content
    return SeenInvocation(
        index=index,
        tx_id=transaction.tx_id,
        code=code,
        args=transaction.opened.args,
        writes={
            write.key: None if write.is_deletion else write.value
            for write in content.sets.of(CHAINCODE).writes
        },
        event=b"" if content.event is None else content.event.payload,
    )
