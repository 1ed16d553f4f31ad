"""Fees: offered, asked for, paid, and by whom they are spent."""

import pytest
from fakes.microgrid import Ledger, key, pay

from tieline.contract.accounts import pay_balance
from tieline.contract.books import audit_books
from tieline.contract.errors import InsufficientFee
from tieline.contract.fees import FEE_COLLECTOR, GasPrice
from tieline.contract.store import TIELINE
from tieline.swap.messages import MsgSend
from tieline.wire.codec import build_transaction

MONEY = 10**12
GAS = 100_000


def balance(ledger, account):
    return pay_balance(ledger.application._flat[TIELINE], account)


def with_fee(ledger, *messages, fee=(("neur", 5),), name="ann", gas_limit=GAS):
    sequence = ledger.sequences.get(name, 0)
    ledger.sequences[name] = sequence + 1
    return build_transaction(messages, key(name), "tieline-a-1", 0, sequence, gas_limit, fee)


@pytest.fixture
def ledger():
    return Ledger()


def test_a_fee_goes_from_the_signer_to_the_fee_collector_and_money_is_conserved(ledger):
    before = audit_books(lambda prefix: ledger.application.scan(TIELINE, prefix)).total
    (result,) = ledger.block(with_fee(ledger, pay("ann", "bob", 7)))
    assert result.code == 0
    assert balance(ledger, key("ann").cosmos_account) == MONEY - 12
    assert balance(ledger, FEE_COLLECTOR) == 5
    assert audit_books(lambda prefix: ledger.application.scan(TIELINE, prefix)).total == before


def test_a_fee_is_paid_even_if_a_message_fails(ledger):
    (result,) = ledger.block(with_fee(ledger, pay("ann", "bob", 2 * MONEY)))
    assert (result.codespace, result.code) == ("sdk", 5)
    assert balance(ledger, key("ann").cosmos_account) == MONEY - 5
    assert ledger.application.account(key("ann").cosmos_account) == (0, 1)


def test_who_cannot_pay_the_fee_keeps_money_and_sequence(ledger):
    for fee in ([("neur", MONEY + 1)], [("stake", 1)]):
        ledger.sequences["ann"] = 0
        raw = with_fee(ledger, pay("ann", "bob", 7), fee=fee)
        results = [ledger.application.check_transaction(raw), ledger.block(raw)[0]]
        assert [(one.codespace, one.code) for one in results] == [("sdk", 5)] * 2
        assert all("is smaller than" in one.log for one in results)
    assert balance(ledger, key("ann").cosmos_account) == MONEY
    assert ledger.application.account(key("ann").cosmos_account) == (0, 0)


def test_fees_that_wait_for_a_block_count_against_the_next_one(ledger):
    half = [("neur", MONEY // 2 + 1)]
    first, second = (with_fee(ledger, pay("ann", "bob", 1), fee=half) for _ in range(2))
    assert ledger.application.check_transaction(first).code == 0
    assert ledger.application.check_transaction(second).code == 5
    assert [one.code for one in ledger.block(first, second)] == [0, 5]


def test_gas_that_ends_while_the_fee_is_paid_leaves_everything_as_it_was(ledger):
    codes = set()
    for gas_limit in range(4_500, 17_000, 500):
        ledger.sequences["ann"] = 0
        (result,) = ledger.block(with_fee(ledger, pay("ann", "bob", 1), gas_limit=gas_limit))
        if result.sender is not None:
            break
        codes.add(result.code)
        assert balance(ledger, key("ann").cosmos_account) == MONEY
        assert balance(ledger, FEE_COLLECTOR) == 0
        assert ledger.application.account(key("ann").cosmos_account) == (0, 0)
    assert codes == {11}


def test_a_fee_of_zero_is_no_fee(ledger):
    free = ledger.must("ann", pay("ann", "bob", 1)).gas_used
    (result,) = ledger.block(with_fee(ledger, pay("ann", "bob", 1), fee=[("neur", 0)]))
    assert result.code == 0
    assert result.gas_used < free + 200  # only the bytes that say so


def test_the_utility_cell_alone_spends_what_the_fee_collector_holds(ledger):
    ledger.block(with_fee(ledger, pay("ann", "bob", 1)))
    out = MsgSend(FEE_COLLECTOR, key("bob").cosmos_account, 5)
    assert ledger.run("ann", out).code == 8
    ledger.must("cell", out)
    assert balance(ledger, FEE_COLLECTOR) == 0
    assert balance(ledger, key("bob").cosmos_account) == MONEY + 6


def test_a_peer_may_ask_for_more_and_the_ledger_does_not_care(ledger):
    price = GasPrice.parse("0.0001neur")
    low = with_fee(ledger, pay("ann", "bob", 1), fee=[("neur", 9)])
    refused = ledger.application.check_transaction(low, price)
    assert (refused.codespace, refused.code) == ("sdk", 13)
    assert refused.log == "insufficient fees; got: 9neur required: 10neur: insufficient fee"
    assert ledger.block(low)[0].code == 0
    enough = with_fee(ledger, pay("ann", "bob", 1), fee=[("neur", 10)])
    assert ledger.application.check_transaction(enough, price).code == 0


@pytest.mark.parametrize(
    ("text", "gas", "needed"),
    [
        ("", 10**9, 0),
        ("0neur", 10**9, 0),
        ("1neur", 7, 7),
        ("0.5neur", 3, 2),
        ("0.000000000000000001neur", 1, 1),
    ],
)
def test_a_price_is_rounded_up_for_the_peer(text, gas, needed):
    price = GasPrice.parse(text)
    price.require((("neur", needed),), gas)
    if needed:
        with pytest.raises(InsufficientFee):
            price.require((("neur", needed - 1),), gas)


@pytest.mark.parametrize(
    "text", ["1", "1stake", "-1neur", "neur", "nanneur", "infneur", "1e-19neur"]
)
def test_a_price_that_makes_no_sense_is_refused(text):
    with pytest.raises(ValueError, match="must look like"):
        GasPrice.parse(text)


def test_a_price_prints_as_cosmos_prints_it():
    assert str(GasPrice.parse("0.025neur")) == "0.025000000000000000neur"
