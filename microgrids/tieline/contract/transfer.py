"""
The IBC application on port ``transfer``: ICS-20 as ibc-go v11 speaks it over IBC v2. PAY leaves
into escrow, vouchers of other ledgers' tokens come and go, conditional transfers become locks.

Sources:
    ibc-go v11 ``apps/transfer/v2/ibc_module.go``, ``keeper/relay.go``, ``keeper/msg_server.go``;
    ``docs/spec/trade.md`` 6; ``docs/spec/trust.md`` 2 (limits).
"""

from __future__ import annotations

from tieline.contract import transfer_events, vouchers
from tieline.contract.application import RecvResult
from tieline.contract.conditional_transfers import (
    ConditionalRefused,
    memo_of_trade,
    receive_conditional,
)
from tieline.contract.context import Context
from tieline.contract.errors import InvalidMessage, OutOfGas
from tieline.contract.keys import outflow_key
from tieline.contract.registry import TICK_S
from tieline.contract.router import send_packet
from tieline.contract.sharded_counters import count_up
from tieline.contract.stock_chains import account_on
from tieline.contract.transfer_errors import (
    DenomNotTransferable,
    ReceiveFailed,
    TransferInvalid,
)
from tieline.contract.transfer_moves import (
    MODULE_TEXT,
    come_back,
    depart,
    payload_of,
)
from tieline.contract.transfer_records import StockChain
from tieline.contract.vouchers import PAY
from tieline.protocol.commitment import ERROR_ACKNOWLEDGEMENT
from tieline.protocol.denom import TRANSFER_PORT, Denom, escrow_account, parse_denom_path
from tieline.protocol.errors import ProtocolError, Unauthorized
from tieline.protocol.messages import Transfer
from tieline.protocol.packet import Packet, Payload
from tieline.protocol.transfer import (
    JSON_ENCODING,
    SUCCESS_ACKNOWLEDGEMENT,
    TRANSFER_AMOUNT_MAX,
    TRANSFER_ENCODINGS,
    TRANSFER_VERSION,
    TransferData,
)
from tieline.wire.bech32 import ACCOUNT_PREFIX, account_to_text
from tieline.wire.errors import Malformed
from tieline.wire.transfer_data import decode_transfer_data

BASE_BYTES_MAX = 128
"""The Cosmos SDK's bound. Paths of vouchers are stored here, by whoever sends them."""
HOPS_MAX = 16
"""More than any token has come through."""

_OURS = StockChain("", ACCOUNT_PREFIX)


def handle_transfer(ctx: Context, message: Transfer) -> None:
    """
    Send tokens of the signer.

    Raises:
        DenomNotTransferable, DenomUnknown, TransferInvalid: What is sent makes no sense.
        InsufficientFunds: The signer holds less.
        CounterpartyNotFound, ClientNotActive, TimeoutElapsed, InvalidTimeout: It cannot be sent.
    """
    denom = vouchers.denom_of(ctx.state, message.denom)
    amount = message.amount
    if amount == TRANSFER_AMOUNT_MAX:  # ibc-go's word for everything
        amount = vouchers.balance(ctx.state, ctx.signer, denom)
    sender = account_to_text(ctx.signer)
    data = TransferData(denom.path, amount, sender, message.receiver, message.memo)
    payload = payload_of(data, message.encoding or JSON_ENCODING)
    packet = send_packet(ctx, message.source_client, message.timeout_s, payload)
    vouchers.debit(ctx.state, ctx.signer, denom, amount)
    depart(ctx, packet, data, denom)


