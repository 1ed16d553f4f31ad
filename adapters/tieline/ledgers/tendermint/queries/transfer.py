"""What a voucher stands for, under the names of ibc-go's transfer module."""

from __future__ import annotations

from cosmpy.protos.ibc.applications.transfer.v1 import query_pb2, token_pb2, transfer_pb2

from tieline.contract import vouchers
from tieline.contract.keys import voucher_trace_key
from tieline.contract.store import TIELINE
from tieline.contract.transfer_errors import TransferError
from tieline.ledgers.tendermint.queries.table import Table
from tieline.ledgers.tendermint.queries.view import (
    InvalidQuery,
    NotFound,
    ReadOnly,
    StateView,
    page_of,
    suffixes,
)
from tieline.protocol.denom import (
    VOUCHER_HASH_BYTES,
    VOUCHER_PREFIX,
    Denom,
    escrow_account,
    parse_denom_path,
    voucher_name,
)
from tieline.protocol.errors import InvalidPayload
from tieline.wire.bech32 import account_to_text

TABLE = Table()


def _message(denom: Denom) -> token_pb2.Denom:
    trace = [token_pb2.Hop(port_id=hop.port, channel_id=hop.client) for hop in denom.trace]
    return token_pb2.Denom(base=denom.base, trace=trace)


@TABLE.answers(query_pb2.QueryParamsRequest, "ibc.applications.transfer.v1.Query/Params")
def _params(_: StateView, __: query_pb2.QueryParamsRequest) -> query_pb2.QueryParamsResponse:
    params = transfer_pb2.Params(send_enabled=True, receive_enabled=True)
    return query_pb2.QueryParamsResponse(params=params)


@TABLE.answers(query_pb2.QueryDenomRequest, "ibc.applications.transfer.v1.Query/Denom")
def _denom(view: StateView, request: query_pb2.QueryDenomRequest) -> query_pb2.QueryDenomResponse:
    name = VOUCHER_PREFIX + request.hash.removeprefix(VOUCHER_PREFIX).upper()
    try:
        found = vouchers.denom_of(ReadOnly(view, TIELINE, b""), name)
    except TransferError as exc:
        raise NotFound(str(exc)) from exc
    return query_pb2.QueryDenomResponse(denom=_message(found))


@TABLE.answers(query_pb2.QueryDenomsRequest, "ibc.applications.transfer.v1.Query/Denoms")
def _denoms(
    view: StateView, request: query_pb2.QueryDenomsRequest
) -> query_pb2.QueryDenomsResponse:
    prefix = voucher_trace_key(b"")
    found = [
        _message(parse_denom_path(path.decode()))
        for voucher_hash, path in suffixes(view, TIELINE, prefix)
        if len(voucher_hash) == VOUCHER_HASH_BYTES
    ]
    chosen, page = page_of(found, request.pagination)
    return query_pb2.QueryDenomsResponse(denoms=chosen, pagination=page)


@TABLE.answers(query_pb2.QueryDenomHashRequest, "ibc.applications.transfer.v1.Query/DenomHash")
def _denom_hash(
    view: StateView, request: query_pb2.QueryDenomHashRequest
) -> query_pb2.QueryDenomHashResponse:
    try:
        denom = parse_denom_path(request.trace)
    except InvalidPayload as exc:
        raise InvalidQuery(str(exc)) from exc
    if view.get(TIELINE, voucher_trace_key(denom.voucher_hash)) is None:
        raise NotFound(f"denomination not found: {request.trace}")
    name = voucher_name(denom.voucher_hash).removeprefix(VOUCHER_PREFIX)
    return query_pb2.QueryDenomHashResponse(hash=name)


@TABLE.answers(
    query_pb2.QueryEscrowAddressRequest, "ibc.applications.transfer.v1.Query/EscrowAddress"
)
def _escrow_address(
    _: StateView, request: query_pb2.QueryEscrowAddressRequest
) -> query_pb2.QueryEscrowAddressResponse:
    if not request.port_id or not request.channel_id:
        raise InvalidQuery("port and client must be named")
    account = escrow_account(request.port_id, request.channel_id)
    return query_pb2.QueryEscrowAddressResponse(escrow_address=account_to_text(account))
