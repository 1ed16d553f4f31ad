"""Genesis: one spelling for one content; what cannot be is refused with its name."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tieline.contract.assembly import microgrid_light_clients
from tieline.contract.block import Application
from tieline.contract.genesis import Genesis, Parameters
from tieline.contract.state_tree import HashChain
from tieline.contract.store import IBC, TIELINE
from tieline.light_clients.tendermint.messages import ClientState
from tieline.protocol.height import Height

A, B = b"\xa1" * 20, b"\xb1" * 20
GENESIS = Genesis(
    chain_id="tieline-a-1",
    network_id=b"\xee" * 32,
    cell_address=A,
    founding_cells=(A, B),
    balances=((A, 5), (B, 7)),
    vaults=((B, 9),),
)


def test_genesis_comes_back_from_its_bytes() -> None:
    assert Genesis.from_bytes(GENESIS.to_bytes()) == GENESIS


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.pop("role"),
        lambda content: content.update(colour="blue"),
        lambda content: content["parameters"].update(colour=1),
        lambda content: content["parameters"].pop("d_lead_s"),
        lambda content: content["parameters"].update(d_lead_s="100"),
        lambda content: content["balances"].update({A.hex(): "05"}),
        lambda content: content["balances"].update({A.hex(): "-5"}),
        lambda content: content.update(network_id="EE" * 32),
        lambda content: content.update(cell_address="a1"),
        lambda content: content.update(founding_cells=[B.hex(), A.hex()]),
        lambda content: content.update(founding_cells=[]),
        lambda content: content.update(kind="bitcoin"),
        lambda content: content.update(role=3),
        lambda content: content.pop("takes_plain_clients"),
        lambda content: content.update(takes_plain_clients=1),
    ],
)
def test_spoiled_genesis_bytes_are_refused(spoil: object) -> None:
    content = json.loads(GENESIS.to_bytes())
    spoil(content)  # type: ignore[operator]
    data = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(ValueError):
        Genesis.from_bytes(data)


@pytest.mark.parametrize("takes_plain_clients", [False, True])
def test_headers_alone_are_believed_where_the_genesis_says_so(takes_plain_clients: bool) -> None:
    genesis = replace(GENESIS, takes_plain_clients=takes_plain_clients)
    assert Genesis.from_bytes(genesis.to_bytes()) == genesis
    rules = microgrid_light_clients(genesis)
    plain = ClientState("stock-1", 1, 3, 2, 3, 1, Height(1, 1)).as_any()
    assert any(one.accepts(plain) for one in rules) is takes_plain_clients


def test_another_spelling_of_the_same_content_is_refused() -> None:
    with pytest.raises(ValueError, match="canonical"):
        Genesis.from_bytes(json.dumps(json.loads(GENESIS.to_bytes())).encode())


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"tau_lead_s": 0}, "tau_lead_s=0"),
        ({"tau_lead_s": 100}, "tau must be before D"),
        ({"vault_shards": 257}, "vault_shards"),
        ({"gate_lead_s": 559}, "needs at least tau_lead_s \\+ lock_lead_s = 560"),
        ({"min_margin_s": True}, "min_margin_s=True"),
    ],
)
def test_parameters_that_do_not_fit_are_named(change: dict[str, int], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Parameters(**change)


def test_every_byte_of_genesis_is_under_the_first_app_hash() -> None:
    from tieline.contract.results import BlockInput

    def root(genesis: Genesis) -> bytes:
        application = Application(genesis, tree=HashChain())
        return application.finalize_block(BlockInput(1, 1, b"\x01" * 32, ())).app_hash

    changed = replace(GENESIS, parameters=Parameters(min_margin_s=901))
    assert len({root(GENESIS), root(changed), root(replace(GENESIS, chain_id="x"))}) == 3


def test_the_first_block_makes_the_chain_tag() -> None:
    from tieline.contract.genesis_state import CHAIN_TAG_KEY
    from tieline.contract.results import BlockInput
    from tieline.wire import ids

    application = Application(GENESIS, tree=HashChain())
    application.finalize_block(BlockInput(1, 1, b"\x01" * 32, ()))
    application.commit()
    expected = ids.chain_tag("cometbft", "tieline-a-1", b"\x01" * 32)
    assert application.chain_tag == expected
    assert application.query(TIELINE, CHAIN_TAG_KEY) == expected
    assert application.scan(IBC, b"") != []
