from google.protobuf import any_pb2 as _any_pb2
from tieline.wire.generated.trade.v1 import records_pb2 as _records_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Paired(_message.Message):
    __slots__ = ("native", "attestation")
    NATIVE_FIELD_NUMBER: _ClassVar[int]
    ATTESTATION_FIELD_NUMBER: _ClassVar[int]
    native: bytes
    attestation: bytes
    def __init__(self, native: _Optional[bytes] = ..., attestation: _Optional[bytes] = ...) -> None: ...

class SignedAttestorKey(_message.Message):
    __slots__ = ("key", "cell_signature", "attestor_signature")
    KEY_FIELD_NUMBER: _ClassVar[int]
    CELL_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    ATTESTOR_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    key: _records_pb2.AttestorKey
    cell_signature: bytes
    attestor_signature: bytes
    def __init__(self, key: _Optional[_Union[_records_pb2.AttestorKey, _Mapping]] = ..., cell_signature: _Optional[bytes] = ..., attestor_signature: _Optional[bytes] = ...) -> None: ...

class PairedClientState(_message.Message):
    __slots__ = ("native", "attestor_keys", "min_signatures", "own_cell")
    NATIVE_FIELD_NUMBER: _ClassVar[int]
    ATTESTOR_KEYS_FIELD_NUMBER: _ClassVar[int]
    MIN_SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    OWN_CELL_FIELD_NUMBER: _ClassVar[int]
    native: _any_pb2.Any
    attestor_keys: _containers.RepeatedCompositeFieldContainer[SignedAttestorKey]
    min_signatures: int
    own_cell: bytes
    def __init__(self, native: _Optional[_Union[_any_pb2.Any, _Mapping]] = ..., attestor_keys: _Optional[_Iterable[_Union[SignedAttestorKey, _Mapping]]] = ..., min_signatures: _Optional[int] = ..., own_cell: _Optional[bytes] = ...) -> None: ...

class RotateSet(_message.Message):
    __slots__ = ("attestors", "min_signatures", "from_height", "signatures", "attestor_keys")
    ATTESTORS_FIELD_NUMBER: _ClassVar[int]
    MIN_SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    FROM_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    ATTESTOR_KEYS_FIELD_NUMBER: _ClassVar[int]
    attestors: _containers.RepeatedScalarFieldContainer[bytes]
    min_signatures: int
    from_height: int
    signatures: _containers.RepeatedScalarFieldContainer[bytes]
    attestor_keys: _containers.RepeatedCompositeFieldContainer[SignedAttestorKey]
    def __init__(self, attestors: _Optional[_Iterable[bytes]] = ..., min_signatures: _Optional[int] = ..., from_height: _Optional[int] = ..., signatures: _Optional[_Iterable[bytes]] = ..., attestor_keys: _Optional[_Iterable[_Union[SignedAttestorKey, _Mapping]]] = ...) -> None: ...
