"""
The peers of one CometBFT ledger behind one door.

A peer that says what cannot be true beside what was seen (another ledger, a height that goes back,
another block at a height) is put aside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from tieline.interfaces.errors import ConfigError, Contradicted, HubError, NotYet, Pruned
from tieline.ledgers.endpoints import Endpoint, Endpoints, result_of
from tieline.ledgers.tendermint import rpc_records
from tieline.ledgers.tendermint.rpc import Call, CometRpc, Hook, Json, as_base64

_HELD_BY_HEIGHT: Final = frozenset({"block", "commit", "header"})
"""What a peer has as soon as it tells a height."""

_T = TypeVar("_T")
Read = Callable[[Sequence[Json]], _T]
"""Makes something of the answers; raises Contradicted if they cannot be true, Unavailable if they
make no sense."""


class CometEndpoints(Endpoints[CometRpc]):
    """The peers of one ledger that this process may ask."""

    _distrust = Contradicted

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
        super().__init__(rpcs)
        self._confirmed: tuple[int, bytes] | None = None

    @property
    def height(self) -> int:
        """The highest that a peer has told which is believed; no less than what was confirmed."""
        told = [one.height for one in self._endpoints if not one.refusal]
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
        await self._look_round_if_due()
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
        return await self._of_one(lambda endpoint: endpoint.rpc.batch(calls))

    async def _ask_where(self, endpoint: Endpoint[CometRpc]) -> None:
        confirmed, told = self._confirmed, endpoint.height
        calls = [Call("abci_info")]
        if confirmed:
            calls.append(Call("header", {"height": str(confirmed[0])}))
        info, *headers = await endpoint.rpc.batch(calls)
        _read_committed(endpoint, told, [result_of(info)])
        for header in headers:
            if isinstance(header, dict) and confirmed:
                height, seen = confirmed
                found = rpc_records.plain_header_of(header, height).hash()
                require_same_block(height, found, seen)

    async def _ask(
        self,
        calls: Sequence[Call],
        read: Callable[[Endpoint[CometRpc], int, Sequence[Json]], _T],
        hook: Hook | None = None,
    ) -> _T:
        async def answer(endpoint: Endpoint[CometRpc]) -> _T:
            told = endpoint.height  # before asking: answers may overtake one another
            outcomes = await endpoint.rpc.batch(calls, hook)
            _require_held(endpoint, told, calls, outcomes)
            return read(endpoint, told, [result_of(one) for one in outcomes])

        value, _ = await self._of_one(answer)
        return value

    async def _identify(self, endpoint: Endpoint[CometRpc]) -> None:
        chain_id = rpc_records.network_of(await endpoint.rpc.call("status"))
        if chain_id != self.chain_id:
            address = endpoint.rpc.address
            raise Contradicted(
                f"another ledger answers at {address}: {chain_id!r}, not {self.chain_id!r}"
            )

    def _all_aside(self) -> HubError:
        reasons = "; ".join(f"{one.rpc.address}: {one.reason}" for one in self._endpoints)
        return Contradicted(f"no peer of {self.chain_id} is believed: {reasons}")


def require_same_block(height: int, found: bytes, seen: bytes) -> None:
    """Raise Contradicted if a block is not the one that was seen at its height."""
    if found != seen:
        raise Contradicted(
            f"another block than was seen: height={height} hash={found.hex()} seen={seen.hex()}"
        )


def _read_committed(
    endpoint: Endpoint[CometRpc], told: int, answers: Sequence[Json]
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
    endpoint: Endpoint[CometRpc],
    told: int,
    calls: Sequence[Call],
    outcomes: Sequence[Json | HubError],
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
