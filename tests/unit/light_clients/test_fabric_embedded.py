"""The light client on blocks of the embedded network: our contract, real validation, real lies."""

from dataclasses import replace

import pytest
from fakes.driven import finish, genesis_of
from fakes.driven_fabric import FabricByHand
from fakes.fabric_evidence import Evidence
from fakes.microgrid import echo_installation
from fakes.signing_chain import DictStore

from tieline.ledgers.fabric.embedded.channel_plan import Consensus
from tieline.ledgers.fabric.embedded_ledger import EmbeddedFabric
from tieline.light_clients.fabric import building
from tieline.light_clients.fabric.client import FabricBlockClient
from tieline.light_clients.fabric.messages import AbsenceProof, ConfigStep, RecordedAbsence
from tieline.protocol.commitment import packet_receipt_key
from tieline.protocol.height import Height
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.fabric.blocks import TRANSACTIONS_FILTER, Block
from tieline.wire.fabric.envelopes import Envelope
from tieline.wire.fabric.invocations import (
    invocation_hash,
    marker_key,
    prove_absence_args,
    read_back_args,
)
from tieline.wire.fabric.transactions import MVCC_READ_CONFLICT, VALID

SEED = b"\x5e" * 32
BOTH = pytest.mark.parametrize(
    "consensus", [Consensus.RAFT, pytest.param(Consensus.BFT, marks=pytest.mark.slow)]
)


def begun(consensus=Consensus.RAFT, name="north-1"):
    genesis = genesis_of(name, "fabric")
    ledger = EmbeddedFabric(genesis, SEED, consensus=consensus, installation=echo_installation())
    return FabricByHand(ledger)


@pytest.fixture
def evidence():
    return Evidence(begun())


def payload_of(endorsed):
    return Envelope.decode(endorsed.envelope).payload


def read_back(ledger, args):
    return payload_of(
        finish(ledger.port.endorse(read_back_args(marker_key(invocation_hash(args)))))
    )


@BOTH
def test_what_an_embedded_network_did_is_shown_and_no_hundredth_byte_may_change(consensus):
    sizes = Evidence(begun(consensus)).check(every=211)
    assert max(sizes.values()) < 20_000


@pytest.mark.slow
@pytest.mark.parametrize("consensus", Consensus)
def test_what_an_embedded_network_did_is_shown_and_no_byte_at_all_may_change(consensus):
    Evidence(begun(consensus)).check()


def test_a_receive_and_the_packets_absence_in_one_block_and_the_flag_flipped(evidence):
    # Both are endorsed by both peers on the same state and ordered in one block, the receive first.
    fabric, link = evidence.fabric, evidence.link
    ledger, network = fabric.ledger, fabric.ledger.network
    packet = link.send(link.b)
    update, receive = link.receive(packet, link.b)
    fabric.must(update)
    finish(ledger.submit("relayer", [receive]))
    tau_s = ledger.history.time_s
    args = prove_absence_args(fabric.client, packet.sequence, tau_s)
    finish(ledger.port.order(finish(ledger.port.endorse(args)).envelope))
    assert network.cut() == 1
    number = network.height
    block = Block.decode(network.block(number))
    assert block.transactions_filter == bytes((VALID, MVCC_READ_CONFLICT))
    metadata = list(block.metadata)
    metadata[TRANSACTIONS_FILTER] = bytes((VALID, VALID))
    flipped = Block(block.header, block.data, tuple(metadata)).encode()
    fabric.block()
    newest = ledger.history.newest_tick
    assert evidence.update(finish(ledger.header(newest, fabric.first_height)))
    key = packet_receipt_key(fabric.client, packet.sequence)
    early = next(one for one in range(number, 0, -1) if ledger.history.tick_at(one) is not None)
    assert evidence.update(finish(ledger.header(early, fabric.first_height)))
    # The packet's absence is recorded for no earlier than that block: it would be believed.
    assert ledger.history.time_at(early) == tau_s
    proof = building.receipt_absence_proof(flipped, 1, read_back(ledger, args))
    shown = evidence.rules.verify_non_membership(evidence.store, Height(0, early), proof, (key,))
    assert "read-back of another transaction: None" in shown.refusal
    # The receive in the same block is shown.
    (entry,) = fabric.prove(key)
    assert entry.value == b"\x02"
    assert evidence.update(finish(ledger.header(entry.proof_height.revision_height, newest)))
    assert evidence.refusal(entry, entry.proof) is None


def test_what_is_endorsed_and_never_ordered_leaves_nothing_to_read_back(evidence):
    ledger, client = evidence.fabric.ledger, evidence.fabric.client
    assert evidence.update(evidence.header)
    at = evidence.entries["commitment"].proof_height
    tau_s = ledger.history.time_s
    args = prove_absence_args(client, 77, tau_s)
    endorsed = finish(ledger.port.endorse(args)).envelope
    path = (packet_receipt_key(client, 77),)

    def refusal():
        block = building.signed_block(ledger.network.block(at.revision_height))
        placed = RecordedAbsence(replace(block, envelopes=(endorsed,)), 0)
        answer = building.read_back(read_back(ledger, args))
        proof = AbsenceProof(answer, placed).encode()
        return evidence.rules.verify_non_membership(evidence.store, at, proof, path).refusal

    assert refusal() == "signature of a block is not good"
    finish(ledger.port.order(endorsed))
    assert ledger.network.cut() == 1
    assert refusal() == "signature of a block is not good", "it is in another block"
    ordered = ledger.network.block(ledger.network.height)
    proof = building.receipt_absence_proof(ordered, 0, read_back(ledger, args))
    assert evidence.rules.verify_non_membership(evidence.store, at, proof, path)


@BOTH
def test_a_configuration_of_the_embedded_network_is_followed(consensus):
    fabric = begun(consensus)
    ledger = fabric.ledger
    rules, store = FabricBlockClient(), DictStore()
    rules.initialise(store, *fabric.client_states(fabric.first_height))

    def enlarge(config):
        limits = replace(config.orderer.batch_limits, transactions_max=200)
        return replace(config, orderer=replace(config.orderer, batch_limits=limits))

    changed = ledger.network.update_config(enlarge)
    fabric.block()
    height = ledger.history.newest_tick
    header = finish(ledger.header(height, fabric.first_height))
    now_ns = fabric.now_s * NANOSECONDS_PER_SECOND
    assert rules.update(store, header, now_ns).heights == (Height(0, height),)
    step = ConfigStep(building.signed_block(changed.encode()))
    assert step.encode() in header.value
