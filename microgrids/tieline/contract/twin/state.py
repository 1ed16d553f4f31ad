"""What the twin knows: the two stores of our contract, and what calls must bring again."""

from __future__ import annotations

from dataclasses import dataclass, field

from tieline.contract.genesis import Genesis
from tieline.contract.slots import leads_of
from tieline.protocol.events import Event
from tieline.protocol.packet import Packet
from tieline.swap.ladder import Deadlines, deadlines


class TwinStore(dict[bytes, bytes]):
    """A store; fits ``contract.store.KeyValues``."""

    def set(self, key: bytes, value: bytes) -> None:
        """Write a value."""
        self[key] = value

    def delete(self, key: bytes) -> None:
        """Forget a key; no error if it is not there."""
        self.pop(key, None)


@dataclass(frozen=True, slots=True)
class TwinOf:
    """Which contracts are followed."""

    genesis: Genesis
    chain_tag: bytes
    host: bytes
    """Address of the IBC host, 20 bytes."""
    app: bytes
    """Address of the trade application, 20 bytes."""


@dataclass(slots=True)
class TwinState:
    """As of the last log that was folded."""

    of: TwinOf
    ibc: TwinStore = field(default_factory=TwinStore)
    trade: TwinStore = field(default_factory=TwinStore)
    """Store ``tieline``."""
    sent: dict[tuple[str, int], Packet] = field(default_factory=dict[tuple[str, int], Packet])
    """Packets sent from here that have not ended, by client and sequence."""
    received: dict[tuple[str, int], Packet] = field(default_factory=dict[tuple[str, int], Packet])
    """
    Packets received here, never forgotten: an exit may have to bring one again, and so may a repeat
    that comes after everything has ended. They take no more room than the locks they opened.
    """
    fills: dict[tuple[bytes, bytes], int] = field(default_factory=dict[tuple[bytes, bytes], int])
    """Wh that a lock took of an order, by lock id and order id, until its share is collected."""
    bonds: dict[bytes, int] = field(default_factory=dict[bytes, int])
    """Wh of a lock whose bond is neither returned nor slashed, by lock id."""
    height: int = 0
    time_s: int = 0
    """Unix seconds."""
    events: list[Event] = field(default_factory=list[Event])
    """Of the transaction that is being folded."""

    def emit(self, event: Event) -> None:
        """Tell observers."""
        self.events.append(event)

    def deadlines(self, slot_start: int, slot_length: int) -> Deadlines:
        """Return the points of a slot, unix seconds."""
        return deadlines(leads_of(self.of.genesis.parameters), slot_start, slot_length)


def client_id_of(number: int) -> str:
    """Return the id of a client of an EVM host."""
    return f"attestations-{number}"


def client_number_of(client_id: str) -> int:
    """Return the number of a client of an EVM host. Raises ValueError on any other id."""
    kind, _, number = client_id.rpartition("-")
    if kind != "attestations":
        message = f"an EVM host's clients are attestations-N: {client_id}"
        raise ValueError(message)
    return int(number)
