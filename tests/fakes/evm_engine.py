"""A chain of geth or anvil with the contracts on it, and ledgers opened on it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from fakes.driven import LANES, LOOP, finish
from fakes.microgrid import key
from tieline.contract.genesis import Genesis
from tieline.ledgers.ethereum.anvil import AnvilProcess
from tieline.ledgers.ethereum.deploying import deploy
from tieline.ledgers.ethereum.deployment import chain_id_of
from tieline.ledgers.ethereum.final_view import EvmLedgerPlan
from tieline.ledgers.ethereum.finality import FinalityRule
from tieline.ledgers.ethereum.geth import GethProcess
from tieline.ledgers.ethereum.ledger import EthereumLedger
from tieline.ledgers.ethereum.rpc import EvmRpc
from tieline.ledgers.ethereum.sealing import HeaderSealer, SealJournal
from tieline.ledgers.ethereum.settings import EvmSettings
from tieline.ledgers.ethereum.transaction_journal import TransactionJournal
from tieline.swap.messages import MsgSend

ENGINES = {"geth": GethProcess, "anvil": AnvilProcess}
ETHER = 10**18
WAIT_S = 180.0


def evm_genesis(chain_id, names=LANES):
    """A ledger's birth: its lanes have money."""
    cell = key(f"cell of {chain_id}")
    return Genesis(
        chain_id=chain_id,
        network_id=b"\xee" * 32,
        cell_address=cell.address,
        founding_cells=(cell.address,),
        kind="evm",
        balances=tuple(sorted((key(f"{one} of {chain_id}").address, 10**12) for one in names)),
    )


class EvmChain:
    """One engine's process with one ledger's contracts on its chain."""

    def __init__(self, engine, folder, ledger_id="eth-1", *, artifacts=None, fuel=ETHER, **options):
        self.genesis = evm_genesis(ledger_id)
        self.ledger_id = ledger_id
        self.folder = Path(folder)
        accounts = {one: 1000 * fuel for one, _ in self.genesis.balances}
        accounts.pop(self.account("household 63"))  # has PAY and no ether
        deployer = key(f"deployer of {ledger_id}")
        accounts[deployer.address] = 1000 * ETHER
        kind = ENGINES[engine]
        self.process = kind(self.folder, chain_id_of(ledger_id), accounts, **options)
        self.process.start()
        self.opened = []
        self.rpc = EvmRpc(self.process.address)
        is_by_hand = options.get("is_mining") is False
        miner = self.mining() if is_by_hand else None
        try:
            self.deployment = finish(
                self._deploying(
                    deploy(self.rpc, self.genesis, deployer, self.record, artifacts=artifacts),
                    miner,
                )
            )
        except BaseException:  # an interrupt too: no engine may be left running
            self.stop()
            raise
        self.first_height = self.height()
        """From here on all contracts are there."""
        self.plan = EvmLedgerPlan(self.genesis, self.deployment)

    @staticmethod
    async def _deploying(work, miner):
        task = asyncio.ensure_future(miner) if miner else None
        try:
            return await work
        finally:
            if task:
                task.cancel()

    async def mining(self):
        """Make blocks for a chain that makes none by itself."""
        while True:
            await asyncio.sleep(0.02)
            await self.rpc.call("evm_mine")

    @property
    def record(self):
        return self.folder / "deployment.json"

    def key(self, name):
        return key(f"{name} of {self.ledger_id}")

    def account(self, name):
        return self.key(name).address

    def open(
        self,
        journal=":memory:",
        *,
        confirmations=0,
        lanes=LANES,
        rpcs=None,
        plain_send=None,
        **settings,
    ):
        """A ledger as a process of its own would open it."""
        path = journal if journal == ":memory:" else self.folder / journal
        seals = SealJournal(":memory:")
        ledger = EthereumLedger(
            self.plan,
            rpcs or [EvmRpc(self.process.address)],
            EvmSettings(FinalityRule(confirmations=confirmations), **settings),
            TransactionJournal(path),
            HeaderSealer(self.deployment.chain_tag, [key("sealer")], seals),
            plain_send=plain_send,
        )
        ledger.first_height = self.first_height
        for name in lanes:
            ledger.add_lane(name, self.key(name))
        self.opened.append((ledger, seals))
        return ledger

    def pay(self, sender, recipient, amount):
        return MsgSend(self.account(sender), self.account(recipient), amount)

    def call(self, method, *parameters):
        return finish(self.rpc.call(method, *parameters))

    def mine(self, count=1):
        """Make blocks by hand, on anvil."""
        for _ in range(count):
            self.call("evm_mine")

    def height(self):
        return int(self.call("eth_blockNumber"), 16)

    def stop(self):
        for ledger, seals in self.opened:
            ledger.close()
            seals.close()
        self.rpc.close()
        self.process.stop()
        LOOP.run_until_complete(asyncio.sleep(0))


def settle(ledger, seconds=WAIT_S):
    """Wait until nothing of a ledger is under way; return the height."""
    end = time.monotonic() + seconds
    while not finish(ledger.is_idle()):
        assert time.monotonic() < end, "the ledger does not come to rest"
        time.sleep(0.01)
    return finish(ledger.latest_height())


def shown(ledger, start=0):
    """All that a ledger shows above a height: (height, hash, code) of each transaction."""
    found, cursor = [], start
    while blocks := finish(ledger.blocks_after(cursor)):
        found += [(one.height, tx.tx_hash, tx.code) for one in blocks for tx in one.transactions]
        cursor = blocks[-1].height
    return found
