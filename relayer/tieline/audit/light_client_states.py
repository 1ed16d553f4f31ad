"""
What ledgers believe of one another, compared with what those really were: a light client's states
are headers of the other ledger, and a block that somebody relied upon cannot be missing.
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.audit.findings import Check, Findings, Place
from tieline.audit.lock_endings import Ledgers
from tieline.audit.replay import LedgerHistory
from tieline.contract.ibc_view import decode_counterparty
from tieline.contract.store import IBC
from tieline.light_clients.tendermint.messages import ClientState, ConsensusState
from tieline.wire.attestation_proofs import decode_any
from tieline.wire.errors import Malformed

_CLIENTS = b"clients/"
_STATES = b"consensusStates/"


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


def light_clients(ledgers: Ledgers, findings: Findings) -> tuple[LightClientRow, ...]:
    """Return all CometBFT light clients, each of their states compared with the real header."""
    by_chain = {history.chain_id: history for history in ledgers.values()}
    rows: list[LightClientRow] = []
    for history in by_chain.values():
        stores = _client_stores(history)
        for client_id in sorted(stores):
            store = stores[client_id]
            try:
                state = ClientState.decode(decode_any(store[b"clientState"]).value)
            except (KeyError, Malformed):
                continue  # Of another kind: its states are no headers.
            row = LightClientRow(
                history.chain_id, client_id, state.chain_id, _counterparty(store), state.is_frozen
            )
            rows.append(row)
            tracked = by_chain.get(state.chain_id)
            if tracked is not None:
                _check_states(row, store, tracked, _updates(history, client_id), findings)
    return tuple(rows)


def _client_stores(history: LedgerHistory) -> dict[str, dict[bytes, bytes]]:
    stores: dict[str, dict[bytes, bytes]] = {}
    for key, value in history.application.scan(IBC, _CLIENTS):
        client_id, _, rest = key[len(_CLIENTS) :].partition(b"/")
        stores.setdefault(client_id.decode(), {})[rest] = value
    return stores


def _counterparty(store: dict[bytes, bytes]) -> str:
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
    store: dict[bytes, bytes],
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
        header = tracked.headers[height - 1]
        expected = ConsensusState(header.time_ns, header.app_hash, header.next_validators_hash)
        findings.expect(
            Place(tracked.chain_id, height),
            Check.LIGHT_CLIENTS,
            f"header that {row.client_id} on {row.host} believes",
            expected,
            ConsensusState.decode(decode_any(store[key]).value),
        )
