"""
The peers' own chaincode ``_lifecycle``, which commits definitions of chaincodes. Approvals are not
kept apart: who endorses the commit approves it.

Sources:
    Fabric 3.1.1, ``core/chaincode/lifecycle/{lifecycle,serializer,scc}.go``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from tieline.contract.chaincode import Invocation, StateReader
from tieline.ledgers.fabric.embedded.world_state import WorldState
from tieline.wire.errors import Malformed
from tieline.wire.fabric.invocations import STATUS_OK, STATUS_REFUSED
from tieline.wire.fabric.lifecycle import (
    LIFECYCLE,
    ChaincodeDefinition,
    definition_of_state,
    metadata_key,
)
from tieline.wire.fabric.reader import Message
from tieline.wire.proto_fields import bytes_field, uint_field

SYSTEM_VERSION: Final = "syscc"
COMMIT: Final = b"CommitChaincodeDefinition"
LIFECYCLE_POLICY: Final = "/Channel/Application/LifecycleEndorsement"


def commit_args(definition: ChaincodeDefinition) -> tuple[bytes, ...]:
    """Return the call that commits a definition: ``CommitChaincodeDefinitionArgs``."""
    content = (
        uint_field(1, definition.sequence)
        + bytes_field(2, definition.chaincode.encode())
        + bytes_field(3, definition.version.encode())
        + bytes_field(4, definition.endorsement_plugin.encode())
        + bytes_field(5, definition.validation_plugin.encode())
        + bytes_field(6, definition.validation_parameter)
        + bytes_field(7, definition.collections)
        + uint_field(8, definition.init_required)
    )
    return (COMMIT, content)


def definition_in(state: WorldState, chaincode: str) -> ChaincodeDefinition | None:
    """Return the committed definition, None if there is none."""

    def read(key: str) -> bytes:
        held = state.get(LIFECYCLE, key)
        return b"" if held is None else held.value

    return _definition(chaincode, read)


class LifecycleChaincode:
    """Fits ``simulation.Chaincode``."""

    def invoke(
        self, args: Sequence[bytes], state: StateReader, wall_s: Callable[[], int], /
    ) -> Invocation:
        """Commit a definition whose sequence is the next; write only the fields that change."""
        del wall_s
        if len(args) != 2 or args[0] != COMMIT:
            return Invocation(STATUS_REFUSED, "unknown function of _lifecycle")
        try:
            wanted = _wanted(args[1])
        except Malformed as exc:
            return Invocation(STATUS_REFUSED, f"no definition: {exc}")
        known = _definition(wanted.chaincode, state.get_state)
        expected = 1 if known is None else known.sequence + 1
        if wanted.sequence != expected:
            text = f"requested sequence is {wanted.sequence}, but new definition must be "
            return Invocation(STATUS_REFUSED, f"{text}sequence {expected}")
        writes = tuple((one.key, one.value) for one in wanted.writes(known))
        return Invocation(STATUS_OK, writes=writes)


def _definition(chaincode: str, read: Callable[[str], bytes]) -> ChaincodeDefinition | None:
    return _of_values(chaincode, tuple(read(key) for key in _keys(chaincode)))


@lru_cache(maxsize=64)
def _keys(chaincode: str) -> tuple[str, ...]:
    """Return the keys of a definition, its metadata first."""
    fields = ChaincodeDefinition(chaincode, 1, "").state()
    return tuple(sorted(fields, key=lambda key: (key != metadata_key(chaincode), key)))


@lru_cache(maxsize=64)
def _of_values(chaincode: str, values: tuple[bytes, ...]) -> ChaincodeDefinition | None:
    if not values[0]:
        return None
    return definition_of_state(chaincode, dict(zip(_keys(chaincode), values, strict=True)))


def _wanted(data: bytes) -> ChaincodeDefinition:
    fields = Message(data)
    definition = ChaincodeDefinition(
        fields.text(2),
        fields.int64(1),
        fields.text(3),
        fields.octets(6),
        fields.boolean(8),
        fields.text(4),
        fields.text(5),
        fields.octets(7),
    )
    _ = definition.endorsement_policy  # a policy that nobody can read would stop the chaincode
    return definition
