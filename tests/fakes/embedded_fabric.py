"""
Embedded Fabric networks for tests: with a chaincode that puts what it is told, and with the
contract's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from fakes.microgrid import echo_installation, key
from tieline.contract.chaincode import Invocation, StateReader
from tieline.contract.genesis import Genesis
from tieline.ledgers.fabric.embedded.channel_plan import (
    CLIENT,
    BatchLimits,
    ChannelPlan,
    Consensus,
    plan_channel,
)
from tieline.ledgers.fabric.embedded.embedded_port import EmbeddedPort
from tieline.ledgers.fabric.embedded.network import Network
from tieline.ledgers.fabric.embedded.signing import Signatory
from tieline.ledgers.fabric.embedded_ledger import EmbeddedFabric
from tieline.ledgers.fabric.port import CHAINCODE, Endorsed
from tieline.wire.fabric.blocks import Block
from tieline.wire.fabric.lifecycle import ChaincodeDefinition

START_S = 1_800_000_000
SEED = b"\x5e" * 32
NAMES = ("cell", "relayer", *(f"household {n}" for n in range(64)))
FIRST = ChaincodeDefinition(CHAINCODE, 1, "1.0")


class PutChaincode:
    """Reads a key and writes it: ``put KEY VALUE``; ``get KEY``; ``refuse``; ``mood``."""

    def __init__(self, mood: bytes = b"") -> None:
        self.mood = mood
        """A peer whose chaincode has another mood comes to another result."""

    def invoke(
        self, args: Sequence[bytes], state: StateReader, wall_s: Callable[[], int], /
    ) -> Invocation:
        match args:
            case [b"put", name, value]:
                old = state.get_state(name.decode())
                return Invocation(200, "", old, b"put", ((name.decode(), value),))
            case [b"get", name]:
                return Invocation(200, payload=state.get_state(name.decode()))
            case [b"twice", name, value]:
                written = ((name.decode(), value),)
                return Invocation(200, payload=state.get_state(name.decode()), writes=written)
            case [b"mood"]:
                return Invocation(200, payload=self.mood, writes=(("mood", self.mood),))
            case _:
                return Invocation(500, "no such thing")


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run what never waits for anything."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("an embedded network does not wait")


@lru_cache
def planned(channel: str, consensus: Consensus, limits: BatchLimits | None) -> ChannelPlan:
    """Return a channel's plan; certificates take their time, and repeat."""
    return plan_channel(channel, SEED, consensus=consensus, limits=limits)


@dataclass
class PutNetwork:
    """A network of two peers with the putting chaincode, defined in block 1."""

    consensus: Consensus = Consensus.RAFT
    limits: BatchLimits | None = None
    moods: tuple[bytes, bytes] = (b"", b"")
    channel: str = "lab"
    plan: ChannelPlan = field(init=False)
    network: Network = field(init=False)
    port: EmbeddedPort = field(init=False)

    def __post_init__(self) -> None:
        self.plan = planned(self.channel, self.consensus, self.limits)
        moods = iter(self.moods)
        self.network = Network(
            self.plan, lambda: {CHAINCODE: PutChaincode(next(moods))}, lambda: START_S
        )
        self.port = self.port_of(0, CLIENT)
        self.port.define(FIRST)

    def port_of(self, organisation: int, name: str) -> EmbeddedPort:
        """Return the way in for a member of an organisation."""
        member = self.plan.organisations[organisation].member(name)
        return EmbeddedPort(self.network, Signatory.of(member))

    def endorse(self, *args: bytes) -> Endorsed:
        """Have an invocation endorsed by both peers."""
        return finish(self.port.endorse(args))

    def put(self, name: str, value: bytes = b"v") -> Endorsed:
        """Have a write endorsed."""
        return self.endorse(b"put", name.encode(), value)

    def commit(self, *endorsed: Endorsed) -> list[int]:
        """Make one block of these, and return what became of each."""
        for one in endorsed:
            self.network.order(one.envelope)
        assert self.network.cut() == 1
        return self.codes()

    def commit_as_given(self, *envelopes: bytes) -> list[int]:
        """Make one block of any bytes, and return what became of each."""
        self.network.order_as_given(envelopes)
        return self.codes()

    def codes(self) -> list[int]:
        """Return the validation codes of the newest block."""
        return list(self.block().transactions_filter)

    def block(self, number: int | None = None) -> Block:
        """Return a committed block; the newest unless named."""
        return Block.decode(self.network.block(self.network.height if number is None else number))

    def value(self, name: str) -> bytes | None:
        """Return what both peers hold of a key."""
        held = {peer.state.get(CHAINCODE, name) for peer in self.network.peers}
        assert len(held) == 1
        found = held.pop()
        return None if found is None else found.value


def fabric_genesis(channel: str = "lab") -> Genesis:
    """A ledger on which the usual names have money."""
    return Genesis(
        chain_id=channel,
        network_id=b"\xee" * 32,
        cell_address=key("cell").address,
        founding_cells=(key("cell").address,),
        kind="fabric",
        balances=tuple(sorted((key(name).cosmos_account, 10**12) for name in NAMES)),
    )


def embedded_ledger(
    folder: Path | None = None, *, channel: str = "lab", seed: bytes = SEED, **options: Any
) -> EmbeddedFabric:
    """Open a ledger of the contract with a lane for every name."""
    options.setdefault("installation", echo_installation())
    ledger = EmbeddedFabric(fabric_genesis(channel), seed, folder, **options)
    ledger.resume()
    for name in NAMES:
        ledger.add_lane(name, key(name))
    return ledger


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that uses locks of a loop."""
    return asyncio.run(coroutine)
