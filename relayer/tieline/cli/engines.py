"""`tieline engines`: the native engines, where they are, and how to get those that are missing."""

from __future__ import annotations

from tieline.cli.options import Json
from tieline.cli.output import print_json, print_table, short


def engines(json: Json = False) -> None:
    """
    List native engines: found or missing, version, place, and how to get them.
    """
    from tieline.interfaces.engines import (
        HOW_TO_GET,
        KINDS,
        engines_folder,
        found_engines,
        is_intact,
    )

    found = found_engines()
    rows: list[dict[str, str]] = []
    for kind in KINDS:
        engine = found.get(kind.name)
        state = "missing" if engine is None else "found" if is_intact(engine) else "damaged"
        row = {"engine": kind.name, "version": kind.version, "state": state, "for": kind.purpose}
        if engine is not None:
            row |= {
                "program": str(engine.program),
                "source_hash": engine.source_hash,
                "program_hash": engine.program_hash,
            }
        if state != "found":
            row["how"] = HOW_TO_GET
        rows.append(row)
    if json:
        print_json({"folder": str(engines_folder()), "engines": rows})
        return
    print(f"Engines in {engines_folder()}")
    print_table(
        ["engine", "version", "", "sha256", "where, or how to get it"],
        [
            [
                row["engine"],
                row["version"],
                row["state"],
                short(row.get("program_hash", "-")),
                row.get("how", row.get("program", "")),
            ]
            for row in rows
        ],
    )
