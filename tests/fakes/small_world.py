"""
A small scenario and what the tests of whole runs read from its folder: balances, blocks, locks.

Two microgrids and the operator on feeder 1, ten energy cells, trades at all three levels.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tieline.contract.accounts import pay_key
from tieline.contract.block import Application
from tieline.contract.books import Books, audit_books
from tieline.contract.genesis import Genesis
from tieline.contract.records import LockRecord, decode_lock, decode_order
from tieline.interfaces.ledger import BlockEvents
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.scenario.config import ScenarioConfig
from tieline.scenario.parties import parties_of
from tieline.scenario.world import key_ring
from tieline.swap.evidence import SlotEvidence
from tieline.swap.lock import TERMINAL
from tieline.wire.canonical_json import parse

PAY_KEY_BYTES = 22

SMALL: dict[str, Any] = {
    "scenario": "small",
    "seed": 7,
    "start_utc": "2016-01-18T13:00:00Z",
    "slot_count": 2,
    "reproducible_keys": True,
    "network": {"case": "cigre_mv_feeder_1", "load_scaling": 0.385},
    "profiles": {"week": "winter"},
    "operator": {"name": "grid", "chain_id": "grid-1", "buses": [1, 2, 3, 8]},
    "microgrids": [
        {
            "name": "A",
            "chain_id": "mg-a",
            "buses": [4, 5, 6],
            "energy_cells": [
                {
                    "id": "a-home",
                    "kind": "household",
                    "count": 3,
                    "buses": [4, 5, 6],
                    "rating_kw": [12, 24],
                    "profile": ["H0-A", "H0-B"],
                    "price_max_micro_eur_per_kwh": [330_000, 420_000],
                },
                {
                    "id": "a-chp",
                    "kind": "chp",
                    "buses": [4],
                    "rating_kw": 4,
                    "profile": ["BM1"],
                    "price_min_micro_eur_per_kwh": 130_000,
                },
                {"id": "a-depot", "kind": "device", "buses": [6], "rating_kw": 1500},
            ],
        },
        {
            "name": "B",
            "chain_id": "mg-b",
            "buses": [7, 9, 10, 11],
            "energy_cells": [
                {
                    "id": "b-shop",
                    "kind": "commercial",
                    "count": 2,
                    "buses": [7],
                    "rating_kw": [8, 20],
                    "profile": ["G1-A", "G2-A"],
                    "price_max_micro_eur_per_kwh": [340_000, 450_000],
                },
                {
                    "id": "b-hydro",
                    "kind": "hydro",
                    "buses": [10],
                    "rating_kw": 60,
                    "profile": ["Hydro1"],
                    "price_min_micro_eur_per_kwh": 100_000,
                },
                {"id": "b-electrolyser", "kind": "device", "buses": [7], "rating_kw": 1500},
            ],
        },
    ],
    "events": [],
}


def small(**changes: object) -> ScenarioConfig:
    """Return the small scenario with some keys of its first level replaced."""
    return ScenarioConfig.model_validate({**copy.deepcopy(SMALL), **changes})


def small_with_c(**changes: object) -> ScenarioConfig:
    """Return the small scenario with a third microgrid: four cells, of which three are a quorum."""
    first, second = copy.deepcopy(SMALL["microgrids"])
    second["buses"] = [7, 9]
    second["energy_cells"][1]["buses"] = [9]
    third = {
        "name": "C",
        "chain_id": "mg-c",
        "buses": [10, 11],
        "energy_cells": [
            {
                "id": "c-farm",
                "kind": "commercial",
                "buses": [11],
                "rating_kw": 9,
                "profile": ["L0-A"],
                "price_max_micro_eur_per_kwh": 350_000,
            }
        ],
    }
    return small(**{"microgrids": [first, second, third], **changes})


def dispatch(cell: str, kilowatt: float, slots: Sequence[int] = (0,), price: int = 450_000) -> Any:
    """Return an event: a device asks the main grid for power."""
    return {
        "event": "dispatch",
        "slots": list(slots),
        "cell": cell,
        "power_kw": kilowatt,
        "levels": ["GRID"],
        "price_micro_eur_per_kwh": price,
    }


@dataclass(frozen=True, slots=True)
class SeenLedger:
    """One ledger of a run folder, executed again from its blocks."""

    application: Application
    blocks: Sequence[BlockEvents]
    heights: Sequence[int]
    """Of the stored blocks, as they lie in the file."""

    @property
    def books(self) -> Books:
        """Where all money is."""
        return audit_books(self.scan)

    @property
    def issued(self) -> int:
        """What genesis made, nano-EUR."""
        genesis = self.application.genesis
        return sum(amount for _, amount in (*genesis.balances, *genesis.vaults))

    @property
    def balances(self) -> Mapping[str, int]:
        """PAY by account, and parts of vaults by key, nano-EUR; sequences are left out."""
        rows = {
            key.hex(): int.from_bytes(value, "big")
            for key, value in self.scan(b"a")
            if key[-1] == 0 and len(key) == PAY_KEY_BYTES
        }
        return rows | {key.hex(): int.from_bytes(value, "big") for key, value in self.scan(b"w")}

    @property
    def locks(self) -> Sequence[LockRecord]:
        """All locks, by lock id."""
        return [decode_lock(raw) for _, raw in self.scan(b"l")]

    @property
    def orders(self) -> Mapping[str, int]:
        """Number of orders by status."""
        names = [decode_order(raw).status.name for _, raw in self.scan(b"o")]
        return {name: names.count(name) for name in sorted(set(names))}

    def scan(self, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """Return all pairs of store ``tieline`` under *prefix*."""
        return list(self.application.scan("tieline", prefix))

    def pay(self, account: bytes) -> int:
        """PAY of one account, nano-EUR."""
        return int.from_bytes(self.application.query("tieline", pay_key(account)) or b"", "big")

    def events(self, kind: str) -> list[Mapping[str, str]]:
        """Return the attributes of all events of a kind, in the order of the blocks."""
        return [
            dict(event.attributes)
            for block in self.blocks
            for transaction in block.transactions
            if transaction.code == 0
            for event in transaction.events
            if event.type == kind
        ]

    def refusals(self) -> list[str]:
        """Return why transactions failed in a block."""
        return [tx.log for block in self.blocks for tx in block.transactions if tx.code]


def ledgers_of(
    run: Path, config: ScenarioConfig, keys: Path | None = None
) -> dict[str, SeenLedger]:
    """Execute the blocks of *run* again; every commit and app hash is checked on the way."""
    seen: dict[str, SeenLedger] = {}
    for party in parties_of(config, key_ring(config, keys if keys is not None else run / "keys")):
        folder = run / "ledgers" / party.ledger_id
        genesis = Genesis.from_bytes((folder / "genesis.json").read_bytes())
        ledger = EmbeddedTendermint(genesis, party.validator_seeds, folder)
        ledger.resume()
        blocks = asyncio.run(ledger.blocks_after(0, 10**6))
        heights = [stored.block.header.height for stored in ledger.blocks]
        seen[party.ledger_id] = SeenLedger(ledger.application, blocks, heights)
        ledger.close()
    return seen


def evidence_of(run: Path) -> dict[int, SlotEvidence]:
    """Return what the cells published, by slot start."""
    paths = sorted((run / "evidence").glob("*.json"))
    return {int(path.stem): parse(SlotEvidence, path.read_bytes()) for path in paths}


def blocks_bin(run: Path) -> dict[str, bytes]:
    """Return the blocks of every ledger as they lie in the file."""
    return {
        path.parent.name: path.read_bytes() for path in sorted(run.glob("ledgers/*/blocks.bin"))
    }


def assert_all_money_came_back(seen: Mapping[str, SeenLedger]) -> None:
    """At the end nothing is escrowed or locked any more, and no money was made or lost."""
    for name, ledger in seen.items():
        books = ledger.books
        assert books.total == ledger.issued, name
        assert (books.escrows, books.locks) == (0, 0), name
        assert all(lock.status in TERMINAL for lock in ledger.locks), name
