"""
A stock chain behind a paired client, as a microgrid's ledger takes it unless its genesis says
otherwise: the chain's own headers and proofs, and the word of the cells' attestors besides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from fakes.driven import LANES, Alongside, Link, Stock, finish, genesis_of, sent_packet
from fakes.microgrid import key
from fakes.stock_chain import start_stock

from tieline.contract import vouchers
from tieline.contract.block import Application
from tieline.ledgers.cosmos.ledger import CosmosLedger
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.light_clients.tendermint.messages import ClientHeader
from tieline.protocol.denom import TRANSFER_PORT, Denom, Hop
from tieline.protocol.messages import CreateClient, Transfer
from tieline.swap.records import AttestorKey
from tieline.wire.attestation_proofs import (
    PairedClientState,
    SignedAttestorKey,
    paired_message,
    paired_proof,
)
from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    attestation_digest,
    encode_packet_attestation,
    encode_state_attestation,
)
from tieline.wire.bech32 import account_to_text
from tieline.wire.hashes import keccak, sha256
from tieline.wire.typed_data import domain_separator, sign_record

pytestmark = pytest.mark.native

OURS, STOCK = "ours-1", "stock-1"
CELL, ATTESTOR = key(f"cell of {OURS}"), key("attestor of the cell for the stock chain")
STAKE_HERE = Denom("stake", (Hop(TRANSFER_PORT, "07-tendermint-0"),))


def signatures(tag, data):
    return [ATTESTOR.sign_digest(attestation_digest(tag, data))]


@dataclass
class Attested(Stock):
    """A stock chain whose clients on our side want its attestor too."""

    def client_states(self, height):
        native, consensus = super().client_states(height)
        domain = domain_separator(genesis_of(OURS).network_id)
        record = AttestorKey(keccak(STOCK.encode()), CELL.address, ATTESTOR.address, 1)
        signed = (sign_record(one, domain, record) for one in (CELL, ATTESTOR))
        keys = (SignedAttestorKey(record, *signed),)
        return PairedClientState(native, keys, 1, CELL.address).as_any(), consensus


class PairedLink(Link):
    """Puts the attestor's word beside what our side is shown of the stock chain."""

    def shown(self, source, *stored_keys, lane="relayer"):
        update, *entries = super().shown(source, *stored_keys, lane=lane)
        if source is self.a:
            return update, *entries
        header = ClientHeader.decode(update.client_message.value).signed_header.header
        said = encode_state_attestation(header.height, header.time_ns // 10**9)
        message = paired_message(update.client_message, said, signatures(STATE_TAG, said))
        listed = [(keccak(one.key), one.value or bytes(32)) for one in entries]
        packets = encode_packet_attestation(header.height, listed)
        by_attestor = signatures(PACKET_TAG, packets)
        paired = [
            replace(one, proof=paired_proof(one.proof, packets, by_attestor)) for one in entries
        ]
        return replace(update, client_message=message), *paired


class PlainView(Link):
    """The same link as somebody sees it who has no attestor."""

    def __init__(self, link):
        self.a, self.b = link.a, link.b


@pytest.fixture
def link(tmp_path):
    chain = start_stock(STOCK, tmp_path / "stock", LANES)
    genesis = genesis_of(OURS)
    seeds = [sha256(f"validator {n}".encode()) for n in range(4)]
    # What every microgrid's ledger runs.
    ours = EmbeddedTendermint(genesis, seeds, application=Application(genesis))
    yield PairedLink(Alongside(ours), Attested(CosmosLedger(STOCK, chain.rpc)))
    chain.stop()


@dataclass
class State:
    side: Alongside

    def get(self, stored_key):
        return finish(self.side.ledger.query("tieline", stored_key))


def test_money_comes_when_headers_and_attestors_say_the_same(link):
    receiver = link.a.account("relayer")
    message = Transfer(
        link.b.account("relayer"),
        link.b.client,
        "stake",
        70,
        account_to_text(receiver),
        link.b.now_s + 600,
    )
    packet = sent_packet(link.b.must(message))
    update, receive = link.receive(packet, link.b)
    plain_update, plain_receive = Link.receive(PlainView(link), packet, link.b)
    for wrong in (
        (plain_update, plain_receive),
        (update, plain_receive),
        (update, replace(receive, proof_commitment=receive.proof_commitment[:-1])),
    ):
        assert link.a.run(*wrong).code
    link.a.must(update, receive)
    assert vouchers.balance(State(link.a), receiver, STAKE_HERE) == 70


def test_a_client_without_attestors_is_not_made(link):
    states = Stock.client_states(link.b, finish(link.b.ledger.latest_height()))
    refused = link.a.run(CreateClient(link.a.account("cell"), *states), lane="cell")
    assert refused.code
    assert "no light client takes this state" in refused.log
