"""
Every ledger through one door. A new adapter adds one line to ``ENGINES`` and is done when this
folder is green.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest
from fakes.microgrid import EchoApplication, key

from tieline.contract.block import Application
from tieline.contract.genesis import Genesis
from tieline.contract.installation import Installation
from tieline.ledgers.simulated.ledger import SimulatedLedger
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.light_clients.attestations.client import AttestationsClient
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.protocol.commitment import (
    acknowledgement_key,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.messages import (
    AcknowledgePacket,
    CreateClient,
    RecvPacket,
    RegisterCounterparty,
    SendPacket,
    TimeoutPacket,
    UpdateClient,
)
from tieline.protocol.packet import Payload
from tieline.wire.codec import decode_packet
from tieline.wire.hashes import sha256

START_S = 1_800_000_000
LANES = ("cell", "relayer", *(f"household {n}" for n in range(64)))
"""Accounts that every ledger of the suite knows."""


def finish(coroutine):
    """Run a coroutine of a ledger that lives in this process: it waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the coroutine waits")


def _installation():
    return Installation(
        light_clients=(TendermintClient(), AttestationsClient()), applications=(EchoApplication(),)
    )


def _genesis(chain_id, kind):
    cell = key(f"cell of {chain_id}")
    accounts = [key(f"{name} of {chain_id}").cosmos_account for name in LANES]
    return Genesis(
        chain_id=chain_id,
        network_id=b"\xee" * 32,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        kind=kind,
        balances=tuple(sorted((account, 10**12) for account in accounts)),
    )


def _embedded_tendermint(chain_id):
    genesis = _genesis(chain_id, "cometbft")
    seeds = [sha256(f"{chain_id} {n}".encode()) for n in range(4)]
    application = Application(genesis, installation=_installation(), record_access=True)
    return EmbeddedTendermint(genesis, seeds, application=application)


def _simulated(chain_id):
    operators = [key(f"operator {n} of {chain_id}") for n in range(3)]
    return SimulatedLedger(_genesis(chain_id, "sim"), operators, installation=_installation())


ENGINES = {
    ("tendermint", "embedded"): _embedded_tendermint,
    ("simulated", "embedded"): _simulated,
}
"""(kind of ledger, engine) -> how to start one. A new adapter or engine is one line here."""


def _chosen():
    """Return the kinds that `make conform LEDGER=... ENGINE=...` names; all without it."""
    kind, engine = os.environ.get("LEDGER", ""), os.environ.get("ENGINE", "")
    found = {
        one: start
        for (one, runs_on), start in ENGINES.items()
        if kind in {"", one} and engine in {"", runs_on}
    }
    if not found:
        offered = ", ".join(f"LEDGER={one} ENGINE={runs_on}" for one, runs_on in ENGINES)
        pytest.exit(f"no ledger for LEDGER={kind} ENGINE={engine}; write one of: {offered}", 2)
    return found


KINDS = _chosen()


@dataclass
class Driven:
    """A ledger and the hand that makes its blocks."""

    ledger: object
    now_s: int = START_S
    client: str = ""
    """Its client of the other ledger, once linked."""
    trusted_height: int = 0
    """Where that client began."""

    def __post_init__(self):
        for name in LANES:
            self.ledger.add_lane(name, key(f"{name} of {self.ledger.ledger_id}"))
        self.block()
        self.block()

    def account(self, lane):
        return self.ledger.lane_account(lane)

    def block(self, seconds=5):
        """Make a block, due or not, and return what it did."""
        self.now_s += seconds
        assert self.ledger.produce_block(self.now_s, is_deadline=True)
        height = finish(self.ledger.latest_height())
        (block,) = finish(self.ledger.blocks_after(height - 1))
        return block

    def run(self, *messages, lane="relayer"):
        """Run messages as one transaction in a block of its own."""
        finish(self.ledger.submit(lane, messages))
        (transaction,) = self.block().transactions
        return transaction

    def must(self, *messages, lane="relayer"):
        """Run messages that have to succeed."""
        transaction = self.run(*messages, lane=lane)
        assert transaction.code == 0, transaction.log
        return transaction

    def prove(self, *stored_keys):
        """Prove keys as of the last block; makes the proof block if there is one."""
        height = finish(self.ledger.latest_height())
        for _ in range(self.ledger.capabilities.proof_lag):
            self.block()
        return [finish(self.ledger.prove(stored_key, height)) for stored_key in stored_keys]

    def query(self, stored_key):
        return finish(self.ledger.query("ibc", stored_key))

    def payload(self, value=b"ok"):
        return Payload("echo", "echo", "echo-1", "text", value)


@dataclass
class Link:
    """Two ledgers that are each other's counterparty, and a relayer by hand."""

    a: Driven
    b: Driven

    def __post_init__(self):
        for local, remote in ((self.a, self.b), (self.b, self.a)):
            self.align()
            height = finish(remote.ledger.latest_height())
            states = remote.ledger.client_states(height)
            created = local.must(CreateClient(local.account("cell"), *states), lane="cell")
            (event,) = [one for one in created.events if one.type == "create_client"]
            local.client = event.get("client_id")
            local.trusted_height = height
        for local, remote in ((self.a, self.b), (self.b, self.a)):
            prefix = remote.ledger.capabilities.merkle_prefix
            local.must(
                RegisterCounterparty(local.account("cell"), local.client, remote.client, prefix),
                lane="cell",
            )

    def align(self):
        """Bring both clocks to the later one."""
        now_s = max(self.a.now_s, self.b.now_s)
        for side in (self.a, self.b):
            if side.now_s < now_s:
                side.block(seconds=now_s - side.now_s)

    def other(self, side):
        return self.b if side is self.a else self.a

    def send(self, source, value=b"ok", timeout_s=600, lane="relayer"):
        """Send one packet and return it."""
        message = SendPacket(
            source.account(lane), source.client, source.now_s + timeout_s, (source.payload(value),)
        )
        return sent_packet(source.must(message, lane=lane))

    def shown(self, source, *stored_keys, lane="relayer"):
        """Return the update that proofs of *stored_keys* on *source* need, and the proofs."""
        entries = source.prove(*stored_keys)
        self.align()
        destination = self.other(source)
        height = entries[0].proof_height.revision_height
        header = finish(source.ledger.header(height, destination.trusted_height))
        update = UpdateClient(destination.account(lane), destination.client, header)
        return update, *entries

    def receive(self, packet, source, lane="relayer"):
        """Return the messages that bring *packet* to its destination."""
        update, entry = self.shown(
            source, packet_commitment_key(packet.source_client, packet.sequence), lane=lane
        )
        signer = self.other(source).account(lane)
        return update, RecvPacket(signer, packet, entry.proof, entry.proof_height)

    def acknowledge(self, packet, acknowledgement, destination, lane="relayer"):
        """Return the messages that bring the answer back."""
        stored_key = acknowledgement_key(packet.destination_client, packet.sequence)
        update, entry = self.shown(destination, stored_key, lane=lane)
        signer = self.other(destination).account(lane)
        return update, AcknowledgePacket(
            signer, packet, acknowledgement, entry.proof, entry.proof_height
        )

    def time_out(self, packet, destination, lane="relayer"):
        """Return the messages that show that *packet* was not received."""
        stored_key = packet_receipt_key(packet.destination_client, packet.sequence)
        update, entry = self.shown(destination, stored_key, lane=lane)
        signer = self.other(destination).account(lane)
        return update, TimeoutPacket(signer, packet, entry.proof, entry.proof_height)


def sent_packet(transaction):
    """Return the packet that a transaction sent."""
    (event,) = [one for one in transaction.events if one.type == "send_packet"]
    return decode_packet(bytes.fromhex(event.get("encoded_packet_hex")))


@pytest.fixture(params=sorted(KINDS))
def driven(request):
    """One ledger of every kind."""
    return Driven(KINDS[request.param]("conform-1"))


@pytest.fixture(params=[(one, other) for one in sorted(KINDS) for other in sorted(KINDS)])
def link(request):
    """Two linked ledgers, of every pair of kinds."""
    one, other = request.param
    return Link(Driven(KINDS[one]("first-1")), Driven(KINDS[other]("second-1")))


@pytest.fixture
def run_now():
    """Finish a ledger's coroutine."""
    return finish
