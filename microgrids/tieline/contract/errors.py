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
    """A refusal that every Cosmos chain knows, in the words by which its tools know it."""

    codespace: ClassVar[str] = "sdk"
    description: ClassVar[str] = ""
    """The Cosmos SDK's own words; a log ends with them."""

    def __str__(self) -> str:
        return f"{super().__str__()}: {self.description}"


class TransactionMalformed(SdkError):
    """Bytes are not a transaction."""

    code: ClassVar[int] = 2
    description: ClassVar[str] = "tx parse error"


class NotPermitted(SdkError):
    """The signature, or the signer's role, does not permit it."""

    code: ClassVar[int] = 4
    description: ClassVar[str] = "unauthorized"


class InsufficientFunds(SdkError):
    """The account holds less."""

    code: ClassVar[int] = 5
    description: ClassVar[str] = "insufficient funds"


class UnknownMessage(SdkError):
    """No handler takes this type of message."""

    code: ClassVar[int] = 6
    description: ClassVar[str] = "unknown request"


class InvalidAddress(SdkError):
    """An account is not 20 bytes, or not spelled as this ledger spells it."""

    code: ClassVar[int] = 7
    description: ClassVar[str] = "invalid address"


class InvalidPublicKey(SdkError):
    """The transaction's key is not that of the signer its messages name."""

    code: ClassVar[int] = 8
    description: ClassVar[str] = "invalid pubkey"


class UnknownAccount(SdkError):
    """The signer has never held anything here; send it something first."""

    code: ClassVar[int] = 9
    description: ClassVar[str] = "unknown address"


class InvalidCoins(SdkError):
    """An amount or a denomination is wrong."""

    code: ClassVar[int] = 10
    description: ClassVar[str] = "invalid coins"


class OutOfGas(SdkError):
    """The work is more than the transaction allows."""

    code: ClassVar[int] = 11
    description: ClassVar[str] = "out of gas"


class MemoTooLarge(SdkError):
    """A transaction's memo is too long."""

    code: ClassVar[int] = 12
    description: ClassVar[str] = "memo too large"


class InsufficientFee(SdkError):
    """The fee is below what this peer asks for, or is no list of coins."""

    code: ClassVar[int] = 13
    description: ClassVar[str] = "insufficient fee"


class NoSignatures(SdkError):
    """Nobody signed."""

    code: ClassVar[int] = 15
    description: ClassVar[str] = "no signatures supplied"


class InvalidMessage(SdkError):
    """A field of a message is out of range."""

    code: ClassVar[int] = 18
    description: ClassVar[str] = "invalid request"


class TransactionTooLarge(SdkError):
    """More bytes than one transaction may have."""

    code: ClassVar[int] = 21
    description: ClassVar[str] = "tx too large"


class TimeoutHeightReached(SdkError):
    """The transaction's own last height has passed."""

    code: ClassVar[int] = 30
    description: ClassVar[str] = "tx timeout height"


class UnknownExtensionOptions(SdkError):
    """The transaction asks for an extension that is not here."""

    code: ClassVar[int] = 31
    description: ClassVar[str] = "unknown extension options"


class WrongSequence(SdkError):
    """The sequence is not the account's next: a replay, or one is missing before it."""

    code: ClassVar[int] = 32
    description: ClassVar[str] = "incorrect account sequence"


class NotSupported(SdkError):
    """A kind of transaction that other Cosmos chains may take."""

    code: ClassVar[int] = 37
    description: ClassVar[str] = "feature not supported"


class InvalidGasLimit(SdkError):
    """More gas than any transaction may ask for."""

    code: ClassVar[int] = 41
    description: ClassVar[str] = "invalid gas limit"
