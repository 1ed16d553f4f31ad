"""
A Fabric ledger's history made again: every transaction judged as peers judge it, every valid one
run once more by the contract on the state that it found.

Nobody signs what is valid, so it is worked out here: policies, ids, versions. What a valid one
wrote must be what our chaincode writes, in the audit's own process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tieline.audit.fabric_chain import FabricChain, OrderedBlock
from tieline.audit.fabric_state import BlockWrites, ChannelState, SimulatedOn, commit_hash
from tieline.audit.fabric_validity import (
    claimed_id,
    code_before_reads,
    code_of_reads,
    is_plain,
)
from tieline.audit.findings import Check, Findings, Place
from tieline.audit.ledger_history import (
    FabricHeader,
    LedgerEvent,
    LedgerHistory,
    issued_pay,
    money_holds,
)
from tieline.contract.books import audit_books
from tieline.contract.chaincode import Chaincode
from tieline.contract.store import TIELINE
from tieline.wire.errors import Malformed
from tieline.wire.fabric.invocations import (
    CHAINCODE_NAME,
    CLOCK_KEY,
    EVENT_NAME,
    Function,
    decode_events,
    decode_number,
    init_args,
)
from tieline.wire.fabric.lifecycle import LIFECYCLE, sequence_key
from tieline.wire.fabric.rwsets import Version
from tieline.wire.fabric.transactions import DUPLICATE_TXID, VALID, EndorserTransaction
from tieline.wire.hashes import sha256

BOOKS_EVERY = 64
"""Blocks between two looks at all accounts: each look walks the whole state."""

_TICK = Function.TICK.encode()
_SUBMIT = Function.SUBMIT.encode()
_DEFINED_BY = sequence_key(CHAINCODE_NAME)

Tell = Callable[[int, int], None]
"""Told blocks done and blocks in all."""


def run_again(chain: FabricChain, findings: Findings, tell: Tell) -> LedgerHistory | None:
    """
    Judge and run all transactions of *chain*.

    Args:
        chain: Checked by ``check_fabric_chain``.
        findings: Takes the first block that comes to something else than its peers say.
        tell: Progress.

    Returns:
        The ledger at its end; None if a finding says why there is none.
    """
    run = _Run(chain, findings)
    total = len(chain.blocks)
    for block in chain.blocks:
        if not run.take(block):
            return None
        number = block.header.number
        place = Place(chain.genesis.chain_id, number)
        is_due = number % BOOKS_EVERY == 0 or number == total
        if (
            is_due
            and run.is_begun
            and not money_holds(place, run.scan, issued_pay(chain.genesis), findings)
        ):
            return None
        tell(number, total)
    if not run.is_begun:
        place = Place(chain.genesis.chain_id, total)
        findings.refuse(place, Check.STATE, "Init", "one that is valid", "none")
        return None
    return LedgerHistory(
        genesis=chain.genesis,
        state=run.state,
        chain_tag=chain.chain_tag,
        state_root=run.commit_hash,
        headers=tuple(run.headers),
        events=tuple(run.events),
        transaction_count=sum(run.counts),
        failed_count=run.counts[1],
        books=audit_books(run.scan),
    )


@dataclass(slots=True)
class _Run:
    """The state of a channel after some of its blocks."""

    chain: FabricChain
    findings: Findings
    state: ChannelState = field(default_factory=ChannelState)
    commit_hash: bytes = b""
    headers: list[FabricHeader] = field(default_factory=list[FabricHeader])
    events: list[LedgerEvent] = field(default_factory=list[LedgerEvent])
    counts: list[int] = field(default_factory=lambda: [0, 0])
    """Transactions of our contract that took effect, and that did not."""
    is_begun: bool = False
    _seen: set[str] = field(default_factory=set[str])
    _chaincode: Chaincode = field(init=False)

    def __post_init__(self) -> None:
        """Deploy our chaincode for the ledger's genesis, and no other."""
        self._chaincode = Chaincode(sha256(self.chain.genesis.to_bytes()))

    def scan(self, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """Return all pairs of store ``tieline`` under *prefix*."""
        return self.state.scan(TIELINE, prefix)

    def take(self, block: OrderedBlock) -> bool:
        """Judge and run one block; say whether it is what its peers say."""
        place = Place(self.chain.genesis.chain_id, block.header.number)
        writes, has_tick = BlockWrites(), False
        here: set[str] = set()
        for index, transaction in enumerate(block.transactions):
            if transaction is None:
                if not self._unread(place, block, index):
                    return False
                continue
            code = code_before_reads(block, transaction, self.chain.channel, self.state, self._seen)
            if code == VALID and transaction.tx_id in here:
                code = DUPLICATE_TXID
            sets = transaction.opened.content.sets
            if code == VALID:
                here.add(transaction.tx_id)
                code = code_of_reads(sets, self.state, writes)
            rule = f"code of transaction {index}"
            if not self.findings.expect(place, Check.STATE, rule, code, block.codes[index]):
                return False
            if transaction.chaincode == CHAINCODE_NAME:
                self._count(transaction, is_valid=code == VALID)
            if code == VALID:
                if not self._runs_as_written(place, index, transaction, writes):
                    return False
                has_tick |= transaction.opened.args[:1] == (_TICK,)
                writes.take(sets.namespaces, Version(block.header.number, index))
        self._seen |= {claimed_id(raw) for raw in block.envelopes}
        self.state.apply(writes)
        self.commit_hash = commit_hash(block.codes, writes, self.commit_hash)
        self.headers.append(
            FabricHeader(self._clock_s(), block.header.hash(), is_provable=has_tick)
        )
        return self.findings.expect(
            place, Check.STATE, "commit hash", self.commit_hash, block.commit_hash
        )

    def _unread(self, place: Place, block: OrderedBlock, index: int) -> bool:
        """A configuration is valid; what no peer can read is not."""
        code = block.codes[index]
        return self.findings.require(
            place,
            Check.STATE,
            f"code of transaction {index}",
            holds=(code == VALID) is block.is_config,
            expected="valid" if block.is_config else "not valid",
            found=code,
        )

    def _count(self, transaction: EndorserTransaction, *, is_valid: bool) -> None:
        if transaction.opened.args[:1] == (_SUBMIT,):
            self.counts[0 if is_valid else 1] += 1

    def _clock_s(self) -> int:
        value = self.state.value(CHAINCODE_NAME, CLOCK_KEY)
        return decode_number(value) if value else 0

    def _runs_as_written(
        self, place: Place, index: int, transaction: EndorserTransaction, writes: BlockWrites
    ) -> bool:
        """Run a valid transaction and compare; of ``_lifecycle`` only what it may touch."""
        content = transaction.opened.content
        name = f"transaction {index}"
        if not self.findings.require(
            place,
            Check.STATE,
            f"{name}: plain reads and writes",
            holds=is_plain(content.sets),
            expected="no private data, no metadata of keys, no ranges",
            found=transaction.tx_id,
        ):
            return False
        if transaction.chaincode == LIFECYCLE:
            # Fabric also looks whether the older lscc knows the name, and writes nothing there.
            written = {one.namespace for one in content.sets.namespaces if one.writes}
            elsewhere = written - {LIFECYCLE}
            return self.findings.expect(
                place, Check.STATE, f"{name}: writes elsewhere", set[str](), elsewhere
            )
        if not self.findings.expect(
            place, Check.STATE, f"{name}: chaincode", CHAINCODE_NAME, transaction.chaincode
        ):
            return False
        return self._is_ours(place, name, transaction, writes)

    def _is_ours(
        self, place: Place, name: str, transaction: EndorserTransaction, writes: BlockWrites
    ) -> bool:
        content, args = transaction.opened.content, transaction.opened.args
        shown = SimulatedOn(self.state, writes)
        done = self._chaincode.invoke(args, shown, lambda: _tick_of(args))
        own = content.sets.of(CHAINCODE_NAME)
        event = content.event
        defined = [read.key for read in content.sets.of(LIFECYCLE).reads]
        touched = {one.namespace for one in content.sets.namespaces} - {CHAINCODE_NAME, LIFECYCLE}
        holds = True
        for rule, expected, found in (
            ("answer", (done.status, done.message, done.payload), _answer(transaction)),
            (
                "writes",
                done.writes,
                tuple((w.key, None if w.is_deletion else w.value) for w in own.writes),
            ),
            ("reads", sorted(shown.read), sorted(read.key for read in own.reads)),
            ("event", done.event, b"" if event is None else event.payload),
            ("name of the event", EVENT_NAME if done.event else None, event and event.name),
            ("reads of the definition", [_DEFINED_BY], defined),
            ("other namespaces", set[str](), touched),
        ):
            holds &= self.findings.expect(place, Check.STATE, f"{name}: {rule}", expected, found)
        if not holds:
            return False
        if args[:1] == (Function.INIT.encode(),):
            born = init_args(self.chain.genesis.to_bytes(), self.chain.block_0.hash())
            self.is_begun = True
            return self.findings.expect(place, Check.STATE, f"{name}: genesis", born, args)
        self.events.extend(LedgerEvent(place.height, one) for one in decode_events(done.event))
        return True


def _tick_of(args: tuple[bytes, ...]) -> int:
    """Return the time that a Tick asks for: what clocks showed then, nobody wrote down."""
    try:
        return decode_number(args[1])
    except (Malformed, IndexError):
        return 0


def _answer(transaction: EndorserTransaction) -> tuple[int, str, bytes]:
    response = transaction.opened.content.response
    return response.status, response.message, response.payload
