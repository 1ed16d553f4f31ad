"""A compiled contract on a bare EVM, called by the names of its ABI."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from fakes.bare_evm import BareEvm, Called
from tieline.wire.evm.abi_types import Tuple, parse_type
from tieline.wire.hashes import keccak

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "adapters/tieline/ledgers/ethereum/artifacts"
PROBES = ROOT / "tests/fakes/contracts"
ANYBODY = b"\x0a" * 20


def artifact(name: str, folder: Path = SHIPPED) -> dict[str, Any]:
    """Read a compiled contract."""
    content: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return content


def plain(value: Any) -> Any:
    """Records as tuples, numbers of enumerations as numbers: what ABI types take."""
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(plain(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, list | tuple):
        return tuple(plain(one) for one in value)
    return value


class Abi:
    """Functions and errors of a contract, by name."""

    def __init__(self, entries: Sequence[Mapping[str, Any]]) -> None:
        self.functions: dict[str, tuple[bytes, Tuple, Tuple]] = {}
        self.errors: dict[bytes, tuple[str, Tuple]] = {}
        for entry in entries:
            if entry["type"] not in {"function", "error"}:
                continue
            arguments = _tuple(entry["inputs"])
            selector = keccak(f"{entry['name']}{arguments.name}".encode())[:4]
            if entry["type"] == "error":
                self.errors[selector] = entry["name"], arguments
            else:
                self.functions[entry["name"]] = selector, arguments, _tuple(entry["outputs"])

    def encode(self, name: str, *values: Any) -> bytes:
        """Return calldata."""
        selector, arguments, _ = self.functions[name]
        return selector + arguments.encode(plain(values))

    def decode(self, name: str, output: bytes) -> Any:
        """Return what a function returned; alone if it is one value."""
        values = self.functions[name][2].decode(output)
        return values[0] if len(values) == 1 else values

    def error(self, output: bytes) -> tuple[str, tuple[Any, ...]]:
        """Return the name and the facts of a custom error; empty if it is none of ours."""
        known = self.errors.get(output[:4])
        if known is None:
            return "", ()
        return known[0], known[1].decode(output[4:])


def _name(entry: Mapping[str, Any]) -> str:
    kind: str = entry["type"]
    if not kind.startswith("tuple"):
        return kind
    inside = ",".join(_name(one) for one in entry["components"])
    return f"({inside}){kind.removeprefix('tuple')}"


def _tuple(entries: Sequence[Mapping[str, Any]]) -> Tuple:
    return Tuple([parse_type(_name(entry)) for entry in entries])


class Contract:
    """One contract at its address."""

    def __init__(self, evm: BareEvm, address: bytes, abi: Abi) -> None:
        self.evm = evm
        self.address = address
        self.abi = abi

    @classmethod
    def create(
        cls, evm: BareEvm, compiled: Mapping[str, Any], *values: Any, sender: bytes = ANYBODY
    ) -> Contract:
        """Deploy with constructor arguments."""
        inputs = [entry for entry in compiled["abi"] if entry["type"] == "constructor"]
        arguments = _tuple(inputs[0]["inputs"]).encode(plain(values)) if inputs else b""
        code = bytes.fromhex(compiled["bytecode"].removeprefix("0x"))
        return cls(evm, evm.deploy(sender, code + arguments), Abi(compiled["abi"]))

    def ask(self, name: str, *values: Any) -> Any:
        """Call without effect; it must not revert."""
        return self.abi.decode(name, self.evm.view(self.address, self.abi.encode(name, *values)))

    def send(self, sender: bytes, name: str, *values: Any, gas: int = 29_000_000) -> Called:
        """Call as a transaction of its own."""
        return self.evm.call(sender, self.address, self.abi.encode(name, *values), gas)
