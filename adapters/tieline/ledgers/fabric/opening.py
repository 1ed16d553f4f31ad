"""How a contract begins on a channel: once, with one genesis, by whoever comes first."""

from __future__ import annotations

import asyncio
from typing import Final

from tieline.contract.chaincode_errors import GenesisRefused
from tieline.interfaces.errors import ConfigError, Rejected, Unavailable
from tieline.ledgers.fabric.port import FabricPort, InvocationRefused, Validation
from tieline.ledgers.fabric.refusals import EXECUTED, name_of, refusal_of
from tieline.wire.fabric.blocks import Block
from tieline.wire.fabric.invocations import init_args

_REFUSED: Final = (GenesisRefused.codespace, GenesisRefused.code)
_LOOKS: Final = 100
_LOOK_S: Final = 0.1


async def begin_contract(port: FabricPort, genesis: bytes) -> bool:
    """
    Give a channel's contract its genesis, and say whether this call did it.

    Args:
        port: The way in; its chaincode is committed.
        genesis: As ``Genesis.to_bytes`` writes it.

    Raises:
        ConfigError: The contract was begun with another genesis, or takes another one only.
        Unavailable: Nobody answers, or it does not come into a block.
    """
    first = await port.blocks_after(-1, 1)
    if not first:
        raise Unavailable(f"the peer has no block 0: {port.name}")
    args = init_args(genesis, Block.decode(first[0]).header.hash())
    try:
        endorsed = await port.endorse(args)
    except InvocationRefused as refused:
        return _was_begun(refusal_of(refused), port)
    await port.order(endorsed.envelope)
    for _ in range(_LOOKS):
        status = await port.commit_status(endorsed.tx_id)
        if status is not None:
            if status.code in {Validation.VALID, Validation.MVCC_READ_CONFLICT}:
                return status.code == Validation.VALID  # else another was faster
            raise Unavailable(f"the genesis is not valid: {name_of(status.code)}")
        await asyncio.sleep(_LOOK_S)
    raise Unavailable(f"the genesis comes into no block: {port.name}")


def _was_begun(said: Rejected, port: FabricPort) -> bool:
    """Return False if the contract was begun just so."""
    if (said.codespace, said.code) == EXECUTED:
        return False
    if (said.codespace, said.code) == _REFUSED:
        raise ConfigError(
            f"the contract does not take this genesis: {said.log}",
            key=port.name,
            instead="give the genesis that the chaincode was deployed for; a channel that was "
            "begun with another one stays with it",
        )
    raise said
