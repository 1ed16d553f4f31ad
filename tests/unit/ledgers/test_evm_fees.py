"""Fees of EIP-1559, and of the forms that replace one another."""

import itertools

import pytest

from tieline.interfaces.errors import ConfigError, NotYet
from tieline.ledgers.ethereum.fees import GWEI, FeePolicy, Fees
from tieline.ledgers.ethereum.finality import FinalityRule


def test_a_transaction_stays_payable_while_the_base_fee_doubles():
    assert FeePolicy(GWEI).fees(7 * GWEI) == Fees(15 * GWEI, GWEI)


def test_nothing_is_offered_above_the_cap():
    policy = FeePolicy(GWEI, max_fee_cap=10 * GWEI)
    assert policy.fees(7 * GWEI).max_fee == 10 * GWEI
    with pytest.raises(NotYet, match="max_fee_gwei"):
        policy.fees(10 * GWEI)


@pytest.mark.parametrize("fees", [Fees(1, 0), Fees(10, 1), Fees(19 * GWEI + 3, GWEI - 1)])
def test_each_form_pays_a_tenth_more_on_both_fees_rounded_up(fees):
    """Geth refuses a wei less than a tenth more."""
    policy = FeePolicy(priority_fee=0)
    for _ in range(10):
        raised = policy.raised(fees, base_fee=0)
        assert raised is not None
        assert raised.max_fee * 10 >= fees.max_fee * 11
        assert raised.max_priority_fee * 10 >= fees.max_priority_fee * 11
        fees = raised


def test_a_form_follows_the_market_when_that_went_up():
    raised = FeePolicy(GWEI).raised(Fees(3 * GWEI, GWEI), base_fee=50 * GWEI)
    assert raised is not None
    assert raised.max_fee >= 100 * GWEI


def test_there_is_a_last_form():
    policy, fees = FeePolicy(GWEI, max_fee_cap=5 * GWEI), Fees(3 * GWEI, GWEI)
    forms = list(
        itertools.takewhile(
            lambda one: one is not None,
            itertools.accumulate(
                range(20), lambda one, _: one and policy.raised(one, GWEI), initial=fees
            ),
        )
    )
    assert 2 < len(forms) < 10
    assert all(one.max_fee <= 5 * GWEI for one in forms if one)


def test_confirmations_count_blocks_on_top():
    rule = FinalityRule(confirmations=2)
    assert [rule.final_height(head, None) for head in (0, 1, 2, 3, 10)] == [0, 0, 0, 1, 8]


def test_a_tag_that_names_nothing_yet_is_height_0():
    rule = FinalityRule(tag="finalized")
    assert rule.final_height(40, None) == 0
    assert rule.final_height(40, 32) == 32
    assert rule.final_height(30, 32) == 30, "two answers of two moments"


@pytest.mark.parametrize(
    "rule", [{}, {"confirmations": 1, "tag": "safe"}, {"tag": "latest"}, {"confirmations": -1}]
)
def test_finality_is_said_once_and_makes_sense(rule):
    with pytest.raises(ConfigError):
        FinalityRule(**rule)
