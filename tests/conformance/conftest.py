"""
Every ledger through one door. A new adapter adds one line to ``ENGINES`` and is done when this
folder is green.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from fakes.microgrid import echo_installation, key
from fakes.stock_chain import GOOD, LATER, MOCK_ANSWER, mock_payload, start_stock

from tieline.contract.block import Application
from tieline.contract.genesis import Genesis
from tieline.interfaces.engines import find_engine
from tieline.interfaces.errors import ConfigError, NotYet, Rejected
from tieline.interfaces.ledger import BlockEvents, TxEvents
from tieline.ledgers.cosmos.ledger import CosmosLedger
from tieline.ledgers.simulated.ledger import SimulatedLedger
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.ledgers.tendermint.home import Pace
from tieline.ledgers.tendermint.native import NativeTendermint
from tieline.ledgers.tendermint.peers import PeerGroup
from tieline.protocol.commitment import (
    ERROR_ACKNOWLEDGEMENT,
    acknowledgement_key,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.messages import (
    AcknowledgePacket,
    CreateClient,
    RecvPacket,
    RegisterCounterparty,
    SendPacket,
    TimeoutPacket,
    UpdateClient,
)
from tieline.protocol.packet import Payload
from tieline.swap.messages import MsgSend
from tieline.wire.codec import decode_packet
from tieline.wire.hashes import sha256

START_S = 1_800_000_000
EMBEDDED, NATIVE = "embedded", "native"
PROGRAMS = {"tendermint": "cometbft", "cosmos": "simapp"}
"""The engine that a native ledger of a kind runs on."""
NATIVE_ONLY = {"cosmos"}
"""Kinds that have no embedded engine."""
SETTLED_S = 30.0
"""A native ledger that has not come to rest by then hangs."""
LANES = ("cell", "relayer", "pulse", *(f"household {n}" for n in range(64)))
"""Accounts that every ledger of the suite knows."""


LOOP = asyncio.new_event_loop()


def finish(coroutine):
    """Run a coroutine; one of a ledger that lives in this process waits for nothing."""
    return LOOP.run_until_complete(coroutine)


def _genesis(chain_id, kind):
    cell = key(f"cell of {chain_id}")
    accounts = [key(f"{name} of {chain_id}").cosmos_account for name in LANES]
    return Genesis(
        chain_id=chain_id,
        network_id=b"\xee" * 32,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        kind=kind,
        balances=tuple(sorted((account, 10**12) for account in accounts)),
    )


def _embedded_tendermint(chain_id):
    genesis = _genesis(chain_id, "cometbft")
    seeds = [sha256(f"{chain_id} {n}".encode()) for n in range(4)]
    application = Application(genesis, installation=echo_installation(), record_access=True)
    return EmbeddedTendermint(genesis, seeds, application=application)


def _simulated(chain_id):
    operators = [key(f"operator {n} of {chain_id}") for n in range(3)]
    return SimulatedLedger(_genesis(chain_id, "sim"), operators, installation=echo_installation())


_GROUPS = {}
"""Peers of native ledgers by chain id; they run until the session ends."""


def _native_tendermint(chain_id):
    genesis = _genesis(chain_id, "cometbft")
    if chain_id not in _GROUPS:
        folder = Path(tempfile.mkdtemp(prefix="tieline-conform-"))
        pace = Pace(commit_wait_ms=20, empty_block_interval_s=3600)
        installation = "fakes.microgrid:echo_installation"
        group = PeerGroup(genesis, folder, pace=pace, installation=installation)
        group.start()
        _GROUPS[chain_id] = group, folder
    return NativeTendermint(chain_id, _GROUPS[chain_id][0].peers[0].rpc)


def _cosmos(chain_id):
    if chain_id not in _GROUPS:
        folder = Path(tempfile.mkdtemp(prefix="tieline-conform-"))
        _GROUPS[chain_id] = start_stock(chain_id, folder / "home", LANES), folder
    return CosmosLedger(chain_id, _GROUPS[chain_id][0].rpc)


def pytest_sessionfinish():
    """End what runs outside this process; keep nothing."""
    for group, folder in _GROUPS.values():
        group.stop()
        shutil.rmtree(folder)


ENGINES = {
    ("tendermint", "native"): _native_tendermint,
    ("cosmos", "native"): _cosmos,
    ("tendermint", "embedded"): _embedded_tendermint,
    ("simulated", "embedded"): _simulated,
}
"""(kind of ledger, engine) -> how to start one. A new adapter or engine is one line here."""


def _engine():
    default = NATIVE if os.environ.get("LEDGER") in NATIVE_ONLY else EMBEDDED
    return os.environ.get("ENGINE") or default


def _chosen():
    """Return what `make conform LEDGER=... ENGINE=...` names; all embedded ones without it."""
    kind, engine = os.environ.get("LEDGER", ""), _engine()
    found = {
        one: start
        for (one, runs_on), start in ENGINES.items()
        if kind in {"", one} and engine == runs_on
    }
    if not found:
        offered = ", ".join(f"LEDGER={one} ENGINE={runs_on}" for one, runs_on in ENGINES)
        pytest.exit(f"no ledger for LEDGER={kind} ENGINE={engine}; write one of: {offered}", 2)
    if engine == NATIVE:
        try:
            for one in found:
                find_engine(PROGRAMS[one])
        except ConfigError as exc:
            pytest.exit(str(exc), 2)
    return found


KINDS = _chosen()


@dataclass
class Driven:
    """A ledger and the hand that makes its blocks."""

    ledger: object
    now_s: int = START_S
    client: str = ""
    """Its client of the other ledger, once linked."""
    trusted_height: int = 0
    """Where that client began."""
    soon_s: int = 60
    """A time out that a test can wait for."""
    is_by_hand: bool = True
    """Blocks are made when the test says so, at the time that it says."""
    rests: bool = True
    """No block is made without a reason, so two looks in a row see the same."""
    refuses_repeats: bool = False
    """A transaction in which nothing is new is refused; else it changes nothing."""

    def __post_init__(self):
        for name in LANES:
            self.ledger.add_lane(name, key(f"{name} of {self.ledger.ledger_id}"))
        self.begin()

    def begin(self):
        self.block()
        self.block()

    def account(self, lane):
        return self.ledger.lane_account(lane)

    def block(self, seconds=5):
        """Make a block, due or not, and return what it did."""
        self.now_s += seconds
        assert self.ledger.produce_block(self.now_s, is_deadline=True)
        height = finish(self.ledger.latest_height())
        (block,) = finish(self.ledger.blocks_after(height - 1))
        return block

    def run(self, *messages, lane="relayer"):
        """Run messages as one transaction in a block of its own."""
        finish(self.ledger.submit(lane, messages))
        (transaction,) = self.block().transactions
        return transaction

    def must(self, *messages, lane="relayer"):
        """Run messages that have to succeed."""
        transaction = self.run(*messages, lane=lane)
        assert transaction.code == 0, transaction.log
        return transaction

    def prove(self, *stored_keys):
        """Prove keys as of the last block; makes the proof block if there is one."""
        height = finish(self.ledger.latest_height())
        for _ in range(self.ledger.capabilities.proof_lag):
            self.block()
        return [finish(self.ledger.prove(stored_key, height)) for stored_key in stored_keys]

    def later_height(self, height):
        """A height from *height* on that the ledger has not passed at the next look."""
        return height if self.rests else height + 100

    def pass_until(self, time_s):
        """Let time pass until a block is of *time_s* or later."""
        self.block(seconds=max(time_s - self.now_s, 1))

    def query(self, stored_key):
        return finish(self.ledger.query("ibc", stored_key))

    def client_states(self, height):
        return self.ledger.client_states(height)

    def chain_tag(self):
        return self.ledger.chain_tag

    def last_access(self):
        """What the transactions of the last block read and wrote, where one can see it."""
        return self.ledger.application.last_access

    def payload(self, value=b"ok"):
        return Payload("echo", "echo", "echo-1", "text", value)

    def answer(self, value=b"ok"):
        """What the application says to that payload; the sentinel to any other."""
        return b"done" if value == b"ok" else ERROR_ACKNOWLEDGEMENT


@dataclass
class Native(Driven):
    """A ledger that makes its own blocks: as soon as there is something to put in or to prove."""

    soon_s: int = 8
    is_by_hand: bool = False
    seen_height: int = 0

    def begin(self):
        self.seen_height = self.settle()
        self.block()

    def settle(self):
        """Wait until nothing moves, and return the height."""
        end = time.monotonic() + SETTLED_S
        while not finish(self.ledger.is_idle()):
            assert time.monotonic() < end, "the ledger does not come to rest"
            time.sleep(0.005)
        self.now_s = finish(self.ledger.latest_time_s())
        return finish(self.ledger.latest_height())

    def block(self, seconds=5):
        """
        Return all that happened since the last call as one block; ask for one if nothing did.
        """
        height = self.settle()
        pulses = ()
        if height == self.seen_height:
            account = self.account("pulse")
            pulses = (finish(self.ledger.submit("pulse", [MsgSend(account, account, 1)])).tx_hash,)
            height = self.settle()
        blocks = finish(self.ledger.blocks_after(self.seen_height))
        self.seen_height = height
        transactions = [one for block in blocks for one in block.transactions]
        asked = tuple(one for one in transactions if one.tx_hash not in pulses)
        return BlockEvents(height, self.now_s, asked)

    def prove(self, *stored_keys):
        height = self.settle() - 1
        return [finish(self.ledger.prove(stored_key, height)) for stored_key in stored_keys]

    def pass_until(self, time_s):
        time.sleep(max(time_s - time.time(), 0))
        while self.now_s < time_s:
            self.block()

    def client_states(self, height):
        return finish(self.ledger.client_states(height))

    def chain_tag(self):
        return finish(self.ledger.chain_tag())

    def last_access(self):
        return ()


@dataclass
class Stock(Native):
    """A stock chain: it makes blocks all the time, and a check runs a whole transaction."""

    rests: bool = False
    refuses_repeats: bool = True

    def settle(self):
        """Wait until nothing waits and something is new, and return the height."""
        end = time.monotonic() + SETTLED_S
        while True:
            is_idle = finish(self.ledger.is_idle())
            height = finish(self.ledger.latest_height())
            if is_idle and height > self.seen_height:
                break
            assert time.monotonic() < end, "the chain does not come to rest"
            time.sleep(0.01)
        self.now_s = finish(self.ledger.latest_time_s())
        return height

    def run(self, *messages, lane="relayer"):
        try:
            return super().run(*messages, lane=lane)
        except Rejected as exc:
            return TxEvents(b"", exc.code, exc.log, (), exc.codespace)
        except NotYet as exc:
            return TxEvents(b"", 1, str(exc), ())

    def prove(self, *stored_keys):
        height = self.settle()
        while finish(self.ledger.latest_height()) <= height:
            time.sleep(0.01)
        return [finish(self.ledger.prove(stored_key, height)) for stored_key in stored_keys]

    def payload(self, value=b"ok"):
        asked = {b"ok": GOOD, b"later": LATER}
        return mock_payload(asked.get(value, b"mock failed packet data"))

    def answer(self, value=b"ok"):
        return MOCK_ANSWER if value == b"ok" else ERROR_ACKNOWLEDGEMENT


def drive(start, chain_id):
    """Return a ledger in the hand that fits it."""
    ledger = start(chain_id)
    if isinstance(ledger, CosmosLedger):
        return Stock(ledger)
    return Native(ledger) if isinstance(ledger, NativeTendermint) else Driven(ledger)


@dataclass
class Link:
    """Two ledgers that are each other's counterparty, and a relayer by hand."""

    a: Driven
    b: Driven

    def __post_init__(self):
        for local, remote in ((self.a, self.b), (self.b, self.a)):
            self.align()
            height = finish(remote.ledger.latest_height())
            states = remote.client_states(height)
            created = local.must(CreateClient(local.account("cell"), *states), lane="cell")
            (event,) = [one for one in created.events if one.type == "create_client"]
            local.client = event.get("client_id")
            local.trusted_height = height
        for local, remote in ((self.a, self.b), (self.b, self.a)):
            prefix = remote.ledger.capabilities.merkle_prefix
            local.must(
                RegisterCounterparty(local.account("cell"), local.client, remote.client, prefix),
                lane="cell",
            )

    def align(self):
        """Bring both clocks to the later one."""
        now_s = max(self.a.now_s, self.b.now_s)
        for side in (self.a, self.b):
            if side.is_by_hand and side.now_s < now_s:
                side.block(seconds=now_s - side.now_s)

    def other(self, side):
        return self.b if side is self.a else self.a

    def send(self, source, value=b"ok", timeout_s=600, lane="relayer"):
        """Send one packet and return it."""
        message = SendPacket(
            source.account(lane), source.client, source.now_s + timeout_s, (source.payload(value),)
        )
        return sent_packet(source.must(message, lane=lane))

    def shown(self, source, *stored_keys, lane="relayer"):
        """Return the update that proofs of *stored_keys* on *source* need, and the proofs."""
        entries = source.prove(*stored_keys)
        self.align()
        destination = self.other(source)
        height = entries[0].proof_height.revision_height
        header = finish(source.ledger.header(height, destination.trusted_height))
        update = UpdateClient(destination.account(lane), destination.client, header)
        return update, *entries

    def receive(self, packet, source, lane="relayer"):
        """Return the messages that bring *packet* to its destination."""
        update, entry = self.shown(
            source, packet_commitment_key(packet.source_client, packet.sequence), lane=lane
        )
        signer = self.other(source).account(lane)
        return update, RecvPacket(signer, packet, entry.proof, entry.proof_height)

    def acknowledge(self, packet, acknowledgement, destination, lane="relayer"):
        """Return the messages that bring the answer back."""
        stored_key = acknowledgement_key(packet.destination_client, packet.sequence)
        update, entry = self.shown(destination, stored_key, lane=lane)
        signer = self.other(destination).account(lane)
        return update, AcknowledgePacket(
            signer, packet, acknowledgement, entry.proof, entry.proof_height
        )

    def time_out(self, packet, destination, lane="relayer"):
        """Return the messages that show that *packet* was not received."""
        stored_key = packet_receipt_key(packet.destination_client, packet.sequence)
        update, entry = self.shown(destination, stored_key, lane=lane)
        signer = self.other(destination).account(lane)
        return update, TimeoutPacket(signer, packet, entry.proof, entry.proof_height)


