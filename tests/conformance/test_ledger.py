"""What every ledger promises to the hub: one ledger at a time."""

from __future__ import annotations

import itertools
import time

import pytest
from fakes.microgrid import key

from tieline.interfaces.errors import NotYet, Rejected, Unavailable
from tieline.interfaces.ledger import StoredValue
from tieline.light_clients.attestations.client import AttestationsClient
from tieline.light_clients.evm.client import EvmSealedClient
from tieline.light_clients.fabric.client import FabricBlockClient
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.light_clients.verified import verify_state, verify_stored
from tieline.protocol.errors import ProofInvalid
from tieline.protocol.height import Height
from tieline.protocol.messages import CreateClient, SendPacket
from tieline.swap.messages import MsgSend

RULES = {
    rules.client_type: rules
    for rules in (
        TendermintClient(),
        AttestationsClient(),
        EvmSealedClient(),
        FabricBlockClient(),
    )
}


class Store(dict):
    """A follower's client store."""

    def set(self, stored_key, value):
        self[stored_key] = value

    def delete(self, stored_key):
        self.pop(stored_key, None)


def pay(driven, sender, recipient, amount=5):
    return MsgSend(driven.account(sender), driven.account(recipient), amount)


def follower(driven):
    """A light client outside the ledger, which trusts the first block that it can."""
    rules, store = RULES[driven.ledger.capabilities.client_type], Store()
    rules.initialise(store, *driven.client_states(driven.first_height))
    return rules, store


def test_a_submitted_transaction_is_in_the_next_block(driven, run_now):
    result = run_now(driven.ledger.submit("relayer", [pay(driven, "relayer", "cell")]))
    (transaction,) = driven.block().transactions
    assert (transaction.tx_hash, transaction.code) == (result.tx_hash, 0)


def test_blocks_come_by_height_without_gaps(driven, run_now):
    start = run_now(driven.ledger.latest_height()) - 2
    for amount in range(1, 6):
        driven.must(pay(driven, "relayer", "cell", amount))
    blocks = run_now(driven.ledger.blocks_after(start))
    heights = [block.height for block in blocks]
    assert heights == list(range(start + 1, heights[-1] + 1))
    assert heights[-1] == run_now(driven.ledger.latest_height()) or not driven.rests
    # A native ledger makes several blocks in a second; what cannot be proved needs no new time.
    assert all(
        one.time_s < other.time_s + (not driven.is_by_hand or not other.is_provable)
        for one, other in itertools.pairwise(blocks)
    )
    assert run_now(driven.ledger.blocks_after(start + 2, 3)) == blocks[2:5]
    if driven.rests:
        assert run_now(driven.ledger.latest_time_s()) == blocks[-1].time_s == driven.now_s
        assert run_now(driven.ledger.blocks_after(heights[-1])) == []


def test_a_cursor_brings_every_block_once_whatever_the_limit(driven, run_now):
    """What a relayer does: read on from the last height that it has seen."""
    start = run_now(driven.ledger.latest_height())
    for amount in range(1, 6):
        driven.must(pay(driven, "relayer", "cell", amount))
    latest = run_now(driven.ledger.latest_height())
    for limit in (1, 2, 3, 100):
        cursor, heights = start, []
        while blocks := run_now(driven.ledger.blocks_after(cursor, limit)):
            assert len(blocks) <= limit
            heights += [block.height for block in blocks]
            cursor = heights[-1]
        assert heights == list(range(start + 1, latest + 1))


def test_blocks_that_are_not_there_are_not_made_up(driven, run_now):
    latest = run_now(driven.ledger.latest_height())
    try:
        assert run_now(driven.ledger.blocks_after(latest + 1000)) == []
    except Unavailable:
        return  # a cursor above the ledger: it was begun anew, or its peers are behind


def test_many_transactions_of_one_lane_wait_together_and_land_in_order(driven, run_now):
    sent = [
        run_now(driven.ledger.submit("relayer", [pay(driven, "relayer", "cell", amount)])).tx_hash
        for amount in range(1, 9)
    ]
    landed = driven.block().transactions
    assert [one.tx_hash for one in landed] == sent
    assert [one.code for one in landed] == [0] * len(sent)


def test_the_same_message_again_is_another_transaction_and_lands_once_more(driven, run_now):
    message = pay(driven, "relayer", "cell", 7)
    first, second = (run_now(driven.ledger.submit("relayer", [message])) for _ in range(2))
    assert first.tx_hash != second.tx_hash
    assert {one.tx_hash for one in driven.block().transactions} == {first.tx_hash, second.tx_hash}


def test_a_transaction_that_is_too_large_is_refused_with_the_figure(driven, run_now):
    """And holds no sequence: the next one lands."""
    payload = driven.payload(bytes(driven.tx_bytes_max))
    message = SendPacket(driven.account("relayer"), "attestations-0", 2**40, (payload,))
    with pytest.raises(Rejected, match=str(driven.tx_bytes_max)) as caught:
        run_now(driven.ledger.submit("relayer", [message]))
    assert (caught.value.codespace, caught.value.code) == ("sdk", 21)
    driven.must(pay(driven, "relayer", "cell"))


def test_time_does_not_stand_still(by_hand, run_now):
    driven = by_hand
    height = run_now(driven.ledger.latest_height())
    assert not driven.produce(driven.now_s, is_deadline=True)
    assert not driven.produce(driven.now_s - 1, is_deadline=True)
    assert height == run_now(driven.ledger.latest_height())


