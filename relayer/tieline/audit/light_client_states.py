"""
What ledgers believe of one another, compared with what those really were: a light client's states
are headers of the other ledger, and a block that somebody relied upon cannot be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tieline.audit.findings import Check, Findings, Place
from tieline.audit.ledger_history import FabricHeader, LedgerHistory
from tieline.audit.lock_endings import Ledgers
from tieline.contract.ibc_view import decode_counterparty
from tieline.contract.store import IBC
from tieline.light_clients.attestations import messages as attested
from tieline.light_clients.evm import messages as sealed
from tieline.light_clients.fabric import states as fabric
from tieline.light_clients.tendermint import messages as tendermint
from tieline.protocol.messages import AnyMessage
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.attestation_proofs import decode_any
from tieline.wire.cometbft import Header
from tieline.wire.errors import Malformed

_CLIENTS = b"clients/"
_STATES = b"consensusStates/"

_Store = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class LightClientRow:
    """One light client on a ledger."""

    host: str
    """Chain id of the ledger that runs it."""
    client_id: str
    tracked: str
    """Chain id of the ledger that it follows."""
    counterparty: str
    """The client on the tracked ledger that it is paired with; empty if none."""
    is_frozen: bool


@dataclass(frozen=True, slots=True)
class _Client:
    """A client as its host holds it; who it tracks is told by its state, or by its counterparty."""

    host: LedgerHistory
    client_id: str
    store: _Store
    tracked: str | None
    """Chain id; None if the state names no ledger."""
    counterparty: str
    is_frozen: bool


def light_clients(ledgers: Ledgers, findings: Findings) -> tuple[LightClientRow, ...]:
    """Return all light clients whose ledger is known, their states compared with real headers."""
    by_chain = {history.chain_id: history for history in ledgers.values()}
    clients = [one for history in by_chain.values() for one in _clients_of(history, ledgers)]
    rows: list[LightClientRow] = []
    for client in clients:
        tracked = client.tracked
        if tracked is None:
            tracked = _paired_ledger(client, clients)
        if tracked is None:
            continue  # Attests a ledger that is none of this run, or paired with nobody.
        row = LightClientRow(
            client.host.chain_id, client.client_id, tracked, client.counterparty, client.is_frozen
        )
        rows.append(row)
        history = by_chain.get(tracked)
        if history is not None:
            updates = _updates(client.host, client.client_id)
            _check_states(row, client.store, history, updates, findings)
    return tuple(rows)


def _clients_of(history: LedgerHistory, ledgers: Ledgers) -> list[_Client]:
    stores: dict[str, dict[bytes, bytes]] = {}
    for key, value in history.state.scan(IBC, _CLIENTS):
        name, _, rest = key[len(_CLIENTS) :].partition(b"/")
        stores.setdefault(name.decode(), {})[rest] = value
    clients: list[_Client] = []
    for client_id in sorted(stores):
        store = stores[client_id]
        try:
            tracked, is_frozen = _told(decode_any(store[b"clientState"]), ledgers)
        except (KeyError, Malformed):
            continue  # No client, or of a kind that nobody of ours runs.
        pair = _counterparty(store)
        clients.append(_Client(history, client_id, store, tracked, pair, is_frozen))
    return clients


def _told(state: AnyMessage, ledgers: Ledgers) -> tuple[str | None, bool]:
    """Return the ledger that a client state names, None if it names none; and whether it froze."""
    if state.type_url == attested.CLIENT_STATE_URL:
        return None, attested.ClientState.decode(state.value).is_frozen
    if state.type_url == sealed.CLIENT_STATE_URL:
        evm = sealed.ClientState.decode(state.value)
        history = ledgers.get(evm.chain_tag)
        return (evm.chain_tag.hex() if history is None else history.chain_id), evm.is_frozen
    if state.type_url == fabric.CLIENT_STATE_URL:
        channel = fabric.ClientState.decode(state.value)
        history = ledgers.get(channel.chain_tag)
        return (channel.chain_tag.hex() if history is None else history.chain_id), channel.is_frozen
    if state.type_url != tendermint.CLIENT_STATE_URL:
        raise Malformed(f"client of another kind: {state.type_url}")
    comet = tendermint.ClientState.decode(state.value)
    return comet.chain_id, comet.is_frozen


def _paired_ledger(client: _Client, clients: list[_Client]) -> str | None:
    """Return the one ledger whose client of *client*'s host names it as counterparty."""
    found = {
        other.host.chain_id
        for other in clients
        if other.client_id == client.counterparty
        and other.counterparty == client.client_id
        and other.tracked in {None, client.host.chain_id}
        and other.host is not client.host
    }
    sure = {
        other.host.chain_id
        for other in clients
        if other.client_id == client.counterparty
        and other.counterparty == client.client_id
        and other.tracked == client.host.chain_id
    }
    chosen = sure or found
    return chosen.pop() if len(chosen) == 1 else None


