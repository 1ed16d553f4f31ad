"""
The contract as a machine: blocks of transactions in, results and an app hash out. Hosts
(CometBFT, Fabric, the embedded ledgers) and the audit drive the same object.

A block is finalised from the committed state, as often as consensus asks; only ``commit`` makes
it permanent. A refused transaction leaves nothing but its signer's next sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from tieline.contract import accounts, auth, fees
from tieline.contract.assembly import microgrid_installation, microgrid_light_clients
from tieline.contract.context import GasMeter
from tieline.contract.errors import InvalidMessage, InvalidPublicKey, UnknownMessage
from tieline.contract.fees import GasPrice
from tieline.contract.genesis import Genesis
from tieline.contract.genesis_state import CHAIN_TAG_KEY, GENESIS_KEY, write_genesis
from tieline.contract.installation import Installation
from tieline.contract.limits import ADMITTED_MAX
from tieline.contract.multistore import MultiStore
from tieline.contract.naming import chain_tag_of, ledger_names
from tieline.contract.results import Access, BlockInput, BlockResult, Sender, TxResult
from tieline.contract.runner import BlockRun, failure
from tieline.contract.state_tree import StateTree
from tieline.contract.store import STORES, TIELINE, Overlay
from tieline.contract.turns import AccountTurns
from tieline.protocol.client import LightClient
from tieline.protocol.errors import ProtocolError
from tieline.protocol.time import TimestampNanoseconds
from tieline.wire.codec import DecodedTransaction
from tieline.wire.errors import Malformed
from tieline.wire.keys import address_of


@dataclass(frozen=True, slots=True)
class Kept:
    """What a host stored of the last committed block, to open the ledger there again."""

    time_ns: int
    stores: dict[str, dict[bytes, bytes]]
    """All pairs of every store; the tree that is given must hold the same."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """A finalised block that waits for its commit."""

    height: int
    time_ns: int
    chain_tag: bytes
    app_hash: bytes
    writes: dict[str, list[tuple[bytes, bytes | None]]]


class Application:
    """One microgrid's ledger state and its rules."""

    def __init__(
        self,
        genesis: Genesis,
        *,
        tree: StateTree | None = None,
        kept: Kept | None = None,
        installation: Installation | None = None,
        record_access: bool = False,
    ) -> None:
        """
        Open the ledger at height 0 with what genesis gives, or where it was kept.

        Args:
            genesis: The ledger's birth.
            tree: Commits the stores; an IAVL multistore unless given. Empty, or as *kept* says.
            kept: The state after the last block; a new ledger unless given.
            installation: Applications and light clients; the microgrid's own unless given.
            record_access: Keep which keys each transaction of the last block read and wrote.

        Raises:
            ValueError: What was kept is another ledger's.
        """
        self.genesis = genesis
        self.last_access: tuple[Access, ...] = ()
        self._tree: StateTree = MultiStore(STORES) if tree is None else tree
        installed = installation or microgrid_installation(microgrid_light_clients(genesis))
        self._dispatch = installed.dispatch()
        self._rules = installed.rules_by_type()
        self._record_access = record_access
        self._height = 0
        self._time_ns = 0
        self._chain_tag = b""
        self._app_hash = sha256(b"").digest()
        self._pending: _Pending | None = None
        self._check_sequences: dict[bytes, int] = {}
        self._check_fees: dict[bytes, int] = {}
        """What transactions that wait for a block pay, by account."""
        self._admitted: dict[bytes, Sender] = {}
        born = write_genesis(genesis, installed.genesis_writers)
        self._genesis_writes = {name: overlay.sorted_writes() for name, overlay in born.items()}
        self._flat: dict[str, dict[bytes, bytes]] = {name: {} for name in STORES}
        if kept is None:
            self._apply_flat(self._genesis_writes)
        else:
            self._take_up(kept)

    @property
    def height(self) -> int:
        """The last committed height; 0 before the first block."""
        return self._height

    @property
    def app_hash(self) -> bytes:
        """Root after the last committed block; sha256 of nothing before the first."""
        return self._app_hash

    @property
    def light_clients(self) -> Mapping[str, LightClient]:
        """The rules by which this ledger believes others, by client type."""
        return self._rules

    @property
    def chain_tag(self) -> bytes:
        """
        The 32 bytes that name this ledger; it is known once block 1 is committed.

        Raises:
            LookupError: There is no block yet.
        """
        if not self._chain_tag:
            message = "the chain tag is known after block 1"
            raise LookupError(message)
        return self._chain_tag

    def check_transaction(self, raw: bytes, least: GasPrice | None = None) -> TxResult:
        """
        Say whether a transaction may enter the mempool: everything but its messages.

        Args:
            raw: TxRaw.
            least: What this peer asks for; a setting of the peer, so no rule of blocks.
        """
        state = self._flat[TIELINE]
        try:
            known = self._admitted.get(raw)
            decoded = known.decoded if known else self._read(raw)
            auth.require_gas(decoded, len(raw))
            auth.require_height(decoded, self._height + 1)
            if least is not None:
                least.require(decoded.fee, decoded.gas_limit)
            account = known.account if known else self._admit(raw, decoded)
            expected = self._check_sequences.get(account)
            auth.require_turn(state, account, decoded, expected=expected)
            waiting = self._check_fees.get(account, 0)
            due = fees.require_payable(state, account, decoded.fee, waiting) if decoded.fee else 0
        except ProtocolError as exc:
            return failure(exc)
        self._check_sequences[account] = decoded.sequence + 1
        if due:
            self._check_fees[account] = waiting + due
        return TxResult(gas_wanted=decoded.gas_limit)

    def simulate(self, raw: bytes) -> TxResult:
        """
        Run a transaction on the committed state and forget it: what it would cost and tell.

        Its signature is not looked at, and gas is bounded by the ledger's own limit only.
        """
        parameters = self.genesis.parameters
        try:
            decoded = auth.read_transaction(raw, parameters, is_signed=False)
            account = auth.require_signer(
                decoded, self.genesis.chain_id, self.genesis.cell_address, is_signed=False
            )
            address_of(decoded.public_key)
            auth.require_turn(self._flat[TIELINE], account, decoded)
        except ProtocolError as exc:
            return failure(exc)
        except Malformed as exc:  # a key that is no point of the curve could sign nothing
            return failure(InvalidPublicKey(str(exc)))
        run = self._block_run(
            BlockInput(self._height + 1, self._time_ns, b"", ()),
            self._chain_tag,
            {name: Overlay(self._flat[name]) for name in STORES},
        )
        return run.run(Sender(decoded, account), len(raw), GasMeter(parameters.tx_gas_max))

    def _read(self, raw: bytes) -> DecodedTransaction:
        decoded = auth.read_transaction(raw, self.genesis.parameters)
        for message in decoded.messages:
            if not self._dispatch.takes(message):
                raise UnknownMessage(f"no message handler found for {type(message).__name__}")
        return decoded

    def _admit(self, raw: bytes, decoded: DecodedTransaction) -> bytes:
        """Return the signer, whose signature need not be looked at again."""
        genesis = self.genesis
        account = auth.require_signer(decoded, genesis.chain_id, genesis.cell_address)
        if len(self._admitted) >= ADMITTED_MAX:
            self._admitted.clear()
        self._admitted[raw] = Sender(decoded, account)
        return account

    def finalize_block(self, block: BlockInput) -> BlockResult:
        """
        Execute a block from the committed state. Repeating it forgets the earlier attempt.

        Raises:
            ValueError: Height, time or header hash cannot follow the last block.
        """
        self._require_next(block)
        self._tree.rollback()
        first = block.height == 1
        chain_tag = chain_tag_of(self.genesis, block.header_hash) if first else self._chain_tag
        overlays = {name: Overlay(self._flat[name]) for name in STORES}
        if first:
            overlays[TIELINE].set(CHAIN_TAG_KEY, chain_tag)
        run = self._block_run(block, chain_tag, overlays)
        results = tuple(_too_early() if first else run.execute(raw) for raw in block.transactions)
        self.last_access = tuple(run.access)
        writes = {name: overlay.sorted_writes() for name, overlay in overlays.items()}
        if first:
            self._apply_tree(self._genesis_writes)
        self._apply_tree(writes)
        app_hash = self._tree.app_hash()
        self._pending = _Pending(block.height, block.time_ns, chain_tag, app_hash, writes)
        return BlockResult(results, app_hash)

    def commit(self) -> None:
        """Make the finalised block permanent. Raises LookupError if there is none."""
        pending = self._pending
        if pending is None:
            message = "no finalised block to commit"
            raise LookupError(message)
        root = self._tree.commit()
        assert root == pending.app_hash, "the tree changed between finalise and commit"
        self._apply_flat(pending.writes)
        self._height = pending.height
        self._time_ns = pending.time_ns
        self._chain_tag = pending.chain_tag
        self._app_hash = pending.app_hash
        self._pending = None
        self._check_sequences.clear()
        self._check_fees.clear()

    @property
    def time_ns(self) -> int:
        """Time of the last committed block; 0 before the first."""
        return self._time_ns

    def query(self, store: str, key: bytes) -> bytes | None:
        """Return a committed value, unproved. Raises KeyError for an unknown store."""
        return self._flat[store].get(key)

    def scan(self, store: str, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """Return all committed pairs under *prefix*, ascending. Walks the whole store."""
        pairs = self._flat[store].items()
        return sorted(pair for pair in pairs if pair[0].startswith(prefix))

    def prove(self, store: str, key: bytes, height: int) -> bytes:
        """
        Return an ICS-23 merkle proof of two levels under the app hash of block *height*.

        Raises:
            KeyError: That height is not kept.
        """
        return self._tree.prove(store, key, height)

    def account(self, account: bytes) -> tuple[int, int]:
        """Return account number and next sequence, as transactions must carry them."""
        return auth.ACCOUNT_NUMBER, accounts.next_sequence(self._flat[TIELINE], account)

    def _take_up(self, kept: Kept) -> None:
        if kept.stores[TIELINE].get(GENESIS_KEY) != self.genesis.to_bytes():
            message = f"the kept state is of another genesis than {self.genesis.chain_id}"
            raise ValueError(message)
        self._flat = kept.stores
        self._height = self._tree.version
        self._time_ns = kept.time_ns
        self._chain_tag = kept.stores[TIELINE][CHAIN_TAG_KEY]
        self._app_hash = self._tree.app_hash()

    def _block_run(
        self, block: BlockInput, chain_tag: bytes, overlays: dict[str, Overlay]
    ) -> BlockRun:
        return BlockRun(
            names=ledger_names(self.genesis, chain_tag),
            parameters=self.genesis.parameters,
            dispatch=self._dispatch,
            light_clients=self._rules,
            turns=AccountTurns(block.height),
            clock=lambda: TimestampNanoseconds(block.time_ns),
            overlays=overlays,
            admitted=self._admitted,
            record_access=self._record_access,
        )

    def _require_next(self, block: BlockInput) -> None:
        if block.height != self._height + 1:
            message = f"height does not follow: expected={self._height + 1} got={block.height}"
            raise ValueError(message)
        if block.time_ns < self._time_ns:
            message = f"time runs backwards: last={self._time_ns} got={block.time_ns}"
            raise ValueError(message)
        if len(block.header_hash) != 32:
            message = f"header hash must have 32 bytes: got {len(block.header_hash)}"
            raise ValueError(message)

    def _apply_flat(self, writes: dict[str, list[tuple[bytes, bytes | None]]]) -> None:
        for name, pairs in writes.items():
            values = self._flat[name]
            for key, value in pairs:
                if value is None:
                    values.pop(key, None)
                else:
                    values[key] = value

    def _apply_tree(self, writes: dict[str, list[tuple[bytes, bytes | None]]]) -> None:
        for name in sorted(writes):
            for key, value in writes[name]:
                if value is None:
                    self._tree.remove(name, key)
                else:
                    self._tree.set(name, key, value)


def _too_early() -> TxResult:
    return failure(InvalidMessage("no transactions before height 2: the chain tag is not known"))
