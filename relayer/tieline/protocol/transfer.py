"""
A transfer of tokens as its packet carries it (ICS-20), in domain form. Bytes are in
``tieline.wire.transfer_data``.

Sources:
    ibc-go v11 ``apps/transfer/types/packet.go``, ``msgs.go``, ``v2/ibc_module.go``.
"""

from __future__ import annotations

from dataclasses import dataclass

TRANSFER_VERSION = "ics20-1"
JSON_ENCODING = "application/json"
PROTOBUF_ENCODING = "application/x-protobuf"
ABI_ENCODING = "application/x-solidity-abi"
TRANSFER_ENCODINGS = (JSON_ENCODING, PROTOBUF_ENCODING, ABI_ENCODING)

SUCCESS_ACKNOWLEDGEMENT = b'{"result":"AQ=="}'
"""The only success there is; the only error is the sentinel."""

RECEIVER_BYTES_MAX = 2_048
MEMO_BYTES_MAX = 32_768
"""ibc-go's bounds."""

TRANSFER_AMOUNT_MAX = 2**256 - 1
"""In ``Transfer`` it stands for the sender's whole balance, as on ibc-go."""


@dataclass(frozen=True, slots=True)
class TransferData:
    """What a packet on port ``transfer`` says."""

    denom: str
    """The token's path on the sending ledger (``tieline.protocol.denom``)."""
    amount: int
    """1 to 2^256-1, base units."""
    sender: str
    """An account in the sending ledger's spelling."""
    receiver: str
    """An account in the receiving ledger's spelling."""
    memo: str = ""
