"""Puts a ledger's contracts on a chain behind JSON-RPC, once: what is there already is taken up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tieline.contract.genesis import Genesis
from tieline.interfaces.errors import ConfigError, NotYet, Pruned, Unavailable
from tieline.interfaces.signer import Signer
from tieline.ledgers.ethereum.account_book import Account
from tieline.ledgers.ethereum.artifacts import Artifact
from tieline.ledgers.ethereum.deployment import (
    Deployment,
    DeploymentPlan,
    check_deployment,
    plan_deployment,
)
from tieline.ledgers.ethereum.endpoints import EvmEndpoints
from tieline.ledgers.ethereum.fees import FeePolicy
from tieline.ledgers.ethereum.looking_after import SendingPace
from tieline.ledgers.ethereum.nonces import AccountSender
from tieline.ledgers.ethereum.refusals import read_refusal
from tieline.ledgers.ethereum.refused import Refused
from tieline.ledgers.ethereum.rpc import EvmRpc
from tieline.ledgers.ethereum.rpc_records import (
    Receipt,
    SeenBlock,
    block_call,
    block_of,
    number_of,
    octets_of,
    receipt_of,
)
from tieline.ledgers.ethereum.transaction_journal import TransactionJournal

STEP_GAS: Final = 14_000_000
"""The largest module is 20 kB of code: 5 million; a step of 150 deposits about as much."""
WAIT_S: Final = 120.0
_POLL_S: Final = 0.05

_LOG = logging.getLogger(__name__)


async def deploy(
    rpc: EvmRpc,
    genesis: Genesis,
    deployer: Signer,
    record: Path,
    *,
    artifacts: Mapping[str, Artifact] | None = None,
) -> Deployment:
    """
    Make a chain the ledger that *genesis* describes, or find that it is.

    Args:
        rpc: A node of the chain.
        genesis: The ledger's birth, of kind ``evm``.
        deployer: An account with ether that has sent nothing but, maybe, a part of this.
        record: File with what was deployed; written at the end, read if it is there.
        artifacts: Other contracts than those that ship, for tests.

    Raises:
        ConfigError: The chain is another one than the record's, or a step failed.
        Unavailable: The node does not answer, or makes no blocks; run it again.
    """
    chain_id = number_of(await rpc.call("eth_chainId"))
    genesis_hash = (await _block(rpc, 0)).hash
    known = read_record(record)
    if known is not None:
        codes = await _codes(rpc, dict(known.addresses.each()))
        check_deployment(known, chain_id, genesis_hash, codes.__getitem__)
        return known
    plan = plan_deployment(genesis, chain_id, genesis_hash, deployer.address, artifacts=artifacts)
    heights = await _carry_out(rpc, plan, deployer)
    codes = await _codes(rpc, dict(plan.addresses.each()))
    deployment = plan.recorded(codes.__getitem__, min(heights))
    _write_record(record, deployment)
    _LOG.info("deployed ledger=%s host=0x%s", plan.ledger_id, plan.addresses.host.hex())
    return deployment


def read_record(path: Path) -> Deployment | None:
    """Return what was deployed, None if nothing was. Raises ConfigError for another content."""
    return Deployment.from_bytes(path.read_bytes()) if path.exists() else None


def _write_record(path: Path, deployment: Deployment) -> None:
    beside = path.with_name(f"{path.name}.new")
    beside.write_bytes(deployment.to_bytes())
    beside.replace(path)


async def _block(rpc: EvmRpc, place: int | str) -> SeenBlock:
    method, parameters = block_call(place)
    return block_of(await rpc.call(method, *parameters))


async def _codes(rpc: EvmRpc, addresses: Mapping[str, bytes]) -> dict[bytes, bytes]:
    return {
        address: octets_of(await rpc.call("eth_getCode", "0x" + address.hex(), "latest"))
        for address in addresses.values()
    }


async def _carry_out(rpc: EvmRpc, plan: DeploymentPlan, deployer: Signer) -> list[int]:
    """Send the steps that are not there yet; return the heights of all."""
    endpoints = EvmEndpoints(plan.ledger_id, [rpc])
    account = Account(deployer, plan.chain_id, endpoints, TransactionJournal(), FeePolicy())
    done = await _settled_nonce(rpc, account.text) - plan.first_nonce
    if not 0 <= done <= len(plan.steps):
        raise ConfigError(
            f"the deployer {account.text} of {plan.ledger_id} has sent other transactions",
            instead="take an account that has sent none",
        )
    sender = AccountSender(account, SendingPace())
    block = await _block(rpc, "latest")
    base_fee = block.header.base_fee or 0
    names = [
        await sender.submit(step.to, step.data, STEP_GAS, base_fee) for step in plan.steps[done:]
    ]
    heights: list[int] = []
    if done:
        heights.append(await _height_before(rpc, account.text, plan.first_nonce, block.height))
    for name, step in zip(names, plan.steps[done:], strict=True):
        receipt = await _await_receipt(rpc, name)
        if not receipt.is_success:
            why = read_refusal(*await Refused(endpoints).why(name, receipt.height))
            raise ConfigError(f"{step.name} failed on {plan.ledger_id}: {why.log}")
        heights.append(receipt.height)
    return heights


async def _settled_nonce(rpc: EvmRpc, account: str) -> int:
    """
    Return an account's next nonce when none of its transactions waits for a block: steps that an
    earlier run has handed in must not be sent again behind themselves.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + WAIT_S
    while True:
        latest, pending = [
            number_of(await rpc.call("eth_getTransactionCount", account, place))
            for place in ("latest", "pending")
        ]
        if pending <= latest:
            return latest
        if loop.time() >= end:
            raise Unavailable(
                f"{pending - latest} transactions of the deployer {account} wait for a block: does "
                "the chain make blocks? Run it again"
            )
        await asyncio.sleep(_POLL_S)


async def _height_before(rpc: EvmRpc, account: str, nonce: int, head: int) -> int:
    """Return a height, 1 at least, at which an account had not sent its transaction *nonce* yet."""
    span = 1
    try:
        while span < head:
            sent = await rpc.call("eth_getTransactionCount", account, hex(head - span))
            if number_of(sent) <= nonce:
                return head - span
            span *= 2
    except Pruned:
        _LOG.warning("the node no longer has the state before the first step: reading all blocks")
    return 1


async def _await_receipt(rpc: EvmRpc, tx_hash: bytes) -> Receipt:
    loop = asyncio.get_running_loop()
    end = loop.time() + WAIT_S
    while loop.time() < end:
        try:
            receipt = receipt_of(await rpc.call("eth_getTransactionReceipt", "0x" + tx_hash.hex()))
        except NotYet:
            receipt = None
        if receipt is not None:
            return receipt
        await asyncio.sleep(_POLL_S)
    raise Unavailable(f"no block within {WAIT_S:.0f} s has 0x{tx_hash.hex()}")
