"""Handlers alone, over a dictionary: what whole ledgers cannot reach or hit only by chance."""

from __future__ import annotations

import pytest
from fakes.light_client import FakeLightClient

from tieline.protocol.client import BoundClient, Counterparty
from tieline.protocol.commitment import next_sequence_key
from tieline.protocol.errors import (
    AcknowledgementExists,
    InvalidAcknowledgement,
    InvalidTimeout,
    TimeoutElapsed,
    Unauthorized,
)
from tieline.protocol.events import Event
from tieline.protocol.handlers import register_counterparty, write_acknowledgement
from tieline.protocol.handlers.context import WriteContext
from tieline.protocol.limits import ACKNOWLEDGEMENT_BYTES_MAX, TIMEOUT_AHEAD_S_MAX
from tieline.protocol.messages import RegisterCounterparty
from tieline.protocol.packet import Acknowledgement, Packet, Payload
from tieline.protocol.time import TimestampNanoseconds, TimestampSeconds
from tieline.protocol.timeout import require_sendable

CREATOR, OTHER = b"\x01" * 20, b"\x02" * 20
LOCAL, REMOTE = "07-fake-0", "07-fake-9"
PACKET = Packet(3, REMOTE, LOCAL, 1_000, (Payload("echo", "echo", "1", "text", b"x"),))


class Table:
    """A ledger that is one dictionary. Fits ``WriteContext``."""

    now_s = TimestampSeconds(100)
    now_ns = TimestampNanoseconds(100 * 10**9)

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.pairs: dict[str, Counterparty] = {}
        self.events: list[Event] = []

    def get(self, key: bytes) -> bytes | None:
        return self.values.get(key)

    def set(self, key: bytes, value: bytes) -> None:
        self.values[key] = value

    def delete(self, key: bytes) -> None:
        self.values.pop(key, None)

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def client(self, client_id: str) -> BoundClient | None:
        return BoundClient(client_id, FakeLightClient(), self) if client_id == LOCAL else None

    def creator(self, client_id: str) -> bytes | None:
        return CREATOR if client_id == LOCAL else None

    def set_creator(self, client_id: str, account: bytes) -> None:
        raise NotImplementedError

    def counterparty(self, client_id: str) -> Counterparty | None:
        return self.pairs.get(client_id)

    def set_counterparty(self, client_id: str, counterparty: Counterparty) -> None:
        self.pairs[client_id] = counterparty

    def encode_packet(self, packet: Packet) -> bytes:
        return repr(packet).encode()

    def decode_packet(self, data: bytes) -> Packet:
        assert data == self.encode_packet(PACKET)
        return PACKET

    def encode_acknowledgement(self, acknowledgement: Acknowledgement) -> bytes:
        return repr(acknowledgement).encode()


_: WriteContext = Table()


def test_only_the_creator_pairs_a_client() -> None:
    table = Table()
    message = RegisterCounterparty(OTHER, LOCAL, REMOTE, (b"",))
    with pytest.raises(Unauthorized):
        register_counterparty.validate(table, message)
    register_counterparty.validate(table, RegisterCounterparty(CREATOR, LOCAL, REMOTE, (b"",)))


def test_pairing_opens_the_send_sequence_at_one() -> None:
    table = Table()
    message = RegisterCounterparty(CREATOR, LOCAL, REMOTE, (b"ibc", b""))
    register_counterparty.execute(table, message)
    assert table.pairs[LOCAL] == Counterparty(REMOTE, (b"ibc", b""))
    assert table.values[next_sequence_key(LOCAL)] == (1).to_bytes(8, "big")


def test_a_second_answer_is_refused_even_by_whoever_holds_the_packet() -> None:
    table = Table()
    answer = Acknowledgement((b"yes",))
    write_acknowledgement.keep_for_later(table, PACKET)
    assert write_acknowledgement.find_kept(table, LOCAL, 3) == PACKET
    write_acknowledgement.validate(table, PACKET, answer)
    write_acknowledgement.execute(table, PACKET, answer)
    with pytest.raises(AcknowledgementExists):
        write_acknowledgement.validate(table, PACKET, Acknowledgement((b"no",)))


@pytest.mark.parametrize(
    "answers", [(), (b"",), (b"a", b"b"), (bytes(ACKNOWLEDGEMENT_BYTES_MAX + 1),)]
)
def test_an_answer_out_of_form_is_not_written(answers: tuple[bytes, ...]) -> None:
    with pytest.raises(InvalidAcknowledgement):
        write_acknowledgement.validate(Table(), PACKET, Acknowledgement(answers))


def test_a_timeout_is_at_most_one_day_ahead() -> None:
    now = TimestampSeconds(1_000)
    require_sendable(1_001, now)
    require_sendable(1_000 + TIMEOUT_AHEAD_S_MAX, now)
    with pytest.raises(InvalidTimeout, match=f"latest_s={1_000 + TIMEOUT_AHEAD_S_MAX}"):
        require_sendable(1_001 + TIMEOUT_AHEAD_S_MAX, now)
    with pytest.raises(TimeoutElapsed):
        require_sendable(1_000, now)
