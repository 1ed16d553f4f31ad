"""
Headers by drawn sets of validators, well and badly signed, shown to clients in drawn states.

A case is made from choices alone, so that it can be drawn by number (for answers that CometBFT
gave) or by hypothesis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256

from fakes.signing_chain import SECOND, START_NS, SigningChain
from tieline.light_clients.tendermint.messages import ClientHeader, ClientState, ConsensusState
from tieline.protocol.height import Height
from tieline.wire.cometbft import (
    ABSENT_FLAG,
    COMMIT_FLAG,
    NO_TIME_NS,
    Commit,
    CommitSig,
    SignedHeader,
    Validator,
    ValidatorSet,
)

HEADER_CASES = 400
POOL = 8
TRUSTED_HEIGHT = 10
PERIOD_NS = 1_000 * SECOND
DRIFT_NS = 10 * SECOND
POWERS = (1, 1, 2, 3, 10, 10**6)
TRUSTS = ((1, 3), (1, 3), (1, 3), (1, 2), (2, 3), (1, 1))

Choose = Callable[[int], int]
"""Returns a number below the one it is given; 0 is the dull choice."""


@dataclass(frozen=True)
class HeaderCase:
    """What a client holds and is shown."""

    state: ClientState
    consensus: ConsensusState
    header: ClientHeader
    now_ns: int
    is_beyond_cometbft: bool
    """We refuse it on grounds that CometBFT does not look at; no honest chain gives them."""


@lru_cache(maxsize=1)
def _chain():
    chain = SigningChain()
    for number in range(POOL):
        chain.validator_set((1,), salt=100 + number)
    return chain


@lru_cache(maxsize=1)
def _keys():
    return [
        _chain().validator_set((1,), salt=100 + n).validators[0].public_key for n in range(POOL)
    ]


def _draw_set(choose: Choose, like: ValidatorSet | None = None) -> ValidatorSet:
    """Return a set; one *like* another shares most of its members."""
    powers = {}
    for number, key in enumerate(_keys()):
        held = [one for one in like.validators if one.public_key == key] if like else []
        if held and choose(4):
            powers[key] = held[0].voting_power
        elif ((held or not like) and choose(3) != 1) or (like and not held and choose(5) == 1):
            powers[key] = POWERS[choose(len(POWERS))]
        if not powers and number == POOL - 1:
            powers[key] = 1
    if choose(40) == 1:
        powers[next(iter(powers))] = 0
    members = [Validator(key, power) for key, power in powers.items()]
    members.sort(key=lambda one: (-one.voting_power, one.address))
    return ValidatorSet(tuple(members), members[0])


def _spoil_entries(choose: Choose, entries: list[CommitSig]) -> bool:
    """Spoil what was signed; return whether CometBFT may look away where we do not."""
    is_beyond = False
    for index, entry in enumerate(entries):
        if entry.flag != COMMIT_FLAG:
            continue
        kind = choose(25)
        if kind == 1:
            entries[index] = replace(entry, signature=entry.signature[:-1] + b"\x00")
        elif kind == 2:
            entries[index] = replace(entry, time_ns=entry.time_ns + 1)
        elif kind == 3:
            entries[index] = replace(entry, signature=(b"", bytes(63), bytes(65))[choose(3)])
        elif kind == 4 and len(entries) > 1:
            entries[index] = entries[index - 1]
            is_beyond = True
        elif kind == 5 and choose(6) == 1:
            entries[index] = CommitSig(ABSENT_FLAG, b"", NO_TIME_NS, entry.signature)
    return is_beyond


def _signed(choose: Choose, header, validators) -> tuple[SignedHeader, bool]:
    quiet = choose(2)
    silent = {n for n in range(len(validators.validators)) if quiet == 1 and choose(4) == 1}
    for_nil = {n for n in range(len(validators.validators)) if quiet == 1 and choose(4) == 1}
    signed = _chain().signed(header, validators, silent=silent, for_nil=for_nil - silent)
    entries = list(signed.commit.signatures)
    is_beyond = _spoil_entries(choose, entries) if choose(3) == 1 else False
    commit = replace(signed.commit, signatures=tuple(entries))
    kind = choose(30)
    if kind == 1:
        commit = replace(commit, height=commit.height + 1)
    elif kind == 2:
        commit = replace(commit, block_id=replace(commit.block_id, hash=bytes(32)))
    elif kind == 3:
        commit = Commit(commit.height, commit.round, commit.block_id, commit.signatures[1:])
    return SignedHeader(header, commit), is_beyond


def _draw_times(choose: Choose, trusted_ns: int) -> tuple[int, int]:
    """Return the header's time and now, near the borders more often than not."""
    time_ns = trusted_ns + (5 * SECOND, 1, 900 * SECOND, 0, -1)[_seldom(choose, 5)]
    borders = (
        time_ns + SECOND,
        time_ns - DRIFT_NS,
        time_ns - DRIFT_NS + 1,
        trusted_ns + PERIOD_NS - 1,
        trusted_ns + PERIOD_NS,
    )
    return time_ns, borders[_seldom(choose, len(borders))]


