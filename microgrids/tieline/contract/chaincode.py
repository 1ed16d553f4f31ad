"""
The contract as Fabric chaincode: arguments and committed state in, a response and writes out. The
same object runs behind a peer's shim, in the embedded peers, in the audit.

Every function that writes keeps a marker, so it runs once, and one key a transaction says that it
was valid. Nothing here is written by all transactions.

Sources:
    ``docs/spec/trust.md`` 4; ``docs/adr/0042-contract-as-chaincode.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tieline.contract.auth import read_transaction, require_signer
from tieline.contract.chaincode_clock import prove_absence, tick
from tieline.contract.chaincode_errors import AlreadyExecuted
from tieline.contract.chaincode_genesis import (
    STORED_CHAIN_TAG,
    STORED_GENESIS,
    OpenedLedger,
    StoredGenesis,
)
from tieline.contract.chaincode_state import Answer, ShownState, StateReader, physical_writes
from tieline.contract.errors import InvalidMessage, UnknownMessage
from tieline.contract.foreseen import foresee
from tieline.contract.installation import Installation
from tieline.contract.limits import READ_BACK_KEYS_MAX
from tieline.contract.results import Sender
from tieline.contract.runner import BlockRun
from tieline.contract.store import STORES
from tieline.contract.turns import MarkedTurns
from tieline.protocol.errors import ProtocolError
from tieline.wire.canonical_json import canonical
from tieline.wire.errors import Malformed
from tieline.wire.fabric.invocations import (
    CHAINCODE_NAME,
    CLOCK_KEY,
    STATUS_OK,
    STATUS_REFUSED,
    Function,
    InvocationRefusal,
    ReadBackAnswer,
    encode_events,
    encode_read_back,
    encode_refusal,
    invocation_hash,
    is_physical_key,
    marker_key,
    marker_value,
    physical_key,
)

__all__ = ["Chaincode", "ChaincodeVersion", "Invocation", "StateReader"]

CHAINCODE_VERSION: Final = 1
"""Rises with every change of what the same invocation comes to."""


_READING = frozenset({Function.READ_BACK, Function.QUERY, Function.VERSION})
_READ_FIRST: Final = {
    Function.INIT: (STORED_GENESIS,),
    Function.SUBMIT: (STORED_GENESIS, STORED_CHAIN_TAG),
    Function.TICK: (STORED_GENESIS, CLOCK_KEY),
    Function.PROVE_ABSENCE: (STORED_GENESIS, CLOCK_KEY),
}
"""What each function that writes reads beside its marker, whatever its arguments."""
_NAME_SHOWN_MAX = 64


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What was found out of a transaction before the state was looked at."""

    ledger: OpenedLedger | None
    """By whose rules; None: by none."""
    admitted: dict[bytes, Sender]


@dataclass(frozen=True, slots=True)
class ChaincodeVersion:
    """What Version answers, as canonical JSON."""

    chaincode: str
    version: int
    genesis: str
    """Hex of the sha256 of the genesis it was deployed for; empty: it takes any."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What one invocation came to."""

    status: int
    """200, or 500 for a refusal."""
    message: str = ""
    """Empty, or the refusal as ``wire.fabric.invocations.encode_refusal`` writes it."""
    payload: bytes = b""
    event: bytes = b""
    """Payload of the chaincode event ``tieline``; empty: the transaction has none."""
    writes: tuple[tuple[str, bytes | None], ...] = ()
    """Ascending by physical key; None deletes. Nothing if refused."""

    @property
    def is_ok(self) -> bool:
        """Whether it may be endorsed."""
        return self.status == STATUS_OK


