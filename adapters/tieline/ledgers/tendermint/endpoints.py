"""
Several peers of one ledger behind one door: one is asked, the next when it fails or falls behind.

A peer that says what cannot be true beside what was seen (another ledger, a height that goes back,
another block at a height) is put aside until this process ends, and its reason is kept. Nothing
here verifies a header: light clients do, where it counts.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from tieline.interfaces.errors import (
    ConfigError,
    Contradicted,
    HubError,
    NotYet,
    Pruned,
    Unavailable,
)
from tieline.ledgers.tendermint import rpc_records
from tieline.ledgers.tendermint.rpc import Call, CometRpc, Hook, Json, as_base64

LOOK_ROUND_S: Final = 5.0
"""How often all peers are asked where they are."""
LAG_BLOCKS: Final = 2
"""A peer that is so far behind another is not asked first; one block is the way between them."""
SILENCE_S: Final = 0.25
SILENCE_S_MAX: Final = 30.0
_HELD_BY_HEIGHT: Final = frozenset({"block", "commit", "header"})
"""What a peer has as soon as it tells a height."""

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")
Read = Callable[[Sequence[Json]], _T]
"""Makes something of the answers; raises Contradicted if they cannot be true, Unavailable if they
make no sense."""


@dataclass(frozen=True, slots=True)
class EndpointState:
    """One peer, for an operator."""

    address: str
    height: int
    """The last that it told; 0 before the first."""
    is_used: bool
    """Whether it is asked first."""
    is_aside: bool
    """Whether it is asked no more."""
    reason: str
    """Why it is silent or put aside; empty for one that answers."""


class _Endpoint:
    def __init__(self, rpc: CometRpc) -> None:
        self.rpc = rpc
        self.height = 0
        self.is_known = False
        """It has said that it is of this ledger, and was not silent since."""
        self.is_aside = False
        self.reason = ""
        self.silences = 0
        self.silent_until = 0.0

    def note_silence(self, error: Unavailable) -> None:
        if not self.silences:
            _LOG.warning("peer silent address=%s %s", self.rpc.address, error)
        self.silences += 1
        delay_s = min(SILENCE_S * 2 ** (self.silences - 1), SILENCE_S_MAX)
        self.silent_until = time.monotonic() + delay_s
        self.reason = str(error)
        self.is_known = False

    def note_answer(self) -> None:
        if self.silences:
            _LOG.info("peer answers again address=%s", self.rpc.address)
            self.reason = ""
        self.silences = 0
        self.silent_until = 0.0

    def put_aside(self, error: Contradicted) -> None:
        if not self.is_aside:
            _LOG.error("peer put aside address=%s %s", self.rpc.address, error)
        self.is_aside = True
        self.reason = str(error)


class CometEndpoints:
    """The peers of one ledger that this process may ask."""

    def __init__(self, chain_id: str, rpcs: Sequence[CometRpc]) -> None:
        """
        Ask the first while it answers.

        Args:
            chain_id: The ledger's; a peer of another one is put aside.
            rpcs: At least one, in order of preference.

        Raises:
            ConfigError: There is none, or one twice.
        """
        addresses = [rpc.address for rpc in rpcs]
        if not addresses or len(set(addresses)) < len(addresses):
            raise ConfigError(
                f"peers of {chain_id}: {addresses}", instead="name at least one, each once"
            )
        self.chain_id = chain_id
        self._endpoints = [_Endpoint(rpc) for rpc in rpcs]
        self._first = self._endpoints[0]
        self._next_look = 0.0
        self._confirmed: tuple[int, bytes] | None = None

    def states(self) -> tuple[EndpointState, ...]:
        """Return where every peer stands."""
        return tuple(
            EndpointState(one.rpc.address, one.height, one is self._first, one.is_aside, one.reason)
            for one in self._endpoints
        )

    @property
    def height(self) -> int:
        """The highest that a peer has told which is believed; no less than what was confirmed."""
        told = [one.height for one in self._endpoints if not one.is_aside]
        return max(told + ([self._confirmed[0]] if self._confirmed else [0]))

    def confirm(self, height: int, header_hash: bytes) -> None:
        """Take the block at *height* for the ledger's own; peers are held against the latest."""
        if self._confirmed is None or height > self._confirmed[0]:
            self._confirmed = height, header_hash

    async def call(self, method: str, **parameters: object) -> Json:
        """Return the result of a method, as ``CometRpc.call`` does, of a peer that has it."""
        return await self.ask([Call(method, parameters)], lambda answers: answers[0])

    async def call_many(self, method: str, calls: Sequence[Json]) -> list[Json]:
        """Return the results of one method, as ``CometRpc.call_many`` does."""
        return await self.ask([Call(method, one) for one in calls], list)

    async def ask(self, calls: Sequence[Call], read: Read[_T], hook: Hook | None = None) -> _T:
        """
        Return what *read* makes of one peer's answers to all *calls*; *hook* is that of
        ``CometRpc.batch``.

        Raises:
            NotYet: It is not there yet on any peer.
            Pruned: No peer has it any more.
            Contradicted: All peers that answer were put aside.
            Unavailable: No peer answers.
            Rejected: What was asked is refused.
        """
        return await self._ask(calls, lambda _endpoint, _told, answers: read(answers), hook)

    async def committed(self) -> tuple[str, int, bytes]:
        """
        Return the application's name for itself, its last height and the app hash there.

        Raises:
            Unavailable: No peer answers, or none that may be believed.
        """
        if len(self._endpoints) > 1 and time.monotonic() >= self._next_look:
            await self.look_round()
        return await self._ask([Call("abci_info")], _read_committed)

    async def broadcast(self, transactions: Sequence[bytes]) -> tuple[list[Json | HubError], bool]:
        """
        Hand in transactions in order; a peer that fails as a whole is followed by the next.

        Returns:
            What came of each, and whether a peer that failed may have taken them before.

        Raises:
            Unavailable: It is not known whether they went in.
        """
        calls = [Call("broadcast_tx_sync", {"tx": as_base64(raw)}) for raw in transactions]
        failure: HubError | None = None
        for endpoint in self._in_turn():
            try:
                await self._check(endpoint)
                outcomes = await endpoint.rpc.batch(calls)
            except Contradicted as exc:
                endpoint.put_aside(exc)
                failure = failure or exc
            except Unavailable as exc:
                endpoint.note_silence(exc)
                failure = exc
            else:
                endpoint.note_answer()
                self._first = endpoint
                return outcomes, failure is not None
        raise failure or self._all_aside()

    async def look_round(self) -> None:
        """Ask every peer where it is, and put the highest first if the first is behind."""
        self._next_look = time.monotonic() + LOOK_ROUND_S
        now = time.monotonic()
        asked = [one for one in self._endpoints if not one.is_aside and one.silent_until <= now]
        await asyncio.gather(*(self._look_at(one) for one in asked))
        best = max(self._in_turn(), key=lambda one: one.height, default=self._first)
        is_usable = not self._first.is_aside and self._first.silent_until <= time.monotonic()
        if not is_usable or self._first.height + LAG_BLOCKS <= best.height:
            if best is not self._first:
                _LOG.info("peer chosen address=%s height=%d", best.rpc.address, best.height)
            self._first = best

    def close(self) -> None:
        """Let go of connections."""
        for endpoint in self._endpoints:
            endpoint.rpc.close()

    async def _look_at(self, endpoint: _Endpoint) -> None:
        confirmed, told = self._confirmed, endpoint.height
        calls = [Call("abci_info")]
        if confirmed:
            calls.append(Call("header", {"height": str(confirmed[0])}))
        try:
            await self._check(endpoint)
            info, *headers = await endpoint.rpc.batch(calls)
            _read_committed(endpoint, told, [_result(info)])
            for header in headers:
                if isinstance(header, dict) and confirmed:
                    height, seen = confirmed
                    found = rpc_records.plain_header_of(header, height).hash()
                    require_same_block(height, found, seen)
        except Contradicted as exc:
            endpoint.put_aside(exc)
        except Unavailable as exc:
            endpoint.note_silence(exc)
        except HubError as exc:
            _LOG.debug("peer has nothing to tell address=%s %s", endpoint.rpc.address, exc)
        else:
            endpoint.note_answer()

    async def _ask(
        self,
        calls: Sequence[Call],
        read: Callable[[_Endpoint, int, Sequence[Json]], _T],
        hook: Hook | None = None,
    ) -> _T:
        failure: HubError | None = None
        for endpoint in self._in_turn():
            told = endpoint.height  # before asking: answers may overtake one another
            try:
                await self._check(endpoint)
                outcomes = await endpoint.rpc.batch(calls, hook)
            except Contradicted as exc:
                endpoint.put_aside(exc)
                failure = exc
                continue
            except Unavailable as exc:
                endpoint.note_silence(exc)
                failure = exc
                continue
            endpoint.note_answer()
            try:
                _require_held(endpoint, told, calls, outcomes)
                value = read(endpoint, told, [_result(one) for one in outcomes])
            except Contradicted as exc:
                endpoint.put_aside(exc)
                failure = exc
            except (NotYet, Pruned) as exc:
                failure = exc  # another may be further on, or keep more
            except Unavailable as exc:
                failure = exc
            else:
                if self._first.silences or self._first.is_aside:
                    self._first = endpoint
                return value
        raise failure or self._all_aside()

    def _in_turn(self) -> Iterator[_Endpoint]:
        """Give the peers to ask, the first first; if all are silent, all of them."""
        now = time.monotonic()
        believed = [one for one in self._endpoints if not one.is_aside]
        awake = [one for one in believed if one.silent_until <= now]
        awake.sort(key=lambda one: (one is not self._first, -one.height))
        return iter(awake or sorted(believed, key=lambda one: one.silent_until))

    def _all_aside(self) -> Contradicted:
        reasons = "; ".join(f"{one.rpc.address}: {one.reason}" for one in self._endpoints)
        return Contradicted(f"no peer of {self.chain_id} is believed: {reasons}")

    async def _check(self, endpoint: _Endpoint) -> None:
        """Ask a peer that is new, or was silent, whether it is of this ledger."""
        if endpoint.is_known:
            return
        chain_id = rpc_records.network_of(await endpoint.rpc.call("status"))
        if chain_id != self.chain_id:
            address = endpoint.rpc.address
            raise Contradicted(
                f"another ledger answers at {address}: {chain_id!r}, not {self.chain_id!r}"
            )
        endpoint.is_known = True


