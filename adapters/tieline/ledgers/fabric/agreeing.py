"""Asks again where peers do not agree because one of them is a block behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from tieline.ledgers.fabric.port import Endorsed, EndorsementsDiffer, FabricPort
from tieline.ledgers.fabric.settings import FabricSettings

_LOG = logging.getLogger(__name__)


async def endorse_agreed(
    port: FabricPort, args: Sequence[bytes], settings: FabricSettings
) -> Endorsed:
    """
    Let peers endorse an invocation, with a fresh proposal for each time they do not agree.

    Args:
        port: The way in.
        args: Of the invocation.
        settings: How often, and after how long.

    Raises:
        InvocationRefused: The chaincode said no.
        EndorsementsDiffer: They did not agree in all tries.
        Unavailable: No peer answers.
    """
    for _ in range(settings.differ_max - 1):
        try:
            return await port.endorse(args)
        except EndorsementsDiffer as differ:
            _LOG.debug("endorsed again function=%s %s", args[0], differ)
            await asyncio.sleep(settings.poll_s)
    return await port.endorse(args)
