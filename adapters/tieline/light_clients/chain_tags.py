"""Which ledger instance a client state binds itself to, where it does."""

from __future__ import annotations

from tieline.light_clients.evm import messages as evm
from tieline.protocol.messages import AnyMessage


def named_chain_tag(client_state: AnyMessage) -> bytes | None:
    """
    Return the chain tag that follows from a client state; None where none does.

    An EVM ledger's seals are over its chain tag. CometBFT's votes name the chain id alone.

    Raises:
        Malformed: The bytes are not of their type.
    """
    if client_state.type_url != evm.CLIENT_STATE_URL:
        return None
    return evm.ClientState.decode(client_state.value).chain_tag
