"""``cosmos.tx.v1beta1.Service``: transactions are handed in, found, decoded."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from cosmpy.protos.cosmos.base.abci.v1beta1 import abci_pb2 as base_abci_pb2
from cosmpy.protos.cosmos.tx.v1beta1 import service_pb2, tx_pb2
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError

from tieline.interfaces.errors import NotYet, Rejected, Unavailable
from tieline.ledgers.tendermint.gateway.chain_service import block_of_answer
from tieline.ledgers.tendermint.gateway.refusal import Refusal, Status
from tieline.ledgers.tendermint.queries.records import abci_event
from tieline.ledgers.tendermint.rpc import PAGE, CometRpc, Json, as_base64, from_base64
from tieline.ledgers.tendermint.rpc_records import events_of, time_ns_of
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.codec import transaction_hash

COMMIT_WAIT_S = 10.0
"""How long a broadcast in block mode waits; CometBFT's own ``timeout_broadcast_tx_commit``."""
_POLL_S = 0.05
_MEMPOOL_FULL = 20
_HASH = re.compile("(?:0x)?[0-9A-Fa-f]{64}")
_TX_URL = "/cosmos.tx.v1beta1.Tx"
_MODES = "sync, async, block"


def transaction_of(raw: bytes) -> tx_pb2.Tx:
    """Read TxRaw as clients see it. Raises Refusal."""
    try:
        envelope = tx_pb2.TxRaw.FromString(raw)
        return tx_pb2.Tx(
            body=tx_pb2.TxBody.FromString(envelope.body_bytes),
            auth_info=tx_pb2.AuthInfo.FromString(envelope.auth_info_bytes),
            signatures=envelope.signatures,
        )
    except DecodeError as exc:
        raise Refusal(Status.INVALID_ARGUMENT, f"tx parse error: {exc}") from exc


