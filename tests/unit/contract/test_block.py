"""Transactions through whole blocks: who may, in which order, what stays of a refused one."""

from __future__ import annotations

import pytest
from fakes.microgrid import Ledger, key, pay

from tieline.contract.accounts import pay_balance, pay_key
from tieline.contract.genesis import Parameters
from tieline.contract.results import BlockInput
from tieline.contract.store import TIELINE
from tieline.swap.messages import MsgSend
from tieline.wire.codec import build_transaction


def balance(ledger: Ledger, name: str) -> int:
    return int.from_bytes(
        ledger.application.query(TIELINE, pay_key(key(name).cosmos_account)) or b"", "big"
    )


def test_a_payment_moves_pay_and_counts_the_sequence() -> None:
    ledger = Ledger()
    assert ledger.run("ann", pay("ann", "bob", 7)).code == 0
    assert balance(ledger, "ann") == 10**12 - 7
    assert balance(ledger, "bob") == 10**12 + 7
    assert ledger.application.account(key("ann").cosmos_account) == (0, 1)


def test_one_failing_message_undoes_the_whole_transaction_but_not_the_sequence() -> None:
    ledger = Ledger()
    result = ledger.run("ann", pay("ann", "bob", 7), pay("ann", "bob", 10**13))
    assert (result.codespace, result.code) == ("sdk", 5)
    assert result.log.startswith(
        "failed to execute message; message index: 1: spendable balance 999999999993neur is smaller"
        " than 10000000000000neur: "
    )
    assert result.log.endswith(": insufficient funds")
    assert result.events == ()
    assert balance(ledger, "ann") == 10**12
    assert ledger.application.account(key("ann").cosmos_account) == (0, 1)
    assert ledger.run("ann", pay("ann", "bob", 1)).code == 0


def test_no_transaction_runs_in_block_one() -> None:
    ledger = Ledger()
    fresh = type(ledger.application)(ledger.genesis)
    raw = build_transaction([pay("ann", "bob", 1)], key("ann"), "tieline-a-1", 0, 0)
    result = fresh.finalize_block(BlockInput(1, 10**18, b"\x01" * 32, (raw,)))
    assert result.tx_results[0].code == 18
    with pytest.raises(LookupError):
        _ = fresh.chain_tag


REFUSED = [
    ("another chain's signature", {"chain_id": "tieline-b-1"}, ("sdk", 4)),
    ("another account number", {"account_number": 1}, ("sdk", 4)),
    ("a sequence from the past", {"sequence": 0}, ("sdk", 32)),
    ("a sequence of the future", {"sequence": 2}, ("sdk", 32)),
    ("somebody else's money", {"messages": [pay("bob", "ann", 1)]}, ("sdk", 8)),
    ("gas beyond any bound", {"gas_limit": 10**12}, ("sdk", 41)),
    ("hardly any gas", {"gas_limit": 10}, ("sdk", 11)),
    ("a novel for a memo", {"memo": "x" * 257}, ("sdk", 12)),
    ("a height that has passed", {"timeout_height": 1}, ("sdk", 30)),
    ("a signer who was never here", {"key": key("stranger")}, ("sdk", 9)),
]


@pytest.mark.parametrize(("spoiled", "change", "expected"), REFUSED)
def test_a_spoiled_transaction_is_refused(
    spoiled: str, change: dict[str, object], expected: tuple[str, int]
) -> None:
    ledger = Ledger()
    ledger.must("ann", pay("ann", "bob", 1))
    parts: dict[str, object] = {
        "messages": [pay("ann", "bob", 1)],
        "key": key("ann"),
        "chain_id": "tieline-a-1",
        "account_number": 0,
        "sequence": 1,
        "gas_limit": 1_000_000,
        **change,
    }
    if spoiled == "a signer who was never here":
        account = key("stranger").cosmos_account
        parts |= {"messages": [MsgSend(account, key("ann").cosmos_account, 1)], "sequence": 0}
    before = ledger.application.query(TIELINE, pay_key(key("ann").cosmos_account))
    result = ledger.block(build_transaction(**parts))[0]  # type: ignore[arg-type]
    assert (result.codespace, result.code) == expected
    assert ledger.application.query(TIELINE, pay_key(key("ann").cosmos_account)) == before
    ledger.sequences["ann"] = 1
    assert ledger.run("ann", pay("ann", "bob", 1)).code == 0


def test_bytes_that_are_no_transaction_are_refused_with_code_2() -> None:
    ledger = Ledger()
    results = ledger.block(b"", b"\x00", b"not a transaction")
    assert [(result.codespace, result.code) for result in results] == [("sdk", 2)] * 3


def test_every_flipped_byte_of_a_transaction_is_refused() -> None:
    ledger = Ledger()
    raw = ledger.transaction("ann", pay("ann", "bob", 1))
    for place in range(0, len(raw), 7):
        spoiled = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        assert ledger.application.check_transaction(spoiled).code != 0, place
    assert ledger.block(raw)[0].code == 0