class TransferApplication:
    """What sits behind the port. Stateless; everything is in the context's stores."""

    @property
    def port(self) -> str:
        """The port on both ends."""
        return TRANSFER_PORT

    @property
    def allows_plain_send(self) -> bool:
        """Anyone may send its own tokens by ``MsgSendPacket``."""
        return True

    def speaks(self, payload: Payload) -> bool:
        """Say whether version, encoding and ports are those of ICS-20."""
        return (
            payload.version == TRANSFER_VERSION
            and payload.encoding in TRANSFER_ENCODINGS
            and payload.source_port == payload.destination_port == TRANSFER_PORT
        )

    def on_send(self, ctx: Context, packet: Packet) -> None:
        """
        Take the tokens that a plain send promises.

        Raises:
            InvalidMessage: Another version, encoding or port.
            TransferInvalid: The data does not decode, or its token is none.
            Unauthorized: The signer is not the sender.
            InsufficientFunds: The sender holds less.
        """
        payload = packet.payloads[0]
        if not self.speaks(payload):
            raise InvalidMessage(
                "not ICS-20", version=payload.version, encoding=repr(payload.encoding)
            )
        data = _read(payload)
        if data.sender != account_to_text(ctx.signer):
            raise Unauthorized("sender is not the signer", sender=data.sender)
        denom = _denom_leaving(ctx, data)
        vouchers.debit(ctx.state, ctx.signer, denom, data.amount)
        depart(ctx, packet, data, denom)

    def on_recv(self, ctx: Context, packet: Packet) -> RecvResult:
        """
        Pay the receiver, open a pending lock for a conditional transfer, or refuse.

        Raises:
            NotYetPosted: A conditional transfer lacks evidence, clearing or cell set.
        """
        data: TransferData | None = None
        try:
            data = _read(packet.payloads[0])
            trade = memo_of_trade(data.memo)
            if trade is not None or data.receiver == MODULE_TEXT:
                receive_conditional(ctx, packet, data, trade)
                return RecvResult.later()
            _receive(ctx, packet, data)
        except ConditionalRefused as exc:
            refused = transfer_events.transfer_refused(data, exc.text)
            return RecvResult.error(*refused, exc.reason_record(packet))
        except ProtocolError as exc:
            if exc.true_later or isinstance(exc, OutOfGas):
                raise
            return RecvResult.error(*transfer_events.transfer_refused(data, str(exc)))
        for event in transfer_events.transfer_received(data):
            ctx.emit(event)
        return RecvResult.success(SUCCESS_ACKNOWLEDGEMENT)

    def on_acknowledge(self, ctx: Context, packet: Packet, acknowledgement: bytes) -> None:
        """Undo the send for the sentinel; anything else, even garbage, refunds nothing."""
        data = _read(packet.payloads[0])
        is_success = acknowledgement != ERROR_ACKNOWLEDGEMENT
        if not is_success:
            come_back(ctx, packet, data)
        for event in transfer_events.transfer_acknowledged(data, is_success=is_success):
            ctx.emit(event)

    def on_timeout(self, ctx: Context, packet: Packet) -> None:
        """Undo the send."""
        data = _read(packet.payloads[0])
        come_back(ctx, packet, data)
        for event in transfer_events.transfer_timed_out(data):
            ctx.emit(event)


def _read(payload: Payload) -> TransferData:
    try:
        return decode_transfer_data(payload.value, payload.encoding)
    except Malformed as exc:
        raise TransferInvalid(str(exc)) from exc


def _denom_leaving(ctx: Context, data: TransferData) -> Denom:
    """Return the token that a plain send names by its path; one with this path must be here."""
    denom = parse_denom_path(data.denom)
    known = vouchers.denom_of(ctx.state, denom.name)
    assert known.path == denom.path, "names of vouchers are hashes of their paths"
    return denom


def _receive(ctx: Context, packet: Packet, data: TransferData) -> None:
    receiver = account_on(_OURS, data.receiver)
    if receiver is None:
        raise ReceiveFailed("receiver is no account of this ledger", receiver=repr(data.receiver))
    denom = _denom_named(data)
    client = packet.destination_client
    if denom.came_through(TRANSFER_PORT, packet.source_client):
        home = denom.back()
        vouchers.debit(ctx.state, escrow_account(TRANSFER_PORT, client), home, data.amount)
        if home == PAY:
            _count_outflow(ctx, client, packet.sequence, data.amount)
        vouchers.credit(ctx.state, receiver, home, data.amount)
        return
    voucher = denom.through(TRANSFER_PORT, client)
    if not vouchers.issue(ctx, voucher, data.amount, packet.sequence):
        raise ReceiveFailed(
            "above the supply cap of this voucher", most=ctx.parameters.voucher_supply_cap
        )
    vouchers.credit(ctx.state, receiver, voucher, data.amount)
    ctx.emit(transfer_events.voucher_named(voucher))


def _denom_named(data: TransferData) -> Denom:
    denom = parse_denom_path(data.denom)
    if "/" in denom.base:
        raise DenomNotTransferable("base denomination with a slash", denom=repr(data.denom))
    if len(denom.base.encode()) > BASE_BYTES_MAX or len(denom.trace) > HOPS_MAX:
        raise DenomNotTransferable("denomination too long", hops=len(denom.trace))
    return denom


def _count_outflow(ctx: Context, client: str, sequence: int, amount: int) -> None:
    """Hold PAY that comes out of escrow to the same cap as what trades take out of vaults."""
    tick_start = ctx.now_s // TICK_S * TICK_S
    shards = ctx.parameters.vault_shards
    keys = [outflow_key(client, tick_start, shard) for shard in range(shards)]
    bound = ctx.parameters.outflow_cap_nano_eur
    if not count_up(ctx.state, keys, sequence % shards, amount, bound):
        raise ReceiveFailed("above the outflow cap of this client and slot", most=bound)
