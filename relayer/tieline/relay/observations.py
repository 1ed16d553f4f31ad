"""
From a ledger's events to what the relayer learns by them.

Events are hints: an attribute that is missing or cannot be read makes the event unreadable, never
the block. What is acted upon is proved, or checked again by the ledger that it is brought to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tieline.protocol.events import Event
from tieline.protocol.packet import Acknowledgement, Packet
from tieline.relay import lock_watch
from tieline.swap.lock import Leg, LockStatus
from tieline.wire.codec import decode_acknowledgement, decode_packet

ALL_SIGNED = -1
"""Bitmap of signers where a ledger does not say: every bit is set."""


@dataclass(frozen=True, slots=True)
class SendSeen:
    """A packet was sent here."""

    packet: Packet


@dataclass(frozen=True, slots=True)
class ReceiveSeen:
    """A packet was received here."""

    packet: Packet


@dataclass(frozen=True, slots=True)
class AnswerSeen:
    """A received packet was answered here."""

    packet: Packet
    acknowledgement: Acknowledgement


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
class AlarmSeen:
    """A ledger met something that should not happen."""

    lock_id: bytes
    reason: str


Observation = (
    SendSeen
    | ReceiveSeen
    | AnswerSeen
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
    | AlarmSeen
)

_Attributes = Mapping[str, str]


def _packet(attributes: _Attributes) -> Packet:
    return decode_packet(bytes.fromhex(attributes["encoded_packet_hex"]))


def _answer(attributes: _Attributes) -> AnswerSeen:
    answer = bytes.fromhex(attributes["encoded_acknowledgement_hex"])
    return AnswerSeen(_packet(attributes), decode_acknowledgement(answer))


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


_READERS: dict[str, Callable[[_Attributes], Observation]] = {
    "send_packet": lambda a: SendSeen(_packet(a)),
    "recv_packet": lambda a: ReceiveSeen(_packet(a)),
    "write_acknowledgement": _answer,
    "acknowledge_packet": lambda a: _packet_end(a, is_timeout=False),
    "timeout_packet": lambda a: _packet_end(a, is_timeout=True),
    "create_client": _client_heights,
    "update_client": _client_heights,
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
    "alarm": lambda a: AlarmSeen(_bytes(a, "lock_id"), a["reason"]),
}


def read_event(event: Event) -> Observation | None:
    """
    Return what *event* tells the relayer; None if it tells nothing, or cannot be read.

    Malformed bytes are ``ValueError``s, as are numbers that are none.
    """
    reader = _READERS.get(event.type)
    if reader is None:
        return None
    try:
        return reader(dict(event.attributes))
    except (KeyError, ValueError):
        return None
