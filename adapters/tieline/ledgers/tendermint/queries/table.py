"""Which function answers which gRPC method."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from tieline.ledgers.tendermint.queries.view import InvalidQuery, StateView

RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT", bound=Message)

Answer = Callable[[StateView, bytes], bytes]
"""From the state and the request's bytes to the response's. Raises QueryRefused."""


class Table:
    """Methods by path, such as ``/cosmos.bank.v1beta1.Query/Balance``."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}

    def answers(
        self, request_class: type[RequestT], method: str
    ) -> Callable[
        [Callable[[StateView, RequestT], ResponseT]], Callable[[StateView, RequestT], ResponseT]
    ]:
        """Let the decorated function answer *method*."""

        def register(
            function: Callable[[StateView, RequestT], ResponseT],
        ) -> Callable[[StateView, RequestT], ResponseT]:
            def answer(view: StateView, data: bytes) -> bytes:
                request = request_class()
                try:
                    request.ParseFromString(data)
                except DecodeError as exc:
                    name = request_class.DESCRIPTOR.full_name
                    raise InvalidQuery(f"not a {name}: {exc}") from exc
                return function(view, request).SerializeToString(deterministic=True)

            self._answers[f"/{method}"] = answer
            return function

        return register

    def get(self, path: str) -> Answer | None:
        """Return what answers under *path*."""
        return self._answers.get(path)

    def items(self) -> Iterator[tuple[str, Answer]]:
        """Yield all paths with what answers under them."""
        return iter(self._answers.items())

    def add(self, *others: Table) -> Table:
        """Take up the methods of *others*, and return this table."""
        for path, answer in (pair for other in others for pair in other.items()):
            assert path not in self._answers, f"a method twice: {path}"
            self._answers[path] = answer
        return self
