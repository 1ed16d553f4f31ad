"""
What the Ethereum adapter costs beside raw web3: gas a second of payments through it, next to ERC-20
transfers that AsyncWeb3 sends with nonces and gas known, on the same node, one after the other; and
how much longer one submission takes than one bare call of the node.

Needs `make ledgers`. The load comes from this process, on the node's cores.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

from clock import at_least, at_most, report
from fakes.evm_engine import EvmChain, finish, settle
from web3 import AsyncHTTPProvider, AsyncWeb3

from tieline.ledgers.ethereum.fees import GWEI
from tieline.swap.messages import MsgSend
from tieline.wire.evm import contract_calls as calls
from tieline.wire.evm.declarations import Function
from tieline.wire.evm.transactions import EvmTransaction

TRANSACTIONS = int(os.environ.get("EVM_TRANSACTIONS", "400"))
SENDERS = 20
IN_FLIGHT = 20
BATCH = 20
"""Messages of one transaction, as a relayer's batch has them."""
LATENCIES = 60
TRANSFER = Function("function transfer(address to, uint256 value)")
TRANSFER_GAS = 80_000
LANES = tuple(f"household {n}" for n in range(SENDERS))
RAW_LANES = tuple(f"household {n}" for n in range(SENDERS, 2 * SENDERS))
"""Accounts of their own: two programs with one key get in each other's way."""
RECIPIENT = "cell"


async def gas_used(chain: EvmChain, first: int, last: int) -> int:
    """Return the gas of all blocks of a range."""
    blocks = [
        await chain.rpc.call("eth_getBlockByNumber", hex(height), False)
        for height in range(first, last + 1)
    ]
    return sum(int(block["gasUsed"], 16) for block in blocks)


async def in_turns(count: int, work) -> None:
    """Do *work* for each number, ``IN_FLIGHT`` at a time."""
    numbers = iter(range(count))

    async def one() -> None:
        for number in numbers:
            await work(number)

    await asyncio.gather(*(one() for _ in range(IN_FLIGHT)))


async def raw_gas_per_s(chain: EvmChain) -> float:
    """Send ERC-20 transfers with web3 alone; return gas a second until the last is in a block."""
    web3 = AsyncWeb3(AsyncHTTPProvider(chain.process.address))
    pay, to = chain.deployment.addresses.pay, chain.account(RECIPIENT)
    nonces = {
        lane: await web3.eth.get_transaction_count(web3.to_checksum_address(chain.account(lane)))
        for lane in RAW_LANES
    }
    first = await web3.eth.block_number + 1
    began = time.perf_counter()
    hashes = []

    async def send(number: int) -> None:
        lane = RAW_LANES[number % SENDERS]
        nonce, nonces[lane] = nonces[lane], nonces[lane] + 1
        data = TRANSFER.encode(to, number + 1)
        transaction = EvmTransaction(
            *(chain.deployment.chain_id, nonce, TRANSFER_GAS, 10 * GWEI, GWEI, pay, data)
        )
        hashes.append(await web3.eth.send_raw_transaction(transaction.sign(chain.key(lane))))

    await in_turns(TRANSACTIONS, send)
    for tx_hash in hashes:
        await web3.eth.wait_for_transaction_receipt(tx_hash, poll_latency=0.01)
    took = time.perf_counter() - began
    gas = await gas_used(chain, first, await web3.eth.block_number)
    await web3.provider.disconnect()
    return gas / took


