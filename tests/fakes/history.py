"""
A fixed history of one ledger: payments, packets in and out, refusals. Run as a script it prints
the app hash of every block, so that two processes can be compared.
"""

from __future__ import annotations

import sys
from itertools import pairwise

from fakes.light_client import prove
from fakes.microgrid import LOCAL, REMOTE, START_S, Ledger, key, pay
from tieline.contract.multistore import MultiStore
from tieline.contract.results import TxResult
from tieline.contract.store import STORES
from tieline.protocol import commitment
from tieline.protocol.height import Height
from tieline.protocol.messages import RecvPacket, SendPacket, UpdateClient
from tieline.protocol.packet import Packet, Payload


def payload(value: bytes) -> Payload:
    """Something to echo."""
    return Payload("echo", "echo", "echo-1", "text", value)


def receive(name: str, sequence: int, value: bytes) -> RecvPacket:
    """A packet from the other ledger, proved at its height 11."""
    packet = Packet(sequence, REMOTE, LOCAL, START_S + 600, (payload(value),))
    path = (b"ibc", commitment.packet_commitment_key(REMOTE, sequence))
    proof = prove(11, path, commitment.commit_packet(packet))
    return RecvPacket(key(name).cosmos_account, packet, proof, Height(0, 11))


def play() -> list[tuple[bytes, tuple[TxResult, ...]]]:
    """Return app hash and results of each block, over a real IAVL multistore."""
    names = ["cell", "relayer", *(f"household {n}" for n in range(20))]
    ledger = Ledger(names=names, tree=MultiStore(STORES))
    seen: list[tuple[bytes, tuple[TxResult, ...]]] = []

    def block(*transactions: bytes) -> None:
        results = ledger.block(*transactions)
        seen.append((ledger.application.app_hash, results))

    ledger.open_client()
    relayer = key("relayer").cosmos_account
    block(ledger.transaction("relayer", UpdateClient(relayer, LOCAL, ledger.header(11))))
    block(
        *(
            ledger.transaction(name, pay(name, other, 100 + place))
            for place, (name, other) in enumerate(pairwise(names[2:]))
        )
    )
    answers = (b"ok", b"later", b"no", b"early", b"boom")
    block(
        *(
            ledger.transaction(f"household {n}", receive(f"household {n}", n + 1, answers[n % 5]))
            for n in range(20)
        )
    )
    sends = [SendPacket(relayer, LOCAL, START_S + 600, (payload(b"ok"),)) for _ in range(3)]
    block(ledger.transaction("relayer", *sends))
    block()
    return seen


if __name__ == "__main__":
    for app_hash, results in play():
        sys.stdout.write(f"{app_hash.hex()} {results}\n")
