"""``tieline --help`` loads nothing heavy; commands load what they need when they are called."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HEAVY = {
    "numpy", "pandas", "pandapower", "rich", "sqlalchemy", "cosmpy", "pydantic", "yaml", "pyarrow",
    "scipy", "google", "cryptography", "tieline.scenario", "tieline.hub",
}  # fmt: skip
PROGRAM = """
import sys
sys.argv = ["tieline", *{arguments!r}]
from tieline.cli import main
try:
    main()
finally:
    print("MODULES", *sorted(sys.modules))
"""


def _loaded(*arguments: str) -> set[str]:
    roots = ":".join(str(ROOT / name) for name in ("relayer", "adapters", "microgrids"))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(arguments=arguments)],
        env={"PYTHONPATH": roots, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: tieline" in done.stdout
    return set(done.stdout.split("MODULES", 1)[1].split())


def test_help_loads_nothing_heavy() -> None:
    assert not _loaded("--help") & HEAVY


def test_help_of_a_command_loads_nothing_heavy() -> None:
    # typer itself converts options with pydantic.
    assert not _loaded("trade", "list", "--help") & (HEAVY - {"pydantic"})
