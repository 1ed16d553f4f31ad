"""
What an Ethereum ledger is as of its last final block: the logs of our contracts, folded in the
order of the chain, and each block as observers see it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tieline.contract.genesis import Genesis
from tieline.contract.twin.state import TwinOf
from tieline.contract.twin.twin import Twin
from tieline.interfaces.errors import ConfigError, Reorganised, Unavailable
from tieline.interfaces.ledger import BlockEvents
from tieline.ledgers.ethereum.deployment import Deployment
from tieline.ledgers.ethereum.endpoints import EvmEndpoints
from tieline.ledgers.ethereum.finality import FinalityRule
from tieline.ledgers.ethereum.follower import ChainFollower, FollowedBlock, Head
from tieline.ledgers.ethereum.observed import ObservedTransaction, observe_block
from tieline.ledgers.ethereum.refused import Refused
from tieline.ledgers.ethereum.transaction_journal import TransactionJournal


@dataclass(frozen=True, slots=True)
class EvmLedgerPlan:
    """Which ledger this is, as those who made it wrote it down."""

    genesis: Genesis
    deployment: Deployment

    def __post_init__(self) -> None:
        if self.genesis.chain_id != self.deployment.ledger_id:
            raise ConfigError(
                f"the genesis is of {self.genesis.chain_id}, the deployment record of "
                f"{self.deployment.ledger_id}",
                instead="name the two files of one ledger",
            )


class FinalView:
    """The ledger's past, read once and in order."""

    def __init__(
        self,
        plan: EvmLedgerPlan,
        endpoints: EvmEndpoints,
        rule: FinalityRule,
        journal: TransactionJournal,
        note_failure: Callable[[], None],
    ) -> None:
        """
        Know nothing yet.

        Args:
            plan: Which ledger.
            endpoints: Who is asked.
            rule: When a block is final.
            journal: Knows our own transactions, and the blocks that were acted on before.
            note_failure: Called for each transaction that failed in its block.
        """
        deployment = plan.deployment
        addresses = deployment.addresses
        self._of = TwinOf(plan.genesis, deployment.chain_tag, addresses.host, addresses.app)
        self._ledger_id = deployment.ledger_id
        self._start = deployment.start_height
        self._journal = journal
        self._follower = ChainFollower(
            *(self._ledger_id, endpoints, (addresses.host, addresses.app)),
            *(rule, journal, self._start),
        )
        self._refused = Refused(endpoints)
        self._note_failure = note_failure
        self.twin = Twin(self._of)
        self._times = array("Q")
        """Of every block from the start on, unix seconds."""
        self._events: dict[int, BlockEvents] = {}
        """Of blocks in which something happened."""

    @property
    def height(self) -> int:
        """Of the last block that was read."""
        return self._follower.height

    @property
    def head(self) -> Head | None:
        """The end of the chain at the last look; None before the first."""
        return self._follower.head

    @property
    def time_s(self) -> int:
        """Chain time of the last block that was read, unix seconds; 0 before the first."""
        return self._times[-1] if self._times else 0

    def hash_at(self, height: int) -> bytes | None:
        """Return the hash of a block that was read lately."""
        return self._follower.hash_at(height)

    async def read_on(self) -> Head:
        """
        Read what is final now.

        Raises:
            Reorganised: Blocks that were read are gone; all is read again from now on.
            ConfigError: The chain was begun anew: the operator must act.
            NotYet: The chain changed while it was read; ask again.
            Unavailable: No node answers.
        """
        head = await self._follower.look()
        try:
            while blocks := await self._follower.read_on(head):
                # What has to be asked for is asked before anything is taken in.
                observed = [await self._observed(block) for block in blocks]
                self._follower.take([block.block for block in blocks])
                for block, transactions in zip(blocks, observed, strict=True):
                    self._take(block, transactions)
        except Reorganised:
            self.twin = Twin(self._of)
            self._times = array("Q")
            self._events.clear()
            raise
        return head

    def blocks_after(self, height: int, limit: int) -> Sequence[BlockEvents]:
        """
        Return blocks that were read above *height*, ascending, without gaps, at most *limit*.

        Raises:
            Unavailable: *height* is above all that there is.
        """
        if height > max(self.height, self._start - 1):
            raise Unavailable(
                f"{self._ledger_id} has {self.height} final blocks and was read up to {height}: "
                "its nodes are behind, or it was begun anew"
            )
        first = max(height + 1, self._start)
        return [self._block(one) for one in range(first, min(self.height, first + limit - 1) + 1)]

    def _block(self, height: int) -> BlockEvents:
        told = self._events.get(height)
        return told or BlockEvents(height, self._times[height - self._start], ())

    async def _observed(self, followed: FollowedBlock) -> list[ObservedTransaction]:
        found: list[ObservedTransaction] = []
        for one in followed.transactions:
            # A form that pays more is known by the first one.
            name = self._journal.name_of(one.tx_hash) or one.tx_hash
            logs = tuple(seen.log for seen in one.logs)
            why = (b"", "")
            if not one.is_success:
                self._note_failure()
                why = await self._refused.why(one.tx_hash, followed.block.height)
            found.append(ObservedTransaction(name, one.is_success, logs, *why))
        return found

    def _take(self, followed: FollowedBlock, transactions: Sequence[ObservedTransaction]) -> None:
        header = followed.block.header
        told = observe_block(self.twin, header.number, header.timestamp, transactions)
        self._times.append(header.timestamp)
        if told.transactions:
            self._events[header.number] = told
