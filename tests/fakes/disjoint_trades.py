"""
Thirty-two disjoint trades in a world with room for them: orders, receives and claims, each a
transaction of its own, all of a kind in one block.
"""

from __future__ import annotations

from collections.abc import Callable

from fakes.conflicts import conflicts
from fakes.light_client import prove
from fakes.trade_records import TAU, E
from fakes.trade_world import Position, TradeLedger, TradeWorld, account
from tieline.protocol import commitment
from tieline.protocol.messages import RecvPacket
from tieline.protocol.packet import Packet
from tieline.swap.messages import MsgClaim, MsgPlaceOrders, MsgTradeEvidence
from tieline.swap.records import Order, Side
from tieline.wire.hashes import sha256

COUNT = 32
LANES = tuple(f"lane {n}" for n in range(COUNT))
BUYERS = tuple(f"buyer {n}" for n in range(COUNT))
SELLERS = tuple(f"seller {n}" for n in range(COUNT))
SHARDS = 256
"""A trade id's first byte chooses one: every trade its own."""


def households_of(cell: str) -> tuple[str, ...]:
    """Who trades on a cell's ledger, one for each trade."""
    return BUYERS if cell == "cell a" else SELLERS


def one_block(ledger: TradeLedger, build: Callable[[int], tuple[object, ...]]) -> None:
    """Run one transaction a lane in one block: all valid, no key in common."""
    results = ledger.block(*(ledger.transaction(lane, *build(n)) for n, lane in enumerate(LANES)))
    assert [result.code for result in results] == [0] * COUNT, results[0].log
    assert conflicts(ledger.app) == set()


def disjoint_trades(world: TradeWorld) -> list[tuple[Order, Order, Position]]:
    """Orders and direct trades, one a pair of households, each in a vault shard of its own."""
    made: dict[int, tuple[Order, Order, Position]] = {}
    secret = 0
    while len(made) < COUNT:
        secret += 1
        preimage = secret.to_bytes(32, "big")
        buy = world.order(BUYERS[len(made)], Side.BUY, 1_000)
        sell = world.order(SELLERS[len(made)], Side.SELL, 1_000, anchor=sha256(preimage))
        position = world.position([(buy, 1_000)], [(sell, 1_000)], preimage)
        made.setdefault(position.trade.trade_id[0] % SHARDS, (buy, sell, position))
    return list(made.values())


def place_all(world: TradeWorld, ledger: TradeLedger, orders: dict[str, Order]) -> None:
    """Place all orders of a ledger in one block."""
    signed = [world.sign(name, order) for name, order in orders.items()]
    one_block(ledger, lambda n: (MsgPlaceOrders(account(LANES[n]), (signed[n],)),))


def receive_all(world: TradeWorld, positions: list[Position], packets: list[Packet]) -> None:
    """Receive all packets in one block."""
    height = world.b.update_client(world.a)

    def receive(n: int) -> tuple[object, ...]:
        packet, lane = packets[n], account(LANES[n])
        key = commitment.packet_commitment_key(packet.source_client, packet.sequence)
        proof = prove(height.revision_height, (b"ibc", key), commitment.commit_packet(packet))
        return (
            MsgTradeEvidence(lane, positions[n].evidence(Side.SELL)),
            RecvPacket(lane, packet, proof, height),
        )

    one_block(world.b, receive)


def claim_all(world: TradeWorld, positions: list[Position]) -> None:
    """Claim all sellers' locks in one block."""
    delivered = [(position.trade.trade_id, 900) for position in positions]
    world.b.must("relayer", world.delivery(delivered), at=E + 300)

    def claim(n: int) -> tuple[object, ...]:
        position = positions[n]
        leaf = world.delivery_leaf(delivered, position.trade.trade_id)
        return (MsgClaim(account(LANES[n]), position.lock_out, position.preimage, leaf),)

    one_block(world.b, claim)


def trade_side_by_side(world: TradeWorld) -> None:
    """Place, receive and claim; no two transactions of a block may share a key."""
    trades = disjoint_trades(world)
    place_all(world, world.a, {name: buy for name, (buy, _, _) in zip(BUYERS, trades, strict=True)})
    place_all(
        world, world.b, {name: sell for name, (_, sell, _) in zip(SELLERS, trades, strict=True)}
    )
    positions = [position for _, _, position in trades]
    packets = [world.send(position) for position in positions]
    for position in positions:
        world.b.must("relayer", world.post_clearing(position.clearing))
    world.b.now_s = TAU - 60
    receive_all(world, positions, packets)
    leaves = [
        world.leaf(position, packet, group=n + 1)
        for n, (position, packet) in enumerate(zip(positions, packets, strict=True))
    ]
    world.b.now_s = TAU
    for leaf in leaves:
        world.b.must("relayer", world.apply_verdict(leaves, [leaf]))
    claim_all(world, positions)
