"""
Why this ledger refuses a transaction.

Codespace ``sdk`` and its numbers are those of the Cosmos SDK, so that wallets understand them;
``tieline`` is ours, its numbers never change. Refusals of IBC messages are in
``tieline.protocol.errors``.
"""

from __future__ import annotations

from typing import ClassVar

from tieline.protocol.errors import ProtocolError


class ContractError(ProtocolError):
    """A transaction, or one of its messages, is refused; nothing of it stays."""

    codespace: ClassVar[str] = "tieline"
    code: ClassVar[int] = 1


class NotYetPosted(ContractError):
    """A clearing, a cell set, a verdict or evidence is missing here; true later."""

    code: ClassVar[int] = 2
    true_later: ClassVar[bool] = True


class QuorumMissing(ContractError):
    """Too few cells signed."""

    code: ClassVar[int] = 3


class SdkError(ContractError):
    """A refusal that every Cosmos chain knows."""

    codespace: ClassVar[str] = "sdk"


class TransactionMalformed(SdkError):
    """Bytes are not a transaction."""

    code: ClassVar[int] = 2


class NotPermitted(SdkError):
    """The signature, or the signer's role, does not permit it."""

    code: ClassVar[int] = 4


class InsufficientFunds(SdkError):
    """The account holds less."""

    code: ClassVar[int] = 5


class UnknownMessage(SdkError):
    """No handler takes this type of message."""

    code: ClassVar[int] = 6


class InvalidAddress(SdkError):
    """An account is not 20 bytes."""

    code: ClassVar[int] = 7


class InvalidPublicKey(SdkError):
    """The transaction's key is not that of the signer its messages name."""

    code: ClassVar[int] = 8


class UnknownAccount(SdkError):
    """The signer has never held anything here; send it something first."""

    code: ClassVar[int] = 9


class InvalidCoins(SdkError):
    """An amount or a denomination is wrong."""

    code: ClassVar[int] = 10


class OutOfGas(SdkError):
    """The work is more than the transaction allows."""

    code: ClassVar[int] = 11


class MemoTooLarge(SdkError):
    """A transaction's memo is too long."""

    code: ClassVar[int] = 12


class InvalidMessage(SdkError):
    """A field of a message is out of range."""

    code: ClassVar[int] = 18


class TransactionTooLarge(SdkError):
    """More bytes than one transaction may have."""

    code: ClassVar[int] = 21


class TimeoutHeightReached(SdkError):
    """The transaction's own last height has passed."""

    code: ClassVar[int] = 30


class WrongSequence(SdkError):
    """The sequence is not the account's next: a replay, or one is missing before it."""

    code: ClassVar[int] = 32
