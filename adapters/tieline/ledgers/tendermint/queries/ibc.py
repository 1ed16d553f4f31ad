"""IBC v2: clients, counterparties and packets, under the names of ibc-go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from cosmpy.protos.ibc.core.channel.v2 import genesis_pb2
from cosmpy.protos.ibc.core.channel.v2 import query_pb2 as channel_pb2
from cosmpy.protos.ibc.core.client.v1 import client_pb2
from cosmpy.protos.ibc.core.client.v1 import query_pb2 as client_pb2_query
from cosmpy.protos.ibc.core.client.v2 import config_pb2, counterparty_pb2
from cosmpy.protos.ibc.core.client.v2 import query_pb2 as client_v2_pb2
from google.protobuf import any_pb2

from tieline.contract.ibc_view import decode_counterparty
from tieline.contract.store import IBC
from tieline.ledgers.tendermint.queries.table import Table
from tieline.ledgers.tendermint.queries.view import (
    InvalidQuery,
    NotFound,
    ReadOnly,
    StateView,
    page_of,
    suffixes,
)
from tieline.light_clients.store_keys import CLIENT_STATE_KEY, consensus_key
from tieline.light_clients.tendermint.messages import revision_of
from tieline.protocol.client import BoundClient
from tieline.protocol.commitment import (
    acknowledgement_key,
    client_prefix,
    next_sequence_key,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.errors import InvalidIdentifier
from tieline.protocol.height import Height
from tieline.protocol.identifiers import client_type_of, parse_client_id
from tieline.protocol.time import TimestampNanoseconds
from tieline.wire.bech32 import account_to_text

_CLIENTS = b"clients/"
_STATES = b"consensusStates/"
_SEQUENCE_BYTES = 8
_SEQUENCES_MAX = 1_000
"""Looked up in one query, so that none holds a block up."""

TABLE = Table()


def _own_height(view: StateView) -> client_pb2.Height:
    revision = revision_of(view.application.genesis.chain_id)
    return client_pb2.Height(revision_number=revision, revision_height=view.height)


def _require_client(client_id: str) -> str:
    try:
        return str(parse_client_id(client_id))
    except InvalidIdentifier as exc:
        raise InvalidQuery(str(exc)) from exc


def _any_of(data: bytes) -> any_pb2.Any:
    return any_pb2.Any.FromString(data)


def _states(view: StateView, client_id: str) -> list[tuple[client_pb2.Height, bytes]]:
    """Return the consensus states that a client holds, ascending."""
    prefix = client_prefix(_require_client(client_id)) + _STATES
    found: list[tuple[int, int, bytes]] = []
    for name, value in suffixes(view, IBC, prefix):
        revision, _, height = name.decode().partition("-")
        found.append((int(revision), int(height), value))
    return [
        (client_pb2.Height(revision_number=revision, revision_height=height), value)
        for revision, height, value in sorted(found)
    ]


def _client_state(view: StateView, client_id: str) -> bytes:
    key = client_prefix(_require_client(client_id)) + CLIENT_STATE_KEY
    data = view.get(IBC, key)
    if data is None:
        raise NotFound(f"{client_id}: light client not found")
    return data


@TABLE.answers(client_pb2_query.QueryClientStateRequest, "ibc.core.client.v1.Query/ClientState")
def _query_client_state(
    view: StateView, request: client_pb2_query.QueryClientStateRequest
) -> client_pb2_query.QueryClientStateResponse:
    state = _any_of(_client_state(view, request.client_id))
    return client_pb2_query.QueryClientStateResponse(
        client_state=state, proof_height=_own_height(view)
    )


@TABLE.answers(client_pb2_query.QueryClientStatesRequest, "ibc.core.client.v1.Query/ClientStates")
def _query_client_states(
    view: StateView, request: client_pb2_query.QueryClientStatesRequest
) -> client_pb2_query.QueryClientStatesResponse:
    ending = b"/" + CLIENT_STATE_KEY
    found = [
        client_pb2.IdentifiedClientState(
            client_id=name.removesuffix(ending).decode(), client_state=_any_of(value)
        )
        for name, value in suffixes(view, IBC, _CLIENTS)
        if name.endswith(ending)
    ]
    chosen, page = page_of(found, request.pagination)
    return client_pb2_query.QueryClientStatesResponse(client_states=chosen, pagination=page)


@TABLE.answers(
    client_pb2_query.QueryConsensusStateRequest, "ibc.core.client.v1.Query/ConsensusState"
)
def _query_consensus_state(
    view: StateView, request: client_pb2_query.QueryConsensusStateRequest
) -> client_pb2_query.QueryConsensusStateResponse:
    prefix = client_prefix(_require_client(request.client_id))
    if request.latest_height:
        height = _bound(view, request.client_id).rules.latest_height(ReadOnly(view, IBC, prefix))
    elif request.revision_height:
        height = Height(request.revision_number, request.revision_height)
    else:
        raise InvalidQuery("consensus state height cannot be 0")
    data = view.get(IBC, prefix + consensus_key(height))
    if data is None:
        raise NotFound(f"client-id: {request.client_id}, height: {height}: no consensus state")
    return client_pb2_query.QueryConsensusStateResponse(
        consensus_state=_any_of(data), proof_height=_own_height(view)
    )


@TABLE.answers(
    client_pb2_query.QueryConsensusStatesRequest, "ibc.core.client.v1.Query/ConsensusStates"
)
def _query_consensus_states(
    view: StateView, request: client_pb2_query.QueryConsensusStatesRequest
) -> client_pb2_query.QueryConsensusStatesResponse:
    chosen, page = page_of(_states(view, request.client_id), request.pagination)
    states = [
        client_pb2.ConsensusStateWithHeight(height=height, consensus_state=_any_of(value))
        for height, value in chosen
    ]
    return client_pb2_query.QueryConsensusStatesResponse(consensus_states=states, pagination=page)


@TABLE.answers(
    client_pb2_query.QueryConsensusStateHeightsRequest,
    "ibc.core.client.v1.Query/ConsensusStateHeights",
)
def _query_consensus_heights(
    view: StateView, request: client_pb2_query.QueryConsensusStateHeightsRequest
) -> client_pb2_query.QueryConsensusStateHeightsResponse:
    chosen, page = page_of(_states(view, request.client_id), request.pagination)
    return client_pb2_query.QueryConsensusStateHeightsResponse(
        consensus_state_heights=[height for height, _ in chosen], pagination=page
    )


def _bound(view: StateView, client_id: str) -> BoundClient:
    _client_state(view, client_id)  # whether it is there
    parsed = parse_client_id(client_id)
    rules = view.application.light_clients.get(client_type_of(parsed))
    if rules is None:
        raise NotFound(f"{client_id}: light client not found")
    return BoundClient(parsed, rules, ReadOnly(view, IBC, client_prefix(parsed)))


@TABLE.answers(client_pb2_query.QueryClientStatusRequest, "ibc.core.client.v1.Query/ClientStatus")
def _query_client_status(
    view: StateView, request: client_pb2_query.QueryClientStatusRequest
) -> client_pb2_query.QueryClientStatusResponse:
    client = _bound(view, request.client_id)
    status = client.status(TimestampNanoseconds(view.application.time_ns))
    return client_pb2_query.QueryClientStatusResponse(status=status.value)


@TABLE.answers(client_pb2_query.QueryClientCreatorRequest, "ibc.core.client.v1.Query/ClientCreator")
def _query_client_creator(
    view: StateView, request: client_pb2_query.QueryClientCreatorRequest
) -> client_pb2_query.QueryClientCreatorResponse:
    data = view.get(IBC, client_prefix(_require_client(request.client_id)) + b"creator")
    if data is None:
        raise NotFound(f"{request.client_id}: light client not found")
    return client_pb2_query.QueryClientCreatorResponse(creator=account_to_text(data))


@TABLE.answers(client_pb2_query.QueryClientParamsRequest, "ibc.core.client.v1.Query/ClientParams")
def _query_client_params(
    view: StateView, _: client_pb2_query.QueryClientParamsRequest
) -> client_pb2_query.QueryClientParamsResponse:
    allowed = sorted(view.application.light_clients)
    params = client_pb2.Params(allowed_clients=allowed)
    return client_pb2_query.QueryClientParamsResponse(params=params)


@TABLE.answers(
    client_v2_pb2.QueryCounterpartyInfoRequest, "ibc.core.client.v2.Query/CounterpartyInfo"
)
def _query_counterparty(
    view: StateView, request: client_v2_pb2.QueryCounterpartyInfoRequest
) -> client_v2_pb2.QueryCounterpartyInfoResponse:
    data = view.get(IBC, client_prefix(_require_client(request.client_id)) + b"counterparty")
    if data is None:
        raise NotFound(f"client {request.client_id}: counterparty not found")
    counterparty = decode_counterparty(data)
    info = counterparty_pb2.CounterpartyInfo(
        merkle_prefix=counterparty.merkle_prefix, client_id=counterparty.client_id
    )
    return client_v2_pb2.QueryCounterpartyInfoResponse(counterparty_info=info)


@TABLE.answers(client_v2_pb2.QueryConfigRequest, "ibc.core.client.v2.Query/Config")
def _query_config(
    view: StateView, request: client_v2_pb2.QueryConfigRequest
) -> client_v2_pb2.QueryConfigResponse:
    _client_state(view, request.client_id)
    return client_v2_pb2.QueryConfigResponse(config=config_pb2.Config())


@TABLE.answers(
    channel_pb2.QueryNextSequenceSendRequest, "ibc.core.channel.v2.Query/NextSequenceSend"
)
def _query_next_sequence(
    view: StateView, request: channel_pb2.QueryNextSequenceSendRequest
) -> channel_pb2.QueryNextSequenceSendResponse:
    data = view.get(IBC, next_sequence_key(_require_client(request.client_id)))
    if data is None:
        raise NotFound(f"sequence not found for client {request.client_id}")
    return channel_pb2.QueryNextSequenceSendResponse(
        next_sequence_send=int.from_bytes(data, "big"), proof_height=_own_height(view)
    )


def _require_few(sequences: Sequence[int]) -> Sequence[int]:
    if len(sequences) > _SEQUENCES_MAX:
        raise InvalidQuery(f"too many sequences: {len(sequences)}, at most {_SEQUENCES_MAX}")
    return sequences


KeyOf = Callable[[str, int], bytes]


def _packet_value(view: StateView, key_of: KeyOf, client_id: str, sequence: int) -> bytes | None:
    if not sequence:
        raise InvalidQuery("packet sequence cannot be 0")
    return view.get(IBC, key_of(_require_client(client_id), sequence))


def _packet_states(
    view: StateView, key_of: KeyOf, client_id: str
) -> Iterator[genesis_pb2.PacketState]:
    prefix = key_of(_require_client(client_id), 0)[:-_SEQUENCE_BYTES]
    for name, value in suffixes(view, IBC, prefix):
        if len(name) == _SEQUENCE_BYTES:
            yield genesis_pb2.PacketState(
                client_id=client_id, sequence=int.from_bytes(name, "big"), data=value
            )


@TABLE.answers(
    channel_pb2.QueryPacketCommitmentRequest, "ibc.core.channel.v2.Query/PacketCommitment"
)
def _query_commitment(
    view: StateView, request: channel_pb2.QueryPacketCommitmentRequest
) -> channel_pb2.QueryPacketCommitmentResponse:
    value = _packet_value(view, packet_commitment_key, request.client_id, request.sequence)
    if value is None:
        raise NotFound("packet commitment hash not found")
    return channel_pb2.QueryPacketCommitmentResponse(
        commitment=value, proof_height=_own_height(view)
    )


@TABLE.answers(
    channel_pb2.QueryPacketCommitmentsRequest, "ibc.core.channel.v2.Query/PacketCommitments"
)
def _query_commitments(
    view: StateView, request: channel_pb2.QueryPacketCommitmentsRequest
) -> channel_pb2.QueryPacketCommitmentsResponse:
    found = list(_packet_states(view, packet_commitment_key, request.client_id))
    chosen, page = page_of(found, request.pagination)
    return channel_pb2.QueryPacketCommitmentsResponse(
        commitments=chosen, pagination=page, height=_own_height(view)
    )


@TABLE.answers(
    channel_pb2.QueryPacketAcknowledgementRequest, "ibc.core.channel.v2.Query/PacketAcknowledgement"
)
def _query_acknowledgement(
    view: StateView, request: channel_pb2.QueryPacketAcknowledgementRequest
) -> channel_pb2.QueryPacketAcknowledgementResponse:
    value = _packet_value(view, acknowledgement_key, request.client_id, request.sequence)
    if value is None:
        raise NotFound("packet acknowledgement hash not found")
    return channel_pb2.QueryPacketAcknowledgementResponse(
        acknowledgement=value, proof_height=_own_height(view)
    )


@TABLE.answers(
    channel_pb2.QueryPacketAcknowledgementsRequest,
    "ibc.core.channel.v2.Query/PacketAcknowledgements",
)
def _query_acknowledgements(
    view: StateView, request: channel_pb2.QueryPacketAcknowledgementsRequest
) -> channel_pb2.QueryPacketAcknowledgementsResponse:
    wanted = set(request.packet_commitment_sequences)
    found = [
        one
        for one in _packet_states(view, acknowledgement_key, request.client_id)
        if not wanted or one.sequence in wanted
    ]
    chosen, page = page_of(found, request.pagination)
    return channel_pb2.QueryPacketAcknowledgementsResponse(
        acknowledgements=chosen, pagination=page, height=_own_height(view)
    )


@TABLE.answers(channel_pb2.QueryPacketReceiptRequest, "ibc.core.channel.v2.Query/PacketReceipt")
def _query_receipt(
    view: StateView, request: channel_pb2.QueryPacketReceiptRequest
) -> channel_pb2.QueryPacketReceiptResponse:
    value = _packet_value(view, packet_receipt_key, request.client_id, request.sequence)
    return channel_pb2.QueryPacketReceiptResponse(
        received=value is not None, proof_height=_own_height(view)
    )


@TABLE.answers(
    channel_pb2.QueryUnreceivedPacketsRequest, "ibc.core.channel.v2.Query/UnreceivedPackets"
)
def _query_unreceived_packets(
    view: StateView, request: channel_pb2.QueryUnreceivedPacketsRequest
) -> channel_pb2.QueryUnreceivedPacketsResponse:
    missing = [
        sequence
        for sequence in _require_few(request.sequences)
        if _packet_value(view, packet_receipt_key, request.client_id, sequence) is None
    ]
    return channel_pb2.QueryUnreceivedPacketsResponse(sequences=missing, height=_own_height(view))


@TABLE.answers(channel_pb2.QueryUnreceivedAcksRequest, "ibc.core.channel.v2.Query/UnreceivedAcks")
def _query_unreceived_acks(
    view: StateView, request: channel_pb2.QueryUnreceivedAcksRequest
) -> channel_pb2.QueryUnreceivedAcksResponse:
    waiting = [
        sequence
        for sequence in _require_few(request.packet_ack_sequences)
        if _packet_value(view, packet_commitment_key, request.client_id, sequence) is not None
    ]
    return channel_pb2.QueryUnreceivedAcksResponse(sequences=waiting, height=_own_height(view))
