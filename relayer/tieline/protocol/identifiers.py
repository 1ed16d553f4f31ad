"""
Identifiers that come from outside: parsed once, then typed. Ports and clients are never bare text.

Sources:
    ICS-24; ibc-go ``24-host/validate.go`` (lengths and letters).
"""

from __future__ import annotations

import re
from typing import NewType

from tieline.protocol.errors import InvalidIdentifier
from tieline.protocol.limits import (
    CLIENT_ID_LENGTH_MAX,
    CLIENT_ID_LENGTH_MIN,
    PORT_ID_LENGTH_MAX,
    PORT_ID_LENGTH_MIN,
    SEQUENCE_MAX,
)

ClientId = NewType("ClientId", str)
PortId = NewType("PortId", str)
Sequence = NewType("Sequence", int)

_LETTERS = re.compile(r"[a-zA-Z0-9._+\-#\[\]<>]+\Z", re.ASCII)
_CLIENT_FORM = re.compile(r"([a-zA-Z0-9._+\-#\[\]<>]*[a-zA-Z0-9._+#\[\]<>])-(0|[1-9][0-9]{0,18})\Z")


def parse_client_id(text: str) -> ClientId:
    """
    Return *text* as a client id: ``{name}-{number}``, 8 to 64 characters.

    ibc-go takes shorter ids at registration, but no packet can name them.

    Raises:
        InvalidIdentifier: Length, letters or form are wrong.
    """
    if not CLIENT_ID_LENGTH_MIN <= len(text) <= CLIENT_ID_LENGTH_MAX:
        raise InvalidIdentifier("client id length out of range", length=len(text))
    if _CLIENT_FORM.match(text) is None:
        raise InvalidIdentifier("client id is not {name}-{number}", client_id=repr(text))
    return ClientId(text)


def client_type_of(client_id: ClientId) -> str:
    """Return the name in front of the number: the light client's type."""
    return client_id.rpartition("-")[0]


def parse_port_id(text: str) -> PortId:
    """
    Return *text* as a port id, 2 to 128 characters.

    Raises:
        InvalidIdentifier: Length or letters are wrong.
    """
    if not PORT_ID_LENGTH_MIN <= len(text) <= PORT_ID_LENGTH_MAX:
        raise InvalidIdentifier("port id length out of range", length=len(text))
    if _LETTERS.match(text) is None:
        raise InvalidIdentifier("port id has forbidden characters", port_id=repr(text))
    return PortId(text)


def parse_sequence(number: int) -> Sequence:
    """
    Return *number* as a packet's sequence: 1 to 2^64-1.

    Raises:
        InvalidIdentifier: It is out of range.
    """
    if not 1 <= number <= SEQUENCE_MAX:
        raise InvalidIdentifier("sequence out of range", sequence=number)
    return Sequence(number)
