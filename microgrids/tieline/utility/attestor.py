"""
A cell's attestor: signs what a ledger's final state says, after its own light client has said so.

On any doubt it stays silent and says why. The journal is written before the signature, so the same
request gives the same bytes again and a conflict is refused for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from tieline.interfaces.clock import Clock
from tieline.interfaces.errors import ConfigError, HubError
from tieline.interfaces.ledger import Ledger, StoredValue
from tieline.interfaces.signer import Signer
from tieline.light_clients.chain_tags import named_chain_tag
from tieline.light_clients.verified import Verified, verify_state, verify_stored
from tieline.protocol.client import LightClient
from tieline.protocol.errors import ProtocolError
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.protocol.time import TimestampSeconds, to_nanoseconds
from tieline.utility.journal import SigningConflict, SigningJournal, Statement
from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    attestation_digest,
    encode_packet_attestation,
    encode_state_attestation,
)
from tieline.wire.hashes import keccak

COMMITMENT_BYTES = 32
ABSENT = bytes(COMMITMENT_BYTES)


class MemoryClientStore:
    """A light client's keys in memory: an attestor builds them again from its trust root."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        """Return the value of *key*."""
        return self._values.get(key)

    def set(self, key: bytes, value: bytes) -> None:
        """Write a value."""
        self._values[key] = value

    def delete(self, key: bytes) -> None:
        """Forget a key."""
        self._values.pop(key, None)


@dataclass(slots=True)
class FollowedLedger:
    """One ledger as an attestor knows it."""

    ledger: Ledger
    chain_tag: bytes
    light_client: LightClient
    key: Signer
    first: Height = field(init=False)
    """Where its trust begins."""
    store: MemoryClientStore = field(default_factory=MemoryClientStore)
    heights: set[int] = field(default_factory=set[int])
    """Headers that it has verified."""

    def below(self, height: int) -> int:
        """Return the highest verified height under *height*, its first where there is none."""
        return max((h for h in self.heights if h < height), default=self.first.revision_height)


