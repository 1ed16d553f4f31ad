"""
No key that every transaction writes: orders, receives, verdicts, claims and shares of different
trades, each a transaction of its own in one block, would all be valid on a ledger that refuses
transactions whose reads another one overwrote.
"""

from __future__ import annotations

from itertools import permutations

from fakes.trade_records import T_A, TAU, E
from fakes.trade_world import Position, TradeLedger, TradeWorld, account, events

from tieline.contract.genesis import Parameters
from tieline.protocol.packet import Packet
from tieline.swap.messages import MsgPlaceOrders, MsgRefund
from tieline.swap.records import Side
from tieline.wire.codec import decode_packet
from tieline.wire.hashes import sha256

BUYERS, SELLERS = ("ann", "amy", "abe"), ("bob", "ben", "bea")
LANES = {"tieline-a-1": BUYERS, "tieline-b-1": SELLERS}
SECRETS = tuple(bytes([n]) * 32 for n in (1, 2, 3))
WH = 1000


def run_apart(ledger: TradeLedger, batches: list[tuple[object, ...]]) -> None:
    """Run each batch as a transaction of its own lane, all in one block; none may touch another."""
    lanes = LANES[ledger.chain_id]
    raws = [ledger.transaction(lane, *batch) for lane, batch in zip(lanes, batches, strict=True)]
    results = ledger.block(*raws)
    assert [result.log for result in results] == [""] * len(batches)
    for one, other in permutations(ledger.app.last_access, 2):
        assert not one.writes & (other.reads | other.writes)


def test_disjoint_trades_never_meet_in_a_key() -> None:
    world = TradeWorld(parameters=Parameters(vault_shards=256))
    a, b = world.a, world.b
    buys = [world.order(name, Side.BUY, WH) for name in BUYERS]
    sells = [
        world.order(name, Side.SELL, WH, anchor=sha256(secret))
        for name, secret in zip(SELLERS, SECRETS, strict=True)
    ]
    for ledger, names, orders in ((a, BUYERS, buys), (b, SELLERS, sells)):
        run_apart(
            ledger,
            [
                (MsgPlaceOrders(account(name), (world.sign(name, order),)),)
                for name, order in zip(names, orders, strict=True)
            ],
        )
    positions: list[Position] = [
        world.position([(buy, WH)], [(sell, WH)], secret)
        for buy, sell, secret in zip(buys, sells, SECRETS, strict=True)
    ]
    assert len({position.trade.trade_id[0] for position in positions}) == len(positions)
    packets: list[Packet] = []
    for position in positions:
        a.must("relayer", world.post_clearing(position.clearing))
        b.must("relayer", world.post_clearing(position.clearing))
    for position in positions:
        sent = a.must("cell a", *world.send_messages(position), at=TAU - 170)
        (event,) = events(sent, "send_packet")
        packets.append(decode_packet(bytes.fromhex(event["encoded_packet_hex"])))

    b.now_s = TAU - 60
    received = [
        world.receive_messages(position, packet, lane)
        for position, packet, lane in zip(positions, packets, SELLERS, strict=True)
    ]
    run_apart(b, received)

    leaves = [
        world.leaf(position, packet, group=n + 1)
        for n, (position, packet) in enumerate(zip(positions, packets, strict=True))
    ]
    b.must("relayer", world.apply_verdict(leaves, []), at=TAU)
    bare = [
        world.apply_verdict(leaves, [leaf], lane=lane)
        for leaf, lane in zip(leaves, SELLERS, strict=True)
    ]
    run_apart(b, [(message,) for message in bare])

    rows = [(position.trade.trade_id, 900) for position in positions]
    for ledger, lanes in ((a, BUYERS), (b, SELLERS)):
        ledger.must("relayer", world.delivery(rows), at=E)
        claims = [
            world.claim_of(
                position.lock_in if ledger is a else position.lock_out,
                position.preimage,
                world.delivery_leaf(rows, position.trade.trade_id),
                lane,
            )
            for position, lane in zip(positions, lanes, strict=True)
        ]
        run_apart(ledger, [(claim,) for claim in claims])
        ledger.now_s = T_A
        refunds = [
            MsgRefund(
                account(lane),
                position.lock_in if ledger is a else position.lock_out,
                (world.delivery_leaf(rows, position.trade.trade_id),),
            )
            for position, lane in zip(positions, lanes, strict=True)
        ]
        run_apart(ledger, [(refund,) for refund in refunds])
        assert ledger.books().total == ledger.issued
        assert ledger.books().locks == 0
