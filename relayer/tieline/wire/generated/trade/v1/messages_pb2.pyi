from tieline.wire.generated.trade.v1 import records_pb2 as _records_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MsgPlaceOrders(_message.Message):
    __slots__ = ("signer", "orders")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    signer: str
    orders: _containers.RepeatedCompositeFieldContainer[_records_pb2.SignedOrder]
    def __init__(self, signer: _Optional[str] = ..., orders: _Optional[_Iterable[_Union[_records_pb2.SignedOrder, _Mapping]]] = ...) -> None: ...

class MsgCancel(_message.Message):
    __slots__ = ("signer", "cancel", "signature")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    signer: str
    cancel: _records_pb2.Cancel
    signature: bytes
    def __init__(self, signer: _Optional[str] = ..., cancel: _Optional[_Union[_records_pb2.Cancel, _Mapping]] = ..., signature: _Optional[bytes] = ...) -> None: ...

class MsgReleaseOrder(_message.Message):
    __slots__ = ("signer", "order_id")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    signer: str
    order_id: bytes
    def __init__(self, signer: _Optional[str] = ..., order_id: _Optional[bytes] = ...) -> None: ...

class MsgPostCellSet(_message.Message):
    __slots__ = ("signer", "cell_set", "rows", "signatures")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    CELL_SET_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    signer: str
    cell_set: _records_pb2.CellSet
    rows: _containers.RepeatedCompositeFieldContainer[_records_pb2.RegistryRow]
    signatures: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, signer: _Optional[str] = ..., cell_set: _Optional[_Union[_records_pb2.CellSet, _Mapping]] = ..., rows: _Optional[_Iterable[_Union[_records_pb2.RegistryRow, _Mapping]]] = ..., signatures: _Optional[_Iterable[bytes]] = ...) -> None: ...

class MsgPostClearing(_message.Message):
    __slots__ = ("signer", "clearing", "signatures")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    CLEARING_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    signer: str
    clearing: _records_pb2.Clearing
    signatures: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, signer: _Optional[str] = ..., clearing: _Optional[_Union[_records_pb2.Clearing, _Mapping]] = ..., signatures: _Optional[_Iterable[bytes]] = ...) -> None: ...

class MsgTradeEvidence(_message.Message):
    __slots__ = ("signer", "evidence")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    signer: str
    evidence: _records_pb2.TradeEvidence
    def __init__(self, signer: _Optional[str] = ..., evidence: _Optional[_Union[_records_pb2.TradeEvidence, _Mapping]] = ...) -> None: ...

class MsgLockAndSend(_message.Message):
    __slots__ = ("signer", "source_client", "timeout_s", "trades")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    SOURCE_CLIENT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    TRADES_FIELD_NUMBER: _ClassVar[int]
    signer: str
    source_client: str
    timeout_s: int
    trades: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, signer: _Optional[str] = ..., source_client: _Optional[str] = ..., timeout_s: _Optional[int] = ..., trades: _Optional[_Iterable[bytes]] = ...) -> None: ...

class MsgOpenLocal(_message.Message):
    __slots__ = ("signer", "trade")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    TRADE_FIELD_NUMBER: _ClassVar[int]
    signer: str
    trade: _records_pb2.LocalTrade
    def __init__(self, signer: _Optional[str] = ..., trade: _Optional[_Union[_records_pb2.LocalTrade, _Mapping]] = ...) -> None: ...

class MsgApplyVerdict(_message.Message):
    __slots__ = ("signer", "slot_start", "decisions_root", "leaves", "verdict", "signatures")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    SLOT_START_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_ROOT_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    signer: str
    slot_start: int
    decisions_root: bytes
    leaves: _containers.RepeatedCompositeFieldContainer[_records_pb2.ProvedVerdictLeaf]
    verdict: _records_pb2.Verdict
    signatures: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, signer: _Optional[str] = ..., slot_start: _Optional[int] = ..., decisions_root: _Optional[bytes] = ..., leaves: _Optional[_Iterable[_Union[_records_pb2.ProvedVerdictLeaf, _Mapping]]] = ..., verdict: _Optional[_Union[_records_pb2.Verdict, _Mapping]] = ..., signatures: _Optional[_Iterable[bytes]] = ...) -> None: ...

class MsgExpirePending(_message.Message):
    __slots__ = ("signer", "lock_id")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    LOCK_ID_FIELD_NUMBER: _ClassVar[int]
    signer: str
    lock_id: bytes
    def __init__(self, signer: _Optional[str] = ..., lock_id: _Optional[bytes] = ...) -> None: ...

class MsgPostDelivery(_message.Message):
    __slots__ = ("signer", "delivery", "signatures")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    signer: str
    delivery: _records_pb2.Delivery
    signatures: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, signer: _Optional[str] = ..., delivery: _Optional[_Union[_records_pb2.Delivery, _Mapping]] = ..., signatures: _Optional[_Iterable[bytes]] = ...) -> None: ...

class MsgClaim(_message.Message):
    __slots__ = ("signer", "lock_id", "preimage", "delivery")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    LOCK_ID_FIELD_NUMBER: _ClassVar[int]
    PREIMAGE_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    signer: str
    lock_id: bytes
    preimage: bytes
    delivery: _records_pb2.ProvedDeliveryLeaf
    def __init__(self, signer: _Optional[str] = ..., lock_id: _Optional[bytes] = ..., preimage: _Optional[bytes] = ..., delivery: _Optional[_Union[_records_pb2.ProvedDeliveryLeaf, _Mapping]] = ...) -> None: ...

