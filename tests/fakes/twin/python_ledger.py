"""The Python contract, message by message: its own dispatch, without blocks and transactions."""

from __future__ import annotations

from collections.abc import Sequence

from fakes.microgrid import key
from fakes.twin.reply import Reply
from tieline.contract.assembly import microgrid_installation
from tieline.contract.context import Context, GasMeter, LedgerNames
from tieline.contract.errors import InvalidMessage
from tieline.contract.genesis import Genesis
from tieline.contract.genesis_state import CHAIN_TAG_KEY, write_genesis
from tieline.contract.store import IBC, STORES, TIELINE, TransactionStore
from tieline.light_clients.attestations.client import AttestationsClient
from tieline.protocol.errors import ProtocolError
from tieline.protocol.time import TimestampNanoseconds
from tieline.wire.errors import Malformed
from tieline.wire.ids import chain_tag
from tieline.wire.typed_data import domain_separator

GAS_MAX = 10**12
Stores = dict[str, dict[bytes, bytes]]


class PythonLedger:
    """Fits ``TwinHost``."""

    def __init__(self, genesis: Genesis, genesis_hash: bytes, now_s: int) -> None:
        installed = microgrid_installation((AttestationsClient(),))
        self._dispatch = installed.dispatch()
        self._rules = installed.rules_by_type()
        self.genesis = genesis
        self.now_s = now_s
        self.height = 1
        tag = chain_tag(genesis.kind, genesis.chain_id, genesis_hash, genesis.host_id)
        self._names = LedgerNames(
            genesis.chain_id,
            tag,
            genesis.network_id,
            domain_separator(genesis.network_id),
            genesis.cell_address,
            genesis.kind,
        )
        born = write_genesis(genesis, installed.genesis_writers)
        born[TIELINE].set(CHAIN_TAG_KEY, tag)
        self._flat: Stores = {
            name: {k: v for k, v in born[name].sorted_writes() if v is not None} for name in STORES
        }

    @property
    def chain_tag(self) -> bytes:
        """Tag of the ledger."""
        return self._names.chain_tag

    def run(self, sender: str, messages: Sequence[object]) -> Reply:
        """Run messages as one transaction; a breakdown is no answer and is raised."""
        gas = GasMeter(GAS_MAX)
        stores = {name: TransactionStore(self._flat[name], gas) for name in STORES}
        signer = key(sender).address
        ctx = Context(
            names=self._names,
            parameters=self.genesis.parameters,
            light_clients=self._rules,
            clock=lambda: TimestampNanoseconds(self.now_s * 10**9),
            ibc=stores[IBC],
            state=stores[TIELINE],
            gas=gas,
            signer=signer,
            signer_address=signer,
        )
        self.height += 1
        try:
            for message in messages:
                self._dispatch.run(ctx, message)
        except (ProtocolError, Malformed) as exc:
            refusal = InvalidMessage(str(exc)) if isinstance(exc, Malformed) else exc
            said = f"{type(refusal).__name__}: {refusal}"
            return Reply(f"{refusal.codespace}/{refusal.code}", said, gas_used=gas.used)
        for name, store in stores.items():
            for written, value in store.sorted_writes():
                if value is None:
                    self._flat[name].pop(written, None)
                else:
                    self._flat[name][written] = value
        return Reply(events=tuple(ctx.events), gas_used=gas.used)

    def scan(self, store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        """Return all pairs under a prefix, ascending."""
        pairs = self._flat[store].items()
        return sorted(pair for pair in pairs if pair[0].startswith(prefix))

    def get(self, store: str, wanted: bytes) -> bytes | None:
        """Return one value."""
        return self._flat[store].get(wanted)

    def save(self) -> tuple[Stores, int, int]:
        """Return a copy of everything."""
        return {name: dict(pairs) for name, pairs in self._flat.items()}, self.now_s, self.height

    def restore(self, place: object) -> None:
        """Go back to a copy."""
        assert isinstance(place, tuple)
        stores, self.now_s, self.height = place
        self._flat = {name: dict(pairs) for name, pairs in stores.items()}
