"""
Runs the small world in a process of its own and, when asked to, kills it there with SIGKILL at the
n-th of a kind of side effect: no handler runs, no file is closed.

Usage: python dying_world.py RUN JSON, where JSON holds changes to the scenario and the moment.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes.mixed_world import with_ethereum, with_fabric
from fakes.small_world import small, small_with_c
from tieline.contract.host import ContractHost
from tieline.ledgers.ethereum.block_file import EvmBlockFile
from tieline.ledgers.ethereum.sealing import SealJournal
from tieline.ledgers.fabric.embedded.block_file import FabricBlockFile
from tieline.ledgers.tendermint import block_file
from tieline.ledgers.tendermint.block_file import BlockFile
from tieline.scenario import world
from tieline.utility import board
from tieline.utility.journal import SigningJournal
from tieline.utility.preimages import PreimageStore

MOMENTS: dict[str, tuple[object, str]] = {
    "block": (BlockFile, "append"),
    "index": (BlockFile, "note"),
    "submit": (ContractHost, "broadcast"),
    "evidence": (board.SlotBoard, "put"),
    "signature": (SigningJournal, "bind"),
    "preimage": (PreimageStore, "preimage"),
    "evm block": (EvmBlockFile, "append"),
    "seal": (SealJournal, "bind"),
    "fabric block": (FabricBlockFile, "append"),
}
"""What can be interrupted: before it, in the middle of it (``torn``: blocks only), or after it."""


def die() -> None:
    """End as by `kill -9`."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(what: str, count: int, when: str) -> None:
    """Die at the *count*-th *what* (from 1): ``before``, ``torn`` or ``after`` it."""
    owner, name = MOMENTS[what]
    original: Callable[..., Any] = getattr(owner, name)
    seen = 0

    def counted(*arguments: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == count and when == "torn":
            block_file._write_all = half
        if seen == count and when == "before":
            die()
        result = original(*arguments)
        if seen == count:
            die()
        return result

    setattr(owner, name, counted)


def half(descriptor: int, data: bytes) -> None:
    """Write the first half of *data* and die."""
    os.write(descriptor, data[: len(data) // 2])
    die()


def main() -> None:
    """Run or resume, perhaps to death."""
    run, order = Path(sys.argv[1]), json.loads(sys.argv[2])
    make = small_with_c if order.get("with_c") else small
    config = with_ethereum(make(**order.get("changes", {})), *order.get("ethereum", ()))
    config = with_fabric(config, *order.get("fabric", ()))
    keys = order.get("keys_from")
    if "moment" in order:
        arm(*order["moment"])
    world.run(
        config,
        run,
        progress=lambda done, total, what: None,
        resume=order.get("resume", False),
        keys_from=None if keys is None else Path(keys),
    )


if __name__ == "__main__":
    main()
