"""What befalls a chaos world: faults of every kind, drawn so that no kind stays away for long."""

from __future__ import annotations

import random
from dataclasses import dataclass

HOST, ENGINE, POINT = "host killed", "engine killed", "fail point"
RELAYER, FROZEN = "relayer killed", "validator frozen"
WEIGHTS = {HOST: 3, ENGINE: 3, POINT: 4, RELAYER: 3, FROZEN: 2}
"""How often each kind comes in one deck."""
FAIL_POINTS = 10
"""CometBFT's own, from before the block is saved to after the state is."""


@dataclass(frozen=True)
class Fault:
    """One thing that is done to the world; what a kind does not need is drawn all the same."""

    kind: str
    calm_s: float
    """Seconds before it."""
    chain_id: str
    peer: int
    """Its place among the chain's peers."""
    fail_point: int
    away_s: float
    """Seconds until a relayer that was killed is started again."""


def faults(seed, peers):
    """
    Yield faults without end: the same seed yields the same ones in the same order, whatever they do
    to the world, and each shuffled deck has every kind as often as its weight says.

    Args:
        seed: Of all draws.
        peers: How many peers each chain has. Any may be hit; frozen is one that others can spare.
    """
    draws = random.Random(seed)
    everyone = [(chain_id, n) for chain_id, count in peers.items() for n in range(count)]
    spared = [(chain_id, n) for chain_id, n in everyone if peers[chain_id] > 3]
    while True:
        deck = [kind for kind, weight in WEIGHTS.items() for _ in range(weight)]
        draws.shuffle(deck)
        for kind in deck:
            chain_id, peer = draws.choice(spared if kind == FROZEN else everyone)
            yield Fault(
                kind,
                draws.uniform(0.2, 1.6),
                chain_id,
                peer,
                draws.randrange(FAIL_POINTS),
                draws.uniform(0.0, 2.0),
            )


def missing(told, kills):
    """
    Return what a story still lacks; nothing when it may end.

    Args:
        told: How often each kind has happened.
        kills: How many hosts and engines must have been killed, together.
    """
    lacks = [kind for kind in WEIGHTS if not told[kind]]
    if told[HOST] + told[ENGINE] < kills:
        lacks.append(f"{kills} hosts and engines killed")
    return lacks
