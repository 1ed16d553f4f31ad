"""
From a ledger's events to what the relayer learns by them.

Events are hints: an attribute that is missing or cannot be read makes the event unreadable, never
the block. What is acted upon is proved, or checked again by the ledger that it is brought to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from tieline.protocol.events import Event
from tieline.protocol.packet import Packet
from tieline.relay import lock_watch, packet_journey
from tieline.swap.lock import Leg, LockStatus
from tieline.wire.codec import decode_acknowledgement, decode_packet

ALL_SIGNED = -1
"""Bitmap of signers where a ledger does not say: every bit is set."""


class PacketStep(Enum):
    """What a ledger did with a packet."""

    SENT = "send_packet"
    RECEIVED = "recv_packet"
    ANSWERED = "write_acknowledgement"


@dataclass(frozen=True, slots=True)
class PacketSeen:
    """
    A packet was sent, received or answered here. Its bytes are read only by who does not know it:
    ledgers tell of one packet up to four times.
    """

    step: PacketStep
    source_client: str
    destination_client: str
    sequence: int
    encoded: str = field(repr=False)
    """Hex."""
    encoded_answer: str = field(default="", repr=False)
    """Hex; of an answer only."""

    def packet(self) -> Packet:
        """Return the packet. Raises ValueError when it is not the one that the names say."""
        packet = decode_packet(bytes.fromhex(self.encoded))
        named = (self.source_client, self.destination_client, self.sequence)
        if (packet.source_client, packet.destination_client, packet.sequence) != named:
            raise ValueError("another packet than its event says")
        return packet

    def journey_event(
        self, packet: Packet, height: int
    ) -> (
        packet_journey.PacketSent
        | packet_journey.PacketReceived
        | packet_journey.AcknowledgementWritten
    ):
        """Return what it means for the packet's journey. Raises ValueError."""
        match self.step:
            case PacketStep.SENT:
                return packet_journey.PacketSent(packet, height)
            case PacketStep.RECEIVED:
                return packet_journey.PacketReceived(packet, height)
            case PacketStep.ANSWERED:
                answer = decode_acknowledgement(bytes.fromhex(self.encoded_answer))
                return packet_journey.AcknowledgementWritten(packet, answer, height)


@dataclass(frozen=True, slots=True)
class PacketEndSeen:
    """A packet that was sent here has ended: acknowledged, or timed out."""

    source_client: str
    sequence: int
    is_timeout: bool


@dataclass(frozen=True, slots=True)
class ClientHeightsSeen:
    """A client here holds consensus states for these heights."""

    client_id: str
    heights: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CellSetSeen:
    """A cell set was stored here."""

    epoch: int


@dataclass(frozen=True, slots=True)
class ClearingSeen:
    """A clearing was stored here."""

    clearing_root: bytes


@dataclass(frozen=True, slots=True)
class VerdictSeen:
    """A verdict was stored here, or got more signers."""

    slot_start: int
    verdict_hash: bytes
    signers: int = ALL_SIGNED


@dataclass(frozen=True, slots=True)
class DeliverySeen:
    """A delivery statement was stored here under an index, or got more signers."""

    slot_start: int
    index: int
    deliveries_root: bytes
    signers: int = ALL_SIGNED


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """An order was placed here."""

    order_id: bytes
    slot_start: int


@dataclass(frozen=True, slots=True)
class OrderEnded:
    """Nothing is left to release of an order."""

    order_id: bytes


@dataclass(frozen=True, slots=True)
class LockOpened:
    """A lock stands here. Units and times as in ``LockWatch``."""

    lock_id: bytes
    trade_id: bytes
    leg: Leg
    status: LockStatus
    hashlock: bytes
    payer: bytes
    payee: bytes
    energy_wh: int
    price: int
    expiry: int
    slot_start: int
    slot_length: int
    client: str
    sequence: int
    peer_lock_id: bytes


@dataclass(frozen=True, slots=True)
class LockSeen:
    """Something happened to a lock."""

    lock_id: bytes
    event: lock_watch.LockEvent
    preimage: bytes = b""
    """Of a claim: public from now on."""

    def __repr__(self) -> str:
        return f"LockSeen(lock_id={self.lock_id.hex()}, event={self.event})"


@dataclass(frozen=True, slots=True)
class OwedSeen:
    """A send to an account of a stock chain failed; it is owed."""

    account: bytes
    owed_id: bytes
    client: str


@dataclass(frozen=True, slots=True)
class OwedEnded:
    """What was owed is on its way again, or was taken."""

    account: bytes
    owed_id: bytes


@dataclass(frozen=True, slots=True)
class AlarmSeen:
    """A ledger met something that should not happen."""

    lock_id: bytes
    reason: str


Observation = (
    PacketSeen
    | PacketEndSeen
    | ClientHeightsSeen
    | CellSetSeen
    | ClearingSeen
    | VerdictSeen
    | DeliverySeen
    | OrderSeen
    | OrderEnded
    | LockOpened
    | LockSeen
    | OwedSeen
    | OwedEnded
    | AlarmSeen
)

_Attributes = Mapping[str, str]


def _packet(step: PacketStep) -> Callable[[_Attributes], PacketSeen]:
    def read(attributes: _Attributes) -> PacketSeen:
        is_answer = step is PacketStep.ANSWERED
        return PacketSeen(
            step,
            attributes["packet_source_client"],
            attributes["packet_dest_client"],
            int(attributes["packet_sequence"]),
            attributes["encoded_packet_hex"],
            attributes["encoded_acknowledgement_hex"] if is_answer else "",
        )

    return read


def _packet_end(attributes: _Attributes, *, is_timeout: bool) -> PacketEndSeen:
    sequence = int(attributes["packet_sequence"])
    return PacketEndSeen(attributes["packet_source_client"], sequence, is_timeout)


def _client_heights(attributes: _Attributes) -> ClientHeightsSeen:
    text = attributes.get("consensus_heights") or attributes["consensus_height"]
    heights = tuple(int(part.rpartition("-")[2]) for part in text.split(",") if part)
    return ClientHeightsSeen(attributes["client_id"], heights)


def _bytes(attributes: _Attributes, key: str) -> bytes:
    return bytes.fromhex(attributes[key])


def _delivery(attributes: _Attributes) -> DeliverySeen:
    return DeliverySeen(
        int(attributes["slot_start"]),
        int(attributes["index"]),
        _bytes(attributes, "deliveries_root"),
        _signers(attributes),
    )


def _verdict(attributes: _Attributes) -> VerdictSeen:
    return VerdictSeen(
        int(attributes["slot_start"]), _bytes(attributes, "verdict_hash"), _signers(attributes)
    )


def _signers(attributes: _Attributes) -> int:
    return int(attributes.get("signers", ALL_SIGNED))


def _lock_opened(attributes: _Attributes) -> LockOpened:
    return LockOpened(
        lock_id=_bytes(attributes, "lock_id"),
        trade_id=_bytes(attributes, "trade_id"),
        leg=Leg[attributes["leg"].upper()],
        status=LockStatus[attributes["status"].upper()],
        hashlock=_bytes(attributes, "hashlock"),
        payer=_bytes(attributes, "payer"),
        payee=_bytes(attributes, "payee"),
        energy_wh=int(attributes["energy_wh"]),
        price=int(attributes["price"]),
        expiry=int(attributes["expiry"]),
        slot_start=int(attributes["slot_start"]),
        slot_length=int(attributes["slot_length"]),
        client=attributes["client"],
        sequence=int(attributes["sequence"]),
        peer_lock_id=_bytes(attributes, "peer_lock_id"),
    )


def _lock_event(
    make: Callable[[_Attributes], lock_watch.LockEvent],
) -> Callable[[_Attributes], LockSeen]:
    def read(attributes: _Attributes) -> LockSeen:
        return LockSeen(_bytes(attributes, "lock_id"), make(attributes))

    return read


def _verdict_applied(attributes: _Attributes) -> lock_watch.LockEvent:
    decision = attributes["decision"].upper()
    return lock_watch.VerdictApplied(decision in {"1", "ACCEPT"}, int(attributes["cap_wh"]))


def _claimed(attributes: _Attributes) -> LockSeen:
    event = lock_watch.LockClaimed(int(attributes["wh"]))
    return LockSeen(_bytes(attributes, "lock_id"), event, _bytes(attributes, "preimage"))


def _owed_ended(attributes: _Attributes) -> OwedEnded:
    return OwedEnded(_bytes(attributes, "account"), _bytes(attributes, "owed_id"))


_PACKET_READERS: dict[str, Callable[[_Attributes], Observation]] = {
    **{step.value: _packet(step) for step in PacketStep},
    "acknowledge_packet": lambda a: _packet_end(a, is_timeout=False),
    "timeout_packet": lambda a: _packet_end(a, is_timeout=True),
    "create_client": _client_heights,
    "update_client": _client_heights,
}
RELAYED_KINDS = frozenset(_PACKET_READERS)
"""Events of a ledger without cells that say anything here."""

_READERS: dict[str, Callable[[_Attributes], Observation]] = {
    **_PACKET_READERS,
    "cell_set_posted": lambda a: CellSetSeen(int(a["epoch"])),
    "clearing_posted": lambda a: ClearingSeen(_bytes(a, "clearing_root")),
    "verdict_posted": _verdict,
    "verdict_signed": _verdict,
    "delivery_posted": _delivery,
    "delivery_signed": _delivery,
    "order_placed": lambda a: OrderSeen(_bytes(a, "order_id"), int(a["slot_start"])),
    "order_cancelled": lambda a: OrderEnded(_bytes(a, "order_id")),
    "order_released": lambda a: OrderEnded(_bytes(a, "order_id")),
    "lock_opened": _lock_opened,
    "lock_confirmed": _lock_event(lambda a: lock_watch.LockConfirmed(int(a["cap_wh"]))),
    "verdict_applied": _lock_event(_verdict_applied),
    "pending_expired": _lock_event(lambda _: lock_watch.PendingExpired()),
    "claimed": _claimed,
    "waived": _lock_event(lambda a: lock_watch.LockWaived(int(a["wh"]))),
    "refunded": _lock_event(lambda a: lock_watch.LockRefunded(int(a["wh"]))),
    "lock_closed": _lock_event(lambda a: lock_watch.LockClosed(int(a["paid_wh"]))),
    "share_collected": _lock_event(
        lambda a: lock_watch.ShareCollected(int(a["side"]), _bytes(a, "order_id"))
    ),
    "owed_added": lambda a: OwedSeen(_bytes(a, "account"), _bytes(a, "owed_id"), a["client"]),
    "owed_sent": _owed_ended,
    "owed_taken": _owed_ended,
    "alarm": lambda a: AlarmSeen(_bytes(a, "lock_id"), a["reason"]),
}


def read_event(event: Event, *, has_cells: bool = True) -> Observation | None:
    """
    Return what *event* tells the relayer; None if it tells nothing, or cannot be read.

    Malformed bytes are ``ValueError``s, as are numbers that are none.

    Args:
        event: Of the ledger.
        has_cells: False for a ledger that only carries packets: other words of its are not ours.
    """
    reader = (_READERS if has_cells else _PACKET_READERS).get(event.type)
    if reader is None:
        return None
    try:
        return reader(dict(event.attributes))
    except (KeyError, ValueError):
        return None
