"""
From what all parties of a hub know of each other to what its relayer needs: ledgers, routes, and
how each client takes proofs.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING

from tieline.contract.genesis import Parameters
from tieline.hub.attestor_pool import AttestorQuorum
from tieline.hub.proof_form import AttestedForm, PairedForm, PlainForm
from tieline.hub.prover import ClientTerms
from tieline.interfaces.errors import ConfigError
from tieline.interfaces.ledger import ATTESTATIONS, Ledger
from tieline.protocol.quorum import more_than_two_thirds
from tieline.relay.route import Endpoint, LedgerTerms, Route, Topology
from tieline.swap import topology as public

if TYPE_CHECKING:  # a relayer of plain pairs has no use for it in memory
    from tieline.hub.config import HubConfig


def relay_topology(
    shared: public.Topology,
    ledgers: Mapping[str, Ledger],
    parameters: Mapping[str, Parameters],
    config: HubConfig,
    links: Sequence[Route] = (),
) -> Topology:
    """
    Return ledgers and routes as the relayer sees them.

    Args:
        shared: Who is who.
        ledgers: By ledger id; all of the topology's.
        parameters: Governed numbers, by ledger id.
        config: The operator's.
        links: Pairs of plain clients beside the topology's own.

    Raises:
        ConfigError: A ledger of the topology is missing.
    """
    id_by_tag = {cell.chain_tag: cell.ledger_id for cell in shared.cells}
    missing = sorted((set(id_by_tag.values()) | plain_ledgers(links)) - set(ledgers))
    if missing:
        raise ConfigError(
            f"ledgers of the topology are missing: {', '.join(missing)}",
            instead="connect the hub to each ledger of its topology",
        )
    terms = [
        LedgerTerms(
            ledger_id=ledger_id,
            chain_tag=chain_tag,
            proof_lag=ledgers[ledger_id].capabilities.proof_lag,
            tau_lead_s=parameters[ledger_id].tau_lead_s,
            d_lead_s=parameters[ledger_id].d_lead_s,
            reveal_lead_s=config.ledger(ledger_id).reveal_lead_s,
            min_margin_s=parameters[ledger_id].min_margin_s,
        )
        for chain_tag, ledger_id in id_by_tag.items()
    ]
    routes: dict[frozenset[Endpoint], Route] = {}
    for entry in shared.routes:
        source = Endpoint(id_by_tag[entry.source_chain_tag], entry.source_client)
        destination = Endpoint(id_by_tag[entry.dest_chain_tag], entry.dest_client)
        # Both directions of a pair use the same two clients.
        routes.setdefault(frozenset((source, destination)), Route(source, destination))
    # Ledgers without cells beside them: their packets are carried, and nothing else.
    terms += [
        LedgerTerms(ledger_id, proof_lag=ledgers[ledger_id].capabilities.proof_lag)
        for ledger_id in sorted(plain_ledgers(links) - set(id_by_tag.values()))
    ]
    return _topology(terms, (*routes.values(), *links))


def plain_ledgers(links: Sequence[Route]) -> set[str]:
    """Return the ledgers that plain pairs join."""
    return {end.ledger_id for link in links for end in (link.first, link.second)}


def plain_topology(ledgers: Mapping[str, Ledger], routes: Sequence[Route]) -> Topology:
    """
    Return ledgers and routes of a relayer that carries packets only.

    Raises:
        ConfigError: A client has two counterparties.
    """
    terms = [
        LedgerTerms(ledger_id, proof_lag=ledger.capabilities.proof_lag)
        for ledger_id, ledger in ledgers.items()
    ]
    return _topology(terms, routes)


def plain_clients(routes: Sequence[Route]) -> dict[Endpoint, ClientTerms]:
    """Return how the clients of plain pairs take proofs: native ones, and nothing beside them."""
    return {end: ClientTerms(PlainForm()) for one in routes for end in (one.first, one.second)}


def _topology(terms: Sequence[LedgerTerms], routes: Sequence[Route]) -> Topology:
    try:
        return Topology(terms, routes)
    except ValueError as exc:
        raise ConfigError(
            str(exc), instead="give each pair of ledgers one pair of clients"
        ) from exc


def paired_clients(
    shared: public.Topology, topology: Topology, plain: Container[Endpoint] = ()
) -> dict[Endpoint, ClientTerms]:
    """
    Return how each client but the *plain* ones takes proofs: native and attested, the own cell
    among the signers; an ``attestations`` client takes what more than two thirds attest.

    Raises:
        ConfigError: A ledger has no attestors.
    """
    attestors: dict[bytes, set[bytes]] = {}
    for signed in shared.attestor_keys:
        attestors.setdefault(signed.record.chain_tag, set()).add(signed.record.attestor)
    paired_form, attested_form = PairedForm(), AttestedForm()
    clients: dict[Endpoint, ClientTerms] = {}
    paired = [one for one in topology.routes if one.first not in plain]
    for route in paired:
        for verifier, tracked in ((route.first, route.second), (route.second, route.first)):
            tracked_tag = topology.ledgers[tracked.ledger_id].chain_tag
            own_tag = topology.ledgers[verifier.ledger_id].chain_tag
            if tracked_tag not in attestors:
                raise ConfigError(
                    f"no attestor key for ledger {tracked.ledger_id}",
                    instead="let every cell bind a key for it",
                )
            is_attested = verifier.client_id.rpartition("-")[0] == ATTESTATIONS
            quorum = AttestorQuorum(
                own_cell=shared.cell_of(own_tag).address,
                min_signatures=more_than_two_thirds(len(attestors[tracked_tag])),
                needs_own_cell=not is_attested,
                attestors=frozenset(attestors[tracked_tag]),
            )
            form = attested_form if is_attested else paired_form
            clients[verifier] = ClientTerms(form, quorum)
    return clients
