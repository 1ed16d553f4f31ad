"""
A Fabric network on this machine: orderers, peers, and a chaincode process beside each peer, all of
which end with this process. Brought up without Fabric's own tools but for the first block.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from tieline.interfaces.engines import CLOCK_VARIABLE, find_engine
from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.children.guarded import GuardedProgram
from tieline.ledgers.fabric.material import MemberCarrier, Organisation
from tieline.ledgers.fabric.native.admin_calls import (
    Definition,
    PeerAdmin,
    is_orderer_up,
    join_orderer,
    patiently,
)
from tieline.ledgers.fabric.native.chaincode_package import ChaincodePackage, make_package
from tieline.ledgers.fabric.native.network_folder import (
    ADMIN,
    CLIENT,
    NetworkFolder,
    OrdererNode,
    PeerNode,
)
from tieline.ledgers.fabric.native.plan import NetworkPlan
from tieline.ledgers.fabric.native.program_files import CONNECTION_VARIABLE, LOOPBACK
from tieline.ledgers.fabric.peer_calls import PeerAddress

READY_S: Final = 60.0
LOG_SPEC: Final = "error:gossip.comm=fatal:core.comm=fatal"
"""Peers that come up one after another complain of each other for a second."""
LOG_FORMAT: Final = "%{time:2006-01-02T15:04:05.000Z07:00} %{level} [%{module}] %{message}"
_WATCH_S: Final = 0.05
_RESTART_S: Final = 0.25
_log = logging.getLogger("tieline.engine")


@dataclass(frozen=True, slots=True)
class _Unit:
    """A program and how to see that it is up."""

    program: GuardedProgram
    is_up: Callable[[], bool]


class FabricNetwork:
    """All programs of one channel. ``start`` starts, ``stop`` ends; a folder may be taken up."""

    def __init__(self, plan: NetworkPlan, folder: Path) -> None:
        """
        Lay out a network, or take up the one that is in *folder*.

        Args:
            plan: What it is made of.
            folder: Its home: keys, ledgers, logs. Readable by the owner alone.

        Raises:
            ConfigError: Fabric's programs are not built, or the folder is another network's.
            Unavailable: There are no free ports.
        """
        self.plan = plan
        programs = {name: find_engine(f"fabric-{name}").program for name in ("peer", "orderer")}
        self._folder = NetworkFolder(plan, folder)
        self.package = make_package(plan.chaincode.label)
        self._units: dict[str, _Unit] = {}
        for orderer in self.orderers:
            self._add_orderer(orderer, programs["orderer"])
        for peer in self.peers:
            self._add_chaincode(peer)
            self._add_peer(peer, programs["peer"])
        self._held_down: set[str] = set()
        self._lock = threading.Lock()
        """Who starts or ends a single program holds it; the watcher is one of them."""
        self._ending = threading.Event()
        self._watcher: threading.Thread | None = None
        self.restarts = 0
        """How often a program was brought back."""

    @property
    def folder(self) -> Path:
        """Its home."""
        return self._folder.folder

    @property
    def genesis_block(self) -> bytes:
        """Block 0, ``common.Block``."""
        return self._folder.genesis_block

    @property
    def organisations(self) -> Mapping[str, Organisation]:
        """Who endorses, by MSP id, with all keys."""
        return self._folder.organisations

    @property
    def ordering(self) -> Organisation:
        """The orderers' organisation."""
        return self._folder.ordering

    @property
    def orderers(self) -> Sequence[OrdererNode]:
        """All orderers."""
        return self._folder.orderers

    @property
    def peers(self) -> Sequence[PeerNode]:
        """All peers, by organisation."""
        return self._folder.peers

    @property
    def names(self) -> Sequence[str]:
        """Of all programs, for ``kill`` and ``restart``."""
        return tuple(self._units)

    def address(self, peer: PeerNode) -> PeerAddress:
        """Return where the organisation's client finds *peer*."""
        return self._address(peer, CLIENT)

    def carrier(self, msp_id: str, name: str = CLIENT) -> MemberCarrier:
        """Return who signs proposals for an organisation."""
        return MemberCarrier.of(self.organisations[msp_id].member(name))

    def start(self, *, is_watched: bool = False) -> None:
        """
        Start all programs, bring the channel up if it is new, and return when it is used.

        Args:
            is_watched: Whether a program that ends is brought back.

        Raises:
            ConfigError: Fabric refuses what it was told.
            Unavailable: A program ends, or they do not come together within a minute; the message
                says why and where the log is.
        """
        self._ending.clear()
        self._check_ports()
        with contextlib.ExitStack() as undo:
            undo.callback(self.stop)  # after an interrupt too: nothing may be left running
            for unit in self._units.values():
                unit.program.start()
            for unit in self._units.values():
                unit.program.await_ready(unit.is_up, READY_S)
            if not self._folder.is_ready:
                self._bring_up()
                self._folder.set_ready()
            self._await_service()
            undo.pop_all()
        if is_watched:
            self._watcher = threading.Thread(target=self._watch, daemon=True)
            self._watcher.start()

    def stop(self) -> None:
        """End all programs in order: they can be started again with all they had."""
        self._ending.set()
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.join()
        for unit in self._units.values():
            unit.program.begin_stop()
        for unit in self._units.values():
            unit.program.stop()

    def kill(self, name: str, *, is_held: bool = True) -> None:
        """
        End one program as a power cut does.

        Args:
            name: One of ``names``.
            is_held: Whether it stays down until ``restart`` even if the network is watched.
        """
        with self._lock:
            if is_held:
                self._held_down.add(name)
            self._units[name].program.kill()

    def kill_all(self) -> None:
        """End all programs at once as a power cut does; ``start`` starts them again."""
        self._ending.set()
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.join()
        for unit in self._units.values():
            unit.program.signal_kill()
        for unit in self._units.values():
            unit.program.stop()

    def restart(self, name: str) -> None:
        """Start one program that has ended, and return when it is up. Raises Unavailable."""
        unit = self._units[name]
        with self._lock:
            if not unit.program.is_running():
                unit.program.stop()
                unit.program.start()
            self._held_down.discard(name)
        unit.program.await_ready(unit.is_up, READY_S)

    def is_running(self, name: str) -> bool:
        """Return whether a program lives."""
        return self._units[name].program.is_running()

    def pid(self, name: str) -> int:
        """Return a program's process id. Only while it runs."""
        return self._units[name].program.pid

    def admin(self, peer: PeerNode) -> PeerAdmin:
        """Return the administrator's line to *peer*; the caller closes it."""
        return PeerAdmin(self._address(peer, ADMIN), peer.msp_id, self.carrier(peer.msp_id, ADMIN))

    def define(self, definition: Definition, package: ChaincodePackage | None = None) -> None:
        """
        Let all organisations agree on a definition of the chaincode, and put it in force.

        Args:
            definition: Its sequence is one more than that of the definition before.
            package: What is installed for it; None: the package that is there.

        Raises:
            ConfigError: Fabric refuses it.
            Unavailable: The network does not come together.
        """
        taken = package or self.package
        with contextlib.ExitStack() as closing:
            admins = [
                closing.enter_context(contextlib.closing(self.admin(peer))) for peer in self.peers
            ]
            self._define(admins, definition, taken, is_new_package=package is not None)

    def serve(self, package: ChaincodePackage) -> None:
        """
        Start all chaincode processes anew, as those of *package*, which a definition names.

        Raises:
            Unavailable: One does not come up.
        """
        self.package = package
        for peer in self.peers:
            with self._lock:
                self._units[peer.chaincode_name].program.stop()
                self._add_chaincode(peer)
            self.restart(peer.chaincode_name)

    def _check_ports(self) -> None:
        """Raise Unavailable if somebody listens where ours will: they stand in the channel."""
        ports = [port for one in self.orderers for port in (one.port, one.admin_port)]
        ports += [port for one in self.peers for port in (one.port, one.chaincode_port)]
        taken = [str(port) for port in ports if _listens(port)]
        if taken:
            raise Unavailable(
                f"ports of this network are taken by another program: {', '.join(taken)} "
                f"(network: {self.folder}); end it, or choose an empty folder"
            )

    def _bring_up(self) -> None:
        for orderer in self.orderers:
            join_orderer(orderer.admin_port, self.genesis_block)
        chaincode = self.plan.chaincode
        with contextlib.ExitStack() as closing:
            admins = [
                closing.enter_context(contextlib.closing(self.admin(peer))) for peer in self.peers
            ]
            for admin in admins:
                admin.join(self.genesis_block)
            definition = Definition(chaincode.name, chaincode.version)
            self._define(admins, definition, self.package, is_new_package=True)

    def _define(
        self,
        admins: Sequence[PeerAdmin],
        definition: Definition,
        package: ChaincodePackage,
        *,
        is_new_package: bool,
    ) -> None:
        channel = self.plan.fabric_channel
        if is_new_package:
            for admin in admins:
                patiently(partial(admin.install, package))
        firsts: dict[str, PeerAdmin] = {}
        for admin in admins:
            firsts.setdefault(admin.msp_id, admin)
        for admin in firsts.values():
            patiently(partial(admin.approve, channel, definition, package.package_id))
        first = next(iter(firsts.values()))
        patiently(partial(first.commit, channel, definition, tuple(firsts)))
        for admin in admins:
            _await_definition(admin, channel, definition)

    def _await_service(self) -> None:
        """Wait until through every peer a transaction can be endorsed."""
        for peer in self.peers:
            with contextlib.closing(self.admin(peer)) as admin:
                asked = (self.plan.fabric_channel, self.plan.chaincode.name)
                patiently(partial(admin.check_endorsing, *asked))

    def _address(self, peer: PeerNode, caller: str) -> PeerAddress:
        organisation = self.organisations[peer.msp_id]
        own = organisation.member(caller).tls
        return PeerAddress(
            peer.name,
            f"{LOOPBACK}:{peer.port}",
            organisation.tls_authority.certificate_pem,
            own.certificate_pem,
            own.private_pem(),
        )

    def _add_orderer(self, orderer: OrdererNode, program: Path) -> None:
        environment = _go_environment(orderer.folder)
        child = GuardedProgram([str(program)], orderer.folder / "engine.log", environment)
        port = orderer.admin_port
        self._units[orderer.name] = _Unit(child, partial(is_orderer_up, port))

    def _add_peer(self, peer: PeerNode, program: Path) -> None:
        environment = _go_environment(peer.folder) | {
            CONNECTION_VARIABLE: str(peer.folder / "connection.json")
        }
        child = GuardedProgram(
            [str(program), "node", "start"], peer.folder / "engine.log", environment
        )
        self._units[peer.name] = _Unit(child, partial(_listens, peer.port))

    def _add_chaincode(self, peer: PeerNode) -> None:
        plan, folder = self.plan.chaincode, peer.folder.parent / f"chaincode{peer.name[-1]}"
        command = [
            *(sys.executable, "-m", "tieline.ledgers.fabric.chaincode_main"),
            *("--listen", f"{LOOPBACK}:{peer.chaincode_port}"),
            *("--package-id", self.package.package_id),
            *("--factory", plan.factory, "--argument", plan.argument),
            *(("--tls", str(folder / "tls")) if plan.is_tls else ()),
        ]
        environment = {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
        if self.plan.clock_file is not None:
            environment[CLOCK_VARIABLE] = str(self.plan.clock_file.absolute())
        child = GuardedProgram(command, folder / "chaincode.log", environment)
        port = peer.chaincode_port
        self._units[peer.chaincode_name] = _Unit(child, partial(_listens, port))

    def _watch(self) -> None:
        """Bring back what has ended, until the network does."""
        while not self._ending.wait(_WATCH_S):
            for name, unit in self._units.items():
                with self._lock:
                    has_ended = not unit.program.is_running() and name not in self._held_down
                    if has_ended:
                        self._bring_back(name, unit.program)
                if has_ended and self._ending.wait(_RESTART_S):
                    return

    def _bring_back(self, name: str, program: GuardedProgram) -> None:
        _log.warning("program ended name=%s %s", name, program.last_words())
        self.restarts += 1
        program.stop()
        try:
            program.start()
        except Unavailable as exc:
            _log.error("program did not start again name=%s %s", name, exc)


def _await_definition(admin: PeerAdmin, channel: str, definition: Definition) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        try:
            if admin.committed_sequence(channel, definition.name) >= definition.sequence:
                return
        except (ConfigError, Unavailable) as exc:
            _log.debug("not defined yet: %s", exc)  # the block has not come to this peer
        time.sleep(_WATCH_S)
    raise Unavailable(f"{admin.name} does not see the definition of {definition.name}")


def _go_environment(folder: Path) -> dict[str, str]:
    scratch = folder / "tmp"
    scratch.mkdir(exist_ok=True)
    return {
        "FABRIC_CFG_PATH": str(folder),
        "FABRIC_LOGGING_SPEC": LOG_SPEC,
        "FABRIC_LOGGING_FORMAT": LOG_FORMAT,
        # Builds of packages are renamed into the ledger's folder, so both are of one file system.
        "TMPDIR": str(scratch),
    }


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 1.0):
        return True
    return False
