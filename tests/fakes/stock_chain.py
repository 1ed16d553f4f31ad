"""Stock chains for tests: real simapp processes, and what their mock applications say."""

from __future__ import annotations

from pathlib import Path

from fakes.microgrid import key
from tieline.ledgers.cosmos.home import StockPace
from tieline.ledgers.cosmos.process import StockChain
from tieline.protocol.packet import Payload

NEUR = "neur"
QUICK = StockPace(block_ms=100)
GOOD, LATER = b"mock packet data", b"mock async packet data"
"""What the mock application takes at once, and what it takes and never answers."""
MOCK_ANSWER = b'{"result":"bW9jayBhY2tub3dsZWRnZW1lbnQ="}'


def start_stock(
    chain_id: str, folder: Path, lanes: tuple[str, ...], pace: StockPace = QUICK, **more: object
) -> StockChain:
    """Start a chain on which every lane, with ``key(f"{lane} of {chain_id}")``, has coins."""
    coins = {"stake": 10**12, NEUR: 10**12}
    accounts = [key(f"{lane} of {chain_id}").cosmos_account for lane in lanes]
    chain = StockChain(chain_id, folder, dict.fromkeys(accounts, coins), pace=pace, **more)
    chain.start()
    return chain


def mock_payload(value: bytes = GOOD) -> Payload:
    """What ibc-go's second mock application is sent by the first."""
    return Payload("mockv2A", "mockv2B", "mock-version", "application/x-protobuf", value)
