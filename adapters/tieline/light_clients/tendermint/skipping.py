"""
Which headers bring a client from one height to another when it cannot skip there at once.

Asks nobody itself: it yields what it wants fetched and is sent the answer. It judges by what a
commit claims; whether that is true is for the client to say.

Sources:
    CometBFT ``light/client.go`` (verifySkipping).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from tieline.light_clients.tendermint.messages import HEADER_URL, ClientHeader
from tieline.light_clients.tendermint.tally import claimed_power
from tieline.protocol.messages import AnyMessage
from tieline.wire.errors import Malformed

HEADERS_MAX = 64
"""One transaction's worth; who needs more has lost nearly every validator nearly every block."""
_PIVOT = (9, 16)
"""CometBFT's: a little more than half, because most sets change slowly."""


@dataclass(frozen=True, slots=True)
class TrustLevel:
    """The part of the trusted power that must be behind a header which skips blocks."""

    numerator: int
    denominator: int


ONE_THIRD = TrustLevel(1, 3)


@dataclass(frozen=True, slots=True)
class HeaderWanted:
    """Fetch the client message for *height*, built upon *trusted_height*."""

    height: int
    trusted_height: int


class TooManyHeaders(ValueError):
    """More than ``HEADERS_MAX`` headers lie between."""


def headers_between(
    trusted_height: int, height: int, trust: TrustLevel = ONE_THIRD
) -> Generator[HeaderWanted, AnyMessage, tuple[tuple[int, AnyMessage], ...]]:
    """
    Find the headers to hand to a client, in order, each built upon the one before.

    Args:
        trusted_height: A height that the client holds.
        height: Where it must come, above that.
        trust: The client's trust level.

    Yields:
        What is to be fetched; send its client message. One of another client type is taken as it
        is: its client is brought there at once.

    Returns:
        Heights and client messages, ascending, the last of *height*.

    Raises:
        TooManyHeaders: See there.
        Malformed: What was sent is not the header that was asked for.
    """
    found: list[tuple[int, AnyMessage]] = []
    targets = [height]
    while targets:
        target = targets[-1]
        message = yield HeaderWanted(target, trusted_height)
        if can_skip(message, trusted_height, target, trust):
            found.append((target, message))
            trusted_height = target
            # What is next may now be in reach at once.
            targets = [height] if target != height else []
        else:
            targets.append(trusted_height + (target - trusted_height) * _PIVOT[0] // _PIVOT[1])
        if len(found) + len(targets) > HEADERS_MAX:
            raise TooManyHeaders(f"too many headers between: trusted={trusted_height} to={height}")
    return tuple(found)


def can_skip(
    message: AnyMessage, trusted_height: int, height: int, trust: TrustLevel = ONE_THIRD
) -> bool:
    """
    Say whether a client at *trusted_height* would trust this header, if its signatures are good.

    Raises:
        Malformed: It is not the header of *height* upon *trusted_height*.
    """
    if message.type_url != HEADER_URL:
        return True
    header = ClientHeader.decode(message.value)
    if (header.height.revision_height, header.trusted_height.revision_height) != (
        height,
        trusted_height,
    ):
        raise Malformed(f"another header than asked for: height={header.height}")
    if height == trusted_height + 1:
        return True
    trusted = header.trusted_validators
    tally = claimed_power(header.signed_header.commit, trusted)
    return tally * trust.denominator > trusted.total_voting_power * trust.numerator
