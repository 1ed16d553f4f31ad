"""Keys of client and consensus states in a client's store, as ibc-go's; values are ``Any``."""

from __future__ import annotations

from tieline.protocol.height import Height

CLIENT_STATE_KEY = b"clientState"


def consensus_key(height: Height) -> bytes:
    """Return the key of what is held of *height*."""
    return b"consensusStates/" + str(height).encode()
