"""
Anvil with the echo application, an embedded ledger, and a relayer between them whose proofs cells
attest: everything at the pace of a test, so that a re-organisation comes exactly where it should.
"""

from __future__ import annotations

from collections import defaultdict

from fakes.driven import LANES, START_S, TRADE, finish, genesis_of
from fakes.echo_module import echo_module, send_echo
from fakes.evm_engine import EvmChain
from fakes.microgrid import echo_installation, key
from fakes.relay_world import HandClock
from tieline.contract.block import Application
from tieline.hub.attestor_pool import AttestorPool, AttestorQuorum
from tieline.hub.hub_topology import plain_topology
from tieline.hub.journal_sql import SqlJournal
from tieline.hub.left_blocks import READ_AGAIN_BLOCKS
from tieline.hub.no_trades import NoTrades
from tieline.hub.proof_form import AttestedForm
from tieline.hub.prover import ClientTerms, Prover
from tieline.hub.runner import Runner
from tieline.hub.settings import RunnerSettings
from tieline.ledgers.ethereum.deployment import shipped_artifacts
from tieline.ledgers.ethereum.looking_after import SendingPace
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.light_clients.attestations.messages import ClientState, ConsensusState, address_text
from tieline.light_clients.evm.client import EvmSealedClient
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.protocol.commitment import (
    acknowledgement_key,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.protocol.messages import CreateClient, RegisterCounterparty, SendPacket
from tieline.protocol.packet import Payload
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.relay.packet_journey import JourneyStatus
from tieline.relay.route import Endpoint, Route
from tieline.relay.view import RelayView
from tieline.utility.attestor import CellAttestor, FollowedLedger
from tieline.utility.journal import SigningJournal
from tieline.wire.hashes import sha256

ETH, OTHER = "eth-1", "other-1"
CELLS = 3
BLOCK_S = 2


class NotedAttestor(CellAttestor):
    """Notes what it has put its name to, apart from its journal."""

    def __init__(self, *how):
        super().__init__(*how)
        self.said = defaultdict(set)
        """Of each height, and of each key at a height."""

    async def attest_state(self, ledger_id, header, height):
        signature = await super().attest_state(ledger_id, header, height)
        if signature is not None:
            self.said[ledger_id, height].add(signature)  # the same words are the same bytes
        return signature

    async def attest_packets(self, ledger_id, height, entries):
        signature = await super().attest_packets(ledger_id, height, entries)
        if signature is not None:
            for one in entries:
                self.said[ledger_id, height, one.key].add(one.value)
        return signature


class ReorgWorld:
    """Two ledgers, each with a client of the other, three cells and a relayer."""

    def __init__(self, folder, confirmations):
        self.clock = HandClock(START_S)
        artifacts = {**shipped_artifacts(), "trade": echo_module()}
        self.chain = EvmChain(
            "anvil",
            folder / "anvil",
            ETH,
            artifacts=artifacts,
            is_mining=False,
            genesis_time_s=START_S - 3600,
        )
        self.a = self.chain.open(
            confirmations=confirmations,
            plain_send=send_echo,
            pace=SendingPace(again_s=0.0, replace_after_s=3600),
        )
        self.b = self._other()
        self.ledgers = {ETH: self.a, OTHER: self.b}
        self.confirmations = confirmations
        self.sign_journals = []
        self.blocks(confirmations + 1)
        self.attestors = [self._attestor(number) for number in range(CELLS)]
        self._link()
        self.start()

    def _other(self):
        genesis = genesis_of(OTHER, "cometbft")
        seeds = [sha256(f"validator {n}".encode()) for n in range(4)]
        application = Application(genesis, installation=echo_installation())
        ledger = EmbeddedTendermint(genesis, seeds, application=application)
        for name in LANES:
            ledger.add_lane(name, key(f"{name} of {OTHER}"))
        for _ in range(2):
            self.clock.now += BLOCK_S
            ledger.produce_block(self.clock.now, is_deadline=True)
        return ledger

    def _attestor(self, number):
        journal = SigningJournal(":memory:")
        self.sign_journals.append(journal)
        attestor = NotedAttestor(key(f"cell {number}").address, journal, self.clock)
        height = finish(self.a.latest_height())
        followed = FollowedLedger(
            self.a, self.a.chain_tag, EvmSealedClient(), self.attestor_key(ETH, number)
        )
        attestor.follow(followed, *finish(self.a.client_states(height)))
        followed = FollowedLedger(
            self.b, self.b.chain_tag, TendermintClient(), self.attestor_key(OTHER, number)
        )
        attestor.follow(followed, *self.b.client_states(1))
        return attestor

    @staticmethod
    def attestor_key(ledger_id, number):
        return key(f"attestor {number} of {ledger_id}")

    def _states(self, tracked, height, time_s):
        keys = sorted(self.attestor_key(tracked, n).address for n in range(CELLS))
        client = ClientState(tuple(address_text(one) for one in keys), CELLS, height)
        return client.as_any(), ConsensusState(time_s * NANOSECONDS_PER_SECOND).as_any()

    def _link(self):
        clients = {}
        for near, far in ((ETH, OTHER), (OTHER, ETH)):
            ledger, tracked = self.ledgers[near], self.ledgers[far]
            height = finish(tracked.latest_height())
            time_s = finish(tracked.blocks_after(height - 1, 1))[0].time_s
            message = CreateClient(ledger.lane_account("cell"), *self._states(far, height, time_s))
            events = self.must(near, "cell", message)
            (created,) = [one for one in events if one.type == "create_client"]
            clients[near] = created.get("client_id")
        for near, far in ((ETH, OTHER), (OTHER, ETH)):
            account = self.ledgers[near].lane_account("cell")
            message = RegisterCounterparty(account, clients[near], clients[far], (b"",))
            self.must(near, "cell", message)
        self.clients = clients
        self.route = Route(*(Endpoint(one, clients[one]) for one in (ETH, OTHER)))

    def start(self):
        """Start a relayer that remembers nothing."""
        view = RelayView(plain_topology(self.ledgers, [self.route]))
        terms = ClientTerms(
            AttestedForm(), AttestorQuorum(key("cell 0").address, CELLS, needs_own_cell=False)
        )
        ends = (self.route.first, self.route.second)
        pool = AttestorPool(self.attestors)
        self.runner = Runner(
            view=view,
            ledgers=self.ledgers,
            bulletin=NoTrades(),
            prover=Prover(view, self.ledgers, dict.fromkeys(ends, terms), pool),
            journal=SqlJournal("sqlite://"),
            clock=self.clock,
            settings=RunnerSettings(
                lanes=dict.fromkeys(self.ledgers, ("relayer",)),
                inclusion_blocks_max=100,
                inclusion_s_max=3600,
                not_yet_delay_s=1,
            ),
        )
        finish(self.runner.start())

    # --- time -----------------------------------------------------------------------------------

    def blocks(self, count=1):
        """Let both ledgers make blocks."""
        for _ in range(count):
            self.clock.now += BLOCK_S
            self.chain.call("evm_setNextBlockTimestamp", hex(self.clock.now))
            self.chain.mine()
            self.b.produce_block(self.clock.now, is_deadline=True)

    def reorganise(self, depth):
        """Take *depth* blocks back and put empty ones in their place."""
        before = self.chain.height()
        self.chain.call("anvil_reorg", depth, [])
        assert self.chain.height() == before
        self.clock.now += 60  # its blocks have times of their own

    def step(self):
        """Blocks, then one step of the relayer."""
        self.blocks()

        async def go():
            report = await self.runner.step()
            await self.runner.finish()
            return report

        return finish(go())

    # --- packets --------------------------------------------------------------------------------

    def must(self, ledger_id, lane, message):
        """Put one message in a block, and return its events when that is final."""
        ledger = self.ledgers[ledger_id]
        start = finish(ledger.latest_height())
        sent = finish(ledger.submit(lane, [message]))
        for _ in range(40):
            self.blocks()
            for block in finish(ledger.blocks_after(start)):
                for one in block.transactions:
                    if one.tx_hash == sent.tx_hash:
                        assert one.code == 0, one.log
                        return one.events
        raise AssertionError("it is in no block")

    def send(self, source, value=b"ok", timeout_s=3600):
        """Hand in a packet; it waits for the next block."""
        ledger = self.ledgers[source]
        payload = Payload(*TRADE, value)
        message = SendPacket(
            ledger.lane_account("household 1"),
            self.clients[source],
            self.clock.now + timeout_s,
            (payload,),
        )
        finish(ledger.submit("household 1", [message]))

    def settle(self, steps_max=150):
        """Let blocks and the relayer take turns until every packet is over; return the steps."""
        rest = 0
        for count in range(steps_max):
            report = self.step()
            is_quiet = not (report.submitted or report.failed or report.deferred or report.landed)
            is_over = not any(
                self.runner.view.by_status[status]
                for status in (JourneyStatus.SENT, JourneyStatus.RECEIVED, JourneyStatus.ANSWERED)
            )
            rest = rest + 1 if is_quiet and is_over else 0
            if rest > self.confirmations + 2 and count > READ_AGAIN_BLOCKS + 14:
                return count
        raise AssertionError("does not come to rest")

    def count(self, ledger_id, name):
        """How often an event happened on a ledger, as it tells it from its start."""
        ledger = self.ledgers[ledger_id]
        cursor, found = 0, 0
        while blocks := finish(ledger.blocks_after(cursor)):
            found += sum(
                one.type == name
                for block in blocks
                for transaction in block.transactions
                for one in transaction.events
            )
            cursor = blocks[-1].height
        return found

    def stored(self, source, sequence):
        """What both ends hold of a packet: commitment, receipt, acknowledgement."""
        destination = OTHER if source == ETH else ETH
        here, there = self.clients[source], self.clients[destination]

        def held(ledger_id, stored_key):
            return finish(self.ledgers[ledger_id].query("ibc", stored_key))

        return (
            held(source, packet_commitment_key(here, sequence)) is not None,
            held(destination, packet_receipt_key(there, sequence)) is not None,
            held(destination, acknowledgement_key(there, sequence)) is not None,
        )

    def stop(self):
        for journal in self.sign_journals:
            journal.close()
        self.chain.stop()
