"""From a genesis to contracts: the plan, the record, and what a wrong chain is told."""

import re
from dataclasses import replace

import pytest
from eth_utils import to_canonical_address
from fakes.microgrid import key
from hypothesis import given
from hypothesis import strategies as st

from tieline.contract.genesis import Genesis, Parameters
from tieline.interfaces.errors import ConfigError
from tieline.ledgers.ethereum.deployment import (
    Deployment,
    EvmAddresses,
    chain_id_of,
    check_deployment,
    created_address,
    plan_deployment,
)
from tieline.ledgers.ethereum.opening import EvmSource, open_ethereum
from tieline.wire.hashes import keccak

DEPLOYER = key("deployer").address
CELL = key("cell").address
GENESIS_HASH = b"\x07" * 32


def genesis(**changes):
    born = Genesis(
        chain_id="mg-e",
        network_id=b"\xee" * 32,
        cell_address=CELL,
        founding_cells=(CELL,),
        kind="evm",
        balances=((b"\x01" * 20, 5), (b"\x02" * 20, 7)),
        vaults=((b"\x03" * 20, 9),),
    )
    return replace(born, **changes)


def plan(**changes):
    return plan_deployment(genesis(**changes), 5, GENESIS_HASH, DEPLOYER)


def code_of(name):
    return f"code of {name}".encode()


def deployment():
    addresses = plan().addresses
    hashes = EvmAddresses(**{name: keccak(code_of(name)) for name, _ in addresses.each()})
    return Deployment("mg-e", 5, GENESIS_HASH, addresses, hashes, 1)


CODES = {at: code_of(name) for name, at in deployment().addresses.each()}


@pytest.mark.parametrize(
    ("nonce", "address"),
    [
        # Printed by others: the first contracts of the sender that EIP-1014's page and geth use.
        (0, "cd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"),
        (1, "343c43a37d37dff08ae8c4a11544c718abb4fcf8"),
        (2, "f778b86fa74e846c4f0a1fbd1335fe81c00a0c91"),
        (3, "fffd933a0bc612844eaf0c6fe3e5b8e9b6c1d19c"),
    ],
)
def test_created_addresses_are_those_that_everybody_computes(nonce, address):
    sender = to_canonical_address("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0")
    assert created_address(sender, nonce).hex() == address


@given(st.integers(0, 2**40))
def test_created_addresses_are_the_hash_of_an_rlp_list(nonce):
    """Held to the rlp package."""
    import rlp

    assert created_address(CELL, nonce) == keccak(rlp.encode([CELL, nonce]))[-20:]


def test_chain_ids_differ_by_name_and_fit_where_others_keep_them():
    """53 bits, as JavaScript counts; above those of chains with a registered number."""
    ids = {chain_id_of(f"mg-{n}") for n in range(50)}
    assert len(ids) == 50
    assert all(1_000_000 <= one < 2**53 for one in ids)


def test_all_contracts_come_first_and_where_they_were_told_to_be():
    made = plan()
    creating = [step for step in made.steps if step.to is None]
    assert creating == list(made.steps[: len(creating)])
    places = {created_address(DEPLOYER, nonce) for nonce in range(len(creating))}
    assert {at for _, at in made.addresses.each()} == places


def test_money_of_genesis_goes_in_by_parts():
    """So that no transaction is above what a block takes."""
    many = tuple((n.to_bytes(20, "big"), n + 1) for n in range(1, 401))
    steps = plan(balances=many).steps
    assert [step.name for step in steps if step.name.startswith("balances")] == [
        "balances 0",
        "balances 150",
        "balances 300",
    ]
    assert not [step for step in plan(balances=(), vaults=()).steps if step.to is not None]


def test_another_kind_of_ledger_is_refused():
    with pytest.raises(ConfigError, match="kind: genesis of kind cometbft; write kind evm"):
        plan(kind="cometbft")


def test_more_orders_than_the_contracts_count_are_refused():
    with pytest.raises(ConfigError, match="is 256 on mg-e; an EVM ledger takes at most 255"):
        plan(parameters=Parameters(open_orders_per_account_max=256))


def test_a_record_comes_back_whole():
    assert Deployment.from_bytes(deployment().to_bytes()) == deployment()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: b"[]",
        lambda data: data.replace(b'"chain_id"', b'"chain"'),
        lambda data: data.replace(b": ", b":"),
        lambda data: data.replace(b'"genesis_hash": "07', b'"genesis_hash": "zz'),
        lambda data: data.replace(b'"genesis_hash": "07', b'"genesis_hash": "'),
        lambda data: data.replace(b'"host": "', b'"host": "00'),
        lambda data: data.replace(b'"chain_id": 5', b'"chain_id": Infinity'),
        lambda data: b"[" * 100_000,
        lambda data: re.sub(rb'"host": "[0-9a-f]{40}"', b'"host": "07"', data),
    ],
)
def test_another_spelling_is_no_record(spoil):
    with pytest.raises(ConfigError, match="deployment record"):
        Deployment.from_bytes(spoil(deployment().to_bytes()))


def test_a_file_that_is_no_record_is_named_with_what_to_write(tmp_path):
    (tmp_path / "d.json").write_text("{}")
    source = EvmSource(
        ledger_id="mg-e",
        rpc=("http://127.0.0.1:9",),
        genesis_file=tmp_path / "g.json",
        deployment_file=tmp_path / "d.json",
        journal_file=tmp_path / "j.db",
        chain_id=None,
        confirmations=2,
        finality="",
        priority_fee_wei=1,
        max_fee_wei=2,
    )
    with pytest.raises(ConfigError, match=r"/d.json: not a deployment record: .*; name the file"):
        open_ethereum(source, {})


def test_the_tag_names_chain_genesis_and_host():
    one = deployment()
    for other in (
        replace(one, chain_id=6),
        replace(one, genesis_hash=b"\x08" * 32),
        replace(one, addresses=replace(one.addresses, host=b"\x09" * 20)),
    ):
        assert other.chain_tag != one.chain_tag
    assert replace(one, addresses=replace(one.addresses, pay=b"\x09" * 20)).chain_tag == (
        one.chain_tag
    )


def test_what_proofs_rest_on_is_pinned_ascending():
    """Host, application and its modules; the tokens are not."""
    pinned = deployment().pinned
    assert pinned == sorted(pinned)
    names = {at: name for name, at in deployment().addresses.each()}
    assert {names[at] for at, _ in pinned} == {"host", "app", "trade", "exits", "book"}


def test_the_right_chain_is_taken():
    check_deployment(deployment(), 5, GENESIS_HASH, lambda at: CODES.get(at, b""))


@pytest.mark.parametrize(
    ("chain_id", "genesis_hash", "change", "said"),
    [
        (6, GENESIS_HASH, {}, "another chain answers: ledger=mg-e chain id 6, not 5"),
        (5, b"\x08" * 32, {}, "the chain was begun anew: ledger=mg-e genesis 0x0808"),
        (5, GENESIS_HASH, {"host": b""}, "no code at 0x.*, where host of mg-e should be"),
        (5, GENESIS_HASH, {"book": b"older"}, "other code at 0x.* than that of book of mg-e"),
    ],
)
def test_a_wrong_chain_is_refused_in_words(chain_id, genesis_hash, change, said):
    """What is wrong, where, and what to do."""
    named = dict(deployment().addresses.each())
    codes = CODES | {named[name]: code for name, code in change.items()}
    with pytest.raises(ConfigError, match=said):
        check_deployment(deployment(), chain_id, genesis_hash, lambda at: codes.get(at, b""))
