"""
Which function takes which message. The trade application and IBC core put their handlers in this
table; a transaction's messages are run through it in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from tieline.contract.context import Context, Outcome
from tieline.contract.errors import UnknownMessage

M = TypeVar("M")

Handler = Callable[[Context, Any], Outcome | None]
"""
``(ctx, message) -> None | Outcome``. None means done. A refusal is a raised ``ProtocolError``
(``ContractError`` for ours) and undoes the whole transaction.
"""


class Dispatch:
    """A table from message type to handler."""

    def __init__(self, handlers: Mapping[type, Handler] | None = None) -> None:
        self._handlers: dict[type, Handler] = dict(handlers or {})

    def register(
        self, message_type: type[M], handler: Callable[[Context, M], Outcome | None]
    ) -> None:
        """Add a handler. One a type: a second one is our own mistake."""
        assert message_type not in self._handlers, f"two handlers for {message_type.__name__}"
        self._handlers[message_type] = handler

    def takes(self, message: object) -> bool:
        """Say whether there is a handler for *message*."""
        return type(message) in self._handlers

    def run(self, ctx: Context, message: object) -> Outcome:
        """
        Run *message*.

        Raises:
            UnknownMessage: No handler is registered for its type.
            ProtocolError: The handler refused.
        """
        handler = self._handlers.get(type(message))
        if handler is None:
            raise UnknownMessage("no handler for this message", type=type(message).__name__)
        return handler(ctx, message) or Outcome.DONE
