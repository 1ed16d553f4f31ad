"""The packet of a sealed trade, as its source ledger makes it."""

from __future__ import annotations

from tieline.protocol.commitment import commit_packet
from tieline.protocol.packet import Packet, Payload
from tieline.swap.evidence import SlotEvidence
from tieline.swap.ladder import LadderParameters
from tieline.swap.records import EnergyTrade
from tieline.swap.topology import RouteEntry
from tieline.wire.abi import encode_energy_trade

PORT = "energytrade"
VERSION = "tieline-trade-1"
ENCODING = "application/x-solidity-abi"


def packet_commitment(
    route: RouteEntry,
    trade: EnergyTrade,
    sequence: int,
    evidence: SlotEvidence,
    leads: LadderParameters,
) -> bytes:
    """Return the commitment of a trade's packet, 32 bytes."""
    payload = Payload(PORT, PORT, VERSION, ENCODING, encode_energy_trade(trade))
    packet = Packet(
        sequence,
        route.source_client,
        route.dest_client,
        evidence.slot_start - leads.tau_lead_s,
        (payload,),
    )
    return commit_packet(packet)
