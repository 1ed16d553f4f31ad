"""What it costs to believe a header: adjacent and skipping, with 4 and with 100 validators."""

from __future__ import annotations

import asyncio

from clock import best_us, report

from tieline.contract.genesis import Genesis
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.light_clients.tendermint.messages import ClientState, ConsensusState
from tieline.light_clients.tendermint.verifier import Anchor, verify_header
from tieline.protocol.height import Height
from tieline.wire.hashes import sha256

START_S = 1_800_000_000
REVISION = 1
ROUNDS = 7
REPEATS = 40
WAYS = {"adjacent": 2, "skipping": 4}


def ledger_of(validators: int) -> EmbeddedTendermint:
    """Return a ledger of four blocks."""
    genesis = Genesis(f"bench-{REVISION}", b"\xee" * 32, b"\x01" * 20, (b"\x01" * 20,))
    seeds = [sha256(f"validator {number}".encode()) for number in range(validators)]
    ledger = EmbeddedTendermint(genesis, seeds)
    for number in range(4):
        assert ledger.produce_block(START_S + 5 * number, is_deadline=True)
    return ledger


def measure(validators: int) -> None:
    """Verify again and again; nothing is remembered between calls."""
    ledger = ledger_of(validators)
    client, consensus = ledger.client_states(1)
    trusted = ConsensusState.decode(consensus.value)
    anchor = Anchor.of(ClientState.decode(client.value), Height(REVISION, 1), trusted)
    for way, height in WAYS.items():
        raw = asyncio.run(ledger.header(height, 1)).value
        took = best_us(ROUNDS, lambda data, a=anchor: verify_header(data, a), [raw] * REPEATS)
        report(
            f"header.{way}.{validators}_validators",
            took,
            "us",
            header_bytes=len(raw),
            signatures=validators,
            clock="CPU, best of rounds",
        )


def main() -> None:
    """Measure a small set and a large one."""
    for validators in (4, 100):
        measure(validators)


if __name__ == "__main__":
    main()
