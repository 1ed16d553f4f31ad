from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class KnownConfig(_message.Message):
    __slots__ = ("number", "config")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    number: int
    config: bytes
    def __init__(self, number: _Optional[int] = ..., config: _Optional[bytes] = ...) -> None: ...

class KnownDefinition(_message.Message):
    __slots__ = ("block", "index", "sequence", "endorsement_policy")
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ENDORSEMENT_POLICY_FIELD_NUMBER: _ClassVar[int]
    block: int
    index: int
    sequence: int
    endorsement_policy: bytes
    def __init__(self, block: _Optional[int] = ..., index: _Optional[int] = ..., sequence: _Optional[int] = ..., endorsement_policy: _Optional[bytes] = ...) -> None: ...

class ClientState(_message.Message):
    __slots__ = ("channel", "chaincode", "genesis_hash", "latest_height", "trusting_period", "max_clock_drift", "is_frozen", "configs", "definitions")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    CHAINCODE_FIELD_NUMBER: _ClassVar[int]
    GENESIS_HASH_FIELD_NUMBER: _ClassVar[int]
    LATEST_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    TRUSTING_PERIOD_FIELD_NUMBER: _ClassVar[int]
    MAX_CLOCK_DRIFT_FIELD_NUMBER: _ClassVar[int]
    IS_FROZEN_FIELD_NUMBER: _ClassVar[int]
    CONFIGS_FIELD_NUMBER: _ClassVar[int]
    DEFINITIONS_FIELD_NUMBER: _ClassVar[int]
    channel: str
    chaincode: str
    genesis_hash: bytes
    latest_height: int
    trusting_period: int
    max_clock_drift: int
    is_frozen: bool
    configs: _containers.RepeatedCompositeFieldContainer[KnownConfig]
    definitions: _containers.RepeatedCompositeFieldContainer[KnownDefinition]
    def __init__(self, channel: _Optional[str] = ..., chaincode: _Optional[str] = ..., genesis_hash: _Optional[bytes] = ..., latest_height: _Optional[int] = ..., trusting_period: _Optional[int] = ..., max_clock_drift: _Optional[int] = ..., is_frozen: bool = ..., configs: _Optional[_Iterable[_Union[KnownConfig, _Mapping]]] = ..., definitions: _Optional[_Iterable[_Union[KnownDefinition, _Mapping]]] = ...) -> None: ...

class ConsensusState(_message.Message):
    __slots__ = ("timestamp", "block_hash")
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    BLOCK_HASH_FIELD_NUMBER: _ClassVar[int]
    timestamp: int
    block_hash: bytes
    def __init__(self, timestamp: _Optional[int] = ..., block_hash: _Optional[bytes] = ...) -> None: ...