def _seldom(choose: Choose, count: int) -> int:
    """Return 0 in most cases, else any number below *count*."""
    return choose(count) if choose(5) == 1 else 0


def make_case(choose: Choose) -> HeaderCase:
    """Make a case out of choices."""
    chain = _chain()
    numerator, denominator = TRUSTS[choose(len(TRUSTS))]
    height = TRUSTED_HEIGHT + (1, 2, 20, 2, 20, 2, 20, 0)[choose(8)]
    trusted = _draw_set(choose)
    is_same = choose(4) == 0 or (height == TRUSTED_HEIGHT + 1 and choose(5) > 0)
    validators = trusted if is_same else _draw_set(choose, like=trusted)
    trusted_ns = START_NS + TRUSTED_HEIGHT * SECOND
    time_ns, now_ns = _draw_times(choose, trusted_ns)
    header = chain.header(height, validators, time_ns=time_ns)
    if choose(40) == 1:
        header = replace(header, chain_id=("micro-2", "other-1")[choose(2)])
    if choose(40) == 1:
        header = replace(header, block_protocol=12)
    signed, is_beyond = _signed(choose, header, validators)
    shown_set = trusted if choose(40) == 1 else validators
    shown_trusted = validators if choose(40) == 1 else trusted
    if any(not one.voting_power for one in (*validators.validators, *trusted.validators)):
        is_beyond = True
    return HeaderCase(
        ClientState(
            chain.chain_id,
            numerator,
            denominator,
            PERIOD_NS,
            2 * PERIOD_NS,
            DRIFT_NS,
            Height(1, TRUSTED_HEIGHT),
        ),
        ConsensusState(trusted_ns, sha256(b"app").digest(), trusted.hash()),
        ClientHeader(signed, shown_set, Height(1, TRUSTED_HEIGHT), shown_trusted),
        now_ns,
        is_beyond,
    )


def draw_case(number: int) -> HeaderCase:
    """Make the case of this number."""
    drawn = 0

    def choose(count: int) -> int:
        nonlocal drawn
        drawn += 1
        digest = sha256(b"%d/%d" % (number, drawn)).digest()
        return int.from_bytes(digest[:8], "big") % count

    return make_case(choose)


def question(case: HeaderCase) -> dict[str, object]:
    """Return the case as the oracle takes it."""
    header = case.header
    return {
        "chain_id": case.state.chain_id,
        "signed_header": header.signed_header.encode().hex(),
        "validators": header.validators.encode().hex(),
        "trusted_validators": header.trusted_validators.encode().hex(),
        "trusted_height": header.trusted_height.revision_height,
        "trusted_time_ns": case.consensus.time_ns,
        "next_validators_hash": case.consensus.next_validators_hash.hex(),
        "trusting_period_ns": case.state.trusting_period_ns,
        "max_clock_drift_ns": case.state.max_clock_drift_ns,
        "now_ns": case.now_ns,
        "trust_numerator": case.state.trust_numerator,
        "trust_denominator": case.state.trust_denominator,
    }
