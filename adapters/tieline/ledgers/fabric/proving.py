"""
What others' light clients are shown of this ledger: whole blocks, and beside each the word of
enough peers that a transaction in it was valid, for nothing in the block says so under a signature.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from tieline.interfaces.errors import Contradicted, NotYet, Rejected, Unavailable
from tieline.interfaces.ledger import StoredValue
from tieline.ledgers.fabric.agreeing import endorse_agreed
from tieline.ledgers.fabric.history import History
from tieline.ledgers.fabric.port import CHAINCODE, Endorsed, FabricPort, InvocationRefused
from tieline.ledgers.fabric.refusals import refusal_of
from tieline.ledgers.fabric.settings import FabricSettings
from tieline.ledgers.fabric.submitting import Submitter
from tieline.light_clients.fabric import building
from tieline.light_clients.fabric.states import (
    ClientState,
    ConsensusState,
    KnownDefinition,
)
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.fabric.blocks import Block
from tieline.wire.fabric.envelopes import Envelope
from tieline.wire.fabric.invocations import (
    absence_key,
    decode_number,
    ibc_key,
    prove_absence_args,
    read_back_args,
)
from tieline.wire.fabric.rwsets import Version

_SEQUENCE_BYTES: Final = 8
_RECEIPT, _ACKNOWLEDGEMENT = 2, 3
"""The octet between client and sequence in a packet's keys."""


@dataclass(frozen=True, slots=True)
class _PacketKey:
    kind: int
    client_id: str
    sequence: int


