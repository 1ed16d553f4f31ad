"""Runs the transactions of one block, one after another, each all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tieline.contract import auth
from tieline.contract.context import Context, GasMeter, LedgerNames, Outcome
from tieline.contract.cosmos_form import responses_of
from tieline.contract.dispatch import Dispatch
from tieline.contract.errors import InvalidMessage
from tieline.contract.genesis import Parameters
from tieline.contract.results import Access, Sender, TxResult
from tieline.contract.store import IBC, STORES, TIELINE, Overlay, TransactionStore
from tieline.contract.turns import Turns
from tieline.protocol.client import LightClient
from tieline.protocol.errors import ProtocolError
from tieline.protocol.time import TimestampNanoseconds
from tieline.wire.errors import Malformed
from tieline.wire.keys import address_of

PANIC_CODESPACE = "undefined"
PANIC_CODE = 111_222
"""What the Cosmos SDK answers when a handler breaks down."""


def failure(
    exc: ProtocolError,
    gas: GasMeter | None = None,
    prefix: str = "",
    sender: Sender | None = None,
) -> TxResult:
    """Return the result of a refused transaction."""
    return TxResult(
        sender=sender,
        code=exc.code,
        codespace=exc.codespace,
        log=f"{prefix}{exc}",
        gas_wanted=gas.limit if gas else 0,
        gas_used=gas.used if gas else 0,
    )


@dataclass(slots=True)
class BlockRun:
    """One block under execution."""

    names: LedgerNames
    parameters: Parameters
    dispatch: Dispatch
    light_clients: Mapping[str, LightClient]
    turns: Turns
    clock: Callable[[], TimestampNanoseconds]
    overlays: dict[str, Overlay]
    admitted: dict[bytes, Sender]
    """Transactions whose signature was checked when they entered the mempool."""
    record_access: bool
    access: list[Access] = field(default_factory=list[Access])

    def execute(self, raw: bytes) -> TxResult:
        """Run one transaction; what it writes lands in the block's overlays, or nothing does."""
        try:
            sender = self._authenticated(raw)
        except ProtocolError as exc:
            self._remember({})
            return failure(exc)
        return self.run(sender, len(raw), GasMeter(sender.decoded.gas_limit))

    def run(self, sender: Sender, size: int, gas: GasMeter) -> TxResult:
        """Run an authenticated transaction of *size* bytes."""
        stores = {
            name: TransactionStore(self.overlays[name], gas, record_reads=self.record_access)
            for name in STORES
        }
        result = self._run(sender, size, gas, stores)
        for name, store in stores.items():
            store.flush(self.overlays[name])
        self._remember(stores)
        return result

    def _authenticated(self, raw: bytes) -> Sender:
        sender = self.admitted.pop(raw, None)
        if sender is None:
            decoded = auth.read_transaction(raw, self.parameters)
            names = self.names
            account = auth.require_signer(decoded, names.chain_id, names.cell_address)
            sender = Sender(decoded, account)
        self.turns.require(self.overlays[TIELINE], sender)
        return sender

    def _run(
        self, sender: Sender, size: int, gas: GasMeter, stores: dict[str, TransactionStore]
    ) -> TxResult:
        state, decoded, account = stores[TIELINE], sender.decoded, sender.account
        before = state.checkpoint()
        try:
            gas.charge(auth.ante_gas(size))
            self.turns.take(state, sender)
        except ProtocolError as exc:
            state.rollback(before)
            return failure(exc, gas)
        ctx = Context(
            names=self.names,
            parameters=self.parameters,
            light_clients=self.light_clients,
            clock=self.clock,
            ibc=stores[IBC],
            state=state,
            gas=gas,
            signer=account,
            signer_address=address_of(decoded.public_key),
        )
        mark = ctx.checkpoint()
        ends: list[tuple[Outcome, int]] = []
        refused = self._run_messages(ctx, sender, ends)
        if refused is not None:
            ctx.rollback(mark)
            return refused
        outcomes, told = zip(*ends, strict=True)
        return TxResult(
            gas_wanted=gas.limit,
            gas_used=gas.used,
            events=tuple(ctx.events),
            data=responses_of(decoded.messages, outcomes, ctx.events, told),
            sender=sender,
            events_after=told,
        )

    def _run_messages(
        self, ctx: Context, sender: Sender, ends: list[tuple[Outcome, int]]
    ) -> TxResult | None:
        """Run all; note how each ended, and after how many events. Return a refusal."""
        for index, message in enumerate(sender.decoded.messages):
            prefix = f"failed to execute message; message index: {index}: "
            try:
                ends.append((self.dispatch.run(ctx, message), len(ctx.events)))
            except ProtocolError as exc:
                return failure(exc, ctx.gas, prefix, sender)
            except Malformed as exc:
                return failure(InvalidMessage(str(exc)), ctx.gas, prefix, sender)
            except (MemoryError, RecursionError):
                raise  # depends on the machine: answering would part this one from the others
            except Exception as exc:  # noqa: BLE001 - one bad message must not halt a ledger
                log = f"{prefix}panic: {type(exc).__name__}: {exc}"
                return TxResult(
                    PANIC_CODE, PANIC_CODESPACE, log, ctx.gas.limit, ctx.gas.used, sender=sender
                )
        return None

    def _remember(self, stores: Mapping[str, TransactionStore]) -> None:
        if not self.record_access:
            return
        reads = frozenset(
            (name, key) for name, store in stores.items() for key in store.read_keys()
        )
        writes = frozenset(
            (name, key) for name, store in stores.items() for key in store.written_keys()
        )
        self.access.append(Access(reads, writes))
