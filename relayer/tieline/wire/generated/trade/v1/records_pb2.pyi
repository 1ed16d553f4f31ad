from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Order(_message.Message):
    __slots__ = ("chain_tag", "account", "meter_id", "side", "levels", "delivery", "slot_start", "slot_length", "energy_wh", "price_min", "price_max", "anchor", "nonce")
    CHAIN_TAG_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    METER_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    LEVELS_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    SLOT_START_FIELD_NUMBER: _ClassVar[int]
    SLOT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    ENERGY_WH_FIELD_NUMBER: _ClassVar[int]
    PRICE_MIN_FIELD_NUMBER: _ClassVar[int]
    PRICE_MAX_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    chain_tag: bytes
    account: bytes
    meter_id: bytes
    side: int
    levels: int
    delivery: int
    slot_start: int
    slot_length: int
    energy_wh: int
    price_min: int
    price_max: int
    anchor: bytes
    nonce: int
    def __init__(self, chain_tag: _Optional[bytes] = ..., account: _Optional[bytes] = ..., meter_id: _Optional[bytes] = ..., side: _Optional[int] = ..., levels: _Optional[int] = ..., delivery: _Optional[int] = ..., slot_start: _Optional[int] = ..., slot_length: _Optional[int] = ..., energy_wh: _Optional[int] = ..., price_min: _Optional[int] = ..., price_max: _Optional[int] = ..., anchor: _Optional[bytes] = ..., nonce: _Optional[int] = ...) -> None: ...