def sent_packet(transaction):
    """Return the packet that a transaction sent."""
    (event,) = [one for one in transaction.events if one.type == "send_packet"]
    return decode_packet(bytes.fromhex(event.get("encoded_packet_hex")))


@pytest.fixture(params=sorted(KINDS))
def driven(request):
    """One ledger of every kind."""
    return drive(KINDS[request.param], "conform-1")


@pytest.fixture
def by_hand(driven):
    """One ledger whose blocks a test makes."""
    return driven


@pytest.fixture
def own_pace(driven):
    """One ledger that makes its own blocks, and none without a reason."""
    return driven


@pytest.fixture
def ours(driven):
    """One ledger that runs our contract."""
    return driven


def pytest_collection_modifyitems(config, items):
    """
    A test of the hand says nothing of a ledger at its own pace, nor the other way round; and a
    stock chain has neither our pace nor our stores.
    """
    others = {"by_hand" if _engine() == NATIVE else "own_pace"}
    if set(KINDS) <= NATIVE_ONLY:
        others |= {"own_pace", "ours", "link_of_ours"}
    unfit = [item for item in items if others & set(getattr(item, "fixturenames", ()))]
    config.hook.pytest_deselected(items=unfit)
    items[:] = [item for item in items if item not in unfit]


@pytest.fixture(params=[(one, other) for one in sorted(KINDS) for other in sorted(KINDS)])
def link(request):
    """Two linked ledgers, of every pair of kinds."""
    one, other = request.param
    return Link(drive(KINDS[one], "first-1"), drive(KINDS[other], "second-1"))


@pytest.fixture
def link_of_ours(link):
    """Two linked ledgers that run our contract."""
    return link


@pytest.fixture
def run_now():
    """Finish a ledger's coroutine."""
    return finish
