"""
One way into a Fabric channel over gRPC: a peer's Gateway service endorses, hands in and knows what
became of it; its deliver service has the blocks.

Sources:
    Fabric 3.1 ``internal/pkg/gateway``; fabric-protos ``gateway/gateway.proto``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import grpc
import grpc.aio
from fabric_protos.common import common_pb2, ledger_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.orderer import ab_pb2
from fabric_protos.peer import proposal_response_pb2
from google.protobuf.message import DecodeError

from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.fabric import deliver
from tieline.ledgers.fabric.gateway_errors import order_error, sorted_error
from tieline.ledgers.fabric.grpc_errors import GatewayFailure
from tieline.ledgers.fabric.peer_calls import CHANNEL_OPTIONS, Call, PeerAddress, make_call
from tieline.ledgers.fabric.port import (
    CHAINCODE,
    Carrier,
    CommitStatus,
    Endorsed,
    InvocationRefused,
)
from tieline.wire.errors import Malformed
from tieline.wire.fabric.envelopes import Envelope, Payload, channel_header_of
from tieline.wire.fabric.transactions import decode_transaction

ANSWER_S: Final = 40.0
"""Longer than a peer's own limits, so that it is the peer who says what took so long."""
COMMIT_WAIT_S: Final = 2.0
_OK: Final = 200
_REFUSED: Final = 400
_T = TypeVar("_T")


class _Encodable(Protocol):
    def SerializeToString(self) -> bytes: ...  # noqa: N802 -- protobuf's own name


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """The chaincode event of one valid transaction."""

    block: int
    tx_id: str
    name: str
    payload: bytes


