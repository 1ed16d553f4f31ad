"""
Attestations for a client: as many as it needs, the destination's own cell among them where the
client asks for that.

Attestors are asked in turn, the own cell first, so that each one's silence is soon noticed. A
silent one is logged with its reason and the next is asked; without a quorum the batch waits.

One whose signature is none, or of another key than the cell bound, is taken for silent: clients
refuse a proof for one bad signature among enough good ones, so a single cell could stop them all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tieline.hub.proof_form import Attestation
from tieline.interfaces.attestor import Attestor
from tieline.interfaces.errors import ConfigError, NotYet
from tieline.interfaces.ledger import StoredValue
from tieline.protocol.messages import AnyMessage
from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    attestation_digest,
    encode_packet_attestation,
    encode_state_attestation,
)
from tieline.wire.errors import Malformed
from tieline.wire.hashes import keccak
from tieline.wire.keys import recover_address

_LOG = logging.getLogger(__name__)

ABSENT = bytes(32)
"""What is attested of a key that holds nothing."""

HEIGHTS_REMEMBERED_MAX = 1_024
"""State signatures are asked for once a height and shared by all clients of a ledger."""


@dataclass(frozen=True, slots=True)
class AttestorQuorum:
    """What a client asks of attestors."""

    own_cell: bytes
    """EVM address of the utility cell whose ledger runs the client; asked first."""
    min_signatures: int
    """More than two thirds of the client's attestors."""
    needs_own_cell: bool = True
    """Whether the own cell must be among the signers, as paired clients ask."""
    attestors: frozenset[bytes] = frozenset()
    """Addresses of the client's attestors; empty: those that the pool's own say are theirs."""


@dataclass(frozen=True, slots=True)
class _Answer:
    address: bytes
    signature: bytes


_Ask = Callable[[Attestor], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be signed."""

    ledger_id: str
    height: int
    digest: bytes
    ask: _Ask


class AttestorPool:
    """All attestors that the hub can ask, one a cell."""

    def __init__(self, attestors: Sequence[Attestor]) -> None:
        self._attestors = {attestor.cell: attestor for attestor in attestors}
        if len(self._attestors) != len(attestors):
            raise ConfigError("two attestors of one cell", instead="name each cell once")
        self._states: dict[tuple[str, int], dict[bytes, _Answer]] = {}
        self.silences: dict[bytes, str] = {}
        """By cell: why its last request was met with silence; answered ones are taken out."""

    def forget_all(self) -> None:
        """What was signed may be of blocks that are gone."""
        self._states.clear()

    async def attest_state(
        self,
        ledger_id: str,
        header: AnyMessage,
        height: int,
        time_s: int,
        quorum: AttestorQuorum,
    ) -> Attestation:
        """
        Gather signatures over height and time (unix seconds) of a header.

        Raises:
            NotYet: The own cell is silent, or too many are.
        """
        key = (ledger_id, height)
        known = self._states.get(key)
        if known is None:
            known = self._states[key] = {}
            if len(self._states) > HEIGHTS_REMEMBERED_MAX:
                del self._states[next(iter(self._states))]

        async def ask(attestor: Attestor) -> bytes | None:
            return await attestor.attest_state(ledger_id, header, height)

        data = encode_state_attestation(height, time_s)
        wanted = _Wanted(ledger_id, height, attestation_digest(STATE_TAG, data), ask)
        return _attestation(data, await self._gather(wanted, quorum, known))

    async def attest_packets(
        self,
        ledger_id: str,
        height: int,
        entries: Sequence[StoredValue],
        quorum: AttestorQuorum,
    ) -> Attestation:
        """
        Gather signatures over what is stored under the keys of *entries* at *height*.

        Raises:
            NotYet: The own cell is silent, or too many are.
        """

        async def ask(attestor: Attestor) -> bytes | None:
            return await attestor.attest_packets(ledger_id, height, entries)

        attested = [
            (keccak(entry.key), ABSENT if entry.value is None else entry.value) for entry in entries
        ]
        try:
            data = encode_packet_attestation(height, attested)
        except ValueError as exc:
            raise NotYet(f"not to be attested: ledger={ledger_id} height={height} {exc}") from exc
        wanted = _Wanted(ledger_id, height, attestation_digest(PACKET_TAG, data), ask)
        return _attestation(data, await self._gather(wanted, quorum, {}))

    async def _gather(
        self, wanted: _Wanted, quorum: AttestorQuorum, known: dict[bytes, _Answer]
    ) -> list[_Answer]:
        """Return exactly as many answers as needed; *known* ones are taken first and added to."""
        place = f"ledger={wanted.ledger_id} height={wanted.height}"
        order = self._turns(quorum, wanted)
        answers = {cell: known[cell] for cell in order[:1] if cell in known}
        awaited = quorum.needs_own_cell and quorum.own_cell not in known
        for cell in order[1:]:
            if len(answers) + awaited >= quorum.min_signatures:
                break
            if cell in known:
                answers[cell] = known[cell]
        waiting = [cell for cell in order if cell not in known]
        while len(answers) < quorum.min_signatures and waiting:
            missing = quorum.min_signatures - len(answers)
            asked, waiting = waiting[:missing], waiting[missing:]
            signatures = await asyncio.gather(*(wanted.ask(self._attestors[it]) for it in asked))
            for cell, signature in zip(asked, signatures, strict=True):
                answer = self._answer(cell, signature, wanted)
                if answer is not None:
                    answers[cell] = known[cell] = answer
            if quorum.needs_own_cell and quorum.own_cell not in answers:
                raise NotYet(f"own attestor is silent: {place}")
        if len(answers) < quorum.min_signatures:
            raise NotYet(
                f"attestations missing: have={len(answers)} need={quorum.min_signatures} {place}"
            )
        return list(answers.values())

    def _answer(self, cell: bytes, signature: bytes | None, wanted: _Wanted) -> _Answer | None:
        """Return what a client may be shown; None, and a note why, of silence or a bad one."""
        attestor = self._attestors[cell]
        address = _address(attestor, wanted.ledger_id)
        if signature is None:
            self._note_silence(cell, attestor.last_reason, wanted)
        elif not _is_signed_by(address, wanted.digest, signature):
            self._note_silence(cell, "signed something else, or with another key", wanted)
        else:
            self.silences.pop(cell, None)
            return _Answer(address, signature)
        return None

    def _turns(self, quorum: AttestorQuorum, wanted: _Wanted) -> list[bytes]:
        members = [
            cell
            for cell, attestor in self._attestors.items()
            if not quorum.attestors or _address(attestor, wanted.ledger_id) in quorum.attestors
        ]
        if quorum.needs_own_cell and quorum.own_cell not in members:
            raise NotYet(f"no attestor of the own cell: cell={quorum.own_cell.hex()}")
        own = [quorum.own_cell] if quorum.own_cell in members else []
        others = sorted(cell for cell in members if cell != quorum.own_cell)
        first = wanted.height % len(others) if others else 0
        return [*own, *others[first:], *others[:first]]

    def _note_silence(self, cell: bytes, reason: str, wanted: _Wanted) -> None:
        level = logging.DEBUG if self.silences.get(cell) == reason else logging.WARNING
        self.silences[cell] = reason
        _LOG.log(
            level,
            "attestor silent cell=%s ledger=%s height=%d reason=%s",
            cell.hex(),
            wanted.ledger_id,
            wanted.height,
            reason,
        )


def _address(attestor: Attestor, ledger_id: str) -> bytes:
    """Return the address of an attestor's key for a ledger, empty if it has none."""
    try:
        return attestor.address(ledger_id)
    except KeyError:
        return b""


def _is_signed_by(address: bytes, digest: bytes, signature: bytes) -> bool:
    try:
        return recover_address(digest, signature) == address
    except Malformed:
        return False


def _attestation(data: bytes, answers: Sequence[_Answer]) -> Attestation:
    ordered = sorted(answers, key=lambda answer: answer.address)
    return Attestation(data, tuple(answer.signature for answer in ordered))
