"""`tieline data`: the shipped profiles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tieline.cli.options import Json
from tieline.cli.output import day_clock, print_json, print_table

app = typer.Typer(
    help="Profiles that come with tieline.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_profiles(json: Json = False) -> None:
    """
    List the names of the shipped series, with mean and peak of both weeks.
    """
    from tieline.scenario.profiles import PER_UNIT, shipped_weeks

    rows: list[dict[str, str | float]] = []
    for week in shipped_weeks():
        columns = [(f"{name}_pload", name, "load") for name in week.load_names]
        columns += [(name, name, "plant") for name in week.plant_names]
        for column, name, kind in columns:
            values = week.values[week.index[column]]
            mean, peak = float(values.mean()) / PER_UNIT, float(values.max()) / PER_UNIT
            rows.append(
                {"profile": name, "kind": kind, "week": week.name, "mean": mean, "peak": peak}
            )
    if json:
        print_json(rows)
        return
    for week in shipped_weeks():
        print(f"{week.name}: from {day_clock(week.start_s)}")
    print_table(
        ["profile", "kind", "week", "mean", "peak"],
        [
            [
                str(r["profile"]),
                str(r["kind"]),
                str(r["week"]),
                f"{r['mean']:.3f}",
                f"{r['peak']:.3f}",
            ]
            for r in rows
        ],
    )


@app.command("scenario")
def print_scenario(
    name: Annotated[str, typer.Argument(help="evening or day.")] = "evening", json: Json = False
) -> None:
    """
    Print a shipped scenario, to start your own from.
    """
    from tieline.scenario.reading import load_scenario, shipped_scenario

    path = shipped_scenario(name)
    if json:
        print_json(load_scenario(path).model_dump(mode="json"))
    else:
        print(path.read_text(encoding="utf-8"), end="")


@app.command("slice")
def slice_profiles(
    wheel: Annotated[
        Path | None, typer.Option(help="A SimBench wheel (`pip download --no-deps simbench`).")
    ] = None,
    from_package: Annotated[
        bool, typer.Option("--from-package", help="Take the installed SimBench instead.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="File to write; the shipped one if left out.")
    ] = None,
    json: Json = False,
) -> None:
    """
    Cut the shipped profiles out of SimBench again: two weeks, the same bytes each time.
    """
    from tieline.interfaces.errors import ConfigError
    from tieline.scenario.profiles import PROFILES
    from tieline.scenario.slicing import slice_installed_package, slice_wheel

    target = PROFILES if out is None else out
    if (wheel is None) != from_package:
        raise ConfigError(
            "needs one source", key="--wheel", instead="write --wheel FILE or --from-package"
        )
    size = slice_installed_package(target) if wheel is None else slice_wheel(wheel, target)
    if json:
        print_json({"file": str(target), "bytes": size})
    else:
        print(
            f"{target}: {size} bytes; DATA_LICENSE beside the shipped file says who made the data"
        )
