"""Payments between accounts, and what their fields may be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.microgrid import Ledger, key, pay

from tieline.contract import accounts, bank
from tieline.contract.context import Context
from tieline.contract.errors import InsufficientFunds, InvalidAddress, InvalidCoins
from tieline.contract.store import Overlay
from tieline.protocol.errors import ProtocolError
from tieline.swap.messages import MsgSend

ANN, BOB = key("ann").cosmos_account, key("bob").cosmos_account


class Purse:
    """As much of a context as a payment sees."""

    def __init__(self) -> None:
        self.state = Overlay({})
        accounts.credit_pay(self.state, ANN, 10)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"denom": "stake"}, InvalidCoins),
        ({"denom": "kwh"}, InvalidCoins),
        ({"amount_nano_eur": 0}, InvalidCoins),
        ({"amount_nano_eur": -5}, InvalidCoins),
        ({"amount_nano_eur": 2**128}, InvalidCoins),
        ({"amount_nano_eur": 11}, InsufficientFunds),
        ({"recipient": BOB[:19]}, InvalidAddress),
        ({"recipient": BOB + b"\x00"}, InvalidAddress),
        ({"recipient": b""}, InvalidAddress),
        ({"sender": BOB}, InsufficientFunds),
    ],
)
def test_a_spoiled_payment_is_refused_and_moves_nothing(
    change: dict[str, object], error: type[ProtocolError]
) -> None:
    purse = Purse()
    message = replace(MsgSend(ANN, BOB, 10), **change)  # type: ignore[arg-type]
    with pytest.raises(error):
        bank.handle_send(_as_context(purse), message)
    assert accounts.pay_balance(purse.state, ANN) == 10
    assert accounts.pay_balance(purse.state, BOB) == 0


def test_a_payment_to_oneself_changes_nothing() -> None:
    purse = Purse()
    bank.handle_send(_as_context(purse), MsgSend(ANN, ANN, 10))
    assert accounts.pay_balance(purse.state, ANN) == 10


def test_energy_and_money_are_apart() -> None:
    purse = Purse()
    accounts.credit_kwh(purse.state, ANN, 7)
    accounts.debit_kwh(purse.state, ANN, 3)
    assert accounts.kwh_balance(purse.state, ANN) == 4
    assert accounts.pay_balance(purse.state, ANN) == 10
    with pytest.raises(InsufficientFunds, match="balance 4kwh is smaller than 5kwh"):
        accounts.debit_kwh(purse.state, ANN, 5)


def test_money_is_neither_made_nor_lost_by_payments() -> None:
    ledger = Ledger()
    names = ("cell", "relayer", "ann", "bob")
    for place in range(12):
        ledger.run(names[place % 4], pay(names[place % 4], names[place % 3], 7**place))
    held = [
        accounts.pay_balance(Overlay(dict(ledger.application.scan("tieline", b"a"))), account)
        for account in (key(name).cosmos_account for name in names)
    ]
    assert sum(held) == 4 * 10**12
    assert len(set(held)) == 4


def _as_context(purse: Purse) -> Context:
    return purse  # type: ignore[return-value]
