"""
From what a peer says to what the hub sorts by: the contract's own codespace and number, read out
of the chaincode's message, or a number of Fabric's own.
"""

from __future__ import annotations

from typing import Final

from tieline.contract.chaincode_errors import AlreadyExecuted
from tieline.contract.errors import TransactionTooLarge
from tieline.interfaces.errors import Rejected
from tieline.ledgers.fabric.port import InvocationRefused, Validation
from tieline.protocol.errors import ClientRefused
from tieline.wire.errors import Malformed
from tieline.wire.fabric.invocations import decode_refusal

CODESPACE: Final = "fabric"
"""Of refusals that only Fabric knows; the number is its ``TxValidationCode``, or the one below."""
CHAINCODE_FAILED: Final = 500
"""The chaincode broke down instead of refusing: another one, or not at its best."""
TOO_LARGE: Final = (TransactionTooLarge.codespace, TransactionTooLarge.code)
EXECUTED: Final = (AlreadyExecuted.codespace, AlreadyExecuted.code)
"""Its marker is there: all that it would do is done."""
CLIENT_REFUSED: Final = (ClientRefused.codespace, ClientRefused.code)
"""A header was not taken: perhaps it is ahead of a clock that has stood still for long."""
_LOG_MAX: Final = 400

RETRIED: Final = frozenset(
    {
        Validation.MVCC_READ_CONFLICT,
        Validation.PHANTOM_READ_CONFLICT,
        # The definition changed between endorsement and commit: the next proposal is by the new.
        Validation.EXPIRED_CHAINCODE,
        Validation.ENDORSEMENT_POLICY_FAILURE,
    }
)
"""A fresh proposal of the same transaction may do better."""


def refusal_of(refused: InvocationRefused) -> Rejected:
    """Return the contract's refusal; anything else a peer says is a chaincode that failed."""
    try:
        said = decode_refusal(refused.message)
    except Malformed:
        return Rejected(CODESPACE, CHAINCODE_FAILED, refused.message[:_LOG_MAX])
    return Rejected(said.codespace, said.code, said.log)


def name_of(code: int) -> str:
    """Return Fabric's word for a validation code."""
    return Validation(code).name if code in set(Validation) else f"code {code}"
