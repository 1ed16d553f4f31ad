"""
Attestations for a client: as many as it needs, the destination's own cell among them where the
client asks for that.

Attestors are asked in turn, the own cell first, so that each one's silence is soon noticed. A
silent one is logged with its reason and the next is asked; without a quorum the batch waits.
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
from tieline.wire.attestations import encode_packet_attestation, encode_state_attestation
from tieline.wire.hashes import keccak

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


@dataclass(frozen=True, slots=True)
class _Answer:
    address: bytes
    signature: bytes


_Ask = Callable[[Attestor], Awaitable[bytes | None]]


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

        answers = await self._gather(ledger_id, height, quorum, ask, known)
        return _attestation(encode_state_attestation(height, time_s), answers)

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

        answers = await self._gather(ledger_id, height, quorum, ask, {})
        attested = [
            (keccak(entry.key), ABSENT if entry.value is None else entry.value) for entry in entries
        ]
        return _attestation(encode_packet_attestation(height, attested), answers)

    async def _gather(
        self,
        ledger_id: str,
        height: int,
        quorum: AttestorQuorum,
        ask: _Ask,
        known: dict[bytes, _Answer],
    ) -> list[_Answer]:
        """Return exactly as many answers as needed; *known* ones are taken first and added to."""
        order = self._turns(quorum, height)
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
            signatures = await asyncio.gather(*(ask(self._attestors[cell]) for cell in asked))
            for cell, signature in zip(asked, signatures, strict=True):
                attestor = self._attestors[cell]
                if signature is None:
                    self._note_silence(cell, attestor.last_reason, ledger_id, height)
                    continue
                self.silences.pop(cell, None)
                answers[cell] = known[cell] = _Answer(attestor.address(ledger_id), signature)
            if quorum.needs_own_cell and quorum.own_cell not in answers:
                raise NotYet(f"own attestor is silent: ledger={ledger_id} height={height}")
        if len(answers) < quorum.min_signatures:
            raise NotYet(
                f"attestations missing: have={len(answers)} need={quorum.min_signatures} "
                f"ledger={ledger_id} height={height}"
            )
        return list(answers.values())

    def _turns(self, quorum: AttestorQuorum, height: int) -> list[bytes]:
        if quorum.needs_own_cell and quorum.own_cell not in self._attestors:
            raise NotYet(f"no attestor of the own cell: cell={quorum.own_cell.hex()}")
        own = [quorum.own_cell] if quorum.own_cell in self._attestors else []
        others = sorted(cell for cell in self._attestors if cell != quorum.own_cell)
        first = height % len(others) if others else 0
        return [*own, *others[first:], *others[:first]]

    def _note_silence(self, cell: bytes, reason: str, ledger_id: str, height: int) -> None:
        level = logging.DEBUG if self.silences.get(cell) == reason else logging.WARNING
        self.silences[cell] = reason
        _LOG.log(
            level,
            "attestor silent cell=%s ledger=%s height=%d reason=%s",
            cell.hex(),
            ledger_id,
            height,
            reason,
        )


def _attestation(data: bytes, answers: Sequence[_Answer]) -> Attestation:
    ordered = sorted(answers, key=lambda answer: answer.address)
    return Attestation(data, tuple(answer.signature for answer in ordered))
