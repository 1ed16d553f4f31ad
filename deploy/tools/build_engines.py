"""
Builds the native engines of deploy/engines into the cache; `make ledgers` calls it.

An engine is a Go module that names one program of a pinned module; go.sum is committed, so what is
built is what was reviewed. Skips what is there and intact.
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
PACKAGES = {"cometbft": "github.com/cometbft/cometbft/cmd/cometbft"}
FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false")
POLITENESS = 5


def source_hash(kind: EngineKind) -> str:
    """Return the hash of all that decides what is built, but the compiler."""
    folder = ENGINES / kind.name
    parts = [folder.joinpath(name).read_bytes() for name in ("go.mod", "go.sum")]
    recipe = " ".join((PACKAGES[kind.name], *FLAGS)).encode()
    return sha256(b"".join(sha256(part).digest() for part in (*parts, recipe))).hexdigest()


def build(kind: EngineKind, hashed: str) -> Path:
    """Build one engine; the folder appears whole or not at all."""
    go = shutil.which("go")
    if go is None:
        sys.exit("tieline: Go is not here; install Go 1.23 or newer and run `make ledgers` again")
    folder = engines_folder() / kind.name / f"{kind.version}-{hashed[:12]}"
    work = folder.with_name(f".{folder.name}-{os.getpid()}")
    work.mkdir(parents=True)
    program = work / kind.name
    began = time.monotonic()
    command = [go, "build", *FLAGS, "-o", str(program), PACKAGES[kind.name]]
    try:
        subprocess.run(
            command,
            cwd=ENGINES / kind.name,
            check=True,
            preexec_fn=lambda: os.nice(POLITENESS),
        )
        version = subprocess.run([go, "version"], check=True, capture_output=True, text=True)
        manifest = {
            "name": kind.name,
            "version": kind.version,
            "package": PACKAGES[kind.name],
            "program": kind.name,
            "source_hash": hashed,
            "program_hash": sha256(program.read_bytes()).hexdigest(),
            "compiler": version.stdout.strip(),
        }
        (work / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        work.rename(folder)
    except subprocess.CalledProcessError as exc:
        sys.exit(f"tieline: {kind.name} could not be built: exit code {exc.returncode}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"{kind.name} {kind.version}: built in {time.monotonic() - began:.0f} s, {folder}")
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
