"""Blocks and answers of two real Fabric 3.1.1 networks: ``vectors/fabric_blocks.json``."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.x509 import load_pem_x509_certificate

from tieline.wire.fabric.blocks import Block
from tieline.wire.fabric.identities import SerializedIdentity
from tieline.wire.fabric.responses import EndorsedResponse, Endorsement
from tieline.wire.fabric.transactions import EndorserTransaction, decode_transaction

FILE = Path(__file__).parents[1] / "vectors" / "fabric_blocks.json"
RAFT = "raft"
BFT = "bft"
NETWORKS = (RAFT, BFT)


@dataclass(frozen=True)
class RecordedFabric:
    """One network's chain, and by name what was done on it."""

    channel: str
    chaincode: str
    raw_blocks: tuple[bytes, ...]
    """``common.Block`` from block 0, as a peer keeps them."""
    done: Mapping[str, int]
    """
    The block of: put, conflict (two transactions), duplicate (etcdraft), too few endorsements, odd
    (what peers pass over), strange (what they do not ask), delete, config, after config, after
    definition.
    """
    read_backs: Mapping[str, EndorsedResponse]
    """marker, absent, odd, strange, after definition: what both peers answered to ``get``."""

    @property
    def blocks(self) -> tuple[Block, ...]:
        """All blocks, read."""
        return tuple(map(Block.decode, self.raw_blocks))

    def block(self, name: str) -> Block:
        """Return the block in which something was done."""
        return Block.decode(self.raw_blocks[self.done[name]])

    def transaction(self, name: str, index: int = 0) -> EndorserTransaction:
        """Return a transaction by what it did."""
        return decode_transaction(self.block(name).data[index])


@cache
def recorded(network: str) -> RecordedFabric:
    """Return RAFT's or BFT's record."""
    told = json.loads(FILE.read_bytes())["networks"][network]
    return RecordedFabric(
        told["channel"],
        told["chaincode"],
        tuple(map(b64decode, told["blocks"])),
        {name: one["block"] for name, one in told["done"].items()},
        {name: _read_back(one) for name, one in told["read_backs"].items()},
    )


def _read_back(told: Mapping[str, Any]) -> EndorsedResponse:
    return EndorsedResponse(
        b64decode(told["channel_header"]),
        b64decode(told["signature_header"]),
        b64decode(told["proposal_payload"]),
        b64decode(told["response_payload"]),
        tuple(
            Endorsement(b64decode(one["endorser"]), b64decode(one["signature"]))
            for one in told["endorsements"]
        ),
    )


def key_of(identity: bytes) -> EllipticCurvePublicKey:
    """Return the public key in a ``SerializedIdentity``; its certificate is not judged."""
    return key_of_certificate(SerializedIdentity.decode(identity).certificate)


def key_of_certificate(pem: bytes) -> EllipticCurvePublicKey:
    """Return the public key in a certificate."""
    key = load_pem_x509_certificate(pem).public_key()
    assert isinstance(key, EllipticCurvePublicKey)
    return key