class FabricProver:
    """Makes headers and proofs of one channel."""

    def __init__(
        self, port: FabricPort, history: History, submitter: Submitter, settings: FabricSettings
    ) -> None:
        """
        Remember nothing yet.

        Args:
            port: Asked for blocks and read-backs.
            history: Knows who wrote what.
            submitter: Hands in what records an absence.
            settings: How much is remembered.
        """
        self._port = port
        self._history = history
        self._submitter = submitter
        self._settings = settings
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._read_backs: OrderedDict[str, bytes] = OrderedDict()
        self._read_under: tuple[int, int] = (-1, -1)
        """Newest configuration and definition when these were read: others judge by them."""

    # --- headers ----------------------------------------------------------------------------

    async def header(self, height: int, trusted_height: int) -> AnyMessage:
        """Return the client message from one height to another. Raises NotYet, Unavailable."""
        index = self._tick_index(height)
        history = self._history
        block = await self.block(height)
        answer = await self._marked(height, index)
        configs = [await self.block(one) for one in history.configs(trusted_height, height)]
        steps = [
            building.definition_step(await self.block(one.block), one.index)
            for one in history.definitions(trusted_height, height)
        ]
        return building.client_header(block, index, answer, configs, steps).as_any()

    async def client_states(self, height: int) -> tuple[AnyMessage, AnyMessage]:
        """
        Return client and consensus state for a client that begins to trust at *height*.

        Raises:
            NotYet: There is no such block yet.
            Unavailable: It has no Tick, or nobody answers.
        """
        self._tick_index(height)
        history, settings = self._history, self._settings
        config = await self.block(history.configs(-1, height)[-1])
        defined = history.definitions(-1, height)
        if not defined:
            raise NotYet(f"chaincode {CHAINCODE} is not defined at height {height}")
        newest = defined[-1]
        client = ClientState(
            channel=self._port.fabric_channel,
            chaincode=CHAINCODE,
            genesis_hash=history.hash_at(0),
            latest_height=height,
            trusting_period_ns=settings.trusting_period_s * NANOSECONDS_PER_SECOND,
            max_clock_drift_ns=settings.max_clock_drift_s * NANOSECONDS_PER_SECOND,
            configs=(building.known_config(config),),
            definitions=(
                KnownDefinition(
                    Version(newest.block, newest.index),
                    newest.definition.sequence,
                    newest.definition.validation_parameter,
                ),
            ),
        )
        time_ns = history.time_at(height) * NANOSECONDS_PER_SECOND
        consensus = ConsensusState(time_ns, history.hash_at(height))
        return client.as_any(), consensus.as_any()

    def _tick_index(self, height: int) -> int:
        if height > self._history.height:
            raise NotYet(f"no such block: height={height} latest={self._history.height}")
        index = self._history.tick_at(height)
        if index is None:
            raise Unavailable(
                f"height {height} has no Tick, so no light client can hold it; "
                f"the newest that has one is {self._history.newest_tick}"
            )
        return index

    # --- proofs -----------------------------------------------------------------------------

    async def prove(self, key: bytes, height: int) -> StoredValue:
        """Prove a key of store ``ibc``. Raises as ``ProofSource.prove``."""
        self._tick_index(height)
        written = self._history.written(ibc_key(key), height)
        place = Height(0, height)
        if written is None or written.value is None:
            return StoredValue(key, None, place, await self._absence(key, height))
        number, index = written.block, written.index
        proof = building.membership_proof(
            await self.block(number),
            index,
            await self._marked(number, index),
            self._history.data_hashes(number, height),
        )
        return StoredValue(key, written.value, place, proof)

    async def _absence(self, key: bytes, height: int) -> bytes:
        named = _packet_key(key)
        if named is not None and named.kind == _RECEIPT:
            return await self._unreceived(named, key, height)
        if named is not None and named.kind == _ACKNOWLEDGEMENT:
            return await self._unanswered(key)
        raise Unavailable(
            "of this key a Fabric ledger shows presence only, absence of receipts and "
            f"acknowledgements: key={key.hex()}"
        )

    async def _unreceived(self, named: _PacketKey, key: bytes, height: int) -> bytes:
        """Return the record that a packet was not received, or hand in what makes one."""
        history = self._history
        tau_s = history.time_at(height)
        record = history.written(absence_key(named.client_id, named.sequence))
        if record is not None and record.value and decode_number(record.value) >= tau_s:
            block = await self.block(record.block)
            answer = await self._marked(record.block, record.index)
            return building.receipt_absence_proof(block, record.index, answer)
        if history.value(ibc_key(key)) is not None:
            raise NotYet(f"received meanwhile: client={named.client_id} seq={named.sequence}")
        args = prove_absence_args(named.client_id, named.sequence, tau_s)
        if not self._submitter.is_under_way(args):
            try:
                await self._submitter.submit(args)
            except Rejected as exc:
                raise NotYet(f"absence cannot be recorded now: {exc}") from exc
        raise NotYet(f"absence is being recorded: client={named.client_id} seq={named.sequence}")

    async def _unanswered(self, key: bytes) -> bytes:
        """Return the word of peers that there is no acknowledgement now: none is ever deleted."""
        physical = ibc_key(key)
        answer = await self._read_back(physical)
        if _version_read(answer, physical) is not None:
            raise NotYet(f"answered meanwhile: key={key.hex()}")
        return building.acknowledgement_absence_proof(_payload(answer))

    # --- what peers are asked for -----------------------------------------------------------

    async def _marked(self, number: int, index: int) -> bytes:
        """Return a prepared ReadBack of the marker of a valid transaction, at its version."""
        marker = self._history.marker(number, index)
        self._forget_what_is_judged_anew()
        known = self._read_backs.get(marker)
        if known is not None:
            return known
        answer = await self._read_back(marker)
        if _version_read(answer, marker) != Version(number, index):
            raise NotYet(f"peers have not committed block {number} yet")
        payload = self._read_backs[marker] = _payload(answer)
        if len(self._read_backs) > self._settings.read_backs_kept:
            self._read_backs.popitem(last=False)
        return payload

    def _forget_what_is_judged_anew(self) -> None:
        history = self._history
        configs = history.configs(-1, history.height)
        defined = history.definitions(-1, history.height)
        under = (configs[-1] if configs else -1, defined[-1].block if defined else -1)
        if under != self._read_under:
            self._read_backs.clear()
            self._read_under = under

    async def _read_back(self, key: str) -> Endorsed:
        """Ask the peers of a key; right behind a block, one of them may not have it yet."""
        try:
            return await endorse_agreed(self._port, read_back_args(key), self._settings)
        except InvocationRefused as refused:
            raise Unavailable(f"a read-back was refused: {refusal_of(refused)}") from refused

    async def block(self, number: int) -> bytes:
        """
        Return a whole block, held against what was read before.

        Raises:
            NotYet: The peer does not have it (yet).
            Contradicted: It shows another one than before.
            Unavailable: No peer answers.
        """
        known = self._blocks.get(number)
        if known is not None:
            self._blocks.move_to_end(number)
            return known
        found = await self._port.blocks_after(number - 1, 1)
        if not found:
            raise NotYet(f"the peer has no block {number}")
        if Block.decode(found[0]).header.hash() != self._history.hash_at(number):
            raise Contradicted(f"another block than before: number={number}")
        self.keep(number, found[0])
        return found[0]

    def keep(self, number: int, raw: bytes) -> None:
        """Remember a block that was just read."""
        self._blocks[number] = raw
        if len(self._blocks) > self._settings.blocks_kept:
            self._blocks.popitem(last=False)


def _payload(answer: Endorsed) -> bytes:
    return Envelope.decode(answer.envelope).payload


def _version_read(answer: Endorsed, key: str) -> Version | None:
    reads = answer.content.sets.of(CHAINCODE).reads
    return next((one.version for one in reads if one.key == key), None)


def _packet_key(key: bytes) -> _PacketKey | None:
    """Read a packet's key: client, one octet, sequence; None for any other."""
    head, sequence = key[:-_SEQUENCE_BYTES], key[-_SEQUENCE_BYTES:]
    try:
        client_id = head[:-1].decode("ascii")
    except UnicodeDecodeError:
        return None
    if not client_id or len(sequence) != _SEQUENCE_BYTES:
        return None
    return _PacketKey(head[-1], client_id, int.from_bytes(sequence, "big"))
