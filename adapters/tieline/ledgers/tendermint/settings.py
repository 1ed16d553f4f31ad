"""Settings files of CometBFT and of the Cosmos SDK: TOML, one key a line, changed in place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

Settings = Mapping[tuple[str, str], object]
"""(section, key) -> value; the section of top-level keys is empty."""

_SECTION = re.compile(r"\[([\w.-]+)\]")


def change_settings(path: Path, settings: Settings) -> None:
    """Change keys of a file, all of which the engine has written there before."""
    wanted = {place: json.dumps(value) for place, value in settings.items()}
    section, lines = "", list[str]()
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := _SECTION.fullmatch(line):
            section = match[1]
        key = line.partition(" =")[0]
        value = wanted.pop((section, key), None) if " =" in line else None
        lines.append(line if value is None else f"{key} = {value}")
    assert not wanted, f"the engine knows no such settings: {sorted(wanted)}"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
