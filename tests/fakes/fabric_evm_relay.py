"""
A relayer's process between a channel on Fabric's programs and an EVM ledger: the hub's own runner
and journal, and three cells' attestors, each with a light client and a signing journal of its own.
``python -m fakes.fabric_evm_relay FOLDER``
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

from fakes.fabric_chaos import RELAYERS
from fakes.fabric_evm_chaos import (
    CELLS,
    ETHEREUM,
    EVM_RELAYERS,
    FABRIC,
    OTHER,
    attestor_key,
    open_channel,
    open_ethereum,
    open_fabric,
)
from fakes.fabric_relay import FileClock
from fakes.microgrid import key
from tieline.hub.attestor_pool import AttestorPool, AttestorQuorum
from tieline.hub.hub_topology import plain_topology
from tieline.hub.journal_sql import open_journal
from tieline.hub.live import LivePace, LiveRelay
from tieline.hub.no_trades import NoTrades
from tieline.hub.proof_form import AttestedForm, PairedForm
from tieline.hub.prover import ClientTerms, Prover
from tieline.hub.runner import Runner
from tieline.hub.settings import RunnerSettings
from tieline.light_clients.evm.client import EvmSealedClient
from tieline.light_clients.fabric.client import FabricBlockClient
from tieline.protocol.messages import AnyMessage
from tieline.protocol.quorum import more_than_two_thirds
from tieline.relay.route import Endpoint, Route
from tieline.relay.view import RelayView
from tieline.utility.attestor import CellAttestor, FollowedLedger
from tieline.utility.journal import SigningJournal

LIGHT_CLIENTS = {FABRIC: FabricBlockClient, ETHEREUM: EvmSealedClient}
OWN_CELL = dict(zip(OTHER, CELLS, strict=False))


class Process:
    """What runs here."""

    def __init__(self, folder):
        self.folder = folder
        self.clock = FileClock(folder / "clock")
        self.ledgers = {
            FABRIC: open_fabric(open_channel(folder), self.clock),
            ETHEREUM: open_ethereum(folder, "relayer", EVM_RELAYERS),
        }
        link = json.loads((folder / "link.json").read_text())
        self.clients = link["clients"]
        self.trust = {
            name: [AnyMessage(url, bytes.fromhex(value)) for url, value in both]
            for name, both in link["trust"].items()
        }

    async def attestors(self):
        """The cells: each follows both ledgers from where the operators agreed to."""
        await self.ledgers[FABRIC].read_on()  # its chain tag stands in its first block
        return [self._attestor(cell) for cell in CELLS]

    def _attestor(self, cell):
        journal = SigningJournal(self.folder / f"{cell}.signing.db")
        attestor = CellAttestor(key(cell).address, journal, self.clock)
        for name, ledger in self.ledgers.items():
            rules, own = LIGHT_CLIENTS[name](), attestor_key(cell, name)
            attestor.follow(FollowedLedger(ledger, ledger.chain_tag, rules, own), *self.trust[name])
        return attestor

    def terms(self):
        """On Fabric both halves must hold, on the EVM ledger attestations are all there is."""
        forms = {FABRIC: PairedForm(), ETHEREUM: AttestedForm()}
        return {
            Endpoint(name, self.clients[name]): ClientTerms(
                form,
                AttestorQuorum(
                    own_cell=key(OWN_CELL[name]).address,
                    min_signatures=more_than_two_thirds(len(CELLS)),
                    needs_own_cell=name == FABRIC,
                ),
            )
            for name, form in forms.items()
        }

    async def relay(self):
        ends = [Endpoint(one, self.clients[one]) for one in OTHER]
        view = RelayView(plain_topology(self.ledgers, [Route(*ends)]))
        journal = open_journal(f"sqlite:///{self.folder / 'relay.db'}")
        runner = Runner(
            view=view,
            ledgers=self.ledgers,
            bulletin=NoTrades(),
            prover=Prover(view, self.ledgers, self.terms(), AttestorPool(await self.attestors())),
            journal=journal,
            clock=self.clock,
            settings=RunnerSettings(
                lanes={FABRIC: RELAYERS, ETHEREUM: EVM_RELAYERS},
                not_yet_delay_s=2,
                inclusion_s_max=120,
                is_concurrent=True,
            ),
        )
        return LiveRelay(runner, journal, LivePace(poll_s_min=0.05, poll_s_max=0.2))

    async def run(self):
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        relay = await self.relay()
        await relay.run(stop)
        for ledger in self.ledgers.values():
            ledger.close()


if __name__ == "__main__":
    logging.basicConfig(level=os.environ.get("RELAY_LOG", "WARNING"))
    asyncio.run(Process(Path(sys.argv[1])).run())
