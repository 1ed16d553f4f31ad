"""
The IBC application on port ``energytrade``: sends with a lock (A3), receives into a reservation
(B1), and what an answer or a timeout does to the source's lock (A5 to A7).

Only ``MsgLockAndSend`` sends here; a packet without a lock would be a promise without money.

Sources:
    ``docs/spec/trade.md`` 3 and 4; ``docs/spec/bytes.md`` (EnergyTrade).
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.contract import trade_events
from tieline.contract.application import RecvResult
from tieline.contract.connector import connector_refusal, mandate_id_of, reserve
from tieline.contract.context import Context, Outcome
from tieline.contract.errors import InvalidMessage
from tieline.contract.evidence import (
    order_refusal,
    position_of,
    read_fills,
    require_clearing,
    require_evidence,
    take_fills,
)
from tieline.contract.keys import pending_key
from tieline.contract.locks import (
    is_hash_lock_used,
    lock_of,
    move_lock,
    open_lock,
    state_of,
)
from tieline.contract.new_locks import lock_of_trade
from tieline.contract.records import LockRecord, PendingRecord, encode_pending
from tieline.contract.registry import require_own_cell
from tieline.contract.router import send_packet
from tieline.contract.slots import bands_of, leads_of
from tieline.contract.terms import (
    clearing_refusal,
    ladder_refusal,
    lock_id_in,
    lock_id_out,
    members_refusal,
    payload_refusal,
    require_members,
)
from tieline.contract.trade_errors import TooLate, TradeRefused
from tieline.protocol.commitment import ERROR_ACKNOWLEDGEMENT, commit_packet
from tieline.protocol.errors import Unauthorized
from tieline.protocol.packet import Packet, Payload
from tieline.swap.ladder import failed_send_time
from tieline.swap.lock import Leg, LockStatus, advance
from tieline.swap.lock_events import (
    AcknowledgedWithRefusal,
    AcknowledgedWithSuccess,
    PacketTimedOut,
)
from tieline.swap.lock_events import Outcome as Moved
from tieline.swap.messages import MsgLockAndSend
from tieline.swap.records import EnergyTrade, Reason, Side
from tieline.wire.abi import decode_energy_trade, decode_trade_ack, encode_energy_trade
from tieline.wire.errors import Malformed
from tieline.wire.hashes import tag

PORT = "energytrade"
VERSION = "tieline-trade-1"
ENCODING = "application/x-solidity-abi"


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A reason that lies in the packet, or in the payee's or connector's funds."""

    reason: Reason
    text: str


# --- sending: A3 ----------------------------------------------------------------------------


def handle_lock_and_send(ctx: Context, message: MsgLockAndSend) -> Outcome:
    """
    Lock the buyers' escrow and send the trades' packets, one after the other.

    Trades that are locked here already are skipped.

    Raises:
        NotPermitted: The signer is not this ledger's utility cell.
        NotYetPosted: Clearing, cell set or evidence is missing, or a proof is false.
        TradeRefused: Fields, ladder, hash lock or orders do not hold.
        TooLate: From the lock deadline on.
    """
    require_own_cell(ctx)
    if not message.trades:
        raise InvalidMessage("no trades")
    is_any_new = False
    for trade in message.trades:
        is_any_new |= _lock_and_send(ctx, trade, message.source_client, message.timeout_s)
    return Outcome.DONE if is_any_new else Outcome.ALREADY_DONE


