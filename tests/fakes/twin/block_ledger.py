"""
Ledger x as the embedded EVM runs it: signed transactions in real blocks. For what bare messages
cannot show: gas limits, nonces, receipts, who may send what.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from eth.constants import GENESIS_PARENT_HASH

from fakes.microgrid import key
from fakes.twin.evm_ledger import copied
from fakes.twin.parties import FUNDED, PARAMETERS, genesis_of
from fakes.twin.reply import Reply
from tieline.contract.genesis import Parameters
from tieline.interfaces.errors import Rejected
from tieline.ledgers.ethereum.embedded import MAX_FEE_WEI, EmbeddedEthereum
from tieline.wire.evm.transactions import EvmTransaction

CHAIN_ID = 7
SKIPPED = "packet_skipped"


class BlockLedger:
    """Fits ``TwinHost``; every transaction is a block of its own, at ``now_s`` if time allows."""

    def __init__(
        self,
        cell_names: tuple[str, ...],
        now_s: int,
        parameters: Parameters = PARAMETERS,
        artifacts: Any = None,
    ) -> None:
        genesis = genesis_of(CHAIN_ID, bytes(20), cell_names, FUNDED, parameters)
        sealers = [key("sealer of x")]
        self.ledger = EmbeddedEthereum(genesis, key("deployer of x"), sealers, artifacts=artifacts)
        self.ledger.resume()
        for name in FUNDED:
            self.ledger.add_lane(name, key(name))
        self.now_s = now_s
        self.ledger.produce_block(now_s - 1, is_deadline=True)
        self.addresses = self.ledger.deployment.addresses

    @property
    def chain_tag(self) -> bytes:
        """Tag of the ledger."""
        return self.ledger.chain_tag

    @property
    def chain(self) -> Any:
        """The chain below."""
        return self.ledger._chain

    def run(self, sender: str, messages: Sequence[object]) -> Reply:
        """Submit messages as one transaction of a lane, and make its block."""
        try:
            asyncio.run(self.ledger.submit(sender, messages))  # type: ignore[arg-type]
        except Rejected as exc:
            return Reply(f"{exc.codespace}/{exc.code}", f"adapter: {exc}")
        return self._block()

    def call(self, sender: str, to: bytes, data: bytes, gas: int = 16_000_000) -> Reply:
        """Send call data that no adapter would make."""
        who = key(sender)
        chain_id = self.ledger.deployment.chain_id
        nonce = self.chain.nonce(who.address)
        raw = EvmTransaction(chain_id, nonce, gas, MAX_FEE_WEI, 0, to, data).sign(who)
        self.chain.check(raw)
        self.ledger._pending.append((who.address, raw))
        return self._block()

    def create(self, sender: str, code: bytes) -> bytes:
        """Deploy a contract and return its address."""
        from tieline.ledgers.ethereum.deployment import created_address

        who = key(sender)
        nonce = self.chain.nonce(who.address)
        chain_id = self.ledger.deployment.chain_id
        raw = EvmTransaction(chain_id, nonce, 16_000_000, MAX_FEE_WEI, 0, None, code).sign(who)
        self.ledger._pending.append((who.address, raw))
        reply = self._block()
        assert reply.is_accepted, reply.detail
        return created_address(who.address, nonce)

    def _block(self) -> Reply:
        time_s = max(self.now_s, self.chain.time_s + 1)
        assert self.ledger.produce_block(time_s)
        told = self.ledger._events[-1].transactions[-1]
        if told.code:
            return Reply(f"{told.codespace}/{told.code}", told.log)
        skipped = [event for event in told.events if event.type == SKIPPED]
        if skipped:
            from tieline.ledgers.ethereum.refusals import read_refusal

            reason = read_refusal(bytes.fromhex(dict(skipped[0].attributes)["reason"]))
            return Reply(f"{reason.codespace}/{reason.code}", reason.log, tuple(told.events))
        return Reply(events=tuple(told.events))

    def scan(self, store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        """Return all pairs under a prefix, as the adapter's index has them."""
        return self.ledger.twin.scan(store, prefix)

    def save(self) -> Any:
        """Return a place to go back to."""
        grown = [_lists_of(one) for one in (self.chain, self.ledger)]
        return (
            self.chain._chain.get_canonical_head(),
            grown,
            copied(self.ledger.twin.state),
            self.now_s,
        )

    def restore(self, place: Any) -> None:
        """Go back, or to another end: every block that ever was lies in the chain's database."""
        head, grown, state, self.now_s = place
        chain = self.chain._chain
        chain.chaindb._set_as_canonical_chain_head(chain.chaindb.db, head, GENESIS_PARENT_HASH)
        chain.header = chain.create_header_from_parent(head)
        for one, lists in zip((self.chain, self.ledger), grown, strict=True):
            for name, kept in lists.items():
                getattr(one, name)[:] = kept
        self.ledger.twin.state = copied(state)


def _lists_of(one: object) -> dict[str, list[Any]]:
    """What grows with every block."""
    return {name: list(value) for name, value in vars(one).items() if isinstance(value, list)}
