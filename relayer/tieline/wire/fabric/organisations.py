"""
What a channel's configuration says of an organisation: the certificates it issues by, and roles.

Sources:
    fabric-protos ``msp/msp_config.proto``.
"""

from __future__ import annotations

from dataclasses import dataclass

from tieline.wire.errors import Malformed
from tieline.wire.fabric.reader import Message
from tieline.wire.proto_fields import bytes_field, int_field, message_field, uint_field

X509_TYPE = 0
CERTIFICATES_MAX = 256


@dataclass(frozen=True, slots=True)
class UnitIdentifier:
    """``msp.FabricOUIdentifier``: an organisational unit under one issuer."""

    unit: str
    certificate: bytes = b""
    """PEM of the issuer; empty: any of the organisation's."""

    def encode(self) -> bytes:
        """Write the identifier."""
        return bytes_field(1, self.certificate) + bytes_field(2, self.unit.encode())

    @staticmethod
    def decode(data: bytes) -> UnitIdentifier:
        """Read an identifier. Raises Malformed."""
        fields = Message(data)
        return UnitIdentifier(fields.text(2), fields.octets(1))


@dataclass(frozen=True, slots=True)
class NodeUnits:
    """``msp.FabricNodeOUs``: the units that give roles. None: no such role by unit."""

    is_enabled: bool = False
    client: UnitIdentifier | None = None
    peer: UnitIdentifier | None = None
    admin: UnitIdentifier | None = None
    orderer: UnitIdentifier | None = None

    def encode(self) -> bytes:
        """Write the units."""
        units = self.client, self.peer, self.admin, self.orderer
        return uint_field(1, int(self.is_enabled)) + b"".join(
            message_field(number, one.encode())
            for number, one in enumerate(units, 2)
            if one is not None
        )

    @staticmethod
    def decode(data: bytes) -> NodeUnits:
        """Read the units. Raises Malformed."""
        fields = Message(data)
        found = [fields.embedded(number) for number in range(2, 6)]
        units = [None if raw is None else UnitIdentifier.decode(raw) for raw in found]
        return NodeUnits(fields.boolean(1), *units)


@dataclass(frozen=True, slots=True)
class MspConfig:
    """``msp.FabricMSPConfig``: an organisation. Certificates and lists are PEM, as written."""

    msp_id: str
    root_certificates: tuple[bytes, ...]
    intermediate_certificates: tuple[bytes, ...] = ()
    admins: tuple[bytes, ...] = ()
    revocation_lists: tuple[bytes, ...] = ()
    units: tuple[UnitIdentifier, ...] = ()
    """If any, every member is of one of them."""
    tls_root_certificates: tuple[bytes, ...] = ()
    tls_intermediate_certificates: tuple[bytes, ...] = ()
    node_units: NodeUnits | None = None
    signature_hash_family: str = "SHA2"
    identity_hash: str = "SHA256"

    def encode(self) -> bytes:
        """Write ``msp.MSPConfig`` with the ``FabricMSPConfig`` in it: an organisation's value."""
        hashes = bytes_field(1, self.signature_hash_family.encode())
        hashes += bytes_field(2, self.identity_hash.encode())
        parts = [
            bytes_field(1, self.msp_id.encode()),
            *(message_field(2, one) for one in self.root_certificates),
            *(message_field(3, one) for one in self.intermediate_certificates),
            *(message_field(4, one) for one in self.admins),
            *(message_field(5, one) for one in self.revocation_lists),
            *(message_field(7, one.encode()) for one in self.units),
            message_field(8, hashes),
            *(message_field(9, one) for one in self.tls_root_certificates),
            *(message_field(10, one) for one in self.tls_intermediate_certificates),
            b"" if self.node_units is None else message_field(11, self.node_units.encode()),
        ]
        return int_field(1, X509_TYPE) + bytes_field(2, b"".join(parts))

    @staticmethod
    def decode(data: bytes) -> MspConfig:
        """Read ``msp.MSPConfig``. Raises Malformed; also if it is not of X.509."""
        outer = Message(data)
        if outer.int32(1) != X509_TYPE:
            raise Malformed(f"organisation not of X.509: type={outer.int32(1)}")
        fields = Message(outer.octets(2))
        lists = {number: fields.each(number) for number in (2, 3, 4, 5, 7, 9, 10)}
        if any(len(one) > CERTIFICATES_MAX for one in lists.values()):
            raise Malformed("too many certificates of an organisation")
        hashes, node_units = fields.message(8), fields.embedded(11)
        return MspConfig(
            fields.text(1),
            lists[2],
            lists[3],
            lists[4],
            lists[5],
            tuple(map(UnitIdentifier.decode, lists[7])),
            lists[9],
            lists[10],
            None if node_units is None else NodeUnits.decode(node_units),
            hashes.text(1),
            hashes.text(2),
        )
