"""
What the IBC host told, in store ``ibc`` and as ibc-go's events. Its clients are attestations
clients, and every client of it has the merkle prefix ``("",)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tieline.contract.ibc_view import decode_counterparty, encode_counterparty
from tieline.contract.twin.state import TwinState, TwinStore, client_id_of
from tieline.light_clients.attestations.messages import (
    ClientState,
    ConsensusState,
    address_text,
)
from tieline.light_clients.store_keys import CLIENT_STATE_KEY, consensus_key
from tieline.protocol.client import Counterparty
from tieline.protocol.commitment import (
    NEXT_CLIENT_NUMBER_KEY,
    acknowledgement_key,
    async_packet_key,
    client_prefix,
    commit_acknowledgement,
    next_sequence_key,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.events import Event
from tieline.protocol.height import Height
from tieline.protocol.packet import Acknowledgement, Packet
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.attestation_proofs import decode_any, encode_any
from tieline.wire.codec import decode_packet, encode_acknowledgement, encode_packet

_CLIENT_TYPE = "attestations"
_PREFIX = (b"",)

Values = Mapping[str, Any]


def client_created(state: TwinState, values: Values) -> None:
    """A client begins to trust at a height."""
    client_id, height = client_id_of(values["client"]), values["height"]
    attestors = tuple(map(address_text, values["attestors"]))
    _write_client(state.ibc, client_id, ClientState(attestors, values["minSignatures"], height))
    _write_time(state.ibc, client_id, height, values["timestamp"])
    state.ibc.set(client_prefix(client_id) + b"creator", state.of.genesis.cell_address)
    state.ibc.set(NEXT_CLIENT_NUMBER_KEY, (values["client"] + 1).to_bytes(8, "big"))
    state.emit(_client_event("create_client", client_id, height))


def counterparty_registered(state: TwinState, values: Values) -> None:
    """A client is paired; packets can be sent from now on."""
    client_id = client_id_of(values["client"])
    counterparty = encode_counterparty(Counterparty(values["counterparty"], _PREFIX))
    state.ibc.set(client_prefix(client_id) + b"counterparty", counterparty)
    state.ibc.set(next_sequence_key(client_id), (1).to_bytes(8, "big"))


def client_updated(state: TwinState, values: Values) -> None:
    """A client holds the time of one more height."""
    client_id, height = client_id_of(values["client"]), values["height"]
    client = _read_client(state.ibc, client_id)
    if height > client.latest_height:
        _write_client(state.ibc, client_id, replace(client, latest_height=height))
    _write_time(state.ibc, client_id, height, values["timestamp"])
    state.emit(_client_event("update_client", client_id, height))


def client_frozen(state: TwinState, values: Values) -> None:
    """Its attestors contradicted themselves."""
    client_id = client_id_of(values["client"])
    client = _read_client(state.ibc, client_id)
    _write_client(state.ibc, client_id, replace(client, is_frozen=True))
    state.emit(_client_event("client_misbehaviour", client_id))


def set_rotated(state: TwinState, values: Values) -> None:
    """A client has other attestors."""
    client_id = client_id_of(values["client"])
    rotated = replace(
        _read_client(state.ibc, client_id),
        attestor_addresses=tuple(map(address_text, values["attestors"])),
        min_required_sigs=values["minSignatures"],
    )
    _write_client(state.ibc, client_id, rotated)


def packet_sent(state: TwinState, values: Values) -> None:
    """A packet's commitment stands."""
    client_id, sequence = client_id_of(values["client"]), values["sequence"]
    packet = decode_packet(values["packet"])
    state.ibc.set(packet_commitment_key(client_id, sequence), values["commitment"])
    state.ibc.set(next_sequence_key(client_id), (sequence + 1).to_bytes(8, "big"))
    state.sent[client_id, sequence] = packet
    state.emit(_packet_event("send_packet", packet))


def packet_received(state: TwinState, values: Values) -> None:
    """A packet's receipt stands: its commitment, by which a late answer is checked."""
    client_id, sequence = client_id_of(values["client"]), values["sequence"]
    packet = decode_packet(values["packet"])
    state.ibc.set(packet_receipt_key(client_id, sequence), values["commitment"])
    state.ibc.set(async_packet_key(client_id, sequence), values["packet"])
    state.received[client_id, sequence] = packet
    state.emit(_packet_event("recv_packet", packet))


def acknowledgement_written(state: TwinState, values: Values) -> None:
    """A packet is answered; who waited for that does no longer."""
    client_id, sequence = client_id_of(values["client"]), values["sequence"]
    answer = Acknowledgement((values["acknowledgement"],))
    state.ibc.set(acknowledgement_key(client_id, sequence), commit_acknowledgement(answer))
    state.ibc.delete(async_packet_key(client_id, sequence))
    event = _packet_event("write_acknowledgement", state.received[client_id, sequence])
    encoded = ("encoded_acknowledgement_hex", encode_acknowledgement(answer).hex())
    state.emit(Event(event.type, (*event.attributes, encoded)))


def packet_acknowledged(state: TwinState, values: Values) -> None:
    """A packet that was sent has ended."""
    _end(state, values, "acknowledge_packet")


def packet_timed_out(state: TwinState, values: Values) -> None:
    """A packet that was sent never arrives."""
    _end(state, values, "timeout_packet")


def packet_skipped(state: TwinState, values: Values) -> None:
    """Nothing was written; the reason is a custom error."""
    client_id = client_id_of(values["client"])
    stored = state.ibc.get(client_prefix(client_id) + b"counterparty")
    source = "" if stored is None else decode_counterparty(stored).client_id
    attributes = (
        ("packet_source_client", source),
        ("packet_dest_client", client_id),
        ("packet_sequence", str(values["sequence"])),
        ("reason", values["reason"].hex()),
    )
    state.emit(Event("packet_skipped", attributes))


def nothing_changed(state: TwinState, values: Values) -> None:
    """Repeats and pauses are in no record of ours."""
    del state, values


def _end(state: TwinState, values: Values, name: str) -> None:
    client_id, sequence = client_id_of(values["client"]), values["sequence"]
    state.ibc.delete(packet_commitment_key(client_id, sequence))
    state.emit(_packet_event(name, state.sent.pop((client_id, sequence))))


def _packet_event(name: str, packet: Packet) -> Event:
    return Event(
        name,
        (
            ("packet_source_client", packet.source_client),
            ("packet_dest_client", packet.destination_client),
            ("packet_sequence", str(packet.sequence)),
            ("packet_timeout_timestamp", str(packet.timeout_s)),
            ("encoded_packet_hex", encode_packet(packet).hex()),
        ),
    )


def _client_event(name: str, client_id: str, height: int | None = None) -> Event:
    attributes = [("client_id", client_id), ("client_type", _CLIENT_TYPE)]
    if height is not None:
        attributes.append(("consensus_heights", str(Height(0, height))))
    return Event(name, tuple(attributes))


def _write_client(ibc: TwinStore, client_id: str, client: ClientState) -> None:
    ibc.set(client_prefix(client_id) + CLIENT_STATE_KEY, encode_any(client.as_any()))


def _read_client(ibc: TwinStore, client_id: str) -> ClientState:
    stored = ibc[client_prefix(client_id) + CLIENT_STATE_KEY]
    return ClientState.decode(decode_any(stored).value)


def _write_time(ibc: TwinStore, client_id: str, height: int, time_s: int) -> None:
    key = client_prefix(client_id) + consensus_key(Height(0, height))
    ibc.set(key, encode_any(ConsensusState(time_s * NANOSECONDS_PER_SECOND).as_any()))
