"""
Bounds of work and size that are the same on every host, with their reasons. What operators may
tune is in ``genesis.Parameters``.
"""

from __future__ import annotations

from typing import Final

READ_GAS: Final = 1_000
READ_GAS_PER_BYTE: Final = 3
WRITE_GAS: Final = 2_000
WRITE_GAS_PER_BYTE: Final = 30
DELETE_GAS: Final = 1_000
TX_BYTE_GAS: Final = 10
SIGNATURE_GAS: Final = 1_000
"""Prices of the Cosmos SDK, so that gas means here what users know."""

TX_BYTES_MAX: Final = 1_048_576
"""CometBFT's default ``max_tx_bytes``; 500 packets with proofs and evidence take half of it."""

TX_MESSAGES_MAX: Final = 1_024
"""A batch of 500 packets with evidence beside each."""

TX_GAS_MAX: Final = 100_000_000
"""A thousand receives at 100,000 gas each: about a second of work on one core."""

MEMO_BYTES_MAX: Final = 256
"""The Cosmos SDK's ``max_memo_characters``."""

ADMITTED_MAX: Final = 20_000
"""
Transactions whose signature is remembered between mempool and block, a gigabyte at the very worst;
beyond it they are checked twice.
"""

TICK_APART_S_MIN: Final = 15
"""
Between two settings of Fabric's clock: transactions that read it and one that sets it cannot both
be valid in one block.
"""

TICK_SKEW_S_MAX: Final = 30
"""How far a new time may be from the endorser's own clock, either way."""

READ_BACK_KEYS_MAX: Final = 256
"""Keys of one read-back: the batch of packets that one proof is asked for."""

FORESEEN_KEYS_MAX: Final = 512
"""
Keys of a state that is far away, read in one request before they are asked for: three households
a message of a full batch, and half of what a peer takes at once.
"""

AMOUNT_MAX: Final = 2**128 - 1
"""Amounts are 16 bytes."""

# A transaction that fills its bytes must be able to pay for them.
assert TX_BYTES_MAX * TX_BYTE_GAS + SIGNATURE_GAS < TX_GAS_MAX
# Every message of a full transaction can read and write a few keys.
assert TX_MESSAGES_MAX * 10 * (READ_GAS + WRITE_GAS) < TX_GAS_MAX
