"""A relay view filled by hand-written events, two ledgers ``a-1`` and ``b-1`` and one route."""

from __future__ import annotations

from fakes.relay_world import Board
from tieline.interfaces.bulletin import PublishedDelivery, PublishedLeaf
from tieline.interfaces.ledger import BlockEvents, TxEvents
from tieline.protocol.events import Event
from tieline.protocol.packet import Acknowledgement, Packet, Payload
from tieline.relay.published import Published
from tieline.relay.route import Endpoint, LedgerTerms, Route, Topology
from tieline.relay.view import RelayView
from tieline.swap.records import ZERO_HASH, Delivery, DeliveryLeaf
from tieline.wire.codec import encode_acknowledgement, encode_packet

S = 1_800_000_000
TAU, D = S - 400, S - 100
T_B = S + 1_800
T_A = T_B + 900
CLIENT_A, CLIENT_B = "07-tendermint-0", "07-tendermint-3"
END_A, END_B = Endpoint("a-1", CLIENT_A), Endpoint("b-1", CLIENT_B)
TAG_A, TAG_B = b"\xaa" * 32, b"\xbb" * 32
TRADE = b"\x01" * 32
HASHLOCK = b"\x02" * 32
LOCK_A, LOCK_B = b"\x0a" * 32, b"\x0b" * 32
PREIMAGE = b"\x5e" * 32


def packet(sequence: int = 1, timeout_s: int = TAU) -> Packet:
    """A packet from a to b that is no trade."""
    payload = Payload("echo", "echo", "echo-1", "text", b"ok")
    return Packet(sequence, CLIENT_A, CLIENT_B, timeout_s, (payload,))


def event(kind: str, **attributes: object) -> Event:
    """An event as ledgers write them."""
    return Event(
        kind,
        tuple(
            (name, value.hex() if isinstance(value, bytes) else str(value))
            for name, value in attributes.items()
        ),
    )


def packet_event(kind: str, one: Packet, answer: Acknowledgement | None = None) -> Event:
    """A packet event with ibc-go's attributes."""
    extra = {}
    if answer is not None:
        extra["encoded_acknowledgement_hex"] = encode_acknowledgement(answer)
    return event(
        kind,
        packet_source_client=one.source_client,
        packet_dest_client=one.destination_client,
        packet_sequence=one.sequence,
        packet_timeout_timestamp=one.timeout_s,
        encoded_packet_hex=encode_packet(one),
        **extra,
    )


def lock_opened(leg: str, status: str, **change: object) -> Event:
    """A lock of the trade on its ledger."""
    is_in = leg == "in"
    attributes: dict[str, object] = {
        "lock_id": LOCK_A if is_in else LOCK_B,
        "trade_id": TRADE,
        "leg": leg,
        "status": status,
        "hashlock": HASHLOCK,
        "payer": b"\x11" * 20,
        "payee": b"\x22" * 20,
        "energy_wh": 1000,
        "price": 200_000,
        "expiry": T_A if is_in else T_B,
        "slot_start": S,
        "slot_length": 900,
        "client": CLIENT_A if is_in else CLIENT_B,
        "sequence": 1,
        "peer_lock_id": ZERO_HASH if is_in else LOCK_A,
    }
    return event("lock_opened", **{**attributes, **change})


class ViewWorld:
    """A view, a board, and the hand that writes blocks."""

    def __init__(self) -> None:
        terms = [LedgerTerms("a-1", TAG_A), LedgerTerms("b-1", TAG_B)]
        self.topology = Topology(terms, [Route(END_A, END_B)])
        self.view = RelayView(self.topology)
        self.board = Board()
        self.published = Published(self.board)

    def block(self, ledger: str, time_s: int, *events: Event, is_provable: bool = True) -> int:
        """Append a block; returns its height."""
        height = self.view.ledgers[ledger].height + 1
        transaction = TxEvents(b"\x00" * 32, 0, "", events)
        self.view.observe(ledger, BlockEvents(height, time_s, (transaction,), is_provable))
        return height

    def deliver(self, wh: int, *, root: bytes = b"\x0d" * 32, trade: bytes = TRADE) -> None:
        """Publish a statement with one leaf."""
        delivery = Delivery(*[ZERO_HASH, 1, S, 900, *[ZERO_HASH] * 4, root])
        leaves = (PublishedLeaf(DeliveryLeaf(trade, wh), ()),)
        self.board.statements.setdefault(S, []).append(PublishedDelivery(delivery, (), leaves, 0))
        self.board.note()

    def stored(self, index: int = 0, root: bytes = b"\x0d" * 32) -> Event:
        """A statement is stored."""
        return event("delivery_posted", slot_start=S, index=index, deliveries_root=root)
