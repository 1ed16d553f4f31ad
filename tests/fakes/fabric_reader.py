"""
A process that reads a channel into a file until it is killed, and says how far it is:
``python -m fakes.fabric_reader PLAN``
"""

from __future__ import annotations

import asyncio
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path

from tieline.ledgers.fabric.carriers import X509Carrier
from tieline.ledgers.fabric.gateway import GatewayPort
from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.fabric.peer_calls import PeerAddress
from tieline.ledgers.fabric.wallets import Identity


@dataclass(frozen=True)
class Reading:
    """What is read, and where to."""

    address: PeerAddress
    fabric_channel: str
    identity: Identity
    history_file: Path


async def read(reading):
    """Tell each height when it is in the file."""
    port = GatewayPort(reading.address, reading.fabric_channel, X509Carrier(reading.identity))
    ledger = FabricLedger(port, history_file=reading.history_file)
    told = -1
    while True:
        height = await ledger.latest_height()
        if height > told:
            sys.stdout.write(f"{height}\n")
            sys.stdout.flush()
            told = height
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(read(pickle.loads(Path(sys.argv[1]).read_bytes())))
