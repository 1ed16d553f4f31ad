"""Accounts of one key on ledgers of several kinds."""

import pytest

from tieline.wire.accounts import account_of
from tieline.wire.keys import SecpKey

KEY = SecpKey(bytes(range(1, 33)))


def test_ethereum_knows_a_key_by_its_address() -> None:
    assert account_of("evm", KEY.public_key) == KEY.address


@pytest.mark.parametrize("kind", ["cometbft", "cosmos", "fabric", "sim"])
def test_the_others_know_it_by_its_cosmos_account(kind: str) -> None:
    assert account_of(kind, KEY.public_key) == KEY.cosmos_account != KEY.address
