"""
The nodes of one EVM chain behind one door.

A node of another chain, or without our contracts, is put aside; if no other is left, its reason is
the operator's to read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from tieline.interfaces.errors import ConfigError, HubError
from tieline.ledgers.endpoints import Endpoint, Endpoints, result_of
from tieline.ledgers.ethereum.rpc import Call, EvmRpc, Json
from tieline.ledgers.ethereum.rpc_records import number_of

_T = TypeVar("_T")
Read = Callable[[Sequence[Json]], _T]
"""Makes something of the answers; raises Unavailable if they make no sense."""


class IdentityCheck:
    """What a node must say before it is asked anything else; the default takes any."""

    async def check(self, rpc: EvmRpc) -> None:
        """Raises ConfigError for a node that is not of the ledger, Unavailable, NotYet."""
        del rpc


class EvmEndpoints(Endpoints[EvmRpc]):
    """The nodes of one chain that this process may ask."""

    _distrust = ConfigError

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
        super().__init__(rpcs)
        self._identity = identity or IdentityCheck()

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
        await self._look_round_if_due()

        async def answer(endpoint: Endpoint[EvmRpc]) -> _T:
            return read([result_of(one) for one in await endpoint.rpc.batch(calls)])

        value, _ = await self._of_one(answer)
        return value

    async def broadcast(self, raws: Sequence[bytes]) -> tuple[list[Json | HubError], bool]:
        """
        Hand in signed transactions in order; a node that fails as a whole is followed by the next.

        Returns:
            What came of each, and whether a node that failed may have taken them before.

        Raises:
            Unavailable: It is not known whether they went in.
        """
        calls = [Call("eth_sendRawTransaction", ("0x" + raw.hex(),)) for raw in raws]
        return await self._of_one(lambda endpoint: endpoint.rpc.batch(calls))

    async def _identify(self, endpoint: Endpoint[EvmRpc]) -> None:
        await self._identity.check(endpoint.rpc)

    async def _ask_where(self, endpoint: Endpoint[EvmRpc]) -> None:
        endpoint.height = number_of(await endpoint.rpc.call("eth_blockNumber"))

    def _all_aside(self) -> HubError:
        refusals = [one.refusal for one in self._endpoints if one.refusal]
        assert refusals, "a node that is not put aside either answers or fails"
        return refusals[0]
