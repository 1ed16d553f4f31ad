"""The journal of an Ethereum ledger's accounts."""

import pytest

from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.ethereum.fees import Fees
from tieline.ledgers.ethereum.transaction_journal import (
    BLOCKS_KEPT,
    ENDED_KEPT,
    LOST,
    Form,
    TransactionJournal,
    content_of,
)
from tieline.wire.evm.transactions import EvmTransaction
from tieline.wire.hashes import sha256
from tieline.wire.keys import SecpKey

ANN, BOB = b"\xaa" * 20, b"\xbb" * 20


def form(text, max_fee=2**70):
    return Form(sha256(text.encode()), text.encode(), Fees(max_fee, 1))


@pytest.fixture
def journal(tmp_path):
    journal = TransactionJournal(tmp_path / "journal.db")
    yield journal
    journal.close()


def again(journal, tmp_path):
    """The same file in another process."""
    return TransactionJournal(tmp_path / "journal.db")


def test_what_was_written_is_under_way_after_a_restart(journal, tmp_path):
    journal.write(ANN, [(0, 0, form("a")), (1, 0, form("b"))])
    journal.write(BOB, [(0, 0, form("c"))])
    other = again(journal, tmp_path)
    assert [(one.nonce, one.forms) for one in other.open(ANN)] == [
        (0, [form("a")]),
        (1, [form("b")]),
    ]
    assert [other.next_nonce(one) for one in (ANN, BOB, b"\xcc" * 20)] == [2, 1, 0]
    other.close()


def test_every_form_is_known_by_the_first(journal, tmp_path):
    journal.write(ANN, [(0, 0, form("a"))])
    journal.write(ANN, [(0, 1, form("dearer"))])
    other = again(journal, tmp_path)
    for one in (journal, other):
        assert one.name_of(form("dearer").tx_hash) == form("a").tx_hash
        assert one.name_of(form("a").tx_hash) == form("a").tx_hash
        assert one.name_of(b"stranger") is None
        (sent,) = one.open(ANN)
        assert sent.forms == [form("a"), form("dearer")]
    other.close()


def test_what_ended_is_over_but_its_nonce_stays_given(journal):
    journal.write(ANN, [(0, 0, form("a")), (1, 0, form("b"))])
    journal.end(ANN, 0, height=7)
    assert [one.nonce for one in journal.open(ANN)] == [1]
    journal.end(ANN, 1, LOST)
    assert journal.open(ANN) == []
    assert journal.next_nonce(ANN) == 2
    assert journal.ended_from(ANN, 1) == {1}


def test_a_nonce_that_no_node_took_is_free_again(journal):
    journal.write(ANN, [(0, 0, form("a"))])
    journal.withdraw(ANN, 0)
    assert journal.open(ANN) == []
    assert journal.next_nonce(ANN) == 0
    assert journal.name_of(form("a").tx_hash) is None
    journal.write(ANN, [(0, 0, form("other"))])


def test_a_deep_re_organisation_brings_back_what_its_blocks_ended(journal):
    journal.write(ANN, [(nonce, 0, form(str(nonce))) for nonce in range(3)])
    for nonce, height in enumerate((5, 6, 7)):
        journal.end(ANN, nonce, height)
    journal.reopen_above(5)
    assert [one.nonce for one in journal.open(ANN)] == [1, 2]


def test_old_transactions_are_forgotten_and_the_count_goes_on(journal):
    last = ENDED_KEPT + 20
    journal.write(ANN, [(nonce, 0, form(str(nonce))) for nonce in range(last)])
    for nonce in range(last):
        journal.end(ANN, nonce, height=1)
    assert journal.name_of(form("0").tx_hash) is None
    assert journal.name_of(form(str(last - 1)).tx_hash) is not None
    assert journal.next_nonce(ANN) == last


def test_the_last_blocks_are_remembered(journal, tmp_path):
    journal.note_blocks({height: b"%032d" % height for height in range(1, 2 * BLOCKS_KEPT)})
    other = again(journal, tmp_path)
    assert len(other.blocks()) == BLOCKS_KEPT
    assert max(other.blocks()) == 2 * BLOCKS_KEPT - 1
    other.forget_blocks_above(2 * BLOCKS_KEPT - 10)
    assert max(other.blocks()) == 2 * BLOCKS_KEPT - 10
    other.close()


def test_a_journal_is_of_one_chain(journal, tmp_path):
    assert journal.bind(b"one") == b"one"
    other = again(journal, tmp_path)
    assert other.bind(b"two") == b"one"
    other.close()


@pytest.mark.parametrize("to", [None, b"\x07" * 20])
def test_a_form_can_be_signed_again_with_other_fees(to):
    key = SecpKey(b"\x01" * 32)
    raw = EvmTransaction(1337, 3, 90_000, 5, 1, to, b"\x01\x02").sign(key)
    assert content_of(raw) == (to, b"\x01\x02", 90_000)


@pytest.mark.parametrize("kind", ["in a folder that is not there", "a folder", "a text"])
def test_a_file_that_cannot_be_a_journal_is_named_with_what_to_write(tmp_path, kind):
    path = tmp_path / "j.db"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a text":
        path.write_text("household 1, household 2\n" * 50)
    else:
        path = tmp_path / "away" / "j.db"
    with pytest.raises(ConfigError, match=f"{path}: the journal of transactions cannot be opened"):
        TransactionJournal(path)


def test_a_second_process_with_one_journal_is_told_so(journal, tmp_path):
    other = again(journal, tmp_path)
    journal.write(ANN, [(0, 0, form("a"))])
    with pytest.raises(ConfigError, match="somebody else writes this journal"):
        other.write(ANN, [(0, 0, form("b"))])
    assert [one.forms for one in other.open(ANN)] == [[form("a")]]
    other.close()


def test_a_disk_that_does_not_answer_is_waited_for(journal):
    journal.close()
    for ask in (lambda: journal.open(ANN), lambda: journal.write(ANN, [(0, 0, form("a"))])):
        with pytest.raises(Unavailable, match="does not answer"):
            ask()
