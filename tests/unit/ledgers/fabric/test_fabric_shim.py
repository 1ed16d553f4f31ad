"""A peer's stream to its chaincode, with a peer of a few lines: order, concurrency, endings."""

import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fabric_protos.peer import (
    chaincode_pb2,
    chaincode_shim_pb2,
    proposal_pb2,
    proposal_response_pb2,
)
from fakes.put_get_chaincode import PutGet

from tieline.contract.chaincode_errors import CalledByAnother
from tieline.ledgers.fabric.shim_stream import PeerStream
from tieline.wire.fabric.invocations import EVENT_NAME, decode_refusal
from tieline.wire.fabric.proposals import propose

Message = chaincode_shim_pb2.ChaincodeMessage
PACKAGE = "label:" + "ab" * 32


class Peer:
    """The other end: what it sends, and the state it answers from."""

    def __init__(self, workers, *, batch=0, reads=0, state=None, called_as=""):
        self.state = dict(state or {})
        self._to_chaincode = queue.SimpleQueue()
        self.stream = PeerStream(PACKAGE, PutGet(), lambda: 7, workers, called_as=called_as)
        self.outgoing = self.stream.messages(iter(self._to_chaincode.get, None))
        registered = next(self.outgoing)
        assert registered.type == Message.REGISTER
        assert chaincode_pb2.ChaincodeID.FromString(registered.payload).name == PACKAGE
        self.send(type=Message.REGISTERED)
        offered = chaincode_pb2.ChaincodeAdditionalParams(
            use_write_batch=batch > 0,
            max_size_write_batch=batch,
            use_get_multiple_keys=reads > 0,
            max_size_get_multiple_keys=reads,
        )
        self.send(type=Message.READY, payload=offered.SerializeToString())

    def send(self, **fields):
        self._to_chaincode.put(Message(**fields))

    def go_away(self):
        self._to_chaincode.put(None)

    def invoke(self, txid, *args, proposed_to="tieline"):
        """Hand in an invocation, with the proposal that it is of, as peers do."""
        given = chaincode_pb2.ChaincodeInput(args=args)
        proposal = propose("lab", proposed_to, args, b"creator", b"nonce").encode()
        if not proposed_to:
            proposal = b"\xff"
        self.send(
            type=Message.TRANSACTION,
            payload=given.SerializeToString(),
            txid=txid,
            channel_id="lab",
            proposal=proposal_pb2.SignedProposal(proposal_bytes=proposal, signature=b"s"),
        )

    def next(self):
        return next(self.outgoing)

    def answer(self, request, payload=b"", kind=Message.RESPONSE):
        self.send(type=kind, payload=payload, txid=request.txid, channel_id=request.channel_id)

    def answer_from_state(self, request):
        asked = chaincode_shim_pb2.GetState.FromString(request.payload)
        self.answer(request, self.state.get(asked.key, b""))


@pytest.fixture
def workers():
    with ThreadPoolExecutor(64) as pool:
        yield pool


@pytest.fixture
def peer(workers):
    made = Peer(workers)
    yield made
    made.go_away()


def response_of(message):
    assert message.type == Message.COMPLETED
    return proposal_response_pb2.Response.FromString(message.payload)


def test_an_invocation_reads_then_writes_then_completes_with_its_one_event(peer):
    peer.state["k"] = b"old"
    peer.invoke("t1", b"put", b"k", b"new")
    read = peer.next()
    assert read.type == Message.GET_STATE
    assert (read.channel_id, read.txid) == ("lab", "t1")
    peer.answer_from_state(read)
    written = peer.next()
    assert written.type == Message.PUT_STATE
    put = chaincode_shim_pb2.PutState.FromString(written.payload)
    assert (put.key, put.value) == ("k", b"new")
    peer.answer(written)
    done = peer.next()
    assert response_of(done).payload == b"old"
    assert (done.chaincode_event.event_name, done.chaincode_event.payload) == (
        EVENT_NAME,
        b"put k",
    )


@pytest.fixture
def guarded(workers):
    made = Peer(workers, called_as="tieline")
    yield made
    made.go_away()


@pytest.mark.parametrize(
    ("called", "named"), [("router", "router"), ("tieline2", "tieline2"), ("", "nobody")]
)
def test_what_another_chaincode_calls_writes_nothing(guarded, called, named):
    """
    The transaction would be the other's: valid, and its writes ours, but no light client takes it.
    A packet received so could neither be answered nor time out.
    """
    guarded.invoke("t1", b"put", b"k", b"new", proposed_to=called)
    guarded.answer_from_state(guarded.next())
    done = guarded.next()
    assert response_of(done).status == 500
    said = decode_refusal(response_of(done).message)
    assert (said.codespace, said.code) == ("tieline", CalledByAnother.code)
    assert named in said.log
    assert not done.chaincode_event.event_name


def test_another_chaincode_may_read(guarded):
    guarded.state["k"] = b"value"
    guarded.invoke("t1", b"get", b"k", proposed_to="router")
    guarded.answer_from_state(guarded.next())
    assert response_of(guarded.next()).payload == b"value"


def test_what_is_proposed_to_the_chaincode_itself_writes(guarded):
    guarded.invoke("t1", b"put", b"k", b"new")
    guarded.answer_from_state(guarded.next())
    assert guarded.next().type == Message.PUT_STATE


