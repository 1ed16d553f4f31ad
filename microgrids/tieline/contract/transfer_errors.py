"""Why a transfer is refused. Codespace and numbers are those of ibc-go's transfer application."""

from __future__ import annotations

from typing import ClassVar

from tieline.contract.errors import ContractError


class TransferError(ContractError):
    """Something is wrong with a transfer of tokens."""

    codespace: ClassVar[str] = "transfer"
    code: ClassVar[int] = 2


class DenomNotTransferable(TransferError):
    """No token of this ledger has this name, or it may not leave."""

    code: ClassVar[int] = 3


class DenomUnknown(TransferError):
    """No voucher has this hash here."""

    code: ClassVar[int] = 6


class TransferInvalid(TransferError):
    """A field of the transfer is out of range."""

    code: ClassVar[int] = 5


class ReceiveFailed(TransferError):
    """A received transfer cannot be carried out."""

    code: ClassVar[int] = 16
