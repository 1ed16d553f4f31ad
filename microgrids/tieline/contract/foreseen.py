"""
Which keys a transaction is going to read, as far as its own bytes tell: a host whose state is far
away asks for them all at once.

What a transaction comes to does not depend on it. A key too few costs a request of its own; one too
many stands in the read set for nothing, and may meet somebody's write.

Sources:
    ``docs/adr/0050-keys-read-together.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from tieline.contract.accounts import PAY_DENOM, pay_key
from tieline.contract.cell_sets import cell_set_key
from tieline.contract.connector import mandate_id_of
from tieline.contract.energy_trade import PORT
from tieline.contract.keys import (
    bands_key,
    hash_lock_key,
    local_pending_key,
    lock_key,
    mandate_open_key,
    mandate_record_key,
    order_key,
    orders_count_key,
    outflow_key,
    pending_key,
    shard_of,
    share_cursor_key,
    vault_key,
    verdict_key,
)
from tieline.contract.limits import FORESEEN_KEYS_MAX
from tieline.contract.registry import clearing_key, role_key
from tieline.contract.results import Sender
from tieline.contract.store import IBC, TIELINE
from tieline.contract.terms import lock_id_local
from tieline.light_clients.store_keys import CLIENT_STATE_KEY, consensus_key
from tieline.protocol.commitment import (
    client_prefix,
    next_sequence_key,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.height import Height
from tieline.protocol.messages import AcknowledgePacket, RecvPacket, TimeoutPacket, UpdateClient
from tieline.protocol.packet import Payload
from tieline.swap.messages import (
    MsgApplyVerdict,
    MsgClaim,
    MsgCollectShare,
    MsgLockAndSend,
    MsgOpenLocal,
    MsgPlaceOrders,
    MsgRefund,
    MsgReleaseOrder,
    MsgSend,
    MsgTradeEvidence,
)
from tieline.swap.records import LOCAL_CLIENT, EnergyTrade
from tieline.wire.abi import decode_energy_trade
from tieline.wire.errors import Malformed
from tieline.wire.hashes import tag
from tieline.wire.keys import address_of
from tieline.wire.typed_data import struct_hash

_LOCAL: Final = tag(LOCAL_CLIENT)

Key = tuple[str, bytes]
"""A store's name, and a key in it."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a transaction is going to read."""

    keys: tuple[Key, ...]
    """Each once, in the order in which they were thought of."""
    asks_time: bool
    """Whether it is going to ask for the ledger's time."""


@dataclass(frozen=True, slots=True)
class _Here:
    """What is known besides the message."""

    chain_tag: bytes
    vault_shards: int
    signer_address: bytes


def foresee(sender: Sender, chain_tag: bytes, vault_shards: int) -> Foreseen:
    """
    Return what a transaction will read, at most ``FORESEEN_KEYS_MAX`` keys.

    Args:
        sender: The transaction; it may yet be refused.
        chain_tag: Of this ledger.
        vault_shards: Parts of a vault.
    """
    here = _Here(chain_tag, vault_shards, address_of(sender.decoded.public_key))
    keys: dict[Key, None] = {}
    asks_time = False
    for message in sender.decoded.messages:
        reads = _READS.get(type(message))
        if reads is None:
            continue
        asks_time |= type(message) in _TIMED
        with suppress(Malformed):  # its handler says so, with the words that belong to it
            keys.update(dict.fromkeys(reads(message, here)))
    return Foreseen(tuple(keys)[:FORESEEN_KEYS_MAX], asks_time)


def _ours(*keys: bytes) -> Iterator[Key]:
    return ((TIELINE, key) for key in keys)


def _client(client_id: str, height: Height | None = None) -> Iterator[Key]:
    """Yield what every use of a client reads; with a height, what a proof at it does."""
    prefix = client_prefix(client_id)
    yield IBC, prefix + b"creator"
    yield IBC, prefix + CLIENT_STATE_KEY
    if height is not None:
        yield IBC, prefix + b"counterparty"
        yield IBC, prefix + consensus_key(height)


def _trade_in(payloads: tuple[Payload, ...]) -> EnergyTrade | None:
    payload = payloads[0] if payloads else None
    if payload is None or payload.destination_port != PORT:
        return None
    return decode_energy_trade(payload.value)


# --- money and orders ----------------------------------------------------------------------------


def _send(message: MsgSend, _here: _Here) -> Iterable[Key]:
    if message.denom != PAY_DENOM:
        return ()
    return _ours(pay_key(message.sender), pay_key(message.recipient))


