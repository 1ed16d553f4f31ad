"""
Builds the Go program that says what CometBFT would say (tests/oracles/cometbft), once a source.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "oracles" / "cometbft"
FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false")


def build_oracle() -> Path | None:
    """Return the program, in the cache beside the engines; None where there is no Go."""
    go = shutil.which("go")
    files = sorted(path for path in SOURCE.iterdir() if path.is_file())
    digest = sha256(b"".join(sha256(path.read_bytes()).digest() for path in files)).hexdigest()
    cache = Path(os.environ.get("TIELINE_CACHE", "") or Path.home() / ".cache" / "tieline")
    program = cache / "oracles" / f"cometbft-{digest[:12]}"
    if program.exists():
        return program
    if go is None:
        return None
    program.parent.mkdir(parents=True, exist_ok=True)
    work = program.with_name(f".{program.name}-{os.getpid()}")
    subprocess.run(
        [go, "build", *FLAGS, "-o", str(work), "."],
        cwd=SOURCE,
        check=True,
        preexec_fn=lambda: os.nice(5),
    )
    work.rename(program)
    return program
