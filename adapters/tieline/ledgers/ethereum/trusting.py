"""By what others begin to know an EVM ledger of ours: the first states of their clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tieline.ledgers.ethereum.deployment import Deployment
from tieline.light_clients.evm.messages import (
    ClientState,
    ConsensusState,
    PinnedContract,
    Sealing,
)
from tieline.protocol.messages import AnyMessage
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.evm.header import EvmHeader

_DAY_NS: Final = 24 * 3600 * NANOSECONDS_PER_SECOND
TRUSTING_PERIOD_NS: Final = 14 * _DAY_NS
MAX_CLOCK_DRIFT_NS: Final = 15 * NANOSECONDS_PER_SECOND
"""As for ledgers on CometBFT: two ledgers on the five-second grid are two points apart at most."""


def client_states(
    deployment: Deployment,
    sealers: Sequence[bytes],
    header: EvmHeader,
    storage_root: bytes,
    trusting_period_ns: int = TRUSTING_PERIOD_NS,
) -> tuple[AnyMessage, AnyMessage]:
    """
    Return client and consensus state for a client that starts to trust at *header*.

    Args:
        deployment: Of the ledger.
        sealers: Addresses of its operator's seals; none where its consensus seals (QBFT).
        header: The first block that is trusted.
        storage_root: Of the host after that block.
        trusting_period_ns: How long a header is trusted.
    """
    client = ClientState(
        chain_id=deployment.chain_id,
        genesis_hash=deployment.genesis_hash,
        sealing=Sealing.AUTHORITY if sealers else Sealing.QBFT,
        sealers=tuple(sorted(sealers)),
        host=deployment.addresses.host,
        pinned=tuple(PinnedContract(*pair) for pair in deployment.pinned),
        latest_height=header.number,
        trusting_period_ns=trusting_period_ns,
        max_clock_drift_ns=MAX_CLOCK_DRIFT_NS,
    )
    consensus = ConsensusState(
        header.timestamp * NANOSECONDS_PER_SECOND, storage_root, header.hash()
    )
    return client.as_any(), consensus.as_any()
