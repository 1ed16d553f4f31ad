"""
The records of ``tieline.swap.records`` and ``tieline.protocol`` as protobuf: one line of columns
each.
"""

from __future__ import annotations

from cosmpy.protos.ibc.core.channel.v2 import packet_pb2
from cosmpy.protos.ibc.core.client.v1 import client_pb2
from google.protobuf import any_pb2

from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.protocol.packet import Acknowledgement, Packet, Payload
from tieline.swap import records
from tieline.swap.messages import ProvedDeliveryLeaf, ProvedVerdictLeaf
from tieline.wire.fields import RecordCodec
from tieline.wire.generated.trade.v1 import records_pb2

ORDER = RecordCodec(
    records.Order,
    records_pb2.Order,
    "bytes32 chain_tag,address account,bytes32 meter_id,uint8 side,uint8 levels,uint8 delivery,"
    "uint64 slot_start,uint32 slot_length,uint64 energy_wh,uint64 price_min,uint64 price_max,"
    "bytes32 anchor,uint64 nonce",
)
SIGNED_ORDER = RecordCodec(
    records.SignedOrder,
    records_pb2.SignedOrder,
    "Order order,bytes65 signature",
    {"Order": ORDER},
)
CANCEL = RecordCodec(records.Cancel, records_pb2.Cancel, "bytes32 order_id")
MANDATE = RecordCodec(
    records.Mandate,
    records_pb2.Mandate,
    "bytes32 chain_tag,bytes32 source_chain_tag,bytes32 client,address connector_in,"
    "address connector_out,uint128 max_trade,uint128 max_open,uint64 min_fee,uint64 min_margin,"
    "uint64 expiry,uint64 nonce",
)
REGISTRY_ROW = RecordCodec(
    records.RegistryRow, records_pb2.RegistryRow, "address cell,bytes32 chain_tag,uint8 role"
)
CELL_SET = RecordCodec(
    records.CellSet,
    records_pb2.CellSet,
    "bytes32 previous,bytes32 network_epoch,uint64 epoch,bytes32 cells_hash,"
    "bytes32 registry_hash,uint64 from_slot",
)
CLEARING = RecordCodec(
    records.Clearing,
    records_pb2.Clearing,
    "bytes32 cell_set_id,uint64 epoch,uint64 slot_start,uint32 slot_length,uint8 level,"
    "bytes32 orders_root,bytes32 trades_root",
)
VERDICT = RecordCodec(
    records.Verdict,
    records_pb2.Verdict,
    "bytes32 cell_set_id,uint64 epoch,uint64 slot_start,uint32 slot_length,bytes32 network_epoch,"
    "bytes32 baseline_hash,bytes32 pending_root,bytes32 decisions_root,bytes32 flow_proof_hash,"
    "bytes32 setpoints_hash",
)
VERDICT_LEAF = RecordCodec(
    records.VerdictLeaf,
    records_pb2.VerdictLeaf,
    "bytes32 dest_chain_tag,bytes32 dest_client,uint64 sequence,bytes32 packet_commitment,"
    "bytes32 trade_id,uint8 decision,uint64 cap_wh,uint16 reason,uint8 group,uint16 group_size,"
    "uint64 owners",
)
PROVED_VERDICT_LEAF = RecordCodec(
    ProvedVerdictLeaf,
    records_pb2.ProvedVerdictLeaf,
    "VerdictLeaf leaf,bytes32[] proof",
    {"VerdictLeaf": VERDICT_LEAF},
)
DELIVERY = RecordCodec(
    records.Delivery,
    records_pb2.Delivery,
    "bytes32 cell_set_id,uint64 epoch,uint64 slot_start,uint32 slot_length,bytes32 verdict_hash,"
    "bytes32 readings_root,bytes32 boundary_root,bytes32 estimate_hash,bytes32 deliveries_root",
)
DELIVERY_LEAF = RecordCodec(
    records.DeliveryLeaf, records_pb2.DeliveryLeaf, "bytes32 trade_id,uint64 delivered_wh"
)
PROVED_DELIVERY_LEAF = RecordCodec(
    ProvedDeliveryLeaf,
    records_pb2.ProvedDeliveryLeaf,
    "DeliveryLeaf leaf,bytes32[] proof,uint64 index",
    {"DeliveryLeaf": DELIVERY_LEAF},
)
ALLOCATION = RecordCodec(
    records.Allocation,
    records_pb2.Allocation,
    "bytes32 order_id,address account,uint64 energy_wh,uint64 price,uint64 offset_wh",
)
OWN_LEAF = RecordCodec(
    records.OwnLeaf,
    records_pb2.OwnLeaf,
    "Allocation allocation,bytes32[] proof",
    {"Allocation": ALLOCATION},
)
TRADE_EVIDENCE = RecordCodec(
    records.TradeEvidence,
    records_pb2.TradeEvidence,
    "bytes32 trade_id,bytes32[] clearing_proof,OwnLeaf[] own_leaves",
    {"OwnLeaf": OWN_LEAF},
)
LOCAL_TRADE = RecordCodec(
    records.LocalTrade,
    records_pb2.LocalTrade,
    "bytes32 trade_id,bytes32 cell_set_id,uint64 cell_set_epoch,uint64 slot_start,"
    "uint32 slot_length,bytes32 allocations_root,address buyer,address seller,uint64 energy_wh,"
    "uint64 price,bytes32 hashlock,uint64 expiry,bytes32 clearing_root",
)
READING = RecordCodec(
    records.Reading,
    records_pb2.Reading,
    "bytes32 chain_tag,bytes32 meter_id,uint64 period_start,uint32 period_length,"
    "uint64 import_register_wh,uint64 export_register_wh,uint64 counter,uint8 quality",
)
ATTESTOR_KEY = RecordCodec(
    records.AttestorKey,
    records_pb2.AttestorKey,
    "bytes32 chain_tag,address cell,address attestor,uint64 from_epoch",
)

ANY = RecordCodec(AnyMessage, any_pb2.Any, "string type_url,bytes value")
HEIGHT = RecordCodec(Height, client_pb2.Height, "uint64 revision_number,uint64 revision_height")
PAYLOAD = RecordCodec(
    Payload,
    packet_pb2.Payload,
    "string source_port,string destination_port,string version,string encoding,bytes value",
)
PACKET = RecordCodec(
    Packet,
    packet_pb2.Packet,
    "uint64 sequence,string source_client,string destination_client,"
    "uint64 timeout_s:timeout_timestamp,Payload[] payloads",
    {"Payload": PAYLOAD},
)
ACKNOWLEDGEMENT = RecordCodec(
    Acknowledgement, packet_pb2.Acknowledgement, "bytes[] app_acknowledgements"
)
