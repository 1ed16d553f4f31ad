"""``cosmos.base.tendermint.v1beta1.Service``: blocks, validators, the peer itself."""

from __future__ import annotations

from typing import Any, cast

from cosmpy.protos.cosmos.base.tendermint.v1beta1 import query_pb2, types_pb2
from cosmpy.protos.cosmos.crypto.ed25519 import keys_pb2
from cosmpy.protos.tendermint.p2p import types_pb2 as p2p_pb2
from cosmpy.protos.tendermint.types import block_pb2
from cosmpy.protos.tendermint.types import types_pb2 as core_pb2
from google.protobuf import any_pb2
from google.protobuf.message import Message

from tieline.ledgers.tendermint.gateway.refusal import Refusal, Status
from tieline.ledgers.tendermint.queries.records import VERSION
from tieline.ledgers.tendermint.rpc import PAGE, CometRpc, Json, from_base64
from tieline.ledgers.tendermint.rpc_records import block_id_of, block_of
from tieline.wire.bech32 import ACCOUNT_PREFIX, account_to_text

SDK_VERSION = "0.53.0"
"""Of the Cosmos SDK, whose behaviour this follows; none of it runs here."""
_VALIDATORS_PREFIX = f"{ACCOUNT_PREFIX}valcons"
_PROPOSER = "proposer_address"


def block_of_answer(raw: Json) -> tuple[core_pb2.BlockID, block_pb2.Block]:
    """Return a block of the answer of ``block``; evidence in it is left out."""
    identity = core_pb2.BlockID.FromString(block_id_of(raw["block_id"]).encode())
    whole = block_of(raw["block"] | {"evidence": {"evidence": []}})
    return identity, block_pb2.Block.FromString(whole.encode())


def _sdk_block(block: block_pb2.Block) -> types_pb2.Block:
    """Return the block as newer Cosmos clients read it: the proposer as text."""
    copied = types_pb2.Block(
        data=block.data, evidence=block.evidence, last_commit=block.last_commit
    )
    for field, value in cast("Any", block.header).ListFields():
        if field.name == _PROPOSER:
            copied.header.proposer_address = account_to_text(value, _VALIDATORS_PREFIX)
        elif isinstance(value, Message):
            getattr(copied.header, field.name).CopyFrom(value)
        else:
            setattr(copied.header, field.name, value)
    return copied


