"""
Several nodes of one ledger behind one door: one is asked, the next when it fails or falls behind.

A node that cannot be of the ledger is put aside until this process ends, and its reason is kept.
Nothing here verifies a header: light clients do, where it counts.
"""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from tieline.interfaces.errors import HubError, NotYet, Pruned, Unavailable

LOOK_ROUND_S: Final = 5.0
"""How often all nodes are asked where they are."""
LAG_BLOCKS: Final = 2
"""A node that is so far behind another is not asked first; one block is the way between them."""
SILENCE_S: Final = 0.25
SILENCE_S_MAX: Final = 30.0

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class EndpointState:
    """One node, for an operator."""

    address: str
    height: int
    """The last that it told; 0 before the first."""
    is_used: bool
    """Whether it is asked first."""
    is_aside: bool
    """Whether it is asked no more."""
    reason: str
    """Why it is silent or put aside; empty for one that answers."""


class _Connection(Protocol):
    @property
    def address(self) -> str: ...

    def close(self) -> None: ...


RpcT = TypeVar("RpcT", bound=_Connection)


class Endpoint(Generic[RpcT]):
    """One node, and what is known of it."""

    def __init__(self, rpc: RpcT) -> None:
        """Take a node that nobody has asked yet."""
        self.rpc = rpc
        self.height = 0
        self.is_known = False
        """It has said that it is of this ledger, and was not silent since."""
        self.refusal: HubError | None = None
        """Why it is put aside."""
        self.reason = ""
        self.silences = 0
        self.silent_until = 0.0

    @property
    def is_failing(self) -> bool:
        """Whether another is to be asked first."""
        return bool(self.silences or self.refusal)

    def note_silence(self, error: Unavailable) -> None:
        """Leave it alone for longer each time."""
        if not self.silences:
            _LOG.warning("node silent address=%s %s", self.rpc.address, error)
        self.silences += 1
        delay_s = min(SILENCE_S * 2 ** (self.silences - 1), SILENCE_S_MAX)
        self.silent_until = time.monotonic() + delay_s
        self.reason = str(error)
        self.is_known = False

    def note_answer(self) -> None:
        """It answers."""
        if self.silences:
            _LOG.info("node answers again address=%s", self.rpc.address)
            self.reason = ""
        self.silences = 0
        self.silent_until = 0.0

    def put_aside(self, refusal: HubError) -> None:
        """Ask it no more."""
        if self.refusal is None:
            _LOG.error("node put aside address=%s %s", self.rpc.address, refusal)
        self.refusal = refusal
        self.reason = str(refusal)


class Endpoints(ABC, Generic[RpcT]):
    """The nodes of one ledger that this process may ask, in order of preference."""

    _distrust: type[HubError]
    """What is raised of a node that is to be put aside."""

    def __init__(self, rpcs: Sequence[RpcT]) -> None:
        """Ask the first of at least one while it answers."""
        self._endpoints = [Endpoint(rpc) for rpc in rpcs]
        self._first = self._endpoints[0]
        self._next_look = 0.0

    @abstractmethod
    async def _identify(self, endpoint: Endpoint[RpcT]) -> None:
        """Raise what ``_distrust`` names if a node, new or silent before, is of another ledger."""

    @abstractmethod
    async def _ask_where(self, endpoint: Endpoint[RpcT]) -> None:
        """Ask a node for its height and write it down. Raises ``_distrust``, Unavailable."""

    @abstractmethod
    def _all_aside(self) -> HubError:
        """Return what is raised when no node is left."""

    def states(self) -> tuple[EndpointState, ...]:
        """Return where every node stands."""
        return tuple(
            EndpointState(
                *(one.rpc.address, one.height, one is self._first),
                *(one.refusal is not None, one.reason),
            )
            for one in self._endpoints
        )

    async def look_round(self) -> None:
        """Ask every node where it is, and put the highest first if the first is behind."""
        self._next_look = time.monotonic() + LOOK_ROUND_S
        now = time.monotonic()
        asked = [one for one in self._endpoints if not one.refusal and one.silent_until <= now]
        await asyncio.gather(*(self._look_at(one) for one in asked))
        best = max(self._in_turn(), key=lambda one: one.height, default=self._first)
        is_usable = not self._first.refusal and self._first.silent_until <= time.monotonic()
        if not is_usable or self._first.height + LAG_BLOCKS <= best.height:
            if best is not self._first:
                _LOG.warning(
                    "node is behind address=%s height=%d; asking %s height=%d",
                    *(self._first.rpc.address, self._first.height),
                    *(best.rpc.address, best.height),
                )
            self._first = best

    def close(self) -> None:
        """Let go of connections."""
        for endpoint in self._endpoints:
            endpoint.rpc.close()

    async def _look_round_if_due(self) -> None:
        if len(self._endpoints) > 1 and time.monotonic() >= self._next_look:
            await self.look_round()

    async def _of_one(self, ask: Callable[[Endpoint[RpcT]], Awaitable[_T]]) -> tuple[_T, bool]:
        """
        Return what *ask* makes of the first node that it can, and whether another fell silent
        before, which may have taken what it was asked.

        Raises:
            NotYet: It is not there yet on any node.
            Pruned: No node has it any more.
            Unavailable: No node answers.
            HubError: Every node was put aside, or what was asked is refused.
        """
        failure: HubError | None = None
        is_after_silence = False
        for endpoint in self._in_turn():
            try:
                await self._check(endpoint)
                value = await ask(endpoint)
            except self._distrust as exc:
                endpoint.put_aside(exc)
                failure = failure or exc
            except (NotYet, Pruned) as exc:
                endpoint.note_answer()
                failure = exc  # another may be further on, or keep more
            except Unavailable as exc:
                endpoint.note_silence(exc)
                failure = exc
                is_after_silence = True
            else:
                endpoint.note_answer()
                if self._first.is_failing:
                    self._first = endpoint
                return value, is_after_silence
        raise failure or self._all_aside()

    async def _look_at(self, endpoint: Endpoint[RpcT]) -> None:
        try:
            await self._check(endpoint)
            await self._ask_where(endpoint)
        except self._distrust as exc:
            endpoint.put_aside(exc)
        except Unavailable as exc:
            endpoint.note_silence(exc)
        except HubError as exc:
            _LOG.debug("node has nothing to tell address=%s %s", endpoint.rpc.address, exc)
        else:
            endpoint.note_answer()

    async def _check(self, endpoint: Endpoint[RpcT]) -> None:
        """Ask a node that is new, or was silent, whether it is of this ledger."""
        if not endpoint.is_known:
            await self._identify(endpoint)
            endpoint.is_known = True

    def _in_turn(self) -> Iterator[Endpoint[RpcT]]:
        """Give the nodes to ask, the first first; if all are silent, all of them."""
        now = time.monotonic()
        believed = [one for one in self._endpoints if not one.refusal]
        awake = [one for one in believed if one.silent_until <= now]
        awake.sort(key=lambda one: (one is not self._first, -one.height))
        return iter(awake or sorted(believed, key=lambda one: one.silent_until))


def result_of(outcome: _T | HubError) -> _T:
    """Return what came of a call; raises what it failed with."""
    if isinstance(outcome, HubError):
        raise outcome
    return outcome
