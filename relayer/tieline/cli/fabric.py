"""`tieline fabric`: the contract on a Hyperledger Fabric channel of one's own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tieline.cli.options import Json
from tieline.cli.output import print_json, print_table, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tieline.hub.fabric_operator import PeerState

app = typer.Typer(
    help="The contract on a Fabric channel of your own; docs/fabric.md goes through it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Config = Annotated[
    Path, typer.Option("--config", help="The relayer's YAML file; of it, this ledger's section.")
]
Ledger = Annotated[str, typer.Argument(help="Name of the channel, and of the ledger in the file.")]
CONFIG = Path("relay.yaml")


@app.command("package")
def package(
    out: Annotated[Path, typer.Argument(help="File to write, such as tieline.tgz.")],
    address: Annotated[
        str, typer.Option("--address", help="HOST:PORT at which peers reach the chaincode.")
    ],
    label: Annotated[
        str, typer.Option("--label", help="Of the package; tieline_VERSION if left out.")
    ] = "",
    tls: Annotated[
        Path | None,
        typer.Option(
            "--tls",
            help="Folder of ca.crt, client.crt and client.key, by which peers dial the chaincode; "
            "they go into the package. Without: no TLS.",
        ),
    ] = None,
    genesis: Annotated[
        Path | None,
        typer.Option("--genesis", help="The only genesis that the chaincode is to take."),
    ] = None,
    json: Json = False,
) -> None:
    """
    Write the chaincode package for `peer lifecycle chaincode install`, and tell its id and how the
    chaincode is started. The same arguments write the same bytes.
    """
    from tieline.hub.fabric_operator import LABEL, write_package

    written = write_package(out, address, label or LABEL, tls, genesis)
    if json:
        print_json({"package": str(out), **asdict(written)})
        return
    print(f"{out} written")
    print(f"package id: {written.package_id}")
    print(f"start with: {written.command}")
    if not written.genesis_sha256:
        print("With --argument GENESIS_HASH it takes that genesis alone; --genesis tells the hash.")


@app.command("begin")
def begin(
    ledger: Ledger,
    genesis: Annotated[Path, typer.Option("--genesis", help="JSON; docs/fabric.md has one.")],
    config: Config = CONFIG,
    json: Json = False,
) -> None:
    """
    Give the contract its genesis, once a channel; a second time changes nothing.
    """
    import asyncio

    from tieline.hub import fabric_operator

    begun = asyncio.run(fabric_operator.begin(config, ledger, genesis))
    if json:
        print_json({"ledger": ledger, **asdict(begun)})
        return
    how = "begun" if begun.is_ours else "had begun already, with this genesis"
    print(f"{ledger}: {how}; genesis {begun.genesis_sha256}")


@app.command("check")
def check(ledger: Ledger, config: Config = CONFIG, json: Json = False) -> None:
    """
    Ask each peer for channel, chaincode, genesis and clock; exit code 1 if one is not as it must.
    """
    import asyncio
    import time

    from tieline.hub import fabric_operator

    now_s = int(time.time())
    states = asyncio.run(fabric_operator.check(config, ledger, now_s))
    if json:
        print_json([_state_json(state, now_s) for state in states])
    else:
        _print_states(states, now_s)
    if any(state.trouble for state in states):
        raise typer.Exit(1)


def _state_json(state: PeerState, now_s: int) -> dict[str, object]:
    look = state.look
    said = {} if look is None else asdict(look) | {"clock_age_s": _age_s(look.clock_s, now_s)}
    return {**said, "peer": state.peer, "trouble": state.trouble}


def _age_s(clock_s: int, now_s: int) -> int | None:
    return now_s - clock_s if clock_s else None


def _print_states(states: Sequence[PeerState], now_s: int) -> None:
    rows: list[list[str]] = []
    for state in states:
        look = state.look
        if look is None:
            rows.append([state.peer, "-", "-", "-", "-", "-"])
            continue
        age_s = _age_s(look.clock_s, now_s)
        rows.append(
            [
                state.peer,
                str(look.height),
                short(look.channel_hash),
                str(look.version),
                short(look.genesis_sha256) or "not begun",
                "no Tick yet" if age_s is None else f"{age_s} s ago",
            ]
        )
    print_table(["peer", "height", "block 0", "version", "genesis", "clock"], rows)
    for state in states:
        if state.trouble:
            print(f"{state.peer}: {state.trouble}")