class ChainService:
    """Asks one peer."""

    def __init__(self, rpc: CometRpc) -> None:
        """Ask *rpc*."""
        self._rpc = rpc

    async def latest_block(
        self, _: query_pb2.GetLatestBlockRequest
    ) -> query_pb2.GetLatestBlockResponse:
        """Return the newest block."""
        identity, block = block_of_answer(await self._rpc.call("block"))
        return query_pb2.GetLatestBlockResponse(
            block_id=identity, block=block, sdk_block=_sdk_block(block)
        )

    async def block_by_height(
        self, request: query_pb2.GetBlockByHeightRequest
    ) -> query_pb2.GetBlockByHeightResponse:
        """Return a block. Raises Refusal."""
        if request.height < 1:
            raise Refusal(Status.INVALID_ARGUMENT, "requested block height must be above zero")
        answer = await self._rpc.call("block", height=str(request.height))
        identity, block = block_of_answer(answer)
        return query_pb2.GetBlockByHeightResponse(
            block_id=identity, block=block, sdk_block=_sdk_block(block)
        )

    async def node_info(self, _: query_pb2.GetNodeInfoRequest) -> query_pb2.GetNodeInfoResponse:
        """Say who the peer is and what runs on it."""
        raw: Json = (await self._rpc.call("status"))["node_info"]
        protocol, other = raw["protocol_version"], raw["other"]
        default = p2p_pb2.DefaultNodeInfo(
            protocol_version=p2p_pb2.ProtocolVersion(
                p2p=int(protocol["p2p"]), block=int(protocol["block"]), app=int(protocol["app"])
            ),
            default_node_id=raw["id"],
            listen_addr=raw["listen_addr"],
            network=raw["network"],
            version=raw["version"],
            channels=bytes.fromhex(raw["channels"]),
            moniker=raw["moniker"],
            other=p2p_pb2.DefaultNodeInfoOther(
                tx_index=other["tx_index"], rpc_address=other["rpc_address"]
            ),
        )
        version = query_pb2.VersionInfo(
            name="tieline",
            app_name="tieline",
            version=VERSION,
            cosmos_sdk_version=SDK_VERSION,
        )
        return query_pb2.GetNodeInfoResponse(default_node_info=default, application_version=version)

    async def syncing(self, _: query_pb2.GetSyncingRequest) -> query_pb2.GetSyncingResponse:
        """Say whether the peer is still behind the others."""
        status = await self._rpc.call("status")
        return query_pb2.GetSyncingResponse(syncing=status["sync_info"]["catching_up"])

    async def latest_validators(
        self, request: query_pb2.GetLatestValidatorSetRequest
    ) -> query_pb2.GetLatestValidatorSetResponse:
        """Return a page of the newest validators."""
        height, members, total = await self._validators(
            request.pagination.offset, request.pagination.limit, {}
        )
        answer = query_pb2.GetLatestValidatorSetResponse(block_height=height, validators=members)
        answer.pagination.total = total
        return answer

    async def validators_by_height(
        self, request: query_pb2.GetValidatorSetByHeightRequest
    ) -> query_pb2.GetValidatorSetByHeightResponse:
        """Return a page of the validators of a height."""
        height, members, total = await self._validators(
            request.pagination.offset, request.pagination.limit, {"height": str(request.height)}
        )
        answer = query_pb2.GetValidatorSetByHeightResponse(block_height=height, validators=members)
        answer.pagination.total = total
        return answer

    async def _validators(
        self, offset: int, limit: int, place: Json
    ) -> tuple[int, list[query_pb2.Validator], int]:
        size = min(limit or PAGE, PAGE)
        page = offset // size + 1
        raw = await self._rpc.call("validators", page=str(page), per_page=str(size), **place)
        members = [_validator(one) for one in raw["validators"]]
        return int(raw["block_height"]), members, int(raw["total"])

    async def abci_query(self, request: query_pb2.ABCIQueryRequest) -> query_pb2.ABCIQueryResponse:
        """Pass a query on as it is."""
        answer = await self._rpc.call(
            "abci_query",
            path=request.path,
            data=request.data.hex(),
            height=str(request.height),
            prove=request.prove,
        )
        raw: Json = answer["response"]
        proof: Json = raw.get("proofOps") or Json()
        operations: list[Json] = proof.get("ops") or list[Json]()
        response = query_pb2.ABCIQueryResponse(
            code=raw.get("code", 0),
            log=raw.get("log", ""),
            info=raw.get("info", ""),
            index=int(raw.get("index", 0)),
            key=from_base64(raw.get("key")),
            value=from_base64(raw.get("value")),
            height=int(raw.get("height", 0)),
            codespace=raw.get("codespace", ""),
        )
        for one in operations:
            response.proof_ops.ops.add(
                type=one["type"], key=from_base64(one["key"]), data=from_base64(one["data"])
            )
        return response


def _validator(raw: Json) -> query_pb2.Validator:
    key = keys_pb2.PubKey(key=from_base64(raw["pub_key"]["value"]))
    packed = any_pb2.Any(type_url="/cosmos.crypto.ed25519.PubKey", value=key.SerializeToString())
    return query_pb2.Validator(
        address=account_to_text(bytes.fromhex(raw["address"]), _VALIDATORS_PREFIX),
        pub_key=packed,
        voting_power=int(raw["voting_power"]),
        proposer_priority=int(raw["proposer_priority"]),
    )
