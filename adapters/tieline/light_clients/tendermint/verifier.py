"""
Is a header to be believed, given one that is? Adjacent and skipping verification of CometBFT.

``verify_header`` is a pure function of bytes, so its answers may be remembered where many clients
in one process see the same header; what depends on the clock is in ``check_times``, apart.

Sources:
    CometBFT ``light/verifier.go``, ``types/validation.go``; ibc-go 07-tendermint ``update.go``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from tieline.light_clients.client_rules import NotConvincing, is_expired
from tieline.light_clients.tendermint.ballot import BadSignature, Ballot
from tieline.light_clients.tendermint.ed25519 import is_valid_signature
from tieline.light_clients.tendermint.messages import (
    ClientHeader,
    ClientState,
    ConsensusState,
    decode_height,
)
from tieline.light_clients.tendermint.tally import claimed_power
from tieline.protocol.height import Height
from tieline.wire.cometbft import (
    ABSENT_FLAG,
    BLOCK_PROTOCOL,
    COMMIT_FLAG,
    NIL_FLAG,
    NO_TIME_NS,
    Commit,
    CommitSig,
    Header,
    SignedHeader,
    ValidatorSet,
)
from tieline.wire.errors import Malformed
from tieline.wire.proto_fields import Fields
from tieline.wire.votes import vote_bytes

VALIDATORS_MAX = 256
"""Their signatures take about 10 ms to check, and two sets with a commit about 100 kB."""
POWER_MAX = (1 << 63) // 8
"""CometBFT's bound on a set's total."""
HEADERS_REMEMBERED = 512
"""Four ledgers, a slot's headers each, with room."""

SIGNATURE_BYTES_MAX = 64
"""CometBFT's bound, also for votes that are not looked at."""

_HASH_BYTES = 32
_INT64_COUNT = 1 << 63


class HeaderRefused(NotConvincing):
    """The header is not to be believed; carries the first rule it breaks."""


class NotEnoughTrust(HeaderRefused):
    """Too few of the trusted validators signed: bring a header in between first."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a client trusts, as far as ``verify_header`` asks for it."""

    chain_id: str
    trust_numerator: int
    trust_denominator: int
    height: Height
    next_validators_hash: bytes

    @staticmethod
    def of(client: ClientState, height: Height, trusted: ConsensusState) -> Anchor:
        """Return the anchor at a trusted height."""
        return Anchor(
            client.chain_id,
            client.trust_numerator,
            client.trust_denominator,
            height,
            trusted.next_validators_hash,
        )


Verifier = Callable[[bytes, Anchor], ClientHeader]


def trusted_height_of(raw: bytes) -> Height:
    """
    Return the height that a header builds upon.

    Raises:
        HeaderRefused: The bytes are not a header.
    """
    try:
        height = decode_height(Fields(raw, known=4).octets(3))
    except Malformed as exc:
        raise HeaderRefused(f"header malformed: {exc}") from exc
    if height is None:
        raise HeaderRefused("trusted height is zero")
    return height


def verify_header(raw: bytes, anchor: Anchor) -> ClientHeader:
    """
    Check everything that does not depend on time or on what else the client holds.

    Raises:
        NotEnoughTrust: See there.
        HeaderRefused: Any other rule is broken.
    """
    header = _decode(raw)
    _check_heights(header, anchor)
    _check_sets(header, anchor)
    is_adjacent = header.height.revision_height == anchor.height.revision_height + 1
    if is_adjacent:
        if header.signed_header.header.validators_hash != anchor.next_validators_hash:
            raise HeaderRefused("adjacent header by other validators than announced")
    else:
        _check_claimed_trust(header, anchor)
    _check_signed(header, anchor, asks_trusted=not is_adjacent)
    return header


verify_header_once: Verifier = lru_cache(maxsize=HEADERS_REMEMBERED)(verify_header)
"""As ``verify_header``; remembers what it believed, never what it refused."""


def verify_conflicting(raw: bytes, anchor: Anchor) -> ClientHeader:
    """
    Check one header of a misbehaviour: the trusted set and its own signed it. Never remembered.

    Raises:
        HeaderRefused: A rule is broken.
    """
    header = _decode(raw)
    _check_heights(header, anchor)
    _check_sets(header, anchor)
    _check_claimed_trust(header, anchor)
    _check_signed(header, anchor, asks_trusted=True)
    return header


def check_times(header: Header, trusted: ConsensusState, client: ClientState, now_ns: int) -> None:
    """
    Check a header's time against the trusted one and against this ledger's chain time.

    Raises:
        HeaderRefused: The trusted state is expired, or the header is not later than it, or too
            far ahead of *now_ns*.
    """
    if is_expired(trusted.time_ns, client.trusting_period_ns, now_ns):
        raise HeaderRefused("trusted header is expired")
    if header.time_ns <= trusted.time_ns:
        raise HeaderRefused("header is not later than the trusted one")
    if header.time_ns >= now_ns + client.max_clock_drift_ns:
        raise HeaderRefused("header is from the future")


def check_commit(chain_id: str, signed: SignedHeader, validators: ValidatorSet) -> None:
    """
    Check that more than two thirds of *validators* signed this very header.

    Every signature given is checked, for nil too, as full nodes do; one bad one refuses all.

    Raises:
        HeaderRefused: They did not.
    """
    _check_block(chain_id, signed, validators)
    commit = signed.commit
    for entry, validator in zip(commit.signatures, validators.validators, strict=True):
        if entry.flag == ABSENT_FLAG:
            continue
        block_id = commit.block_id if entry.flag == COMMIT_FLAG else None
        vote = vote_bytes(chain_id, commit.height, commit.round, block_id, entry.time_ns)
        if not is_valid_signature(validator.public_key, vote, entry.signature):
            raise HeaderRefused(f"bad signature: validator={validator.address.hex()}")


def _check_signed(header: ClientHeader, anchor: Anchor, *, asks_trusted: bool) -> None:
    """
    Check signatures as light clients do: those of the trusted set first, because a set of its own
    making costs a liar nothing.
    """
    signed, validators = header.signed_header, header.validators
    _check_block(anchor.chain_id, signed, validators)
    ballot = Ballot(anchor.chain_id, signed.commit, validators)
    trust = (anchor.trust_numerator, anchor.trust_denominator)
    try:
        if asks_trusted and not ballot.is_signed_by_trusted(header.trusted_validators, *trust):
            raise HeaderRefused("too many odd signatures of trusted validators")
        if not ballot.is_signed_by_own(2, 3):
            raise HeaderRefused("too many odd signatures")
    except BadSignature as exc:
        raise HeaderRefused(f"bad signature: validator={exc}") from exc


def _check_block(chain_id: str, signed: SignedHeader, validators: ValidatorSet) -> None:
    """Check header, set and commit but for signatures: what they claim fits together."""
    header, commit = signed.header, signed.commit
    _check_form(chain_id, header)
    if commit.height != header.height or commit.block_id.hash != header.hash():
        raise HeaderRefused("commit is for another block")
    if not 0 <= commit.round < 1 << 31:
        raise HeaderRefused("commit's round out of range")
    if header.validators_hash != validators.hash():
        raise HeaderRefused("validator set is not the header's")
    if header.proposer_address not in {one.address for one in validators.validators}:
        raise HeaderRefused("proposer is not a validator")
    _check_tally(commit, validators)


def _check_tally(commit: Commit, validators: ValidatorSet) -> None:
    """More than two thirds claim to have signed; cheap, before any signature is checked."""
    if len(commit.signatures) != len(validators.validators):
        raise HeaderRefused("commit and validator set differ in length")
    tally = 0
    for entry, validator in zip(commit.signatures, validators.validators, strict=True):
        _check_entry(entry, validator.address)
        if entry.flag == COMMIT_FLAG:
            tally += validator.voting_power
    if tally * 3 <= validators.total_voting_power * 2:
        raise HeaderRefused(f"not enough signed: {tally} of {validators.total_voting_power}")


def _decode(raw: bytes) -> ClientHeader:
    try:
        return ClientHeader.decode(raw)
    except Malformed as exc:
        raise HeaderRefused(f"header malformed: {exc}") from exc


def _check_heights(header: ClientHeader, anchor: Anchor) -> None:
    if header.height.revision_number != anchor.height.revision_number:
        raise HeaderRefused("header of another revision")
    if header.height <= anchor.height:
        raise HeaderRefused(f"header not above its trusted height: height={header.height}")


def _check_form(chain_id: str, header: Header) -> None:
    if header.block_protocol != BLOCK_PROTOCOL:
        raise HeaderRefused(f"unknown block protocol: {header.block_protocol}")
    if header.chain_id != chain_id:
        raise HeaderRefused(f"header of another chain: {header.chain_id}")
    needed = (header.validators_hash, header.next_validators_hash, header.app_hash)
    if any(len(one) != _HASH_BYTES for one in needed):
        raise HeaderRefused("header lacks a hash")
    last = header.last_block_id
    others = (
        last.hash,
        last.parts_hash,
        header.last_commit_hash,
        header.data_hash,
        header.consensus_hash,
        header.last_results_hash,
        header.evidence_hash,
    )
    if any(len(one) not in {0, _HASH_BYTES} for one in others):
        raise HeaderRefused("header with a hash of another length")


def _check_sets(header: ClientHeader, anchor: Anchor) -> None:
    if header.trusted_validators.hash() != anchor.next_validators_hash:
        raise HeaderRefused("trusted validators are not those of the trusted height")
    for one in (header.validators, header.trusted_validators):
        members = one.validators
        if not 0 < len(members) <= VALIDATORS_MAX:
            raise HeaderRefused(f"number of validators out of range: {len(members)}")
        if len({member.public_key for member in members}) != len(members):
            raise HeaderRefused("a validator twice in a set")
        if any(member.voting_power < 1 for member in members):
            raise HeaderRefused("a validator without power")
        if one.total_voting_power > POWER_MAX:
            raise HeaderRefused("too much voting power")


def _check_claimed_trust(header: ClientHeader, anchor: Anchor) -> None:
    """More than the trust level of the trusted set's power claims to be behind the commit."""
    trusted = header.trusted_validators
    if trusted.total_voting_power * anchor.trust_numerator >= _INT64_COUNT:
        raise HeaderRefused("trust level's numerator too large for so much power")
    tally = claimed_power(header.signed_header.commit, trusted)
    if tally * anchor.trust_denominator <= trusted.total_voting_power * anchor.trust_numerator:
        raise NotEnoughTrust(f"not enough trust: {tally} of {trusted.total_voting_power}")


def _check_entry(entry: CommitSig, address: bytes) -> None:
    if entry.flag == ABSENT_FLAG:
        if entry != CommitSig(ABSENT_FLAG, b"", NO_TIME_NS, b""):
            raise HeaderRefused("absent validator says something")
        return
    if entry.flag not in {COMMIT_FLAG, NIL_FLAG}:
        raise HeaderRefused(f"unknown flag in commit: {entry.flag}")
    if entry.validator_address != address:
        raise HeaderRefused("commit is not in the order of the validator set")
    if not 0 < len(entry.signature) <= SIGNATURE_BYTES_MAX:
        raise HeaderRefused(f"signature of another length: bytes={len(entry.signature)}")
