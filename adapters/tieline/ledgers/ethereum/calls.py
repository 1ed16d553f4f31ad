"""
A transaction's messages as one call: of the application, whose ``multicall`` passes on what the
host lets anyone do; or of the host itself, for what only the utility cell does there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tieline.contract.errors import InvalidMessage, NotSupported
from tieline.contract.twin.state import TwinState
from tieline.interfaces.errors import Rejected
from tieline.interfaces.ledger import Message
from tieline.ledgers.ethereum import host_calls
from tieline.ledgers.ethereum.deployment import EvmAddresses
from tieline.ledgers.ethereum.host_calls import ProvedGroup, refusal
from tieline.ledgers.ethereum.trade_calls import TradeCalls
from tieline.protocol import messages as ibc
from tieline.swap import messages as trade
from tieline.swap.records import TradeEvidence
from tieline.wire import ids
from tieline.wire.errors import Malformed
from tieline.wire.evm import contract_calls as calls

_NO_UPDATE = (b"", b"")


@dataclass(frozen=True, slots=True)
class Call:
    """What a transaction does."""

    to: bytes
    data: bytes


PlainSend = Callable[[ibc.SendPacket], bytes]
"""How an application that lets anyone send is asked to; ours does not."""


def build_call(
    messages: Sequence[Message],
    state: TwinState,
    addresses: EvmAddresses,
    plain_send: PlainSend | None = None,
) -> Call:
    """
    Return the call that does what *messages* ask, all or nothing.

    Raises:
        Rejected: A message makes no sense on an EVM ledger, or rests on what is not there yet.
    """
    builder = _Builder(state, plain_send)
    try:
        for message in messages:
            builder.add(message)
        builder.flush()
    except Malformed as exc:
        raise refusal(InvalidMessage, f"a field does not fit: {exc}") from exc
    return _joined(builder.entries, addresses)


def _joined(entries: Sequence[_Entry], addresses: EvmAddresses) -> Call:
    whose = {entry.whose for entry in entries}
    if not entries:
        raise refusal(InvalidMessage, "no messages")
    if _Whose.CELL in whose and _Whose.APP in whose:
        raise refusal(NotSupported, "clients are created and paired in transactions of their own")
    to = addresses.app if _Whose.APP in whose else addresses.host
    if len(entries) == 1:
        return Call(to, entries[0].data)
    return Call(to, calls.MULTICALL.encode([entry.data for entry in entries]))


class _Whose(Enum):
    """Who takes an entry."""

    CELL = "cell"
    """The host, from the utility cell only."""
    HOST = "host"
    """The host, from anyone; the application passes it on."""
    APP = "app"


@dataclass(frozen=True, slots=True)
class _Entry:
    whose: _Whose
    data: bytes


class _Builder:
    """Collects entries; neighbours that share a proof or a lock become one."""

    def __init__(self, state: TwinState, plain_send: PlainSend | None) -> None:
        self.entries: list[_Entry] = []
        self._state = state
        self._trade = TradeCalls(state)
        self._plain_send = plain_send
        self._evidence: dict[bytes, TradeEvidence] = {}
        self._update: tuple[int, tuple[bytes, bytes]] | None = None
        self._group: ProvedGroup | None = None
        self._released: list[bytes] = []
        self._shares: list[trade.MsgCollectShare] = []

    def add(self, message: Message) -> None:
        """Take the next message."""
        if isinstance(message, trade.MsgTradeEvidence):
            self._evidence[message.evidence.trade_id] = message.evidence
        elif isinstance(message, ibc.RecvPacket | ibc.AcknowledgePacket | ibc.TimeoutPacket):
            self._add_proved(message)
        elif isinstance(message, ibc.UpdateClient):
            self.flush()
            client = host_calls.client_number(message.client_id)
            self._update = client, host_calls.read_update(message.client_message)
        elif isinstance(message, trade.MsgReleaseOrder):
            self._flush_proved()
            self._flush_shares()
            self._released.append(message.order_id)
        elif isinstance(message, trade.MsgCollectShare):
            self._add_share(message)
        else:
            self.flush()
            self._add_single(message)

    def flush(self) -> None:
        """Write what waits for neighbours."""
        self._flush_proved()
        self._flush_released()
        self._flush_shares()

    def _put(self, whose: _Whose, data: bytes) -> None:
        self.entries.append(_Entry(whose, data))

    def _add_proved(self, message: host_calls.Proved) -> None:
        self._flush_released()
        self._flush_shares()
        if isinstance(message, ibc.RecvPacket) and not host_calls.is_spoken(message.packet):
            client = host_calls.local_client_of(message)
            self._flush_group()
            self._put(_Whose.HOST, host_calls.skip_packet(message, self._take_update(client)))
            return
        if self._group is None or not self._group.takes(message):
            self._flush_group()
            client = host_calls.local_client_of(message)
            self._group = ProvedGroup(
                type(message), client, host_calls.proof_of(message), self._take_update(client), []
            )
        self._group.items.append(host_calls.item_of(message, self._evidence))

    def _take_update(self, client: int) -> tuple[bytes, bytes]:
        """Return the header that waits for this client; one of another client is written."""
        if self._update is None:
            return _NO_UPDATE
        of_client, update = self._update
        if of_client != client:
            self._flush_update()
            return _NO_UPDATE
        self._update = None
        return update

    def _add_share(self, message: trade.MsgCollectShare) -> None:
        self._flush_proved()
        self._flush_released()
        if self._shares:
            last = self._shares[-1]
            if (last.lock_id, last.side) != (message.lock_id, message.side):
                self._flush_shares()
        self._shares.append(message)

    def _add_single(self, message: Message) -> None:
        match message:
            case ibc.CreateClient():
                self._put(_Whose.CELL, host_calls.create_client(message))
            case ibc.RegisterCounterparty():
                self._put(_Whose.CELL, host_calls.register_counterparty(message))
            case ibc.SendPacket() if self._plain_send is not None:
                self._put(_Whose.APP, self._plain_send(message))
            case trade.MsgLockAndSend():
                self._put(_Whose.APP, self._trade.lock_and_send(message, self._evidence))
            case trade.MsgOpenLocal():
                self._put(_Whose.APP, self._trade.open_local(message, self._evidence))
            case trade.MsgPostCellSet():
                self._put(_Whose.APP, self._trade.post_cell_set(message))
                self._bring(message)
            case trade.MsgDeposit():
                self._put(_Whose.APP, calls.DEPOSIT.encode(message.amount_nano_eur))
            case trade.MsgWithdraw():
                self._put(_Whose.APP, calls.WITHDRAW.encode(message.amount_nano_eur))
            case _:
                self._put(_Whose.APP, self._by_table(message))

    def _by_table(self, message: Message) -> bytes:
        one = self._trade
        table: dict[type[Any], Callable[[Any], bytes]] = {
            trade.MsgSend: one.send,
            trade.MsgPlaceOrders: one.place_orders,
            trade.MsgCancel: one.cancel,
            trade.MsgSetBands: one.set_bands,
            trade.MsgSetMandate: one.set_mandate,
            trade.MsgPostClearing: one.post_clearing,
            trade.MsgPostDelivery: one.post_delivery,
            trade.MsgApplyVerdict: one.apply_verdict,
            trade.MsgExpirePending: one.expire_pending,
            trade.MsgClaim: one.claim,
            trade.MsgWaive: one.waive,
            trade.MsgRefund: one.refund,
        }
        encode = table.get(type(message))
        if encode is None:
            raise _unsupported(message)
        return encode(message)

    def _bring(self, message: trade.MsgPostCellSet) -> None:
        record = message.cell_set
        cells = [row.cell for row in message.rows]
        network = self._state.of.genesis.network_id
        cell_set_id = ids.cell_set_id(network, record.network_epoch, record.epoch, cells)
        self._trade.bring_cell_set(cell_set_id, message.rows)

    def _flush_proved(self) -> None:
        self._flush_group()
        self._flush_update()

    def _flush_group(self) -> None:
        if self._group is not None:
            self._put(_Whose.HOST, self._group.encode())
            self._group = None

    def _flush_update(self) -> None:
        if self._update is not None:
            client, update = self._update
            self._put(_Whose.HOST, calls.UPDATE_CLIENT.encode(client, update))
            self._update = None

    def _flush_released(self) -> None:
        if self._released:
            self._put(_Whose.APP, self._trade.release_orders(self._released))
            self._released = []

    def _flush_shares(self) -> None:
        if self._shares:
            first = self._shares[0]
            data = self._trade.collect_shares(first.lock_id, first.side, self._shares)
            self._put(_Whose.APP, data)
            self._shares = []


def _unsupported(message: Message) -> Rejected:
    return refusal(
        NotSupported,
        f"{type(message).__name__} is not for EVM ledgers: transfers, stock chains and plain sends "
        "need a Cosmos-style ledger",
    )
