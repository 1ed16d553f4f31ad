"""Every method of ABCI 2.0, asked as CometBFT asks."""

from __future__ import annotations

import asyncio
import json

import pytest
from cosmpy.protos.tendermint.abci import types_pb2 as abci
from cosmpy.protos.tendermint.types import params_pb2
from fakes.abci_engine import Engine
from fakes.microgrid import CHAIN_ID, key, pay

from tieline.contract.accounts import pay_key
from tieline.contract.host import BLOCK_BYTES_MAX
from tieline.ledgers.tendermint.abci import (
    AbciApplication,
    GenesisMismatch,
)
from tieline.ledgers.tendermint.abci_host import Connection, Framer, FramingError
from tieline.wire.ics23_proofs import decode_commitment_proof
from tieline.wire.proto_fields import delimited
from tieline.wire.store_answers import PROOF_OPS, decode_pairs


@pytest.fixture
def engine(tmp_path):
    engine = Engine(tmp_path / "state.sqlite")
    engine.block()
    yield engine
    engine.store.close()


def payment(engine, amount=1, name="ann"):
    return engine.ledger.transaction(name, pay(name, "bob", amount))


def init_chain(engine, **changes):
    block = abci_block_params(changes.pop("max_bytes", BLOCK_BYTES_MAX))
    fields = {
        "chain_id": CHAIN_ID,
        "app_state_bytes": engine.ledger.genesis.to_bytes(),
        "consensus_params": params_pb2.ConsensusParams(block=block),
    }
    return engine.ask("init_chain", **(fields | changes))


def abci_block_params(max_bytes):
    return params_pb2.BlockParams(max_bytes=max_bytes, max_gas=-1)


def test_every_method_has_an_answer(engine):
    names = {one.name for one in abci.Request.DESCRIPTOR.fields}
    assert set(engine.abci._methods) == names


def test_echo_and_snapshots(engine):
    assert engine.ask("echo", message="hello").message == "hello"
    engine.ask("flush")
    assert not engine.ask("list_snapshots").snapshots
    assert not engine.ask("load_snapshot_chunk").chunk
    assert engine.ask("offer_snapshot").result == abci.ResponseOfferSnapshot.REJECT
    assert engine.ask("apply_snapshot_chunk").result == abci.ResponseApplySnapshotChunk.ABORT


def test_vote_extensions_are_empty(engine):
    assert engine.ask("extend_vote").vote_extension == b""
    statuses = abci.ResponseVerifyVoteExtension
    assert engine.ask("verify_vote_extension").status == statuses.ACCEPT
    strange = engine.ask("verify_vote_extension", vote_extension=b"x")
    assert strange.status == statuses.REJECT


def test_a_chain_begins_only_with_the_contracts_own_genesis(tmp_path):
    engine = Engine(tmp_path / "state.sqlite")
    before = engine.contract.app_hash
    assert init_chain(engine).app_hash == before
    spaced = json.dumps(json.loads(engine.ledger.genesis.to_bytes()), indent=1).encode()
    assert init_chain(engine, app_state_bytes=spaced).app_hash == before
    for changed in (
        {"chain_id": "other-1"},
        {"app_state_bytes": b"{}"},
        {"app_state_bytes": b""},
        {"max_bytes": BLOCK_BYTES_MAX + 1},
    ):
        engine.abci = AbciApplication(engine.contract, engine.store)
        with pytest.raises(GenesisMismatch):
            init_chain(engine, **changed)
    engine.store.close()


def test_info_tells_what_is_committed_and_touches_nothing(engine):
    committed = engine.contract.app_hash
    finalized = engine.finalize(payment(engine))
    for _ in range(2):
        info = engine.ask("info")
        assert (info.last_block_height, info.last_block_app_hash) == (1, committed)
        assert (info.data, info.app_version) == (CHAIN_ID, 1)
    engine.ask("commit")
    info = engine.ask("info")
    assert (info.last_block_height, info.last_block_app_hash) == (2, finalized.app_hash)
    assert finalized.app_hash != committed


