"""
Compile the Solidity contracts with npm's solc and write what ships: ABI, byte code, storage layout.

One compiler run a contract, with the sources that it imports and no others, so that a change to
one contract leaves the bytes of the rest alone. Called by ``make contracts``; ``--check`` compares.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "adapters/onchain/ethereum"
ARTIFACTS = ROOT / "adapters/tieline/ledgers/ethereum/artifacts"
CONTRACTS = FOLDER / "contracts.json"
RUNTIME_BYTES_MAX = 20_000
"""Below the ledger's own 24,576, so that a repair still fits."""
COMPILERS_AT_ONCE = 2
POLITENESS = 5
PACKAGES = ("@openzeppelin/contracts", "solc")
"""What decides the byte code besides our sources."""
IMPORT = re.compile(r'^\s*import\s[^"\';]*["\']([^"\']+)["\']', re.MULTILINE)
OUTPUTS = [
    "abi",
    "evm.bytecode.object",
    "evm.bytecode.linkReferences",
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.immutableReferences",
    "storageLayout",
]


def main() -> None:
    """Compile what is named, or all; write it or compare it."""
    is_check = "--check" in sys.argv
    wanted = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    contracts = json.loads(CONTRACTS.read_text(encoding="utf-8"))
    if unknown := sorted(set(wanted) - set(contracts)):
        sys.exit(f"tieline: not in {CONTRACTS.relative_to(ROOT)}: {', '.join(unknown)}")
    names = [name for name in contracts if name in (wanted or contracts)]
    require_tools()
    with ThreadPoolExecutor(COMPILERS_AT_ONCE) as pool:
        done = list(pool.map(lambda name: build(name, contracts[name], is_forced=is_check), names))
    stale = []
    for name, text in zip(names, done, strict=True):
        target = place_of(name, contracts[name])
        if is_check and (not target.exists() or text != target.read_text(encoding="utf-8")):
            stale.append(name)
        elif not is_check:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        runtime = len(json.loads(text)["deployedBytecode"]) // 2 - 1
        print(f"{name}: {runtime} bytes")
        if runtime > RUNTIME_BYTES_MAX:
            sys.exit(f"tieline: {name} is over {RUNTIME_BYTES_MAX} bytes; split it")
    if stale:
        sys.exit(f"tieline: stale: {', '.join(stale)}; run `make contracts` and commit the result")


def place_of(name: str, recipe: dict[str, Any]) -> Path:
    """Return where an artifact lies: with what ships, unless the recipe names a folder."""
    return (ROOT / recipe["folder"] if "folder" in recipe else ARTIFACTS) / f"{name}.json"


def require_tools() -> None:
    """Say what is missing, in words."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        sys.exit(
            "tieline: the contracts are compiled by npm's solc, and node or npm is not here; "
            "install Node 20 or newer. Nothing else needs it: byte code and ABI are committed."
        )
    if not (FOLDER / "node_modules/solc").exists():
        sys.exit(f"tieline: run `npm ci --ignore-scripts` in {FOLDER.relative_to(ROOT)} first")


def build(name: str, recipe: dict[str, Any], *, is_forced: bool) -> str:
    """Return the artifact's text; compiled again only if its sources or settings changed."""
    sources = dict(read_sources(recipe["source"]))
    package = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
    settings = {
        "evmVersion": "cancun",
        "metadata": {"appendCBOR": False, "bytecodeHash": "none"},
        "optimizer": {"enabled": True, "runs": recipe["runs"]},
        "viaIR": True,
    }
    identity: dict[str, Any] = {
        "contractName": name,
        "packages": {name: package["devDependencies"][name] for name in PACKAGES},
        "settings": settings,
        "sources": {
            path: sha256(text.encode()).hexdigest()
            for path, text in sources.items()
            if not path.startswith("node_modules")
        },
    }
    held = place_of(name, recipe)
    if not is_forced and held.exists():
        text = held.read_text(encoding="utf-8")
        known = json.loads(text)
        if all(known.get(key) == value for key, value in identity.items()):
            return text
    return (
        json.dumps(
            identity | compiled(name, recipe["source"], sources, settings), indent=1, sort_keys=True
        )
        + "\n"
    )


def compiled(
    name: str, source: str, sources: dict[str, str], settings: dict[str, Any]
) -> dict[str, Any]:
    """Compile one contract and return what ships of it."""
    task = {
        "language": "Solidity",
        "sources": {path: {"content": text} for path, text in sources.items()},
        "settings": settings
        | {
            "outputSelection": {"*": {"": ["ast"]}, source: {name: OUTPUTS}},
            "remappings": (FOLDER / "remappings.txt").read_text(encoding="utf-8").split(),
        },
    }
    run = subprocess.run(
        [str(FOLDER / "tools/solc"), "--standard-json"],
        input=json.dumps(task),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.nice(POLITENESS),
    )
    answer = json.loads(run.stdout)
    faults = [one for one in answer.get("errors", []) if one["severity"] != "info"]
    for fault in faults:
        print(fault["formattedMessage"], file=sys.stderr)
    if faults:
        sys.exit(f"tieline: {name} does not compile without warnings")
    contract = answer["contracts"][source][name]
    code = contract["evm"]["deployedBytecode"]
    assert not contract["evm"]["bytecode"]["linkReferences"], "libraries are internal"
    names = {
        str(node["id"]): node["name"]
        for unit in answer["sources"].values()
        for node in walk(unit.get("ast"))
        if node.get("nodeType") == "VariableDeclaration"
    }
    return {
        "abi": sorted(contract["abi"], key=lambda one: (one["type"], one.get("name", ""))),
        "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
        "deployedBytecode": "0x" + code["object"],
        "immutableReferences": {
            names[number]: places for number, places in code.get("immutableReferences", {}).items()
        },
        "storageLayout": layout(contract["storageLayout"]),
    }


def layout(storage: dict[str, Any]) -> list[dict[str, Any]]:
    """Return name, slot, offset and type of each variable, without the syntax tree's numbers."""
    types = storage["types"] or {}
    return [
        {
            "label": one["label"],
            "slot": int(one["slot"]),
            "offset": one["offset"],
            "type": types[one["type"]]["label"],
        }
        for one in storage["storage"]
    ]


def walk(node: object) -> Iterator[dict[str, Any]]:
    """Yield every node of a syntax tree."""
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from walk(child)
    elif isinstance(node, list):
        for child in node:
            yield from walk(child)


def read_sources(first: str) -> Iterator[tuple[str, str]]:
    """Yield *first* and all that it imports, by the names the compiler knows them by."""
    remappings = dict(
        line.split("=", 1)
        for line in (FOLDER / "remappings.txt").read_text(encoding="utf-8").split()
    )
    waiting, seen = [first], {first}
    while waiting:
        path = waiting.pop()
        text = (FOLDER / path).read_text(encoding="utf-8")
        yield path, text
        for named in IMPORT.findall(text):
            found = resolve(path, named, remappings)
            if found not in seen:
                seen.add(found)
                waiting.append(found)


def resolve(importer: str, named: str, remappings: dict[str, str]) -> str:
    """Return the path under the contracts' folder that an import means."""
    if named.startswith("."):
        return os.path.normpath(Path(importer).parent / named)
    for prefix, target in remappings.items():
        if named.startswith(prefix):
            return target + named.removeprefix(prefix)
    sys.exit(f"tieline: {importer} imports {named}, which remappings.txt does not know")


if __name__ == "__main__":
    main()
