"""The chain itself: consensus parameters, a peer's settings, simulation of a transaction."""

from __future__ import annotations

import json

from cosmpy.protos.cosmos.base.abci.v1beta1 import abci_pb2 as base_abci_pb2
from cosmpy.protos.cosmos.base.node.v1beta1 import query_pb2 as node_pb2
from cosmpy.protos.cosmos.consensus.v1 import query_pb2 as consensus_pb2
from cosmpy.protos.cosmos.params.v1beta1 import params_pb2
from cosmpy.protos.cosmos.params.v1beta1 import query_pb2 as params_query_pb2
from cosmpy.protos.cosmos.staking.v1beta1 import query_pb2 as staking_pb2
from cosmpy.protos.cosmos.staking.v1beta1 import staking_pb2 as staking_types_pb2
from cosmpy.protos.cosmos.tx.v1beta1 import service_pb2, tx_pb2
from cosmpy.protos.tendermint.abci import types_pb2 as abci
from cosmpy.protos.tendermint.types import params_pb2 as consensus_params_pb2
from google.protobuf import any_pb2

from tieline.contract.accounts import PAY_DENOM
from tieline.contract.cosmos_form import cosmos_events
from tieline.contract.fees import GasPrice
from tieline.contract.host import BLOCK_BYTES_MAX
from tieline.ledgers.tendermint.client_terms import ClientTerms
from tieline.ledgers.tendermint.queries.records import abci_event
from tieline.ledgers.tendermint.queries.table import Table
from tieline.ledgers.tendermint.queries.view import InvalidQuery, QueryRefused, StateView
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.proto_fields import Fields

BLOCK_GAS_MAX = -1
"""Blocks are bounded by their bytes, transactions by their own gas."""

TABLE = Table()


class SimulationRefused(QueryRefused):
    """The transaction would be refused; the text says with which code."""

    code = 18
    description = "with gas used"


@TABLE.answers(consensus_pb2.QueryParamsRequest, "cosmos.consensus.v1.Query/Params")
def _consensus_params(
    _: StateView, __: consensus_pb2.QueryParamsRequest
) -> consensus_pb2.QueryParamsResponse:
    block = consensus_params_pb2.BlockParams(max_bytes=BLOCK_BYTES_MAX, max_gas=BLOCK_GAS_MAX)
    params = consensus_params_pb2.ConsensusParams(
        block=block,
        validator=consensus_params_pb2.ValidatorParams(pub_key_types=["ed25519"]),
        abci=consensus_params_pb2.ABCIParams(),
    )
    return consensus_pb2.QueryParamsResponse(params=params)


@TABLE.answers(params_query_pb2.QueryParamsRequest, "cosmos.params.v1beta1.Query/Params")
def _params(
    _: StateView, request: params_query_pb2.QueryParamsRequest
) -> params_query_pb2.QueryParamsResponse:
    if (request.subspace, request.key) != ("baseapp", "BlockParams"):
        raise InvalidQuery(f"unknown subspace or key: {request.subspace}/{request.key}")
    value = json.dumps({"max_bytes": str(BLOCK_BYTES_MAX), "max_gas": str(BLOCK_GAS_MAX)})
    change = params_pb2.ParamChange(subspace=request.subspace, key=request.key, value=value)
    return params_query_pb2.QueryParamsResponse(param=change)


@TABLE.answers(staking_pb2.QueryParamsRequest, "cosmos.staking.v1beta1.Query/Params")
def _staking_params(
    _: StateView, __: staking_pb2.QueryParamsRequest
) -> staking_pb2.QueryParamsResponse:
    """How long validators answer for what they signed: relayers make client states of it."""
    params = staking_types_pb2.Params(bond_denom=PAY_DENOM)
    seconds = ClientTerms().unbonding_period_ns // NANOSECONDS_PER_SECOND
    params.unbonding_time.FromSeconds(seconds)
    return staking_pb2.QueryParamsResponse(params=params)


def _transaction_of(request: service_pb2.SimulateRequest) -> bytes:
    if request.tx_bytes:
        return request.tx_bytes
    if not request.HasField("tx"):
        raise InvalidQuery("empty txBytes is not allowed")
    return tx_pb2.TxRaw(
        body_bytes=request.tx.body.SerializeToString(deterministic=True),
        auth_info_bytes=request.tx.auth_info.SerializeToString(deterministic=True),
        signatures=request.tx.signatures,
    ).SerializeToString(deterministic=True)


@TABLE.answers(service_pb2.SimulateRequest, "cosmos.tx.v1beta1.Service/Simulate")
def _simulate(
    view: StateView, request: service_pb2.SimulateRequest
) -> service_pb2.SimulateResponse:
    result = view.application.simulate(_transaction_of(request))
    if result.code:
        raise SimulationRefused(
            f"{result.log} (codespace {result.codespace}, code {result.code}),"
            f" gas used: {result.gas_used}"
        )
    events: list[abci.Event] = [abci_event(one) for one in cosmos_events(result)]
    responses = [any_pb2.Any.FromString(one) for one in Fields(result.data, known=2).each_bytes(2)]
    return service_pb2.SimulateResponse(
        gas_info=base_abci_pb2.GasInfo(gas_wanted=result.gas_wanted, gas_used=result.gas_used),
        result=base_abci_pb2.Result(
            data=result.data, log=result.log, events=events, msg_responses=responses
        ),
    )


def table_of_peer(least: GasPrice) -> Table:
    """Return what a peer answers of its own settings."""
    table = Table()

    @table.answers(node_pb2.ConfigRequest, "cosmos.base.node.v1beta1.Service/Config")
    def _config(_: StateView, __: node_pb2.ConfigRequest) -> node_pb2.ConfigResponse:
        return node_pb2.ConfigResponse(minimum_gas_price=str(least))

    @table.answers(node_pb2.StatusRequest, "cosmos.base.node.v1beta1.Service/Status")
    def _status(view: StateView, _: node_pb2.StatusRequest) -> node_pb2.StatusResponse:
        application = view.application
        status = node_pb2.StatusResponse(height=application.height, app_hash=application.app_hash)
        status.timestamp.FromNanoseconds(application.time_ns)
        return status

    return table
