"""
The light client's rules in the order of the specification and without any haste: what
``verify_header`` and the client's clock must come to. Sets and commits as plain lists.

Sources:
    ICS-07; CometBFT ``spec/light-client``.
"""

from __future__ import annotations

from fractions import Fraction

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from tieline.wire.votes import vote_bytes


def _is_signed(case, entry, key):
    commit = case.header.signed_header.commit
    vote = vote_bytes(
        case.state.chain_id, commit.height, commit.round, commit.block_id, entry.time_ns
    )
    try:
        VerifyKey(key).verify(vote, entry.signature)
    except (BadSignatureError, ValueError):
        return False
    return True


def _has_enough(case, pairs, total, part):
    """Go through (validator, entry) until more than *part* of *total* has signed."""
    tally = 0
    for validator, entry in pairs:
        if not _is_signed(case, entry, validator.public_key):
            return False
        tally += validator.voting_power
        if Fraction(tally) > part * total:
            return True
    return False


def _is_well_formed(case):
    header, commit = case.header.signed_header.header, case.header.signed_header.commit
    members = case.header.validators.validators
    return (
        header.block_protocol == 11
        and header.chain_id == case.state.chain_id
        and commit.height == header.height
        and commit.block_id.hash == header.hash()
        and case.header.validators.hash() == header.validators_hash
        and case.header.trusted_validators.hash() == case.consensus.next_validators_hash
        and len(commit.signatures) == len(members)
        and all(
            (one.flag == 1 and not one.signature and not one.validator_address)
            or (one.flag in {2, 3} and 1 <= len(one.signature) <= 64)
            for one in commit.signatures
        )
    )


def _is_in_time(case):
    header, trusted = case.header.signed_header.header, case.consensus.time_ns
    return (
        trusted + case.state.trusting_period_ns > case.now_ns
        and header.time_ns > trusted
        and header.time_ns < case.now_ns + case.state.max_clock_drift_ns
        and header.height > case.header.trusted_height.revision_height
    )


def is_to_be_believed(case):
    """Say whether the client must take the header."""
    if not (_is_well_formed(case) and _is_in_time(case)):
        return False
    shown = case.header
    entries = shown.signed_header.commit.signatures
    votes = [(one, vote) for one, vote in zip(shown.validators.validators, entries, strict=True)]
    votes = [(one, vote) for one, vote in votes if vote.flag == 2]
    total = sum(one.voting_power for one in shown.validators.validators)
    if shown.height.revision_height == shown.trusted_height.revision_height + 1:
        if shown.validators.hash() != case.consensus.next_validators_hash:
            return False
    else:
        trusted = {one.address: one for one in shown.trusted_validators.validators}
        theirs = [(trusted[one.address], vote) for one, vote in votes if one.address in trusted]
        part = Fraction(case.state.trust_numerator, case.state.trust_denominator)
        power = sum(one.voting_power for one in trusted.values())
        if not _has_enough(case, theirs, power, part):
            return False
    return _has_enough(case, votes, total, Fraction(2, 3))
