"""
Opens a channel that an operator names in a file; and how a contract begins on one: once, with one
genesis, by whoever comes first.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tieline.contract.chaincode_errors import GenesisRefused
from tieline.interfaces.errors import ConfigError, Rejected, Unavailable
from tieline.interfaces.signer import Signer
from tieline.ledgers.fabric.agreeing import endorse_agreed
from tieline.ledgers.fabric.carriers import X509Carrier
from tieline.ledgers.fabric.gateway import GatewayPort
from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.fabric.peer_calls import PeerAddress
from tieline.ledgers.fabric.peers import PeerPorts, genesis_hash_of
from tieline.ledgers.fabric.port import FabricPort, InvocationRefused, Validation
from tieline.ledgers.fabric.refusals import EXECUTED, name_of, refusal_of
from tieline.ledgers.fabric.settings import FabricSettings
from tieline.ledgers.fabric.tls_files import read_pair, read_roots
from tieline.ledgers.fabric.wallets import DatabaseWallet, FolderWallet, Identity
from tieline.wire.fabric.invocations import init_args

_REFUSED: Final = (GenesisRefused.codespace, GenesisRefused.code)
_LOOKS: Final = 100
_LOOK_S: Final = 0.1
_PORT_MAX: Final = 65_535


@dataclass(frozen=True, slots=True)
class FabricSource:
    """Where a channel is, and who goes there."""

    fabric_channel: str
    peers: tuple[str, ...]
    """``HOST:PORT`` each, in order of preference."""
    wallet: Path
    identity: str
    passphrase_variable: str
    """Environment variable with the passphrase of an encrypted wallet; empty: it is a folder."""
    tls_roots_file: Path
    tls_shown_files: tuple[Path, Path] | None
    """Certificate and key that are shown to peers which ask for one."""
    trusting_period_s: int
    """How long others trust a height of it."""
    history_file: Path | None = None
    """Keeps what was read of it, so that a start goes on from there; None: read from block 0."""


def open_fabric(
    source: FabricSource, lanes: Mapping[str, Signer], wall_s: Callable[[], int] | None = None
) -> FabricLedger:
    """
    Open a ledger with the keys of its lanes; no peer is asked yet.

    Args:
        source: Where it is.
        lanes: Keys that sign transactions.
        wall_s: This computer's clock, by which Ticks are handed in; None: others do that.

    Raises:
        ConfigError: A file, an identity or an address is not what it must be; or the history file
            is damaged, in use or another channel's.
    """
    settings = FabricSettings(trusting_period_s=source.trusting_period_s)
    ledger = FabricLedger(
        PeerPorts(open_ports(source)), settings, wall_s=wall_s, history_file=source.history_file
    )
    for name, key in lanes.items():
        ledger.add_lane(name, key)
    return ledger


def open_ports(source: FabricSource) -> Sequence[FabricPort]:
    """
    Return a way in through each of a channel's peers, in their order; none is asked yet.

    Raises:
        ConfigError: A file, an identity or an address is not what it must be.
    """
    carrier = X509Carrier(_identity(source))
    roots = read_roots(source.tls_roots_file)
    shown = (b"", b"")
    if source.tls_shown_files is not None:
        shown = read_pair(*source.tls_shown_files)
    return [
        GatewayPort(
            PeerAddress(target, checked_address(target), roots, *shown),
            source.fabric_channel,
            carrier,
        )
        for target in source.peers
    ]


def _identity(source: FabricSource) -> Identity:
    if not source.passphrase_variable:
        return FolderWallet(source.wallet).get(source.identity)
    passphrase = os.environ.get(source.passphrase_variable, "")
    if not passphrase:
        raise ConfigError(
            f"the environment has no {source.passphrase_variable}",
            file=str(source.wallet),
            instead="set it to the wallet's passphrase",
        )
    if not source.wallet.is_file():
        raise ConfigError(
            "there is no such wallet", file=str(source.wallet), instead="name a wallet's file"
        )
    wallet = DatabaseWallet(source.wallet, passphrase)
    try:
        return wallet.get(source.identity)
    finally:
        wallet.close()


_HOST = re.compile(r"[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]")
"""A name or an address; of IPv6 between brackets, or nobody knows where the port begins."""


def checked_address(target: str, what: str = "a peer's address", key: str = "") -> str:
    """Return *target* if it is HOST:PORT. Raises ConfigError, which calls it *what* at *key*."""
    host, _, port = target.rpartition(":")
    is_port = port.isascii() and port.isdecimal() and 0 < int(port) <= _PORT_MAX
    if not _HOST.fullmatch(host) or not is_port:
        raise ConfigError(f"not {what}: {target!r}", key=key, instead="write HOST:PORT")
    return target


async def begin_contract(port: FabricPort, genesis: bytes) -> bool:
    """
    Give a channel's contract its genesis, and say whether this call did it.

    Args:
        port: The way in; its chaincode is committed.
        genesis: As ``Genesis.to_bytes`` writes it.

    Raises:
        ConfigError: The contract was begun with another genesis, or takes another one only.
        Unavailable: Nobody answers, or it does not come into a block.
    """
    args = init_args(genesis, await genesis_hash_of(port))
    try:
        endorsed = await endorse_agreed(port, args, FabricSettings())
    except InvocationRefused as refused:
        return _was_begun(refusal_of(refused), port)
    await port.order(endorsed.envelope)
    for _ in range(_LOOKS):
        status = await port.commit_status(endorsed.tx_id)
        if status is not None:
            if status.code == Validation.VALID:
                return True
            if status.code == Validation.MVCC_READ_CONFLICT:
                # Another was faster, perhaps with another genesis: the contract says which.
                return await begin_contract(port, genesis)
            raise Unavailable(f"the genesis is not valid: {name_of(status.code)}")
        await asyncio.sleep(_LOOK_S)
    raise Unavailable(f"the genesis comes into no block: {port.name}")


def _was_begun(said: Rejected, port: FabricPort) -> bool:
    """Return False if the contract was begun just so."""
    if (said.codespace, said.code) == EXECUTED:
        return False
    if (said.codespace, said.code) == _REFUSED:
        raise ConfigError(
            f"the contract does not take this genesis: {said.log}",
            key=port.name,
            instead="give the genesis that the chaincode was deployed for; a channel that was "
            "begun with another one stays with it",
        )
    raise said
