"""
Embedded CometBFT ledgers in a ring of pairs, with paired clients, attestors that check what they
sign with a light client of their own, and a hub between them. Packets go to the echo application.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from fakes.microgrid import EchoApplication, key
from fakes.relay_world import Board, HandClock
from tieline.contract.block import Application
from tieline.contract.genesis import Genesis
from tieline.contract.installation import Installation
from tieline.hub.attestor_pool import AttestorPool, AttestorQuorum
from tieline.hub.journal_sql import SqlJournal
from tieline.hub.proof_form import PairedForm
from tieline.hub.prover import ClientTerms, Prover
from tieline.hub.runner import Runner, StepReport
from tieline.hub.settings import RunnerSettings
from tieline.interfaces.ledger import StoredValue
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.light_clients.paired import PairedClient
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.light_clients.tendermint.verifier import verify_header_once
from tieline.light_clients.verified import verify_state, verify_stored
from tieline.protocol.errors import ProtocolError
from tieline.protocol.height import Height
from tieline.protocol.messages import (
    AnyMessage,
    CreateClient,
    RegisterCounterparty,
    SendPacket,
)
from tieline.protocol.packet import Payload
from tieline.protocol.quorum import more_than_two_thirds
from tieline.protocol.time import TimestampSeconds, to_nanoseconds
from tieline.relay.route import Endpoint, LedgerTerms, Route, Topology
from tieline.relay.view import RelayView
from tieline.swap.records import AttestorKey
from tieline.wire.attestation_proofs import PairedClientState, SignedAttestorKey
from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    attestation_digest,
    encode_packet_attestation,
    encode_state_attestation,
)
from tieline.wire.hashes import keccak, sha256
from tieline.wire.typed_data import domain_separator, sign_record

START_S = 1_800_000_000
NETWORK_ID = b"\xee" * 32
DOMAIN = domain_separator(NETWORK_ID)
PREFIX = (b"ibc", b"")
REVISION = 1


class MemoryStore:
    """A light client's keys."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self.values.get(key)

    def set(self, key: bytes, value: bytes) -> None:
        self.values[key] = value

    def delete(self, key: bytes) -> None:
        self.values.pop(key, None)


@dataclass
class CheckingAttestor:
    """Signs what its own light client has verified; silent when a test says so."""

    name: str
    clock: HandClock
    is_silent: bool = False
    last_reason: str = ""
    ledgers: dict[str, EmbeddedTendermint] = field(default_factory=dict)
    stores: dict[str, MemoryStore] = field(default_factory=dict)
    rules: TendermintClient = field(default_factory=lambda: TendermintClient(verify_header_once))
    asked: int = 0

    @property
    def cell(self) -> bytes:
        return key(f"cell of {self.name}").address

    def key_for(self, ledger_id: str):
        return key(f"attestor of {self.name} for {ledger_id}")

    def address(self, ledger_id: str) -> bytes:
        return self.key_for(ledger_id).address

    def follow(self, ledger: EmbeddedTendermint, states: tuple[AnyMessage, AnyMessage]) -> None:
        store = MemoryStore()
        self.rules.initialise(store, *states)
        self.ledgers[ledger.ledger_id] = ledger
        self.stores[ledger.ledger_id] = store

    def _is_refusing(self) -> bool:
        self.asked += 1
        self.last_reason = "asleep" if self.is_silent else ""
        return self.is_silent

    async def attest_state(self, ledger_id: str, header: AnyMessage, height: int) -> bytes | None:
        if self._is_refusing():
            return None
        store, place = self.stores[ledger_id], Height(REVISION, height)
        now_ns = to_nanoseconds(TimestampSeconds(self.clock.now))
        try:
            time_s = verify_state(self.rules, store, header, place, now_ns).value
        except ProtocolError:
            trusted = self.rules.latest_height(store).revision_height
            own = await self.ledgers[ledger_id].header(height, trusted)
            time_s = verify_state(self.rules, store, own, place, now_ns).value
        data = encode_state_attestation(height, time_s)
        return self.key_for(ledger_id).sign_digest(attestation_digest(STATE_TAG, data))

    async def attest_packets(
        self, ledger_id: str, height: int, entries: Sequence[StoredValue]
    ) -> bytes | None:
        if self._is_refusing():
            return None
        attested = []
        for entry in entries:
            assert entry.proof_height == Height(REVISION, height)
            value = verify_stored(self.rules, self.stores[ledger_id], entry, PREFIX).value.value
            attested.append((keccak(entry.key), bytes(32) if value is None else value))
        data = encode_packet_attestation(height, attested)
        return self.key_for(ledger_id).sign_digest(attestation_digest(PACKET_TAG, data))