def _lock_and_send(ctx: Context, trade: EnergyTrade, client: str, timeout_s: int) -> bool:
    payload = payload_of(trade)
    if trade.source_chain_tag != ctx.chain_tag:
        raise TradeRefused("trade of another source", chain_tag=trade.source_chain_tag.hex())
    _require(payload_refusal(trade), Reason.PAYLOAD)
    if lock_of(ctx, trade.lock_id_in) is not None:
        return False
    _require(ladder_refusal(ctx, trade, timeout_s), Reason.LADDER)
    late = failed_send_time(leads_of(ctx.parameters), trade.slot_start, ctx.now_s)
    if late is not None:
        raise TooLate(str(late), now_s=ctx.now_s)
    if is_hash_lock_used(ctx, trade.hashlock):
        raise TradeRefused("hash lock is used", reason=Reason.H_USED.name)
    _require_clearing_of(ctx, trade)
    evidence = require_evidence(ctx, trade.trade_id, trade.clearing_root)
    fills = read_fills(ctx, evidence, position_of(trade, Side.BUY))
    _require(order_refusal(ctx, fills), Reason.ORDER)
    take_fills(ctx, fills, trade.price_in)
    packet = send_packet(ctx, client, timeout_s, payload)
    record = lock_of_trade(
        trade,
        leg=Leg.IN,
        status=LockStatus.OPEN,
        payer=trade.buyer,
        payee=trade.connector_in,
        is_buyer_pool=fills.is_pool,
        price=trade.price_in,
        expiry=trade.expiry_in,
        tau=timeout_s,
        peer_chain_tag=trade.dest_chain_tag,
        peer_lock_id=lock_id_out(trade),
        client=client,
        sequence=packet.sequence,
        packet_commitment=commit_packet(packet),
    )
    open_lock(ctx, trade.lock_id_in, record)
    return True


def _require(refusal: str | None, reason: Reason) -> None:
    if refusal is not None:
        raise TradeRefused(refusal, reason=reason.name)


def _require_clearing_of(ctx: Context, trade: EnergyTrade) -> None:
    stored = require_clearing(ctx, trade.clearing_root)
    _require(clearing_refusal(stored, trade), Reason.CELL_SET)
    _require(members_refusal(require_members(ctx, trade.cell_set_id), trade), Reason.CELL_SET)


def payload_of(trade: EnergyTrade) -> Payload:
    """Return the trade as a packet carries it. Raises TradeRefused if the other end would."""
    try:
        value = encode_energy_trade(trade)
        decode_energy_trade(value)  # the other end refuses versions and levels by it
    except Malformed as exc:
        raise TradeRefused(f"trade is malformed: {exc}") from exc
    return Payload(PORT, PORT, VERSION, ENCODING, value)


# --- receiving and answers: B1, A5, A6, A7 ----------------------------------------------------


class EnergyTradeApplication:
    """What sits behind the port. Stateless; everything is in the context's stores."""

    @property
    def port(self) -> str:
        """The port on both ends."""
        return PORT

    @property
    def allows_plain_send(self) -> bool:
        """Never: only ``MsgLockAndSend`` sends here."""
        return False

    def on_send(self, ctx: Context, packet: Packet) -> None:
        """Nothing is sent here plainly. Raises Unauthorized."""
        port = packet.payloads[0].source_port
        raise Unauthorized("no plain sends on this port", port=port, signer=ctx.signer.hex())

    def speaks(self, payload: Payload) -> bool:
        """Say whether version, encoding and source port are ours."""
        return (payload.version, payload.encoding, payload.source_port) == (
            VERSION,
            ENCODING,
            PORT,
        )

    def on_recv(self, ctx: Context, packet: Packet) -> RecvResult:
        """
        Reserve everything, or refuse for a reason that lies in the packet or in funds.

        Raises:
            NotYetPosted: Clearing, cell set or evidence is missing, or a proof is false.
        """
        refusal = _receive(ctx, packet)
        if refusal is None:
            return RecvResult.later()
        return RecvResult.error(
            trade_events.receive_refused(
                packet.destination_client, packet.sequence, refusal.reason, refusal.text
            )
        )

    def on_acknowledge(self, ctx: Context, packet: Packet, acknowledgement: bytes) -> None:
        """Confirm the lock, or refund what is unclaimed; garbage never refunds."""
        lock_id, record = _lock_of_sent(ctx, packet)
        if acknowledgement == ERROR_ACKNOWLEDGEMENT:
            move_lock(ctx, lock_id, record, AcknowledgedWithRefusal())
            return
        cap_wh = _cap_of(decode_energy_trade(packet.payloads[0].value), acknowledgement)
        event = AcknowledgedWithSuccess(cap_wh)
        expected = advance(state_of(record), event, ctx.now_s)
        if expected.outcome is Moved.MOVED:
            # Before what follows from it: a cap that is paid already closes the lock at once.
            ctx.emit(trade_events.lock_confirmed(lock_id, expected.next_state.cap_wh))
        move_lock(ctx, lock_id, record, event)

    def on_timeout(self, ctx: Context, packet: Packet) -> None:
        """Refund what is unclaimed; IBC has proved absence at or after the timeout."""
        lock_id, record = _lock_of_sent(ctx, packet)
        move_lock(ctx, lock_id, record, PacketTimedOut(proof_time_s=packet.timeout_s))


