"""The generated messages are those of proto/."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_generated_messages_are_fresh() -> None:
    """What `make proto CHECK=1` checks."""
    tool = ROOT / "deploy" / "tools" / "generate_messages.py"
    done = subprocess.run(
        [sys.executable, tool, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_schema_shares_a_path_with_cosmpy_s() -> None:
    """The descriptor pool is one for the process, keyed by path."""
    schemas = sorted((ROOT / "proto").rglob("*.proto"))
    assert schemas
    for path in schemas:
        relative = path.relative_to(ROOT / "proto")
        assert relative.parts[0] == "tieline"
        package = ".".join(relative.parts[:-1])
        assert f"package {package};" in path.read_text(encoding="utf-8")
