"""
Composition root of an operator's own Fabric channel: the package that its peers install, the
contract's beginning, and what each peer says of it.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tieline.contract.chaincode import CHAINCODE_VERSION
from tieline.contract.genesis import Genesis
from tieline.hub.connecting import fabric_source
from tieline.hub.genesis_file import read_genesis_file
from tieline.hub.relay_config import read_ledgers
from tieline.interfaces.errors import ConfigError, HubError
from tieline.ledgers.fabric import opening
from tieline.ledgers.fabric.native.chaincode_package import (
    LinkKeys,
    connection_file,
    make_package,
)
from tieline.ledgers.fabric.peer_look import PeerLook, block_bytes_max, look_at
from tieline.ledgers.fabric.peers import PeerPorts
from tieline.ledgers.fabric.port import FabricPort
from tieline.ledgers.fabric.settings import BLOCK_BYTES_MAX, TICK_DRIFT_S
from tieline.ledgers.fabric.tls_files import read_pair, read_roots
from tieline.wire.hashes import sha256

KIND: Final = "fabric"
LABEL: Final = f"tieline_{CHAINCODE_VERSION}"
_CLIENT_FILES: Final = ("ca.crt", "client.crt", "client.key")
_PRIVATE: Final = 0o600
_PUBLIC: Final = 0o644


@dataclass(frozen=True, slots=True)
class WrittenPackage:
    """A package on the disk, and what goes with it."""

    package_id: str
    """As peers report it when they install it."""
    genesis_sha256: str
    """Hex; empty: no genesis was named."""
    command: str
    """Starts the chaincode, in a shell."""


def write_package(
    out: Path, address: str, label: str, tls: Path | None, genesis_file: Path | None
) -> WrittenPackage:
    """
    Write the package of a chaincode that is a service; the same arguments write the same bytes.

    Args:
        out: File to write, ``.tgz``. Readable by its owner alone if it holds a key.
        address: HOST:PORT at which peers reach the chaincode.
        label: Of the package.
        tls: Folder of ``ca.crt``, ``client.crt`` and ``client.key``, by which peers dial; None: no
            TLS between peer and chaincode.
        genesis_file: The only genesis that the started chaincode is to take; None: any.

    Raises:
        ConfigError: An argument is not what it must be, or a file cannot be read or written.
    """
    opening.checked_address(address, "an address of a chaincode", "--address")
    keys = None
    if tls is not None:
        roots, certificate, key = (tls / name for name in _CLIENT_FILES)
        named = f"name a folder with {', '.join(_CLIENT_FILES)}"
        keys = LinkKeys(read_roots(roots, named), *read_pair(certificate, key, named))
    package = make_package(label, connection_file(address, keys))
    genesis_hash = ""
    if genesis_file is not None:
        genesis_hash = sha256(read_genesis_file(genesis_file, KIND).to_bytes()).hex()
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, _PUBLIC if keys is None else _PRIVATE)
            file.write(package.content)
    except OSError as exc:
        raise ConfigError(
            f"cannot be written: {exc.strerror}", file=str(out), instead="name another file"
        ) from exc
    command = [
        *("python", "-m", "tieline.ledgers.fabric.chaincode_main", "--listen", address),
        *("--package-id", package.package_id),
        *(("--tls", "SERVER_KEYS") if keys else ()),
        *(("--argument", genesis_hash) if genesis_hash else ()),
    ]
    return WrittenPackage(package.package_id, genesis_hash, shlex.join(command))


@dataclass(frozen=True, slots=True)
class Beginning:
    """Of a contract on a channel."""

    is_ours: bool
    """Whether this call began it; else it had begun with the same genesis."""
    genesis_sha256: str


async def begin(config: Path, ledger_id: str, genesis_file: Path) -> Beginning:
    """
    Give the contract on a channel its genesis, once.

    Args:
        config: A relayer's file; of it this ledger alone is looked at.
        ledger_id: The channel.
        genesis_file: As ``read_genesis_file`` reads it.

    Raises:
        ConfigError: The operator must act; above all, the contract has begun with another genesis,
            or blocks of the channel may be too long to be proved.
        Unavailable: No peer answers; the same call may be made again.
    """
    genesis = read_genesis_file(genesis_file, KIND)
    _check_name(genesis, ledger_id, genesis_file)
    content = genesis.to_bytes()
    async with _opened(config, ledger_id) as ports:
        peers = PeerPorts(ports)
        trouble = _trouble_of_blocks(await block_bytes_max(peers))
        if trouble is not None:
            what, instead = trouble
            raise ConfigError(what, key=ledger_id, instead=instead)
        is_ours = await opening.begin_contract(peers, content)
    return Beginning(is_ours, sha256(content).hex())


@dataclass(frozen=True, slots=True)
class PeerState:
    """What a peer says, or what is the matter with it."""

    peer: str
    look: PeerLook | None
    trouble: str
    """Cause and cure; empty: none."""


async def check(config: Path, ledger_id: str, now_s: int) -> Sequence[PeerState]:
    """
    Ask each peer that the file names by itself; nothing is written, no key of an account needed.

    Args:
        config: A relayer's file; of it this ledger alone is looked at.
        ledger_id: The channel.
        now_s: This computer's clock, unix seconds.

    Raises:
        ConfigError: The file is not what it must be. What is wrong with a peer is returned.
    """
    states: list[PeerState] = []
    async with _opened(config, ledger_id) as ports:
        for port in ports:
            try:
                states.append(PeerState(port.name, await look_at(port), ""))
            except HubError as exc:
                states.append(PeerState(port.name, None, str(exc)))
    looks = [one.look for one in states if one.look is not None]
    return [
        one if one.look is None else PeerState(one.peer, one.look, _trouble(one.look, looks, now_s))
        for one in states
    ]


def _trouble(look: PeerLook, looks: Sequence[PeerLook], now_s: int) -> str:
    """Return what is wrong with a peer beside the others, the first of which is believed."""
    first = looks[0]
    if look.channel_hash != first.channel_hash:
        return (
            f"another channel of that name than at {first.peer}, or one begun anew: block 0 has "
            f"hash {look.channel_hash[:16]}, not {first.channel_hash[:16]}; name peers of one"
        )
    if not look.genesis_sha256 and look.deployed_for != first.deployed_for:
        return (
            f"its chaincode is started for genesis {look.deployed_for or 'any'}, that of "
            f"{first.peer} for {first.deployed_for or 'any'}; start both with one --argument"
        )
    if look.clock_s > now_s + TICK_DRIFT_S:
        return (
            f"the contract's clock is {look.clock_s - now_s} s ahead of this computer's; set this "
            "computer and those of the peers by NTP"
        )
    return "; ".join(_trouble_of_blocks(look.block_bytes_max) or ())


def _trouble_of_blocks(bytes_max: int) -> tuple[str, str] | None:
    """Return what is wrong with the length of blocks, and what to do; None: nothing."""
    if bytes_max <= BLOCK_BYTES_MAX:
        return None
    what = (
        f"blocks of this channel may have {bytes_max} bytes, and a proof holds a whole one: what "
        "comes in a longer one could neither be answered nor time out"
    )
    where = "in the channel's configuration"
    return what, f"set BatchSize.AbsoluteMaxBytes to {BLOCK_BYTES_MAX} or less {where}"


def _check_name(genesis: Genesis, ledger_id: str, genesis_file: Path) -> None:
    if genesis.chain_id != ledger_id:
        raise ConfigError(
            f"is {genesis.chain_id!r}, and the ledger is named {ledger_id!r}",
            file=str(genesis_file),
            key="chain_id",
            instead="give ledger and genesis the name of the Fabric channel",
        )


@asynccontextmanager
async def _opened(config: Path, ledger_id: str) -> AsyncGenerator[Sequence[FabricPort], None]:
    """Give a way in through each peer. Raises ConfigError."""
    ledgers = read_ledgers(config)
    section = ledgers.get(ledger_id)
    if section is None or section.fabric is None:
        channels = [name for name, one in ledgers.items() if one.fabric is not None]
        raise ConfigError(
            f"names no ledger {ledger_id!r} of kind fabric",
            file=str(config),
            instead=f"write one of {', '.join(channels)}" if channels else "add one",
        )
    source = fabric_source(ledger_id, section, config.parent, opening.FabricSource)
    ports = opening.open_ports(source)
    try:
        yield ports
    finally:
        for port in ports:
            port.close()
        await asyncio.sleep(0)  # connections are let go of in the loop that opened them
