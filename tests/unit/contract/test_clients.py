"""Light clients on a ledger: who creates, pairs and updates them, and what a dead one stops."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.light_client import CONSENSUS, MISBEHAVIOUR, STATE
from fakes.microgrid import LOCAL, REMOTE, START_S, Ledger
from fakes.packets import (
    CELL,
    RELAYER,
    TIMEOUT_S,
    acknowledge,
    event,
    incoming,
    names,
    open_ledger,
    payload,
    receive,
    send,
    time_out,
)

from tieline.protocol.messages import (
    AnyMessage,
    CreateClient,
    RegisterCounterparty,
    SendPacket,
    UpdateClient,
)
from tieline.protocol.packet import Packet


@pytest.fixture
def ledger() -> Ledger:
    """One client, paired, with consensus states at heights 10 and 11."""
    return open_ledger(Ledger())


def test_a_frozen_client_lets_nothing_through_but_repeats(ledger: Ledger) -> None:
    packet = send(ledger)
    ledger.must("relayer", receive(incoming()))
    frozen = ledger.must("relayer", UpdateClient(RELAYER, LOCAL, AnyMessage(MISBEHAVIOUR, b"")))
    assert names(frozen) == ["client_misbehaviour"]
    blocked = [
        receive(incoming(sequence=2)),
        acknowledge(packet, b"done"),
        time_out(packet),
        SendPacket(RELAYER, LOCAL, TIMEOUT_S, (payload(),)),
        UpdateClient(RELAYER, LOCAL, ledger.header(20)),
    ]
    for message in blocked:
        result = ledger.run("relayer", message)
        assert (result.codespace, result.code) == ("client", 29)
    assert ledger.run("relayer", receive(incoming())).code == 0


def test_an_expired_client_lets_nothing_through(ledger: Ledger) -> None:
    ledger.now_s += 15 * 24 * 3600
    late = Packet(1, REMOTE, LOCAL, ledger.now_s + 600, (payload(),))
    result = ledger.run("relayer", receive(late))
    assert (result.codespace, result.code) == ("client", 29)
    assert "status=Expired" in result.log


def test_an_update_tells_new_heights_and_repeats_nothing(ledger: Ledger) -> None:
    update = UpdateClient(RELAYER, LOCAL, ledger.header(15))
    assert event(ledger.must("relayer", update), "update_client").get("consensus_heights") == "0-15"
    assert names(ledger.must("relayer", update)) == []
    result = ledger.run("relayer", UpdateClient(RELAYER, LOCAL, AnyMessage("/other", b"")))
    assert (result.codespace, result.code) == ("client", 12)
    result = ledger.run("relayer", UpdateClient(RELAYER, "07-fake-5", ledger.header(15)))
    assert (result.codespace, result.code) == ("client", 4)


def test_clients_are_created_by_the_utility_cell_only_and_numbered() -> None:
    ledger = Ledger()
    state = AnyMessage(STATE, (10).to_bytes(8, "big"))
    consensus = AnyMessage(CONSENSUS, (START_S * 10**9).to_bytes(8, "big"))
    for number in range(2):
        made = ledger.must("cell", CreateClient(CELL, state, consensus))
        assert event(made, "create_client").get("client_id") == f"07-fake-{number}"
    result = ledger.run("relayer", CreateClient(RELAYER, state, consensus))
    assert (result.codespace, result.code) == ("sdk", 4)
    unknown = CreateClient(CELL, AnyMessage("/unknown", b""), consensus)
    assert ledger.run("cell", unknown).code == 10
    expired = AnyMessage(CONSENSUS, ((START_S - 15 * 86400) * 10**9).to_bytes(8, "big"))
    assert ledger.run("cell", CreateClient(CELL, state, expired)).code == 29


def test_a_client_is_paired_once_by_its_creator() -> None:
    ledger = Ledger()
    state = AnyMessage(STATE, (10).to_bytes(8, "big"))
    consensus = AnyMessage(CONSENSUS, (START_S * 10**9).to_bytes(8, "big"))
    ledger.must("cell", CreateClient(CELL, state, consensus))
    pair = RegisterCounterparty(CELL, LOCAL, REMOTE, (b"ibc", b""))
    refused = [
        ("relayer", replace(pair, signer=RELAYER), ("sdk", 4)),
        ("cell", replace(pair, client_id="07-fake-5"), ("client", 4)),
        ("cell", replace(pair, counterparty_client_id="ext-0"), ("ibc", 14)),
        ("cell", replace(pair, counterparty_merkle_prefix=()), ("client", 34)),
        ("cell", replace(pair, counterparty_merkle_prefix=(bytes(200),)), ("client", 34)),
    ]
    for name, message, expected in refused:
        result = ledger.run(name, message)
        assert (result.codespace, result.code) == expected, result.log
    unpaired = ledger.run("relayer", SendPacket(RELAYER, LOCAL, TIMEOUT_S, (payload(),)))
    assert (unpaired.codespace, unpaired.code) == ("client", 35)
    ledger.must("cell", pair)
    again = ledger.run("cell", replace(pair, counterparty_client_id="07-fake-8"))
    assert (again.codespace, again.code) == ("ibc", 8)
