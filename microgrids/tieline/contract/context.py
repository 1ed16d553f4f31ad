"""
What a message may see and touch while it runs: time, this ledger's names, the signer, the stores,
events. Nothing else exists for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from tieline.contract.errors import OutOfGas
from tieline.protocol.time import TimestampNanoseconds, TimestampSeconds, to_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tieline.contract.genesis import Parameters
    from tieline.contract.store import Overlay
    from tieline.protocol.client import LightClient
    from tieline.protocol.events import Event


class Outcome(Enum):
    """What a message came to, if it was not refused."""

    DONE = "done"
    ALREADY_DONE = "already done"
    """Somebody was faster, or the bytes came twice. Not an error; nothing was changed."""


class GasMeter:
    """Counts the work of one transaction."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def charge(self, gas: int) -> None:
        """
        Add *gas*.

        Raises:
            OutOfGas: The sum is above the limit; the transaction is undone.
        """
        self.used += gas
        if self.used > self.limit:
            raise OutOfGas(
                f"out of gas in location: contract; gasWanted: {self.limit}, gasUsed: {self.used}"
            )


@dataclass(frozen=True, slots=True)
class LedgerNames:
    """Who this ledger is; the same in every transaction."""

    chain_id: str
    chain_tag: bytes
    network_id: bytes
    domain: bytes
    """EIP-712 separator of the network."""
    cell_address: bytes
    """The utility cell of this ledger, EVM address."""
    kind: str = "cometbft"
    """As in the chain tag; says what an account of a key is."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A place in a transaction to go back to."""

    ibc: int
    state: int
    events: int
    transient: dict[bytes, object]


class Context:
    """
    One transaction under way. Time is the ledger's; *before T* means ``now_s < T``.

    The clock is asked only when a message asks for the time: where it is a key of the state, those
    that do not would otherwise meet those that set it.
    """

    __slots__ = (
        "_clock",
        "_now_ns",
        "chain_id",
        "chain_tag",
        "domain",
        "events",
        "gas",
        "ibc",
        "light_clients",
        "names",
        "network_id",
        "parameters",
        "signer",
        "signer_address",
        "state",
        "transient",
    )

    def __init__(
        self,
        *,
        names: LedgerNames,
        parameters: Parameters,
        light_clients: Mapping[str, LightClient],
        clock: Callable[[], TimestampNanoseconds],
        ibc: Overlay,
        state: Overlay,
        gas: GasMeter,
        signer: bytes = b"",
        signer_address: bytes = b"",
    ) -> None:
        self.names = names
        self.chain_id = names.chain_id
        self.chain_tag = names.chain_tag
        self.network_id = names.network_id
        self.domain = names.domain
        self.parameters = parameters
        self.light_clients = light_clients
        """The rules this ledger can verify others by, by client type."""
        self._clock = clock
        self._now_ns: TimestampNanoseconds | None = None
        self.ibc = ibc
        """Store ``ibc``: only IBC v2 keys."""
        self.state = state
        """Store ``tieline``."""
        self.gas = gas
        self.signer = signer
        """Cosmos account of the key that signed the transaction; 20 bytes."""
        self.signer_address = signer_address
        """EVM address of the same key; cells are known by it."""
        self.transient: dict[bytes, object] = {}
        """
        Kept until the transaction ends, such as evidence for a later message. Values are
        replaced, never changed in place.
        """
        self.events: list[Event] = []

    @property
    def now_ns(self) -> TimestampNanoseconds:
        """
        The ledger's time, the same throughout the transaction.

        Raises:
            ContractError: The ledger has no time yet; true later.
        """
        if self._now_ns is None:
            self._now_ns = self._clock()
        return self._now_ns

    @property
    def now_s(self) -> TimestampSeconds:
        """The ledger's time, cut to whole seconds. Raises as ``now_ns`` does."""
        return to_seconds(self.now_ns)

    def emit(self, event: Event) -> None:
        """Add an event; it is lost if the transaction is undone."""
        self.events.append(event)

    def charge(self, gas: int) -> None:
        """Pay for work that stores do not see, such as a signature. Raises OutOfGas."""
        self.gas.charge(gas)

    def checkpoint(self) -> Checkpoint:
        """Return a place to go back to."""
        return Checkpoint(
            ibc=self.ibc.checkpoint(),
            state=self.state.checkpoint(),
            events=len(self.events),
            transient=dict(self.transient),
        )

    def rollback(self, mark: Checkpoint) -> None:
        """Undo everything since *mark* but the gas."""
        self.ibc.rollback(mark.ibc)
        self.state.rollback(mark.state)
        del self.events[mark.events :]
        self.transient = dict(mark.transient)
