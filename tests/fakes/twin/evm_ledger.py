"""
The contracts' byte code, message by message: on a bare EVM, deployed as an adapter deploys them,
called with the adapter's call data, and seen through the adapter's reading of their logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fakes.bare_evm import BareEvm, Called
from fakes.microgrid import key
from fakes.twin.parties import FUNDED, GENESIS_HASH, PARAMETERS, genesis_of
from fakes.twin.reply import Reply
from tieline.contract.genesis import Genesis, Parameters
from tieline.contract.twin.state import TwinOf, TwinState, TwinStore
from tieline.contract.twin.twin import Twin
from tieline.interfaces.errors import Rejected
from tieline.ledgers.ethereum.calls import build_call
from tieline.ledgers.ethereum.deployment import DeploymentPlan, plan_deployment
from tieline.ledgers.ethereum.refusals import read_refusal
from tieline.protocol.events import Event
from tieline.wire.evm.logs import Log, LoggedBlock, LoggedTransaction

DEPLOYER = b"\xde" * 20
SKIPPED = "packet_skipped"


class EvmLedger:
    """Fits ``TwinHost``."""

    def __init__(self, genesis: Genesis, plan: DeploymentPlan, evm: BareEvm) -> None:
        self.genesis = genesis
        self.evm = evm
        self.addresses = plan.addresses
        of = TwinOf(genesis, self._tag_of(plan), plan.addresses.host, plan.addresses.app)
        self.twin = Twin(of)
        for step in plan.steps:
            if step.to is None:
                evm.deploy(DEPLOYER, step.data)
                continue
            done = evm.call(DEPLOYER, step.to, step.data)
            assert done.is_success, f"{step.name}: {read_refusal(done.output, done.error)}"
            self._fold(done)
        self.now_s = evm.now_s

    @staticmethod
    def _tag_of(plan: DeploymentPlan) -> bytes:
        from tieline.wire.ids import chain_tag

        host_id = bytes(12) + plan.addresses.host
        return chain_tag("evm", str(plan.chain_id), plan.genesis_hash, host_id)

    @property
    def chain_tag(self) -> bytes:
        """Tag of the ledger."""
        return self.twin.state.of.chain_tag

    def run(self, sender: str, messages: Sequence[object]) -> Reply:
        """Run messages as one transaction of the adapter's making."""
        try:
            call = build_call(messages, self.twin.state, self.addresses)  # type: ignore[arg-type]
        except Rejected as exc:
            return Reply(f"{exc.codespace}/{exc.code}", f"adapter: {exc}")
        return self.send(sender, call.to, call.data)

    def send(self, sender: str, to: bytes, data: bytes, gas: int = 16_777_216) -> Reply:
        """Run call data as a transaction of a named key."""
        self.evm.now_s = self.now_s
        self.evm.height += 1
        done = self.evm.call(key(sender).address, to, data, gas)
        used = done.transaction_gas(data)
        if not done.is_success:
            refusal = read_refusal(done.output, done.error)
            return Reply(f"{refusal.codespace}/{refusal.code}", refusal.log, (), used)
        events = self._fold(done)
        skipped = [dict(event.attributes) for event in events if event.type == SKIPPED]
        if skipped:
            refusal = read_refusal(bytes.fromhex(skipped[0]["reason"]))
            return Reply(f"{refusal.codespace}/{refusal.code}", refusal.log, events, used)
        return Reply(events=events, gas_used=used)

    def _fold(self, done: Called) -> tuple[Event, ...]:
        logs = tuple(Log(one.address, one.topics, one.data) for one in done.logs)
        transaction = LoggedTransaction(bytes(32), 0, "", "", logs)
        block = LoggedBlock(self.evm.height, self.evm.now_s, (transaction,))
        return self.twin.fold(block).transactions[0].events

    def scan(self, store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        """Return all pairs under a prefix, as the adapter's index has them."""
        return self.twin.scan(store, prefix)

    def save(self) -> Any:
        """Return a place to go back to."""
        return self.evm.save(), copied(self.twin.state), self.now_s

    def restore(self, place: Any) -> None:
        """Go back."""
        state, index, self.now_s = place
        self.evm.restore(state)
        self.twin.state = copied(index)


def copied(state: TwinState) -> TwinState:
    """A copy that lives on its own."""
    return replace(
        state,
        ibc=TwinStore(state.ibc),
        trade=TwinStore(state.trade),
        sent=dict(state.sent),
        received=dict(state.received),
        fills=dict(state.fills),
        bonds=dict(state.bonds),
        events=[],
    )


def deploy(
    cell_names: tuple[str, ...],
    now_s: int,
    chain_id: int = 7_000_001,
    funded: tuple[str, ...] = FUNDED,
    parameters: Parameters = PARAMETERS,
) -> EvmLedger:
    """Put a ledger's contracts on a bare EVM."""
    evm = BareEvm(now_s, chain_id)
    blind = genesis_of(chain_id, bytes(20), cell_names, funded, parameters)
    host = plan_deployment(blind, chain_id, GENESIS_HASH, DEPLOYER).addresses.host
    genesis = genesis_of(chain_id, host, cell_names, funded, parameters)
    return EvmLedger(genesis, plan_deployment(genesis, chain_id, GENESIS_HASH, DEPLOYER), evm)