def test_a_replay_is_refused_in_the_same_block_and_later() -> None:
    ledger = Ledger()
    raw = ledger.transaction("ann", pay("ann", "bob", 1))
    first, second = ledger.block(raw, raw)
    assert (first.code, second.code) == (0, 32)
    assert ledger.block(raw)[0].code == 32
    assert balance(ledger, "bob") == 10**12 + 1


def test_the_mempool_takes_consecutive_sequences_before_they_are_in_a_block() -> None:
    ledger = Ledger()
    first, second = (ledger.transaction("ann", pay("ann", "bob", 1)) for _ in range(2))
    check = ledger.application.check_transaction
    assert check(second).code == 32
    assert check(first).code == 0
    assert check(second).code == 0
    assert check(first).code == 32
    assert [result.code for result in ledger.block(first, second)] == [0, 0]


def test_a_block_finalised_twice_runs_from_the_committed_state() -> None:
    ledger = Ledger()
    application = ledger.application
    raw = ledger.transaction("ann", pay("ann", "bob", 1))
    other = ledger.transaction("bob", pay("bob", "ann", 5))
    block = BlockInput(2, ledger.now_s * 10**9, b"\x02" * 32, (raw,))
    once = application.finalize_block(block)
    application.finalize_block(BlockInput(2, ledger.now_s * 10**9, b"\x02" * 32, (other,)))
    again = application.finalize_block(block)
    assert again == once
    application.commit()
    assert application.app_hash == once.app_hash
    assert balance(ledger, "bob") == 10**12 + 1


def test_nothing_changes_before_commit() -> None:
    ledger = Ledger()
    before = ledger.application.app_hash
    raw = ledger.transaction("ann", pay("ann", "bob", 1))
    block = BlockInput(2, ledger.now_s * 10**9, b"\x02" * 32, (raw,))
    ledger.application.finalize_block(block)
    assert balance(ledger, "bob") == 10**12
    assert ledger.application.app_hash == before


@pytest.mark.parametrize(
    ("height", "time_ns", "header_hash"),
    [
        (1, 2**60 + 2**59, bytes(32)),
        (3, 2**60 + 2**59, bytes(32)),
        (2, 1, bytes(32)),
        (2, 2**61, b"short"),
    ],
)
def test_a_block_that_cannot_follow_is_our_hosts_mistake(
    height: int, time_ns: int, header_hash: bytes
) -> None:
    ledger = Ledger()
    with pytest.raises(ValueError, match=r"height|time|header"):
        ledger.application.finalize_block(BlockInput(height, time_ns, header_hash, ()))


def test_running_out_of_gas_in_a_message_undoes_it_and_keeps_the_sequence() -> None:
    ledger = Ledger()
    cost = ledger.must("ann", pay("ann", "bob", 1)).gas_used
    raw = ledger.transaction("ann", pay("ann", "bob", 1), gas_limit=cost - 1)
    result = ledger.block(raw)[0]
    assert (result.codespace, result.code, result.gas_wanted) == ("sdk", 11, cost - 1)
    assert balance(ledger, "bob") == 10**12 + 1
    assert ledger.application.account(key("ann").cosmos_account) == (0, 2)


def test_a_mempool_check_saves_nothing_that_a_block_would_need() -> None:
    """A transaction that was checked and one that was not come to the same."""
    checked, unchecked = Ledger(), Ledger()
    raw = checked.transaction("ann", pay("ann", "bob", 3))
    assert checked.application.check_transaction(raw).code == 0
    assert checked.block(raw) == unchecked.block(raw)
    assert checked.application.app_hash == unchecked.application.app_hash


def test_zero_balance_keeps_an_account_known() -> None:
    ledger = Ledger()
    ledger.must("ann", pay("ann", "bob", 10**12))
    assert pay_balance(ledger.application._flat[TIELINE], key("ann").cosmos_account) == 0
    assert ledger.run("ann", pay("ann", "bob", 1)).code == 5


def test_a_transaction_that_missed_its_block_may_enter_again() -> None:
    ledger = Ledger()
    raw = ledger.transaction("ann", pay("ann", "bob", 1))
    assert ledger.application.check_transaction(raw).code == 0
    ledger.block()
    assert ledger.application.check_transaction(raw).code == 0
    assert ledger.block(raw)[0].code == 0


@pytest.mark.parametrize(
    ("bound", "over"), [("tx_messages_max", 3), ("tx_bytes_max", 400)], ids=["messages", "bytes"]
)
def test_a_transaction_beyond_a_bound_is_refused_with_code_21(bound: str, over: int) -> None:
    ledger = Ledger(parameters=Parameters(**{bound: over}))
    small = ledger.transaction("ann", pay("ann", "bob", 1))
    assert ledger.block(small)[0].code == 0
    large = ledger.transaction("ann", *[pay("ann", "bob", 1)] * 4)
    results = [ledger.application.check_transaction(large), ledger.block(large)[0]]
    assert [(one.codespace, one.code) for one in results] == [("sdk", 21)] * 2