class TransactionService:
    """Asks one peer."""

    def __init__(self, rpc: CometRpc) -> None:
        """Ask *rpc*."""
        self._rpc = rpc

    async def broadcast(
        self, request: service_pb2.BroadcastTxRequest
    ) -> service_pb2.BroadcastTxResponse:
        """
        Hand in a transaction; a refusal at the door is an answer with its code.

        Raises:
            Refusal: No bytes, or no mode.
        """
        if not request.tx_bytes:
            raise Refusal(Status.INVALID_ARGUMENT, "invalid empty tx")
        modes = service_pb2.BroadcastMode
        if request.mode == modes.BROADCAST_MODE_UNSPECIFIED:
            name = modes.Name(request.mode)
            raise Refusal(
                Status.INVALID_ARGUMENT, f"unsupported return type {name}; supported: {_MODES}"
            )
        is_async = request.mode == modes.BROADCAST_MODE_ASYNC
        response = await self._hand_in(request.tx_bytes, is_async=is_async)
        if request.mode == modes.BROADCAST_MODE_BLOCK and not response.code:
            response = await self._await_block(response.txhash)
        return service_pb2.BroadcastTxResponse(tx_response=response)

    async def _hand_in(self, raw: bytes, *, is_async: bool) -> base_abci_pb2.TxResponse:
        name = transaction_hash(raw).hex().upper()
        method = "broadcast_tx_async" if is_async else "broadcast_tx_sync"
        try:
            answer = await self._rpc.call(method, tx=as_base64(raw))
        except Rejected as exc:
            return base_abci_pb2.TxResponse(
                txhash=name, codespace=exc.codespace, code=exc.code, raw_log=exc.log
            )
        except NotYet:
            return base_abci_pb2.TxResponse(
                txhash=name, codespace="sdk", code=_MEMPOOL_FULL, raw_log="mempool is full"
            )
        return base_abci_pb2.TxResponse(
            txhash=name,
            codespace=answer.get("codespace", ""),
            code=answer.get("code", 0),
            data=from_base64(answer.get("data")).hex().upper(),
            raw_log=answer.get("log", ""),
        )

    async def _await_block(self, name: str) -> base_abci_pb2.TxResponse:
        loop = asyncio.get_running_loop()
        end = loop.time() + COMMIT_WAIT_S
        while True:
            found = await self._find(name)
            if found is not None:
                (response,) = await self._responses([found])
                return response
            if loop.time() > end:
                raise Refusal(Status.UNKNOWN, f"timed out waiting for tx {name} to be in a block")
            await asyncio.sleep(_POLL_S)

    async def get(self, request: service_pb2.GetTxRequest) -> service_pb2.GetTxResponse:
        """Return a transaction that is in a block. Raises Refusal."""
        if not request.hash:
            raise Refusal(Status.INVALID_ARGUMENT, "tx hash cannot be empty")
        if not _HASH.fullmatch(request.hash):
            raise Refusal(Status.INVALID_ARGUMENT, f"not a tx hash: {request.hash[:80]!r}")
        name = request.hash.removeprefix("0x").upper()
        found = await self._find(name)
        if found is None:
            raise Refusal(Status.NOT_FOUND, f"tx not found: {name}")
        (response,) = await self._responses([found])
        return service_pb2.GetTxResponse(
            tx=transaction_of(from_base64(found["tx"])), tx_response=response
        )

    async def find_by_events(
        self, request: service_pb2.GetTxsEventRequest
    ) -> service_pb2.GetTxsEventResponse:
        """Return a page of transactions by their events. Raises Refusal."""
        query = request.query or " AND ".join(request.events)
        if not query:
            raise Refusal(Status.INVALID_ARGUMENT, "query cannot be empty")
        if request.page > 2**31 or request.limit > 2**31:
            raise Refusal(Status.INVALID_ARGUMENT, "page or limit out of range")
        is_descending = request.order_by == service_pb2.OrderBy.ORDER_BY_DESC
        try:
            answer = await self._rpc.call(
                "tx_search",
                query=query,
                prove=False,
                page=str(request.page or 1),
                per_page=str(min(request.limit or PAGE, PAGE)),
                order_by="desc" if is_descending else "asc",
            )
        except Unavailable as exc:
            if "tx_search: " not in str(exc):
                raise
            raise Refusal(Status.INVALID_ARGUMENT, str(exc)) from exc
        found: list[Json] = answer["txs"]
        total = int(answer["total_count"])
        response = service_pb2.GetTxsEventResponse(
            txs=[transaction_of(from_base64(one["tx"])) for one in found],
            tx_responses=await self._responses(found),
            total=total,
        )
        response.pagination.total = total
        return response

    async def block_with_txs(
        self, request: service_pb2.GetBlockWithTxsRequest
    ) -> service_pb2.GetBlockWithTxsResponse:
        """Return a block with its transactions decoded. Raises Refusal."""
        if request.height < 1:
            raise Refusal(Status.INVALID_ARGUMENT, "requested block height must be above zero")
        answer = await self._rpc.call("block", height=str(request.height))
        identity, block = block_of_answer(answer)
        raws = list(block.data.txs)
        start = request.pagination.offset
        end = start + min(request.pagination.limit or PAGE, PAGE)
        response = service_pb2.GetBlockWithTxsResponse(
            txs=[transaction_of(raw) for raw in raws[start:end]], block_id=identity, block=block
        )
        response.pagination.total = len(raws)
        return response

    async def decode(self, request: service_pb2.TxDecodeRequest) -> service_pb2.TxDecodeResponse:
        """Read a transaction. Raises Refusal."""
        if not request.tx_bytes:
            raise Refusal(Status.INVALID_ARGUMENT, "invalid empty tx bytes")
        return service_pb2.TxDecodeResponse(tx=transaction_of(request.tx_bytes))

    async def encode(self, request: service_pb2.TxEncodeRequest) -> service_pb2.TxEncodeResponse:
        """Write a transaction as it is signed and handed in. Raises Refusal."""
        if not request.HasField("tx"):
            raise Refusal(Status.INVALID_ARGUMENT, "invalid empty tx")
        raw = tx_pb2.TxRaw(
            body_bytes=request.tx.body.SerializeToString(deterministic=True),
            auth_info_bytes=request.tx.auth_info.SerializeToString(deterministic=True),
            signatures=request.tx.signatures,
        )
        return service_pb2.TxEncodeResponse(tx_bytes=raw.SerializeToString(deterministic=True))

    async def _find(self, name: str) -> Json | None:
        try:
            return await self._rpc.call("tx", hash=as_base64(bytes.fromhex(name)), prove=False)
        except Unavailable as exc:
            if "not found" in str(exc):
                return None
            raise

    async def _responses(self, found: Sequence[Json]) -> list[base_abci_pb2.TxResponse]:
        """Return transactions with the times of their blocks."""
        heights = sorted({one["height"] for one in found})
        headers = await self._rpc.call_many("header", [{"height": one} for one in heights])
        times = {
            height: _time_text(one["header"]["time"])
            for height, one in zip(heights, headers, strict=True)
        }
        return [_response(one, times[one["height"]]) for one in found]


def _time_text(text: str) -> str:
    seconds = time_ns_of(text) // NANOSECONDS_PER_SECOND
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _response(raw: Json, time_text: str) -> base_abci_pb2.TxResponse:
    result: Json = raw["tx_result"]
    packed = any_pb2.Any(
        type_url=_TX_URL,
        value=transaction_of(from_base64(raw["tx"])).SerializeToString(deterministic=True),
    )
    events = [abci_event(one) for one in events_of(result.get("events"))]
    return cast("Any", base_abci_pb2).TxResponse(  # type: ignore[no-any-return]
        height=int(raw["height"]),
        txhash=raw["hash"],
        codespace=result.get("codespace", ""),
        code=result.get("code", 0),
        data=from_base64(result.get("data")).hex().upper(),
        raw_log=result.get("log", ""),
        info=result.get("info", ""),
        gas_wanted=int(result.get("gas_wanted", 0)),
        gas_used=int(result.get("gas_used", 0)),
        tx=packed,
        timestamp=time_text,
        events=events,
    )
