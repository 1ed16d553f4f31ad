"""
Several peers of one channel behind one door: one is asked, the next when it fails or falls behind.
Each is asked first whether it is of this channel and runs the chaincode that this program knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from tieline.contract.chaincode import CHAINCODE_VERSION
from tieline.interfaces.errors import ConfigError, HubError, Unavailable
from tieline.ledgers.endpoints import Endpoint, Endpoints, result_of
from tieline.ledgers.fabric.kept_place import block_hash
from tieline.ledgers.fabric.port import (
    CHAINCODE,
    CommitStatus,
    Endorsed,
    EndorsementsDiffer,
    FabricPort,
    InvocationRefused,
)
from tieline.wire.bounded_json import loads
from tieline.wire.errors import Malformed
from tieline.wire.fabric.invocations import version_args


@dataclass(frozen=True, slots=True)
class _Peer:
    port: FabricPort

    @property
    def address(self) -> str:
        return self.port.name

    def close(self) -> None:
        self.port.close()


class PeerPorts(Endpoints[_Peer]):
    """Implements ``port.FabricPort`` through the first peer that answers."""

    _distrust = ConfigError

    def __init__(self, ports: Sequence[FabricPort], genesis_hash: bytes | None = None) -> None:
        """
        Ask the first of these while it answers.

        Args:
            ports: Ways into one channel, in order of preference; at least one.
            genesis_hash: sha256 of block 0's header bytes; None: that of the first that answers.

        Raises:
            ConfigError: They are of several channels.
        """
        channels = sorted({port.fabric_channel for port in ports})
        if len(channels) != 1:
            raise ConfigError(
                f"peers of one ledger are asked for several channels: {', '.join(channels)}",
                instead="name one channel",
            )
        super().__init__([_Peer(port) for port in ports])
        self._channel = channels[0]
        self._genesis_hash = genesis_hash

    @property
    def fabric_channel(self) -> str:
        """The channel's name."""
        return self._channel

    @property
    def name(self) -> str:
        """The peer that is asked first."""
        return self._first.rpc.address

    async def evaluate(self, args: Sequence[bytes]) -> bytes:
        """Run an invocation on one peer. Raises as ``FabricPort.evaluate``."""
        await self._look_round_if_due()
        return (await self._of_one(lambda one: one.rpc.port.evaluate(args)))[0]

    async def endorse(self, args: Sequence[bytes]) -> Endorsed:
        """Have an invocation endorsed. Raises as ``FabricPort.endorse``."""
        await self._look_round_if_due()

        async def ask(endpoint: Endpoint[_Peer]) -> Endorsed | HubError:
            try:
                return await endpoint.rpc.port.endorse(args)
            except EndorsementsDiffer as differ:
                return differ  # this peer answers; asking another in its place helps not

        return result_of((await self._of_one(ask))[0])

    async def order(self, envelope: bytes) -> None:
        """Hand an envelope in, where need be through several. Raises as ``FabricPort.order``."""
        await self._of_one(lambda one: one.rpc.port.order(envelope))

    async def commit_status(self, tx_id: str) -> CommitStatus | None:
        """Return what became of a transaction; None if the peer does not know it (yet)."""
        return (await self._of_one(lambda one: one.rpc.port.commit_status(tx_id)))[0]

    async def blocks_after(self, number: int, limit: int) -> Sequence[bytes]:
        """Return committed blocks. Raises as ``FabricPort.blocks_after``."""
        await self._look_round_if_due()
        return (await self._of_one(lambda one: one.rpc.port.blocks_after(number, limit)))[0]

    async def height(self) -> int:
        """Return the number of the newest committed block."""
        return (await self._of_one(lambda one: one.rpc.port.height()))[0]

    async def _identify(self, endpoint: Endpoint[_Peer]) -> None:
        port = endpoint.rpc.port
        genesis_hash = await genesis_hash_of(port)
        self._require_one_channel(port, genesis_hash)
        await check_chaincode(port)
        # Another may have been the first to answer meanwhile: peers are asked side by side.
        self._require_one_channel(port, genesis_hash)
        self._genesis_hash = genesis_hash

    def _require_one_channel(self, port: FabricPort, genesis_hash: bytes) -> None:
        if self._genesis_hash not in {None, genesis_hash}:
            raise ConfigError(
                f"another channel that is called {self._channel} too, or one begun anew: block 0 "
                f"has hash {genesis_hash.hex()[:16]}",
                key=port.name,
                instead="name a peer of the channel whose block 0 has hash "
                f"{(self._genesis_hash or b'').hex()[:16]}",
            )

    async def _ask_where(self, endpoint: Endpoint[_Peer]) -> None:
        endpoint.height = await endpoint.rpc.port.height()

    def _all_aside(self) -> HubError:
        reasons = "; ".join(one.reason for one in self.states())
        return ConfigError(
            f"no peer of {self._channel} can be used: {reasons}", instead="correct their addresses"
        )


async def genesis_hash_of(port: FabricPort) -> bytes:
    """Return the hash of block 0's header at a peer. Raises Unavailable, Contradicted."""
    found = await block_hash(port, 0)
    if found is None:
        raise Unavailable(f"the peer has no block 0: {port.name}")
    return found


async def check_chaincode(port: FabricPort) -> str:
    """
    See that a peer runs our chaincode in the version that this program knows, and return the hash
    of the only genesis that it takes, in hex; empty: it takes any.

    Raises:
        ConfigError: It runs another one.
        Unavailable: It does not answer.
    """
    try:
        answer = await port.evaluate(version_args())
        said = cast("dict[str, object]", loads(answer.decode()))
        name, version = said["chaincode"], said["version"]
    except (InvocationRefused, ValueError, KeyError, TypeError, Malformed) as exc:
        raise ConfigError(
            f"the chaincode called {CHAINCODE} is not ours: {exc}",
            key=port.name,
            instead=f"commit tieline's chaincode, version {CHAINCODE_VERSION}, under that name",
        ) from exc
    if (name, version) != (CHAINCODE, CHAINCODE_VERSION):
        raise ConfigError(
            f"the peer runs chaincode {name} in version {version}, this program knows "
            f"{CHAINCODE} in version {CHAINCODE_VERSION}",
            key=port.name,
            instead="bring both to one version: all peers first, by a new definition, then this",
        )
    return str(said.get("genesis", ""))