def require_same_block(height: int, found: bytes, seen: bytes) -> None:
    """Raise Contradicted if a block is not the one that was seen at its height."""
    if found != seen:
        raise Contradicted(
            f"another block than was seen: height={height} hash={found.hex()} seen={seen.hex()}"
        )


def _result(outcome: Json | HubError) -> Json:
    if isinstance(outcome, HubError):
        raise outcome
    return outcome


def _read_committed(
    endpoint: _Endpoint, told: int, answers: Sequence[Json]
) -> tuple[str, int, bytes]:
    """Read ``abci_info``; *told* is the height that the peer had told before it was asked."""
    name, height, app_hash = rpc_records.committed_of(answers[0])
    if height < told:
        raise Contradicted(
            f"height went back at {endpoint.rpc.address}: from={told} to={height}; "
            "was it restored from an old copy?"
        )
    endpoint.height = max(endpoint.height, height)
    return name, height, app_hash


def _require_held(
    endpoint: _Endpoint, told: int, calls: Sequence[Call], outcomes: Sequence[Json | HubError]
) -> None:
    """Raise if a peer lacks what belongs to a height that it had told before it was asked."""
    for call, outcome in zip(calls, outcomes, strict=True):
        height = int(str(call.parameters.get("height", 0)))
        if not isinstance(outcome, NotYet) or not 0 < height <= told:
            continue
        what = f"{endpoint.rpc.address} told height {told} and has no {call.method} of {height}"
        if call.method in _HELD_BY_HEIGHT:
            raise Contradicted(f"{what}: {outcome}")
        if call.method == "block_results":
            raise Pruned(f"{what}; is storage.discard_abci_responses set? {outcome}")
