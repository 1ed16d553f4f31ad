"""
The peers of one ledger on this machine: folders laid out, ports found, units started together and
each watched, so that one that ends comes back.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from tieline.contract.genesis import Genesis
from tieline.interfaces.engines import find_engine
from tieline.interfaces.errors import NotYet, Unavailable
from tieline.ledgers.children.ports import free_ports
from tieline.ledgers.tendermint.clock_file import ClockFile
from tieline.ledgers.tendermint.gateway.process import GatewayProcess
from tieline.ledgers.tendermint.home import (
    Pace,
    PeerHome,
    Ports,
    engine_genesis,
    settings_of,
)
from tieline.ledgers.tendermint.peer_process import READY_S, Peer, PeerPlan, PortTaken
from tieline.protocol.time import NANOSECONDS_PER_SECOND

READY_HEIGHT: Final = 2
PORTS_TRIES: Final = 5
"""Another process may listen where nobody did a moment ago; then other ports are taken."""
GATEWAY_RESTART_S: Final = 0.25
_log = logging.getLogger("tieline.engine")


class PeerGroup:
    """All peers of one ledger that run on this machine."""

    def __init__(
        self,
        genesis: Genesis,
        folder: Path,
        *,
        validator_count: int = 1,
        pace: Pace | None = None,
        installation: str = "",
        clock: ClockFile | None = None,
        has_gateways: bool = False,
        minimum_gas_price: str = "",
    ) -> None:
        """
        Lay out the folders of a ledger, or take up those that are there.

        Args:
            genesis: The ledger's birth.
            folder: One folder a peer is made in it.
            validator_count: Peers, all validators of equal power; four bear one that is lost.
            pace: How fast blocks come.
            installation: ``module:function`` of what is installed instead of the microgrid's
                contract; called with the genesis.
            clock: What the engines take for the time, with ``cometbft-driven``; None: real time,
                with ``cometbft``. Must be set before.
            has_gateways: Serve gRPC and REST for Cosmos wallets beside each peer.
            minimum_gas_price: What every peer asks for, such as ``0.025neur``; empty: nothing.

        Raises:
            ConfigError: The engine is not built, or the folder is another ledger's.
        """
        program = find_engine("cometbft" if clock is None else "cometbft-driven").program
        folder.mkdir(parents=True, exist_ok=True)
        genesis_file = folder / "genesis.json"
        if not genesis_file.exists():
            genesis_file.write_bytes(genesis.to_bytes())
        homes = [PeerHome(folder / f"peer{n}", program) for n in range(validator_count)]
        content = engine_genesis(
            genesis,
            [home.validator() for home in homes],
            None if clock is None else clock.now_ns() // NANOSECONDS_PER_SECOND,
        )
        for home in homes:
            home.write_genesis(content)
        clock_file = None if clock is None else clock.path.absolute()
        self._homes = homes
        self._pace = pace or Pace()
        ports = self._lay_ports()
        self.peers: Sequence[Peer] = tuple(
            Peer(
                PeerPlan(
                    home, program, own, genesis_file, installation, clock_file, minimum_gas_price
                )
            )
            for home, own in zip(homes, ports, strict=True)
        )
        self._has_gateways = has_gateways
        self.gateways = self._lay_gateways(ports)
        self._is_ending = threading.Event()
        self._watches: list[threading.Thread] = []

    @property
    def restarts(self) -> int:
        """How often a peer was brought back."""
        return sum(peer.restarts for peer in self.peers)

    @property
    def folders(self) -> Sequence[Path]:
        """Where the peers' keys, states and logs are."""
        return tuple(peer.folder for peer in self.peers)

    def start(self) -> None:
        """
        Start all peers and return when blocks are made.

        Raises:
            ConfigError: A host cannot open its state.
            Unavailable: A peer ends, or there is no block within a minute; the message says why
                and where the log is.
        """
        with contextlib.ExitStack() as undo:
            undo.callback(self.stop)  # after an interrupt too: nothing may be left running
            self._start_peers()
            for gateway in self.gateways:
                gateway.start()
            for gateway in self.gateways:
                gateway.await_ready()
            undo.pop_all()
        keepers = [peer.keep_running for peer in self.peers]
        keepers += [partial(_keep_running, gateway) for gateway in self.gateways]
        for keep in keepers:
            watch = threading.Thread(target=keep, args=(self._is_ending,), daemon=True)
            self._watches.append(watch)
            watch.start()

    def stop(self) -> None:
        """End all peers."""
        self._is_ending.set()
        for watch in self._watches:
            watch.join()
        for gateway in self.gateways:
            gateway.stop()
        for peer in self.peers:
            peer.stop()

    def _start_peers(self) -> None:
        for attempt in range(1, PORTS_TRIES + 1):
            try:
                for peer in self.peers:
                    peer.start_host()
                for peer in self.peers:
                    peer.start_engine()
                self._await_blocks()
            except PortTaken as exc:
                for peer in self.peers:
                    peer.stop()
                if attempt == PORTS_TRIES:
                    raise
                _log.warning("other ports are taken: %s", exc)
                ports = self._lay_ports()
                for peer, own in zip(self.peers, ports, strict=True):
                    peer.move_to(own)
                self.gateways = self._lay_gateways(ports)
            else:
                return

    def _lay_ports(self) -> list[Ports]:
        """Find ports for all peers and write them where the engines read them."""
        homes = self._homes
        ports = [Ports(*free_ports(3)) for _ in homes]
        addresses = [
            f"{home.peer_id()}@127.0.0.1:{own.p2p}"
            for home, own in zip(homes, ports, strict=True)
            if len(homes) > 1
        ]
        for index, (home, own) in enumerate(zip(homes, ports, strict=True)):
            others = [one for other, one in enumerate(addresses) if other != index]
            home.write_settings(settings_of(own, self._pace, others))
        return ports

    def _lay_gateways(self, ports: Sequence[Ports]) -> Sequence[GatewayProcess]:
        if not self._has_gateways:
            return ()
        return tuple(
            GatewayProcess(own.rpc, free_ports(2), home.folder / "gateway.log")
            for home, own in zip(self._homes, ports, strict=True)
        )

    def _await_blocks(self) -> None:
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            for peer in self.peers:
                if not peer.is_running():
                    peer.raise_ended()
            with contextlib.suppress(Unavailable, NotYet):
                status = self.peers[0].rpc.call_now("abci_info")
                if int(status["response"].get("last_block_height", 0)) >= READY_HEIGHT:
                    return
            time.sleep(0.02)
        raise Unavailable(f"no block within {READY_S:.0f} s; logs: {self.folders}")


def _keep_running(gateway: GatewayProcess, is_ending: threading.Event) -> None:
    """Bring a gateway back whenever it has ended, until *is_ending*."""
    while not is_ending.wait(GATEWAY_RESTART_S):
        if not gateway.is_running():
            gateway.stop()
            gateway.start()
