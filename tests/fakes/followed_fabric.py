"""A Fabric ledger that sends and receives packets, and a light client somewhere else of it."""

from __future__ import annotations

from fakes import attestors
from fakes.driven import finish, sent_packet
from fakes.driven_fabric import FabricByHand
from fakes.scripted_fabric import START_S
from tieline.interfaces.ledger import StoredValue
from tieline.light_clients.fabric.client import FabricBlockClient
from tieline.light_clients.verified import verify_state, verify_stored
from tieline.protocol.commitment import commit_packet, packet_commitment_key
from tieline.protocol.height import Height
from tieline.protocol.messages import CreateClient, RecvPacket, RegisterCounterparty, SendPacket
from tieline.protocol.packet import Packet, Payload

REMOTE = "07-tendermint-5"


class Store(dict):
    """A follower's client store."""

    def set(self, stored_key, value):
        self[stored_key] = value

    def delete(self, stored_key):
        self.pop(stored_key, None)


class Follower:
    """A light client somewhere else, which began at the first height that it could."""

    def __init__(self, driven):
        self.driven = driven
        self.rules, self.store = FabricBlockClient(), Store()
        self.rules.initialise(self.store, *driven.client_states(driven.first_height))
        self.height = driven.first_height

    def update(self, height):
        header = finish(self.driven.ledger.header(height, self.height))
        now_ns = self.driven.now_s * 10**9
        verify_state(self.rules, self.store, header, Height(0, height), now_ns)
        self.height = height

    def verify(self, entry):
        self.update(entry.proof_height.revision_height)
        return verify_stored(self.rules, self.store, entry, (b"",)).value


class Sender(FabricByHand):
    """A Fabric ledger with a client of an attested one, so that packets come and go."""

    def __post_init__(self):
        self.now_s = START_S
        self.begin()
        account = self.account("cell")
        states = attestors.states(1, self.now_s)
        created = self.must(CreateClient(account, *states), lane="cell")
        (self.client,) = [
            one.get("client_id") for one in created.events if one.type == "create_client"
        ]
        self.must(RegisterCounterparty(account, self.client, REMOTE, (b"",)), lane="cell")

    def send(self):
        payload = Payload(*self.language, b"ok")
        message = SendPacket(self.account("relayer"), self.client, self.now_s + 600, (payload,))
        return sent_packet(self.must(message))

    def receive(self, sequence):
        """Receive a packet that the attestors say was sent."""
        payload = Payload(*self.language, b"later")
        packet = Packet(sequence, REMOTE, self.client, self.now_s + 600, (payload,))
        key = packet_commitment_key(REMOTE, sequence)
        stored = StoredValue(key, commit_packet(packet), Height(0, 1), b"")
        (entry,) = attestors.proofs([stored])
        return self.must(
            RecvPacket(self.account("relayer"), packet, entry.proof, entry.proof_height)
        )


def commitment_of(packet):
    return packet_commitment_key(packet.source_client, packet.sequence)