class PairedWorld:
    """Ledgers ``{name}-1``, every two of them linked, one attestor a ledger's cell."""

    def __init__(
        self,
        names: Sequence[str] = ("north", "south", "east"),
        lanes: Sequence[str] = ("lane one", "lane two"),
        journal_url: str = "sqlite://",
        folder: Path | None = None,
    ) -> None:
        self.folder = folder
        self.clock = HandClock(START_S)
        self.lanes = tuple(lanes)
        self.names = tuple(names)
        self.ledgers = {f"{name}-1": self._ledger(name) for name in names}
        self.attestors = [CheckingAttestor(name, self.clock) for name in names]
        self.blocks()
        for attestor in self.attestors:
            for ledger in self.ledgers.values():
                attestor.follow(ledger, ledger.client_states(1))
        self.clients: dict[tuple[str, str], str] = {}
        for near, far in combinations(self.ledgers.values(), 2):
            for local, remote in ((near, far), (far, near)):
                self._create_client(local, remote)
        self.blocks()
        routes = [self._pair(near, far) for near, far in combinations(self.ledgers, 2)]
        self.blocks()
        terms = [
            LedgerTerms(ledger_id, ledger.chain_tag) for ledger_id, ledger in self.ledgers.items()
        ]
        self.topology = Topology(terms, routes)
        self.journal = SqlJournal(journal_url)
        self.start()

    def _ledger(self, name: str) -> EmbeddedTendermint:
        chain_id = f"{name}-1"
        accounts = ["cell", "sender", *self.lanes]
        genesis = Genesis(
            chain_id=chain_id,
            network_id=NETWORK_ID,
            cell_address=key(f"cell of {name}").address,
            founding_cells=(key(f"cell of {name}").address,),
            balances=tuple(
                sorted((key(f"{who} of {name}").cosmos_account, 10**12) for who in accounts)
            ),
        )
        rules = PairedClient(
            TendermintClient(verify_header_once), domain=DOMAIN, own_cell=genesis.cell_address
        )
        installed = Installation(light_clients=(rules,), applications=(EchoApplication(),))
        seeds = [sha256(f"{chain_id} {n}".encode()) for n in range(4)]
        application = Application(genesis, installation=installed)
        store = None if self.folder is None else self.folder / chain_id
        ledger = EmbeddedTendermint(genesis, seeds, store, application=application)
        ledger.resume()
        for who in accounts:
            ledger.add_lane(who, key(f"{who} of {name}"))
        return ledger

    def _attestor_keys(self, ledger: EmbeddedTendermint) -> tuple[SignedAttestorKey, ...]:
        signed = []
        for attestor in self.attestors:
            own = attestor.key_for(ledger.ledger_id)
            record = AttestorKey(ledger.chain_tag, attestor.cell, own.address, 1)
            cell = key(f"cell of {attestor.name}")
            signed.append(
                SignedAttestorKey(
                    record, sign_record(cell, DOMAIN, record), sign_record(own, DOMAIN, record)
                )
            )
        return tuple(sorted(signed, key=lambda one: one.key.attestor))

    def _create_client(self, local: EmbeddedTendermint, remote: EmbeddedTendermint) -> None:
        native, consensus = remote.client_states(1)
        own_cell = key(f"cell of {local.ledger_id[:-2]}").address
        needed = more_than_two_thirds(len(self.attestors))
        state = PairedClientState(native, self._attestor_keys(remote), needed, own_cell)
        message = CreateClient(local.lane_account("cell"), state.as_any(), consensus)
        asyncio.run(local.submit("cell", [message]))
        number = sum(1 for near, _ in self.clients if near == local.ledger_id)
        self.clients[local.ledger_id, remote.ledger_id] = f"07-tendermint-{number}"

    def _pair(self, near: str, far: str) -> Route:
        for local_id, remote_id in ((near, far), (far, near)):
            local = self.ledgers[local_id]
            message = RegisterCounterparty(
                local.lane_account("cell"),
                self.clients[local_id, remote_id],
                self.clients[remote_id, local_id],
                PREFIX,
            )
            asyncio.run(local.submit("cell", [message]))
        return Route(
            Endpoint(near, self.clients[near, far]), Endpoint(far, self.clients[far, near])
        )

    def start(self) -> None:
        """Start a relayer that remembers nothing but the journal."""
        view = RelayView(self.topology)
        clients = {
            end: ClientTerms(
                PairedForm(),
                AttestorQuorum(
                    key(f"cell of {end.ledger_id[:-2]}").address,
                    more_than_two_thirds(len(self.attestors)),
                ),
            )
            for route in self.topology.routes
            for end in (route.first, route.second)
        }
        self.board = Board()
        self.runner = Runner(
            view=view,
            ledgers=self.ledgers,
            bulletin=self.board,
            prover=Prover(view, self.ledgers, clients, AttestorPool(self.attestors)),
            journal=self.journal,
            clock=self.clock,
            settings=RunnerSettings(lanes=dict.fromkeys(self.ledgers, self.lanes)),
        )
        asyncio.run(self.runner.start())

    def blocks(self) -> int:
        """Let every ledger make a block if it wants one, five seconds on; return how many did."""
        self.clock.now += 5
        return sum(ledger.produce_block(self.clock.now) for ledger in self.ledgers.values())

    def step(self) -> StepReport:
        """One step of the relayer."""
        return asyncio.run(self.runner.step())

    def settle(self, rounds_max: int = 60) -> int:
        """Let blocks and the relayer take turns until nothing happens; return the rounds."""
        for count in range(rounds_max):
            made = self.blocks()
            report = self.step()
            if not made and report.is_idle:
                return count
        raise AssertionError("does not come to rest")

    def send(
        self, source: str, destination: str, count: int = 1, value: bytes = b"ok", timeout_s=3600
    ) -> None:
        """Send packets in one transaction."""
        ledger = self.ledgers[source]
        payload = Payload("echo", "echo", "echo-1", "text", value)
        message = SendPacket(
            ledger.lane_account("sender"),
            self.clients[source, destination],
            self.clock.now + timeout_s,
            (payload,),
        )
        asyncio.run(ledger.submit("sender", [message] * count))
