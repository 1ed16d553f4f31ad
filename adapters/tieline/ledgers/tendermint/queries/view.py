"""The state of one height, as queries read it, and why a query is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from cosmpy.protos.cosmos.base.query.v1beta1 import pagination_pb2

from tieline.contract.block import Application
from tieline.wire.ics23_proofs import ExistenceProof, decode_merkle_proof

PAGE = 100
"""Entries of a list if nothing else is asked for, as in the Cosmos SDK."""
PAGE_MAX = 1_000


class QueryRefused(Exception):
    """Why a query has no answer; codes of codespace ``sdk`` with the Cosmos SDK's words."""

    code: ClassVar[int] = 18
    description: ClassVar[str] = "invalid request"

    def __str__(self) -> str:
        return f"{super().__str__()}: {self.description}"


class InvalidQuery(QueryRefused):
    """A field of the request makes no sense."""


class UnknownQuery(QueryRefused):
    """Nothing answers under this path."""

    code: ClassVar[int] = 6
    description: ClassVar[str] = "unknown request"


class NotFound(QueryRefused):
    """What is asked for is not there."""

    code: ClassVar[int] = 22
    description: ClassVar[str] = "key not found"


class InvalidHeight(QueryRefused):
    """No block has this height yet."""

    code: ClassVar[int] = 26
    description: ClassVar[str] = "invalid height"


class HeightPruned(QueryRefused):
    """The state of this height is kept no longer."""

    code: ClassVar[int] = 38
    description: ClassVar[str] = "not found"


@dataclass(frozen=True, slots=True)
class StateView:
    """Reads of one committed height."""

    application: Application
    height: int

    @classmethod
    def at(cls, application: Application, height: int) -> StateView:
        """
        Return the view of *height*; 0 is the latest.

        Raises:
            InvalidHeight: Below zero, or in the future.
            HeightPruned: It is kept no longer.
        """
        latest = application.height
        if height < 0:
            raise InvalidHeight(f"cannot query with a negative height: {height}")
        if height > latest:
            raise InvalidHeight(
                "cannot query with height in the future; please provide a valid height"
                f" (latest height: {latest})"
            )
        view = cls(application, height or latest)
        if not view.is_latest:
            view.get("tieline", b"\x00")  # whether it is kept is learned by reading
        return view

    @property
    def is_latest(self) -> bool:
        """Whether this is the last committed height."""
        return self.height == self.application.height

    def get(self, store: str, key: bytes) -> bytes | None:
        """Return a value. Raises HeightPruned."""
        if self.is_latest:
            return self.application.query(store, key)
        in_store = decode_merkle_proof(self.prove(store, key))[0]
        return in_store.value if isinstance(in_store, ExistenceProof) else None

    def prove(self, store: str, key: bytes) -> bytes:
        """Return the merkle proof of a key. Raises HeightPruned."""
        try:
            return self.application.prove(store, key, self.height)
        except (KeyError, ValueError) as exc:
            raise HeightPruned(
                f"failed to load state at height {self.height}; version does not exist"
                f" (latest height: {self.application.height})"
            ) from exc

    def scan(self, store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        """Return all pairs under *prefix*, ascending. Raises InvalidQuery but at the latest."""
        if not self.is_latest:
            raise InvalidQuery(
                f"lists are answered for the latest height {self.application.height} only,"
                f" not for {self.height}"
            )
        return self.application.scan(store, prefix)


@dataclass(frozen=True, slots=True)
class ReadOnly:
    """One store of a view, as light clients read it."""

    view: StateView
    store: str
    prefix: bytes

    def get(self, key: bytes) -> bytes | None:
        """Return the value of *key* behind the prefix."""
        return self.view.get(self.store, self.prefix + key)

    def set(self, key: bytes, value: bytes) -> None:
        """Refuse: queries write nothing."""
        raise AssertionError(f"a query writes: {key.hex()} {len(value)}")

    def delete(self, key: bytes) -> None:
        """Refuse: queries write nothing."""
        raise AssertionError(f"a query deletes: {key.hex()}")


EntryT = TypeVar("EntryT")


def page_of(
    entries: Sequence[EntryT], asked: pagination_pb2.PageRequest
) -> tuple[Sequence[EntryT], pagination_pb2.PageResponse]:
    """
    Return the part of a list that was asked for. Keys of pages are offsets, eight bytes.

    Raises:
        InvalidQuery: Key and offset at once, or a key that no page gave.
    """
    if asked.key and asked.offset:
        raise InvalidQuery("invalid request, either offset or key is expected, got both")
    if asked.key and len(asked.key) != 8:
        raise InvalidQuery("invalid pagination key")
    start = int.from_bytes(asked.key, "big") if asked.key else asked.offset
    limit = min(asked.limit or PAGE, PAGE_MAX)
    ordered = entries[::-1] if asked.reverse else entries
    end = start + limit
    answer = pagination_pb2.PageResponse(total=len(entries))
    if end < len(ordered):
        answer.next_key = end.to_bytes(8, "big")
    return ordered[start:end], answer


def suffixes(view: StateView, store: str, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield what stands behind *prefix* in each key, with the value, ascending."""
    return ((key[len(prefix) :], value) for key, value in view.scan(store, prefix))
