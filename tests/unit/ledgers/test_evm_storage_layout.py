"""
The storage of the application on an EVM ledger: one layout in App and its modules, and the page
that tells operators about it says the same as the compiler.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ARTIFACTS = ROOT / "adapters/tieline/ledgers/ethereum/artifacts"
ROW = re.compile(r"^\| (\d+) \| `(_\w+)` \|", re.MULTILINE)


def layout_of(name: str) -> list[tuple[int, int, str, str]]:
    content = json.loads((ARTIFACTS / f"{name}.json").read_text(encoding="utf-8"))
    return [
        (one["slot"], one["offset"], one["label"], one["type"]) for one in content["storageLayout"]
    ]


@pytest.mark.parametrize("module", ["Trade", "Exits", "Book"])
def test_a_module_and_the_front_see_the_same_storage(module: str) -> None:
    assert layout_of(module) == layout_of("App")


def test_the_page_lists_every_slot_of_the_front() -> None:
    page = (ROOT / "docs/ethereum.md").read_text(encoding="utf-8")
    told = [(int(slot), name) for slot, name in ROW.findall(page)]
    assert told == [(slot, label) for slot, _, label, _ in layout_of("App")]
