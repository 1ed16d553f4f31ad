"""The embedded CometBFT ledger: when it makes blocks, that they are real, and that they last."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from tieline.contract.genesis import Genesis
from tieline.contract.iavl import PROVABLE_VERSIONS
from tieline.interfaces.errors import ConfigError, NotYet, Rejected, Unavailable
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.ledgers.tendermint.validators import Validators
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.light_clients.tendermint.verifier import check_commit
from tieline.protocol.height import Height
from tieline.swap.messages import MsgSend
from tieline.wire.blocks import StoredBlock, decode_export, encode_frame, split_frames
from tieline.wire.cometbft import NO_BLOCK, SignedHeader, ValidatorSet
from tieline.wire.keys import SecpKey

START_S = 1_800_000_000
SEEDS = [sha256(b"validator %d" % n).digest() for n in range(4)]
CELL = SecpKey(sha256(b"cell").digest())
ALICE, BOB = SecpKey(sha256(b"alice").digest()), SecpKey(sha256(b"bob").digest())


def born(**changes):
    genesis = Genesis(
        chain_id="micro-1",
        network_id=b"\x11" * 32,
        cell_address=CELL.address,
        founding_cells=(CELL.address,),
        balances=tuple(sorted((key.cosmos_account, 10**12) for key in (ALICE, BOB))),
    )
    return replace(genesis, **changes)


def opened(store=None, genesis=None, seeds=SEEDS):
    ledger = EmbeddedTendermint(genesis or born(), seeds, store)
    ledger.add_lane("alice", ALICE)
    ledger.resume()
    return ledger


def sending(amount=5):
    return [MsgSend(ALICE.cosmos_account, BOB.cosmos_account, amount)]


@pytest.fixture
def run():
    """Run a coroutine that never waits for anything."""

    def finish(coroutine):
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return stop.value
        raise AssertionError("an embedded ledger does not wait")

    return finish


def test_a_block_is_made_for_transactions_for_their_proof_and_for_deadlines_only(run):
    ledger = opened()
    assert ledger.produce_block(START_S)
    assert ledger.produce_block(START_S + 5), "genesis changed the state: a proof block"
    assert not ledger.produce_block(START_S + 10)
    assert ledger.produce_block(START_S + 15, is_deadline=True)
    assert not ledger.produce_block(START_S + 20)
    run(ledger.submit("alice", sending()))
    assert not ledger.produce_block(START_S + 15), "time does not stand still"
    assert ledger.produce_block(START_S + 25)
    assert ledger.produce_block(START_S + 30)
    assert not ledger.produce_block(START_S + 35)


def test_every_block_is_one_that_a_light_client_follows(run):
    ledger = opened()
    ledger.produce_block(START_S)
    client, store = TendermintClient(), {}
    states = ledger.client_states(1)
    holder = type("Store", (dict,), {"set": dict.__setitem__, "delete": dict.pop})(store)
    client.initialise(holder, *states)
    for step in range(1, 8):
        run(ledger.submit("alice", sending(step)))
        ledger.produce_block(START_S + 5 * step)
        header = run(ledger.header(step + 1, step))
        now_ns = (START_S + 5 * step) * 10**9
        assert client.update(holder, header, now_ns).heights == (Height(1, step + 1),)
    skipping = run(ledger.header(8, 1))
    assert client.update(holder, skipping, now_ns).heights == ()


def test_proposers_take_turns_and_commits_hold_all_validators():
    ledger = opened()
    for step in range(8):
        ledger.produce_block(START_S + step, is_deadline=True)
    proposers = [stored.block.header.proposer_address for stored in ledger.blocks]
    assert proposers[:4] == proposers[4:]
    assert len(set(proposers)) == 4
    for before, stored in zip(ledger.blocks, ledger.blocks[1:], strict=False):
        assert stored.block.last_commit == before.seen_commit
        assert len(stored.seen_commit.signatures) == 4


def test_the_app_hash_of_a_block_stands_in_the_next_header(run):
    ledger = opened()
    ledger.produce_block(START_S)
    ledger.produce_block(START_S + 1)
    run(ledger.submit("alice", sending()))
    ledger.produce_block(START_S + 2)
    app_hash = ledger.application.app_hash
    ledger.produce_block(START_S + 3)
    headers = [stored.block.header for stored in ledger.blocks]
    assert headers[3].app_hash == app_hash != headers[2].app_hash
    assert headers[3].last_results_hash != headers[2].last_results_hash


def test_a_stopped_ledger_resumes_where_it_was(tmp_path, run):
    ledger = opened(tmp_path)
    for step in range(6):
        ledger.produce_block(START_S + step)
        run(ledger.submit("alice", sending(step + 1)))
    ledger.produce_block(START_S + 10)
    ledger.close()
    again = opened(tmp_path)
    assert again.blocks == ledger.blocks
    assert again.application.app_hash == ledger.application.app_hash
    assert run(again.blocks_after(0)) == run(ledger.blocks_after(0))
    run(again.submit("alice", sending()))
    assert again.produce_block(START_S + 20)
    exported = decode_export((tmp_path / "blocks.bin").read_bytes())
    assert list(exported) == list(again.blocks)
    validators = ValidatorSet.decode((tmp_path / "validators.bin").read_bytes())
    for stored in exported:
        check_commit("micro-1", SignedHeader(stored.block.header, stored.seen_commit), validators)


@pytest.mark.parametrize("cut", [1, 40, 500])
def test_a_torn_tail_is_cut_off_and_the_ledger_goes_on(tmp_path, cut):
    ledger = opened(tmp_path)
    for step in range(4):
        ledger.produce_block(START_S + step, is_deadline=True)
    ledger.close()
    path = tmp_path / "blocks.bin"
    path.write_bytes(path.read_bytes()[:-cut])
    again = opened(tmp_path)
    assert len(again.blocks) == 3
    assert again.produce_block(START_S + 9, is_deadline=True)
    again.close()
    assert len(opened(tmp_path).blocks) == 4


def test_a_lost_index_is_written_again(tmp_path):
    ledger = opened(tmp_path)
    for step in range(3):
        ledger.produce_block(START_S + step, is_deadline=True)
    ledger.close()
    index = (tmp_path / "blocks.idx").read_bytes()
    (tmp_path / "blocks.idx").write_bytes(index[:50])
    opened(tmp_path).close()
    rewritten = (tmp_path / "blocks.idx").read_bytes()
    assert len(rewritten) == len(index)
    assert rewritten[-32:] == index[-32:]


def _frames(path):
    return list(split_frames(path.read_bytes())[0])


def _without_the_second(frames):
    return [frames[0], *frames[2:]]


def _with_a_changed_byte(frames):
    changed = frames[2][:200] + bytes([frames[2][200] ^ 1]) + frames[2][201:]
    return [*frames[:2], changed, *frames[3:]]


@pytest.mark.parametrize("damage", [_without_the_second, _with_a_changed_byte])
def test_a_history_that_was_tampered_with_is_refused(tmp_path, damage):
    ledger = opened(tmp_path)
    for step in range(4):
        ledger.produce_block(START_S + step, is_deadline=True)
    ledger.close()
    path = tmp_path / "blocks.bin"
    path.write_bytes(b"".join(map(encode_frame, damage(_frames(path)))))
    with pytest.raises(ConfigError):
        opened(tmp_path)


SPOILED_HEADERS = [
    {"height": 9},
    {"last_block_id": NO_BLOCK},
    {"last_commit_hash": bytes(32)},
    {"app_hash": bytes(32)},
    {"last_results_hash": bytes(32)},
    {"data_hash": bytes(32)},
    {"chain_id": "micro-2"},
    {"validators_hash": bytes(32)},
]


@pytest.mark.parametrize(
    "change", SPOILED_HEADERS, ids=[next(iter(row)) for row in SPOILED_HEADERS]
)
def test_a_block_that_its_validators_signed_but_that_does_not_follow_is_refused(tmp_path, change):
    ledger = opened(tmp_path)
    for step in range(3):
        ledger.produce_block(START_S + step, is_deadline=True)
    ledger.close()
    good = ledger.blocks[2].block
    block = replace(good, header=replace(good.header, **change))
    signed = Validators(SEEDS).sign("micro-1", 3, block.id(), good.header.time_ns)
    forged = StoredBlock(block, signed).encode()
    path = tmp_path / "blocks.bin"
    path.write_bytes(b"".join(map(encode_frame, [*_frames(path)[:2], forged])))
    with pytest.raises(ConfigError, match="height=3"):
        opened(tmp_path)


def test_another_state_than_the_stored_one_is_refused(tmp_path):
    ledger = opened(tmp_path)
    ledger.produce_block(START_S)
    ledger.close()
    path = tmp_path / "blocks.idx"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    with pytest.raises(ConfigError, match="another state"):
        opened(tmp_path)


def test_a_folder_of_another_ledger_is_refused(tmp_path):
    opened(tmp_path).close()
    with pytest.raises(ConfigError, match="another ledger"):
        opened(tmp_path, genesis=born(chain_id="micro-2"))
    with pytest.raises(ConfigError, match="another ledger"):
        opened(tmp_path, seeds=SEEDS[:3])


def test_what_is_not_there_yet_or_no_more_is_told_apart(run):
    ledger = opened()
    ledger.produce_block(START_S)
    with pytest.raises(NotYet):
        run(ledger.header(2, 1))
    with pytest.raises(NotYet):
        run(ledger.prove(b"key", 1))
    ledger.produce_block(START_S + 1)
    assert run(ledger.prove(b"key", 1)).value is None
    with pytest.raises(NotYet):
        ledger.client_states(3)
    for step in range(PROVABLE_VERSIONS):
        ledger.produce_block(START_S + 2 + step, is_deadline=True)
    with pytest.raises(Unavailable):
        run(ledger.prove(b"key", 1))


def test_a_lane_queues_several_transactions_for_one_block(run):
    ledger = opened()
    ledger.produce_block(START_S)
    hashes = [run(ledger.submit("alice", sending(n + 1))).tx_hash for n in range(5)]
    ledger.produce_block(START_S + 1)
    block = run(ledger.blocks_after(1))[0]
    assert [(one.tx_hash, one.code) for one in block.transactions] == [(h, 0) for h in hashes]


def test_a_refused_transaction_is_told_at_the_door_or_in_the_block(run):
    ledger = opened()
    ledger.produce_block(START_S)
    ledger.add_lane("stranger", CELL)
    with pytest.raises(Rejected):
        run(ledger.submit("stranger", [MsgSend(CELL.cosmos_account, BOB.cosmos_account, 1)]))
    run(ledger.submit("alice", sending(10**30)))
    run(ledger.submit("alice", sending(1)))
    ledger.produce_block(START_S + 1)
    first, second = run(ledger.blocks_after(1))[0].transactions
    assert first.code
    assert first.codespace
    assert first.events == ()
    assert second.code == 0
