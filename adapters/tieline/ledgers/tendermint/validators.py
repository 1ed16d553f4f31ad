"""
Validators in one process: ed25519 keys that take turns to propose and sign every block.

Sources:
    CometBFT 0.38 ``types/validator_set.go`` (proposer selection), ``types/canonical.go``.
"""

from __future__ import annotations

from collections.abc import Sequence

from nacl.signing import SigningKey

from tieline.wire.cometbft import (
    COMMIT_FLAG,
    BlockId,
    Commit,
    CommitSig,
    Validator,
    ValidatorSet,
)
from tieline.wire.votes import vote_bytes

VOTING_POWER = 10
"""Each validator's; with equal powers turns go round in the order of addresses."""


class Validators:
    """A fixed set of equal validators."""

    def __init__(self, seeds: Sequence[bytes]) -> None:
        """Take 32 secret bytes a validator, at least one, no two alike."""
        keys = [SigningKey(seed) for seed in seeds]
        by_address = {Validator(key.verify_key.encode(), 1).address: key for key in keys}
        assert 0 < len(by_address) == len(seeds), "validators not unique, or none"
        self._keys = [by_address[address] for address in sorted(by_address)]
        members = tuple(Validator(key.verify_key.encode(), VOTING_POWER) for key in self._keys)
        self.set = ValidatorSet(members, members[0])
        self.hash = self.set.hash()

    def proposer(self, height: int) -> bytes:
        """Return the address of the validator whose turn *height* is."""
        members = self.set.validators
        return members[(height - 1) % len(members)].address

    def sign(self, chain_id: str, height: int, block_id: BlockId, time_ns: int) -> Commit:
        """Return the commit of all validators, in round 0, their votes cast at *time_ns*."""
        vote = vote_bytes(chain_id, height, 0, block_id, time_ns)
        signatures = tuple(
            CommitSig(COMMIT_FLAG, member.address, time_ns, key.sign(vote).signature)
            for member, key in zip(self.set.validators, self._keys, strict=True)
        )
        return Commit(height, 0, block_id, signatures)