def test_without_a_reason_heights_stand_still(own_pace, run_now):
    """What there is to put in and to prove makes as many blocks as it needs, and no more."""
    driven = own_pace
    driven.block()
    height = run_now(driven.ledger.latest_height())
    time.sleep(1.0)
    assert run_now(driven.ledger.latest_height()) == height
    driven.must(pay(driven, "relayer", "cell"))
    new = run_now(driven.ledger.latest_height()) - height
    lag = driven.ledger.capabilities.proof_lag
    assert 1 + lag <= new <= 1 + lag + driven.ticks_after, "the state changed"


def test_no_block_is_made_without_a_reason(by_hand, run_now):
    driven = by_hand
    driven.block()
    assert not driven.produce(driven.now_s + driven.pace_s)
    run_now(driven.ledger.submit("relayer", [pay(driven, "relayer", "cell")]))
    assert driven.ledger.wants_block
    assert driven.produce(driven.now_s + 2 * driven.pace_s)
    is_proof_due = driven.ledger.capabilities.proof_lag > 0
    assert driven.ledger.wants_block is is_proof_due, "the state changed"


def test_a_transaction_is_all_or_nothing(ours, run_now):
    driven = ours
    before = run_now(driven.ledger.scan("tieline", b"a"))
    refused = driven.run(pay(driven, "relayer", "cell"), pay(driven, "relayer", "cell", 10**30))
    assert refused.code
    assert refused.events == ()
    after = dict(run_now(driven.ledger.scan("tieline", b"a")))
    changed = [stored_key for stored_key, value in before if after[stored_key] != value]
    assert len(changed) <= 1, "nothing but the signer's sequence"
    driven.must(pay(driven, "relayer", "cell"))


def test_a_stranger_is_refused_at_the_door(driven, run_now):
    driven.ledger.add_lane("stranger", key("a stranger"))
    message = MsgSend(driven.account("stranger"), driven.account("cell"), 1)
    with pytest.raises(Rejected):
        run_now(driven.ledger.submit("stranger", [message]))
    assert driven.block().transactions == ()


def test_two_and_thirty_disjoint_transactions_are_valid_in_one_block(driven, run_now):
    for n in range(32):
        message = pay(driven, f"household {n}", f"household {n + 32}", n + 1)
        run_now(driven.ledger.submit(f"household {n}", [message]))
    assert [one.code for one in driven.block().transactions] == [0] * 32
    assert_disjoint(driven.last_access())


def assert_disjoint(accesses):
    """No transaction wrote a key that another read or wrote: they could come in any order."""
    for one, other in itertools.permutations(accesses, 2):
        assert not one.writes & (other.reads | other.writes)


def test_a_follower_takes_every_header_and_may_skip(driven, run_now):
    rules, store = follower(driven)
    for _ in range(4):
        driven.block()
    latest = run_now(driven.ledger.latest_height())
    revision = rules.latest_height(store).revision_number
    blocks = run_now(driven.ledger.blocks_after(driven.first_height - 1))
    first, second, third, fourth, *_ = [one.height for one in blocks if one.is_provable]
    steps = ((second, first), (latest, second), (third, second), (fourth, third))
    for height, trusted in steps:
        header = run_now(driven.ledger.header(height, trusted))
        place = Height(revision, height)
        seen = verify_state(rules, store, header, place, driven.now_s * 10**9).value
        (block,) = run_now(driven.ledger.blocks_after(height - 1, 1))
        assert seen == block.time_s
    with pytest.raises(NotYet):
        run_now(driven.ledger.header(driven.later_height(latest) + 1, latest))


def test_absence_is_proved_and_nothing_else_is(driven, run_now):
    first = driven.first_height
    states = driven.states_of(driven, first)
    driven.must(CreateClient(driven.account("cell"), *states), lane="cell")
    absent = driven.absent_key
    (entry,) = driven.prove(absent)
    assert entry.value is None
    rules, store = follower(driven)
    place = entry.proof_height
    header = run_now(driven.ledger.header(place.revision_height, first))
    verify_state(rules, store, header, place, driven.now_s * 10**9)
    prefix = driven.ledger.capabilities.merkle_prefix
    assert verify_stored(rules, store, entry, prefix).value == entry
    neighbour = StoredValue(absent + b"\x00", None, place, entry.proof)
    earlier = Height(place.revision_number, first)
    for lie in (
        *([] if driven.shares_proofs else [neighbour]),
        StoredValue(absent, b"\x01" * 32, place, entry.proof),
        StoredValue(absent, None, place, entry.proof[:-1]),
        *(
            []
            if driven.earlier_absence_follows
            else [StoredValue(absent, None, earlier, entry.proof)]
        ),
    ):
        with pytest.raises(ProofInvalid):
            verify_stored(rules, store, lie, prefix)


def test_what_is_not_there_yet_is_not_proved(driven, run_now):
    latest = run_now(driven.ledger.latest_height())
    with pytest.raises(NotYet):
        run_now(driven.ledger.prove(b"key", driven.later_height(latest) + 1))


def test_ledgers_are_told_apart_by_their_tag(ours):
    assert len(ours.chain_tag()) == 32


def test_a_ledger_is_called_by_its_chain_id(driven):
    assert driven.ledger.ledger_id == "conform-1"
