"""Two embedded EVM ledgers that are each other's counterparty, with the echo module behind them."""

from __future__ import annotations

from fakes.driven import Link, drive, genesis_of
from fakes.echo_module import echo_module, send_echo
from fakes.microgrid import key
from tieline.ledgers.ethereum.deployment import shipped_artifacts
from tieline.ledgers.ethereum.embedded import EmbeddedEthereum


def embedded(chain_id, store=None):
    """An embedded EVM ledger that echoes."""
    return EmbeddedEthereum(
        genesis_of(chain_id, "evm"),
        key(f"deployer of {chain_id}"),
        [key(f"sealer {n} of {chain_id}") for n in range(2)],
        store,
        artifacts={**shipped_artifacts(), "trade": echo_module()},
        plain_send=send_echo,
    )


def linked():
    """Two of them."""
    return Link(drive(embedded, "first-1"), drive(embedded, "second-1"))
