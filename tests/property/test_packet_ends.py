"""
Properties of packets: one end at most, one comparison of time on both sides, commitments that no
two packets share.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tieline.protocol.commitment import commit_packet
from tieline.protocol.packet import Packet, Payload
from tieline.protocol.time import TimestampNanoseconds, to_nanoseconds, to_seconds
from tieline.protocol.timeout import has_elapsed

TEXT = st.text(min_size=1, max_size=8)
PAYLOADS = st.builds(Payload, TEXT, TEXT, TEXT, TEXT, st.binary(min_size=1, max_size=16))
TIMES_NS = st.integers(0, 2**62).map(TimestampNanoseconds)


@given(st.integers(1, 2**40), TIMES_NS)
def test_a_block_either_receives_a_packet_or_proves_its_timeout(
    timeout_s: int, now_ns: int
) -> None:
    """The same cut to seconds and the same comparison on both ends leave no gap and no overlap."""
    now_s = to_seconds(TimestampNanoseconds(now_ns))
    receivable = not has_elapsed(timeout_s, now_s)
    assert receivable == (now_ns < timeout_s * 10**9)
    assert to_nanoseconds(now_s) <= now_ns < to_nanoseconds(now_s) + 10**9


@given(st.integers(1, 2**40), st.lists(TIMES_NS, min_size=2, max_size=20))
def test_once_a_timeout_is_provable_no_later_block_receives(
    timeout_s: int, times: list[TimestampNanoseconds]
) -> None:
    elapsed = [has_elapsed(timeout_s, to_seconds(time)) for time in sorted(times)]
    assert elapsed == sorted(elapsed)


@given(PAYLOADS, PAYLOADS, st.integers(1, 2**63), st.integers(1, 2**63))
def test_two_packets_share_a_commitment_only_if_they_say_the_same(
    one: Payload, two: Payload, one_s: int, two_s: int
) -> None:
    first = Packet(1, "07-fake-0", "07-fake-1", one_s, (one,))
    second = Packet(1, "07-fake-0", "07-fake-1", two_s, (two,))
    assert (commit_packet(first) == commit_packet(second)) == (first == second)


@given(PAYLOADS, st.integers(0, 3), st.integers(1, 3))
def test_no_border_between_fields_can_be_moved(payload: Payload, field: int, count: int) -> None:
    names = ["source_port", "destination_port", "version", "encoding"]
    parts = [getattr(payload, name) for name in names]
    following = (field + 1) % 4
    moved = list(parts)
    taken = moved[field][-count:]
    moved[field] = moved[field][:-count]
    moved[following] = taken + moved[following]
    other = Payload(*moved, payload.value)
    packet = Packet(1, "07-fake-0", "07-fake-1", 1, (payload,))
    changed = Packet(1, "07-fake-0", "07-fake-1", 1, (other,))
    assert commit_packet(packet) != commit_packet(changed)
