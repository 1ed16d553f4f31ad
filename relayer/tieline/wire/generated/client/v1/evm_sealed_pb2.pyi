from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EvmSealing(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVM_SEALING_UNSPECIFIED: _ClassVar[EvmSealing]
    EVM_SEALING_AUTHORITY: _ClassVar[EvmSealing]
    EVM_SEALING_QBFT: _ClassVar[EvmSealing]
    EVM_SEALING_IBFT2: _ClassVar[EvmSealing]
EVM_SEALING_UNSPECIFIED: EvmSealing
EVM_SEALING_AUTHORITY: EvmSealing
EVM_SEALING_QBFT: EvmSealing
EVM_SEALING_IBFT2: EvmSealing

class PinnedContract(_message.Message):
    __slots__ = ("address", "code_hash")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CODE_HASH_FIELD_NUMBER: _ClassVar[int]
    address: bytes
    code_hash: bytes
    def __init__(self, address: _Optional[bytes] = ..., code_hash: _Optional[bytes] = ...) -> None: ...

class EvmSealedClientState(_message.Message):
    __slots__ = ("chain_id", "genesis_hash", "sealing", "sealers", "host", "pinned", "commitments_slot", "latest_height", "trusting_period", "max_clock_drift", "is_frozen")
    CHAIN_ID_FIELD_NUMBER: _ClassVar[int]
    GENESIS_HASH_FIELD_NUMBER: _ClassVar[int]
    SEALING_FIELD_NUMBER: _ClassVar[int]
    SEALERS_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    COMMITMENTS_SLOT_FIELD_NUMBER: _ClassVar[int]
    LATEST_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    TRUSTING_PERIOD_FIELD_NUMBER: _ClassVar[int]
    MAX_CLOCK_DRIFT_FIELD_NUMBER: _ClassVar[int]
    IS_FROZEN_FIELD_NUMBER: _ClassVar[int]
    chain_id: int
    genesis_hash: bytes
    sealing: EvmSealing
    sealers: _containers.RepeatedScalarFieldContainer[bytes]
    host: bytes
    pinned: _containers.RepeatedCompositeFieldContainer[PinnedContract]
    commitments_slot: bytes
    latest_height: int
    trusting_period: int
    max_clock_drift: int
    is_frozen: bool
    def __init__(self, chain_id: _Optional[int] = ..., genesis_hash: _Optional[bytes] = ..., sealing: _Optional[_Union[EvmSealing, str]] = ..., sealers: _Optional[_Iterable[bytes]] = ..., host: _Optional[bytes] = ..., pinned: _Optional[_Iterable[_Union[PinnedContract, _Mapping]]] = ..., commitments_slot: _Optional[bytes] = ..., latest_height: _Optional[int] = ..., trusting_period: _Optional[int] = ..., max_clock_drift: _Optional[int] = ..., is_frozen: bool = ...) -> None: ...

class EvmSealedConsensusState(_message.Message):
    __slots__ = ("timestamp", "storage_root", "block_hash", "validators")
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    STORAGE_ROOT_FIELD_NUMBER: _ClassVar[int]
    BLOCK_HASH_FIELD_NUMBER: _ClassVar[int]
    VALIDATORS_FIELD_NUMBER: _ClassVar[int]
    timestamp: int
    storage_root: bytes
    block_hash: bytes
    validators: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, timestamp: _Optional[int] = ..., storage_root: _Optional[bytes] = ..., block_hash: _Optional[bytes] = ..., validators: _Optional[_Iterable[bytes]] = ...) -> None: ...

class EvmSealedHeader(_message.Message):
    __slots__ = ("header", "seals", "trusted_height", "account_nodes")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    SEALS_FIELD_NUMBER: _ClassVar[int]
    TRUSTED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_NODES_FIELD_NUMBER: _ClassVar[int]
    header: bytes
    seals: _containers.RepeatedScalarFieldContainer[bytes]
    trusted_height: int
    account_nodes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, header: _Optional[bytes] = ..., seals: _Optional[_Iterable[bytes]] = ..., trusted_height: _Optional[int] = ..., account_nodes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class EvmSealedMisbehaviour(_message.Message):
    __slots__ = ("header_1", "header_2")
    HEADER_1_FIELD_NUMBER: _ClassVar[int]
    HEADER_2_FIELD_NUMBER: _ClassVar[int]
    header_1: EvmSealedHeader
    header_2: EvmSealedHeader
    def __init__(self, header_1: _Optional[_Union[EvmSealedHeader, _Mapping]] = ..., header_2: _Optional[_Union[EvmSealedHeader, _Mapping]] = ...) -> None: ...

class EvmStorageProof(_message.Message):
    __slots__ = ("nodes",)
    NODES_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, nodes: _Optional[_Iterable[bytes]] = ...) -> None: ...