def _counterparty(store: _Store) -> str:
    data = store.get(b"counterparty")
    return "" if data is None else decode_counterparty(data).client_id


def _updates(history: LedgerHistory, client_id: str) -> dict[int, int]:
    """Return, for each height that the client learned of, in which block it did."""
    heights: dict[int, int] = {}
    for event in history.of_kind("create_client", "update_client"):
        if event["client_id"] == client_id:
            for text in event["consensus_heights"].split(","):
                heights[int(text.partition("-")[2])] = event.height
    return heights


def _check_states(
    row: LightClientRow,
    store: _Store,
    tracked: LedgerHistory,
    updates: dict[int, int],
    findings: Findings,
) -> None:
    for height in sorted(updates):
        if height > tracked.height:
            findings.refuse(
                Place(tracked.chain_id, height),
                Check.LIGHT_CLIENTS,
                f"block that {row.client_id} on {row.host} believes, learned there in block "
                f"{updates[height]}",
                "a block",
                f"the ledger ends at {tracked.height}",
            )
            return
    for key in sorted(store):
        if not key.startswith(_STATES):
            continue
        height = int(key.partition(b"-")[2])
        if not 1 <= height <= tracked.height:
            continue
        expected, found = _compared(tracked, height, decode_any(store[key]))
        findings.expect(
            Place(tracked.chain_id, height),
            Check.LIGHT_CLIENTS,
            f"header that {row.client_id} on {row.host} believes",
            expected,
            found,
        )


def _compared(tracked: LedgerHistory, height: int, state: AnyMessage) -> tuple[object, object]:
    """Return what a consensus state must say of a block, and what it says."""
    header = tracked.headers[height - 1]
    if isinstance(header, Header):
        time_ns = header.time_ns
        if state.type_url == tendermint.CONSENSUS_STATE_URL:
            expected = tendermint.ConsensusState(
                time_ns, header.app_hash, header.next_validators_hash
            )
            return expected, tendermint.ConsensusState.decode(state.value)
    elif isinstance(header, FabricHeader):
        time_ns = header.time_s * NANOSECONDS_PER_SECOND
        if state.type_url == fabric.CONSENSUS_STATE_URL:
            seen = fabric.ConsensusState.decode(state.value)
            expected_block = (time_ns, header.block_hash, True)
            return expected_block, (seen.time_ns, seen.block_hash, header.is_provable)
    else:
        time_ns = header.timestamp * NANOSECONDS_PER_SECOND
        if state.type_url == sealed.CONSENSUS_STATE_URL:
            held = sealed.ConsensusState.decode(state.value)
            return (time_ns, header.hash()), (held.time_ns, held.block_hash)
    # Attestations name whole seconds.
    whole_s = time_ns // NANOSECONDS_PER_SECOND
    held_ns = attested.ConsensusState.decode(state.value).time_ns
    return whole_s, held_ns // NANOSECONDS_PER_SECOND