class SignedOrder(_message.Message):
    __slots__ = ("order", "signature")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    order: Order
    signature: bytes
    def __init__(self, order: _Optional[_Union[Order, _Mapping]] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Cancel(_message.Message):
    __slots__ = ("order_id",)
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    order_id: bytes
    def __init__(self, order_id: _Optional[bytes] = ...) -> None: ...

class Mandate(_message.Message):
    __slots__ = ("chain_tag", "source_chain_tag", "client", "connector_in", "connector_out", "max_trade", "max_open", "min_fee", "min_margin", "expiry", "nonce")
    CHAIN_TAG_FIELD_NUMBER: _ClassVar[int]
    SOURCE_CHAIN_TAG_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    CONNECTOR_IN_FIELD_NUMBER: _ClassVar[int]
    CONNECTOR_OUT_FIELD_NUMBER: _ClassVar[int]
    MAX_TRADE_FIELD_NUMBER: _ClassVar[int]
    MAX_OPEN_FIELD_NUMBER: _ClassVar[int]
    MIN_FEE_FIELD_NUMBER: _ClassVar[int]
    MIN_MARGIN_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    chain_tag: bytes
    source_chain_tag: bytes
    client: bytes
    connector_in: bytes
    connector_out: bytes
    max_trade: str
    max_open: str
    min_fee: int
    min_margin: int
    expiry: int
    nonce: int
    def __init__(self, chain_tag: _Optional[bytes] = ..., source_chain_tag: _Optional[bytes] = ..., client: _Optional[bytes] = ..., connector_in: _Optional[bytes] = ..., connector_out: _Optional[bytes] = ..., max_trade: _Optional[str] = ..., max_open: _Optional[str] = ..., min_fee: _Optional[int] = ..., min_margin: _Optional[int] = ..., expiry: _Optional[int] = ..., nonce: _Optional[int] = ...) -> None: ...

class RegistryRow(_message.Message):
    __slots__ = ("cell", "chain_tag", "role")
    CELL_FIELD_NUMBER: _ClassVar[int]
    CHAIN_TAG_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    cell: bytes
    chain_tag: bytes
    role: int
    def __init__(self, cell: _Optional[bytes] = ..., chain_tag: _Optional[bytes] = ..., role: _Optional[int] = ...) -> None: ...

class CellSet(_message.Message):
    __slots__ = ("previous", "network_epoch", "epoch", "cells_hash", "registry_hash", "from_slot")
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_EPOCH_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    CELLS_HASH_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_HASH_FIELD_NUMBER: _ClassVar[int]
    FROM_SLOT_FIELD_NUMBER: _ClassVar[int]
    previous: bytes
    network_epoch: bytes
    epoch: int
    cells_hash: bytes
    registry_hash: bytes
    from_slot: int
    def __init__(self, previous: _Optional[bytes] = ..., network_epoch: _Optional[bytes] = ..., epoch: _Optional[int] = ..., cells_hash: _Optional[bytes] = ..., registry_hash: _Optional[bytes] = ..., from_slot: _Optional[int] = ...) -> None: ...

class Clearing(_message.Message):
    __slots__ = ("cell_set_id", "epoch", "slot_start", "slot_length", "level", "orders_root", "trades_root")
    CELL_SET_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SLOT_START_FIELD_NUMBER: _ClassVar[int]
    SLOT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    ORDERS_ROOT_FIELD_NUMBER: _ClassVar[int]
    TRADES_ROOT_FIELD_NUMBER: _ClassVar[int]
    cell_set_id: bytes
    epoch: int
    slot_start: int
    slot_length: int
    level: int
    orders_root: bytes
    trades_root: bytes
    def __init__(self, cell_set_id: _Optional[bytes] = ..., epoch: _Optional[int] = ..., slot_start: _Optional[int] = ..., slot_length: _Optional[int] = ..., level: _Optional[int] = ..., orders_root: _Optional[bytes] = ..., trades_root: _Optional[bytes] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("cell_set_id", "epoch", "slot_start", "slot_length", "network_epoch", "baseline_hash", "pending_root", "decisions_root", "flow_proof_hash", "setpoints_hash")
    CELL_SET_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SLOT_START_FIELD_NUMBER: _ClassVar[int]
    SLOT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    NETWORK_EPOCH_FIELD_NUMBER: _ClassVar[int]
    BASELINE_HASH_FIELD_NUMBER: _ClassVar[int]
    PENDING_ROOT_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_ROOT_FIELD_NUMBER: _ClassVar[int]
    FLOW_PROOF_HASH_FIELD_NUMBER: _ClassVar[int]
    SETPOINTS_HASH_FIELD_NUMBER: _ClassVar[int]
    cell_set_id: bytes
    epoch: int
    slot_start: int
    slot_length: int
    network_epoch: bytes
    baseline_hash: bytes
    pending_root: bytes
    decisions_root: bytes
    flow_proof_hash: bytes
    setpoints_hash: bytes
    def __init__(self, cell_set_id: _Optional[bytes] = ..., epoch: _Optional[int] = ..., slot_start: _Optional[int] = ..., slot_length: _Optional[int] = ..., network_epoch: _Optional[bytes] = ..., baseline_hash: _Optional[bytes] = ..., pending_root: _Optional[bytes] = ..., decisions_root: _Optional[bytes] = ..., flow_proof_hash: _Optional[bytes] = ..., setpoints_hash: _Optional[bytes] = ...) -> None: ...

class VerdictLeaf(_message.Message):
    __slots__ = ("dest_chain_tag", "dest_client", "sequence", "packet_commitment", "trade_id", "decision", "cap_wh", "reason", "group", "group_size", "owners")
    DEST_CHAIN_TAG_FIELD_NUMBER: _ClassVar[int]
    DEST_CLIENT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PACKET_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    CAP_WH_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    GROUP_SIZE_FIELD_NUMBER: _ClassVar[int]
    OWNERS_FIELD_NUMBER: _ClassVar[int]
    dest_chain_tag: bytes
    dest_client: bytes
    sequence: int
    packet_commitment: bytes
    trade_id: bytes
    decision: int
    cap_wh: int
    reason: int
    group: int
    group_size: int
    owners: int
    def __init__(self, dest_chain_tag: _Optional[bytes] = ..., dest_client: _Optional[bytes] = ..., sequence: _Optional[int] = ..., packet_commitment: _Optional[bytes] = ..., trade_id: _Optional[bytes] = ..., decision: _Optional[int] = ..., cap_wh: _Optional[int] = ..., reason: _Optional[int] = ..., group: _Optional[int] = ..., group_size: _Optional[int] = ..., owners: _Optional[int] = ...) -> None: ...

class ProvedVerdictLeaf(_message.Message):
    __slots__ = ("leaf", "proof")
    LEAF_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    leaf: VerdictLeaf
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, leaf: _Optional[_Union[VerdictLeaf, _Mapping]] = ..., proof: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("cell_set_id", "epoch", "slot_start", "slot_length", "verdict_hash", "readings_root", "boundary_root", "estimate_hash", "deliveries_root")
    CELL_SET_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SLOT_START_FIELD_NUMBER: _ClassVar[int]
    SLOT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    VERDICT_HASH_FIELD_NUMBER: _ClassVar[int]
    READINGS_ROOT_FIELD_NUMBER: _ClassVar[int]
    BOUNDARY_ROOT_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_HASH_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_ROOT_FIELD_NUMBER: _ClassVar[int]
    cell_set_id: bytes
    epoch: int
    slot_start: int
    slot_length: int
    verdict_hash: bytes
    readings_root: bytes
    boundary_root: bytes
    estimate_hash: bytes
    deliveries_root: bytes
    def __init__(self, cell_set_id: _Optional[bytes] = ..., epoch: _Optional[int] = ..., slot_start: _Optional[int] = ..., slot_length: _Optional[int] = ..., verdict_hash: _Optional[bytes] = ..., readings_root: _Optional[bytes] = ..., boundary_root: _Optional[bytes] = ..., estimate_hash: _Optional[bytes] = ..., deliveries_root: _Optional[bytes] = ...) -> None: ...

class DeliveryLeaf(_message.Message):
    __slots__ = ("trade_id", "delivered_wh")
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_WH_FIELD_NUMBER: _ClassVar[int]
    trade_id: bytes
    delivered_wh: int
    def __init__(self, trade_id: _Optional[bytes] = ..., delivered_wh: _Optional[int] = ...) -> None: ...

class ProvedDeliveryLeaf(_message.Message):
    __slots__ = ("leaf", "proof", "index")
    LEAF_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    leaf: DeliveryLeaf
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    index: int
    def __init__(self, leaf: _Optional[_Union[DeliveryLeaf, _Mapping]] = ..., proof: _Optional[_Iterable[bytes]] = ..., index: _Optional[int] = ...) -> None: ...

class Allocation(_message.Message):
    __slots__ = ("order_id", "account", "energy_wh", "price", "offset_wh")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ENERGY_WH_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_WH_FIELD_NUMBER: _ClassVar[int]
    order_id: bytes
    account: bytes
    energy_wh: int
    price: int
    offset_wh: int
    def __init__(self, order_id: _Optional[bytes] = ..., account: _Optional[bytes] = ..., energy_wh: _Optional[int] = ..., price: _Optional[int] = ..., offset_wh: _Optional[int] = ...) -> None: ...

class OwnLeaf(_message.Message):
    __slots__ = ("allocation", "proof")
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    allocation: Allocation
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, allocation: _Optional[_Union[Allocation, _Mapping]] = ..., proof: _Optional[_Iterable[bytes]] = ...) -> None: ...

class TradeEvidence(_message.Message):
    __slots__ = ("trade_id", "clearing_proof", "own_leaves")
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    CLEARING_PROOF_FIELD_NUMBER: _ClassVar[int]
    OWN_LEAVES_FIELD_NUMBER: _ClassVar[int]
    trade_id: bytes
    clearing_proof: _containers.RepeatedScalarFieldContainer[bytes]
    own_leaves: _containers.RepeatedCompositeFieldContainer[OwnLeaf]
    def __init__(self, trade_id: _Optional[bytes] = ..., clearing_proof: _Optional[_Iterable[bytes]] = ..., own_leaves: _Optional[_Iterable[_Union[OwnLeaf, _Mapping]]] = ...) -> None: ...

class LocalTrade(_message.Message):
    __slots__ = ("trade_id", "cell_set_id", "cell_set_epoch", "slot_start", "slot_length", "allocations_root", "buyer", "seller", "energy_wh", "price", "hashlock", "expiry", "clearing_root")
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    CELL_SET_ID_FIELD_NUMBER: _ClassVar[int]
    CELL_SET_EPOCH_FIELD_NUMBER: _ClassVar[int]
    SLOT_START_FIELD_NUMBER: _ClassVar[int]
    SLOT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    ALLOCATIONS_ROOT_FIELD_NUMBER: _ClassVar[int]
    BUYER_FIELD_NUMBER: _ClassVar[int]
    SELLER_FIELD_NUMBER: _ClassVar[int]
    ENERGY_WH_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    HASHLOCK_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_FIELD_NUMBER: _ClassVar[int]
    CLEARING_ROOT_FIELD_NUMBER: _ClassVar[int]
    trade_id: bytes
    cell_set_id: bytes
    cell_set_epoch: int
    slot_start: int
    slot_length: int
    allocations_root: bytes
    buyer: bytes
    seller: bytes
    energy_wh: int
    price: int
    hashlock: bytes
    expiry: int
    clearing_root: bytes
    def __init__(self, trade_id: _Optional[bytes] = ..., cell_set_id: _Optional[bytes] = ..., cell_set_epoch: _Optional[int] = ..., slot_start: _Optional[int] = ..., slot_length: _Optional[int] = ..., allocations_root: _Optional[bytes] = ..., buyer: _Optional[bytes] = ..., seller: _Optional[bytes] = ..., energy_wh: _Optional[int] = ..., price: _Optional[int] = ..., hashlock: _Optional[bytes] = ..., expiry: _Optional[int] = ..., clearing_root: _Optional[bytes] = ...) -> None: ...

class Reading(_message.Message):
    __slots__ = ("chain_tag", "meter_id", "period_start", "period_length", "import_register_wh", "export_register_wh", "counter", "quality")
    CHAIN_TAG_FIELD_NUMBER: _ClassVar[int]
    METER_ID_FIELD_NUMBER: _ClassVar[int]
    PERIOD_START_FIELD_NUMBER: _ClassVar[int]
    PERIOD_LENGTH_FIELD_NUMBER: _ClassVar[int]
    IMPORT_REGISTER_WH_FIELD_NUMBER: _ClassVar[int]
    EXPORT_REGISTER_WH_FIELD_NUMBER: _ClassVar[int]
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    chain_tag: bytes
    meter_id: bytes
    period_start: int
    period_length: int
    import_register_wh: int
    export_register_wh: int
    counter: int
    quality: int
    def __init__(self, chain_tag: _Optional[bytes] = ..., meter_id: _Optional[bytes] = ..., period_start: _Optional[int] = ..., period_length: _Optional[int] = ..., import_register_wh: _Optional[int] = ..., export_register_wh: _Optional[int] = ..., counter: _Optional[int] = ..., quality: _Optional[int] = ...) -> None: ...

class AttestorKey(_message.Message):
    __slots__ = ("chain_tag", "cell", "attestor", "from_epoch")
    CHAIN_TAG_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    ATTESTOR_FIELD_NUMBER: _ClassVar[int]
    FROM_EPOCH_FIELD_NUMBER: _ClassVar[int]
    chain_tag: bytes
    cell: bytes
    attestor: bytes
    from_epoch: int
    def __init__(self, chain_tag: _Optional[bytes] = ..., cell: _Optional[bytes] = ..., attestor: _Optional[bytes] = ..., from_epoch: _Optional[int] = ...) -> None: ...
