"""The ledgers of the shared vector, with what nobody can sign laid in place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from fakes.light_client import CONSENSUS, STATE, FakeLightClient
from tieline.contract.application import RecvStatus
from tieline.contract.books import audit_books
from tieline.contract.cell_sets import (
    NEWEST_CELL_SET_KEY,
    StoredCellSet,
    cell_set_key,
    encode_cell_set,
)
from tieline.contract.context import Context, GasMeter, LedgerNames
from tieline.contract.energy_trade import EnergyTradeApplication, handle_lock_and_send, payload_of
from tieline.contract.evidence import handle_trade_evidence
from tieline.contract.genesis import Parameters
from tieline.contract.ibc_view import IbcView
from tieline.contract.keys import (
    bands_key,
    delivery_key,
    mandate_record_key,
    order_key,
    vault_key,
    verdict_key,
)
from tieline.contract.locks import require_lock
from tieline.contract.records import (
    BandsRecord,
    DeliveryRecord,
    MandateRecord,
    OrderRecord,
    VerdictRecord,
    encode_amount,
    encode_bands,
    encode_delivery,
    encode_mandate,
    encode_order,
    encode_verdict,
)
from tieline.contract.registry import clearing_key, encode_clearing, role_key
from tieline.contract.shares import handle_collect_share
from tieline.contract.store import Overlay
from tieline.protocol import commitment
from tieline.protocol.client import Counterparty
from tieline.protocol.handlers import write_acknowledgement
from tieline.protocol.identifiers import ClientId
from tieline.protocol.messages import AnyMessage
from tieline.protocol.packet import Packet
from tieline.protocol.time import TimestampNanoseconds
from tieline.swap.messages import (
    MsgCollectShare,
    MsgLockAndSend,
    MsgTradeEvidence,
    ProvedDeliveryLeaf,
    ProvedVerdictLeaf,
)
from tieline.swap.order_escrow import OrderStatus
from tieline.swap.records import (
    ZERO_HASH,
    Allocation,
    Clearing,
    DeliveryLeaf,
    EnergyTrade,
    Level,
    Order,
    OwnLeaf,
    RegistryRow,
    Side,
    TradeEvidence,
    VerdictLeaf,
)
from tieline.wire import ids
from tieline.wire.abi import (
    decode_energy_trade,
    encode_allocation,
    encode_verdict_leaf,
)
from tieline.wire.hashes import tag
from tieline.wire.merkle import MerkleTree
from tieline.wire.typed_data import domain_separator, order_id

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "trade_bytes.json").read_text()
)
INPUTS, EXPECTED, POOLED, INTRA = (
    GOLDEN[name] for name in ("inputs", "expected", "pooled", "intra")
)
S = INPUTS["slotStart"]
TAU, D, T_B, T_A = (INPUTS[name] for name in ("tau", "D", "T_B", "T_A"))
NETWORK_ID = bytes.fromhex(INPUTS["networkId"])
SOURCE_CLIENT, DEST_CLIENT = "07-fake-0", INPUTS["client"]
BOND_PRICE = 20_000


def raw(text: str) -> bytes:
    """Bytes of a vector's hex, with or without 0x."""
    return bytes.fromhex(text.removeprefix("0x"))


TAG_A, TAG_B = raw(EXPECTED["chainTagA"]), raw(EXPECTED["chainTagB"])
CELLS = tuple(raw(cell) for cell in INPUTS["cells"])
GRID_TAG = raw(GOLDEN["cellSet"]["rows"][2][1])


class AttestationsFake(FakeLightClient):
    """The fake under the name of the vector's client."""

    client_type = "attestations"


