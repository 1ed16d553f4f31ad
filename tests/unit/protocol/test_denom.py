"""Names of tokens are those that ibc-go gives them, hop by hop."""

import json
from pathlib import Path
from typing import Any

import pytest

from tieline.protocol.denom import (
    Denom,
    Hop,
    escrow_account,
    parse_denom_path,
    parse_voucher_name,
    voucher_name,
)
from tieline.protocol.errors import InvalidPayload

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "transfer_data.json").read_text(encoding="utf-8")
)
PAY = Denom("neur")


@pytest.mark.parametrize("row", VECTORS["denoms"], ids=lambda row: repr(row["path"]))
def test_a_path_is_read_as_ibc_go_reads_it(row: dict[str, Any]) -> None:
    if not row["valid"]:
        with pytest.raises(InvalidPayload):
            parse_denom_path(row["path"])
        return
    denom = parse_denom_path(row["path"])
    assert denom == Denom(row["base"], tuple(Hop(*hop) for hop in row["trace"]))
    assert denom.path == row["path"]
    assert denom.name == row["name"]
    assert denom.voucher_hash.hex().upper() == row["hash"]


@pytest.mark.parametrize("client", VECTORS["escrows"])
def test_the_escrow_account_of_a_client_is_ibc_go_s(client: str) -> None:
    assert escrow_account("transfer", client).hex() == VECTORS["escrows"][client]


def test_each_crossing_puts_a_hop_in_front_and_the_way_back_takes_it_off() -> None:
    once = PAY.through("transfer", "07-tendermint-0")
    twice = once.through("transfer", "attestations-3")
    assert twice.path == "transfer/attestations-3/transfer/07-tendermint-0/neur"
    assert twice.came_through("transfer", "attestations-3")
    assert not twice.came_through("transfer", "07-tendermint-0")
    assert not PAY.came_through("transfer", "07-tendermint-0")
    assert twice.back() == once
    assert once.back() == PAY


def test_a_voucher_s_name_holds_its_hash_in_upper_case() -> None:
    digest = PAY.through("transfer", "07-tendermint-0").voucher_hash
    name = voucher_name(digest)
    assert parse_voucher_name(name) == digest
    for other in ("neur", "ibc/", name.lower(), name[:-1], name + "0", "IBC/" + name[4:]):
        assert parse_voucher_name(other) is None
