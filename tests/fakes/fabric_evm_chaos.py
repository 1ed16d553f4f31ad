"""
A channel on Fabric's own programs and an EVM ledger on anvil, joined as the product joins them,
with packets both ways and a relayer in a process of its own, with the cells' attestors in it;
Fabric's programs and the relayer are killed at drawn moments.

Time runs some times as fast as it does: Ticks are fifteen seconds apart. Blocks of the EVM ledger
take their time from the same clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace

from fakes.busy_fabric import BusyChannel, RunningClock, close
from fakes.chaos import environment, until
from fakes.driven import TRADE
from fakes.echo_module import echo_module, send_echo
from fakes.evm_engine import EvmChain, evm_genesis
from fakes.fabric_chaos import PAYERS, RECEIVER, RELAYERS, WEALTH, Relayer, landed
from fakes.microgrid import START_S, EchoApplication, key
from tieline.contract.accounts import pay_key
from tieline.contract.assembly import microgrid_installation, microgrid_light_clients
from tieline.contract.chaincode import Chaincode
from tieline.contract.energy_trade import ENCODING, PORT, VERSION
from tieline.contract.genesis import Genesis
from tieline.contract.transfer import TransferApplication
from tieline.interfaces.errors import HubError
from tieline.ledgers.ethereum.deploying import read_record
from tieline.ledgers.ethereum.deployment import shipped_artifacts
from tieline.ledgers.ethereum.final_view import EvmLedgerPlan
from tieline.ledgers.ethereum.finality import FinalityRule
from tieline.ledgers.ethereum.ledger import EthereumLedger
from tieline.ledgers.ethereum.rpc import EvmRpc
from tieline.ledgers.ethereum.sealing import HeaderSealer, SealJournal
from tieline.ledgers.ethereum.settings import EvmSettings
from tieline.ledgers.ethereum.transaction_journal import TransactionJournal
from tieline.ledgers.fabric.refusals import CODESPACE
from tieline.ledgers.fabric.settings import FabricSettings
from tieline.protocol.denom import TRANSFER_PORT, escrow_account
from tieline.protocol.messages import CreateClient, RegisterCounterparty, SendPacket, Transfer
from tieline.protocol.packet import Payload
from tieline.utility import setup
from tieline.wire.bech32 import account_to_text
from tieline.wire.codec import decode_packet
from tieline.wire.typed_data import domain_separator

FABRIC, ETHEREUM = "fabric-1", "ethereum-1"
OTHER = {FABRIC: ETHEREUM, ETHEREUM: FABRIC}
CELLS = ("cell", f"cell of {ETHEREUM}", "cell of grid")
"""Fabric's, the EVM ledger's, the grid operator's: all three attest both."""
NETWORK_ID = b"\xee" * 32
SPEED = 5.0
LONG_S, SHORT_S = 20 * 3600, 600
"""
Time outs of packets that will be received, and of those that will not: nobody carries them in time,
or they are payments, which the EVM ledger has no word for.
"""
BLOCK_S = 1.0
"""Of the EVM ledger, when there is nothing to put into one; in real seconds."""
BEFORE_S = 3600
"""So long before the clock begins its block 0 is: deploying takes a block a transaction."""


def echoing_installation():
    """The microgrid's contract with its own light clients, and an echo where trades would be."""
    trades = EchoApplication(PORT, version=VERSION, encoding=ENCODING)
    return replace(
        microgrid_installation(microgrid_light_clients(fabric_genesis())),
        applications=(trades, TransferApplication()),
    )


def open_echoing(argument):
    """The same, for a chaincode process."""
    return Chaincode(bytes.fromhex(argument), echoing_installation())


def fabric_genesis():
    cell = key("cell")
    names = ("cell", RECEIVER, *RELAYERS, *PAYERS)
    return Genesis(
        chain_id=FABRIC,
        network_id=NETWORK_ID,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        kind="fabric",
        balances=tuple(sorted((key(name).cosmos_account, WEALTH) for name in names)),
    )


def evm_lanes(names):
    return {name: key(f"{name} of {ETHEREUM}") for name in names}


EVM_PAYERS = ("household 1", "household 2", "household 3")
EVM_RELAYERS = ("relayer", "pulse")


def open_channel(folder):
    """Lay the channel out, or take it up."""
    return BusyChannel(
        folder / FABRIC,
        fabric_genesis(),
        factory="fakes.fabric_evm_chaos:open_echoing",
        clock_file=folder / "clock",
    )


