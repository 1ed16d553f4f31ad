"""
From revert data to words and numbers that the hub sorts by: custom errors have the names of the
Python contract's classes where they mean the same, and then its codespace and code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from tieline.contract import errors, trade_errors
from tieline.contract.twin.state import client_id_of
from tieline.ledgers.ethereum.artifacts import artifact_names, load_artifact
from tieline.protocol import errors as protocol_errors
from tieline.protocol.errors import ProtocolError
from tieline.wire.errors import Malformed
from tieline.wire.evm.declarations import SELECTOR_BYTES, Function

CODESPACE: Final = "evm"
"""Of refusals that only an EVM ledger knows."""
REVERTED: Final = 3
"""A contract undid the transaction; the name says why. Nodes use this number too."""

_SAME_AS: Final[Mapping[str, str]] = {
    "ClientUnknown": "ClientNotFound",
    "ClientIsFrozen": "ClientNotActive",
    "ClientPaused": "ClientNotActive",
    "CounterpartyUnknown": "CounterpartyNotFound",
    "HeightUnknown": "ConsensusStateNotFound",
    "CommitmentMismatch": "ProofInvalid",
    "EntryUnknown": "ProofInvalid",
    "PathMismatch": "ProofInvalid",
    "AttestationMalformed": "ClientRefused",
    "QuorumNotMet": "ClientRefused",
    "SignatureInvalid": "ClientRefused",
    "SignerInvalid": "ClientRefused",
    "TimestampInFuture": "ClientRefused",
    "TimestampNotMonotone": "ClientRefused",
    "TimestampInvalid": "ClientRefused",
    "HeightInvalid": "ClientRefused",
    "HeightBeforeRotation": "ClientRefused",
    "HeightTooFarBack": "ClientRefused",
    "AttestorsInvalid": "ClientRefused",
    "QuorumInvalid": "ClientRefused",
    "NoMisbehaviour": "ClientRefused",
    "PathTwice": "ProofInvalid",
    "TimeoutTooFarAhead": "InvalidTimeout",
    "PacketMismatch": "InvalidPacket",
    "PacketInvalid": "InvalidPacket",
    "PayloadInvalid": "InvalidPayload",
    "AcknowledgementInvalid": "InvalidAcknowledgement",
    "NotTheCell": "NotPermitted",
    "CounterpartyExists": "InvalidRequest",
    "IdentifierInvalid": "InvalidIdentifier",
}
"""What the host calls otherwise than ibc-go."""

_PLAIN = (Function("error Error(string message)"), Function("error Panic(uint256 code)"))
"""What Solidity itself raises."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a transaction was refused, as ``TxEvents`` says it."""

    codespace: str
    code: int
    log: str


def read_refusal(output: bytes, breakdown: str = "") -> Refusal:
    """
    Return what revert data says.

    Args:
        output: As the call returned it; empty if it broke down.
        breakdown: The EVM's own word for that.
    """
    function = _errors_by_selector().get(output[:SELECTOR_BYTES])
    if function is None:
        said = f"revert data 0x{output.hex()}" if output else breakdown or "reverted without a word"
        return Refusal(CODESPACE, REVERTED, said)
    try:
        values = function.decode(output)
    except Malformed as exc:
        return Refusal(CODESPACE, REVERTED, f"{function.name}: unreadable: {exc}")
    codespace, code = _numbers().get(function.name, (CODESPACE, REVERTED))
    return Refusal(codespace, code, _words(function.name, values))


def _words(name: str, values: Mapping[str, Any]) -> str:
    said = [f"{key}={_text(key, value)}" for key, value in values.items()]
    return f"{name}: {' '.join(said)}" if said else name


def _text(key: str, value: Any) -> str:
    if not isinstance(value, bytes):
        # The hub holds what goes over a client that a refusal names.
        return client_id_of(value) if key == "client" else str(value)
    stripped = value.rstrip(b"\0")
    if stripped and stripped.isascii() and stripped.decode().isprintable():
        return stripped.decode()
    return "0x" + value.hex()


@cache
def _errors_by_selector() -> dict[bytes, Function]:
    found: Iterable[Function] = (
        one for name in artifact_names() for one in load_artifact(name).errors()
    )
    return {one.selector: one for one in (*_PLAIN, *found)}


@cache
def _numbers() -> dict[str, tuple[str, int]]:
    kinds = {
        kind.__name__: (kind.codespace, kind.code)
        for module in (protocol_errors, errors, trade_errors)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, ProtocolError)
    }
    return kinds | {name: kinds[same] for name, same in _SAME_AS.items()}
