"""
The trade world's ledgers on two hosts at once: every transaction runs in a block of the
Application and as an invocation of the chaincode, and both must come to the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fakes.trade_world import TradeLedger, TradeWorld
from fakes.transfer_world import TransferWorld
from tieline.contract.chaincode import Chaincode, Invocation
from tieline.contract.errors import UnknownAccount
from tieline.contract.invocation_replay import RecordedCall, ReplayedState
from tieline.contract.limits import TICK_APART_S_MIN
from tieline.contract.results import TxResult
from tieline.contract.store import STORES, TIELINE
from tieline.wire.fabric.invocations import (
    CLOCK_KEY,
    InvocationRefusal,
    decode_events,
    decode_refusal,
    encode_number,
    init_args,
    store_key_of,
    submit_args,
    tick_args,
)
from tieline.wire.hashes import sha256

_SEQUENCE = b"\x02"


class WatchedState(ReplayedState):
    """World state that counts each key's writes and remembers what was read at which count."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[str, int] = {}
        self.read: dict[str, int] = {}

    def get_state(self, key: str, /) -> bytes:
        """Return a value and remember the key's version."""
        assert key not in self.read, "a key is asked for once"
        self.read[key] = self.versions.get(key, 0)
        return super().get_state(key)

    def apply(self, writes: Iterable[tuple[str, bytes | None]]) -> None:
        """Take writes, each a new version of its key."""
        for key, value in writes:
            assert value is None or value, "an empty value would delete"
            self.versions[key] = self.versions.get(key, 0) + 1
            super().apply([(key, value)])

    def unwatched(self) -> ReplayedState:
        """The same values, for whoever asks twice."""
        plain = ReplayedState()
        plain.values = self.values
        return plain

    def stores(self) -> dict[str, dict[bytes, bytes]]:
        """The contract's own stores, by the contract's own keys."""
        found: dict[str, dict[bytes, bytes]] = {name: {} for name in STORES}
        for physical, value in self.values.items():
            place = store_key_of(physical)
            if place is not None:
                found[place[0]][place[1]] = value
        return found


@dataclass(frozen=True)
class Watched:
    """An invocation with its read set."""

    invocation: Invocation
    versions: dict[str, int]

    @property
    def reads(self) -> frozenset[str]:
        """The keys of its read set."""
        return frozenset(self.versions)

    @property
    def writes(self) -> frozenset[str]:
        """The keys of its write set."""
        return frozenset(key for key, _ in self.invocation.writes)


class Channel:
    """A chaincode and its world state, with Fabric's rule of what is valid."""

    def __init__(self, chaincode: Chaincode) -> None:
        self.chaincode = chaincode
        self.state = WatchedState()
        self.calls: list[RecordedCall] = []
        """All that wrote, in order; enough to repeat it unless time has jumped."""
        self.has_jumped = False

    def endorse(self, args: Iterable[bytes], wall_s: int = 0) -> Watched:
        """Run one invocation on the committed state, and leave that as it is."""
        self.state.read = {}
        call = RecordedCall(tuple(args), wall_s)
        self.calls.append(call)
        invocation = self.chaincode.invoke(call.args, self.state, call.clock)
        return Watched(invocation, self.state.read)

    def order(self, *watched: Watched) -> list[bool]:
        """Commit a block of endorsed invocations; say which are valid (MVCC)."""
        verdicts: list[bool] = []
        for each in watched:
            assert each.invocation.is_ok, each.invocation.message
            now = self.state.versions
            is_valid = all(now.get(key, 0) == seen for key, seen in each.versions.items())
            verdicts.append(is_valid)
            if is_valid:
                self.state.apply(each.invocation.writes)
        return verdicts

    def invoke(self, args: Iterable[bytes], wall_s: int = 0) -> Watched:
        """Run one invocation and commit it, unless it is refused."""
        done = self.endorse(args, wall_s)
        if done.invocation.is_ok:
            assert self.order(done) == [True]
        return done

    @property
    def now_s(self) -> int:
        """What the ledger's clock shows, 0 before the first Tick."""
        return int.from_bytes(self.state.values.get(CLOCK_KEY, b""), "big")

    def set_clock(self, now_s: int) -> None:
        """Be at a time: by a Tick, or where it may not be one by force."""
        if now_s == self.now_s:
            return
        if self.now_s + TICK_APART_S_MIN <= now_s:
            assert self.invoke(tick_args(now_s), now_s).invocation.is_ok
        else:
            self.has_jumped = True
            self.state.apply([(CLOCK_KEY, encode_number(now_s))])


