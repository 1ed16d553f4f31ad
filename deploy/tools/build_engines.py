"""
Builds the native engines of deploy/engines into the cache; `make ledgers` calls it.

An engine is a Go module that names one program of a pinned module, or has a small one of its own
over it; go.sum is committed, so what is built is what was reviewed. Foundry's programs come ready
made in npm packages, whose hashes are in the committed lock. Skips what is there and intact.

An engine with a driven clock is the same program but for one function: in a copy of CometBFT, whose
other files stay as they are, deploy/engines/clock/clock.go joins package types/time, and Now() asks
it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "relayer"))

from tieline.interfaces.engines import (  # noqa: E402 -- no environment is needed to build
    KINDS,
    MANIFEST,
    EngineKind,
    engines_folder,
    found_engines,
    is_intact,
)

ENGINES = ROOT / "deploy" / "engines"
PACKAGES = {
    "cometbft": "github.com/cometbft/cometbft/cmd/cometbft",
    "cometbft-driven": "github.com/cometbft/cometbft/cmd/cometbft",
    "simapp": ".",
    "geth": "github.com/ethereum/go-ethereum/cmd/geth",
    "fabric-peer": "github.com/hyperledger/fabric/cmd/peer",
    "fabric-orderer": "github.com/hyperledger/fabric/cmd/orderer",
    "fabric-configtxgen": "github.com/hyperledger/fabric/cmd/configtxgen",
    "anvil": "@foundry-rs/anvil-linux-amd64",
    "forge": "@foundry-rs/forge-linux-amd64",
}
NPM_FLAGS = ("--ignore-scripts", "--no-audit", "--no-fund", "--silent")
"""An install script would only put a launcher beside the program."""
CLOCK_SOURCE = ENGINES / "clock" / "clock.go"
CLOCK_PACKAGE = "github.com/cometbft/cometbft/types/time"
CLOCK_CALL = ("return Canonical(time.Now())", "return Canonical(drivenNow())")
"""What that package says, and what it says with the clock."""
FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false")
LINKING = {
    "fabric": "-s -w -X github.com/hyperledger/fabric/common/metadata.Version=v3.1.1",
}
"""What the linker is told, by module: a third smaller, and the programs know their version."""
POLITENESS = 5


def go_flags(kind: EngineKind) -> tuple[str, ...]:
    """Return what Go is told when it builds *kind*."""
    told = LINKING.get(kind.module)
    return FLAGS if told is None else (*FLAGS, "-ldflags", told)


def source_hash(kind: EngineKind) -> str:
    """Return the hash of all that decides what is built, but the compiler."""
    folder = ENGINES / kind.module
    if kind.is_packaged:
        sources = [folder / "package.json", folder / "package-lock.json"]
    else:
        sources = [folder / "go.mod", folder / "go.sum", *sorted(folder.glob("*.go"))]
    parts = [source.read_bytes() for source in sources]
    flags = NPM_FLAGS if kind.is_packaged else go_flags(kind)
    recipe = " ".join((PACKAGES[kind.name], *flags)).encode()
    if kind.is_clock_driven:
        parts += [CLOCK_SOURCE.read_bytes(), "\n".join((CLOCK_PACKAGE, *CLOCK_CALL)).encode()]
    return sha256(b"".join(sha256(part).digest() for part in (*parts, recipe))).hexdigest()


def lay_out(kind: EngineKind, work: Path) -> Path:
    """
    Return the folder to build in: the module's own, or a copy in which CometBFT has the clock.

    Go refuses to overlay files of its module cache, so the one package is changed in a copy of the
    module, which the copied module file names by a relative path; go.sum stands for the rest.
    """
    module = ENGINES / kind.module
    if not kind.is_clock_driven:
        return module
    copied = work / "module"
    shutil.copytree(module, copied)
    # Fetches the module if need be, against the committed sums.
    form = "{{.Module.Path}} {{.Module.Dir}} {{.Dir}}"
    listed = subprocess.run(
        ["go", "list", "-mod=readonly", "-f", form, CLOCK_PACKAGE],
        cwd=module,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    path, root, package = listed.stdout.split()
    shutil.copytree(root, copied / "driven", ignore=shutil.ignore_patterns("docs", "spec"))
    for part in [copied / "driven", *(copied / "driven").rglob("*")]:
        part.chmod(0o755 if part.is_dir() else 0o644)  # the module cache is read-only
    inside = copied / "driven" / Path(package).relative_to(root)
    was, becomes = CLOCK_CALL
    text = (inside / "time.go").read_text(encoding="utf-8")
    if text.count(was) != 1:
        sys.exit(f"tieline: {package}/time.go does not say `{was}` once; adapt CLOCK_CALL")
    (inside / "time.go").write_text(text.replace(was, becomes), encoding="utf-8")
    shutil.copyfile(CLOCK_SOURCE, inside / "tieline_clock.go")
    replaced = f"-replace={path}=./driven"
    subprocess.run(["go", "mod", "edit", replaced], cwd=copied, check=True)
    return copied


def compile_program(kind: EngineKind, work: Path) -> str:
    """Build one engine's program in *work*, and return with which compiler."""
    go = shutil.which("go")
    if go is None:
        sys.exit("tieline: Go is not here; install Go 1.25 or newer and run `make ledgers` again")
    subprocess.run(
        [go, "build", *go_flags(kind), "-o", str(work / kind.name), PACKAGES[kind.name]],
        cwd=lay_out(kind, work),
        check=True,
        preexec_fn=lambda: os.nice(POLITENESS),
    )
    version = subprocess.run([go, "version"], check=True, capture_output=True, text=True)
    return version.stdout.strip()


