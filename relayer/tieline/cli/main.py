"""
Puts the commands together, and turns what went wrong into a line and an exit code.

Exit codes: 0 well, 1 a check failed, 2 the operator must change something (usage or configuration).
"""

from __future__ import annotations

import os
import sys

import typer

from tieline.cli import (
    audit,
    config,
    data,
    demo,
    engines,
    explain,
    fabric,
    init,
    ledger,
    relay,
    run,
    status,
    trade,
)
from tieline.interfaces.errors import ConfigError, HubError

CHECK_FAILED = 1
OPERATOR_MUST_ACT = 2

app = typer.Typer(
    name="tieline",
    help="An interledger hub for microgrids: trades that the network can carry.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("run")(run.run)
app.command("explain")(explain.explain)
app.command("audit")(audit.audit)
app.command("status")(status.status)
app.command("init")(init.init)
app.command("engines")(engines.engines)
app.add_typer(trade.app, name="trade")
app.add_typer(ledger.app, name="ledger")
app.add_typer(data.app, name="data")
app.add_typer(relay.app, name="relay")
app.add_typer(fabric.app, name="fabric")
app.add_typer(config.app, name="config")


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        app()
    except ConfigError as exc:
        sys.exit(_complain(exc, OPERATOR_MUST_ACT))
    except HubError as exc:
        sys.exit(_complain(exc, CHECK_FAILED))
    except BrokenPipeError:
        # The reader of a pipe has left; a second complaint at exit would go to it too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(CHECK_FAILED)
    except OSError as exc:
        if exc.filename is None:
            raise  # no file of the operator's: somebody must look where it came from
        sys.exit(_complain(_of_a_file(exc), OPERATOR_MUST_ACT))


def _of_a_file(error: OSError) -> ConfigError:
    """Say what the system said of a file; what is awaited of files is said where they are read."""
    return ConfigError(
        f"cannot be read or written: {error.strerror}",
        file=os.fsdecode(error.filename),
        instead="name another, or make room and grant access",
    )


def _complain(error: HubError, code: int) -> int:
    print(f"tieline: {error}", file=sys.stderr)
    return code