def test_a_value_of_none_deletes(peer):
    peer.invoke("t1", b"put", b"k", b"")
    peer.answer_from_state(peer.next())
    deleted = peer.next()
    assert deleted.type == Message.DEL_STATE
    peer.answer(deleted)
    assert response_of(peer.next()).status == 200


@pytest.mark.parametrize(("batch", "sizes"), [(4, [4, 4, 2]), (10, [10]), (1000, [10])])
def test_writes_go_in_batches_no_larger_than_the_peer_takes(workers, batch, sizes):
    peer = Peer(workers, batch=batch)
    peer.invoke("t1", b"many", b"m", b"10")
    keys = []
    for size in sizes:
        message = peer.next()
        assert message.type == Message.WRITE_BATCH_STATE
        records = chaincode_shim_pb2.WriteBatchState.FromString(message.payload).rec
        assert len(records) == size
        keys += [one.key for one in records]
        peer.answer(message)
    assert keys == sorted(keys)
    assert len(keys) == 10
    assert response_of(peer.next()).status == 200
    peer.go_away()


@pytest.mark.parametrize(("most", "sizes"), [(2, [2, 2, 1]), (5, [5]), (1000, [5])])
def test_keys_are_read_together_no_more_at_once_than_the_peer_takes(workers, most, sizes):
    state = {"k0": b"zero", "k2": b"two", "k4": b"four"}
    peer = Peer(workers, reads=most, state=state)
    peer.invoke("t1", b"gets", b"k0", b"k1", b"k2", b"k3", b"k4")
    for size in sizes:
        message = peer.next()
        assert message.type == Message.GET_STATE_MULTIPLE
        keys = chaincode_shim_pb2.GetStateMultiple.FromString(message.payload).keys
        assert len(keys) == size
        found = [state.get(one, b"") for one in keys]
        answer = chaincode_shim_pb2.GetStateMultipleResult(values=found)
        peer.answer(message, answer.SerializeToString())
    assert response_of(peer.next()).payload == b"zero,,two,,four"
    peer.go_away()


def test_a_peer_that_reads_one_key_at_a_time_is_asked_one_by_one(peer):
    peer.state = {"k0": b"zero", "k1": b"one"}
    peer.invoke("t1", b"gets", b"k0", b"k1")
    for _ in range(2):
        message = peer.next()
        assert message.type == Message.GET_STATE
        peer.answer_from_state(message)
    assert response_of(peer.next()).payload == b"zero,one"


def test_keys_that_the_peer_did_not_read_are_not_taken_for_absent(workers):
    """A peer whose database fails answers with no values at all, and calls it a response."""
    peer = Peer(workers, reads=10)
    peer.invoke("t1", b"gets", b"k0", b"k1")
    peer.answer(peer.next())
    failed = peer.next()
    assert failed.type == Message.ERROR
    assert b"did not read all keys" in failed.payload
    peer.go_away()


def test_fifty_invocations_are_in_flight_at_once_and_none_gets_anothers_answer(peer):
    peer.state = {f"k{n}": b"v%d" % n for n in range(50)}
    for n in range(50):
        peer.invoke(f"t{n}", b"get", b"k%d" % n)
    requests = [peer.next() for _ in range(50)]  # all ask before one is answered
    for request in reversed(requests):
        peer.answer_from_state(request)
    answers = {done.txid: response_of(done).payload for done in (peer.next() for _ in range(50))}
    assert answers == {f"t{n}": b"v%d" % n for n in range(50)}


def test_a_refusal_completes_with_its_status_and_writes_nothing(peer):
    peer.invoke("t1", b"unheard of")
    refused = response_of(peer.next())
    assert (refused.status, refused.message) == (500, "no function unheard of")


def test_a_chaincode_that_fails_says_so_and_the_next_invocation_runs(peer):
    peer.invoke("t1", b"fail")
    failed = peer.next()
    assert (failed.type, failed.txid) == (Message.ERROR, "t1")
    assert b"as told" in failed.payload
    peer.invoke("t2", b"wall")
    assert response_of(peer.next()).payload == b"7"


def test_a_read_that_the_peer_cannot_answer_is_no_refusal_of_ours(peer):
    peer.invoke("t1", b"get", b"k")
    peer.answer(peer.next(), b"state is locked", Message.ERROR)
    failed = peer.next()
    assert failed.type == Message.ERROR
    assert b"state is locked" in failed.payload


def test_keepalive_is_echoed(peer):
    peer.send(type=Message.KEEPALIVE)
    assert peer.next().type == Message.KEEPALIVE


def test_init_is_refused_with_a_cure(peer):
    peer.send(type=Message.INIT, txid="t1", channel_id="lab")
    refused = peer.next()
    assert refused.type == Message.ERROR
    assert b"commit it without one" in refused.payload


def test_the_stream_ends_when_the_peer_goes_and_lets_go_of_who_waits():
    with ThreadPoolExecutor(1) as workers:
        peer = Peer(workers)
        peer.invoke("t1", b"get", b"k")
        assert peer.next().type == Message.GET_STATE
        peer.go_away()
        ended = threading.Event()

        def drain():
            list(peer.outgoing)
            ended.set()

        threading.Thread(target=drain, daemon=True).start()
        assert ended.wait(60)
        assert workers.submit(lambda: "free").result(60) == "free"