def _lock_of_sent(ctx: Context, packet: Packet) -> tuple[bytes, LockRecord]:
    """Return the lock of a packet that this ledger sent: only ``MsgLockAndSend`` sends here."""
    lock_id = decode_energy_trade(packet.payloads[0].value).lock_id_in
    record = lock_of(ctx, lock_id)
    assert record is not None, "a packet sent from here has its lock here"
    return lock_id, record


def _cap_of(trade: EnergyTrade, acknowledgement: bytes) -> int | None:
    """Return the cap that the answer states for this very trade, else None."""
    try:
        ack = decode_trade_ack(acknowledgement)
    except Malformed:
        return None
    named = (ack.trade_id, ack.lock_id_out, ack.expiry_out)
    if named != (trade.trade_id, lock_id_out(trade), trade.expiry_out):
        return None
    return ack.cap_wh


def _receive(ctx: Context, packet: Packet) -> _Refusal | None:
    """Judge in the specification's order; the first hit gives the reason."""
    client = packet.destination_client
    try:
        trade = decode_energy_trade(packet.payloads[0].value)
    except Malformed as exc:
        return _Refusal(Reason.PAYLOAD, str(exc))
    if trade.dest_chain_tag != ctx.chain_tag:
        return _Refusal(Reason.PAYLOAD, "trade of another destination")
    if (text := payload_refusal(trade)) is not None:
        return _Refusal(Reason.PAYLOAD, text)
    if (text := ladder_refusal(ctx, trade, packet.timeout_s)) is not None:
        return _Refusal(Reason.LADDER, text)
    if is_hash_lock_used(ctx, trade.hashlock):
        return _Refusal(Reason.H_USED, "hash lock is used")
    stored = require_clearing(ctx, trade.clearing_root)
    if (text := clearing_refusal(stored, trade)) is not None:
        return _Refusal(Reason.CELL_SET, text)
    if (text := members_refusal(require_members(ctx, trade.cell_set_id), trade)) is not None:
        return _Refusal(Reason.CELL_SET, text)
    evidence = require_evidence(ctx, trade.trade_id, trade.clearing_root)
    fills = read_fills(ctx, evidence, position_of(trade, Side.SELL))
    if (text := order_refusal(ctx, fills)) is not None:
        return _Refusal(Reason.ORDER, text)
    if (refusal := connector_refusal(ctx, trade, client)) is not None:
        return _Refusal(*refusal)
    bond_price = bands_of(ctx, trade.slot_start, trade.slot_length).bond_price
    take_fills(ctx, fills, bond_price)
    reserve(ctx, trade, client)
    _open_pending(ctx, packet, trade, is_seller_pool=fills.is_pool, bond_price=bond_price)
    return None


def _open_pending(
    ctx: Context, packet: Packet, trade: EnergyTrade, *, is_seller_pool: bool, bond_price: int
) -> None:
    client, sequence = packet.destination_client, packet.sequence
    commitment = commit_packet(packet)
    lock_id = lock_id_out(trade)
    record = lock_of_trade(
        trade,
        leg=Leg.OUT,
        status=LockStatus.PENDING,
        payer=trade.connector_out,
        payee=trade.seller,
        is_seller_pool=is_seller_pool,
        price=trade.price_out,
        bond_price=bond_price,
        expiry=trade.expiry_out,
        tau=packet.timeout_s,
        peer_chain_tag=trade.source_chain_tag,
        peer_lock_id=lock_id_in(trade),
        client=client,
        sequence=sequence,
        packet_commitment=commitment,
        mandate_id=mandate_id_of(trade, client),
    )
    ctx.state.set(
        pending_key(tag(client), sequence), encode_pending(PendingRecord(lock_id, commitment))
    )
    open_lock(ctx, lock_id, record)
