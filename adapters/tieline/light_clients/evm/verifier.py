"""
Is an EVM header to be believed, and what does it say of the pinned contracts?

``verify_header`` is a pure function of bytes, so its answers may be remembered where many clients
in one process see the same header; what depends on the clock is the client's.

Sources:
    ``docs/spec/trust.md`` 1, 2 and 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from tieline.light_clients.client_rules import NotConvincing
from tieline.light_clients.evm.messages import (
    ClientHeader,
    ClientState,
    ConsensusState,
    PinnedContract,
    Sealing,
)
from tieline.light_clients.evm.seals import SealsRefused, check_authority, check_bft, take_apart
from tieline.light_clients.evm.trie import ProofNodes, ProofRefused, look_up_account
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.errors import Malformed
from tieline.wire.evm.header import EvmHeader, decode_header

HEADERS_REMEMBERED = 512
"""Four ledgers, a slot's headers each, with room."""

TIMESTAMP_S_MAX = (1 << 63) // NANOSECONDS_PER_SECOND
"""The year 2262: nanoseconds are held in 63 bits."""
HEIGHT_MAX = (1 << 63) - 1


class HeaderRefused(NotConvincing):
    """The header is not to be believed; carries the first rule it breaks."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a client trusts, as far as headers are judged by it."""

    chain_tag: bytes
    sealing: Sealing
    trusted: tuple[bytes, ...]
    """The authority set, or the validators of the trusted height."""
    trusted_height: int
    """0 for an authority set."""
    host: bytes
    pinned: tuple[PinnedContract, ...]

    @staticmethod
    def of(client: ClientState, height: int, trusted: ConsensusState | None) -> Anchor:
        """Return the anchor at a trusted height; an authority set needs none."""
        members = client.sealers if trusted is None else trusted.validators
        return Anchor(client.chain_tag, client.sealing, members, height, client.host, client.pinned)


@dataclass(frozen=True, slots=True)
class SealedBlock:
    """What a header says of itself, once its seals are good."""

    height: int
    time_ns: int
    block_hash: bytes
    parent_hash: bytes
    state_root: bytes
    validators: tuple[bytes, ...]
    """Of this block; empty for an authority set."""


@dataclass(frozen=True, slots=True)
class VerifiedHeader:
    """A sealed block, and the host contract's storage under it."""

    block: SealedBlock
    storage_root: bytes

    @property
    def consensus_state(self) -> ConsensusState:
        """What a client holds of it."""
        block = self.block
        return ConsensusState(block.time_ns, self.storage_root, block.block_hash, block.validators)


Verifier = Callable[[bytes, Anchor], VerifiedHeader]


def trusted_height_of(raw: bytes) -> int:
    """Return the height that a header builds upon, 0 for none. Raises HeaderRefused."""
    return _decode(raw).trusted_height


def verify_header(raw: bytes, anchor: Anchor) -> VerifiedHeader:
    """
    Check all that depends neither on time nor on what else the client holds.

    Raises:
        HeaderRefused: A rule is broken.
    """
    message = _decode(raw)
    block = _verify_seals(message, anchor)
    return VerifiedHeader(block, _storage_root(block.state_root, message, anchor))


verify_header_once: Verifier = lru_cache(maxsize=HEADERS_REMEMBERED)(verify_header)
"""As ``verify_header``; remembers what it believed, never what it refused."""


def verify_conflicting(raw: bytes, anchor: Anchor) -> SealedBlock:
    """
    Check one header of a misbehaviour: it is sealed. It brings no account proofs.

    Raises:
        HeaderRefused: A rule is broken.
    """
    message = _decode(raw)
    if message.account_nodes:
        raise HeaderRefused("misbehaviour with account proofs")
    return _verify_seals(message, anchor)


def _verify_seals(message: ClientHeader, anchor: Anchor) -> SealedBlock:
    if message.trusted_height != anchor.trusted_height:
        raise HeaderRefused("header builds upon another height")
    try:
        header = decode_header(message.header)
    except Malformed as exc:
        raise HeaderRefused(f"header malformed: {exc}") from exc
    _check_form(header)
    if header.number <= anchor.trusted_height:
        raise HeaderRefused(f"header not above its trusted height: height={header.number}")
    validators: tuple[bytes, ...] = ()
    try:
        if anchor.sealing is Sealing.AUTHORITY:
            block_hash = header.hash()
            check_authority(anchor.chain_tag, block_hash, message.seals, anchor.trusted)
        else:
            if message.seals:
                raise HeaderRefused("seals beside the header, which carries its own")
            block = take_apart(header, anchor.sealing)
            check_bft(block, anchor.trusted)
            block_hash, validators = block.block_hash, block.validators
    except SealsRefused as exc:
        raise HeaderRefused(str(exc)) from exc
    return SealedBlock(
        header.number,
        header.timestamp * NANOSECONDS_PER_SECOND,
        block_hash,
        header.parent_hash,
        header.state_root,
        validators,
    )


def _storage_root(state_root: bytes, message: ClientHeader, anchor: Anchor) -> bytes:
    """Return the root of the host's storage; every pinned contract has its code."""
    storage_root = b""
    try:
        nodes = ProofNodes(message.account_nodes)
        for pinned in anchor.pinned:
            account = look_up_account(state_root, pinned.address, nodes)
            if account is None:
                raise HeaderRefused(f"no contract at a pinned address: {pinned.address.hex()}")
            if account.code_hash != pinned.code_hash:
                raise HeaderRefused(f"other code at a pinned address: {pinned.address.hex()}")
            if pinned.address == anchor.host:
                storage_root = account.storage_root
        nodes.finish()
    except ProofRefused as exc:
        raise HeaderRefused(f"account proof: {exc}") from exc
    assert storage_root, "the host is one of the pinned contracts"
    return storage_root


def _check_form(header: EvmHeader) -> None:
    if not 1 <= header.number <= HEIGHT_MAX:
        raise HeaderRefused(f"height out of range: {header.number}")
    if not 1 <= header.timestamp <= TIMESTAMP_S_MAX:
        raise HeaderRefused(f"time out of range: {header.timestamp}")


def _decode(raw: bytes) -> ClientHeader:
    try:
        return ClientHeader.decode(raw)
    except Malformed as exc:
        raise HeaderRefused(f"header malformed: {exc}") from exc
