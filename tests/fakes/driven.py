"""Ledgers in the hand of a test: by hand, at their own pace, or stock; and two of them linked."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass

from fakes import attestors
from fakes.microgrid import key
from fakes.stock_chain import GOOD, LATER, MOCK_ANSWER, mock_payload
from tieline.contract.energy_trade import ENCODING, PORT, VERSION
from tieline.contract.genesis import Genesis
from tieline.contract.limits import TX_BYTES_MAX
from tieline.interfaces.errors import NotYet, Rejected
from tieline.interfaces.ledger import BlockEvents, TxEvents
from tieline.ledgers.cosmos.ledger import CosmosLedger
from tieline.ledgers.ethereum.ledger import EthereumLedger
from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.tendermint.native import NativeTendermint
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
from tieline.wire.accounts import account_of
from tieline.wire.codec import decode_packet

START_S = 1_800_000_000
SOON_LINKS = 2
"""A packet's time passes not before so many links like its own could have been made."""
AHEAD_S = 6
"""A client elsewhere bears a clock that is ten seconds ahead."""
MOCK_VALUES = {b"ok": GOOD, b"later": LATER, b"no": b"mock failed packet data"}
SETTLED_S = 120.0
"""A native ledger that has not come to rest by then hangs."""
LANES = ("cell", "relayer", "pulse", *(f"household {n}" for n in range(64)))
"""Accounts that every ledger of the suite knows."""

ECHO = ("echo", "echo", "echo-1", "text")
TRADE = (PORT, PORT, VERSION, ENCODING)

LOOP = asyncio.new_event_loop()


def finish(coroutine):
    """Run a coroutine; one of a ledger that lives in this process waits for nothing."""
    return LOOP.run_until_complete(coroutine)


def genesis_of(chain_id, kind="cometbft"):
    """A ledger's birth: its lanes have money."""
    cell = key(f"cell of {chain_id}")
    keys = [key(f"{name} of {chain_id}") for name in LANES]
    accounts = [account_of(kind, one.public_key) for one in keys]
    return Genesis(
        chain_id=chain_id,
        network_id=b"\xee" * 32,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        kind=kind,
        balances=tuple(sorted((account, 10**12) for account in accounts)),
    )


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
    """A time out that a test can wait for; a link that was slowly made gives it more."""
    is_by_hand: bool = True
    """Blocks are made when the test says so, at the time that it says."""
    rests: bool = True
    """No block is made without a reason, so two looks in a row see the same."""
    refuses_repeats: bool = False
    """A transaction in which nothing is new is refused; else it changes nothing."""
    language: tuple = ECHO
    """Ports, version and encoding of the packets that it sends."""
    tx_bytes_max: int = TX_BYTES_MAX
    shares_proofs: bool = False
    """Nodes that show one key's absence may show another's too: a Merkle-Patricia trie's."""
    first_height: int = 1
    """The first block that others can begin to trust: the contract is there."""
    pace_s: int = 5
    """Between blocks that a test asks for."""
    absent_key: bytes = b"07-tendermint-7\x01\x00\x00\x00\x00\x00\x00\x00\x01"
    """Nothing is there, and that can be proved."""
    ticks_after: int = 0
    """Blocks behind one that changes the state, which give it a time; or they are in it."""
    proofs_are_blocks: bool = False
    """A proof holds a whole block, so it grows with what else is in it."""
    earlier_absence_follows: bool = False
    """What is proved absent at a height is proved absent at those before it too."""

    def __post_init__(self):
        for name in LANES:
            self.ledger.add_lane(name, key(f"{name} of {self.ledger.ledger_id}"))
        self.begin()

    def begin(self):
        self.block()
        self.block()

    def account(self, lane):
        return self.ledger.lane_account(lane)

    def produce(self, time_s, *, is_deadline=False):
        """Make a block at *time_s* if one is due, and say whether one was made."""
        return self.ledger.produce_block(time_s, is_deadline=is_deadline)

    def block(self, seconds=5):
        """Make a block, due or not, and return what it did."""
        self.now_s += seconds
        assert self.produce(self.now_s, is_deadline=True)
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

    def states_of(self, remote, height):
        """States by which a client here begins to trust another ledger, or the same one."""
        return remote.client_states(height)

    def header_of(self, remote, height):
        """What brings the client here to a height of the other ledger."""
        return finish(remote.ledger.header(height, self.trusted_height))

    def proofs_of(self, remote, entries):
        """Proofs of the other ledger as the client here takes them."""
        del remote
        return entries

    def chain_tag(self):
        return self.ledger.chain_tag

    def last_access(self):
        """What the transactions of the last block read and wrote, where one can see it."""
        return self.ledger.application.last_access

    def payload(self, value=b"ok"):
        return Payload(*self.language, value)

    def answer(self, value=b"ok"):
        """What the application says to that payload; the sentinel to any other."""
        return b"done" if value == b"ok" else ERROR_ACKNOWLEDGEMENT


@dataclass
class Attested(Driven):
    """A ledger that verifies no headers, and speaks one language only: an EVM ledger."""

    language: tuple = TRADE
    tx_bytes_max: int = 131_072
    shares_proofs: bool = True

    def run(self, *messages, lane="relayer"):
        try:
            return super().run(*messages, lane=lane)
        except Rejected as exc:  # what is plain to see is refused at the door
            return TxEvents(b"", exc.code, exc.log, (), exc.codespace)

    def states_of(self, remote, height):
        return attestors.states(height, time_at(remote, height))

    def header_of(self, remote, height):
        return attestors.header(height, time_at(remote, height))

    def proofs_of(self, remote, entries):
        del remote
        return attestors.proofs(entries)

    def last_access(self):
        return ()


