"""
Many trades whose packets wait to be received by the vault of one connector, each in a transaction
of its own, and everything that its ledger has to be told before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fakes.light_client import prove
from fakes.trade_records import TAU
from fakes.trade_world import TradeLedger, TradeWorld, account, events
from tieline.contract.genesis import Parameters
from tieline.protocol import commitment
from tieline.protocol.messages import RecvPacket
from tieline.swap.messages import MsgPlaceOrders, MsgTradeEvidence
from tieline.swap.records import Order, Side
from tieline.wire.codec import decode_packet
from tieline.wire.hashes import sha256

SHARDS = 256
ORDERS_EACH = 32
"""Of one household."""
BATCH = 16


@dataclass
class RecordingLedger(TradeLedger):
    """A ledger whose transactions can be run again elsewhere, in their order."""

    kind: str = "fabric"
    sent: list[bytes] = field(default_factory=list)

    def block(self, *transactions: bytes):
        self.sent += transactions
        return super().block(*transactions)

    def each(self, name, *groups):
        """Run groups of messages, one transaction each, in one block; nobody counts the money."""
        results = self.block(*(self.transaction(name, *one) for one in groups))
        assert {one.code for one in results} <= {0}, results[0].log
        return results


class ManyReceives(TradeWorld):
    """*count* trades that ledger a has sent and ledger b has not received."""

    def __init__(self, count: int) -> None:
        self.households = -(-count // ORDERS_EACH)
        super().__init__(parameters=Parameters(vault_shards=SHARDS))
        positions = self._trades(count)
        packets = self._send(positions)
        for batch in _batches(positions):
            self.b.each("relayer", [self.post_clearing(one.clearing) for one in batch])
        self.a.now_s = TAU - 170
        height = self.b.update_client(self.a)
        self.setup = tuple(self.b.sent)
        """What ledger b ran, in its order."""
        self.receives = tuple(
            self.b.transaction(f"lane {n}", *self._receive(position, packet, height, n))
            for n, (position, packet) in enumerate(zip(positions, packets, strict=True))
        )
        """One transaction a packet."""

    def open_ledger(self, chain_id, cell, names, **rules):
        households = self._buyers() if cell == "cell a" else self._sellers()
        return RecordingLedger(chain_id, cell, (*names, *households), **rules)

    def _buyers(self):
        return [f"buyer {n}" for n in range(self.households)]

    def _sellers(self):
        return [f"seller {n}" for n in range(self.households)]

    def _trades(self, count):
        made = []
        for n in range(count):
            secret = n.to_bytes(32, "big")
            buy = self.order(self._buyers()[n % self.households], Side.BUY, 1_000)
            anchor = sha256(secret)
            sell = self.order(self._sellers()[n % self.households], Side.SELL, 1_000, anchor=anchor)
            made.append((buy, sell, secret))
        self._place(self.a, "buyer", [buy for buy, _, _ in made])
        self._place(self.b, "seller", [sell for _, sell, _ in made])
        return [
            self.position([(buy, 1_000)], [(sell, 1_000)], secret) for buy, sell, secret in made
        ]

    def _place(self, ledger: RecordingLedger, kind: str, orders: list[Order]) -> None:
        signed = [
            self.sign(f"{kind} {n % self.households}", order) for n, order in enumerate(orders)
        ]
        for batch in _batches(signed):
            ledger.each("relayer", [MsgPlaceOrders(account("relayer"), tuple(batch))])

    def _send(self, positions):
        packets = []
        for batch in _batches(positions):
            self.a.each("relayer", [self.post_clearing(one.clearing) for one in batch])
        self.a.now_s = TAU - 170
        for batch in _batches(positions):
            results = self.a.each("cell a", *(self.send_messages(one) for one in batch))
            packets += [
                decode_packet(bytes.fromhex(event["encoded_packet_hex"]))
                for result in results
                for event in events(result, "send_packet")
            ]
        return packets

    def _receive(self, position, packet, height, number):
        lane = account(f"lane {number}")
        key = commitment.packet_commitment_key(packet.source_client, packet.sequence)
        value = commitment.commit_packet(packet)
        proof = prove(height.revision_height, (b"ibc", key), value)
        return (
            MsgTradeEvidence(lane, position.evidence(Side.SELL)),
            RecvPacket(lane, packet, proof, height),
        )


def _batches(rows):
    return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
