"""Stock chains for tests: real simapp processes, and what their mock applications say."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from pathlib import Path

from nacl.signing import SigningKey

from fakes.microgrid import key
from tieline.contract.application import RecvResult
from tieline.contract.context import Context
from tieline.contract.genesis import Genesis
from tieline.contract.installation import Installation
from tieline.contract.trade_module import TRADE_HANDLERS
from tieline.contract.transfer import TransferApplication
from tieline.ledgers.cosmos.home import StockPace
from tieline.ledgers.cosmos.process import StockChain
from tieline.light_clients.attestations.client import AttestationsClient
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.light_clients.tendermint.messages import ClientHeader
from tieline.protocol.messages import AnyMessage
from tieline.protocol.packet import Packet, Payload
from tieline.wire.cometbft import (
    ABSENT_FLAG,
    NO_TIME_NS,
    BlockId,
    Commit,
    CommitSig,
    SignedHeader,
    Validator,
)
from tieline.wire.hashes import sha256
from tieline.wire.votes import vote_bytes

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


@dataclass
class MockApplication:
    """What ibc-go's mock application does, on a ledger of ours."""

    port: str
    allows_plain_send: bool = True

    def speaks(self, payload: Payload) -> bool:
        return payload.version == "mock-version"

    def on_send(self, ctx: Context, packet: Packet) -> None:
        pass

    def on_recv(self, ctx: Context, packet: Packet) -> RecvResult:
        asked = packet.payloads[0].value
        if asked == GOOD:
            return RecvResult.success(MOCK_ANSWER)
        return RecvResult.later() if asked == LATER else RecvResult.error()

    def on_acknowledge(self, ctx: Context, packet: Packet, acknowledgement: bytes) -> None:
        ctx.state.set(b"zacked" + packet.sequence.to_bytes(8, "big"), acknowledgement)

    def on_timeout(self, ctx: Context, packet: Packet) -> None:
        ctx.state.set(b"ztimed" + packet.sequence.to_bytes(8, "big"), b"\x01")


def mock_installation(_genesis: Genesis | None = None) -> Installation:
    """What a ledger of ours needs beside a stock chain; a native one's host calls it by name."""
    return Installation(
        light_clients=(TendermintClient(), AttestationsClient()),
        applications=(
            MockApplication("mockv2A"),
            MockApplication("mockv2B"),
            TransferApplication(),
        ),
        handlers=TRADE_HANDLERS,
    )


def forged(message: AnyMessage, *keys: SigningKey, **changes: object) -> AnyMessage:
    """
    Return a client message of another header than *message* has, signed by those of its validators
    whose keys are given. Times of votes stay.
    """
    told = ClientHeader.decode(message.value)
    header, commit = told.signed_header.header, told.signed_header.commit
    changed = replace(header, **changes)
    identity = BlockId(changed.hash(), 1, sha256(b"parts"))
    signers = {Validator(one.verify_key.encode(), 1).address: one for one in keys}
    votes = []
    for vote in commit.signatures:
        words = vote_bytes(changed.chain_id, changed.height, commit.round, identity, vote.time_ns)
        signer = signers.get(vote.validator_address)
        if signer is None:
            votes.append(CommitSig(ABSENT_FLAG, b"", NO_TIME_NS, b""))
        else:
            votes.append(replace(vote, signature=signer.sign(words).signature))
    signed = SignedHeader(changed, Commit(changed.height, commit.round, identity, tuple(votes)))
    return replace(told, signed_header=signed).as_any()


def validator_key(chain: StockChain) -> SigningKey:
    """The key with which a stock chain's only validator signs blocks."""
    content = json.loads(chain.home.validator_key_file.read_text(encoding="utf-8"))
    return SigningKey(base64.b64decode(content["priv_key"]["value"])[:32])
