"""
How a ledger on Fabric begins, and by what it runs ever after: the genesis in its own state, decoded
once and known again by its bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tieline.contract.assembly import microgrid_installation, microgrid_light_clients
from tieline.contract.chaincode_errors import GenesisRefused, NotInitialised
from tieline.contract.chaincode_state import Answer, ShownState, physical_writes
from tieline.contract.context import LedgerNames
from tieline.contract.dispatch import Dispatch
from tieline.contract.errors import InvalidMessage
from tieline.contract.genesis import Genesis
from tieline.contract.genesis_state import CHAIN_TAG_KEY, GENESIS_KEY, write_genesis
from tieline.contract.installation import Installation
from tieline.contract.naming import chain_tag_of, ledger_names
from tieline.contract.store import TIELINE
from tieline.protocol.client import LightClient
from tieline.wire.fabric.invocations import physical_key
from tieline.wire.hashes import sha256

FABRIC_KIND: Final = "fabric"
"""What chain tags call Fabric."""

STORED_GENESIS: Final = physical_key(TIELINE, GENESIS_KEY)
STORED_CHAIN_TAG: Final = physical_key(TIELINE, CHAIN_TAG_KEY)
_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class OpenedLedger:
    """What follows from a stored genesis and nothing else."""

    genesis_bytes: bytes
    genesis: Genesis
    names: LedgerNames
    dispatch: Dispatch
    light_clients: Mapping[str, LightClient]


class StoredGenesis:
    """Writes the genesis once and reads it in each invocation that needs the ledger's rules."""

    def __init__(self, expected_sha256: bytes | None, installation: Installation | None) -> None:
        """
        Take what a deployment fixes.

        Args:
            expected_sha256: The only genesis that Init takes; any if None.
            installation: Applications and light clients; the microgrid's own unless given.
        """
        self._expected = expected_sha256
        self._installation = installation
        self._opened: OpenedLedger | None = None

    def write(self, arguments: list[bytes], shown: ShownState) -> Answer:
        """
        Begin the ledger; the payload is its chain tag.

        Args:
            arguments: The genesis and sha256 of block 0's header bytes.
            shown: Committed state.

        Raises:
            GenesisRefused: The ledger has begun, or this is not the genesis it was deployed for.
            InvalidMessage: The arguments are not these two.
        """
        if len(arguments) != 2 or len(arguments[1]) != _HASH_BYTES:
            raise InvalidMessage("Init takes a genesis and the 32-byte hash of block 0")
        data, block_0_hash = arguments
        if shown.get(STORED_GENESIS) is not None:
            raise GenesisRefused("this ledger has begun already")
        digest = sha256(data)
        if self._expected is not None and digest != self._expected:
            raise GenesisRefused(
                "not the genesis that this chaincode was deployed for",
                expected=self._expected.hex(),
                got=digest.hex(),
            )
        genesis = _read(data)
        born = write_genesis(genesis, self._installed(genesis).genesis_writers)
        tag = chain_tag_of(genesis, block_0_hash)
        born[TIELINE].set(CHAIN_TAG_KEY, tag)
        return Answer(physical_writes(born), payload=tag)

    @property
    def opened(self) -> OpenedLedger | None:
        """
        The ledger as the last invocation found it; None before the first. It is this one's too only
        if ``open`` returns it.
        """
        return self._opened

    def require(self, shown: ShownState) -> None:
        """Raise NotInitialised unless the ledger has begun."""
        if shown.get(STORED_GENESIS) is None:
            raise NotInitialised("nobody called Init on this ledger yet")

    def open(self, shown: ShownState) -> OpenedLedger:
        """Return the ledger that the state holds. Raises NotInitialised."""
        data, tag = shown.get(STORED_GENESIS), shown.get(STORED_CHAIN_TAG)
        if data is None or tag is None:
            raise NotInitialised("nobody called Init on this ledger yet")
        opened = self._opened
        if opened is None or opened.genesis_bytes != data or opened.names.chain_tag != tag:
            genesis = Genesis.from_bytes(data)
            installed = self._installed(genesis)
            opened = OpenedLedger(
                genesis_bytes=data,
                genesis=genesis,
                names=ledger_names(genesis, tag),
                dispatch=installed.dispatch(),
                light_clients=installed.rules_by_type(),
            )
            # One assignment: invocations that run side by side see the old one or the new one.
            self._opened = opened
        return opened

    def _installed(self, genesis: Genesis) -> Installation:
        if self._installation is not None:
            return self._installation
        return microgrid_installation(microgrid_light_clients(genesis))


def _read(data: bytes) -> Genesis:
    try:
        genesis = Genesis.from_bytes(data)
    except ValueError as exc:
        raise GenesisRefused(f"not a genesis: {exc}") from exc
    if genesis.kind != FABRIC_KIND:
        raise GenesisRefused("a genesis of another kind of ledger", kind=genesis.kind)
    return genesis
