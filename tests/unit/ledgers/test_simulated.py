"""The simulated ledger beyond conformance: it attests the past as it was."""

from __future__ import annotations

import pytest
from fakes.microgrid import key

from tieline.contract.genesis import Genesis
from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.simulated.ledger import SimulatedLedger
from tieline.protocol.messages import CreateClient

START_S = 1_800_000_000
CELL = key("cell")


def finish(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the coroutine waits")


def born(kind="sim"):
    return Genesis(
        chain_id="sim-1",
        network_id=bytes(32),
        cell_address=CELL.address,
        founding_cells=(CELL.address,),
        kind=kind,
        balances=((CELL.cosmos_account, 10**9),),
    )


def test_a_value_is_attested_as_it_was_at_its_height():
    ledger = SimulatedLedger(born(), [key("operator")])
    ledger.add_lane("cell", CELL)
    ledger.produce_block(START_S)
    states = ledger.client_states(1)
    for step in range(2):
        finish(ledger.submit("cell", [CreateClient(CELL.cosmos_account, *states)]))
        assert ledger.produce_block(START_S + 5 + step)
    created = b"clients/attestations-1/clientState"
    assert finish(ledger.query("ibc", created)) is not None
    for height in (1, 2):
        assert finish(ledger.prove(created, height)).value is None
    with pytest.raises(Unavailable, match="no commitment"):
        finish(ledger.prove(created, 3))


def test_a_genesis_of_another_kind_is_refused():
    with pytest.raises(ConfigError, match="kind sim"):
        SimulatedLedger(born("cometbft"), [key("operator")])
