"""Finds, in the blocks of an EVM ledger, what proved each packet message that took effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tieline.contract.twin.state import client_id_of
from tieline.interfaces.ledger import BlockEvents, PacketProof
from tieline.ledgers.packet_proofs import proofs_of_done
from tieline.protocol.events import Event
from tieline.wire.attestations import decode_packet_attestation
from tieline.wire.errors import Malformed
from tieline.wire.evm import contract_calls as calls
from tieline.wire.evm.blocks import EvmBlock
from tieline.wire.evm.declarations import SELECTOR_BYTES
from tieline.wire.evm.transactions import call_data

_STEPS: Final = {
    calls.RECEIVE_PACKETS.selector: (calls.RECEIVE_PACKETS, "recv", "recv_packet"),
    calls.ACKNOWLEDGE_PACKETS.selector: (calls.ACKNOWLEDGE_PACKETS, "ack", "acknowledge_packet"),
    calls.TIMEOUT_PACKETS.selector: (calls.TIMEOUT_PACKETS, "timeout", "timeout_packet"),
}


def packet_proofs(
    blocks: Sequence[BlockEvents], whole_blocks: Sequence[EvmBlock]
) -> list[PacketProof]:
    """Return the proof of each packet message that took effect, as ``proofs_of_done``."""
    transactions = [whole.transactions for whole in whole_blocks]
    return proofs_of_done(blocks, transactions, lambda raw, did: _proofs_of(call_data(raw), did))


def _proofs_of(data: bytes, events: Sequence[Event]) -> Iterator[PacketProof]:
    """Yield the proofs of a call that led to an event; others were skipped or repeats."""
    if data[:SELECTOR_BYTES] == calls.MULTICALL.selector:
        for entry in calls.MULTICALL.decode(data)["calls"]:
            yield from _proofs_of(entry, events)
        return
    known = _STEPS.get(data[:SELECTOR_BYTES])
    if known is None:
        return
    function, step, event_type = known
    try:
        values = function.decode(data)
        height, _ = decode_packet_attestation(values["proof"][0])
    except Malformed:
        return
    client = client_id_of(values["client"])
    place = "packet_dest_client" if step == "recv" else "packet_source_client"
    happened = {
        int(one.get("packet_sequence"))
        for one in events
        if one.type == event_type and one.get(place) == client
    }
    size = sum(map(len, values["proof"]))
    for item in values["packets"]:
        if item[0][0] in happened:
            yield PacketProof(step, client, item[0][0], height, size)
