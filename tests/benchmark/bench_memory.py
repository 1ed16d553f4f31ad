"""
Memory with 100,000 packets under way, each with the 736 bytes of an energy trade.

``sent`` is an embedded ledger that sent them and waits for the answers, its blocks in a folder;
``watched`` the same with a hub in the same process that knows every one of them; ``received`` a
contract that took them in and keeps them until their verdicts. All of it is put there by signed
transactions in blocks. The receiving contract's light client is the tests' one without
cryptography: what is stored of a packet is the same, a proof is only checked and thrown away.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from clock import at_most, once, report
from fakes.light_client import prove
from fakes.microgrid import LOCAL, REMOTE, Ledger, key
from fakes.paired_world import PairedWorld

from tieline.contract.application import RecvResult
from tieline.contract.context import Context
from tieline.contract.installation import Installation
from tieline.contract.multistore import MultiStore
from tieline.contract.store import STORES
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.protocol import commitment
from tieline.protocol.height import Height
from tieline.protocol.messages import RecvPacket, UpdateClient
from tieline.protocol.packet import Packet, Payload
from tieline.relay.packet_journey import JourneyStatus
from tieline.wire.hashes import sha256

PACKETS = 100_000
PAYLOAD_BYTES = 736
RECORD_BYTES = 350
"""About what a lock's record takes."""
A_TRANSACTION = 500
MOST_MB = 500


def trade(number: int) -> bytes:
    """As many bytes as an energy trade has, half of them zero as in ABI words."""
    return (sha256(number.to_bytes(8, "big")) * 12).ljust(PAYLOAD_BYTES, b"\0")


class WaitingApplication:
    """Keeps a record of each packet and answers later, as the energy trade does."""

    port = "echo"
    allows_plain_send = False

    def on_send(self, ctx: Context, packet: Packet) -> None:
        raise AssertionError("nothing is sent plainly")

    def speaks(self, payload: Payload) -> bool:
        return payload.version == "echo-1"

    def on_recv(self, ctx: Context, packet: Packet) -> RecvResult:
        record = packet.payloads[0].value[:RECORD_BYTES]
        ctx.state.set(b"l" + sha256(packet.sequence.to_bytes(8, "big")), record)
        return RecvResult.later()

    def on_acknowledge(self, ctx: Context, packet: Packet, acknowledgement: bytes) -> None:
        raise AssertionError("nothing is sent from here")

    def on_timeout(self, ctx: Context, packet: Packet) -> None:
        raise AssertionError("nothing is sent from here")


def send_all(folder: Path) -> tuple[PairedWorld, EmbeddedTendermint]:
    """Return a world whose first ledger sent all packets."""
    world = PairedWorld(folder=folder)
    source, destination = list(world.ledgers)[:2]
    ledger = world.ledgers[source]
    for number in range(PACKETS // A_TRANSACTION):
        world.send(source, destination, A_TRANSACTION, trade(number), timeout_s=7_200)
        world.clock.now += 1
        ledger.produce_block(world.clock.now)
    stored = sum(
        1 for _ in asyncio.run(ledger.scan("ibc", world.clients[source, destination].encode()))
    )
    assert stored >= PACKETS, stored
    return world, ledger


def sent() -> None:
    """Send them."""
    with tempfile.TemporaryDirectory() as folder:
        took = once(lambda: send_all(Path(folder)))
    tell("sent", seconds_of_cpu=round(took.cpu_s, 1))


def watched() -> None:
    """Send them, and let a hub read all about it; it carries none of them meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        world, _ = send_all(Path(folder))
        inbox = world.runner._inbox

        async def read_all() -> None:
            while (await inbox.read(world.clock.now)).blocks:
                pass

        took = once(lambda: asyncio.run(read_all()))
    journeys = len(world.runner.view.by_status[JourneyStatus.SENT])
    assert journeys == PACKETS, journeys
    tell("watched", hub_seconds_of_cpu=round(took.cpu_s, 1), journeys=journeys)


def receive(name: str, number: int, height: int, timeout_s: int) -> RecvPacket:
    """A packet of the other ledger, proved at *height*."""
    payload = Payload("echo", "echo", "echo-1", "text", trade(number))
    packet = Packet(number, REMOTE, LOCAL, timeout_s, (payload,))
    path = (b"ibc", commitment.packet_commitment_key(REMOTE, number))
    proof = prove(height, path, commitment.commit_packet(packet))
    return RecvPacket(key(name).cosmos_account, packet, proof, Height(0, height))


def received() -> None:
    """Receive them."""
    installed = Installation(
        light_clients=Ledger().installation.light_clients, applications=(WaitingApplication(),)
    )
    ledger = Ledger(installation=installed, tree=MultiStore(STORES))
    ledger.open_client()
    relayer = key("relayer").cosmos_account
    ledger.must("relayer", UpdateClient(relayer, LOCAL, ledger.header(11)))
    timeout_s = ledger.now_s + 7_200

    def receive_all() -> None:
        for start in range(1, PACKETS + 1, A_TRANSACTION):
            batch = [
                receive("relayer", number, 11, timeout_s)
                for number in range(start, start + A_TRANSACTION)
            ]
            raw = ledger.transaction("relayer", *batch, gas_limit=100_000_000)
            (result,) = ledger.block(raw, seconds=1)
            assert result.code == 0, result.log

    took = once(receive_all)
    waiting = ledger.application.query("ibc", commitment.async_packet_key(LOCAL, PACKETS))
    assert waiting is not None
    tell("received", seconds_of_cpu=round(took.cpu_s, 1))


def resident_mb() -> float:
    """Return what this process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def tell(name: str, **details: object) -> None:
    """Report the most that was ever held, interpreter and libraries included."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024 / 1e6
    report(
        f"memory.{name}",
        most,
        "MB",
        at_most(MOST_MB),
        packets=PACKETS,
        payload_bytes=PAYLOAD_BYTES,
        megabytes="1e6 bytes, peak resident set of the whole process",
        at_start_mb=round(AT_START_MB, 1),
        at_end_mb=round(resident_mb(), 1),
        **details,
    )


AT_START_MB = resident_mb()
WORLDS: dict[str, Callable[[], None]] = {"sent": sent, "watched": watched, "received": received}


def main() -> None:
    """Build each world in a process of its own, so that none pays for another."""
    logging.disable(logging.INFO)
    if len(sys.argv) > 1:
        WORLDS[sys.argv[1]]()
        return
    for name in WORLDS:
        subprocess.run([sys.executable, __file__, name], check=True)


if __name__ == "__main__":
    main()
