"""
One account's nonces: which are given, which are under way, which are free again. The journal holds
the same on disk; what is written there first is what counts.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tieline.interfaces.errors import HubError, Rejected
from tieline.interfaces.signer import Signer
from tieline.ledgers.ethereum.endpoints import EvmEndpoints
from tieline.ledgers.ethereum.fees import FeePolicy, Fees
from tieline.ledgers.ethereum.rpc import Call, Json
from tieline.ledgers.ethereum.rpc_records import number_of
from tieline.ledgers.ethereum.transaction_journal import LOST, Form, Sent, TransactionJournal
from tieline.wire.evm.transactions import EvmTransaction, transaction_hash

UNDERFUNDED: Final = ("sdk", 5)

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """Whose transactions these are, and what goes with all of them."""

    key: Signer
    chain_id: int
    """Of EIP-155."""
    endpoints: EvmEndpoints
    journal: TransactionJournal
    policy: FeePolicy

    @property
    def address(self) -> bytes:
        """20 bytes."""
        return self.key.address

    @property
    def text(self) -> str:
        """The address as nodes and people write it."""
        return "0x" + self.address.hex()

    def sign(self, to: bytes | None, data: bytes, gas: int, nonce: int, fees: Fees) -> Form:
        """Sign a call; to nobody creates a contract."""
        transaction = EvmTransaction(
            self.chain_id, nonce, gas, fees.max_fee, fees.max_priority_fee, to, data
        )
        raw = transaction.sign(self.key)
        return Form(transaction_hash(raw), raw, fees)

    async def broadcast(self, raws: Sequence[bytes]) -> tuple[Sequence[Json | HubError], bool]:
        """
        Return what came of each, and whether a node may have had them before. They are on disk, so
        no failure as a whole is an answer about them: they are on their way, or will be.
        """
        try:
            return await self.endpoints.broadcast(raws)
        except HubError as exc:
            _LOG.warning("transactions wait for a node: count=%d %s", len(raws), exc)
            return [exc] * len(raws), True

    def underfunded(self, gas: int, fees: Fees, log: str) -> Rejected:
        """Return what tells an operator which account needs how much."""
        return Rejected(
            *UNDERFUNDED,
            f"account {self.text} cannot pay: it needs {gas * fees.max_fee} wei of ether for a "
            f"transaction of {gas} gas; send it some. The node says: {log}",
        )


@dataclass(slots=True)
class AccountBook:
    """The nonces of one account. One writer at a time: whoever has the account's turn."""

    account: Account
    open: dict[int, Sent] = field(default_factory=dict[int, Sent])
    """Under way: in no final block yet."""
    mined: set[int] = field(default_factory=set[int])
    """Of these, those that were in a block at the last look."""
    since: dict[int, tuple[float, int]] = field(default_factory=dict[int, tuple[float, int]])
    """When one was first seen in no block, and below which height of the chain."""
    sent_at: dict[int, float] = field(default_factory=dict[int, float])
    """When one was last broadcast."""
    gaps: set[int] = field(default_factory=set[int])
    """Nonces below the next one that no node has taken anything of."""
    next: int | None = None
    """The nonce after all that were given; None if it must be counted again."""

    def __post_init__(self) -> None:
        self.read_again()

    def read_again(self) -> None:
        """Take over what the journal has under way."""
        sent = self.account.journal.open(self.account.address)
        self.open = {one.nonce: one for one in sent}
        self.mined.clear()
        self.sent_at.clear()
        self.next = None

    async def count(self) -> None:
        """
        Know the next nonce from journal and chain; that of an account without journal from the
        pool, too. Raises Unavailable.
        """
        account, journal = self.account, self.account.journal
        calls = [
            Call("eth_getTransactionCount", (account.text, one)) for one in ("latest", "pending")
        ]
        latest, pending = await account.endpoints.ask(
            calls, lambda told: [number_of(one) for one in told]
        )
        given = journal.next_nonce(account.address)
        self.next = max(given, latest) if given > latest else max(latest, pending)
        ended = journal.ended_from(account.address, latest)
        self.gaps = set(range(latest, given)) - self.open.keys() - ended

    def take(self, count: int) -> list[int]:
        """Give out nonces in order; gaps are filled first."""
        assert self.next is not None, "nothing was counted"
        free = sorted(self.gaps)[:count]
        self.gaps.difference_update(free)
        last = self.next + count - len(free)
        free += range(self.next, last)
        self.next = last
        return free

    def write(self, forms: Sequence[tuple[int, Form]]) -> None:
        """Write first forms down; from now on they are under way."""
        address = self.account.address
        self.account.journal.write(address, [(nonce, 0, form) for nonce, form in forms])
        for nonce, form in forms:
            self.open[nonce] = Sent(address, nonce, [form])

    def give_back(self, nonce: int) -> None:
        """No node has anything of a nonce; the next transaction takes it."""
        self.account.journal.withdraw(self.account.address, nonce)
        self.forget(nonce)
        if self.next is None:
            return  # it is counted again, and this one with it
        self.gaps.add(nonce)
        while self.next - 1 in self.gaps:
            self.next -= 1
            self.gaps.remove(self.next)

    def lose(self, nonce: int) -> None:
        """
        Somebody else has used a nonce for good. Should the blocks that say so go away all the same,
        what we signed with it is broadcast again: nothing else stands for it.
        """
        _LOG.warning(
            "nonce used by somebody else account=%s nonce=%d; does another process send with this "
            "key?",
            *(self.account.text, nonce),
        )
        self.account.journal.end(self.account.address, nonce, LOST)
        self.forget(nonce)

    def leave(self, nonce: int) -> None:
        """
        Somebody else has used a nonce, and what we signed with it is signed again with another, or
        told to be refused: this form of it must never go out, even if the nonce is free again.
        """
        self.account.journal.withdraw(self.account.address, nonce)
        self.lose(nonce)

    def end(self, nonce: int, height: int) -> None:
        """A nonce of ours is used in the final block *height*."""
        self.account.journal.end(self.account.address, nonce, height)
        self.forget(nonce)

    def reopen(self, nonce: int) -> None:
        """A nonce that was used is free again: the blocks that used it are gone."""
        journal = self.account.journal
        journal.reopen(self.account.address, nonce)
        again = [one for one in journal.open(self.account.address) if one.nonce == nonce]
        if again:
            self.open[nonce] = again[0]
        else:
            self.gaps.add(nonce)

    def add_form(self, sent: Sent, form: Form) -> None:
        """Write down a form that pays more."""
        self.account.journal.write(self.account.address, [(sent.nonce, len(sent.forms), form)])
        sent.forms.append(form)

    def forget(self, nonce: int) -> None:
        """Look after a nonce no longer."""
        for memory in (self.open, self.since, self.sent_at):
            memory.pop(nonce, None)
        self.mined.discard(nonce)