def unpack_program(kind: EngineKind, work: Path) -> str:
    """Take one engine's program out of its package, which the lock has the hash of."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("tieline: npm is not here; install Node.js 20 or newer and run it again")
    copied = work / "module"
    shutil.copytree(ENGINES / kind.module, copied, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run([npm, "ci", *NPM_FLAGS], cwd=copied, check=True)
    program = copied / "node_modules" / PACKAGES[kind.name] / "bin" / kind.name
    if not program.is_file():
        sys.exit(f"tieline: {kind.name} comes as {PACKAGES[kind.name]}, not for this machine")
    shutil.copy(program, work / kind.name)
    return f"package {PACKAGES[kind.name]}"


def build(kind: EngineKind, hashed: str) -> Path:
    """Make one engine; the folder appears whole or not at all."""
    folder = engines_folder() / kind.name / f"{kind.version}-{hashed[:12]}"
    work = folder.with_name(f".{folder.name}-{os.getpid()}")
    work.mkdir(parents=True)
    began = time.monotonic()
    try:
        make = unpack_program if kind.is_packaged else compile_program
        compiler = make(kind, work)
        manifest = {
            "name": kind.name,
            "version": kind.version,
            "package": PACKAGES[kind.name],
            "program": kind.name,
            "source_hash": hashed,
            "program_hash": sha256((work / kind.name).read_bytes()).hexdigest(),
            "compiler": compiler,
            "clock": "driven" if kind.is_clock_driven else "real",
        }
        shutil.rmtree(work / "module", ignore_errors=True)
        (work / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        work.rename(folder)
    except subprocess.CalledProcessError as exc:
        sys.exit(f"tieline: {kind.name} could not be made: exit code {exc.returncode}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"{kind.name} {kind.version}: made in {time.monotonic() - began:.0f} s, {folder}")
    return folder


def main() -> None:
    """Build what is missing or damaged."""
    for kind in KINDS:
        hashed = source_hash(kind)
        engine = found_engines().get(kind.name)
        if engine is not None and engine.source_hash == hashed and is_intact(engine):
            print(f"{kind.name} {kind.version}: is there, {engine.program.parent}")
        else:
            build(kind, hashed)


if __name__ == "__main__":
    main()
