"""A transaction's messages as one call: what is joined, what stands alone, what is refused."""

from dataclasses import replace

import pytest
from fakes import attestors
from fakes.driven import ECHO, TRADE
from fakes.microgrid import key

from tieline.contract.genesis import Genesis
from tieline.contract.twin.state import TwinOf
from tieline.contract.twin.twin import Twin
from tieline.interfaces.errors import Rejected
from tieline.interfaces.ledger import StoredValue
from tieline.ledgers.ethereum.calls import build_call
from tieline.ledgers.ethereum.deployment import plan_deployment
from tieline.light_clients.attestations.messages import ClientState, ConsensusState
from tieline.protocol.commitment import (
    acknowledgement_key,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.height import Height
from tieline.protocol.messages import (
    AcknowledgePacket,
    AnyMessage,
    CreateClient,
    RecvPacket,
    RegisterCounterparty,
    SendPacket,
    TimeoutPacket,
    Transfer,
    UpdateClient,
)
from tieline.protocol.packet import Acknowledgement, Packet, Payload
from tieline.swap.messages import (
    MsgApplyVerdict,
    MsgClaim,
    MsgCollectShare,
    MsgDeposit,
    MsgOpenAbroad,
    MsgPostClearing,
    MsgReleaseOrder,
    MsgSend,
    ProvedDeliveryLeaf,
)
from tieline.swap.records import Allocation, Clearing, DeliveryLeaf
from tieline.wire.evm import contract_calls as calls

CELL = key("cell").address
GENESIS = Genesis("mg-e", b"\xee" * 32, CELL, (CELL,), kind="evm")
PLAN = plan_deployment(GENESIS, 5, bytes(32), CELL)
HOST, APP = PLAN.addresses.host, PLAN.addresses.app
HEIGHT = Height(0, 9)


def built(*messages):
    twin = Twin(TwinOf(GENESIS, PLAN.chain_tag, HOST, APP))
    return build_call(messages, twin.state, PLAN.addresses)


def entries(call):
    """The calls of a multicall, or the only one."""
    if call.data[:4] != calls.MULTICALL.selector:
        return [call.data]
    return list(calls.MULTICALL.decode(call.data)["calls"])


def packet(sequence, language=TRADE):
    payload = Payload(*language, b"value")
    return Packet(sequence, "07-tendermint-0", "attestations-0", 2_000_000_000, (payload,))


def proofs(*keys, value=b"\x01" * 32):
    """One attestation of all keys; its bytes."""
    listed = [StoredValue(one, value, HEIGHT, b"") for one in keys]
    return attestors.proofs(listed)[0].proof


def receive(*sequences, language=TRADE):
    packets = [packet(one, language) for one in sequences]
    proof = proofs(*(packet_commitment_key(one.source_client, one.sequence) for one in packets))
    return [RecvPacket(b"", one, proof, HEIGHT) for one in packets]


def update(client="attestations-0"):
    return UpdateClient(b"", client, attestors.header(9, 1_800_000_000))


def share(lock, side=1):
    allocation = Allocation(b"\x02" * 32, CELL, 1, 2, 3)
    return MsgCollectShare(b"", lock, side, allocation, ())


def test_packets_under_one_attestation_are_one_call_with_their_header():
    """A whole batch pays for one header and one attestation."""
    call = built(update(), *receive(4, 5, 6))
    assert call.to == HOST
    values = calls.RECEIVE_PACKETS.decode(call.data)
    assert values["client"] == 0
    assert values["update"][0] == (9).to_bytes(32, "big") + (1_800_000_000).to_bytes(32, "big")
    assert [(item[0][0], item[1]) for item in values["packets"]] == [(4, 0), (5, 1), (6, 2)]
    assert len(values["proof"][1]) == 3 * 65


def test_packets_under_different_attestations_are_calls_of_their_own():
    call = built(update(), *receive(4), *receive(5))
    first, second = entries(call)
    assert calls.RECEIVE_PACKETS.decode(first)["update"][0]
    assert not calls.RECEIVE_PACKETS.decode(second)["update"][0]


def test_a_header_of_another_client_stands_alone():
    call = built(update("attestations-3"), *receive(4))
    first, second = entries(call)
    assert calls.UPDATE_CLIENT.decode(first)["client"] == 3
    assert not calls.RECEIVE_PACKETS.decode(second)["update"][0]
    assert entries(built(update()))[0][:4] == calls.UPDATE_CLIENT.selector


def test_each_kind_of_packet_message_has_its_call_and_its_key():
    sent = replace(packet(7), source_client="attestations-0", destination_client="07-x-0")
    answer = Acknowledgement((b"done",))
    back = AcknowledgePacket(b"", sent, answer, proofs(acknowledgement_key("07-x-0", 7)), HEIGHT)
    never = TimeoutPacket(b"", sent, proofs(packet_receipt_key("07-x-0", 7), value=None), HEIGHT)
    acknowledged, timed_out = entries(built(back, never))
    (item,) = calls.ACKNOWLEDGE_PACKETS.decode(acknowledged)["packets"]
    assert item == ((7, 2_000_000_000, b"value"), 0, b"done")
    (item,) = calls.TIMEOUT_PACKETS.decode(timed_out)["packets"]
    assert item == ((7, 2_000_000_000, b"value"), 0)


def test_a_packet_in_another_language_is_shown_whole():
    """The host says on chain that nobody there speaks it."""
    (skipped,) = entries(built(update(), *receive(4, language=ECHO)))
    values = calls.SKIP_PACKET.decode(skipped)
    assert values["packet"][4] == (("echo", "echo", "echo-1", "text", b"value"),)
    assert values["update"][0]


def test_what_the_application_does_goes_with_what_the_host_does():
    """One transaction for all that a relayer's batch holds, in its order."""
    call = built(MsgDeposit(b"", 5), update(), *receive(4), MsgSend(b"", CELL, 3))
    assert call.to == APP
    selectors = [one[:4] for one in entries(call)]
    assert selectors == [
        calls.DEPOSIT.selector,
        calls.RECEIVE_PACKETS.selector,
        calls.SEND.selector,
    ]
    assert entries(built(MsgDeposit(b"", 5))) == [calls.DEPOSIT.encode(5)]


def test_only_the_cells_calls_go_to_the_host_with_others_of_anyone():
    states = attestors.states(9, 1_800_000_000)
    pair = RegisterCounterparty(b"", "attestations-0", "07-tendermint-0", (b"",))
    call = built(CreateClient(b"", *states), pair)
    assert call.to == HOST
    created, paired = entries(call)
    values = calls.CREATE_CLIENT.decode(created)
    assert values["attestors"] == tuple(one.address for one in attestors.KEYS)
    assert (values["minSignatures"], values["height"]) == (3, 9)
    assert calls.REGISTER_COUNTERPARTY.decode(paired)["counterparty"] == "07-tendermint-0"
    with pytest.raises(Rejected, match="transactions of their own"):
        built(CreateClient(b"", *states), MsgDeposit(b"", 5))


def refused(text, *messages):
    with pytest.raises(Rejected, match=text) as caught:
        built(*messages)
    return caught.value


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (Transfer(b"", "attestations-0", "neur", 1, "x", 9), "Transfer is not for EVM ledgers"),
        (MsgOpenAbroad(b"", ()), "MsgOpenAbroad is not for EVM ledgers"),
        (SendPacket(b"", "attestations-0", 9, ()), "SendPacket is not for EVM ledgers"),
        (MsgSend(b"", CELL, 1, "ibc/AB"), "moves neur only: ibc/AB"),
        (MsgSend(b"", CELL, 2**128), "a field does not fit: uint128 out of range"),
        (update("07-tendermint-0"), "an EVM host's clients are attestations-N"),
        (
            UpdateClient(b"", "attestations-0", AnyMessage("/other", b"")),
            "takes attested states: /other",
        ),
        (
            RegisterCounterparty(b"", "attestations-0", "x-client-0", (b"ibc", b"")),
            "merkle prefix",
        ),
        (
            CreateClient(b"", AnyMessage("/tendermint", b""), AnyMessage("/t", b"")),
            "attestations clients only",
        ),
        (MsgReleaseOrder(b"", b"\x01" * 32), "no such order"),
        (share(b"\x01" * 32), "no such lock"),
        (
            MsgClaim(b"", b"\x01" * 32, b"\x02" * 32, ProvedDeliveryLeaf(DeliveryLeaf(b"", 1), ())),
            "no such lock",
        ),
        (MsgApplyVerdict(b"", 900, b"\x01" * 32, ()), "must be brought the verdict itself"),
        (
            MsgPostClearing(b"", Clearing(b"\x05" * 32, 1, 900, 900, 1, bytes(32), bytes(32)), ()),
            "cell set not posted here: 0505",
        ),
    ],
)
def test_what_an_evm_ledger_cannot_do_is_refused_in_words(message, text):
    """Before anything is signed or paid."""
    assert refused(text, message).code


