"""
The contract over dictionaries, with blocks but no headers: its operators attest height, time and
values, and other ledgers follow it with an ``attestations`` client.

It keeps nothing on disk. It is the conformance reference and the world of simulations.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import sha256

from tieline.contract.block import Application
from tieline.contract.genesis import Genesis
from tieline.contract.hosted_ledger import HostedLedger
from tieline.contract.installation import Installation
from tieline.contract.results import BlockInput
from tieline.contract.state_tree import HashChain
from tieline.contract.store import IBC
from tieline.interfaces.errors import ConfigError, NotYet, Unavailable
from tieline.interfaces.ledger import (
    Capabilities,
    Finality,
    StoredValue,
)
from tieline.interfaces.signer import Signer
from tieline.light_clients.attestations.messages import (
    ClientState,
    ConsensusState,
    address_text,
    proof_as_any,
)
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.protocol.quorum import more_than_two_thirds
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.attestation_proofs import AttestationProof
from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    attestation_digest,
    encode_packet_attestation,
    encode_state_attestation,
)
from tieline.wire.hashes import keccak

CAPABILITIES = Capabilities(
    kind="sim",
    client_type="attestations",
    merkle_prefix=(b"",),
    finality=Finality.DETERMINISTIC,
    proof_lag=0,
)
COMMITMENT_BYTES = 32
ABSENT = bytes(COMMITMENT_BYTES)


class SimulatedLedger(HostedLedger):
    """Implements ``interfaces.ledger.Ledger``."""

    def __init__(
        self,
        genesis: Genesis,
        operators: Sequence[Signer],
        *,
        installation: Installation | None = None,
    ) -> None:
        """
        Begin a ledger.

        Args:
            genesis: Of kind ``sim``, else ConfigError.
            operators: Attest the state, all of them every time; at least one.
            installation: What the contract runs; the microgrid's own unless given.
        """
        if genesis.kind != CAPABILITIES.kind:
            raise ConfigError(f"genesis of kind {genesis.kind}: write kind sim")
        self._operators = sorted(operators, key=lambda key: key.address)
        assert self._operators, "nobody to attest"
        application = Application(
            genesis, tree=HashChain(), installation=installation, record_access=True
        )
        super().__init__(application, CAPABILITIES, proves_by_next_block=False)
        self._block_hash = bytes(32)
        self._times: list[int] = []
        self._history: dict[bytes, list[tuple[int, bytes | None]]] = {
            key: [(0, value)] for key, value in application.scan(IBC, b"")
        }

    def produce_block(self, time_s: int, *, is_deadline: bool = False) -> bool:
        """
        Make a block at *time_s* if one is due, and say whether one was made.

        Args:
            time_s: Chain time; not later than the last block's: nothing is made.
            is_deadline: A deadline of an open slot falls here, so an empty block is due too.
        """
        if time_s <= self._host.time_s or not (is_deadline or self._host.wants_block):
            return False
        height = self._host.height + 1
        transactions = self._host.next_transactions()
        content = b"".join(sha256(raw).digest() for raw in transactions)
        place = height.to_bytes(8, "big") + time_s.to_bytes(8, "big")
        self._block_hash = sha256(self._block_hash + place + content).digest()
        self._host.execute(
            BlockInput(height, time_s * NANOSECONDS_PER_SECOND, self._block_hash, transactions)
        )
        self._times.append(time_s)
        self._remember(height)
        return True

    def client_states(self, height: int) -> tuple[AnyMessage, AnyMessage]:
        """Return client and consensus state for a client that starts at *height*, or NotYet."""
        addresses = tuple(address_text(key.address) for key in self._operators)
        client = ClientState(addresses, more_than_two_thirds(len(addresses)), height)
        consensus = ConsensusState(self._time_s(height) * NANOSECONDS_PER_SECOND)
        return client.as_any(), consensus.as_any()

    async def prove(self, key: bytes, height: int) -> StoredValue:
        """
        Attest *key* in store ``ibc`` as of *height*.

        Raises:
            NotYet: There is no such block yet.
            Unavailable: The value is no 32-byte commitment; only those and absence are attested.
        """
        self._time_s(height)
        value = self._value(key, height)
        if value is not None and (len(value) != COMMITMENT_BYTES or value == ABSENT):
            raise Unavailable(f"value is no commitment: key={key.hex()}")
        entry = (keccak(key), ABSENT if value is None else value)
        data = encode_packet_attestation(height, [entry])
        proof = self._attest(PACKET_TAG, data).encode()
        return StoredValue(key, value, Height(0, height), proof)

    async def header(self, height: int, trusted_height: int) -> AnyMessage:
        """Return the attested height and time; the trusted height does not matter."""
        del trusted_height
        data = encode_state_attestation(height, self._time_s(height))
        return proof_as_any(self._attest(STATE_TAG, data))

    def _attest(self, tag: int, data: bytes) -> AttestationProof:
        digest = attestation_digest(tag, data)
        return AttestationProof(data, tuple(key.sign_digest(digest) for key in self._operators))

    def _time_s(self, height: int) -> int:
        if not 1 <= height <= len(self._times):
            raise NotYet(f"no such block: height={height} latest={len(self._times)}")
        return self._times[height - 1]

    def _remember(self, height: int) -> None:
        """Keep what the block wrote, so that values of older heights can still be attested."""
        written = {
            key
            for access in self.application.last_access
            for store, key in access.writes
            if store == IBC
        }
        for key in sorted(written):
            value = self.application.query(IBC, key)
            self._history.setdefault(key, []).append((height, value))

    def _value(self, key: bytes, height: int) -> bytes | None:
        versions = self._history.get(key, [])
        index = bisect_right(versions, height, key=lambda version: version[0])
        return versions[index - 1][1] if index else None
