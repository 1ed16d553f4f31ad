"""Why a request has no answer: gRPC's statuses, and what REST makes of them."""

from __future__ import annotations

from enum import IntEnum
from http import HTTPStatus
from typing import Final

from tieline.interfaces.errors import HubError, NotYet, Pruned, Rejected


class Status(IntEnum):
    """Numbers of gRPC."""

    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


HTTP_STATUS: Final = {
    Status.UNKNOWN: HTTPStatus.INTERNAL_SERVER_ERROR,
    Status.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    Status.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Status.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    Status.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
    Status.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""As grpc-gateway has them, which Cosmos peers use."""

_BY_QUERY_CODE: Final = {
    6: Status.UNIMPLEMENTED,
    18: Status.INVALID_ARGUMENT,
    22: Status.NOT_FOUND,
    26: Status.INVALID_ARGUMENT,
    38: Status.NOT_FOUND,
}
"""Codes of codespace ``sdk`` that queries are refused with."""


class Refusal(Exception):
    """A request without an answer."""

    def __init__(self, status: Status, text: str) -> None:
        super().__init__(text)
        self.status = status

    @classmethod
    def of_query(cls, code: int, log: str) -> Refusal:
        """Return what the refusal of a query by the contract's host means here."""
        return cls(_BY_QUERY_CODE.get(code, Status.INTERNAL), log)

    @classmethod
    def of_peer(cls, error: HubError) -> Refusal:
        """Return what an error of the peer's RPC means here."""
        if isinstance(error, NotYet | Pruned):
            return cls(Status.NOT_FOUND, str(error))
        if isinstance(error, Rejected):
            return cls(Status.INVALID_ARGUMENT, str(error))
        return cls(Status.UNAVAILABLE, str(error))