class OrdererSignature(_message.Message):
    __slots__ = ("signature_header", "identifier_header", "signature")
    SIGNATURE_HEADER_FIELD_NUMBER: _ClassVar[int]
    IDENTIFIER_HEADER_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    signature_header: bytes
    identifier_header: bytes
    signature: bytes
    def __init__(self, signature_header: _Optional[bytes] = ..., identifier_header: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class SignedBlock(_message.Message):
    __slots__ = ("number", "previous_hash", "envelopes", "metadata_value", "signatures")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_HASH_FIELD_NUMBER: _ClassVar[int]
    ENVELOPES_FIELD_NUMBER: _ClassVar[int]
    METADATA_VALUE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    number: int
    previous_hash: bytes
    envelopes: _containers.RepeatedScalarFieldContainer[bytes]
    metadata_value: bytes
    signatures: _containers.RepeatedCompositeFieldContainer[OrdererSignature]
    def __init__(self, number: _Optional[int] = ..., previous_hash: _Optional[bytes] = ..., envelopes: _Optional[_Iterable[bytes]] = ..., metadata_value: _Optional[bytes] = ..., signatures: _Optional[_Iterable[_Union[OrdererSignature, _Mapping]]] = ...) -> None: ...

class PeerEndorsement(_message.Message):
    __slots__ = ("endorser", "signature")
    ENDORSER_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    endorser: bytes
    signature: bytes
    def __init__(self, endorser: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class ReadBack(_message.Message):
    __slots__ = ("channel_header", "signature_header", "proposal_payload", "response_payload", "endorsements")
    CHANNEL_HEADER_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_HEADER_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ENDORSEMENTS_FIELD_NUMBER: _ClassVar[int]
    channel_header: bytes
    signature_header: bytes
    proposal_payload: bytes
    response_payload: bytes
    endorsements: _containers.RepeatedCompositeFieldContainer[PeerEndorsement]
    def __init__(self, channel_header: _Optional[bytes] = ..., signature_header: _Optional[bytes] = ..., proposal_payload: _Optional[bytes] = ..., response_payload: _Optional[bytes] = ..., endorsements: _Optional[_Iterable[_Union[PeerEndorsement, _Mapping]]] = ...) -> None: ...

class ConfigStep(_message.Message):
    __slots__ = ("block",)
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    block: SignedBlock
    def __init__(self, block: _Optional[_Union[SignedBlock, _Mapping]] = ...) -> None: ...

class DefinitionStep(_message.Message):
    __slots__ = ("block", "index")
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    block: SignedBlock
    index: int
    def __init__(self, block: _Optional[_Union[SignedBlock, _Mapping]] = ..., index: _Optional[int] = ...) -> None: ...

class Header(_message.Message):
    __slots__ = ("block", "tick_index", "read_back", "config_steps", "definition_steps")
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    TICK_INDEX_FIELD_NUMBER: _ClassVar[int]
    READ_BACK_FIELD_NUMBER: _ClassVar[int]
    CONFIG_STEPS_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_STEPS_FIELD_NUMBER: _ClassVar[int]
    block: SignedBlock
    tick_index: int
    read_back: ReadBack
    config_steps: _containers.RepeatedCompositeFieldContainer[ConfigStep]
    definition_steps: _containers.RepeatedCompositeFieldContainer[DefinitionStep]
    def __init__(self, block: _Optional[_Union[SignedBlock, _Mapping]] = ..., tick_index: _Optional[int] = ..., read_back: _Optional[_Union[ReadBack, _Mapping]] = ..., config_steps: _Optional[_Iterable[_Union[ConfigStep, _Mapping]]] = ..., definition_steps: _Optional[_Iterable[_Union[DefinitionStep, _Mapping]]] = ...) -> None: ...

class Misbehaviour(_message.Message):
    __slots__ = ("fork_1", "fork_2", "header_1", "header_2")
    FORK_1_FIELD_NUMBER: _ClassVar[int]
    FORK_2_FIELD_NUMBER: _ClassVar[int]
    HEADER_1_FIELD_NUMBER: _ClassVar[int]
    HEADER_2_FIELD_NUMBER: _ClassVar[int]
    fork_1: SignedBlock
    fork_2: SignedBlock
    header_1: Header
    header_2: Header
    def __init__(self, fork_1: _Optional[_Union[SignedBlock, _Mapping]] = ..., fork_2: _Optional[_Union[SignedBlock, _Mapping]] = ..., header_1: _Optional[_Union[Header, _Mapping]] = ..., header_2: _Optional[_Union[Header, _Mapping]] = ...) -> None: ...

class MembershipProof(_message.Message):
    __slots__ = ("block", "index", "read_back", "data_hashes")
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    READ_BACK_FIELD_NUMBER: _ClassVar[int]
    DATA_HASHES_FIELD_NUMBER: _ClassVar[int]
    block: SignedBlock
    index: int
    read_back: ReadBack
    data_hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, block: _Optional[_Union[SignedBlock, _Mapping]] = ..., index: _Optional[int] = ..., read_back: _Optional[_Union[ReadBack, _Mapping]] = ..., data_hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class AbsenceProof(_message.Message):
    __slots__ = ("block", "index", "read_back")
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    READ_BACK_FIELD_NUMBER: _ClassVar[int]
    block: SignedBlock
    index: int
    read_back: ReadBack
    def __init__(self, block: _Optional[_Union[SignedBlock, _Mapping]] = ..., index: _Optional[int] = ..., read_back: _Optional[_Union[ReadBack, _Mapping]] = ...) -> None: ...
