"""Why the trade application refuses a message. Codes never change."""

from __future__ import annotations

from typing import ClassVar

from tieline.contract.errors import ContractError


class TooEarly(ContractError):
    """The row's time has not come; true later."""

    code: ClassVar[int] = 20
    true_later: ClassVar[bool] = True


class TooLate(ContractError):
    """The row's time is over."""

    code: ClassVar[int] = 21


class TradeRefused(ContractError):
    """The trade does not hold: terms, ladder, orders or hash lock."""

    code: ClassVar[int] = 22


class LockNotFound(ContractError):
    """No lock has this id here."""

    code: ClassVar[int] = 23


class OrderRefused(ContractError):
    """An order does not hold, or does not cover what is asked of it."""

    code: ClassVar[int] = 24


class ProofRefused(ContractError):
    """A leaf does not lie in the tree it is shown for."""

    code: ClassVar[int] = 25


class LockRefused(ContractError):
    """The lock does not allow this now."""

    code: ClassVar[int] = 26


class VerdictMismatch(ContractError):
    """A decision does not fit the lock, its group or the verdict's signers."""

    code: ClassVar[int] = 27
