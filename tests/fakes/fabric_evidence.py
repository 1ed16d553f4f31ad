"""
Everything that a Fabric ledger of ours proves to others, taken from a ledger with a neighbour:
a header, a packet that was sent, its answer, and what is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fakes.driven import Driven, Link, finish, genesis_of
from fakes.microgrid import echo_installation
from fakes.signing_chain import DictStore
from tieline.contract.block import Application
from tieline.interfaces.ledger import StoredValue
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.light_clients.fabric.client import FabricBlockClient
from tieline.protocol.commitment import (
    acknowledgement_key,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.errors import ClientRefused
from tieline.protocol.messages import AnyMessage
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.hashes import sha256


def altered(raw: bytes, every: int = 1) -> Iterator[tuple[int, bytes]]:
    """Return *raw* with one byte changed, each in turn, and which."""
    for place in range(0, len(raw), every):
        changed = bytearray(raw)
        changed[place] ^= 1 << place % 8
        yield place, bytes(changed)


@dataclass
class Evidence:
    """What a Fabric ledger showed, and a light client outside that has taken the header."""

    fabric: Driven
    rules: FabricBlockClient = field(default_factory=FabricBlockClient)
    store: DictStore = field(default_factory=DictStore)
    entries: dict[str, StoredValue] = field(default_factory=dict)
    header: AnyMessage = field(init=False)
    link: Link = field(init=False)

    def __post_init__(self) -> None:
        link = self.link = Link(self.fabric, neighbour())
        fabric, other = link.a, link.b
        height = fabric.first_height
        self.rules.initialise(self.store, *fabric.client_states(height))
        sent = link.send(fabric)
        received = link.send(other)
        fabric.must(*link.receive(received, other))
        # Those that are still to come: nothing of them is there.
        client = fabric.client
        keys = {
            "commitment": packet_commitment_key(client, sent.sequence),
            "receipt": packet_receipt_key(client, received.sequence),
            "acknowledgement": acknowledgement_key(client, received.sequence),
            "no receipt": packet_receipt_key(client, received.sequence + 1),
            "no acknowledgement": acknowledgement_key(client, received.sequence + 1),
        }
        self.entries = dict(zip(keys, fabric.prove(*keys.values()), strict=True))
        newest = next(iter(self.entries.values())).proof_height.revision_height
        self.header = finish(fabric.ledger.header(newest, height))

    def update(self, message: AnyMessage) -> bool:
        """Tell whether the client takes a header."""
        now_ns = self.fabric.now_s * NANOSECONDS_PER_SECOND
        try:
            return not self.rules.update(self.store, message, now_ns).misbehaviour
        except ClientRefused:
            return False

    def refusal(self, entry: StoredValue, proof: bytes) -> str | None:
        """Return why a proof is refused; None if it shows what the entry says."""
        rules, store, path = self.rules, self.store, (entry.key,)
        if entry.value is None:
            return rules.verify_non_membership(store, entry.proof_height, proof, path).refusal
        height = entry.proof_height
        return rules.verify_membership(store, height, proof, path, entry.value).refusal

    def check(self, every: int = 1) -> dict[str, int]:
        """
        Check that all is shown, and that nothing is with any byte altered; return the lengths.

        Args:
            every: 1 alters all bytes, 2 every second one.
        """
        taken = [place for place, raw in altered(self.header.value, every) if self._takes(raw)]
        assert not taken, f"header: {taken}"
        assert self.update(self.header)
        for name, entry in self.entries.items():
            assert self.refusal(entry, entry.proof) is None, name
            shown = [
                place
                for place, raw in altered(entry.proof, every)
                if self.refusal(entry, raw) is None
            ]
            assert not shown, f"{name}: {shown}"
        sizes = {name: len(entry.proof) for name, entry in self.entries.items()}
        return {"header": len(self.header.value), **sizes}

    def _takes(self, raw: bytes) -> bool:
        return self.update(AnyMessage(self.header.type_url, raw))


def neighbour() -> Driven:
    """Return an embedded ledger of another kind."""
    genesis = genesis_of("neighbour-1")
    seeds = [sha256(b"neighbour %d" % number) for number in range(4)]
    application = Application(genesis, installation=echo_installation())
    return Driven(EmbeddedTendermint(genesis, seeds, application=application))
