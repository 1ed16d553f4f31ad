"""
From fresh ledgers to a hub: cell set, clients both ways, counterparties, mandates.

Each step asks the ledger first and leaves alone what is there, so a setup that was cut short goes
on where it stood. The caller makes the ledgers produce blocks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from tieline.contract.keys import mandate_record_key
from tieline.interfaces.ledger import BlockEvents, Ledger, Message
from tieline.interfaces.signer import Signer
from tieline.light_clients.attestations import messages as attestations
from tieline.protocol.commitment import client_prefix
from tieline.protocol.messages import AnyMessage, CreateClient, RegisterCounterparty
from tieline.protocol.quorum import more_than_two_thirds
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.swap.evidence import SignedCellSet
from tieline.swap.messages import MsgPostCellSet, MsgSetMandate
from tieline.swap.records import (
    ZERO_HASH,
    AttestorKey,
    CellSet,
    Mandate,
    RegistryRow,
)
from tieline.swap.topology import CellEntry, RouteEntry, SignedAttestorKey
from tieline.wire.attestation_proofs import PairedClientState
from tieline.wire.attestation_proofs import SignedAttestorKey as ClientAttestorKey
from tieline.wire.hashes import tag
from tieline.wire.ids import cells_hash, mandate_key, registry_hash
from tieline.wire.typed_data import domain_separator, sign_record

Land = Callable[[Ledger, str, Sequence[Message]], Awaitable[None]]
"""Submit under a lane and return when it is in a block; raises Rejected."""


@dataclass(frozen=True, slots=True)
class MandateTerms:
    """What connectors allow, nano-EUR and seconds."""

    max_trade: int
    max_open: int
    min_fee: int
    min_margin: int
    expiry: int


def sign_cell_set(
    network_id: bytes,
    network_epoch: bytes,
    cells: Sequence[CellEntry],
    keys: Mapping[bytes, Signer],
    from_slot: int,
) -> SignedCellSet:
    """Return the first cell set, signed by all its cells, ascending address."""
    rows = tuple(RegistryRow(cell.address, cell.chain_tag, cell.role) for cell in cells)
    addresses = [cell.address for cell in cells]
    record = CellSet(
        ZERO_HASH, network_epoch, 1, cells_hash(addresses), registry_hash(rows), from_slot
    )
    domain = domain_separator(network_id)
    signatures = tuple(sign_record(keys[address], domain, record) for address in addresses)
    return SignedCellSet(record, rows, signatures)


def sign_attestor_key(
    domain: bytes, chain_tag: bytes, cell: Signer, attestor: Signer
) -> SignedAttestorKey:
    """Bind an attestor's key to a cell and to one ledger instance."""
    record = AttestorKey(chain_tag, cell.address, attestor.address, 1)
    return SignedAttestorKey(
        record, sign_record(cell, domain, record), sign_record(attestor, domain, record)
    )


async def first_provable(ledger: Ledger) -> BlockEvents | None:
    """
    Return the first block that a light client can hold, where trust in a ledger begins.

    None while there is none, or no block above it, whose header would prove its state.
    """
    height = 0
    found: BlockEvents | None = None
    while blocks := await ledger.blocks_after(height):
        for block in blocks:
            if found is not None:
                return found
            if block.is_provable:
                found = block
        height = blocks[-1].height
    return None


async def post_cell_set(ledger: Ledger, lane: str, signed: SignedCellSet, land: Land) -> None:
    """Post the first cell set, unless there is one."""
    if await ledger.scan("tieline", b"s"):
        return
    account = ledger.lane_account(lane)
    message = MsgPostCellSet(account, signed.cell_set, signed.rows, signed.signatures)
    await land(ledger, lane, [message])


def paired_states(
    native: tuple[AnyMessage, AnyMessage],
    attestors: Sequence[SignedAttestorKey],
    own_cell: bytes,
) -> tuple[AnyMessage, AnyMessage]:
    """
    Return the states of a client that takes native proofs and attestations at once.

    Args:
        native: Client and consensus state of the tracked ledger, checked by the operator.
        attestors: Keys for the tracked ledger, one a cell.
        own_cell: EVM address of the host's utility cell.
    """
    keys = sorted(attestors, key=lambda signed: signed.record.attestor)
    state = PairedClientState(
        native=native[0],
        attestor_keys=tuple(
            ClientAttestorKey(key.record, key.cell_signature, key.attestor_signature)
            for key in keys
        ),
        min_signatures=more_than_two_thirds(len(keys)),
        own_cell=own_cell,
    )
    return state.as_any(), native[1]


def attested_states(
    attestors: Sequence[SignedAttestorKey], height: int, time_s: int
) -> tuple[AnyMessage, AnyMessage]:
    """
    Return the states of a client that takes attestations alone: of more than two thirds.

    Args:
        attestors: Keys for the tracked ledger, one a cell.
        height: Where it begins to trust, at least 1.
        time_s: Chain time of that block, unix seconds.
    """
    addresses = sorted(signed.record.attestor for signed in attestors)
    client = attestations.ClientState(
        tuple(map(attestations.address_text, addresses)),
        more_than_two_thirds(len(addresses)),
        height,
    )
    consensus = attestations.ConsensusState(time_s * NANOSECONDS_PER_SECOND)
    return client.as_any(), consensus.as_any()


async def create_client(
    host: Ledger,
    lane: str,
    client_id: str,
    states: tuple[AnyMessage, AnyMessage],
    land: Land,
) -> None:
    """
    Create a client of another ledger on *host*, unless it is there.

    Args:
        host: The ledger that will run the client.
        lane: Of the host's utility cell.
        client_id: The id it will get: clients are numbered in the order of their creation.
        states: Its client and consensus state.
        land: See ``Land``.
    """
    if await host.query("ibc", client_prefix(client_id) + b"clientState") is not None:
        return
    message = CreateClient(host.lane_account(lane), *states)
    await land(host, lane, [message])


async def register_counterparty(
    host: Ledger,
    lane: str,
    client_id: str,
    counterparty: str,
    prefix: tuple[bytes, ...],
    land: Land,
) -> None:
    """Name the client on the other side, unless it is named."""
    if await host.query("ibc", client_prefix(client_id) + b"counterparty") is not None:
        return
    account = host.lane_account(lane)
    await land(host, lane, [RegisterCounterparty(account, client_id, counterparty, prefix)])


async def set_mandate(
    destination: Ledger,
    lane: str,
    route: RouteEntry,
    connector: Signer,
    terms: MandateTerms,
    domain: bytes,
    land: Land,
) -> None:
    """Let the connector's vault on *destination* serve packets from the route's source."""
    client = tag(route.dest_client)
    key = mandate_key(route.source_chain_tag, client, route.connector_in, route.connector_out)
    if await destination.query("tieline", mandate_record_key(key)) is not None:
        return
    record = Mandate(
        route.dest_chain_tag,
        route.source_chain_tag,
        client,
        route.connector_in,
        route.connector_out,
        terms.max_trade,
        terms.max_open,
        terms.min_fee,
        terms.min_margin,
        terms.expiry,
        1,
    )
    signature = sign_record(connector, domain, record)
    account = destination.lane_account(lane)
    await land(destination, lane, [MsgSetMandate(account, record, signature)])
