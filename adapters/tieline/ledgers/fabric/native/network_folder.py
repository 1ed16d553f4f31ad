"""
What a native network keeps on disk: ports, keys, files of its programs, the channel's first block.
A folder that holds a finished network is taken up as it is; what was left half made is made anew.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

from tieline.interfaces.errors import ConfigError
from tieline.ledgers.children.ports import free_ports
from tieline.ledgers.fabric.material import (
    Member,
    Organisation,
    Role,
    Validity,
    make_organisation,
    write_organisation,
)
from tieline.ledgers.fabric.native.chaincode_package import (
    LinkKeys,
    connection_file,
    write_builder,
)
from tieline.ledgers.fabric.native.channel_files import (
    OrdererPlace,
    PeerPlace,
    make_genesis,
)
from tieline.ledgers.fabric.native.plan import ORDERER_MSP, NetworkPlan
from tieline.ledgers.fabric.native.program_files import (
    LOOPBACK,
    OrdererSettings,
    PeerSettings,
    write_core,
    write_orderer,
)

CLIENT, ADMIN = "client", "admin"
SEED_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class PeerNode:
    """One peer with the chaincode that serves it alone."""

    name: str
    """Unique in the network: ``Org1MSP-peer0``."""
    member: Member
    folder: Path
    port: int
    chaincode_name: str
    chaincode_port: int

    @property
    def msp_id(self) -> str:
        """Whose it is."""
        return self.member.msp_id


@dataclass(frozen=True, slots=True)
class OrdererNode:
    """One orderer."""

    name: str
    member: Member
    folder: Path
    port: int
    admin_port: int


class NetworkFolder:
    """The folder of one network."""

    def __init__(self, plan: NetworkPlan, folder: Path) -> None:
        """
        Take up the network of a folder, or lay one out.

        Raises:
            ConfigError: The folder is another network's, or configtxgen is not built.
            Unavailable: No ports are free.
        """
        self.plan = plan
        self.folder = folder.absolute()
        self._facts_file = self.folder / "network.json"
        self._ready_file = self.folder / "ready"
        self.is_ready = self._ready_file.exists()
        """Whether the channel was brought up once, with its chaincode."""
        if not self.is_ready:
            shutil.rmtree(self.folder / "nodes", ignore_errors=True)
            self._facts_file.unlink(missing_ok=True)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        facts = self._facts()
        validity = Validity(
            datetime.fromtimestamp(cast("int", facts["not_before"]), UTC),
            datetime.fromtimestamp(cast("int", facts["not_after"]), UTC),
        )
        self._make_organisations(plan.seed or self._own_seed(), validity)
        self._place(cast("Mapping[str, int]", facts["ports"]))
        self.genesis_file = self.folder / "genesis.block"
        if not self.is_ready:
            self._write()
        self.genesis_block = self.genesis_file.read_bytes()

    @property
    def builder(self) -> Path:
        """Folder of the external builder."""
        return self.folder / "builder"

    def set_ready(self) -> None:
        """Note that it is all there, for the next start."""
        self._ready_file.touch()
        self.is_ready = True

    def _facts(self) -> Mapping[str, object]:
        wanted = {
            "fabric_channel": self.plan.fabric_channel,
            "consensus": self.plan.consensus.value,
            "organisations": list(self.plan.organisations),
            "peers_each": self.plan.peers_each,
        }
        if self._facts_file.exists():
            facts = cast("dict[str, object]", json.loads(self._facts_file.read_bytes()))
            if {name: facts.get(name) for name in wanted} != wanted:
                raise ConfigError(
                    f"is a network with {facts}, not with {wanted}",
                    file=str(self._facts_file),
                    instead="choose an empty folder",
                )
            return facts
        facts = wanted | {
            "ports": self._new_ports(),
            "not_before": int(self.plan.validity.not_before.timestamp()),
            "not_after": int(self.plan.validity.not_after.timestamp()),
        }
        self._facts_file.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        return facts

    def _new_ports(self) -> dict[str, int]:
        names = [f"{name}/{use}" for name in self._orderer_names() for use in ("client", "admin")]
        for msp_id in self.plan.organisations:
            for number in range(self.plan.peers_each):
                names += [f"{msp_id}-peer{number}", f"{msp_id}-chaincode{number}"]
        return dict(zip(names, free_ports(len(names)), strict=True))

    def _orderer_names(self) -> list[str]:
        return [f"orderer{number}" for number in range(1, self.plan.orderer_count + 1)]

    def _own_seed(self) -> bytes:
        path = self.folder / "seed"
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(SEED_BYTES))
        return path.read_bytes()

    def _make_organisations(self, seed: bytes, validity: Validity) -> None:
        numbers = range(self.plan.peers_each)
        members = [(f"peer{number}", Role.PEER) for number in numbers]
        members += [(f"chaincode{number}", Role.CLIENT) for number in numbers]
        members += [(ADMIN, Role.ADMIN), (CLIENT, Role.CLIENT)]
        self.organisations: Mapping[str, Organisation] = {
            msp_id: make_organisation(msp_id, members, validity, seed=seed)
            for msp_id in self.plan.organisations
        }
        ordering = [(name, Role.ORDERER) for name in self._orderer_names()]
        ordering.append((ADMIN, Role.ADMIN))
        self.ordering = make_organisation(ORDERER_MSP, ordering, validity, seed=seed)

    def _place(self, ports: Mapping[str, int]) -> None:
        nodes = self.folder / "nodes"
        self.orderers = tuple(
            OrdererNode(
                name,
                self.ordering.member(name),
                nodes / ORDERER_MSP / name,
                ports[f"{name}/client"],
                ports[f"{name}/admin"],
            )
            for name in self._orderer_names()
        )
        self.peers = tuple(
            PeerNode(
                f"{msp_id}-peer{number}",
                organisation.member(f"peer{number}"),
                nodes / msp_id / f"peer{number}",
                ports[f"{msp_id}-peer{number}"],
                f"{msp_id}-chaincode{number}",
                ports[f"{msp_id}-chaincode{number}"],
            )
            for msp_id, organisation in self.organisations.items()
            for number in range(self.plan.peers_each)
        )

    def _write(self) -> None:
        """Write all files of a new network, and make its first block."""
        nodes = self.folder / "nodes"
        for organisation in (*self.organisations.values(), self.ordering):
            write_organisation(organisation, nodes / organisation.msp_id)
        write_builder(self.builder)
        everyone = (*self.organisations.values(), self.ordering)
        roots = b"".join(one.tls_authority.certificate_pem for one in everyone)
        firsts: dict[str, int] = {}
        for peer in self.peers:
            first = firsts.setdefault(peer.msp_id, peer.port)
            (peer.folder / "client_roots.pem").write_bytes(roots)
            settings = PeerSettings(
                peer.name, peer.msp_id, peer.folder, peer.port, first, self.builder
            )
            write_core(settings)
            self._write_connection(peer)
        for orderer in self.orderers:
            write_orderer(
                OrdererSettings(ORDERER_MSP, orderer.folder, orderer.port, orderer.admin_port)
            )
        places = [OrdererPlace(orderer.port, orderer.folder) for orderer in self.orderers]
        make_genesis(
            self.folder,
            self.plan.fabric_channel,
            self.plan.consensus,
            self.plan.pace,
            (ORDERER_MSP, nodes / ORDERER_MSP / "msp", places),
            [PeerPlace(msp_id, nodes / msp_id / "msp", port) for msp_id, port in firsts.items()],
        )

    def _write_connection(self, peer: PeerNode) -> None:
        keys = None
        if self.plan.chaincode.is_tls:
            root = self.organisations[peer.msp_id].tls_authority.certificate_pem
            tls = peer.member.tls
            keys = LinkKeys(root, tls.certificate_pem, tls.private_pem())
        path = peer.folder / "connection.json"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(connection_file(f"{LOOPBACK}:{peer.chaincode_port}", keys))