class Memory:
    """A committed store."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        """Read."""
        return self.values.get(key)


class Host:
    """A ledger of the vector: its tag, its stores, a context a message."""

    def __init__(self, chain_tag: bytes, cell: bytes, client: str, counterparty: str) -> None:
        self.ibc, self.state = Overlay(Memory()), Overlay(Memory())
        self.chain_tag, self.cell, self.client = chain_tag, cell, client
        ctx = self.context(S - 3600)
        view = IbcView(ctx)
        bound = view.bind(ClientId(client))
        assert bound is not None
        bound.rules.initialise(
            bound.store,
            AnyMessage(STATE, (10).to_bytes(8, "big")),
            AnyMessage(CONSENSUS, ((S - 3600) * 10**9).to_bytes(8, "big")),
        )
        view.set_creator(client, b"\x01" * 20)
        view.set_counterparty(client, Counterparty(counterparty, (b"ibc", b"")))
        self.ibc.set(commitment.next_sequence_key(client), (1).to_bytes(8, "big"))
        self.state.set(role_key(cell), b"\x01")
        self.state.set(bands_key(S, 900), encode_bands(BandsRecord(0, 500_000, BOND_PRICE)))
        rows = tuple(
            RegistryRow(cell, chain, role)
            for cell, chain, role in zip(CELLS, (TAG_A, TAG_B, GRID_TAG), (1, 1, 2), strict=True)
        )
        stored = StoredCellSet(
            raw(EXPECTED["cellSetId"]),
            ZERO_HASH,
            raw(INPUTS["networkEpoch"]),
            INPUTS["cellSetEpoch"],
            S,
            ZERO_HASH,
            rows,
        )
        self.state.set(cell_set_key(stored.cell_set_id), encode_cell_set(stored))
        self.state.set(NEWEST_CELL_SET_KEY, stored.cell_set_id)
        self.events: list[Any] = []

    def context(self, now_s: int, signer: bytes = b"\x09" * 20) -> Context:
        """A transaction at *now_s*."""
        return Context(
            names=LedgerNames(
                "golden", self.chain_tag, NETWORK_ID, domain_separator(NETWORK_ID), self.cell
            ),
            parameters=Parameters(vault_shards=1),
            light_clients={"07-fake": FakeLightClient(), "attestations": AttestationsFake()},
            clock=lambda: TimestampNanoseconds(now_s * 10**9),
            ibc=self.ibc,
            state=self.state,
            gas=GasMeter(10**9),
            signer=signer,
            signer_address=self.cell,
        )

    def clear(self, root: bytes, level: Level) -> None:
        """Lay a sealed clearing in place."""
        clearing = Clearing(
            raw(EXPECTED["cellSetId"]), INPUTS["cellSetEpoch"], S, 900, level, ZERO_HASH, root
        )
        self.state.set(clearing_key(root), encode_clearing(clearing))

    def lay_order(self, order: Order) -> bytes:
        """Lay a placed order in place, escrow or bond with it."""
        is_buy = order.side == Side.BUY
        limit = order.price_max if is_buy else order.price_min
        record = OrderRecord(
            account=order.account,
            status=OrderStatus.ORDERED,
            side=order.side,
            levels=order.levels,
            delivery=order.delivery,
            slot_start=S,
            slot_length=900,
            energy_wh=order.energy_wh,
            energy_left_wh=order.energy_wh,
            price_limit=limit,
            money_left=order.energy_wh * (limit if is_buy else BOND_PRICE),
            anchor=order.anchor,
        )
        self.state.set(order_key(order_id(order)), encode_order(record))
        return order_id(order)

    def lay_delivery(self, root: bytes) -> None:
        """Lay a statement of the slot in place."""
        record = DeliveryRecord(raw(EXPECTED["cellSetId"]), root, 7)
        self.state.set(delivery_key(S, 0), encode_delivery(record))

    def total(self) -> int:
        """All money here."""
        written = dict(self.state.sorted_writes())
        return audit_books(
            lambda prefix: [
                (name, value)
                for name, value in written.items()
                if value is not None and name.startswith(prefix)
            ]
        ).total


def host_a() -> Host:
    """The source."""
    return Host(TAG_A, CELLS[0], SOURCE_CLIENT, DEST_CLIENT)


def host_b() -> Host:
    """The destination, with the vector's mandate and a full vault."""
    host = Host(TAG_B, CELLS[1], DEST_CLIENT, SOURCE_CLIENT)
    given = GOLDEN["mandate"]
    mandate_id = ids.mandate_key(
        TAG_A, tag(DEST_CLIENT), raw(given["connectorIn"]), raw(given["connectorOut"])
    )
    record = MandateRecord(
        given["maxTrade"],
        given["maxOpen"],
        given["minFee"],
        given["minMargin"],
        given["expiry"],
        given["nonce"],
    )
    host.state.set(mandate_record_key(mandate_id), encode_mandate(record))
    host.state.set(vault_key(raw(INPUTS["connectorOut"]), 0), encode_amount(10**12))
    return host


