"""
A ledger of ours and a stock ibc-go chain as neighbours: each takes the other's headers, proofs and
packets by its own code, and freezes its client of a neighbour that signs two histories.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.driven import (
    LANES,
    Alongside,
    Link,
    Stock,
    finish,
    genesis_of,
)
from fakes.stock_chain import (
    MOCK_ANSWER,
    forged,
    mock_installation,
    start_stock,
    validator_key,
)
from nacl.signing import SigningKey

from tieline.contract.block import Application
from tieline.ledgers.cosmos.ledger import CosmosLedger
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.light_clients.tendermint.messages import (
    ClientHeader,
    ClientState,
    ConsensusState,
    Misbehaviour,
)
from tieline.protocol.commitment import (
    ERROR_ACKNOWLEDGEMENT,
    acknowledgement_key,
    client_prefix,
    commit_acknowledgement,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.messages import SendPacket, UpdateClient
from tieline.protocol.packet import Acknowledgement
from tieline.wire.attestation_proofs import decode_any
from tieline.wire.codec import decode_acknowledgement
from tieline.wire.hashes import sha256

pytestmark = pytest.mark.native

OURS, STOCK = "ours-1", "stock-1"
SEEDS = [sha256(f"validator {n}".encode()) for n in range(4)]
SIGNING_KEYS = [SigningKey(seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """One stock chain for this module."""
    running = start_stock(STOCK, tmp_path_factory.mktemp("stock") / "home", LANES)
    yield running
    running.stop()


@pytest.fixture
def stock(chain):
    return Stock(CosmosLedger(STOCK, chain.rpc))


@pytest.fixture
def ours():
    """A new ledger of four validators."""
    born = genesis_of(OURS)
    application = Application(born, installation=mock_installation())
    return Alongside(EmbeddedTendermint(born, SEEDS, application=application))


@pytest.fixture
def link(ours, stock):
    return Link(ours, stock)


def written(transaction):
    (event,) = [one for one in transaction.events if one.type == "write_acknowledgement"]
    return decode_acknowledgement(bytes.fromhex(event.get("encoded_acknowledgement_hex")))


def names(transaction):
    return [one.type for one in transaction.events]


def stored(side, what):
    """What a ledger holds of its client, decoded from its ``Any``."""
    value = side.query(client_prefix(side.client) + what)
    return None if value is None else decode_any(value).value


def client_state(side):
    return ClientState.decode(stored(side, b"clientState"))


def update(link, source, height, trusted):
    """The message that brings the client of *source* from *trusted* to *height*."""
    destination = link.other(source)
    header = finish(source.ledger.header(height, trusted))
    return UpdateClient(destination.account("relayer"), destination.client, header)


@pytest.mark.parametrize("from_us", [True, False])
def test_headers_are_taken_next_by_next_skipping_and_filling_in(link, from_us):
    source = link.a if from_us else link.b
    destination = link.other(source)
    start = destination.trusted_height
    while finish(source.ledger.latest_height()) < start + 12:
        source.block()
    latest = start + 12
    # Next by next, over ten at once, and one in between afterwards.
    for height, trusted in ((start + 1, start), (latest, start + 1), (start + 5, start + 1)):
        destination.must(update(link, source, height, trusted))
        header = finish(source.ledger.header(height, trusted))
        told = ClientHeader.decode(header.value).signed_header.header
        raw = stored(destination, f"consensusStates/1-{height}".encode())
        held = ConsensusState.decode(raw)
        assert (held.time_ns, held.root) == (told.time_ns, told.app_hash)
        assert held.next_validators_hash == told.next_validators_hash
    assert client_state(destination).latest_height.revision_height == latest


@pytest.mark.parametrize("from_us", [True, False])
def test_packets_go_there_and_answers_come_back(link, from_us):
    """Proofs of presence in both directions, made by one kind of ledger, judged by the other."""
    source = link.a if from_us else link.b
    destination = link.other(source)
    packet = link.send(source)
    received = destination.must(*link.receive(packet, source))
    assert names(received).count("recv_packet") == 1
    answer = written(received)
    assert answer == Acknowledgement((MOCK_ANSWER,))
    answer_key = acknowledgement_key(packet.destination_client, packet.sequence)
    assert destination.query(answer_key) == commit_acknowledgement(answer)
    acknowledged = source.must(*link.acknowledge(packet, answer, destination))
    assert "acknowledge_packet" in names(acknowledged)
    assert source.query(packet_commitment_key(packet.source_client, packet.sequence)) is None


@pytest.mark.parametrize("from_us", [True, False])
def test_a_refusal_is_the_sentinel_on_both(link, from_us):
    source = link.a if from_us else link.b
    destination = link.other(source)
    packet = link.send(source, b"no")
    answer = written(destination.must(*link.receive(packet, source)))
    assert answer == Acknowledgement((ERROR_ACKNOWLEDGEMENT,))
    source.must(*link.acknowledge(packet, answer, destination))


@pytest.mark.parametrize("from_us", [True, False])
def test_a_packet_times_out_by_a_proof_of_absence(link, from_us):
    source = link.a if from_us else link.b
    destination = link.other(source)
    packet = link.send(source, timeout_s=destination.soon_s)
    delivery = link.receive(packet, source)
    assert source.run(*link.time_out(packet, destination)).code, "its time has not come"
    destination.pass_until(packet.timeout_s)
    timed_out = source.must(*link.time_out(packet, destination))
    assert "timeout_packet" in names(timed_out)
    assert source.query(packet_commitment_key(packet.source_client, packet.sequence)) is None
    assert destination.run(*delivery).code, "its time has passed"


@pytest.mark.parametrize("from_us", [True, False])
def test_a_packet_that_waits_for_its_answer_does_not_time_out(link, from_us):
    """An asynchronous acknowledgement: the receipt is there, the answer is not, for ever here."""
    source = link.a if from_us else link.b
    destination = link.other(source)
    packet = link.send(source, b"later", timeout_s=destination.soon_s)
    received = destination.must(*link.receive(packet, source))
    assert "write_acknowledgement" not in names(received)
    assert destination.query(packet_receipt_key(packet.destination_client, packet.sequence))
    answer_key = acknowledgement_key(packet.destination_client, packet.sequence)
    assert destination.query(answer_key) is None
    destination.pass_until(packet.timeout_s)
    assert source.run(*link.time_out(packet, destination)).code
    assert source.query(packet_commitment_key(packet.source_client, packet.sequence))


@pytest.mark.parametrize("from_us", [True, False])
def test_neither_takes_a_packet_that_was_not_sent(link, from_us):
    source = link.a if from_us else link.b
    destination = link.other(source)
    packet = link.send(source)
    brings, receive = link.receive(packet, source)
    for lie in (
        replace(packet, timeout_s=packet.timeout_s + 1),
        replace(packet, sequence=packet.sequence + 1),
        replace(packet, payloads=(source.payload(b"no"),)),
    ):
        assert destination.run(brings, replace(receive, packet=lie)).code, lie
    destination.must(brings, receive)


def keys_of(side, chain):
    return SIGNING_KEYS if isinstance(side, Alongside) else [validator_key(chain)]


def assert_frozen(link, side):
    """A frozen client takes nothing and lets nothing out."""
    assert client_state(side).is_frozen
    other = link.other(side)
    packet = link.send(other)
    refused = side.run(*link.receive(packet, other))
    assert refused.code
    timeout_s = side.now_s + 600
    message = SendPacket(side.account("relayer"), side.client, timeout_s, (side.payload(),))
    assert side.run(message).code


@pytest.mark.parametrize("from_us", [True, False])
def test_two_headers_at_one_height_freeze_the_client(link, chain, from_us):
    source = link.a if from_us else link.b
    destination = link.other(source)
    start = destination.trusted_height
    while finish(source.ledger.latest_height()) < start + 2:
        source.block()
    header = finish(source.ledger.header(start + 2, start))
    other = forged(header, *keys_of(source, chain), app_hash=b"\x66" * 32)
    message = Misbehaviour(header.value, other.value, destination.client).as_any()
    signer = destination.account("relayer")
    frozen = destination.must(UpdateClient(signer, destination.client, message))
    assert "client_misbehaviour" in names(frozen)
    assert_frozen(link, destination)


@pytest.mark.parametrize("from_us", [True, False])
def test_an_update_against_what_is_held_freezes_the_client(link, chain, from_us):
    source = link.a if from_us else link.b
    destination = link.other(source)
    start = destination.trusted_height
    while finish(source.ledger.latest_height()) < start + 2:
        source.block()
    destination.must(update(link, source, start + 2, start))
    header = finish(source.ledger.header(start + 2, start))
    other = forged(header, *keys_of(source, chain), app_hash=b"\x66" * 32)
    signer = destination.account("relayer")
    destination.must(UpdateClient(signer, destination.client, other))
    assert_frozen(link, destination)


@pytest.mark.parametrize("from_us", [True, False])
def test_time_that_falls_with_height_freezes_the_client(link, chain, from_us):
    source = link.a if from_us else link.b
    destination = link.other(source)
    start = destination.trusted_height
    while finish(source.ledger.latest_height()) < start + 3:
        source.block()
    low = finish(source.ledger.header(start + 2, start))
    low_ns = ClientHeader.decode(low.value).signed_header.header.time_ns
    high = finish(source.ledger.header(start + 3, start))
    high = forged(high, *keys_of(source, chain), time_ns=low_ns)
    message = Misbehaviour(high.value, low.value, destination.client).as_any()
    signer = destination.account("relayer")
    destination.must(UpdateClient(signer, destination.client, message))
    assert_frozen(link, destination)


@pytest.mark.parametrize("from_us", [True, False])
def test_too_few_signatures_freeze_nothing_and_prove_nothing(link, chain, from_us):
    source = link.a if from_us else link.b
    destination = link.other(source)
    start = destination.trusted_height
    while finish(source.ledger.latest_height()) < start + 2:
        source.block()
    keys = keys_of(source, chain)
    header = finish(source.ledger.header(start + 2, start))
    other = forged(header, *keys[: len(keys) * 2 // 3], app_hash=b"\x66" * 32)
    signer = destination.account("relayer")
    for message in (other, Misbehaviour(header.value, other.value, destination.client).as_any()):
        assert destination.run(UpdateClient(signer, destination.client, message)).code
    assert not client_state(destination).is_frozen


def test_what_our_validators_sign_without_one_of_them_is_enough(link):
    """Three of four, as when a validator is down: more than two thirds."""
    start = link.b.trusted_height
    link.a.block()
    link.a.block()
    header = finish(link.a.ledger.header(start + 1, start))
    signer = link.b.account("relayer")
    partly = forged(header, *SIGNING_KEYS[:3])
    link.b.must(UpdateClient(signer, link.b.client, partly))
    assert client_state(link.b).latest_height.revision_height == start + 1
