"""Why a transaction that is in a block did not take effect: it is run again, and says so."""

from __future__ import annotations

from typing import Any, Final, cast

from tieline.interfaces.errors import NotYet, Pruned, Rejected
from tieline.ledgers.ethereum.endpoints import EvmEndpoints
from tieline.ledgers.ethereum.rpc_errors import Reverted, Unsorted
from tieline.ledgers.ethereum.rpc_records import block_call, block_of

_UNKNOWN: Final = (b"", "it failed in its block and would not fail alone")


class Refused:
    """Asks a node what a failed transaction would say."""

    def __init__(self, endpoints: EvmEndpoints) -> None:
        self._endpoints = endpoints

    async def why(self, tx_hash: bytes, height: int) -> tuple[bytes, str]:
        """
        Return what a transaction that failed in block *height* returned; empty with the node's word
        for it if it broke down.

        It is run on the state before that block: what came before it in the block is not there, so
        for a race its reason may not be found.

        Raises:
            NotYet: The block is gone.
            Unavailable: No node answers; that is no reason, and the next reading finds one.
        """
        found = await self._endpoints.call("eth_getTransactionByHash", "0x" + tx_hash.hex())
        if not isinstance(found, dict):
            raise NotYet("the chain changed while it was read: transaction")
        sent = cast("dict[str, Any]", found)
        again = {"from": sent.get("from"), "to": sent.get("to"), "data": sent.get("input")}
        again["gas"] = sent.get("gas")
        for place in (hex(height), hex(height - 1)):
            try:
                await self._endpoints.call("eth_call", again, place)
            except Reverted as exc:
                return exc.data, exc.log
            except Pruned:
                continue
            except NotYet:
                method, parameters = block_call(height)
                block_of(await self._endpoints.call(method, *parameters))
            except (Rejected, Unsorted) as exc:
                return b"", str(exc)
        return _UNKNOWN
