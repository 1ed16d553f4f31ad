"""One ledger by itself: what its folder fixes, and options that make no sense."""

import pytest

from tieline.hub import lone_ledger
from tieline.hub.lone_ledger import LonePlan, start_lone_ledger
from tieline.interfaces.errors import ConfigError
from tieline.wire.bech32 import account_to_text
from tieline.wire.keys import SecpKey

ANN = account_to_text(b"\x01" * 20)
WRONG = [
    ({"minimum_gas_price": "5"}, "must look like"),
    ({"minimum_gas_price": "5stake"}, "must look like"),
    ({"given": {"cosmos1x": 5}}, "not an account of prefix tieline"),
    ({"given": {ANN: 0}}, "out of range"),
    ({"given": {ANN: 2**128}}, "out of range"),
    ({"chain_id": ""}, "chain id"),
]


@pytest.mark.parametrize(("change", "words"), WRONG)
def test_options_that_make_no_sense_are_the_operators_to_change(tmp_path, change, words):
    plan = {"chain_id": "energy-1", "given": {ANN: 5}, **change}
    with pytest.raises(ConfigError, match=words):
        start_lone_ledger(tmp_path, LonePlan(**plan))


def test_a_folder_keeps_its_cell_and_its_genesis(tmp_path):
    secret = lone_ledger._cell_secret(tmp_path / "cell.key")
    assert (tmp_path / "cell.key").stat().st_mode & 0o077 == 0
    assert lone_ledger._cell_secret(tmp_path / "cell.key") == secret
    cell, path = SecpKey(secret), tmp_path / "genesis.json"
    first = lone_ledger._genesis(path, LonePlan("energy-1", {ANN: 5}), cell)
    assert dict(first.balances) == {b"\x01" * 20: 5, cell.cosmos_account: lone_ledger.CELL_PAY}
    path.write_bytes(first.to_bytes())
    assert lone_ledger._genesis(path, LonePlan("energy-1", {}), cell) == first
    with pytest.raises(ConfigError, match="holds the ledger energy-1"):
        lone_ledger._genesis(path, LonePlan("energy-2", {}), cell)
