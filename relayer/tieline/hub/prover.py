"""
Turns what the relayer wants proved into bytes: native header and proof from the source ledger,
attestations beside them where the client is paired.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tieline.hub.attestor_pool import AttestorPool, AttestorQuorum
from tieline.hub.proof_form import ProofForm
from tieline.interfaces.errors import HubError, NotYet, Unavailable
from tieline.interfaces.ledger import BulkProofSource, Ledger, StoredValue
from tieline.light_clients.tendermint.skipping import (
    ONE_THIRD,
    TooManyHeaders,
    TrustLevel,
    headers_between,
)
from tieline.protocol.messages import AnyMessage, UpdateClient
from tieline.relay.effects import NO_SIGNER, Effect, ProofWanted, Proved
from tieline.relay.route import Endpoint
from tieline.relay.steps.update_client import UpdateWanted, update_client
from tieline.relay.view import RelayView
from tieline.wire.errors import Malformed

_Headers = Sequence[tuple[int, AnyMessage]]
_K = TypeVar("_K")
_V = TypeVar("_V")

ENTRIES_REMEMBERED_MAX = 512
"""A kilobyte each: what is handed in again soon is not proved again."""
HEADERS_REMEMBERED_MAX = 16

ENTRIES_PER_ATTESTATION_MAX = 16
"""Each proof carries the whole list it is in: longer lists cost bytes, shorter ones signatures."""


@dataclass(frozen=True, slots=True)
class ClientTerms:
    """How one client wants what is shown to it."""

    form: ProofForm
    quorum: AttestorQuorum | None = None
    """None exactly for a form without attestations."""
    trust: TrustLevel = ONE_THIRD
    """Of a Tendermint client: what it asks of a header that skips blocks."""

    def __post_init__(self) -> None:
        if self.form.is_attested is (self.quorum is None):
            raise ValueError("a quorum belongs to an attested form, and to no other")


@dataclass(slots=True)
class ProvedBatch:
    """What can be sent of a batch, and why the rest cannot."""

    updates: list[UpdateClient] = field(default_factory=list[UpdateClient])
    proofs: dict[str, Proved] = field(default_factory=dict[str, Proved])
    """By effect name."""
    heights: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    """Clients and header heights that the updates bring."""
    deferred: list[tuple[Effect, HubError]] = field(default_factory=list[tuple[Effect, HubError]])


class Prover:
    """
    Makes proofs for batches.

    Args:
        view: Knows which heights clients hold.
        ledgers: By ledger id.
        clients: How each client takes proofs.
        attestors: Asked for clients that are paired.
    """

    def __init__(
        self,
        view: RelayView,
        ledgers: Mapping[str, Ledger],
        clients: Mapping[Endpoint, ClientTerms],
        attestors: AttestorPool,
    ) -> None:
        self._view = view
        self._ledgers = ledgers
        self._clients = clients
        self._attestors = attestors
        self._entries_known: OrderedDict[tuple[str, bytes, int], StoredValue] = OrderedDict()
        self._headers_known: OrderedDict[tuple[str, int, int], _Headers] = OrderedDict()

    def forget_all(self) -> None:
        """What was fetched may be of blocks that are gone."""
        self._entries_known.clear()
        self._headers_known.clear()
        self._attestors.forget_all()

    @property
    def silences(self) -> Mapping[bytes, str]:
        """By cell: why an attestor's last request was met with silence."""
        return self._attestors.silences

    async def prefetch(self, batch: Sequence[Effect]) -> None:
        """Fetch native proofs of a batch that is proved soon; what cannot be had is left."""
        by_state: dict[tuple[str, int], list[bytes]] = {}
        for effect in batch:
            if effect.proof is not None:
                state = (effect.proof.source_ledger, effect.proof.state_height)
                by_state.setdefault(state, []).append(effect.proof.key)
        for (ledger_id, height), keys in by_state.items():
            with contextlib.suppress(HubError):
                await self._prove_keys(ledger_id, keys, height)

    async def prove(self, batch: Sequence[Effect]) -> ProvedBatch:
        """Prove what *batch* wants; a client whose proofs cannot be had now is left out whole."""
        result = ProvedBatch()
        groups: dict[tuple[Endpoint, int], list[tuple[Effect, ProofWanted]]] = {}
        for effect in batch:
            if effect.proof is not None:
                group = (effect.proof.verifier, effect.proof.header_height)
                groups.setdefault(group, []).append((effect, effect.proof))
        # Ascending: a client's later header may stand on an earlier one of the same batch.
        for _, members in sorted(groups.items(), key=lambda group: group[0][1]):
            await self._prove_group(members, result)
        return result

    async def _prove_group(
        self, members: Sequence[tuple[Effect, ProofWanted]], result: ProvedBatch
    ) -> None:
        """Prove all that one client wants at one height; what cannot be had now is deferred."""
        first = members[0][1]
        terms = self._clients[first.verifier]
        updates = update_client(self._view, [effect for effect, _ in members])
        done: set[str] = set()
        headers: Sequence[AnyMessage] = ()
        try:
            headers = await self._headers(first, updates, terms)
            entries = await self._entries(members, result, done)
            for start in range(0, len(entries), ENTRIES_PER_ATTESTATION_MAX):
                chunk = entries[start : start + ENTRIES_PER_ATTESTATION_MAX]
                await self._prove_chunk(first, terms, chunk, result)
        except HubError as error:
            waiting = [
                effect
                for effect, _ in members
                if effect.name not in result.proofs and effect.name not in done
            ]
            result.deferred += [(effect, error) for effect in waiting]
        if any(effect.name in result.proofs for effect, _ in members):
            client_id = first.verifier.client_id
            result.updates += [UpdateClient(NO_SIGNER, client_id, one) for one in headers]
            if headers:
                result.heights.append((client_id, first.header_height))

    async def _entries(
        self,
        members: Sequence[tuple[Effect, ProofWanted]],
        result: ProvedBatch,
        done: set[str],
    ) -> list[tuple[Effect, StoredValue]]:
        """Return native proofs; what is stored otherwise than was decided on goes to *done*."""
        first = members[0][1]
        keys = [wanted.key for _, wanted in members]
        stored = await self._prove_keys(first.source_ledger, keys, first.state_height)
        entries: list[tuple[Effect, StoredValue]] = []
        for (effect, wanted), entry in zip(members, stored, strict=True):
            if (entry.value is not None) is wanted.is_present:
                entries.append((effect, entry))
            else:
                done.add(effect.name)
                result.deferred.append((effect, NotYet(f"key has changed: {effect.name}")))
        return entries

    async def _prove_keys(
        self, ledger_id: str, keys: Sequence[bytes], height: int
    ) -> Sequence[StoredValue]:
        """Prove keys at one height, those that are not known at once where the ledger can."""
        known, ledger = self._entries_known, self._ledgers[ledger_id]
        # Taken now: while the ledger is asked, others may push them out.
        stored = {key: known.get((ledger_id, key, height)) for key in keys}
        missing = [key for key, entry in stored.items() if entry is None]
        if isinstance(ledger, BulkProofSource):
            found = await ledger.prove_many(missing, height) if missing else ()
        else:
            found = [await ledger.prove(key, height) for key in missing]
        for entry in found:
            stored[entry.key] = entry
            _remember(known, (ledger_id, entry.key, height), entry, ENTRIES_REMEMBERED_MAX)
        return [one for key in keys if (one := stored[key]) is not None]

    async def _prove_chunk(
        self,
        wanted: ProofWanted,
        terms: ClientTerms,
        chunk: Sequence[tuple[Effect, StoredValue]],
        result: ProvedBatch,
    ) -> None:
        attestation = None
        if terms.quorum is not None:
            attestation = await self._attestors.attest_packets(
                wanted.source_ledger,
                wanted.header_height,
                [entry for _, entry in chunk],
                terms.quorum,
            )
        for effect, entry in chunk:
            proof = terms.form.proof(entry.proof, attestation)
            result.proofs[effect.name] = Proved(proof, terms.form.height(entry.proof_height))

    async def _headers(
        self, wanted: ProofWanted, updates: Sequence[UpdateWanted], terms: ClientTerms
    ) -> Sequence[AnyMessage]:
        """
        Return the client messages, in order: none if the client holds the height already, several
        if it cannot skip there at once.

        Attestors are shown the header in either case: they sign nothing under a header that they
        have not checked, and one that slept may have missed it.
        """
        assert len(updates) <= 1, updates
        if not updates and terms.quorum is None:
            return ()
        height = wanted.header_height
        ledger = self._ledgers[wanted.source_ledger]
        if updates:
            natives = await self._between(
                wanted.source_ledger, updates[0].trusted_height, height, terms.trust
            )
        else:
            destination = self._view.ledgers[wanted.verifier.ledger_id]
            below = destination.trusted_height(wanted.verifier.client_id, height)
            trusted = height if below is None else below
            natives = ((height, await ledger.header(height, trusted)),)
        messages = [await self._message(wanted, one, native, terms) for one, native in natives]
        return messages if updates else ()

    async def _between(
        self, ledger_id: str, trusted_height: int, height: int, trust: TrustLevel
    ) -> _Headers:
        """Return the headers that bring a client up; several transactions may need the same."""
        key = (ledger_id, trusted_height, height)
        known = self._headers_known.get(key)
        if known is None:
            ledger = self._ledgers[ledger_id]
            known = await _fetch_between(ledger, trusted_height, height, trust)
            _remember(self._headers_known, key, known, HEADERS_REMEMBERED_MAX)
        return known

    async def _message(
        self, wanted: ProofWanted, height: int, native: AnyMessage, terms: ClientTerms
    ) -> AnyMessage:
        """Return a header as the client takes it."""
        attestation = None
        if terms.quorum is not None:
            attestation = await self._attestors.attest_state(
                wanted.source_ledger,
                native,
                height,
                await self._time_s(wanted.source_ledger, height),
                terms.quorum,
            )
        return terms.form.header(native, attestation)

    async def _time_s(self, ledger_id: str, height: int) -> int:
        known = self._view.ledgers[ledger_id].block_times.get(height)
        if known is not None:
            return known
        blocks = await self._ledgers[ledger_id].blocks_after(height - 1, 1)
        if not blocks or blocks[0].height != height:
            raise NotYet(f"block is not there: ledger={ledger_id} height={height}")
        if not blocks[0].is_provable:
            raise NotYet(f"no client can hold this block: ledger={ledger_id} height={height}")
        return blocks[0].time_s


def _remember(memory: OrderedDict[_K, _V], key: _K, value: _V, count_max: int) -> None:
    memory[key] = value
    if len(memory) > count_max:
        memory.popitem(last=False)


async def _fetch_between(
    ledger: Ledger, trusted_height: int, height: int, trust: TrustLevel
) -> _Headers:
    """Fetch the headers that bring a client from one height to another. Raises HubError."""
    search = headers_between(trusted_height, height, trust)
    try:
        wanted = next(search)
        while True:
            wanted = search.send(await ledger.header(wanted.height, wanted.trusted_height))
    except StopIteration as end:
        headers: _Headers = end.value
        return headers
    except (TooManyHeaders, Malformed) as exc:
        raise Unavailable(f"no way to bring a client up: {exc}") from exc
