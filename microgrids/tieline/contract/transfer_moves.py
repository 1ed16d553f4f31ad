"""
How tokens leave this ledger and come back when the packet failed: escrow or burning, and the exact
undoing of it. What is sent for a trade has no account of ours behind it: if it comes back, it is
owed to the account it was meant for, and to no other.

Sources:
    ``docs/spec/trade.md`` 6; ibc-go v11 ``apps/transfer/keeper/relay.go``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tieline.contract import transfer_events, vouchers
from tieline.contract.context import Context
from tieline.contract.errors import OutOfGas
from tieline.contract.keys import owed_key
from tieline.contract.router import send_packet
from tieline.contract.stock_chains import account_of
from tieline.contract.transfer_errors import TransferInvalid
from tieline.contract.transfer_records import OwedRecord, decode_owed, encode_owed
from tieline.protocol.denom import TRANSFER_PORT, Denom, escrow_account, parse_denom_path
from tieline.protocol.errors import ProtocolError
from tieline.protocol.packet import Packet, Payload
from tieline.protocol.transfer import JSON_ENCODING, TRANSFER_VERSION, TransferData
from tieline.wire.bech32 import account_to_text
from tieline.wire.errors import Malformed
from tieline.wire.hashes import keccak, tag
from tieline.wire.transfer_data import encode_transfer_data

MODULE_ACCOUNT: Final = keccak(tag("tieline/trade-module/v1"))[-20:]
"""Without a key, the same on every ledger: conditional transfers are sent to it, exits from it."""

MODULE_TEXT: Final = account_to_text(MODULE_ACCOUNT)


def payload_of(data: TransferData, encoding: str) -> Payload:
    """Return a transfer as a packet carries it. Raises TransferInvalid."""
    try:
        value = encode_transfer_data(data, encoding)
    except Malformed as exc:
        raise TransferInvalid(str(exc)) from exc
    return Payload(TRANSFER_PORT, TRANSFER_PORT, TRANSFER_VERSION, encoding, value)


def depart(ctx: Context, packet: Packet, data: TransferData, denom: Denom) -> None:
    """Burn what goes home, hold the rest in escrow; the sender was debited already."""
    if denom.came_through(TRANSFER_PORT, packet.source_client):
        vouchers.withdraw_issue(ctx, denom, data.amount, packet.sequence)
    else:
        escrow = escrow_account(TRANSFER_PORT, packet.source_client)
        vouchers.credit(ctx.state, escrow, denom, data.amount)
    for event in transfer_events.transfer_sent(data):
        ctx.emit(event)


def come_back(ctx: Context, packet: Packet, data: TransferData) -> None:
    """Undo a departure: to the sender, or owed to the receiver if a trade had sent it."""
    denom = parse_denom_path(data.denom)
    if denom.came_through(TRANSFER_PORT, packet.source_client):
        vouchers.issue_again(ctx, denom, data.amount, packet.sequence)
    else:
        escrow = escrow_account(TRANSFER_PORT, packet.source_client)
        vouchers.debit(ctx.state, escrow, denom, data.amount)
    if data.sender == MODULE_TEXT:
        add_owed(ctx, packet.source_client, data.receiver, denom, data.amount)
    else:
        vouchers.credit(ctx.state, account_of(data.sender), denom, data.amount)


# --- exits: money of a trade on its way to a stock chain -----------------------------------------


def send_exit(
    ctx: Context, client: str, receiver: str, denom: Denom, amount: int, memo: str
) -> Packet:
    """
    Send tokens that the caller has taken from a lock or from what is owed.

    Raises:
        ProtocolError: The client cannot send now.
    """
    data = TransferData(denom.path, amount, MODULE_TEXT, receiver, memo)
    timeout_s = ctx.now_s + ctx.parameters.transfer_timeout_s
    packet = send_packet(ctx, client, timeout_s, payload_of(data, JSON_ENCODING))
    depart(ctx, packet, data, denom)
    return packet


def send_exit_or_owe(
    ctx: Context, client: str, receiver: str, denom: Denom, amount: int, memo: str
) -> None:
    """Send, or owe if that is refused: an exit from a lock never waits for a client."""
    if not amount:
        return
    mark = ctx.checkpoint()
    try:
        send_exit(ctx, client, receiver, denom, amount, memo)
    except OutOfGas:
        raise
    except ProtocolError:
        ctx.rollback(mark)
        add_owed(ctx, client, receiver, denom, amount)


def owed_id_of(client: str, receiver: str, denom: Denom) -> bytes:
    """Return what tells one debt to an account from another, 32 bytes."""
    return keccak(tag(client) + tag(receiver) + tag(denom.path))


def owed(ctx: Context, account: bytes, owed_id: bytes) -> OwedRecord | None:
    """Return what is owed to an account under an id."""
    value = ctx.state.get(owed_key(account, owed_id))
    return None if value is None else decode_owed(value)


def add_owed(ctx: Context, client: str, receiver: str, denom: Denom, amount: int) -> None:
    """Remember that tokens belong to *receiver*, which they could not reach."""
    account = account_of(receiver)
    owed_id = owed_id_of(client, receiver, denom)
    before = owed(ctx, account, owed_id)
    record = OwedRecord(amount, client, receiver, denom.path)
    if before is not None:
        record = replace(record, amount=before.amount + amount)
    ctx.state.set(owed_key(account, owed_id), encode_owed(record))
    ctx.emit(transfer_events.owed_added(account, owed_id, record))
