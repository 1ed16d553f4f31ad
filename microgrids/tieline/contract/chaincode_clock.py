"""
The ledger's time on Fabric, and what can be said once it has passed.

Sources:
    ``docs/spec/trust.md`` 4.5 and 4.6; ``docs/adr/0043-absence-records.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tieline.contract.chaincode_errors import (
    AlreadyExecuted,
    ClockNotSet,
    PacketReceived,
    TickRefused,
)
from tieline.contract.chaincode_state import Answer, ShownState
from tieline.contract.errors import InvalidMessage
from tieline.contract.limits import TICK_APART_S_MIN, TICK_SKEW_S_MAX
from tieline.protocol.commitment import packet_receipt_key
from tieline.protocol.errors import TimeoutNotReached
from tieline.protocol.identifiers import parse_client_id, parse_sequence
from tieline.wire.fabric.invocations import (
    CLOCK_KEY,
    absence_key,
    decode_number,
    encode_number,
    ibc_key,
)

_ABSENCE_ARGUMENTS: Final = 3


def tick(arguments: list[bytes], shown: ShownState, wall_s: Callable[[], int]) -> Answer:
    """
    Set the clock; anyone may.

    Args:
        arguments: The new time, BE8 unix seconds.
        shown: Committed state.
        wall_s: The endorser's own clock, unix seconds. It can only refuse.

    Raises:
        TickRefused: Not late enough after the last Tick, or too far from the endorser's clock.
    """
    if len(arguments) != 1:
        raise InvalidMessage("Tick takes the new time")
    time_s = decode_number(arguments[0])
    old_s = shown.clock_s()
    if old_s is not None and time_s < old_s + TICK_APART_S_MIN:
        raise TickRefused(
            f"a Tick is at least {TICK_APART_S_MIN} s after the last", last_s=old_s, got_s=time_s
        )
    here_s = wall_s()
    if abs(time_s - here_s) > TICK_SKEW_S_MAX:
        raise TickRefused(
            f"a Tick is within {TICK_SKEW_S_MAX} s of the endorser's clock",
            clock_s=here_s,
            got_s=time_s,
        )
    return Answer({CLOCK_KEY: encode_number(time_s)})


def prove_absence(arguments: list[bytes], shown: ShownState) -> Answer:
    """
    Record that a packet had not been received when the clock had reached *tau*.

    The record says no more than that, and receiving does not look at it: from its timeout on a
    packet is refused by the clock. Whoever believes the record compares *tau* with the time of the
    height it is shown for.

    Args:
        arguments: Client id here, sequence as BE8, tau as BE8 unix seconds.
        shown: Committed state.

    Raises:
        TimeoutNotReached: The clock is before tau; true later.
        PacketReceived: There is a receipt; receipts are never deleted.
        AlreadyExecuted: A record with this tau or a later one stands.
    """
    if len(arguments) != _ABSENCE_ARGUMENTS:
        raise InvalidMessage("ProveAbsence takes client id, sequence and tau")
    try:
        client_id = parse_client_id(arguments[0].decode("ascii"))
    except UnicodeDecodeError as exc:
        raise InvalidMessage("a client id is ASCII") from exc
    sequence = parse_sequence(decode_number(arguments[1]))
    tau_s = decode_number(arguments[2])
    now_s = shown.clock_s()
    if now_s is None:
        raise ClockNotSet("this ledger has no time before its first Tick")
    if now_s < tau_s:
        raise TimeoutNotReached("clock is before tau", tau_s=tau_s, now_s=now_s)
    if shown.get(ibc_key(packet_receipt_key(client_id, sequence))) is not None:
        raise PacketReceived("packet was received", client_id=client_id, sequence=sequence)
    record = absence_key(client_id, sequence)
    stored = shown.get(record)
    if stored is not None and decode_number(stored) >= tau_s:
        raise AlreadyExecuted("a record stands", tau_s=decode_number(stored))
    return Answer({record: encode_number(tau_s)})
