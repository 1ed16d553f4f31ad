"""
What only the contract on Fabric refuses. Codes never change.
"""

from __future__ import annotations

from typing import ClassVar

from tieline.contract.errors import ContractError


class NotInitialised(ContractError):
    """Nobody called Init yet; true later."""

    code: ClassVar[int] = 40
    true_later: ClassVar[bool] = True


class ClockNotSet(ContractError):
    """A message asked for the time before the first Tick; true later."""

    code: ClassVar[int] = 41
    true_later: ClassVar[bool] = True


class AlreadyExecuted(ContractError):
    """This very invocation has run, or one that did all it would do; look at the state."""

    code: ClassVar[int] = 42


class TickRefused(ContractError):
    """The clock may not be set to this time: too soon after the last one, or not the time."""

    code: ClassVar[int] = 43


class PacketReceived(ContractError):
    """Its absence cannot be recorded any more: the packet has been received."""

    code: ClassVar[int] = 44


class GenesisRefused(ContractError):
    """Not the genesis that this chaincode was deployed for, or the ledger has one already."""

    code: ClassVar[int] = 45


class CalledByAnother(ContractError):
    """
    Another chaincode called, and what it calls for writes: such a transaction is that chaincode's,
    and nobody elsewhere could be shown what it wrote here.
    """

    code: ClassVar[int] = 46
