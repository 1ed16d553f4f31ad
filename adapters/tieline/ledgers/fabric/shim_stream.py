"""
One peer's stream to its chaincode: the peer hands in invocations, many at a time, and answers what
they ask of its state. One thread reads, one writes, and each invocation has a thread of the pool.

Sources:
    Fabric 3.1 ``core/chaincode/handler.go``; fabric-protos ``peer/chaincode_shim.proto``.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from functools import partial
from typing import Final, Protocol

import grpc
from fabric_protos.peer import (
    chaincode_event_pb2,
    chaincode_pb2,
    chaincode_shim_pb2,
    proposal_response_pb2,
)

from tieline.contract.chaincode_errors import CalledByAnother
from tieline.interfaces.errors import Unavailable
from tieline.wire.errors import Malformed
from tieline.wire.fabric.envelopes import ChannelHeader
from tieline.wire.fabric.invocations import (
    EVENT_NAME,
    STATUS_REFUSED,
    InvocationRefusal,
    encode_refusal,
)
from tieline.wire.fabric.proposals import Proposal, chaincode_called

Message = chaincode_shim_pb2.ChaincodeMessage
ANSWER_S: Final = 60.0
"""A peer that has not answered by then has given the invocation up."""
_log = logging.getLogger("tieline.chaincode")


class StateReader(Protocol):
    """Committed state, as the chaincode asks for it."""

    def get_state(self, key: str, /) -> bytes:
        """Return a value, empty if there is none. Raises Unavailable if the peer is gone."""
        ...

    def get_states(self, keys: Sequence[str], /) -> Sequence[bytes]:
        """Return a value for each of *keys*. Raises Unavailable if the peer is gone."""
        ...


class Outcome(Protocol):
    """What an invocation came to; ``contract.chaincode.Invocation`` is one."""

    @property
    def status(self) -> int:
        """200, or 400 and above for a refusal."""
        ...

    @property
    def message(self) -> str:
        """Why it was refused."""
        ...

    @property
    def payload(self) -> bytes:
        """The answer."""
        ...

    @property
    def event(self) -> bytes:
        """Payload of the one event; empty: none."""
        ...

    @property
    def writes(self) -> Sequence[tuple[str, bytes | None]]:
        """Ascending by key; None deletes."""
        ...


class Invocable(Protocol):
    """A chaincode as a function; it may be called by many threads at once."""

    def invoke(
        self, args: Sequence[bytes], state: StateReader, wall_s: Callable[[], int], /
    ) -> Outcome:
        """Run one invocation."""
        ...


class PeerStream:
    """One stream, from registration until the peer goes away."""

    def __init__(
        self,
        package_id: str,
        chaincode: Invocable,
        wall_s: Callable[[], int],
        workers: Executor,
        *,
        called_as: str = "",
    ) -> None:
        """
        Prepare; ``messages`` runs it.

        Args:
            package_id: What the chaincode registers as; peers know no other name for it.
            chaincode: What is run.
            wall_s: The clock, unix seconds.
            workers: Run invocations.
            called_as: The chaincode's name on the channel; what comes from a proposal that calls
                another one writes nothing. Empty: anything may call it.
        """
        self._package_id = package_id
        self._chaincode = chaincode
        self._wall_s = wall_s
        self._workers = workers
        self._called_as = called_as
        self._outgoing: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._answers: dict[tuple[str, str], queue.SimpleQueue[Message | None]] = {}
        self._lock = threading.Lock()
        self._has_ended = False
        self.batch_size = 0
        """How many writes the peer takes in one message; 0: it wants them one by one."""
        self.read_size = 0
        """How many keys the peer reads for one message; 0: it is asked for them one by one."""

    def messages(self, incoming: Iterator[Message]) -> Iterator[Message]:
        """Yield what goes to the peer, until it goes away; nothing else writes to the stream."""
        chaincode_id = chaincode_pb2.ChaincodeID(name=self._package_id)
        self._send(Message(type=Message.REGISTER, payload=chaincode_id.SerializeToString()))
        reader = threading.Thread(target=self._read, args=(incoming,), daemon=True)
        reader.start()
        while (message := self._outgoing.get()) is not None:
            yield message

    def ask(self, request: Message) -> bytes:
        """
        Send a request of an invocation and return the answer's payload.

        Raises:
            Unavailable: The peer refused it, has gone away or does not answer.
        """
        answers = self._answers[(request.channel_id, request.txid)]
        self._send(request)
        try:
            answer = answers.get(timeout=ANSWER_S)
        except queue.Empty:
            raise Unavailable(f"the peer does not answer: tx={request.txid}") from None
        if answer is None:
            raise Unavailable(f"the peer has gone away: tx={request.txid}")
        if answer.type != Message.RESPONSE:
            said = answer.payload.decode(errors="replace")
            raise Unavailable(f"the peer cannot answer: tx={request.txid} {said}")
        return answer.payload

    def _send(self, message: Message) -> None:
        self._outgoing.put(message)

    def _read(self, incoming: Iterator[Message]) -> None:
        try:
            for message in incoming:
                self._take(message)
        except grpc.RpcError:
            _log.info("a peer has gone away")  # it dials again when it needs us
        with self._lock:
            self._has_ended = True
            waiting = list(self._answers.values())
        for answers in waiting:
            answers.put(None)
        self._outgoing.put(None)

    def _take(self, message: Message) -> None:
        key = (message.channel_id, message.txid)
        if message.type == Message.TRANSACTION:
            self._begin(key, message)
        elif message.type in {Message.RESPONSE, Message.ERROR}:
            answers = self._answers.get(key)
            if answers is not None:
                answers.put(message)
        elif message.type == Message.KEEPALIVE:
            self._send(Message(type=Message.KEEPALIVE))
        elif message.type == Message.READY:
            offered = chaincode_pb2.ChaincodeAdditionalParams.FromString(message.payload)
            self.batch_size = offered.max_size_write_batch if offered.use_write_batch else 0
            self.read_size = (
                offered.max_size_get_multiple_keys if offered.use_get_multiple_keys else 0
            )
            _log.info(
                "registered: package=%s writes=%d reads=%d",
                self._package_id,
                self.batch_size,
                self.read_size,
            )
        elif message.type == Message.INIT:
            # Only definitions that ask for it call it, and ours does not.
            self._refuse(key, "this chaincode has no Init step; commit it without one")

    def _begin(self, key: tuple[str, str], message: Message) -> None:
        with self._lock:
            if self._has_ended:
                return
            self._answers[key] = queue.SimpleQueue()
        running = self._workers.submit(self._run, message)
        running.add_done_callback(partial(self._end, key))

    def _run(self, message: Message) -> Message:
        given = chaincode_pb2.ChaincodeInput.FromString(message.payload)
        stub = _Stub(self, message.channel_id, message.txid)
        outcome = self._chaincode.invoke(tuple(given.args), stub, self._wall_s)
        caller = self._caller_of(message) if outcome.writes else ""
        if caller:
            return _completed(message, _refusal_of_caller(caller))
        response = proposal_response_pb2.Response(
            status=outcome.status, message=outcome.message, payload=outcome.payload
        )
        done = _completed(message, response)
        stub.write(outcome.writes)
        if outcome.event:
            event = chaincode_event_pb2.ChaincodeEvent(event_name=EVENT_NAME, payload=outcome.event)
            done.chaincode_event.CopyFrom(event)
        return done

    def _caller_of(self, message: Message) -> str:
        """Return the chaincode through which this one is called; empty: it is called itself."""
        if not self._called_as:
            return ""
        try:
            proposal = Proposal.decode(message.proposal.proposal_bytes)
            called = chaincode_called(ChannelHeader.decode(proposal.channel_header))
        except Malformed:
            return "nobody who can be named"
        return "" if called == self._called_as else called

    def _end(self, key: tuple[str, str], running: Future[Message]) -> None:
        """Answer the peer: it waits half a minute for one that says nothing."""
        with self._lock:
            self._answers.pop(key, None)
        failure = running.exception()
        if failure is None:
            self._send(running.result())
            return
        if not self._has_ended:
            _log.error("an invocation failed: tx=%s", key[1], exc_info=failure)
        self._refuse(key, f"{type(failure).__name__}: {failure}")

    def _refuse(self, key: tuple[str, str], reason: str) -> None:
        channel_id, txid = key
        content = reason.encode()
        self._send(Message(type=Message.ERROR, payload=content, txid=txid, channel_id=channel_id))


def _completed(message: Message, response: proposal_response_pb2.Response) -> Message:
    return Message(
        type=Message.COMPLETED,
        payload=response.SerializeToString(),
        txid=message.txid,
        channel_id=message.channel_id,
    )


def _refusal_of_caller(caller: str) -> proposal_response_pb2.Response:
    """Return a refusal: the transaction would be the caller's, and nobody could prove it."""
    refusal = CalledByAnother("called by another chaincode, which may only read", caller=caller)
    said = InvocationRefusal(refusal.codespace, refusal.code, str(refusal))
    return proposal_response_pb2.Response(status=STATUS_REFUSED, message=encode_refusal(said))


class _Stub:
    """One invocation's view of the peer."""

    def __init__(self, stream: PeerStream, channel_id: str, txid: str) -> None:
        self._stream = stream
        self._channel_id = channel_id
        self._txid = txid

    def get_state(self, key: str, /) -> bytes:
        """Return a committed value, empty if there is none. Raises Unavailable."""
        return self._ask(Message.GET_STATE, chaincode_shim_pb2.GetState(key=key))

    def get_states(self, keys: Sequence[str], /) -> list[bytes]:
        """Return a committed value for each key, empty where there is none. Raises Unavailable."""
        size = self._stream.read_size
        if not size:
            return [self.get_state(key) for key in keys]
        values: list[bytes] = []
        for start in range(0, len(keys), size):
            asked = keys[start : start + size]
            request = chaincode_shim_pb2.GetStateMultiple(keys=asked)
            answer = self._ask(Message.GET_STATE_MULTIPLE, request)
            found = chaincode_shim_pb2.GetStateMultipleResult.FromString(answer).values
            if len(found) != len(asked):
                # A peer whose database failed says so by nothing at all.
                raise Unavailable(f"the peer did not read all keys: tx={self._txid}")
            values += found
        return values

    def write(self, writes: Sequence[tuple[str, bytes | None]]) -> None:
        """Hand in all writes, in as few messages as the peer allows. Raises Unavailable."""
        size = self._stream.batch_size
        if not size:
            self._write_singly(writes)
            return
        record = chaincode_shim_pb2.WriteRecord
        for start in range(0, len(writes), size):
            records = [
                record(key=key, type=record.DEL_STATE)
                if value is None
                else record(key=key, value=value, type=record.PUT_STATE)
                for key, value in writes[start : start + size]
            ]
            batch = chaincode_shim_pb2.WriteBatchState(rec=records)
            self._ask(Message.WRITE_BATCH_STATE, batch)

    def _write_singly(self, writes: Sequence[tuple[str, bytes | None]]) -> None:
        for key, value in writes:
            if value is None:
                self._ask(Message.DEL_STATE, chaincode_shim_pb2.DelState(key=key))
            else:
                put = chaincode_shim_pb2.PutState(key=key, value=value)
                self._ask(Message.PUT_STATE, put)

    def _ask(
        self,
        kind: chaincode_shim_pb2.ChaincodeMessage.Type,
        content: chaincode_shim_pb2.GetState
        | chaincode_shim_pb2.GetStateMultiple
        | chaincode_shim_pb2.PutState
        | chaincode_shim_pb2.DelState
        | chaincode_shim_pb2.WriteBatchState,
    ) -> bytes:
        request = Message(
            type=kind,
            payload=content.SerializeToString(),
            txid=self._txid,
            channel_id=self._channel_id,
        )
        return self._stream.ask(request)
