"""
What it costs to believe a header, beside CometBFT's own light client in the same run: adjacent and
skipping, with 4 and with 100 validators.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path

from clock import at_most, best_us, report
from oracle import build_oracle

from tieline.contract.genesis import Genesis
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.light_clients.tendermint.messages import ClientHeader, ClientState, ConsensusState
from tieline.light_clients.tendermint.verifier import Anchor, verify_header
from tieline.protocol.height import Height
from tieline.wire import cometbft
from tieline.wire.hashes import sha256

START_S = 1_800_000_000
REVISION = 1
ROUNDS = 7
REPEATS = 40
WAYS = {"adjacent": 2, "skipping": 4}
TIMES_MAX = {4: None, 100: 6}
"""Asked for: at most so many times CometBFT's own time, on one core."""


def ledger_of(validators: int) -> EmbeddedTendermint:
    """Return a ledger of four blocks."""
    genesis = Genesis(f"bench-{REVISION}", b"\xee" * 32, b"\x01" * 20, (b"\x01" * 20,))
    seeds = [sha256(f"validator {number}".encode()) for number in range(validators)]
    ledger = EmbeddedTendermint(genesis, seeds)
    for number in range(4):
        assert ledger.produce_block(START_S + 5 * number, is_deadline=True)
    return ledger


def go_us(program: Path, header: ClientHeader, client: ClientState, trusted: ConsensusState):
    """Return what CometBFT takes on one core, from bytes and for the check alone."""
    question = {
        "chain_id": client.chain_id,
        "signed_header": header.signed_header.encode().hex(),
        "validators": header.validators.encode_without_total().hex(),
        "trusted_validators": header.trusted_validators.encode_without_total().hex(),
        "trusted_height": header.trusted_height.revision_height,
        "trusted_time_ns": trusted.time_ns,
        "next_validators_hash": trusted.next_validators_hash.hex(),
        "trusting_period_ns": client.trusting_period_ns,
        "max_clock_drift_ns": client.max_clock_drift_ns,
        "now_ns": header.signed_header.header.time_ns,
        "trust_numerator": client.trust_numerator,
        "trust_denominator": client.trust_denominator,
        "rounds": ROUNDS * REPEATS,
    }
    done = subprocess.run(
        [program, "time"],
        input=json.dumps(question) + "\n",
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "GOMAXPROCS": "1"},
    )
    found = json.loads(done.stdout)
    return found["from_bytes_ns"] / 1_000, found["verify_ns"] / 1_000


def measure(validators: int, program: Path | None) -> None:
    """Verify again and again; nothing is remembered between calls."""
    ledger = ledger_of(validators)
    client_state, consensus = ledger.client_states(1)
    client = ClientState.decode(client_state.value)
    trusted = ConsensusState.decode(consensus.value)
    anchor = Anchor.of(client, Height(REVISION, 1), trusted)

    def believe(raw: bytes) -> None:
        cometbft.forget_sets()
        verify_header(raw, anchor)

    for way, height in WAYS.items():
        raw = asyncio.run(ledger.header(height, 1)).value
        details = {"header_bytes": len(raw), "validators": validators}
        took = best_us(ROUNDS, believe, [raw] * REPEATS)
        name = f"header.{way}.{validators}_validators"
        report(name, took, "us", **details, clock="CPU, best of rounds")
        again = best_us(ROUNDS, lambda data: verify_header(data, anchor), [raw] * REPEATS)
        report(f"{name}.known_set", again, "us", **details, clock="CPU, best of rounds")
        if program is None:
            continue
        whole, check = go_us(program, ClientHeader.decode(raw), client, trusted)
        limit = TIMES_MAX[validators]
        report(
            f"{name}.times_cometbft",
            took / whole,
            "times",
            None if limit is None else at_most(limit),
            cometbft_us=round(whole),
            cometbft_check_alone_us=round(check),
            tieline_us=round(took),
        )


def main() -> None:
    """Measure a small set and a large one."""
    program = build_oracle()
    for validators in (4, 100):
        measure(validators, program)


if __name__ == "__main__":
    main()
