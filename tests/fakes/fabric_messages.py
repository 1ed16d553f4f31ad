"""The official protobuf classes of Fabric by name: what our own readers and writers are held to."""

from __future__ import annotations

from importlib import import_module
from typing import Any

MODULES = {
    "common": ("common", "configtx", "configuration", "policies"),
    "ledger": ("rwset.rwset", "rwset.kvrwset.kv_rwset"),
    "msp": ("identities", "msp_config", "msp_principal"),
    "orderer": ("configuration",),
    "peer": (
        "proposal",
        "proposal_response",
        "transaction",
        "chaincode_event",
        "policy",
        "lifecycle.db",
        "lifecycle.chaincode_definition",
    ),
}


def official(name: str) -> Any:
    """Return the class of a message by its name, such as ``Block``; the first that has it."""
    for folder, modules in MODULES.items():
        for module in modules:
            found = getattr(import_module(f"fabric_protos.{folder}.{module}_pb2"), name, None)
            if found is not None:
                return found
    raise LookupError(name)


def rewritten(name: str, data: bytes) -> bytes:
    """Return *data* as the official class of that name reads and writes it."""
    written: bytes = official(name).FromString(data).SerializeToString()
    return written
