"""What every CometBFT ledger of ours says of itself to those that follow it, embedded or native."""

from __future__ import annotations

from dataclasses import dataclass

from tieline.interfaces.ledger import Capabilities, Finality
from tieline.light_clients.tendermint.messages import ClientState, ConsensusState, revision_of
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.cometbft import Header

CAPABILITIES = Capabilities(
    kind="cometbft",
    client_type="07-tendermint",
    merkle_prefix=(b"ibc", b""),
    finality=Finality.DETERMINISTIC,
    proof_lag=1,
)

_DAY_NS = 24 * 3600 * NANOSECONDS_PER_SECOND


@dataclass(frozen=True, slots=True)
class ClientTerms:
    """How long clients of this ledger trust what they hold; ns."""

    trusting_period_ns: int = 14 * _DAY_NS
    """Two thirds of the unbonding period, as Cosmos chains have it."""
    unbonding_period_ns: int = 21 * _DAY_NS
    max_clock_drift_ns: int = 15 * NANOSECONDS_PER_SECOND
    """Two ledgers on the five-second grid are at most two points apart."""


def client_states(
    header: Header, terms: ClientTerms | None = None
) -> tuple[AnyMessage, AnyMessage]:
    """Return client and consensus state for a client that starts to trust at *header*."""
    spans = terms or ClientTerms()
    client = ClientState(
        header.chain_id,
        1,
        3,
        spans.trusting_period_ns,
        spans.unbonding_period_ns,
        spans.max_clock_drift_ns,
        Height(revision_of(header.chain_id), header.height),
    )
    consensus = ConsensusState(header.time_ns, header.app_hash, header.next_validators_hash)
    return client.as_any(), consensus.as_any()