class MsgWaive(_message.Message):
    __slots__ = ("signer", "lock_id", "wh", "cosignature")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    LOCK_ID_FIELD_NUMBER: _ClassVar[int]
    WH_FIELD_NUMBER: _ClassVar[int]
    COSIGNATURE_FIELD_NUMBER: _ClassVar[int]
    signer: str
    lock_id: bytes
    wh: int
    cosignature: bytes
    def __init__(self, signer: _Optional[str] = ..., lock_id: _Optional[bytes] = ..., wh: _Optional[int] = ..., cosignature: _Optional[bytes] = ...) -> None: ...

class MsgRefund(_message.Message):
    __slots__ = ("signer", "lock_id", "deliveries")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    LOCK_ID_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    signer: str
    lock_id: bytes
    deliveries: _containers.RepeatedCompositeFieldContainer[_records_pb2.ProvedDeliveryLeaf]
    def __init__(self, signer: _Optional[str] = ..., lock_id: _Optional[bytes] = ..., deliveries: _Optional[_Iterable[_Union[_records_pb2.ProvedDeliveryLeaf, _Mapping]]] = ...) -> None: ...

class MsgCollectShare(_message.Message):
    __slots__ = ("signer", "lock_id", "side", "allocation", "proof")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    LOCK_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    signer: str
    lock_id: bytes
    side: int
    allocation: _records_pb2.Allocation
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, signer: _Optional[str] = ..., lock_id: _Optional[bytes] = ..., side: _Optional[int] = ..., allocation: _Optional[_Union[_records_pb2.Allocation, _Mapping]] = ..., proof: _Optional[_Iterable[bytes]] = ...) -> None: ...

class MsgDeposit(_message.Message):
    __slots__ = ("signer", "amount_nano_eur")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_NANO_EUR_FIELD_NUMBER: _ClassVar[int]
    signer: str
    amount_nano_eur: str
    def __init__(self, signer: _Optional[str] = ..., amount_nano_eur: _Optional[str] = ...) -> None: ...

class MsgWithdraw(_message.Message):
    __slots__ = ("signer", "amount_nano_eur")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_NANO_EUR_FIELD_NUMBER: _ClassVar[int]
    signer: str
    amount_nano_eur: str
    def __init__(self, signer: _Optional[str] = ..., amount_nano_eur: _Optional[str] = ...) -> None: ...

class MsgSetMandate(_message.Message):
    __slots__ = ("signer", "mandate", "signature")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    MANDATE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    signer: str
    mandate: _records_pb2.Mandate
    signature: bytes
    def __init__(self, signer: _Optional[str] = ..., mandate: _Optional[_Union[_records_pb2.Mandate, _Mapping]] = ..., signature: _Optional[bytes] = ...) -> None: ...

class MsgSetBands(_message.Message):
    __slots__ = ("signer", "slot_start", "slot_length", "price_min", "price_max", "bond_price")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    SLOT_START_FIELD_NUMBER: _ClassVar[int]
    SLOT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    PRICE_MIN_FIELD_NUMBER: _ClassVar[int]
    PRICE_MAX_FIELD_NUMBER: _ClassVar[int]
    BOND_PRICE_FIELD_NUMBER: _ClassVar[int]
    signer: str
    slot_start: int
    slot_length: int
    price_min: int
    price_max: int
    bond_price: int
    def __init__(self, signer: _Optional[str] = ..., slot_start: _Optional[int] = ..., slot_length: _Optional[int] = ..., price_min: _Optional[int] = ..., price_max: _Optional[int] = ..., bond_price: _Optional[int] = ...) -> None: ...

class MsgSetStockChain(_message.Message):
    __slots__ = ("signer", "chain_tag", "client", "account_prefix")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    CHAIN_TAG_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_PREFIX_FIELD_NUMBER: _ClassVar[int]
    signer: str
    chain_tag: bytes
    client: str
    account_prefix: str
    def __init__(self, signer: _Optional[str] = ..., chain_tag: _Optional[bytes] = ..., client: _Optional[str] = ..., account_prefix: _Optional[str] = ...) -> None: ...

class MsgOpenAbroad(_message.Message):
    __slots__ = ("signer", "trades")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    TRADES_FIELD_NUMBER: _ClassVar[int]
    signer: str
    trades: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, signer: _Optional[str] = ..., trades: _Optional[_Iterable[bytes]] = ...) -> None: ...

class MsgRetryOwed(_message.Message):
    __slots__ = ("signer", "account", "owed_id")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    OWED_ID_FIELD_NUMBER: _ClassVar[int]
    signer: str
    account: bytes
    owed_id: bytes
    def __init__(self, signer: _Optional[str] = ..., account: _Optional[bytes] = ..., owed_id: _Optional[bytes] = ...) -> None: ...

class MsgTakeOwed(_message.Message):
    __slots__ = ("signer", "owed_id")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    OWED_ID_FIELD_NUMBER: _ClassVar[int]
    signer: str
    owed_id: bytes
    def __init__(self, signer: _Optional[str] = ..., owed_id: _Optional[bytes] = ...) -> None: ...