class Chaincode:
    """Our chaincode of one channel. It keeps nothing but what follows from the stored genesis."""

    def __init__(
        self,
        expected_genesis_sha256: bytes | None = None,
        installation: Installation | None = None,
    ) -> None:
        """
        Make a chaincode; invocations may run side by side.

        Args:
            expected_genesis_sha256: The only genesis that Init takes; any if None.
            installation: Applications and light clients; the microgrid's own unless given.
        """
        self._genesis = StoredGenesis(expected_genesis_sha256, installation)
        genesis = "" if expected_genesis_sha256 is None else expected_genesis_sha256.hex()
        self._version = ChaincodeVersion(CHAINCODE_NAME, CHAINCODE_VERSION, genesis)

    def invoke(
        self, args: Sequence[bytes], state: StateReader, wall_s: Callable[[], int]
    ) -> Invocation:
        """
        Run one invocation. The same arguments and state give the same bytes, in any process.

        Args:
            args: The function's name and its arguments.
            state: Committed state; what it raises is raised here.
            wall_s: The endorser's own clock, unix seconds; only Tick asks, and only to refuse.

        Returns:
            Status 200, or 500 with the reason and no writes, whatever *args* hold.
        """
        shown = ShownState(state)
        try:
            invocation = self._invoke(list(args), shown, wall_s)
        except ProtocolError as exc:
            invocation = _refused(InvocationRefusal(exc.codespace, exc.code, str(exc)))
        except Malformed as exc:
            refusal = InvalidMessage(str(exc))
            invocation = _refused(InvocationRefusal(refusal.codespace, refusal.code, str(refusal)))
        if shown.failure is not None:
            raise shown.failure
        return invocation

    def _invoke(
        self, args: list[bytes], shown: ShownState, wall_s: Callable[[], int]
    ) -> Invocation:
        function = _function_of(args)
        if function in _READING:
            return Invocation(STATUS_OK, payload=self._read(function, args[1:], shown))
        marker = marker_key(invocation_hash(args))
        shown.foresee(*_READ_FIRST[function])
        ahead = self._look_ahead(args[1:], shown) if function is Function.SUBMIT else None
        if shown.get(marker) is not None:
            raise AlreadyExecuted("this invocation has run already", marker=marker)
        answer = (
            self._write(function, args[1:], shown, wall_s)
            if ahead is None
            else self._submit(args[1:], shown, ahead)
        )
        if isinstance(answer, InvocationRefusal):
            return _refused(answer)
        writes = {**answer.writes, marker: marker_value(answer.writes.items())}
        assert b"" not in writes.values(), "an empty value would delete"
        return Invocation(
            STATUS_OK,
            payload=answer.payload,
            event=answer.event,
            writes=tuple(sorted(writes.items())),
        )

    def _read(self, function: Function, arguments: list[bytes], shown: ShownState) -> bytes:
        if function is Function.READ_BACK:
            return _read_back(arguments, shown)
        if function is Function.QUERY:
            return _query(arguments, shown)
        return canonical(self._version)

    def _write(
        self,
        function: Function,
        arguments: list[bytes],
        shown: ShownState,
        wall_s: Callable[[], int],
    ) -> Answer | InvocationRefusal:
        if function is Function.INIT:
            return self._genesis.write(arguments, shown)
        self._genesis.require(shown)
        if function is Function.TICK:
            return tick(arguments, shown, wall_s)
        return prove_absence(arguments, shown)

    def _look_ahead(self, arguments: list[bytes], shown: ShownState) -> _Ahead:
        """
        Authenticate a transaction before anything is read, by the ledger as it was last seen: a
        stored genesis does not change. After a start there is none, and it is done later.
        """
        ledger = self._genesis.opened
        if ledger is None or len(arguments) != 1:
            return _Ahead(None, {})
        return _Ahead(ledger, _admit(arguments[0], ledger, shown))

    def _submit(
        self, arguments: list[bytes], shown: ShownState, ahead: _Ahead
    ) -> Answer | InvocationRefusal:
        """Run a TxRaw as any host does, but for its turn and its clock."""
        if len(arguments) != 1:
            raise InvalidMessage("Submit takes a transaction")
        ledger = self._genesis.open(shown)
        admitted = ahead.admitted
        if ledger is not ahead.ledger:
            admitted = _admit(arguments[0], ledger, shown)
        overlays = shown.overlays()
        run = BlockRun(
            names=ledger.names,
            parameters=ledger.genesis.parameters,
            dispatch=ledger.dispatch,
            light_clients=ledger.light_clients,
            turns=MarkedTurns(),
            clock=shown.now_ns,
            overlays=overlays,
            admitted=admitted,
            record_access=False,
        )
        result = run.execute(arguments[0])
        if result.code:
            return InvocationRefusal(result.codespace, result.code, result.log)
        return Answer(physical_writes(overlays), result.data, encode_events(result.events))


def _admit(raw: bytes, ledger: OpenedLedger, shown: ShownState) -> dict[bytes, Sender]:
    """
    Authenticate a transaction and foresee what it reads. One that is refused is not in the answer:
    running it says why.
    """
    names, parameters = ledger.names, ledger.genesis.parameters
    try:
        decoded = read_transaction(raw, parameters)
        account = require_signer(decoded, names.chain_id, names.cell_address)
    except ProtocolError:
        return {}
    sender = Sender(decoded, account)
    reads = foresee(sender, names.chain_tag, parameters.vault_shards)
    shown.foresee(*(physical_key(store, key) for store, key in reads.keys))
    if reads.asks_time:
        shown.foresee(CLOCK_KEY)
    return {raw: sender}


def _function_of(args: list[bytes]) -> Function:
    name = args[0] if args else b""
    for function in Function:
        if name == function.encode():
            return function
    known = ", ".join(Function)
    raise UnknownMessage(f"unknown function {name[:_NAME_SHOWN_MAX]!r}; one of {known}")


def _read_back(arguments: list[bytes], shown: ShownState) -> bytes:
    """Read keys and the clock, so that versions stand in the read set and values in the payload."""
    if not 0 < len(arguments) <= READ_BACK_KEYS_MAX:
        raise InvalidMessage(f"ReadBack takes 1 to {READ_BACK_KEYS_MAX} keys", got=len(arguments))
    keys = [argument.decode("ascii", "replace") for argument in arguments]
    for key in keys:
        if not is_physical_key(key):
            raise InvalidMessage("no key of this chaincode", key=repr(key[:_NAME_SHOWN_MAX]))
    shown.foresee(*keys, CLOCK_KEY)
    values = tuple(shown.get(key) for key in keys)
    return encode_read_back(ReadBackAnswer(shown.clock_s() or 0, values))


def _query(arguments: list[bytes], shown: ShownState) -> bytes:
    if len(arguments) != 2 or not arguments[1]:
        raise InvalidMessage("Query takes a store and a key")
    store = arguments[0].decode("ascii", "replace")
    if store not in STORES:
        raise InvalidMessage(f"unknown store; one of {', '.join(STORES)}")
    return shown.get(physical_key(store, arguments[1])) or b""


def _refused(refusal: InvocationRefusal) -> Invocation:
    return Invocation(STATUS_REFUSED, message=encode_refusal(refusal))