def order_from(fields: dict[str, Any], **change: Any) -> Order:
    """An order of the vector."""
    order = Order(
        chain_tag=TAG_A if fields["chain"] == "A" else TAG_B,
        account=raw(fields["account"]),
        meter_id=raw(fields["meterId"]),
        side=fields["side"],
        levels=fields["levels"],
        delivery=fields["delivery"],
        slot_start=S,
        slot_length=900,
        energy_wh=fields["energyWh"],
        price_min=fields["priceMin"],
        price_max=fields["priceMax"],
        anchor=raw(EXPECTED["H"]) if fields["anchor"] == "H" else raw(fields["anchor"]),
        nonce=fields["nonce"],
    )
    return replace(order, **change)


DIRECT = decode_energy_trade(raw(EXPECTED["payload"]))


def direct_leaves() -> tuple[OwnLeaf, OwnLeaf]:
    """The buyer's and the seller's leaf of the direct trade."""
    leaves = [
        Allocation(raw(EXPECTED[f"{name}Id"]), raw(account), wh, price, offset)
        for name, account, wh, price, offset in INPUTS["allocations"]
    ]
    tree = MerkleTree([encode_allocation(leaf) for leaf in leaves])
    assert tree.root == raw(EXPECTED["allocationsRoot"])
    buy, sell = (OwnLeaf(leaf, tree.proof(encode_allocation(leaf))) for leaf in leaves)
    return buy, sell


def send(
    host: Host, trade: EnergyTrade, leaves: tuple[OwnLeaf, ...], proof: tuple[bytes, ...] = ()
) -> Packet:
    """Lock and send; return the packet as the destination will see it."""
    ctx = host.context(TAU - 161)
    evidence = TradeEvidence(trade.trade_id, proof, leaves)
    handle_trade_evidence(ctx, MsgTradeEvidence(ctx.signer, evidence))
    handle_lock_and_send(ctx, MsgLockAndSend(ctx.signer, SOURCE_CLIENT, TAU, (trade,)))
    record = require_lock(ctx, trade.lock_id_in)
    key = commitment.packet_commitment_key(SOURCE_CLIENT, record.sequence)
    assert host.ibc.get(key) == record.packet_commitment

    return Packet(record.sequence, SOURCE_CLIENT, DEST_CLIENT, TAU, (payload_of(trade),))


def receive(
    host: Host, packet: Packet, trade: EnergyTrade, leaves: tuple[OwnLeaf, ...]
) -> RecvStatus:
    """Receive as the router does."""
    ctx = host.context(TAU - 1)
    evidence = TradeEvidence(trade.trade_id, (), leaves)
    handle_trade_evidence(ctx, MsgTradeEvidence(ctx.signer, evidence))
    answer = EnergyTradeApplication().on_recv(ctx, packet)
    if answer.status is RecvStatus.ASYNC:
        write_acknowledgement.keep_for_later(IbcView(ctx), packet)
    return answer.status


def lay_verdict(host: Host, root: bytes) -> None:
    """Lay the slot's verdict in place, signed by all three cells."""
    record = VerdictRecord(raw(EXPECTED["verdictHash"]), root, 7)
    host.state.set(verdict_key(S), encode_verdict(record))


def golden_leaf(name: str) -> VerdictLeaf:
    """A leaf of the vector's verdict."""
    fields = INPUTS[name]
    return VerdictLeaf(
        TAG_B,
        tag(DEST_CLIENT),
        fields.get("sequence", 1),
        raw(fields.get("packetCommitment", EXPECTED["packetCommitment"])),
        raw(fields.get("tradeId", EXPECTED["tradeId"])),
        fields["decision"],
        fields["capWh"],
        fields["reason"],
        fields["group"],
        fields["groupSize"],
        fields["owners"],
    )


def proved(leaves: list[VerdictLeaf], chosen: VerdictLeaf) -> tuple[bytes, ProvedVerdictLeaf]:
    """Root and a leaf with its proof."""
    tree = MerkleTree([encode_verdict_leaf(leaf) for leaf in leaves])
    return tree.root, ProvedVerdictLeaf(chosen, tree.proof(encode_verdict_leaf(chosen)))


def delivered(trade_id: bytes, wh: int) -> ProvedDeliveryLeaf:
    """The only leaf of a statement."""
    return ProvedDeliveryLeaf(DeliveryLeaf(trade_id, wh), ())


def collect(host: Host, lock_id: bytes, side: Side, leaves: tuple[OwnLeaf, ...]) -> list[Any]:
    """Collect all leaves in order; return the events."""
    ctx = host.context(T_A)
    for own in leaves:
        message = MsgCollectShare(ctx.signer, lock_id, side, own.allocation, own.proof)
        handle_collect_share(ctx, message)
    return [event for event in ctx.events if event.type == "share_collected"]