class CellAttestor:
    """
    Implements ``interfaces.attestor.Attestor`` for one utility cell.

    Args:
        cell: EVM address of the cell.
        journal: Written before each signature.
        clock: Only to refuse headers from the future and expired trust.
        is_silent: Asked before each answer; true while the cell is down.
    """

    def __init__(
        self,
        cell: bytes,
        journal: SigningJournal,
        clock: Clock,
        is_silent: Callable[[], bool] = lambda: False,
    ) -> None:
        self._cell = cell
        self._journal = journal
        self._clock = clock
        self._is_silent = is_silent
        self._followed: dict[str, FollowedLedger] = {}
        self._last_reason = ""

    @property
    def cell(self) -> bytes:
        """EVM address of its cell."""
        return self._cell

    @property
    def last_reason(self) -> str:
        """Why the last request was met with silence; empty when it was answered."""
        return self._last_reason

    def follow(
        self, followed: FollowedLedger, client_state: AnyMessage, consensus_state: AnyMessage
    ) -> None:
        """
        Trust a ledger from this client state on: its genesis, checked by the operator.

        Raises:
            ConfigError: The state is of another ledger instance than the chain tag names.
        """
        named = named_chain_tag(client_state)
        if named not in {None, followed.chain_tag}:
            raise ConfigError(
                f"client state of another ledger instance: ledger={followed.ledger.ledger_id}",
                instead="its chain id, hash of block 0 or host is not the one that was agreed on",
            )
        followed.light_client.initialise(followed.store, client_state, consensus_state)
        followed.first = followed.light_client.latest_height(followed.store)
        self._followed[followed.ledger.ledger_id] = followed

    def address(self, ledger_id: str) -> bytes:
        """Return the address of its key for a ledger."""
        return self._followed[ledger_id].key.address

    async def attest_state(self, ledger_id: str, header: AnyMessage, height: int) -> bytes | None:
        """Sign height and time of a final header, or stay silent."""
        return await self._answer(self._sign_state(ledger_id, header, height))

    async def attest_packets(
        self, ledger_id: str, height: int, entries: Sequence[StoredValue]
    ) -> bytes | None:
        """Sign what is proved to be stored, or stay silent."""
        return await self._answer(self._sign_packets(ledger_id, height, entries))

    def trusted_height(self, chain_tag: bytes, below: int) -> int:
        """Return the highest height that its light client trusts, under *below* if it can be."""
        return self._by_tag(chain_tag).below(below)

    async def verified_time_s(
        self, chain_tag: bytes, height: int, header: AnyMessage
    ) -> Verified[TimestampSeconds]:
        """Return the time of a final header. Raises ProtocolError if it does not convince."""
        return await self._update(self._by_tag(chain_tag), header, height)

    async def verified_value(
        self, chain_tag: bytes, height: int, entry: StoredValue
    ) -> Verified[StoredValue]:
        """Return *entry* proved under a known header. Raises ProtocolError if it is not."""
        return self._verify(self._by_tag(chain_tag), height, entry)

    def _by_tag(self, chain_tag: bytes) -> FollowedLedger:
        for followed in self._followed.values():
            if followed.chain_tag == chain_tag:
                return followed
        raise KeyError(chain_tag.hex())

    async def _answer(self, signing: Coroutine[Any, Any, bytes]) -> bytes | None:
        if self._is_silent():
            signing.close()
            self._last_reason = "the cell is down"
            return None
        try:
            signature = await signing
        except (ProtocolError, SigningConflict, HubError, KeyError, ValueError) as error:
            # ValueError: a height that no block has, or bytes that are none; whoever asks errs.
            self._last_reason = f"{type(error).__name__}: {error}"
            return None
        self._last_reason = ""
        return signature

    async def _sign_state(self, ledger_id: str, header: AnyMessage, height: int) -> bytes:
        followed = self._followed[ledger_id]
        time_s = (await self._update(followed, header, height)).value
        subject = height.to_bytes(8, "big")
        content = time_s.to_bytes(8, "big")
        below, above = self._journal.neighbours("state", followed.chain_tag, subject)
        if (below is not None and below > content) or (above is not None and above < content):
            raise SigningConflict(
                Statement("state", followed.chain_tag, subject, content), below or above or b""
            )
        self._journal.bind([Statement("state", followed.chain_tag, subject, content)])
        data = encode_state_attestation(height, time_s)
        return followed.key.sign_digest(attestation_digest(STATE_TAG, data))

    async def _sign_packets(
        self, ledger_id: str, height: int, entries: Sequence[StoredValue]
    ) -> bytes:
        followed = self._followed[ledger_id]
        await self._reach(followed, height)
        attested: list[tuple[bytes, bytes]] = []
        statements: list[Statement] = []
        for entry in entries:
            value = self._verify(followed, height, entry).value.value
            commitment = ABSENT if value is None else value
            if len(commitment) != COMMITMENT_BYTES:
                raise ProtocolError("not a commitment", bytes=len(commitment))
            subject = height.to_bytes(8, "big") + entry.key
            statements.append(Statement("packet", followed.chain_tag, subject, commitment))
            attested.append((keccak(entry.key), commitment))
        self._journal.bind(statements)
        data = encode_packet_attestation(height, attested)
        return followed.key.sign_digest(attestation_digest(PACKET_TAG, data))

    async def _reach(self, followed: FollowedLedger, height: int) -> None:
        """Fetch the header of a height that nobody has shown to this cell yet."""
        if height not in followed.heights:
            header = await followed.ledger.header(height, followed.below(height))
            await self._update(followed, header, height)

    async def _update(
        self, followed: FollowedLedger, header: AnyMessage, height: int
    ) -> Verified[TimestampSeconds]:
        place = Height(followed.first.revision_number, height)
        now = to_nanoseconds(TimestampSeconds(self._clock.now_s()))
        try:
            found = verify_state(followed.light_client, followed.store, header, place, now)
        except ProtocolError:
            # The header may start from a height that was never shown to this cell: fetch its own.
            own = await followed.ledger.header(height, followed.below(height))
            if own == header:
                raise
            found = verify_state(followed.light_client, followed.store, own, place, now)
        followed.heights.add(height)
        return found

    def _verify(
        self, followed: FollowedLedger, height: int, entry: StoredValue
    ) -> Verified[StoredValue]:
        if entry.proof_height.revision_height != height:
            raise ProtocolError(
                f"proof of another height: {entry.proof_height} instead of {height}"
            )
        return verify_stored(
            followed.light_client,
            followed.store,
            entry,
            followed.ledger.capabilities.merkle_prefix,
        )