class GatewayPort:
    """Implements ``port.FabricPort`` through one peer. All calls from one event loop at a time."""

    def __init__(
        self,
        address: PeerAddress,
        fabric_channel: str,
        carrier: Carrier,
        *,
        chaincode: str = CHAINCODE,
        answer_s: float = ANSWER_S,
        commit_wait_s: float = COMMIT_WAIT_S,
    ) -> None:
        """
        Prepare; nothing is dialled before the first call.

        Args:
            address: The peer and the keys of the TLS link to it.
            fabric_channel: Name of the channel.
            carrier: Signs proposals, envelopes and requests.
            chaincode: Its name on the channel.
            answer_s: How long a call may take.
            commit_wait_s: How long ``commit_status`` waits for a transaction to be committed.
        """
        self._address = address
        self._fabric_channel = fabric_channel
        self._carrier = carrier
        self._chaincode = chaincode
        self._answer_s = answer_s
        self._commit_wait_s = commit_wait_s
        self._is_on_channel = False
        """Once the peer has shown it."""
        self._dialled: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def fabric_channel(self) -> str:
        """The channel's name."""
        return self._fabric_channel

    @property
    def name(self) -> str:
        """Which peer this is."""
        return self._address.name

    async def evaluate(self, args: Sequence[bytes]) -> bytes:
        """
        Run an invocation on one peer of the gateway's choice, its own first; nothing is written.

        Raises:
            InvocationRefused: The chaincode said no.
            Unavailable: No peer answers; retrying may help.
            ConfigError: The operator must act.
        """
        call = self._call_of(args)
        request = gateway_pb2.EvaluateRequest(
            transaction_id=call.tx_id, channel_id=self._fabric_channel
        )
        request.proposed_transaction.MergeFromString(call.signed)
        answer = await self._gateway("Evaluate", request, gateway_pb2.EvaluateResponse.FromString)
        if answer.result.status >= _REFUSED:
            raise InvocationRefused(answer.result.status, answer.result.message)
        return answer.result.payload

    async def endorse(self, args: Sequence[bytes]) -> Endorsed:
        """
        Let the peers that the policy asks for simulate and sign; a fresh proposal each time.

        Raises:
            InvocationRefused: The chaincode said no.
            EndorsementsDiffer: Peers came to different results.
            Unavailable: Not enough peers answer; retrying may help.
            ConfigError: The operator must act.
        """
        call = self._call_of(args)
        request = gateway_pb2.EndorseRequest(
            transaction_id=call.tx_id, channel_id=self._fabric_channel
        )
        request.proposed_transaction.MergeFromString(call.signed)
        answer = await self._gateway("Endorse", request, gateway_pb2.EndorseResponse.FromString)
        payload = answer.prepared_transaction.payload
        envelope = Envelope(payload, self._carrier.sign(payload)).encode()
        try:
            transaction = decode_transaction(envelope)
            headers = Payload.decode(payload)
        except Malformed as exc:
            raise Unavailable(f"a peer endorses no transaction: peer={self.name} {exc}") from exc
        asked, endorsed = call.proposal, transaction.endorsed
        if (headers.channel_header, headers.signature_header, endorsed.proposal_payload) != (
            asked.channel_header,
            asked.signature_header,
            asked.payload,
        ):
            raise Unavailable(f"a peer endorses what it was not asked: peer={self.name}")
        return Endorsed(
            call.tx_id,
            envelope,
            asked.channel_header,
            asked.signature_header,
            asked.payload,
            endorsed.response_payload,
            tuple((one.endorser, one.signature) for one in endorsed.endorsements),
            transaction.opened.content,
        )

    async def order(self, envelope: bytes) -> None:
        """
        Hand an envelope to the orderers.

        Raises:
            Rejected: They do not take it, ever.
            Unavailable: It may be in a block all the same, and later too.
            ConfigError: The operator must act.
        """
        request = gateway_pb2.SubmitRequest(
            transaction_id=channel_header_of(envelope).tx_id,
            channel_id=self._fabric_channel,
            prepared_transaction=common_pb2.Envelope.FromString(envelope),
        )
        try:
            await self._unary("/gateway.Gateway/Submit")(
                request.SerializeToString(), timeout=self._answer_s
            )
        except grpc.RpcError as exc:
            raise order_error(GatewayFailure.of(exc), self.name) from exc

    async def commit_status(self, tx_id: str) -> CommitStatus | None:
        """Return what became of a transaction; None if it is not committed after a moment."""
        asked = gateway_pb2.CommitStatusRequest(
            transaction_id=tx_id,
            channel_id=self._fabric_channel,
            identity=self._carrier.creator,
        ).SerializeToString()
        request = gateway_pb2.SignedCommitStatusRequest(
            request=asked, signature=self._carrier.sign(asked)
        )
        method = self._unary("/gateway.Gateway/CommitStatus")
        try:
            raw = await method(request.SerializeToString(), timeout=self._commit_wait_s)
        except grpc.RpcError as exc:
            failure = GatewayFailure.of(exc)
            if failure.code is grpc.StatusCode.DEADLINE_EXCEEDED:
                return None
            raise sorted_error(failure, self.name) from exc
        status = self._read(gateway_pb2.CommitStatusResponse.FromString, raw)
        return CommitStatus(status.result, status.block_number)

    async def blocks_after(self, number: int, limit: int) -> Sequence[bytes]:
        """
        Return committed blocks with a number above *number*, ascending, at most *limit*.

        Raises:
            Unavailable: The peer does not answer.
            ConfigError: It does not let us read.
        """
        if limit <= 0:
            return []
        first = number + 1
        request = deliver.seek_envelope(
            self._carrier, self._address, self._fabric_channel, first, first + limit - 1
        )
        stream = self._channel().stream_stream(deliver.METHOD)
        call = stream(_once(request), timeout=self._answer_s)
        try:
            blocks = await deliver.read_blocks(call, first, self.name)
        except grpc.RpcError as exc:
            raise sorted_error(GatewayFailure.of(exc), self.name) from exc
        finally:
            call.cancel()
        if not blocks and not self._is_on_channel:
            await self.height()  # a peer that is not on the channel says as little
        self._is_on_channel = True
        return blocks

    async def height(self) -> int:
        """
        Return the number of this peer's newest block.

        Raises:
            Unavailable: The peer does not answer.
            ConfigError: It is not on the channel, or does not let us ask.
        """
        args = (b"GetChainInfo", self._fabric_channel.encode())
        call = make_call(self._carrier, self._fabric_channel, "qscc", args)
        raw = await self._asked("/protos.Endorser/ProcessProposal", call.signed)
        answer = self._read(proposal_response_pb2.ProposalResponse.FromString, raw).response
        if answer.status != _OK:
            raise ConfigError(
                f"the peer does not tell its height: {answer.message}",
                key=self.name,
                instead="ask a peer of the channel, as a member of one of its organisations",
            )
        return self._read(ledger_pb2.BlockchainInfo.FromString, answer.payload).height - 1

    async def events(self, first_block: int) -> AsyncIterator[SeenEvent]:
        """
        Yield the chaincode's events of valid transactions from *first_block* on, without end.

        Raises:
            Unavailable: The peer has gone away; go on from the block of the last event.
            ConfigError: The operator must act.
        """
        asked = gateway_pb2.ChaincodeEventsRequest(
            channel_id=self._fabric_channel,
            chaincode_id=self._chaincode,
            identity=self._carrier.creator,
            start_position=ab_pb2.SeekPosition(specified=ab_pb2.SeekSpecified(number=first_block)),
        ).SerializeToString()
        request = gateway_pb2.SignedChaincodeEventsRequest(
            request=asked, signature=self._carrier.sign(asked)
        )
        stream = self._channel().unary_stream("/gateway.Gateway/ChaincodeEvents")
        call = stream(request.SerializeToString())
        try:
            async for raw in call:
                answer = self._read(gateway_pb2.ChaincodeEventsResponse.FromString, raw)
                for event in answer.events:
                    yield SeenEvent(
                        answer.block_number, event.tx_id, event.event_name, event.payload
                    )
        except grpc.RpcError as exc:
            raise sorted_error(GatewayFailure.of(exc), self.name) from exc
        finally:
            call.cancel()

    def close(self) -> None:
        """Hang up; a later call dials again."""
        dialled, loop, self._dialled = self._dialled, self._loop, None
        if dialled is not None and loop is not None and loop.is_running():
            loop.call_soon_threadsafe(lambda: loop.create_task(dialled.close()))

    def _call_of(self, args: Sequence[bytes]) -> Call:
        return make_call(self._carrier, self._fabric_channel, self._chaincode, args)

    async def _gateway(self, method: str, request: _Encodable, read: Callable[[bytes], _T]) -> _T:
        raw = await self._asked(f"/gateway.Gateway/{method}", request.SerializeToString())
        return self._read(read, raw)

    def _read(self, read: Callable[[bytes], _T], raw: bytes) -> _T:
        try:
            return read(raw)
        except DecodeError as exc:
            raise Unavailable(f"a peer answers what is no answer: peer={self.name}") from exc

    async def _asked(self, path: str, request: bytes) -> bytes:
        try:
            answer: bytes = await self._unary(path)(request, timeout=self._answer_s)
        except grpc.RpcError as exc:
            raise sorted_error(GatewayFailure.of(exc), self.name) from exc
        return answer

    def _unary(self, path: str) -> Any:
        return self._channel().unary_unary(path)

    def _channel(self) -> Any:
        """Return the connection; gRPC ties one to the event loop that it was first used in."""
        loop = asyncio.get_running_loop()
        if self._dialled is None or self._loop is not loop:
            address = self._address
            credentials = grpc.ssl_channel_credentials(
                address.root_pem, address.key_pem or None, address.certificate_pem or None
            )
            self._dialled = grpc.aio.secure_channel(
                address.target, credentials, options=CHANNEL_OPTIONS
            )
            self._loop = loop
        return self._dialled


async def _once(request: bytes) -> AsyncIterator[bytes]:
    yield request
