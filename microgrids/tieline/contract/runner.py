"""Runs the transactions of one block, one after another, each all or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tieline.contract import accounts, auth
from tieline.contract.context import Context, GasMeter, LedgerNames
from tieline.contract.dispatch import Dispatch
from tieline.contract.errors import InvalidMessage
from tieline.contract.genesis import Parameters
from tieline.contract.limits import SIGNATURE_GAS, TX_BYTE_GAS
from tieline.contract.results import Access, TxResult
from tieline.contract.store import IBC, STORES, TIELINE, Overlay, TransactionStore
from tieline.protocol.client import LightClient
from tieline.protocol.errors import ProtocolError
from tieline.protocol.time import TimestampNanoseconds
from tieline.wire.codec import DecodedTransaction
from tieline.wire.errors import Malformed
from tieline.wire.keys import address_of

PANIC_CODESPACE = "undefined"
PANIC_CODE = 111_222
"""What the Cosmos SDK answers when a handler breaks down."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A transaction whose signature was checked when it entered the mempool."""

    decoded: DecodedTransaction
    account: bytes


def failure(exc: ProtocolError, gas: GasMeter | None = None, prefix: str = "") -> TxResult:
    """Return the result of a refused transaction."""
    return TxResult(
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
    height: int
    now_ns: TimestampNanoseconds
    overlays: dict[str, Overlay]
    admitted: dict[bytes, Admitted]
    record_access: bool
    access: list[Access] = field(default_factory=list[Access])

    def execute(self, raw: bytes) -> TxResult:
        """Run one transaction; what it writes lands in the block's overlays, or nothing does."""
        try:
            decoded, account = self._authenticated(raw)
        except ProtocolError as exc:
            self._remember({})
            return failure(exc)
        gas = GasMeter(decoded.gas_limit)
        stores = {
            name: TransactionStore(self.overlays[name], gas, record_reads=self.record_access)
            for name in STORES
        }
        result = self._run(decoded, account, len(raw), gas, stores)
        for name, store in stores.items():
            store.flush(self.overlays[name])
        self._remember(stores)
        return result

    def _authenticated(self, raw: bytes) -> tuple[DecodedTransaction, bytes]:
        known = self.admitted.pop(raw, None)
        if known is not None:
            decoded, account = known.decoded, known.account
        else:
            decoded = auth.read_transaction(raw, self.parameters)
            account = auth.require_signer(decoded, self.names.chain_id)
        auth.require_height(decoded, self.height)
        auth.require_turn(self.overlays[TIELINE], account, decoded)
        return decoded, account

    def _run(
        self,
        decoded: DecodedTransaction,
        account: bytes,
        size: int,
        gas: GasMeter,
        stores: dict[str, TransactionStore],
    ) -> TxResult:
        state = stores[TIELINE]
        try:
            gas.charge(size * TX_BYTE_GAS + SIGNATURE_GAS)
            accounts.set_next_sequence(state, account, decoded.sequence + 1)
        except ProtocolError as exc:
            return failure(exc, gas)
        ctx = Context(
            names=self.names,
            parameters=self.parameters,
            light_clients=self.light_clients,
            height=self.height,
            now_ns=self.now_ns,
            ibc=stores[IBC],
            state=state,
            gas=gas,
            signer=account,
            signer_address=address_of(decoded.public_key),
        )
        mark = ctx.checkpoint()
        refused = self._run_messages(ctx, decoded)
        if refused is not None:
            ctx.rollback(mark)
            return refused
        return TxResult(gas_wanted=gas.limit, gas_used=gas.used, events=tuple(ctx.events))

    def _run_messages(self, ctx: Context, decoded: DecodedTransaction) -> TxResult | None:
        for index, message in enumerate(decoded.messages):
            prefix = f"failed to execute message; message index: {index}: "
            try:
                self.dispatch.run(ctx, message)
            except ProtocolError as exc:
                return failure(exc, ctx.gas, prefix)
            except Malformed as exc:
                return failure(InvalidMessage(str(exc)), ctx.gas, prefix)
            except (MemoryError, RecursionError):
                raise  # depends on the machine: answering would part this one from the others
            except Exception as exc:  # noqa: BLE001 - one bad message must not halt a ledger
                log = f"{prefix}panic: {type(exc).__name__}: {exc}"
                return TxResult(PANIC_CODE, PANIC_CODESPACE, log, ctx.gas.limit, ctx.gas.used)
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