def test_a_block_that_comes_twice_gives_the_same_answer(engine):
    raw = payment(engine)
    assert engine.finalize(raw) == engine.finalize(raw)
    other = engine.finalize(payment(engine, name="bob"))
    again = engine.finalize(raw)
    assert again != other
    engine.ask("commit")
    assert engine.contract.app_hash == again.app_hash


def test_a_committed_block_outlives_the_process(engine, tmp_path):
    engine.block(payment(engine))
    engine.finalize(payment(engine))  # not committed
    engine.store.close()
    reopened = Engine(tmp_path / "state.sqlite")
    info = reopened.ask("info")
    assert (info.last_block_height, info.last_block_app_hash) == (2, engine.contract.app_hash)
    reopened.store.close()


def test_a_bad_transaction_is_a_code_and_never_an_error(engine):
    bad = payment(engine)[:-1]
    checked = engine.ask("check_tx", tx=bad)
    assert (checked.code, checked.codespace) == (2, "sdk")
    (result,) = engine.block(bad).tx_results
    assert (result.code, result.codespace) == (2, "sdk")
    assert not result.events


def test_checks_count_sequences_until_the_commit_and_recheck_counts_again(engine):
    first, second = payment(engine), payment(engine)
    assert engine.ask("check_tx", tx=second).code == 32
    assert engine.ask("check_tx", tx=first).code == 0
    assert engine.ask("check_tx", tx=second).code == 0
    engine.block(first)
    assert engine.ask("check_tx", tx=first, type=abci.RECHECK).code == 32
    assert engine.ask("check_tx", tx=second, type=abci.RECHECK).code == 0


def test_results_carry_gas_and_indexed_events(engine):
    engine.ledger.application = engine.contract
    (result,) = engine.block(payment(engine)).tx_results
    assert result.code == 0
    assert 0 < result.gas_used <= result.gas_wanted
    assert all(one.index for event in result.events for one in event.attributes)


def test_a_proposal_takes_what_fits_in_order(engine):
    raws = [payment(engine, n) for n in range(1, 5)]
    room = sum(len(b"\x0a" + delimited(one)) for one in raws[:2])
    chosen = engine.ask("prepare_proposal", txs=raws, max_tx_bytes=room + 10, height=2).txs
    assert list(chosen) == raws[:2]
    whole = engine.ask("prepare_proposal", txs=raws, max_tx_bytes=10**6, height=2).txs
    assert list(whole) == raws


def test_nothing_is_proposed_before_the_chain_tag_is_known(engine):
    raw = payment(engine)
    assert not engine.ask("prepare_proposal", txs=[raw], max_tx_bytes=10**6, height=1).txs
    statuses = abci.ResponseProcessProposal
    assert engine.ask("process_proposal", txs=[raw], height=1).status == statuses.REJECT
    assert engine.ask("process_proposal", txs=[raw], height=2).status == statuses.ACCEPT
    assert engine.ask("process_proposal", height=1).status == statuses.ACCEPT


def test_while_the_clock_is_ahead_of_the_block_a_proposal_is_empty(engine):
    """A moved clock is seen one block late; what waits for the new time must not land before."""
    raw = payment(engine)
    moved_ns = 1_700_000_000_000_000_000
    driven = AbciApplication(engine.contract, engine.store, earliest_ns=lambda: moved_ns)

    def proposed(time_ns):
        request = abci.RequestPrepareProposal(txs=[raw], max_tx_bytes=10**6, height=2)
        request.time.FromNanoseconds(time_ns)
        return list(driven.answer(abci.Request(prepare_proposal=request)).prepare_proposal.txs)

    assert proposed(moved_ns - 1) == []
    assert proposed(moved_ns) == [raw]
    assert proposed(moved_ns + 1) == [raw]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_query_with_proof_speaks_of_the_last_but_one_block(engine, slash):
    for _ in range(3):
        engine.block(payment(engine))
    stored_key = b"nextClientSequence"
    path = f"{slash}store/ibc/key"
    answer = engine.ask("query", path=path, data=stored_key, prove=True)
    assert (answer.code, answer.height, answer.key) == (0, 3, stored_key)
    assert tuple(one.type for one in answer.proof_ops.ops) == PROOF_OPS
    in_store, in_root = (decode_commitment_proof(one.data) for one in answer.proof_ops.ops)
    assert (in_store.key, in_store.value) == (stored_key, answer.value)
    assert in_root.key == b"ibc"
    absent = engine.ask("query", path=path, data=b"absent", prove=True, height=2)
    assert (absent.code, absent.height, absent.value) == (0, 2, b"")
    assert len(absent.proof_ops.ops) == 2