async def adapter_gas_per_s(chain: EvmChain, ledger, batch: int) -> float:
    """Send payments through the adapter; return gas a second until the last one was shown."""
    first = await ledger.latest_height() + 1
    began = time.perf_counter()

    async def send(number: int) -> None:
        lane = LANES[number % SENDERS]
        account = chain.account(lane)
        messages = [MsgSend(account, chain.account(RECIPIENT), n + 1) for n in range(batch)]
        await ledger.submit(lane, messages)

    await in_turns(TRANSACTIONS // batch, send)
    while not await ledger.is_idle():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    took = time.perf_counter() - began
    return await gas_used(chain, first, await ledger.latest_height()) / took


async def latencies_s(chain: EvmChain, ledger) -> tuple[float, float]:
    """Return the medians of a submission and of the node's own answer to the bare transaction."""
    to = chain.account(RECIPIENT)
    through, bare = [], []
    for number in range(LATENCIES):
        lane = LANES[number % SENDERS]
        began = time.perf_counter()
        await ledger.submit(lane, [MsgSend(chain.account(lane), to, 1)])
        through.append(time.perf_counter() - began)
        while not await ledger.is_idle():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    trip = []
    for _ in range(LATENCIES):
        began = time.perf_counter()
        await chain.rpc.call("eth_estimateGas", estimated(chain), "pending")
        trip.append(time.perf_counter() - began)
    for number in range(LATENCIES):
        lane = RAW_LANES[number % SENDERS]
        text = "0x" + chain.account(lane).hex()
        nonce = int(await chain.rpc.call("eth_getTransactionCount", text, "latest"), 16)
        data = calls.SEND.encode(to, 1)
        transaction = EvmTransaction(
            *(chain.deployment.chain_id, nonce, 200_000, 10 * GWEI, GWEI),
            *(chain.deployment.addresses.app, data),
        )
        began = time.perf_counter()
        raw = transaction.sign(chain.key(lane))
        await chain.rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
        bare.append(time.perf_counter() - began)
        while int(await chain.rpc.call("eth_getTransactionCount", text, "latest"), 16) == nonce:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    added = statistics.median(through) - statistics.median(bare)
    return added, statistics.median(trip)


def estimated(chain: EvmChain) -> dict[str, str]:
    """Return the call that a round trip is measured with."""
    return {
        "from": "0x" + chain.account(LANES[0]).hex(),
        "to": "0x" + chain.deployment.addresses.app.hex(),
        "data": "0x" + calls.SEND.encode(chain.account(RECIPIENT), 1).hex(),
    }


async def give_tokens(chain: EvmChain, ledger) -> None:
    """Let every sender hold ERC-20 of its own."""
    for lane in RAW_LANES:
        sender = ledger._senders[chain.account(lane)]
        data = calls.WITHDRAW.encode(10**9)
        await sender.submit(chain.deployment.addresses.app, data, 200_000, GWEI)
    while not await ledger.is_idle():  # noqa: ASYNC110
        await asyncio.sleep(0.02)


def measure(engine: str, folder: Path) -> None:
    """Start a chain and say how it goes."""
    chain = EvmChain(engine, folder / engine)
    try:
        ledger = chain.open("own.db", lanes=(*LANES, *RAW_LANES))
        settle(ledger)
        finish(give_tokens(chain, ledger))
        raw = finish(raw_gas_per_s(chain))
        single = finish(adapter_gas_per_s(chain, ledger, 1))
        batched = finish(adapter_gas_per_s(chain, ledger, BATCH))
        again = finish(raw_gas_per_s(chain))
        reference = max(raw, again)
        for name, rate in (("one", single), ("batch", batched)):
            report(
                f"evm.{engine}.gas_beside_raw_{name}",
                rate / reference,
                "ratio",
                target=at_least(0.8),
                gas_per_s=round(rate),
                raw_gas_per_s=round(reference),
                messages_per_transaction=1 if name == "one" else BATCH,
            )
        added, trip = finish(latencies_s(chain, ledger))
        report(
            f"evm.{engine}.added_latency",
            added / trip,
            "round trips",
            target=at_most(1.0),
            added_ms=round(added * 1e3, 2),
            round_trip_ms=round(trip * 1e3, 2),
        )
    finally:
        chain.stop()


def main() -> None:
    """Measure on both engines."""
    with tempfile.TemporaryDirectory() as folder:
        for engine in ("anvil", "geth"):
            measure(engine, Path(folder))


if __name__ == "__main__":
    main()