def test_nothing_to_do_is_refused():
    refused("no messages")


def test_a_packet_that_its_attestation_does_not_list_is_refused():
    one, other = receive(4)[0], receive(5)[0]
    refused("not in the attestation", replace(one, proof_commitment=other.proof_commitment))


def test_an_attestation_of_another_height_than_said_is_refused():
    (one,) = receive(4)
    refused("attested=9 said=8", replace(one, proof_height=Height(0, 8)))


@pytest.mark.parametrize("proof", [b"", b"\x0a\x01\x00", b"garbage"])
def test_bytes_that_are_no_attestation_are_refused(proof):
    (one,) = receive(4)
    refused("not an attestation|not a packet attestation", replace(one, proof_commitment=proof))


def test_states_that_cannot_be_read_are_refused():
    client, consensus = attestors.states(9, 5)
    refused("malformed", CreateClient(b"", replace(client, value=b"\xff"), consensus))
    assert ClientState.decode(client.value)
    assert ConsensusState.decode(consensus.value)


def test_an_answer_of_two_parts_is_refused():
    sent = replace(packet(7), source_client="attestations-0", destination_client="07-x-0")
    proof = proofs(acknowledgement_key("07-x-0", 7))
    answer = Acknowledgement((b"one", b"two"))
    refused("one payload has one answer", AcknowledgePacket(b"", sent, answer, proof, HEIGHT))
