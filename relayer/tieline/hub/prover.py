"""
Turns what the relayer wants proved into bytes: native header and proof from the source ledger,
attestations beside them where the client is paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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

    @property
    def silences(self) -> Mapping[bytes, str]:
        """By cell: why an attestor's last request was met with silence."""
        return self._attestors.silences

    async def prove(self, batch: Sequence[Effect]) -> ProvedBatch:
        """Prove what *batch* wants; a client whose proofs cannot be had now is left out whole."""
        result = ProvedBatch()
        groups: dict[tuple[Endpoint, int], list[tuple[Effect, ProofWanted]]] = {}
        for effect in batch:
            if effect.proof is not None:
                group = (effect.proof.verifier, effect.proof.header_height)
                groups.setdefault(group, []).append((effect, effect.proof))
        for members in groups.values():
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
        source = self._ledgers[members[0][1].source_ledger]
        keys = [wanted.key for _, wanted in members]
        stored = await _prove_keys(source, keys, members[0][1].state_height)
        entries: list[tuple[Effect, StoredValue]] = []
        for (effect, wanted), entry in zip(members, stored, strict=True):
            if (entry.value is not None) is wanted.is_present:
                entries.append((effect, entry))
            else:
                done.add(effect.name)
                result.deferred.append((effect, NotYet(f"key has changed: {effect.name}")))
        return entries

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
            result.proofs[effect.name] = Proved(proof, entry.proof_height)

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
            natives = await _fetch_between(ledger, updates[0].trusted_height, height, terms.trust)
        else:
            destination = self._view.ledgers[wanted.verifier.ledger_id]
            below = destination.trusted_height(wanted.verifier.client_id, height)
            trusted = height if below is None else below
            natives = ((height, await ledger.header(height, trusted)),)
        messages = [await self._message(wanted, one, native, terms) for one, native in natives]
        return messages if updates else ()

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
        return blocks[0].time_s


async def _prove_keys(ledger: Ledger, keys: Sequence[bytes], height: int) -> Sequence[StoredValue]:
    """Prove keys at one height, at once where the ledger can. Raises HubError."""
    if isinstance(ledger, BulkProofSource):
        return await ledger.prove_many(keys, height)
    return [await ledger.prove(key, height) for key in keys]


async def _fetch_between(
    ledger: Ledger, trusted_height: int, height: int, trust: TrustLevel
) -> Sequence[tuple[int, AnyMessage]]:
    """Fetch the headers that bring a client from one height to another. Raises HubError."""
    search = headers_between(trusted_height, height, trust)
    try:
        wanted = next(search)
        while True:
            wanted = search.send(await ledger.header(wanted.height, wanted.trusted_height))
    except StopIteration as end:
        headers: Sequence[tuple[int, AnyMessage]] = end.value
        return headers
    except (TooManyHeaders, Malformed) as exc:
        raise Unavailable(f"no way to bring a client up: {exc}") from exc