def open_fabric(channel, clock):
    """The channel's ledger, with all lanes."""
    ledger = channel.open(settings=FabricSettings(again_s=2.0), wall_s=clock.now_s)
    for name in ("cell", *RELAYERS, *PAYERS):
        ledger.add_lane(name, key(name))
    return ledger


def open_ethereum(folder, who, lanes):
    """The EVM ledger, as one process knows it; of each name there is one at a time."""
    deployment = read_record(folder / ETHEREUM / "deployment.json")
    sealer = HeaderSealer(
        deployment.chain_tag, [key("sealer")], SealJournal(folder / f"{who}.seals.db")
    )
    ledger = EthereumLedger(
        EvmLedgerPlan(evm_genesis(ETHEREUM), deployment),
        [EvmRpc((folder / "anvil.url").read_text())],
        EvmSettings(FinalityRule(confirmations=0)),
        TransactionJournal(folder / f"{who}.evm.db"),
        sealer,
        plain_send=send_echo,
    )
    for name, signer in evm_lanes(lanes).items():
        ledger.add_lane(name, signer)
    return ledger


def attestor_key(cell, ledger_id):
    """Of one cell, for one ledger."""
    return key(f"attestor of {cell} for {ledger_id}")


def signed_keys(ledger):
    """Every cell's key for a ledger, bound to it."""
    domain = domain_separator(NETWORK_ID)
    return [
        setup.sign_attestor_key(
            domain, ledger.chain_tag, key(cell), attestor_key(cell, ledger.ledger_id)
        )
        for cell in CELLS
    ]


class EvmRelayer(Relayer):
    """``fakes.fabric_evm_relay`` as a process."""

    def start(self):
        command = [sys.executable, "-m", "fakes.fabric_evm_relay", str(self.folder)]
        with (self.folder / "relay.log").open("ab") as log:
            self.child = subprocess.Popen(command, stdout=log, stderr=log, env=environment())
        self.starts += 1


@dataclass
class Book:
    """What became of every packet from one ledger to the other, by its own blocks."""

    sent: dict = field(default_factory=dict)
    """Packet by sequence."""
    received: Counter = field(default_factory=Counter)
    acknowledged: Counter = field(default_factory=Counter)
    timed_out: Counter = field(default_factory=Counter)

    def enter(self, event):
        """Write down an event of the ledger that sent; or, of the other, that it received."""
        sequence = int(event.get("packet_sequence"))
        if event.type == "send_packet":
            assert sequence not in self.sent, f"sent twice: {sequence}"
            self.sent[sequence] = decode_packet(bytes.fromhex(event.get("encoded_packet_hex")))
        else:
            kinds = {
                "recv_packet": self.received,
                "acknowledge_packet": self.acknowledged,
                "timeout_packet": self.timed_out,
            }
            kinds[event.type][sequence] += 1

    def check(self, source):
        """
        Every packet with time was received once and acknowledged once; every late one was never
        received, and timed out once; nobody received what was not sent.
        """
        assert sorted(self.sent) == list(range(1, len(self.sent) + 1)), source
        for sequence, packet in self.sent.items():
            ends = tuple(
                kind[sequence] for kind in (self.received, self.acknowledged, self.timed_out)
            )
            is_late = packet.timeout_s < START_S + LONG_S
            expected = (0, 0, 1) if is_late else (1, 1, 0)
            assert ends == expected, f"{source} packet {sequence}: {ends} instead of {expected}"
        for kind in (self.received, self.acknowledged, self.timed_out):
            assert set(kind) <= set(self.sent), source