def _place_orders(message: MsgPlaceOrders, _here: _Here) -> Iterable[Key]:
    for signed in message.orders:
        order = signed.order
        yield from _ours(
            order_key(struct_hash(order)),
            bands_key(order.slot_start, order.slot_length),
            orders_count_key(order.account, order.slot_start),
            pay_key(order.account),
        )


def _release_order(message: MsgReleaseOrder, _here: _Here) -> Iterable[Key]:
    return _ours(order_key(message.order_id))


def _collect_share(message: MsgCollectShare, _here: _Here) -> Iterable[Key]:
    leaf = message.allocation
    return _ours(
        lock_key(message.lock_id),
        share_cursor_key(message.lock_id, message.side),
        order_key(leaf.order_id),
        pay_key(leaf.account),
    )


# --- trades --------------------------------------------------------------------------------------


def _evidence(message: MsgTradeEvidence, _here: _Here) -> Iterable[Key]:
    return _ours(*(order_key(own.allocation.order_id) for own in message.evidence.own_leaves))


def _open_local(message: MsgOpenLocal, here: _Here) -> Iterable[Key]:
    trade = message.trade
    return _ours(
        role_key(here.signer_address),
        lock_key(lock_id_local(here.chain_tag, trade)),
        hash_lock_key(trade.hashlock),
        clearing_key(trade.clearing_root),
        cell_set_key(trade.cell_set_id),
        bands_key(trade.slot_start, trade.slot_length),
    )


def _lock_and_send(message: MsgLockAndSend, here: _Here) -> Iterable[Key]:
    yield TIELINE, role_key(here.signer_address)
    for trade in message.trades:
        yield from _ours(
            lock_key(trade.lock_id_in),
            hash_lock_key(trade.hashlock),
            clearing_key(trade.clearing_root),
            cell_set_key(trade.cell_set_id),
        )
    client = message.source_client
    yield from _client(client)
    yield IBC, client_prefix(client) + b"counterparty"
    yield IBC, next_sequence_key(client)


def _receive(message: RecvPacket, here: _Here) -> Iterable[Key]:
    packet = message.packet
    client = packet.destination_client
    yield from _client(client, message.proof_height)
    yield IBC, packet_receipt_key(client, packet.sequence)
    trade = _trade_in(packet.payloads)
    if trade is None:
        return
    shard = shard_of(trade.trade_id, here.vault_shards)
    mandate_id = mandate_id_of(trade, client)
    yield from _ours(
        hash_lock_key(trade.hashlock),
        clearing_key(trade.clearing_root),
        cell_set_key(trade.cell_set_id),
        mandate_record_key(mandate_id),
        mandate_open_key(mandate_id, shard),
        vault_key(trade.connector_out, shard),
        outflow_key(client, trade.slot_start, shard),
        bands_key(trade.slot_start, trade.slot_length),
    )


def _end(message: AcknowledgePacket | TimeoutPacket, _here: _Here) -> Iterable[Key]:
    packet = message.packet
    yield from _client(packet.source_client, message.proof_height)
    yield IBC, packet_commitment_key(packet.source_client, packet.sequence)
    trade = _trade_in(packet.payloads)
    if trade is not None:
        yield TIELINE, lock_key(trade.lock_id_in)


def _apply_verdict(message: MsgApplyVerdict, _here: _Here) -> Iterable[Key]:
    yield TIELINE, verdict_key(message.slot_start)
    for proved in message.leaves:
        leaf = proved.leaf
        if leaf.dest_client == _LOCAL:
            yield TIELINE, local_pending_key(leaf.trade_id)
        else:
            yield TIELINE, pending_key(leaf.dest_client, leaf.sequence)


def _end_of_lock(message: MsgClaim | MsgRefund, _here: _Here) -> Iterable[Key]:
    return _ours(lock_key(message.lock_id))


def _update_client(message: UpdateClient, _here: _Here) -> Iterable[Key]:
    return _client(message.client_id)


_READS: Final[Mapping[type, Callable[[Any, _Here], Iterable[Key]]]] = {
    MsgSend: _send,
    MsgPlaceOrders: _place_orders,
    MsgReleaseOrder: _release_order,
    MsgCollectShare: _collect_share,
    MsgTradeEvidence: _evidence,
    MsgOpenLocal: _open_local,
    MsgLockAndSend: _lock_and_send,
    MsgApplyVerdict: _apply_verdict,
    MsgClaim: _end_of_lock,
    MsgRefund: _end_of_lock,
    RecvPacket: _receive,
    AcknowledgePacket: _end,
    TimeoutPacket: _end,
    UpdateClient: _update_client,
}
_TIMED: Final = frozenset(_READS) - {MsgSend, MsgCollectShare, MsgTradeEvidence}
"""Messages that ask for the time, if they are not refused."""
