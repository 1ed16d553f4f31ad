"""
Messages of the trade application as its calls. What the contracts keep as hashes only (terms of
locks, cells of sets, packets) is brought again from the twin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

from coincurve import PublicKey

from tieline.contract.accounts import PAY_DENOM
from tieline.contract.cell_sets import StoredCellSet, cell_set_key, decode_cell_set
from tieline.contract.errors import InvalidCoins, InvalidMessage, NotPermitted, NotYetPosted
from tieline.contract.keys import delivery_key, local_pending_key, lock_key, order_key
from tieline.contract.records import LockRecord, decode_lock, decode_order, decode_pending
from tieline.contract.slots import last_tick
from tieline.contract.trade_errors import LockNotFound, OrderRefused, ProofRefused
from tieline.contract.twin.state import TwinState, client_id_of
from tieline.ledgers.ethereum.host_calls import (
    client_number,
    evidence_tuple,
    packet_tuple,
    refusal,
)
from tieline.protocol.commitment import NEXT_CLIENT_NUMBER_KEY
from tieline.swap import messages as trade
from tieline.swap.lock import TERMINAL, Leg
from tieline.swap.records import (
    LOCAL_CLIENT,
    ZERO_HASH,
    RegistryRow,
    TradeEvidence,
    VerdictLeaf,
)
from tieline.wire.abi import encode_energy_trade
from tieline.wire.errors import Malformed
from tieline.wire.evm import contract_calls as calls
from tieline.wire.hashes import tag
from tieline.wire.keys import address_of
from tieline.wire.typed_data import domain_separator, recover_signer

Evidence = Mapping[bytes, TradeEvidence]


class TradeCalls:
    """Builds calls from messages and what the ledger's twin knows."""

    def __init__(self, state: TwinState) -> None:
        self._state = state
        self._brought: dict[bytes, Sequence[RegistryRow]] = {}
        """Rows of cell sets that earlier messages of the same transaction post."""

    # --- orders and money -----------------------------------------------------------------------

    def send(self, message: trade.MsgSend) -> bytes:
        """PAY between accounts."""
        if message.denom != PAY_DENOM:
            raise refusal(InvalidCoins, f"an EVM ledger moves {PAY_DENOM} only: {message.denom}")
        return calls.SEND.encode(message.recipient, message.amount_nano_eur)

    def place_orders(self, message: trade.MsgPlaceOrders) -> bytes:
        """Rows A1, B0."""
        orders = [astuple(signed.order) for signed in message.orders]
        return calls.PLACE_ORDERS.encode(orders, b"".join(one.signature for one in message.orders))

    def cancel(self, message: trade.MsgCancel) -> bytes:
        """Rows A2, B0a."""
        return calls.CANCEL.encode(self.order_ref(message.cancel.order_id), message.signature)

    def release_orders(self, order_ids: Sequence[bytes]) -> bytes:
        """Rows A4, B0b."""
        return calls.RELEASE_ORDERS.encode([self.order_ref(one) for one in order_ids])

    def order_ref(self, order_id: bytes) -> tuple[bytes, bytes, int, int, bytes]:
        """Return what finds a stored order."""
        stored = self._state.trade.get(order_key(order_id))
        if stored is None:
            raise refusal(OrderRefused, f"no such order order_id={order_id.hex()}")
        order = decode_order(stored)
        return order_id, order.account, order.slot_start, order.slot_length, order.anchor

    def set_bands(self, message: trade.MsgSetBands) -> bytes:
        """A slot's price band and bond price."""
        return calls.SET_BANDS.encode(
            message.slot_start,
            message.slot_length,
            message.price_min,
            message.price_max,
            message.bond_price,
        )

    def set_mandate(self, message: trade.MsgSetMandate) -> bytes:
        """A mandate; the key of a connector on a Cosmos-style ledger is brought along."""
        domain = domain_separator(self._state.of.genesis.network_id)
        try:
            key = recover_signer(domain, message.mandate, message.signature)
        except Malformed as exc:
            raise refusal(NotPermitted, f"mandate's signature is malformed: {exc}") from exc
        is_evm = address_of(key) == message.mandate.connector_in
        whole = b"" if is_evm else PublicKey(key).format(compressed=False)[1:]
        return calls.SET_MANDATE.encode(astuple(message.mandate), message.signature, whole)

    # --- seals and statements -------------------------------------------------------------------

    def post_cell_set(self, message: trade.MsgPostCellSet) -> bytes:
        """Row A0; signed by the set before it, or by the founders."""
        record = message.cell_set
        signers: Sequence[bytes] = self._state.of.genesis.founding_cells
        if record.previous != ZERO_HASH:
            signers = [row.cell for row in self._rows_of(record.previous)]
        rows = [astuple(row) for row in message.rows]
        return calls.POST_CELL_SET.encode(
            astuple(record), rows, signers, b"".join(message.signatures)
        )

    def post_clearing(self, message: trade.MsgPostClearing) -> bytes:
        """Row A0."""
        cells = [row.cell for row in self._rows_of(message.clearing.cell_set_id)]
        return calls.POST_CLEARING.encode(
            astuple(message.clearing), cells, b"".join(message.signatures)
        )

    def post_delivery(self, message: trade.MsgPostDelivery) -> bytes:
        """Rows A8, B5."""
        cells = [row.cell for row in self._rows_of(message.delivery.cell_set_id)]
        return calls.POST_DELIVERY.encode(
            astuple(message.delivery), cells, b"".join(message.signatures)
        )

    def bring_cell_set(self, cell_set_id: bytes, rows: Sequence[RegistryRow]) -> None:
        """Let later messages of the transaction rest on a set that it posts."""
        self._brought[cell_set_id] = rows

    def _rows_of(self, cell_set_id: bytes) -> Sequence[RegistryRow]:
        if cell_set_id in self._brought:
            return self._brought[cell_set_id]
        stored = self._state.trade.get(cell_set_key(cell_set_id))
        if stored is None:
            raise refusal(NotYetPosted, f"cell set not posted here: {cell_set_id.hex()}")
        found: StoredCellSet = decode_cell_set(cell_set_id, stored)
        return found.rows

    # --- locks ----------------------------------------------------------------------------------

    def lock_and_send(self, message: trade.MsgLockAndSend, evidence: Evidence) -> bytes:
        """Row A3."""
        return calls.LOCK_AND_SEND.encode(
            client_number(message.source_client),
            message.timeout_s,
            [encode_energy_trade(one) for one in message.trades],
            [_require(evidence, one.trade_id) for one in message.trades],
        )

    def open_local(self, message: trade.MsgOpenLocal, evidence: Evidence) -> bytes:
        """An INTRA trade's lock."""
        one = message.trade
        return calls.OPEN_LOCAL.encode(astuple(one), _require(evidence, one.trade_id))

    def apply_verdict(self, message: trade.MsgApplyVerdict) -> bytes:
        """Rows B2, B3. An EVM ledger keeps a verdict as a hash, so it is brought every time."""
        if message.verdict is None:
            raise refusal(InvalidMessage, "an EVM ledger must be brought the verdict itself")
        cells: list[bytes] = []
        if message.signatures:
            cells = [row.cell for row in self._rows_of(message.verdict.cell_set_id)]
        leaves = [self._decided(one) for one in message.leaves]
        return calls.APPLY_VERDICT.encode(
            astuple(message.verdict), cells, b"".join(message.signatures), leaves
        )

    def _decided(self, proved: trade.ProvedVerdictLeaf) -> tuple[Any, ...]:
        leaf = proved.leaf
        if leaf.dest_client == tag(LOCAL_CLIENT):
            stored = self._state.trade.get(local_pending_key(leaf.trade_id))
            if stored is None:
                raise _not_received(leaf)
            _, record = self._lock(decode_pending(stored).lock_id)
            return astuple(leaf), proved.proof, 0, [], [self._terms(record)]
        number = self._client_of(leaf)
        packet = self._state.received.get((client_id_of(number), leaf.sequence))
        if packet is None:
            raise _not_received(leaf)
        return astuple(leaf), proved.proof, number, [packet_tuple(packet)], []

    def _client_of(self, leaf: VerdictLeaf) -> int:
        count = int.from_bytes(self._state.ibc[NEXT_CLIENT_NUMBER_KEY], "big")
        for number in range(count):
            if tag(client_id_of(number)) == leaf.dest_client:
                return number
        raise _not_received(leaf)

    def expire_pending(self, message: trade.MsgExpirePending) -> bytes:
        """Row B4."""
        _, record = self._lock(message.lock_id)
        if record.leg is Leg.LOCAL:
            return calls.EXPIRE_LOCAL.encode(self._terms(record))
        if record.leg is Leg.IN:
            raise refusal(InvalidMessage, "a source lock is never pending")
        packet = self._packet_of(record)
        return calls.EXPIRE_PENDING.encode(client_number(record.client), packet)

    def claim(self, message: trade.MsgClaim) -> bytes:
        """Rows A9, B6."""
        _, record = self._lock(message.lock_id)
        delivery = _delivery_tuple(record, message.delivery)
        return calls.CLAIM.encode(self._terms(record), message.preimage, delivery)

    def waive(self, message: trade.MsgWaive) -> bytes:
        """Rows A10, B7; a pool's needs the cell set."""
        _, record = self._lock(message.lock_id)
        rows: list[Any] = []
        if record.is_seller_pool and record.leg is not Leg.IN:
            rows = [astuple(row) for row in self._rows_of(record.cell_set_id)]
        return calls.WAIVE.encode(self._terms(record), message.wh, message.cosignature, rows)

    def refund(self, message: trade.MsgRefund) -> bytes:
        """
        Rows A11, B8; a destination's lock, of which not every statement is shown, needs the packet
        (from T_A on). The time of the last block says nothing of the next one's.
        """
        _, record = self._lock(message.lock_id)
        deliveries = [_delivery_tuple(record, one) for one in message.deliveries]
        number, packets = 0, list[Any]()
        is_ended = record.leg is not Leg.OUT or record.status in TERMINAL
        if not is_ended and not self._is_each_shown(record, message):
            number, packets = client_number(record.client), [self._packet_of(record)]
        return calls.REFUND.encode(self._terms(record), deliveries, number, packets)

    def _is_each_shown(self, record: LockRecord, message: trade.MsgRefund) -> bool:
        tick = last_tick(record.slot_start, record.slot_length)
        shown = {proved.index for proved in message.deliveries}
        return delivery_key(tick, len(shown)) not in self._state.trade

    def collect_shares(
        self, lock_id: bytes, side: int, shares: Sequence[trade.MsgCollectShare]
    ) -> bytes:
        """Rows A13, B10."""
        _, record = self._lock(lock_id)
        leaves = [(astuple(one.allocation), one.proof) for one in shares]
        return calls.COLLECT_SHARES.encode(self._terms(record), side, leaves)

    def _lock(self, lock_id: bytes) -> tuple[bytes, LockRecord]:
        stored = self._state.trade.get(lock_key(lock_id))
        if stored is None:
            raise refusal(LockNotFound, f"no such lock lock_id={lock_id.hex()}")
        return lock_id, decode_lock(stored)

    def _terms(self, record: LockRecord) -> tuple[Any, ...]:
        """Return what the contracts recompute a lock's id from."""
        # Zeros stand for the own ledger's chain tag, and cost less.
        is_local = record.leg is Leg.LOCAL
        peer = ZERO_HASH if is_local else record.peer_chain_tag
        source, destination = (ZERO_HASH, peer) if record.leg is Leg.IN else (peer, ZERO_HASH)
        return (
            source,
            destination,
            record.slot_start,
            record.slot_length,
            record.level,
            record.allocations_root,
            record.hash_lock,
            record.payer,
            record.payee,
            record.energy_wh,
            record.price,
            record.expiry,
        )

    def _packet_of(self, record: LockRecord) -> tuple[int, int, bytes]:
        packet = self._state.received.get((record.client, record.sequence))
        if packet is None:
            raise refusal(NotYetPosted, f"packet not received here: {record.sequence}")
        return packet_tuple(packet)


def _require(evidence: Evidence, trade_id: bytes) -> Sequence[Any]:
    found = evidence.get(trade_id)
    if found is None:
        raise refusal(NotYetPosted, f"no evidence for trade_id={trade_id.hex()}")
    return evidence_tuple(found)


def _delivery_tuple(record: LockRecord, proved: trade.ProvedDeliveryLeaf) -> tuple[Any, ...]:
    if proved.leaf.trade_id != record.trade_id:
        raise refusal(ProofRefused, f"leaf of another trade {proved.leaf.trade_id.hex()}")
    return proved.index, proved.leaf.delivered_wh, proved.proof


def _not_received(leaf: VerdictLeaf) -> Exception:
    return refusal(NotYetPosted, f"leaf of a trade that was not received: {leaf.trade_id.hex()}")