def refusal_of(watched: Watched) -> InvocationRefusal:
    """Why an invocation was refused."""
    assert not watched.invocation.is_ok
    assert watched.invocation.writes == ()
    assert watched.invocation.event == b""
    return decode_refusal(watched.invocation.message)


def shared_keys(watched: Iterable[Watched]) -> set[str]:
    """Keys that one of them wrote and another read or wrote: what MVCC would refuse one for."""
    rows = list(watched)
    return {
        key
        for here, one in enumerate(rows)
        for there, other in enumerate(rows)
        if here != there
        for key in one.writes & (other.reads | other.writes)
    }


class FabricLedger(TradeLedger):
    """A trade world's ledger on both hosts."""

    def __post_init__(self) -> None:
        self.kind = "fabric"
        self.channel: Channel | None = None
        super().__post_init__()
        genesis = self.genesis.to_bytes()
        self.channel = Channel(Chaincode(sha256(genesis), self.installed))
        begun = self.channel.invoke(init_args(genesis, self.header_hash(1)))
        assert begun.invocation.payload == self.tag
        self.sent: list[bytes] = []
        self.watched: list[Watched] = []
        """Every transaction, and its invocation."""
        self.is_side_by_side = False
        """Endorse all of a block on one state and let none be invalid."""
        self.compare_stores()

    def block(self, *transactions: bytes) -> tuple[TxResult, ...]:
        """Run a block on the one host, then each of its transactions on the other."""
        results = super().block(*transactions)
        if self.channel is not None:
            self.channel.set_clock(self.now_s)
            # The one difference: a signer who never held anything is not known in blocks alone.
            both = [
                (raw, result)
                for raw, result in zip(transactions, results, strict=True)
                if (result.codespace, result.code)
                != (UnknownAccount.codespace, UnknownAccount.code)
            ]
            self.run_beside(self.channel, both)
            self.compare_stores()
        return results

    def run_beside(self, channel: Channel, both: list[tuple[bytes, TxResult]]) -> None:
        """Run what a block ran as invocations, and compare each."""
        if self.is_side_by_side:
            done = [channel.endorse(submit_args(raw)) for raw, _ in both]
            assert all(channel.order(*done))
        else:
            done = [channel.invoke(submit_args(raw)) for raw, _ in both]
        for (raw, result), watched in zip(both, done, strict=True):
            compare(result, watched)
            self.sent.append(raw)
        self.watched += done

    def compare_stores(self) -> None:
        """Both hosts hold the same, but for the sequences that the one counts."""
        assert self.channel is not None
        there = self.channel.state.stores()
        for name in STORES:
            here = dict(self.app.scan(name, b""))
            if name == TIELINE:
                here = {key: value for key, value in here.items() if not is_sequence(key)}
            assert there[name] == here


def is_sequence(key: bytes) -> bool:
    """Whether a key of store ``tieline`` counts an account's transactions."""
    return len(key) == 22 and key.startswith(b"a") and key.endswith(_SEQUENCE)


def compare(result: TxResult, watched: Watched) -> None:
    """The same events and data, or the same refusal."""
    if result.code:
        assert refusal_of(watched) == InvocationRefusal(result.codespace, result.code, result.log)
        return
    invocation = watched.invocation
    assert invocation.is_ok, invocation.message
    assert decode_events(invocation.event) == result.events
    assert invocation.payload == result.data


class OnBothHosts:
    """Opens a world's ledgers on both hosts."""

    def open_ledger(
        self, chain_id: str, cell: str, names: tuple[str, ...], **rules: Any
    ) -> TradeLedger:
        """One of the two ledgers, at height 1."""
        return FabricLedger(chain_id, cell, names, **rules)


class FabricWorld(OnBothHosts, TradeWorld):
    """The trade world on both hosts."""


class FabricTransferWorld(OnBothHosts, TransferWorld):
    """The world with stock chains on both hosts."""