class FabricEvmChaos:
    """Everything that runs, and the way to look at it."""

    def __init__(self, folder, seed):
        self.folder = folder
        self.draws = random.Random(seed)
        self.clock = RunningClock(folder / "clock", START_S, SPEED)
        self.channel = open_channel(folder)
        self.network = self.channel.network
        self.relayer = EvmRelayer(folder)
        self.chain = None
        self.clients, self.ledgers, self.taken = {}, {}, []
        self.told = Counter()
        """What was done to the world, and what senders were told."""
        self._ends = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep_time, daemon=True),
            threading.Thread(target=self._make_blocks, daemon=True),
        ]

    def start(self):
        """Start both; ``link`` comes next, in the loop of the story."""
        self.network.start()
        self.chain = EvmChain(
            "anvil",
            self.folder / ETHEREUM,
            ETHEREUM,
            artifacts={**shipped_artifacts(), "trade": echo_module()},
            genesis_time_s=START_S - BEFORE_S,
            is_mining=False,
        )
        (self.folder / "anvil.url").write_text(self.chain.process.address)
        for thread in self._threads:
            thread.start()

    def stop(self):
        self.relayer.stop()
        self._ends.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        if self.chain is not None:
            self.chain.stop()
        self.network.stop()

    def _keep_time(self):
        while not self._ends.wait(0.05):
            self.clock.now_s()

    def _make_blocks(self):
        """Blocks of the EVM ledger: when there is something to put in, and once in a while."""
        call, made_at, time_s = self.chain.process.call, 0.0, 0
        while not self._ends.wait(0.1):
            is_idle = call("txpool_status")["pending"] == "0x0"
            now_s = self.clock.now_s()
            if now_s <= time_s or (is_idle and time.monotonic() < made_at + BLOCK_S):
                continue
            call("evm_setNextBlockTimestamp", now_s)
            call("evm_mine")
            made_at, time_s = time.monotonic(), now_s

    # --- joining them -----------------------------------------------------------------------

    async def link(self):
        """Begin the channel's contract, and join the two by clients that know each other."""
        await self.channel.begin()
        self.ledgers = {
            FABRIC: open_fabric(self.channel, self.clock),
            ETHEREUM: open_ethereum(self.folder, "senders", (*EVM_PAYERS, "cell")),
        }
        fabric, ethereum = self.ledgers[FABRIC], self.ledgers[ETHEREUM]
        await until(self._has_tick, "no Tick")
        heights = {
            FABRIC: fabric.history.newest_tick,
            ETHEREUM: await ethereum.latest_height(),
        }
        (first,) = await fabric.blocks_after(heights[FABRIC] - 1, 1)
        trust = {
            FABRIC: await fabric.trust_at(heights[FABRIC]),
            ETHEREUM: await ethereum.client_states(heights[ETHEREUM]),
        }
        states = {
            FABRIC: setup.paired_states(
                trust[ETHEREUM], signed_keys(ethereum), key("cell").address
            ),
            ETHEREUM: setup.attested_states(signed_keys(fabric), heights[FABRIC], first.time_s),
        }
        for near in OTHER:
            cell = self.ledgers[near].lane_account("cell")
            done = await self.done(near, CreateClient(cell, *states[near]))
            (created,) = [one for one in done.events if one.type == "create_client"]
            self.clients[near] = created.get("client_id")
        for near, far in OTHER.items():
            prefix = self.ledgers[near].capabilities.client_prefix_for(
                self.ledgers[far].capabilities
            )
            cell = self.ledgers[near].lane_account("cell")
            ends = (self.clients[near], self.clients[far])
            await self.done(near, RegisterCounterparty(cell, *ends, prefix))
        trusted = {
            name: [[one.type_url, one.value.hex()] for one in both] for name, both in trust.items()
        }
        link = {"clients": self.clients, "trust": trusted}
        (self.folder / "link.json").write_text(json.dumps(link))

    async def _has_tick(self):
        await self.ledgers[FABRIC].read_on()
        return self.ledgers[FABRIC].history.newest_tick > 0

    async def done(self, chain_id, message):
        """What a message of the utility cell came to."""
        ledger = self.ledgers[chain_id]
        height = await ledger.latest_height()
        await ledger.submit("cell", [message])
        await until(lambda: self._is_through(chain_id), "not in a block")
        return await landed(ledger, height)

    async def _is_through(self, chain_id):
        """Whether all that was handed in here is in blocks."""
        ledger = self.ledgers[chain_id]
        if chain_id == ETHEREUM:
            return await ledger.is_idle()
        await ledger.read_on()
        return not ledger.under_way

    # --- packets ----------------------------------------------------------------------------

    async def read(self):
        """Read on and see to what is under way, until cancelled."""
        while True:
            for ledger in self.ledgers.values():
                with contextlib.suppress(HubError):
                    await ledger.latest_height()
            await asyncio.sleep(0.1)

    async def send(self, chain_id, timeout_s=LONG_S, count=2):
        """Send packets to the other ledger; whoever does not answer is asked again."""
        for _ in range(count):
            name = self.draws.choice(PAYERS if chain_id == FABRIC else EVM_PAYERS)
            signer, client = self.ledgers[chain_id].lane_account(name), self.clients[chain_id]
            end_s = self.clock.now_s() + timeout_s
            message = SendPacket(signer, client, end_s, (Payload(*TRADE, b"ok"),))
            await self._hand_in(chain_id, name, message)

    async def pay(self, count=1):
        """Payments out of the channel: they are never received, so the money comes back."""
        for _ in range(count):
            name, amount = self.draws.choice(PAYERS), self.draws.randrange(1, 1000)
            signer, receiver = key(name).cosmos_account, key(RECEIVER).cosmos_account
            terms = ("neur", amount, account_to_text(receiver), self.clock.now_s() + SHORT_S)
            await self._hand_in(FABRIC, name, Transfer(signer, self.clients[FABRIC], *terms))

    async def _hand_in(self, chain_id, name, message):
        async def is_taken():
            try:
                done = await self.ledgers[chain_id].submit(name, [message])
            except HubError as error:
                self.told[f"{chain_id}: {type(error).__name__}"] += 1
                return False
            if chain_id == FABRIC:
                self.taken.append(done.tx_hash)
            self.told["sent"] += 1
            return True

        await until(is_taken, f"cannot send: {chain_id} {self.told}")

    async def send_late_ones(self, count=2):
        """
        Packets both ways that time out: nobody relays until both clocks have passed that, for the
        relayer must be down. Time is made to pass.
        """
        for chain_id in OTHER:
            await self.send(chain_id, SHORT_S, count)
        await self.pay()
        for chain_id in OTHER:
            await until(lambda one=chain_id: self._is_through(one), "not in a block")
        await self.let_time_out()
        self.told["late ones"] += 2 * count

    async def let_time_out(self):
        """Return when both clocks have passed the time outs of all that is late."""
        self.clock.skip(SHORT_S + 1)
        passed_s = self.clock.now_s()
        self.ledgers[FABRIC].want_time(passed_s)
        for ledger in self.ledgers.values():

            async def has_passed(ledger=ledger):
                return await ledger.latest_time_s() >= passed_s

            await until(has_passed, f"time stands still: {ledger.ledger_id}")

    async def all_ended(self):
        """Whether no packet is under way on either side; the commitments say so."""
        self.relayer.must_run()
        for chain_id, ledger in self.ledgers.items():
            if not await self._is_through(chain_id):
                return False
            if await ledger.scan("ibc", self.clients[chain_id].encode() + b"\x01"):
                return False
        return True

    # --- what came of it --------------------------------------------------------------------

    async def books(self):
        """Read all blocks of both ledgers; return books by source."""
        books = {name: Book() for name in OTHER}
        kinds = {"send_packet", "recv_packet", "acknowledge_packet", "timeout_packet"}
        for chain_id, ledger in self.ledgers.items():
            height = 0
            while blocks := await ledger.blocks_after(height):
                height = blocks[-1].height
                for event in [
                    one for block in blocks for tx in block.transactions for one in tx.events
                ]:
                    if event.type in kinds:
                        is_received = event.type == "recv_packet"
                        books[OTHER[chain_id] if is_received else chain_id].enter(event)
        return books

    async def check_taken(self):
        """
        What the channel's adapter took, it told of once: that it took effect, or that the contract
        refused it in the end, and never that it gave up.
        """
        ends = Counter()
        for block in await self.ledgers[FABRIC].blocks_after(0, 1_000_000):
            for one in block.transactions:
                if one.tx_hash in self.taken:
                    ends[one.tx_hash] += 1
                    assert one.codespace != CODESPACE, one.log
                    if one.code:
                        self.told[f"refused: {one.codespace} {one.code}"] += 1
        assert ends == Counter(self.taken)

    async def pay_on_fabric(self):
        """PAY of all senders together, and of the escrow."""
        accounts = [key(name).cosmos_account for name in PAYERS]
        accounts.append(escrow_account(TRANSFER_PORT, self.clients[FABRIC]))
        found = [await self.ledgers[FABRIC].query("tieline", pay_key(one)) for one in accounts]
        *payers, escrow = [int.from_bytes(value or b"", "big") for value in found]
        return sum(payers), escrow

    async def let_go(self):
        """Hang up, in the loop in which it was called."""
        await close(*self.ledgers.values())
