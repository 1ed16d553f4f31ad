"""Every bound of the protocol, with its reason; relations between them hold at import."""

from __future__ import annotations

SEQUENCE_MAX = 2**64 - 1
"""Sequences are eight bytes in a store key."""

CLIENT_ID_LENGTH_MIN = 8
CLIENT_ID_LENGTH_MAX = 64
"""What v2 packets can name (the channel rule of ICS-24), ours and ibc-go's."""

PORT_ID_LENGTH_MIN = 2
PORT_ID_LENGTH_MAX = 128
"""ICS-24."""

PAYLOADS_PER_PACKET = 1
"""ibc-go v11 and eureka take exactly one; an asynchronous answer to several is undefined."""

PAYLOAD_BYTES_MAX = 256 * 1024
"""ibc-go's bound on what all payloads of a packet hold."""

VERSION_LENGTH_MAX = 256
ENCODING_LENGTH_MAX = 256
"""Names that a person wrote. A hundred times what is in use."""

TIMEOUT_AHEAD_S_MAX = 24 * 3600
"""A sender that waits longer holds its funds hostage; ibc-go's ``MaxTimeoutDelta``."""

ACKNOWLEDGEMENT_BYTES_MAX = 64 * 1024
"""Ours is 192 bytes; a stranger's is hashed, never kept, so this bounds work only."""

PROOF_BYTES_MAX = 640 * 1024
"""
An absence is shown by the leaves beside it, values and all, and ibc-go keeps whole packets that
wait for their acknowledgement in the same store. Most proofs take under 10 kB; a paired one adds
100 signatures.
"""

MERKLE_PREFIX_PARTS_MAX = 4
MERKLE_PREFIX_BYTES_MAX = 128
"""Two parts are in use anywhere: a store's name and an empty one."""

CELLS_MAX = 64
"""A signer bitmap is one uint64."""

assert CLIENT_ID_LENGTH_MIN < CLIENT_ID_LENGTH_MAX
assert PORT_ID_LENGTH_MIN < PORT_ID_LENGTH_MAX
assert PROOF_BYTES_MAX > 2 * PAYLOAD_BYTES_MAX + 64 * 1024
assert ACKNOWLEDGEMENT_BYTES_MAX < PAYLOAD_BYTES_MAX
