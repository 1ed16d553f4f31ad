"""The bare EVM of the tests counts gas as a block's receipt does."""

from __future__ import annotations

import pytest
from fakes.artifact import PROBES, Abi, artifact
from fakes.bare_evm import BareEvm
from fakes.microgrid import key

from tieline.ledgers.ethereum.deployment import created_address
from tieline.ledgers.ethereum.pyevm_chain import PyEvmChain
from tieline.wire.evm.transactions import EvmTransaction

CHAIN_ID, NOW_S = 7, 1_767_225_600
TOKEN = artifact("EvilPay", PROBES)
ABI = Abi(TOKEN["abi"])
CODE = bytes.fromhex(TOKEN["bytecode"].removeprefix("0x")) + bytes(12) + b"\x01" * 20 + bytes(32)
CALLS = {
    "writes": ABI.encode("give", b"\x02" * 20, 5),
    "writes again": ABI.encode("give", b"\x02" * 20, 5),
    "writes much": ABI.encode("set", 1, b"\x03" * 20, bytes(range(100))),
    "frees what it wrote": ABI.encode("set", 0, bytes(20), b""),
    "carries more than it does": ABI.encode("set", 0, bytes(20), b"") + b"\xff" * 4_000,
    "reverts": ABI.encode("transferFrom", b"\x02" * 20, b"\x03" * 20, 1),
}


@pytest.fixture(scope="module")
def figures() -> tuple[dict[str, int], dict[str, int]]:
    """Gas of the same calls, bare and in blocks."""
    sender = key("sender of gas")
    bare = BareEvm(NOW_S, CHAIN_ID)
    chain = PyEvmChain(CHAIN_ID, {sender.address: 10**24}, b"")
    token = bare.deploy(sender.address, CODE)
    assert token == created_address(sender.address, 0)
    found: tuple[dict[str, int], dict[str, int]] = {}, {}
    calls: list[tuple[str, bytes | None, bytes]] = [("create", None, CODE)]
    calls += [(name, token, data) for name, data in CALLS.items()]
    for nonce, (name, to, data) in enumerate(calls):
        transaction = EvmTransaction(CHAIN_ID, nonce, 8_000_000, 10**11, 0, to, data)
        made = chain.make_block(NOW_S + nonce, [transaction.sign(sender)])
        found[1][name] = made.executed[0].gas_used
        if to is not None:
            called = bare.call(sender.address, to, data, 7_000_000)
            found[0][name] = called.transaction_gas(data)
    return found


@pytest.mark.parametrize("name", CALLS)
def test_a_bare_call_costs_what_a_receipt_says(
    figures: tuple[dict[str, int], dict[str, int]], name: str
) -> None:
    """Intrinsic gas, calldata, its floor, and refunds up to a fifth."""
    bare, in_blocks = figures
    assert bare[name] == in_blocks[name]
