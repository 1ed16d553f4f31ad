"""The door of an in-process host: a mempool that fills blocks, and drops what has become stale."""

from __future__ import annotations

import pytest
from fakes.microgrid import START_S, Ledger, key, pay

from tieline.contract import host as hosting
from tieline.contract.block import Application
from tieline.contract.host import ContractHost
from tieline.contract.results import BlockInput
from tieline.interfaces.errors import Rejected
from tieline.wire.codec import build_transaction


def opened(*, proves_by_next_block=True):
    """A host after its first block, with lanes for ann and bob."""
    ledger = Ledger()
    application = Application(ledger.genesis, installation=ledger.installation)
    host = ContractHost(application, proves_by_next_block=proves_by_next_block)
    host.add_lane("ann", key("ann"))
    host.add_lane("bob", key("bob"))
    host.now_s = START_S
    block(host)
    return host


@pytest.fixture
def host():
    return opened()


def block(host, *transactions):
    host.now_s += 5
    place = BlockInput(host.height + 1, host.now_s * 10**9, bytes(32), transactions)
    return host.execute(place)


def test_a_full_block_leaves_the_rest_for_the_next(host, monkeypatch):
    hashes = [host.submit("ann", [pay("ann", "bob", n + 1)]).tx_hash for n in range(3)]
    size = len(host.next_transactions()[0])
    monkeypatch.setattr(hosting, "BLOCK_BYTES_MAX", 5 * size // 2)
    assert len(host.next_transactions()) == 2
    block(host, *host.next_transactions())
    assert len(host.next_transactions()) == 1
    host.submit("ann", [pay("ann", "bob", 9)])
    block(host, *host.next_transactions())
    done = [one.tx_hash for events in host.blocks_after(1, 9) for one in events.transactions]
    assert done[:3] == hashes
    assert len(done) == 4
    assert all(not one.code for events in host.blocks_after(1, 9) for one in events.transactions)


def test_what_another_door_has_overtaken_is_dropped(host):
    """The same account signs elsewhere: its pending transaction has a used sequence then."""
    host.submit("ann", [pay("ann", "bob", 1)])
    elsewhere = build_transaction(
        [pay("ann", "bob", 2)], key("ann"), host.application.genesis.chain_id, 0, 0
    )
    block(host, elsewhere)
    assert host.next_transactions() == ()
    host.submit("ann", [pay("ann", "bob", 3)])
    assert not block(host, *host.next_transactions()).tx_results[0].code


def test_a_block_is_wanted_for_transactions_and_for_the_proof_of_a_change(host):
    host.submit("bob", [pay("bob", "ann", 1)])
    assert host.wants_block
    block(host, *host.next_transactions())
    assert host.wants_block, "the state changed"


def test_a_host_that_proves_at_once_wants_no_block_for_it():
    host = opened(proves_by_next_block=False)
    host.submit("ann", [pay("ann", "bob", 1)])
    block(host, *host.next_transactions())
    assert not host.wants_block


def test_what_cannot_be_paid_for_at_the_door_is_rejected(host):
    host.add_lane("nobody", key("nobody"))
    with pytest.raises(Rejected) as refusal:
        host.submit("nobody", [pay("nobody", "ann", 1)])
    assert refusal.value.codespace
    assert host.next_transactions() == ()
