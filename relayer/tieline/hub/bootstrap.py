"""Composition root: the only place that knows ledgers, relay and journal together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tieline.contract.genesis import Parameters
from tieline.hub.attestor_pool import AttestorPool
from tieline.hub.config import HubConfig
from tieline.hub.hub_topology import paired_clients, plain_clients, relay_topology
from tieline.hub.journal_sql import open_journal
from tieline.hub.prover import Prover
from tieline.hub.runner import Runner
from tieline.interfaces.attestor import Attestor
from tieline.interfaces.bulletin import Bulletin
from tieline.interfaces.clock import Clock
from tieline.interfaces.ledger import Ledger
from tieline.relay.route import Route
from tieline.relay.view import RelayView
from tieline.swap import topology as public


@dataclass(frozen=True, slots=True)
class HubWorld:
    """Everything outside the hub that it works with."""

    topology: public.Topology
    parameters: Mapping[str, Parameters]
    """Governed numbers, by ledger id."""
    ledgers: Mapping[str, Ledger]
    """By ledger id, each with the relayer's lanes."""
    attestors: Sequence[Attestor]
    bulletin: Bulletin
    clock: Clock
    links: Sequence[Route] = ()
    """Pairs of plain clients beside the topology's own: of stock chains, and of whoever wants."""


def build_runner(world: HubWorld, config: HubConfig) -> Runner:
    """
    Wire a relayer; call ``start`` before the first ``step``.

    Raises:
        ConfigError: Topology, ledgers and configuration do not fit each other.
        Unavailable: The journal cannot be opened.
    """
    topology = relay_topology(world.topology, world.ledgers, world.parameters, config, world.links)
    settings = config.runner_settings(tuple(topology.ledgers))
    view = RelayView(topology)
    pool = AttestorPool(world.attestors)
    plain = plain_clients(world.links)
    clients = paired_clients(world.topology, topology, plain) | plain
    ledgers = {ledger_id: world.ledgers[ledger_id] for ledger_id in topology.ledgers}
    return Runner(
        view=view,
        ledgers=ledgers,
        bulletin=world.bulletin,
        prover=Prover(view, ledgers, clients, pool),
        journal=open_journal(config.journal_url),
        clock=world.clock,
        settings=settings,
    )
