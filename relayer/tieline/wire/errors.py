"""What all decoders raise; callers never meet protobuf's, struct's or libsecp256k1's errors."""

from __future__ import annotations

from enum import Enum


class Malformed(ValueError):
    """Bytes or fields that are not what the specification says; trying again cannot help."""


class Fault(Enum):
    """What is wrong with a transaction, where Cosmos chains have a code of its own for it."""

    SIGNATURE_MISSING = "no signatures supplied"
    SIGNERS = "wrong number of signers"
    KEY_TYPE = "kind of public key"
    SIGN_MODE = "sign mode"
    NO_MESSAGES = "no messages"
    EXTENSION = "extension options"
    UNORDERED = "unordered"
    FEE = "fee"
    FEE_PAYER = "fee payer"
    ADDRESS = "address"
    COINS = "coins"


class TransactionFault(Malformed):
    """A transaction that is protobuf, but not one that can run here."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault
