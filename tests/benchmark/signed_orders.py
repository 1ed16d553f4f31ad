"""
How many signed orders one core takes in: read from protobuf, order id, digest, key recovered.

Run as ``python tests/benchmark/signed_orders.py``; prints one JSON line. Times are CPU time of the
best of five rounds.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from tieline.swap.messages import MsgPlaceOrders
from tieline.swap.records import ZERO_HASH, Order, SignedOrder
from tieline.wire import codec, typed_data
from tieline.wire.keys import SecpKey, cosmos_account_of, recover

COUNT = 2000
ROUNDS = 5
KEY = SecpKey(b"\x07" * 32)
DOMAIN = typed_data.domain_separator(b"\xee" * 32)


def signed_order(nonce: int) -> bytes:
    """One household's order as it stands on the wire."""
    account = KEY.cosmos_account
    order = Order(
        b"\x01" * 32, account, b"\x03" * 32, 1, 7, 1, 900, 900, 5000, 0, 300000, ZERO_HASH, nonce
    )
    return codec.encode_signed_order(SignedOrder(order, typed_data.sign_record(KEY, DOMAIN, order)))


def take_in(data: bytes) -> None:
    """Everything between the wire and the book."""
    signed = codec.decode_signed_order(data)
    digest = typed_data.digest_of_struct_hash(DOMAIN, typed_data.order_id(signed.order))
    assert cosmos_account_of(recover(digest, signed.signature)) == signed.order.account


def best_us(function: Callable[[Any], object], inputs: list[Any]) -> float:
    """CPU microseconds a call, best round."""
    rounds: list[float] = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for data in inputs:
            function(data)
        rounds.append(time.process_time() - start)
    return min(rounds) / len(inputs) * 1e6


def main() -> None:
    """Measure and print."""
    wire = [signed_order(nonce) for nonce in range(COUNT)]
    orders = [codec.decode_signed_order(data) for data in wire]
    transaction = codec.build_transaction(
        [MsgPlaceOrders(KEY.cosmos_account, tuple(orders[:32]))], KEY, "tieline-a-1", 1, 1
    )
    whole = best_us(take_in, wire)
    result = {
        "name": "signed_orders",
        "orders_per_s": round(1e6 / whole),
        "us_whole": round(whole, 1),
        "us_decode": round(best_us(codec.decode_signed_order, wire), 1),
        "us_order_id": round(best_us(typed_data.order_id, [one.order for one in orders]), 1),
        "us_decode_transaction_of_32": round(
            best_us(codec.decode_transaction, [transaction] * 200), 1
        ),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
