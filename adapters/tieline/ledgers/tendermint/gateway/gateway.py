"""
Every gRPC method in one place: what only the engine knows is asked of its RPC, all else of the
contract's host, by the method's name and through the engine.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from cosmpy.protos.cosmos.base.tendermint.v1beta1 import query_pb2 as chain_pb2
from cosmpy.protos.cosmos.tx.v1beta1 import service_pb2 as tx_pb2
from google.protobuf.message import DecodeError, Message

from tieline.interfaces.errors import HubError
from tieline.ledgers.tendermint.gateway.chain_service import ChainService
from tieline.ledgers.tendermint.gateway.refusal import Refusal, Status
from tieline.ledgers.tendermint.gateway.transaction_service import TransactionService
from tieline.ledgers.tendermint.rpc import CometRpc, Json, from_base64

RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT", bound=Message)
_Handler = Callable[[bytes], Awaitable[bytes]]

_CHAIN = "/cosmos.base.tendermint.v1beta1.Service/"
_TX = "/cosmos.tx.v1beta1.Service/"
_SIMULATE = f"{_TX}Simulate"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response and the height it speaks of; 0 if of none."""

    data: bytes
    height: int = 0


class Gateway:
    """Answers for one peer. Holds no state but connections."""

    def __init__(self, rpc: CometRpc) -> None:
        """Ask *rpc*."""
        self._rpc = rpc
        chain, transactions = ChainService(rpc), TransactionService(rpc)
        self._handlers: dict[str, _Handler] = {
            f"{_CHAIN}GetLatestBlock": _read(chain_pb2.GetLatestBlockRequest, chain.latest_block),
            f"{_CHAIN}GetBlockByHeight": _read(
                chain_pb2.GetBlockByHeightRequest, chain.block_by_height
            ),
            f"{_CHAIN}GetNodeInfo": _read(chain_pb2.GetNodeInfoRequest, chain.node_info),
            f"{_CHAIN}GetSyncing": _read(chain_pb2.GetSyncingRequest, chain.syncing),
            f"{_CHAIN}GetLatestValidatorSet": _read(
                chain_pb2.GetLatestValidatorSetRequest, chain.latest_validators
            ),
            f"{_CHAIN}GetValidatorSetByHeight": _read(
                chain_pb2.GetValidatorSetByHeightRequest, chain.validators_by_height
            ),
            f"{_CHAIN}ABCIQuery": _read(chain_pb2.ABCIQueryRequest, chain.abci_query),
            f"{_TX}BroadcastTx": _read(tx_pb2.BroadcastTxRequest, transactions.broadcast),
            f"{_TX}GetTx": _read(tx_pb2.GetTxRequest, transactions.get),
            f"{_TX}GetTxsEvent": _read(tx_pb2.GetTxsEventRequest, transactions.find_by_events),
            f"{_TX}GetBlockWithTxs": _read(
                tx_pb2.GetBlockWithTxsRequest, transactions.block_with_txs
            ),
            f"{_TX}TxDecode": _read(tx_pb2.TxDecodeRequest, transactions.decode),
            f"{_TX}TxEncode": _read(tx_pb2.TxEncodeRequest, transactions.encode),
        }

    async def answer(self, method: str, request: bytes, height: int = 0) -> Answer:
        """
        Return the response to one request.

        Args:
            method: Such as ``/cosmos.bank.v1beta1.Query/Balance``.
            request: The request's bytes.
            height: State to speak of; 0 is the latest.

        Raises:
            Refusal: There is none.
        """
        try:
            handler = self._handlers.get(method)
            if handler is not None:
                return Answer(await handler(request))
            return await self._ask_host(method, request, height)
        except HubError as exc:
            raise Refusal.of_peer(exc) from exc

    async def _ask_host(self, method: str, request: bytes, height: int) -> Answer:
        answer = await self._rpc.call(
            "abci_query", path=method, data=request.hex(), height=str(height), prove=False
        )
        response: Json = answer["response"]
        code = response.get("code", 0)
        if code:
            refusal = Refusal.of_query(code, response.get("log", ""))
            if method == _SIMULATE and refusal.status is Status.INVALID_ARGUMENT:
                refusal.status = Status.UNKNOWN  # as stock chains tell it
            raise refusal
        return Answer(from_base64(response.get("value")), int(response.get("height", 0)))


def _read(
    request_class: type[RequestT], handle: Callable[[RequestT], Awaitable[ResponseT]]
) -> _Handler:
    async def answer(data: bytes) -> bytes:
        request = request_class()
        try:
            request.ParseFromString(data)
        except DecodeError as exc:
            name = request_class.DESCRIPTOR.full_name
            raise Refusal(Status.INVALID_ARGUMENT, f"not a {name}: {exc}") from exc
        return (await handle(request)).SerializeToString()

    return answer
