"""Executed again, a ledger gives the roots that its headers name, or the height where not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.audited_ledger import CHAIN_ID, GENESIS, Forger, exported, write_ledger

from tieline.audit import ledger_history
from tieline.audit.block_chain import BlockChain, check_chain
from tieline.audit.findings import Findings, Place
from tieline.audit.replay import replay
from tieline.contract.books import VoucherBooks

OTHER = b"\x77" * 32


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    write_ledger(run)
    found = check_chain(exported(run), Findings())
    assert found is not None
    return found


def found_in(chain):
    findings = Findings()
    history = replay(chain, findings, lambda done, total: None)
    assert (history is None) == bool(findings.rows)
    return [(row.place, row.rule) for row in findings.rows]


def with_header(chain, height, **changes):
    blocks = list(chain.blocks)
    stored = blocks[height - 1]
    header = replace(stored.block.header, **changes)
    blocks[height - 1] = replace(stored, block=replace(stored.block, header=header))
    return replace(chain, blocks=tuple(blocks))


def test_an_honest_ledger_comes_to_its_end(chain):
    findings = Findings()
    steps = []
    history = replay(chain, findings, lambda done, total: steps.append((done, total)))
    assert findings.rows == []
    assert history is not None
    assert (history.height, history.transaction_count, history.failed_count) == (8, 3, 0)
    assert history.books.total == 2 * 10**12
    assert steps[-1] == (8, 8)


def test_another_app_hash_names_the_block_whose_state_differs(chain):
    found = found_in(with_header(chain, 6, app_hash=OTHER))
    assert found == [(Place(CHAIN_ID, 5), "app hash in the next header")]


def test_other_results_name_the_block_whose_transactions_differ(chain):
    found = found_in(with_header(chain, 6, last_results_hash=OTHER))
    assert found == [(Place(CHAIN_ID, 5), "results in the next header")]


def test_another_app_hash_of_the_last_block_is_seen_in_the_index(chain):
    found = found_in(replace(chain, app_hashes=chain.app_hashes | {8: OTHER}))
    assert found == [(Place(CHAIN_ID, 8), "app hash in the index")]


def test_a_genesis_that_issued_more_gives_another_state(chain):
    richer = tuple((account, amount + 1) for account, amount in GENESIS.balances)
    found = found_in(replace(chain, genesis=replace(GENESIS, balances=richer), app_hashes={}))
    assert found == [(Place(CHAIN_ID, 1), "app hash in the next header")]


def test_money_that_appears_is_found_at_the_next_look(chain, monkeypatch):
    books = ledger_history.audit_books

    def one_more(scan):
        honest = books(scan)
        return replace(honest, locks=honest.locks + 1)

    monkeypatch.setattr(ledger_history, "audit_books", one_more)
    assert found_in(chain) == [(Place(CHAIN_ID, 8), "sum of PAY, nano-EUR")]


def test_a_voucher_that_nobody_issued_is_found_at_the_next_look(chain, monkeypatch):
    books = ledger_history.audit_books

    def one_more(scan):
        return replace(books(scan), vouchers=(VoucherBooks(b"\x0a" * 32, 5, 6),))

    monkeypatch.setattr(ledger_history, "audit_books", one_more)
    assert found_in(chain) == [(Place(CHAIN_ID, 8), f"voucher {'0a' * 8}, base units")]


def test_a_history_of_one_block_is_a_history(chain):
    one = BlockChain(chain.genesis, chain.validators, chain.blocks[:1], {})
    assert found_in(one) == []


def test_the_forger_can_sign_but_not_change_the_state(tmp_path):
    write_ledger(tmp_path)
    files = Forger(exported(tmp_path)).forged(8, app_hash=OTHER)
    forged = check_chain(files, Findings())
    assert forged is not None, "well signed, so only execution can tell"
    assert found_in(forged) == [(Place(CHAIN_ID, 7), "app hash in the next header")]