def test_a_query_of_a_height_answers_what_was_there_then(engine):
    place = {"path": "/store/tieline/key", "data": pay_key(key("bob").cosmos_account)}
    for _ in range(3):
        engine.block(payment(engine))
    balances = [
        int.from_bytes(engine.ask("query", height=height, **place).value) for height in range(1, 5)
    ]
    assert balances == [10**12, 10**12 + 1, 10**12 + 2, 10**12 + 3]


def test_queries_that_cannot_be_answered_are_codes(engine):
    for path in ("", "/store", "/store/bank/key", "/store/ibc/nothing", "/a/b/c/d", "/app/nothing"):
        answer = engine.ask("query", path=path, data=b"x")
        assert (answer.code, answer.codespace) == (6, "sdk"), path
    future = engine.ask("query", path="/store/ibc/key", data=b"x", height=99)
    assert future.code == 26


def test_a_subspace_is_all_pairs_under_a_prefix(engine):
    answer = engine.ask("query", path="/store/tieline/subspace", data=b"a")
    assert decode_pairs(answer.value) == engine.contract.scan("tieline", b"a")


class Wire:
    """The engine's end of a connection."""

    def __init__(self):
        self.written = b""

    def write(self, data):
        self.written += data

    def responses(self):
        framer = Framer()
        return [abci.Response.FromString(one) for one in framer.feed(self.written)]


def connection(engine):
    wire, failures = Wire(), []
    one = Connection(engine.abci, lambda: failures.append(1))
    one.connection_made(wire)
    return one, wire, failures


def test_answers_come_in_order_however_the_bytes_arrive(engine):
    requests = [abci.Request(echo=abci.RequestEcho(message=str(n) * 200)) for n in range(5)]
    data = b"".join(delimited(one.SerializeToString()) for one in requests)
    one, wire, failures = connection(engine)
    for start in range(0, len(data), 7):
        one.data_received(data[start : start + 7])
    assert [answer.echo.message for answer in wire.responses()] == [
        request.echo.message for request in requests
    ]
    assert not failures


def test_an_error_of_ours_is_told_to_the_engine(engine):
    one, wire, failures = connection(engine)
    late = abci.RequestFinalizeBlock(height=7, hash=bytes(32))
    one.data_received(delimited(abci.Request(finalize_block=late).SerializeToString()))
    (answer,) = wire.responses()
    assert "height does not follow" in answer.exception.error
    assert failures
    one.data_received(delimited(abci.Request(info=abci.RequestInfo()).SerializeToString()))
    assert wire.responses()[-1].exception.error, "nothing is told after an error"


@pytest.mark.parametrize("data", [b"\xff" * 6, delimited(b"")[:0] + b"\x80\x80\x80\x80\x7f"])
def test_a_length_that_no_engine_sends_is_refused(data):
    with pytest.raises(FramingError):
        Framer().feed(data)


def test_a_socket_serves_and_ends(engine):
    """The four connections of an engine share one loop and one state."""

    async def story():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Connection(engine.abci, lambda: None), "127.0.0.1", 0
        )
        port = server.sockets[0].getsockname()[1]
        answers = []
        for _ in range(4):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(delimited(abci.Request(info=abci.RequestInfo()).SerializeToString()))
            (length,) = await reader.readexactly(1)
            answers.append(abci.Response.FromString(await reader.readexactly(length)))
            writer.close()
            await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return answers

    assert [one.info.last_block_height for one in asyncio.run(story())] == [1] * 4
