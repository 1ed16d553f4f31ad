"""
When a signed transaction may run, and what its signer gives for it: by the account's sequence
where a ledger runs one transaction after another, by a marker of its own where they run side by
side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tieline.contract import accounts, auth, fees
from tieline.contract.errors import NotSupported
from tieline.contract.results import Sender
from tieline.contract.store import KeyValues, Readable


class Turns(Protocol):
    """One rule a kind of host."""

    def require(self, state: Readable, sender: Sender) -> None:
        """Check, before any work, that it is the transaction's turn. Raises SdkError."""
        ...

    def take(self, state: KeyValues, sender: Sender) -> None:
        """Write what stays even if the messages are refused. Raises SdkError; then none does."""
        ...


@dataclass(frozen=True, slots=True)
class AccountTurns:
    """An account's transactions run in the order of their sequences and pay fees."""

    height: int
    """Of the block under execution."""

    def require(self, state: Readable, sender: Sender) -> None:
        """Raise TimeoutHeightReached, UnknownAccount or WrongSequence."""
        auth.require_height(sender.decoded, self.height)
        auth.require_turn(state, sender.account, sender.decoded)

    def take(self, state: KeyValues, sender: Sender) -> None:
        """Pay the fee and count. Raises InsufficientFunds."""
        fees.pay_fee(state, sender.account, sender.decoded.fee)
        accounts.set_next_sequence(state, sender.account, sender.decoded.sequence + 1)


@dataclass(frozen=True, slots=True)
class MarkedTurns:
    """
    Each transaction runs once, in any order, and pays nothing: the host keeps a marker a
    transaction, so that no key is shared by all that an account, or everybody, sends.

    Whoever may hand transactions in has been admitted by the host, so the signer need not be known
    here. The sequence is any number by which a signer tells two equal transactions apart.
    """

    def require(self, state: Readable, sender: Sender) -> None:
        """Raise NotSupported for what would need a height or a purse that all share."""
        del state
        if sender.decoded.timeout_height:
            raise NotSupported("a transaction here cannot know its height; leave out its timeout")
        if any(amount for _, amount in sender.decoded.fee):
            raise NotSupported("fees are not taken here; leave them out")

    def take(self, state: KeyValues, sender: Sender) -> None:
        """Write nothing: the host writes the marker together with everything else."""
