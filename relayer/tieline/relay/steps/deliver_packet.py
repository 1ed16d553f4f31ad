"""
Bring packets to their destination before tau, each with the evidence that its trade was cleared.

The evidence stands before the receive in the same transaction; it is forgotten at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from tieline.protocol.commitment import packet_commitment_key
from tieline.protocol.denom import TRANSFER_PORT
from tieline.protocol.messages import RecvPacket
from tieline.protocol.packet import Packet
from tieline.relay.effects import (
    NO_HEIGHT,
    NO_SIGNER,
    Effect,
    RelayedMessage,
    StepName,
    effect_name,
)
from tieline.relay.ledger_view import LedgerView
from tieline.relay.packet_journey import JourneyStatus, PacketJourney
from tieline.relay.published import Published
from tieline.relay.view import RelayView
from tieline.swap.messages import MsgTradeEvidence
from tieline.swap.records import EnergyTrade
from tieline.wire.abi import decode_energy_trade
from tieline.wire.errors import Malformed
from tieline.wire.trade_memo import MEMO_KEY, trade_in_memo
from tieline.wire.transfer_data import decode_transfer_data

TRADE_PORT = "energytrade"
_MEMO_MARK = MEMO_KEY.encode()
"""In every transfer that pays for a trade (X1), and in few others."""


def deliver_packet(view: RelayView, board: Published) -> Iterator[Effect]:
    """Decide which packets can be delivered: committed, provable, in time, evidence at hand."""
    for journey in view.journeys_in(JourneyStatus.SENT):
        if journey.destination.ledger_id in view.closed:
            continue
        destination = view.ledgers[journey.destination.ledger_id]
        if not journey.sent_height or destination.time_s >= journey.packet.timeout_s:
            continue
        key = f"recv/{journey.destination.client_id}/{journey.key.sequence}"
        if effect_name(destination.ledger_id, key) in view.blocked:
            continue
        beside = _messages_beside(destination, board, journey.packet)
        if beside is None:
            continue
        effect = _effect(view, journey, key, beside)
        if effect is not None:
            yield effect


def _effect(
    view: RelayView, journey: PacketJourney, key: str, beside: tuple[RelayedMessage, ...]
) -> Effect | None:
    packet = journey.packet
    proof = view.want_proof(
        journey.destination,
        packet_commitment_key(packet.source_client, packet.sequence),
        state_height_min=journey.sent_height,
        is_present=True,
    )
    if proof is None:
        return None
    receive = RecvPacket(NO_SIGNER, packet, b"", NO_HEIGHT)
    return Effect(
        StepName.DELIVER_PACKET,
        journey.destination.ledger_id,
        key,
        (*beside, receive),
        proof,
        deadline_s=packet.timeout_s,
    )


def _messages_beside(
    destination: LedgerView, board: Published, packet: Packet
) -> tuple[RelayedMessage, ...] | None:
    """
    Return what must stand before the receive; None while the destination could not judge it.

    A receive without evidence, or before its clearing is stored, would fail without a receipt.
    """
    trade = _trade_of(packet) if destination.terms.has_cells else None
    if trade is None:
        # Not a trade, or not readable: the destination answers for itself.
        return ()
    if trade.clearing_root not in destination.clearing_roots:
        return None
    evidence = board.evidence(trade.trade_id, destination.terms.chain_tag)
    return None if evidence is None else (MsgTradeEvidence(NO_SIGNER, evidence),)


@lru_cache(maxsize=4_096)
def _trade_of(packet: Packet) -> EnergyTrade | None:
    payload = packet.payloads[0]
    try:
        if payload.destination_port == TRADE_PORT:
            return decode_energy_trade(payload.value)
        if payload.destination_port == TRANSFER_PORT and _MEMO_MARK in payload.value:
            memo = decode_transfer_data(payload.value, payload.encoding).memo
            encoded = trade_in_memo(memo)
            return None if encoded is None else decode_energy_trade(encoded)
    except Malformed:
        return None
    return None
