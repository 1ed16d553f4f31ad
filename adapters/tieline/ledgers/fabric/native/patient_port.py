"""
A way into a native channel for a scenario: what is to be ordered is held until the scenario's next
instant, and a network whose programs are being brought back is waited for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from tieline.interfaces.errors import Unavailable
from tieline.ledgers.fabric.port import CommitStatus, Endorsed, EndorsementsDiffer, FabricPort

PATIENCE_S: Final = 60.0
"""Programs that are not back by then will not come back."""
_POLL_S: Final = 0.05
_T = TypeVar("_T")


class PatientPort:
    """Implements ``port.FabricPort`` through another one."""

    def __init__(self, port: FabricPort, patience_s: float = PATIENCE_S) -> None:
        """
        Hold what is ordered from now on.

        Args:
            port: The way in.
            patience_s: How long a network that does not answer is waited for.
        """
        self._port = port
        self._patience_s = patience_s
        self._held: list[bytes] | None = []
        """In order of arrival; None: nothing is held now."""

    @property
    def is_holding(self) -> bool:
        """Whether something waits for the next instant."""
        return bool(self._held)

    @property
    def fabric_channel(self) -> str:
        """The channel's name."""
        return self._port.fabric_channel

    @property
    def name(self) -> str:
        """Which peer this is."""
        return self._port.name

    async def release(self) -> None:
        """Order what was held, and hold nothing until ``hold``. Raises Unavailable."""
        held, self._held = self._held, None
        for envelope in held or ():
            await self.order(envelope)

    def hold(self) -> None:
        """Hold again."""
        if self._held is None:
            self._held = []

    async def evaluate(self, args: Sequence[bytes]) -> bytes:
        """As ``FabricPort.evaluate``."""
        return await self._patiently(lambda: self._port.evaluate(args))

    async def endorse(self, args: Sequence[bytes]) -> Endorsed:
        """As ``FabricPort.endorse``."""
        return await self._patiently(lambda: self._port.endorse(args))

    async def order(self, envelope: bytes) -> None:
        """As ``FabricPort.order``, or hold the envelope."""
        if self._held is not None:
            if envelope not in self._held:  # the adapter hands in again what it hears nothing of
                self._held.append(envelope)
            return
        # The same bytes: a copy that is ordered too is invalid as a duplicate.
        await self._patiently(lambda: self._port.order(envelope))

    async def commit_status(self, tx_id: str) -> CommitStatus | None:
        """As ``FabricPort.commit_status``."""
        return await self._patiently(lambda: self._port.commit_status(tx_id))

    async def blocks_after(self, number: int, limit: int) -> Sequence[bytes]:
        """As ``FabricPort.blocks_after``."""
        return await self._patiently(lambda: self._port.blocks_after(number, limit))

    async def height(self) -> int:
        """As ``FabricPort.height``."""
        return await self._patiently(self._port.height)

    def close(self) -> None:
        """Let go of connections, and of whoever waits."""
        self._patience_s = 0.0
        self._port.close()

    async def _patiently(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        began = time.monotonic()
        while True:
            try:
                return await ask()
            except EndorsementsDiffer:
                raise  # the peers answer; what now is the adapter's to say
            except Unavailable:
                if time.monotonic() - began > self._patience_s:
                    raise
            await asyncio.sleep(_POLL_S)
