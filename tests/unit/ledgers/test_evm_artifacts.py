"""
The committed byte code is that of the committed sources, as far as can be told without a compiler;
``make contracts CHECK=1`` compiles and compares.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "adapters/onchain/ethereum"
ARTIFACTS = "adapters/tieline/ledgers/ethereum/artifacts"
CONTRACTS = json.loads((FOLDER / "contracts.json").read_text(encoding="utf-8"))
PACKAGES = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))["devDependencies"]
SHIPPED = [name for name, recipe in CONTRACTS.items() if "folder" not in recipe]


def artifact_of(name: str) -> dict[str, Any]:
    folder = CONTRACTS[name].get("folder", ARTIFACTS)
    content: dict[str, Any] = json.loads((ROOT / folder / f"{name}.json").read_text("utf-8"))
    return content


@pytest.mark.parametrize("name", CONTRACTS)
def test_byte_code_was_made_of_these_sources_and_packages(name: str) -> None:
    artifact = artifact_of(name)
    now = {path: sha256((FOLDER / path).read_bytes()).hexdigest() for path in artifact["sources"]}
    assert now == artifact["sources"], "run `make contracts` and commit the result"
    assert CONTRACTS[name]["source"] in artifact["sources"]
    assert artifact["settings"]["optimizer"]["runs"] == CONTRACTS[name]["runs"]
    assert {package: PACKAGES[package] for package in artifact["packages"]} == artifact["packages"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_contract_has_room_left_for_a_repair(name: str) -> None:
    assert len(artifact_of(name)["deployedBytecode"]) // 2 - 1 < 20_000


def test_nothing_ships_that_is_not_compiled_here() -> None:
    there = {path.stem for path in (ROOT / ARTIFACTS).glob("*.json")}
    assert there == set(SHIPPED)
