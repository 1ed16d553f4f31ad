"""What the adapter shows of a Fabric ledger, held against the light client that others run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.driven import finish
from fakes.embedded_fabric import embedded_ledger
from fakes.followed_fabric import Follower, Sender, commitment_of

from tieline.interfaces.errors import Contradicted, NotYet, Unavailable
from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.fabric.port import EndorsementsDiffer
from tieline.protocol.commitment import (
    acknowledgement_key,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.errors import ProofInvalid
from tieline.wire.fabric.blocks import Block
from tieline.wire.fabric.lifecycle import ChaincodeDefinition


@pytest.fixture
def driven():
    return Sender(embedded_ledger())


def test_what_was_written_is_shown_at_later_heights_too(driven):
    follower = Follower(driven)
    packet = driven.send()
    (first,) = driven.prove(commitment_of(packet))
    for _ in range(3):
        driven.send()
    (later,) = driven.prove(commitment_of(packet))
    assert first.value == later.value is not None
    assert later.proof_height > first.proof_height
    for entry in (first, later):
        assert follower.verify(entry) == entry


def test_a_client_follows_another_configuration_and_another_definition(driven):
    """And what was written before them is still shown."""
    follower = Follower(driven)
    packet = driven.send()

    def enlarge(config):
        limits = replace(config.orderer.batch_limits, transactions_max=7)
        return replace(config, orderer=replace(config.orderer, batch_limits=limits))

    driven.ledger.network.update_config(enlarge)
    driven.block()
    driven.ledger.port.define(ChaincodeDefinition("tieline", 2, "2"))
    driven.ledger.port.define(ChaincodeDefinition("tieline", 3, "3"))
    late = driven.send()
    assert len(driven.ledger.history.configs(-1, driven.provable_height())) == 2
    assert len(driven.ledger.history.definitions(-1, driven.provable_height())) == 3
    entries = driven.prove(commitment_of(packet), commitment_of(late))
    for entry in entries:
        assert follower.verify(entry) == entry


def test_a_read_back_is_asked_for_once_until_others_judge_by_other_rules(driven):
    packet = driven.send()
    asked = []
    endorse = driven.ledger.port.endorse

    async def counted(args):
        asked.append(args)
        return await endorse(args)

    driven.ledger.port.endorse = counted
    driven.prove(commitment_of(packet))
    driven.prove(commitment_of(packet))
    assert len(asked) == 1
    driven.ledger.port.define(ChaincodeDefinition("tieline", 2, "2"))
    driven.block()
    asked.clear()
    driven.prove(commitment_of(packet))
    assert len(asked) == 1


def test_a_read_back_is_asked_for_again_while_one_peer_is_a_block_behind(driven):
    """Right behind a Tick: the peer that is asked has its block, the other not yet."""
    follower = Follower(driven)
    packet = driven.send()
    asked = []
    endorse = driven.ledger.port.endorse

    async def endorse_when_both_have_it(args):
        asked.append(args)
        if len(asked) < 3:
            raise EndorsementsDiffer(["Org2MSP@peer1"])
        return await endorse(args)

    driven.ledger.port.endorse = endorse_when_both_have_it
    (entry,) = driven.prove(commitment_of(packet))
    assert len(asked) == 3
    assert follower.verify(entry) == entry


def test_a_height_without_a_tick_is_not_shown_and_the_message_names_one_that_is(driven):
    height = driven.provable_height()
    packet = driven.send()
    with pytest.raises(Unavailable, match=rf"height {height + 1} has no Tick.*is {height + 2}"):
        finish(driven.ledger.prove(commitment_of(packet), height + 1))
    with pytest.raises(Unavailable, match="no Tick"):
        finish(driven.ledger.header(height + 1, driven.first_height))
    with pytest.raises(NotYet, match="no such block"):
        finish(driven.ledger.prove(commitment_of(packet), height + 3))


def test_absence_of_a_commitment_is_not_offered(driven):
    with pytest.raises(Unavailable, match="presence only"):
        finish(
            driven.ledger.prove(packet_commitment_key(driven.client, 77), driven.provable_height())
        )


def test_absence_of_a_receipt_is_recorded_and_then_shown(driven):
    follower = Follower(driven)
    (entry,) = driven.prove(packet_receipt_key(driven.client, 7))
    assert entry.value is None
    assert follower.verify(entry) == entry
    with pytest.raises(ProofInvalid):
        follower.verify(replace(entry, key=packet_receipt_key(driven.client, 8)))


def test_absences_of_many_receipts_are_recorded_in_one_block(driven):
    keys = [packet_receipt_key(driven.client, sequence) for sequence in range(7, 12)]
    before = driven.provable_height()
    entries = driven.prove(*keys)
    assert [entry.key for entry in entries] == keys
    assert driven.provable_height() - before == 2, "the records, and a Tick"


def test_a_record_of_a_later_time_shows_absence_at_an_earlier_height(driven):
    """B062's reverse side: what was not there at tau was not there before."""
    earlier = driven.provable_height()
    driven.block()
    key = packet_receipt_key(driven.client, 7)
    driven.prove(key)
    height = driven.provable_height()
    entry = finish(driven.ledger.prove(key, earlier))
    assert driven.provable_height() == height, "no other record was asked for"
    assert Follower(driven).verify(entry) == entry


def test_a_record_of_an_earlier_time_says_nothing_of_a_later_height(driven):
    follower = Follower(driven)
    key = packet_receipt_key(driven.client, 7)
    driven.prove(key)
    (entry,) = driven.prove(key)
    assert entry.proof_height.revision_height > driven.first_height
    assert follower.verify(entry) == entry


def test_what_was_received_meanwhile_is_not_absent(driven):
    height = driven.provable_height()
    driven.receive(7)
    with pytest.raises(NotYet, match="received meanwhile"):
        finish(driven.ledger.prove(packet_receipt_key(driven.client, 7), height))
    assert driven.ledger.under_way == 0


def test_absence_of_an_acknowledgement_is_shown_without_a_transaction(driven):
    follower = Follower(driven)
    driven.receive(7)
    height = driven.provable_height()
    (entry,) = driven.prove(acknowledgement_key(driven.client, 7))
    assert entry.value is None
    assert driven.provable_height() == height
    assert follower.verify(entry) == entry


def test_another_process_that_reads_from_the_start_shows_the_same(driven):
    packet = driven.send()
    (entry,) = driven.prove(commitment_of(packet))
    other = FabricLedger(driven.ledger.port)
    again = finish(other.prove(commitment_of(packet), entry.proof_height.revision_height))
    assert (again.value, again.proof_height) == (entry.value, entry.proof_height)
    assert Follower(driven).verify(again) == again
    assert finish(other.blocks_after(0, 1000)) == finish(driven.ledger.blocks_after(0, 1000))


def test_a_peer_that_shows_another_block_than_before_is_named_a_liar(driven):
    packet = driven.send()
    other = FabricLedger(driven.ledger.port)
    finish(other.read_on())
    other._prover._blocks.clear()
    blocks_after = driven.ledger.port.blocks_after

    async def lying(number, limit):
        return [
            replace(
                Block.decode(raw), header=replace(Block.decode(raw).header, data_hash=bytes(32))
            ).encode()
            for raw in await blocks_after(number, limit)
        ]

    driven.ledger.port.blocks_after = lying
    with pytest.raises(Contradicted, match="another block than before"):
        finish(other.prove(commitment_of(packet), other.history.newest_tick))
