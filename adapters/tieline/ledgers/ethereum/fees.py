"""What a transaction pays: EIP-1559 fees from the last block; how much more a second form pays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tieline.interfaces.errors import NotYet

GWEI: Final = 10**9
_BASE_FEE_ROOM: Final = 2
"""A base fee doubles in six full blocks; so long a transaction stays payable as it is."""
_MORE_NUMERATOR, _MORE_DENOMINATOR = 11, 10
"""Nodes take another transaction of one nonce if both fees are a tenth higher."""


@dataclass(frozen=True, slots=True)
class Fees:
    """What one transaction offers, wei per gas."""

    max_fee: int
    """With the base fee."""
    max_priority_fee: int
    """For whoever makes the block."""


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """What an operator is ready to pay, wei per gas."""

    priority_fee: int = GWEI
    max_fee_cap: int = 500 * GWEI
    """Above it nothing is sent; it is time to wait or to allow more."""

    def fees(self, base_fee: int) -> Fees:
        """
        Return what a new transaction offers.

        Raises:
            NotYet: The base fee is above the cap.
        """
        if base_fee + self.priority_fee > self.max_fee_cap:
            raise NotYet(
                f"the base fee is {base_fee} wei and the cap {self.max_fee_cap}: a lower one is "
                "waited for; raise max_fee_gwei to pay it"
            )
        wanted = _BASE_FEE_ROOM * base_fee + self.priority_fee
        return Fees(min(wanted, self.max_fee_cap), self.priority_fee)

    def raised(self, fees: Fees, base_fee: int) -> Fees | None:
        """
        Return what takes the place of a transaction that offers *fees*, at a *base_fee*; None if
        that is above the cap.
        """
        tip = max(_a_tenth_more(fees.max_priority_fee), self.priority_fee)
        wanted = _BASE_FEE_ROOM * base_fee + tip
        raised = Fees(max(_a_tenth_more(fees.max_fee), min(wanted, self.max_fee_cap)), tip)
        return raised if raised.max_fee <= self.max_fee_cap else None


def _a_tenth_more(fee: int) -> int:
    """Return a tenth more, upwards: a wei less would be refused."""
    return -(-fee * _MORE_NUMERATOR // _MORE_DENOMINATOR) + 1
