"""How much voting power a commit claims to have behind it. Checks no signature."""

from __future__ import annotations

from tieline.wire.cometbft import COMMIT_FLAG, Commit, ValidatorSet


def claimed_power(commit: Commit, validators: ValidatorSet) -> int:
    """Return the power of those of *validators* that are said to have signed, each once."""
    power = {one.address: one.voting_power for one in validators.validators}
    return sum(
        power.pop(entry.validator_address, 0)
        for entry in commit.signatures
        if entry.flag == COMMIT_FLAG
    )
