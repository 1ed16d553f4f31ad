"""
Whose signatures are behind a commit: by how much of which set, looked at no further than needed.

As CometBFT's light client: only votes for the block, in the order of the commit, until enough
power is behind it. One bad signature among those that are looked at refuses the commit; those
behind are not looked at and count for nothing.

Sources:
    CometBFT ``types/validation.go`` (VerifyCommitLight, VerifyCommitLightTrusting).
"""

from __future__ import annotations

from collections.abc import Iterable

from tieline.light_clients.tendermint.ed25519 import SignatureJudge, SignatureVerdict
from tieline.wire.cometbft import COMMIT_FLAG, Commit, ValidatorSet, encode_time
from tieline.wire.proto_fields import delimited, message_field
from tieline.wire.votes import vote_ends


class BadSignature(Exception):
    """A signature that was looked at is bad; carries the validator's address."""


class Ballot:
    """The votes of one commit; each signature is checked once at most."""

    def __init__(self, chain_id: str, commit: Commit, validators: ValidatorSet) -> None:
        """Take a commit whose entries are those of *validators*, in their order."""
        self._entries = commit.signatures
        self._members = validators.validators
        self._head, self._tail = vote_ends(chain_id, commit.height, commit.round, commit.block_id)
        self._judge = SignatureJudge()
        self._verdicts: dict[int, SignatureVerdict] = {}

    def is_signed_by_own(self, numerator: int, denominator: int) -> bool:
        """
        Tell whether more than this part of its own set's power is behind the commit.

        Raises:
            BadSignature: See there.
        """
        votes = ((index, member.voting_power) for index, member in enumerate(self._members))
        total = sum(member.voting_power for member in self._members)
        return self._is_reached(votes, total * numerator // denominator)

    def is_signed_by_trusted(self, trusted: ValidatorSet, numerator: int, denominator: int) -> bool:
        """
        Tell whether more than this part of *trusted*'s power is behind the commit.

        Raises:
            BadSignature: See there.
        """
        powers = {one.address: one.voting_power for one in trusted.validators}
        votes = (
            (index, powers[entry.validator_address])
            for index, entry in enumerate(self._entries)
            if entry.validator_address in powers
        )
        return self._is_reached(votes, trusted.total_voting_power * numerator // denominator)

    def _is_reached(self, votes: Iterable[tuple[int, int]], power: int) -> bool:
        tally = 0
        for index, weight in votes:
            if self._entries[index].flag != COMMIT_FLAG:
                continue
            verdict = self._verdicts.get(index) or self._look_at(index)
            if verdict is SignatureVerdict.BAD:
                raise BadSignature(self._members[index].address.hex())
            if verdict is SignatureVerdict.GOOD:
                tally += weight
                if tally > power:
                    return True
        return False

    def _look_at(self, index: int) -> SignatureVerdict:
        entry = self._entries[index]
        vote = self._head + message_field(5, encode_time(entry.time_ns)) + self._tail
        verdict = self._judge.judge(
            self._members[index].public_key, delimited(vote), entry.signature
        )
        self._verdicts[index] = verdict
        return verdict
