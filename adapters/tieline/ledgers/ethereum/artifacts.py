"""
The compiled contracts that ship with this package: byte code and ABI, one JSON file each.

Made by ``make contracts`` from ``adapters/onchain/ethereum``; read here, changed nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from tieline.wire.evm.abi_types import Tuple, parse_type
from tieline.wire.evm.declarations import Function

_FOLDER = "artifacts"


@dataclass(frozen=True, slots=True)
class Artifact:
    """One contract as it was compiled."""

    name: str
    abi: Sequence[Mapping[str, Any]]
    creation_code: bytes
    runtime_code: bytes
    """With zeros where immutables are written at birth."""
    immutables: tuple[tuple[int, int], ...]
    """Start and length of each place of an immutable in the runtime code."""

    def creation(self, *values: Any) -> bytes:
        """Return the data of a transaction that creates it, with the constructor's arguments."""
        inputs: list[Mapping[str, Any]] = [
            member for one in self.abi if one["type"] == "constructor" for member in one["inputs"]
        ]
        types = [parse_type(type_of(member)) for member in inputs]
        return self.creation_code + Tuple(types).encode(values)

    def is_code(self, code: bytes) -> bool:
        """Say whether deployed *code* is this contract's, whatever its immutables are."""
        if len(code) != len(self.runtime_code):
            return False
        blank = bytearray(code)
        for start, length in self.immutables:
            blank[start : start + length] = bytes(length)
        return bytes(blank) == self.runtime_code

    def errors(self) -> list[Function]:
        """Return its custom errors."""
        return [Function(declaration_of(one)) for one in self.abi if one["type"] == "error"]


@cache
def load_artifact(name: str) -> Artifact:
    """Return a shipped contract. Raises FileNotFoundError if there is none of that name."""
    folder = resources.files("tieline.ledgers.ethereum") / _FOLDER
    return read_artifact((folder / f"{name}.json").read_text(encoding="utf-8"))


def artifact_names() -> list[str]:
    """Return the names of all shipped contracts, ascending."""
    folder = resources.files("tieline.ledgers.ethereum") / _FOLDER
    return sorted(Path(one.name).stem for one in folder.iterdir() if one.name.endswith(".json"))


def read_artifact(text: str) -> Artifact:
    """Read an artifact file's text."""
    content = json.loads(text)
    places = content["immutableReferences"].values()
    return Artifact(
        name=content["contractName"],
        abi=content["abi"],
        creation_code=bytes.fromhex(content["bytecode"][2:]),
        runtime_code=bytes.fromhex(content["deployedBytecode"][2:]),
        immutables=tuple((one["start"], one["length"]) for group in places for one in group),
    )


def type_of(member: Mapping[str, Any]) -> str:
    """Return the canonical type of an ABI member, structs as tuples."""
    kind = str(member["type"])
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(type_of(one) for one in member["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


def declaration_of(entry: Mapping[str, Any]) -> str:
    """Return an ABI entry as ``wire.evm.declarations`` reads it."""
    members = (
        f"{type_of(one)}{' indexed' if one.get('indexed') else ''} {one['name'] or '_'}"
        for one in entry["inputs"]
    )
    return f"{entry['type']} {entry['name']}({','.join(members)})"
