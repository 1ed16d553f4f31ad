"""The echo application of the conformance suite on EVM ledgers: a module in the place of Trade."""

from __future__ import annotations

from pathlib import Path

from tieline.ledgers.ethereum.artifacts import read_artifact
from tieline.ledgers.ethereum.host_calls import client_number
from tieline.wire.evm import contract_calls as calls

_FILE = Path(__file__).parent / "contracts" / "EchoModule.json"


def echo_module():
    """The compiled module."""
    return read_artifact(_FILE.read_text(encoding="utf-8"))


def send_echo(message):
    """Ask it to send a packet: its lockAndSend takes any value, from anyone."""
    values = [payload.value for payload in message.payloads]
    number = client_number(message.source_client)
    return calls.LOCK_AND_SEND.encode(number, message.timeout_s, values, [])
