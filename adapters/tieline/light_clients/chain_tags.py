"""Which ledger instance a client state binds itself to, where it does."""

from __future__ import annotations

from tieline.light_clients.evm import messages as evm
from tieline.light_clients.fabric import states as fabric
from tieline.protocol.messages import AnyMessage


def named_chain_tag(client_state: AnyMessage) -> bytes | None:
    """
    Return the chain tag that follows from a client state; None where none does.

    An EVM ledger's seals are over its chain tag; a Fabric client begins with the channel's genesis.
    CometBFT's votes name the chain id alone.

    Raises:
        Malformed: The bytes are not of their type.
    """
    if client_state.type_url == evm.CLIENT_STATE_URL:
        return evm.ClientState.decode(client_state.value).chain_tag
    if client_state.type_url == fabric.CLIENT_STATE_URL:
        return fabric.ClientState.decode(client_state.value).chain_tag
    return None
