"""`tieline config`: is what a file asks for possible, before anything is started?"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from tieline.cli.options import Json
from tieline.cli.output import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tieline.hub.live_check import EndCheck
    from tieline.hub.relay_config import RelayConfig
    from tieline.scenario.ladder_check import PairCheck

app = typer.Typer(
    help="Check configuration files before they are used.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def config() -> None:
    """Check configuration files before they are used."""


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="A scenario, a relayer's file, or a file of pairs.")],
    live: Annotated[
        bool, typer.Option("--live", help="Ask the ledgers that a relayer's file names.")
    ] = False,
    json: Json = False,
) -> None:
    """
    Check a file: its keys, and whether the deadlines leave each pair of ledgers its time.

    What it is, is told by its keys: a scenario has microgrids, a relayer's file has paths, a file
    of pairs has preset and ledgers. Sums that do not hold are printed, and refused.
    """
    from tieline.interfaces.errors import ConfigError
    from tieline.scenario.ladder_check import require_fit

    document = _document(file)
    if "paths" in document:
        _check_relayer(file, is_live=live, json=json)
        return
    if live:
        raise ConfigError(
            "names no ledgers that could be asked",
            file=str(file),
            key="--live",
            instead="leave --live out, or name a relayer's file",
        )
    preset, pairs = _pairs(file, document)
    if json:
        print_json(_as_json(preset, pairs))
    else:
        _print_pairs(file, preset, pairs)
    require_fit(pairs, str(file))


def _document(file: Path) -> dict[str, Any]:
    from tieline.hub.yaml_file import read_yaml
    from tieline.interfaces.errors import ConfigError

    document = read_yaml(file, "name a YAML file").content
    if not isinstance(document, dict):
        raise ConfigError(
            "has no keys",
            file=str(file),
            instead="name a scenario, a relayer's file, or a file with preset and ledgers",
        )
    return cast("dict[str, Any]", document)


def _pairs(file: Path, document: dict[str, Any]) -> tuple[str, Sequence[PairCheck]]:
    """Return the preset of a scenario or a file of pairs, and all its ladders."""
    from pydantic import ValidationError

    from tieline.interfaces.errors import ConfigError
    from tieline.scenario.ladder_check import PairFile, scenario_pairs
    from tieline.scenario.reading import read_scenario

    if document.keys() - PairFile.model_fields.keys():
        scenario = read_scenario(file)
        return scenario.preset.value, scenario_pairs(scenario)
    try:
        pair_file = PairFile.model_validate(document)
    except ValidationError as exc:
        first = exc.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            first["msg"],
            file=str(file),
            key=key,
            instead="write preset: fast, slow or fabric, and two ledgers or more, each with "
            "inclusion_s and finality_s in seconds",
        ) from exc
    return pair_file.preset.value, pair_file.pairs()


def _print_pairs(file: Path, preset: str, pairs: Sequence[PairCheck]) -> None:
    """Print every rule once, for the pair that it leaves least."""
    from tieline.scenario.ladder_check import tightest

    print(f"{file}: preset {preset}, {len(pairs)} ordered pairs of ledgers; the tightest of each")
    print_table(
        ["rule", "have s", "need s", "", "sum", "pair"],
        [
            [
                one.point,
                str(one.have_s),
                str(one.need_s),
                "fits" if one.holds else "DOES NOT FIT",
                one.sum_text,
                f"{pair.source} -> {pair.destination}",
            ]
            for pair, one in tightest(pairs)
        ],
    )


def _as_json(preset: str, pairs: Sequence[PairCheck]) -> dict[str, object]:
    return {
        "preset": preset,
        "is_ok": not any(pair.failed for pair in pairs),
        "pairs": [
            {
                "source": pair.source,
                "destination": pair.destination,
                "sums": [{**dataclasses.asdict(one), "holds": one.holds} for one in pair.sums],
            }
            for pair in pairs
        ],
    }


def _check_relayer(file: Path, *, is_live: bool, json: bool) -> None:
    """Check a relayer's file; ask both ends of each path if that is wanted."""
    from tieline.hub.relay_config import read_relay_config
    from tieline.interfaces.errors import ConfigError

    read = read_relay_config(file)
    ends = _live_ends(file, read) if is_live else []
    if json:
        print_json(
            {
                "is_ok": all(end.is_ok for end in ends),
                "ledgers": {name: section.kind for name, section in read.ledgers.items()},
                "ends": [{**dataclasses.asdict(end), "is_ok": end.is_ok} for end in ends],
            }
        )
    else:
        print(f"{file}: {len(read.ledgers)} ledgers, {len(read.paths)} paths")
        if ends:
            print_table(
                ["ledger", "client", "is paired with", "should be", ""],
                [
                    [
                        end.ledger_id,
                        end.client_id,
                        end.counterparty or "nobody",
                        end.expected,
                        "fits" if end.is_ok else "DOES NOT FIT",
                    ]
                    for end in ends
                ],
            )
    for end in ends:
        if not end.is_ok:
            raise ConfigError(
                f"{end.client_id} on {end.ledger_id} is paired with "
                f"{end.counterparty or 'nobody'}, not {end.expected}",
                file=str(file),
                key="paths",
                instead="name clients that were made for each other, or run `tieline relay link`",
            )


def _live_ends(file: Path, read: RelayConfig) -> list[EndCheck]:
    import asyncio

    from tieline.hub.connecting import open_ledgers
    from tieline.hub.links import LinksFile, routes_of
    from tieline.hub.live_check import check_ends

    async def ask() -> list[EndCheck]:
        ledgers = open_ledgers(read, file.parent)
        try:
            routes = routes_of(read, LinksFile(file.parent / read.links_file))
            return await check_ends(routes, ledgers)
        finally:
            for ledger in ledgers.values():
                ledger.close()

    return asyncio.run(ask())