def time_at(driven, height):
    """Return the time of a ledger's block."""
    return finish(driven.ledger.blocks_after(height - 1, 1))[0].time_s


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
        height = self.settle() - self.ledger.capabilities.proof_lag
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
class NativeEvm(Attested, Native):
    """An EVM chain that makes a block for each transaction, and none without: anvil."""

    soon_s: int = 8
    is_by_hand: bool = False
    tx_bytes_max: int = 100_000

    def begin(self):
        self.first_height = self.ledger.first_height
        super().begin()

    def chain_tag(self):
        return self.ledger.chain_tag


@dataclass
class NativeEvmAtPace(NativeEvm):
    """One that makes a block a second: geth."""

    rests: bool = False

    def settle(self):
        return settle_at_pace(self)


def settle_at_pace(driven):
    """Wait until nothing waits and something is new, and return the height."""
    end = time.monotonic() + SETTLED_S
    while True:
        is_idle = finish(driven.ledger.is_idle())
        height = finish(driven.ledger.latest_height())
        if is_idle and height > driven.seen_height:
            break
        assert time.monotonic() < end, "the chain does not come to rest"
        time.sleep(0.01)
    driven.now_s = finish(driven.ledger.latest_time_s())
    return height


@dataclass
class Alongside(Driven):
    """
    An embedded ledger with ibc-go's mock application, beside a chain that lives in real time: its
    clock is never far from the real one.
    """

    soon_s: int = 8

    def begin(self):
        self.now_s = int(time.time()) - AHEAD_S
        self.block()
        self.block()

    def block(self, seconds=1):
        del seconds  # time passes by itself
        now_s = max(self.now_s + 1, int(time.time()) - AHEAD_S)
        while now_s > time.time() + AHEAD_S:
            time.sleep(0.05)
        return super().block(now_s - self.now_s)

    def pass_until(self, time_s):
        while self.now_s < time_s:
            self.block()

    def payload(self, value=b"ok"):
        return mock_payload(MOCK_VALUES.get(value, value))

    def answer(self, value=b"ok"):
        return MOCK_ANSWER if value == b"ok" else ERROR_ACKNOWLEDGEMENT


@dataclass
class NativeAlongside(Native):
    """The same on a native engine, which lives in real time anyway."""

    def payload(self, value=b"ok"):
        return mock_payload(MOCK_VALUES.get(value, value))

    def answer(self, value=b"ok"):
        return MOCK_ANSWER if value == b"ok" else ERROR_ACKNOWLEDGEMENT


@dataclass
class Stock(Native):
    """A stock chain: it makes blocks all the time, and a check runs a whole transaction."""

    rests: bool = False
    refuses_repeats: bool = True

    def settle(self):
        return settle_at_pace(self)

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
        return mock_payload(MOCK_VALUES.get(value, value))

    def answer(self, value=b"ok"):
        return MOCK_ANSWER if value == b"ok" else ERROR_ACKNOWLEDGEMENT


def drive(start, chain_id):
    """Return a ledger in the hand that fits it."""
    ledger = start(chain_id)
    if isinstance(ledger, CosmosLedger):
        return Stock(ledger)
    if isinstance(ledger, EthereumLedger):
        version = finish(ledger.endpoints.call("web3_clientVersion"))
        return (NativeEvmAtPace if version.startswith("Geth") else NativeEvm)(ledger)
    if isinstance(ledger, FabricLedger):
        from fakes.driven_fabric import FabricByHand, NativeFabric

        return (FabricByHand if hasattr(ledger, "advance") else NativeFabric)(ledger)
    if not ledger.capabilities.verifies_headers:
        return Attested(ledger)
    return Native(ledger) if isinstance(ledger, NativeTendermint) else Driven(ledger)


@dataclass
class Link:
    """Two ledgers that are each other's counterparty, and a relayer by hand."""

    a: Driven
    b: Driven

    def __post_init__(self):
        if TRADE in {self.a.language, self.b.language}:
            self.a.language = self.b.language = TRADE
        began = time.monotonic()
        for local, remote in ((self.a, self.b), (self.b, self.a)):
            self.align()
            height = finish(remote.ledger.latest_height())
            states = local.states_of(remote, height)
            created = local.must(CreateClient(local.account("cell"), *states), lane="cell")
            (event,) = [one for one in created.events if one.type == "create_client"]
            local.client = event.get("client_id")
            local.trusted_height = height
        for local, remote in ((self.a, self.b), (self.b, self.a)):
            prefix = local.ledger.capabilities.client_prefix_for(remote.ledger.capabilities)
            local.must(
                RegisterCounterparty(local.account("cell"), local.client, remote.client, prefix),
                lane="cell",
            )
        took_s = math.ceil(SOON_LINKS * (time.monotonic() - began))
        for side in (self.a, self.b):
            side.soon_s = max(side.soon_s, took_s)

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
        header = destination.header_of(source, height)
        update = UpdateClient(destination.account(lane), destination.client, header)
        return update, *destination.proofs_of(source, entries)

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
