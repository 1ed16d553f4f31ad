"""
Several nodes of one chain behind one door: one is asked, the next when it fails or falls behind.

A node of another chain, or without our contracts, is put aside until this process ends; if no other
is left, its reason is the operator's to read. Nothing here verifies a header: light clients do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from tieline.interfaces.errors import ConfigError, HubError, NotYet, Pruned, Unavailable
from tieline.ledgers.ethereum.rpc import Call, EvmRpc, Json
from tieline.ledgers.ethereum.rpc_records import number_of

LOOK_ROUND_S: Final = 5.0
"""How often all nodes are asked where they are."""
LAG_BLOCKS: Final = 2
"""A node that is so far behind another is not asked first."""
SILENCE_S: Final = 0.25
SILENCE_S_MAX: Final = 30.0

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")
Read = Callable[[Sequence[Json]], _T]
"""Makes something of the answers; raises Unavailable if they make no sense."""


@dataclass(frozen=True, slots=True)
class EndpointState:
    """One node, for an operator."""

    address: str
    height: int
    """The last that it told; 0 before the first."""
    is_used: bool
    """Whether it is asked first."""
    is_aside: bool
    reason: str
    """Why it is silent or put aside; empty for one that answers."""


class _Endpoint:
    def __init__(self, rpc: EvmRpc) -> None:
        self.rpc = rpc
        self.height = 0
        self.is_known = False
        self.refusal: ConfigError | None = None
        self.reason = ""
        self.silences = 0
        self.silent_until = 0.0

    def note_silence(self, error: Unavailable) -> None:
        if not self.silences:
            _LOG.warning("node silent address=%s %s", self.rpc.address, error)
        self.silences += 1
        delay_s = min(SILENCE_S * 2 ** (self.silences - 1), SILENCE_S_MAX)
        self.silent_until = time.monotonic() + delay_s
        self.reason = str(error)
        self.is_known = False

    def note_answer(self) -> None:
        if self.silences:
            _LOG.info("node answers again address=%s", self.rpc.address)
        self.reason = ""
        self.silences = 0
        self.silent_until = 0.0

    def put_aside(self, refusal: ConfigError) -> None:
        _LOG.error("node put aside address=%s %s", self.rpc.address, refusal)
        self.refusal = refusal
        self.reason = str(refusal)


class IdentityCheck:
    """What a node must say before it is asked anything else; the default takes any."""

    async def check(self, rpc: EvmRpc) -> None:
        """Raises ConfigError for a node that is not of the ledger, Unavailable, NotYet."""
        del rpc


class EvmEndpoints:
    """The nodes of one chain that this process may ask."""

    def __init__(
        self, name: str, rpcs: Sequence[EvmRpc], identity: IdentityCheck | None = None
    ) -> None:
        """
        Ask the first while it answers.

        Args:
            name: The ledger's, for messages.
            rpcs: At least one, in order of preference.
            identity: Asked of each before it is used, and again after a silence.

        Raises:
            ConfigError: There is none.
        """
        if not rpcs:
            raise ConfigError(f"no endpoint for {name}", instead="name at least one")
        self._name = name
        self._endpoints = [_Endpoint(rpc) for rpc in rpcs]
        self._first = self._endpoints[0]
        self._identity = identity or IdentityCheck()
        self._next_look = 0.0

    def states(self) -> tuple[EndpointState, ...]:
        """Return where every node stands."""
        return tuple(
            EndpointState(
                *(one.rpc.address, one.height, one is self._first),
                *(one.refusal is not None, one.reason),
            )
            for one in self._endpoints
        )

    async def call(self, method: str, *parameters: Json) -> Json:
        """Return the result of a method, as ``EvmRpc.call`` does, of a node that has it."""
        return await self.ask([Call(method, parameters)], lambda answers: answers[0])

    async def ask(self, calls: Sequence[Call], read: Read[_T]) -> _T:
        """
        Return what *read* makes of one node's answers to all *calls*.

        Raises:
            NotYet: It is not there yet on any node.
            Pruned: No node has it any more.
            Reverted, Rejected: What was asked is refused.
            ConfigError: Every node was put aside.
            Unavailable: No node answers.
        """
        if len(self._endpoints) > 1 and time.monotonic() >= self._next_look:
            await self.look_round()
        failure: HubError | None = None
        for endpoint in self._in_turn():
            try:
                await self._check(endpoint)
                outcomes = await endpoint.rpc.batch(calls)
                value = read([_result(one) for one in outcomes])
            except ConfigError as exc:
                endpoint.put_aside(exc)
            except (NotYet, Pruned) as exc:
                failure = exc  # another may be further on, or keep more
            except Unavailable as exc:
                endpoint.note_silence(exc)
                failure = exc
            else:
                endpoint.note_answer()
                if self._first.silences or self._first.refusal:
                    self._first = endpoint
                return value
        raise failure or self._refusal()

    async def broadcast(self, raws: Sequence[bytes]) -> tuple[list[Json | HubError], bool]:
        """
        Hand in signed transactions in order; a node that fails as a whole is followed by the next.

        Returns:
            What came of each, and whether a node that failed may have taken them before.

        Raises:
            Unavailable: It is not known whether they went in.
        """
        calls = [Call("eth_sendRawTransaction", ("0x" + raw.hex(),)) for raw in raws]
        failure: HubError | None = None
        for endpoint in self._in_turn():
            try:
                await self._check(endpoint)
                outcomes = await endpoint.rpc.batch(calls)
            except ConfigError as exc:
                endpoint.put_aside(exc)
            except Unavailable as exc:
                endpoint.note_silence(exc)
                failure = exc
            else:
                endpoint.note_answer()
                return outcomes, failure is not None
        raise failure or self._refusal()

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

    async def _look_at(self, endpoint: _Endpoint) -> None:
        try:
            await self._check(endpoint)
            endpoint.height = number_of(await endpoint.rpc.call("eth_blockNumber"))
        except ConfigError as exc:
            endpoint.put_aside(exc)
        except Unavailable as exc:
            endpoint.note_silence(exc)
        except HubError as exc:
            _LOG.debug("node has nothing to tell address=%s %s", endpoint.rpc.address, exc)
        else:
            endpoint.note_answer()

    async def _check(self, endpoint: _Endpoint) -> None:
        """Ask a node that is new, or was silent, whether it is of this ledger."""
        if not endpoint.is_known:
            await self._identity.check(endpoint.rpc)
            endpoint.is_known = True

    def _in_turn(self) -> Iterator[_Endpoint]:
        """Give the nodes to ask, the first first; if all are silent, all of them."""
        now = time.monotonic()
        believed = [one for one in self._endpoints if not one.refusal]
        awake = [one for one in believed if one.silent_until <= now]
        awake.sort(key=lambda one: (one is not self._first, -one.height))
        return iter(awake or sorted(believed, key=lambda one: one.silent_until))

    def _refusal(self) -> ConfigError:
        refusals = [one.refusal for one in self._endpoints if one.refusal]
        assert refusals, "a node that is not put aside either answers or fails"
        return refusals[0]


def _result(outcome: Json | HubError) -> Json:
    if isinstance(outcome, HubError):
        raise outcome
    return outcome
