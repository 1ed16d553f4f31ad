"""CometBFT's RPC as far as a contract alone can answer it: queries, checks, what was in blocks."""

from __future__ import annotations

import base64
from typing import Any

from fakes.abci_engine import Engine
from tieline.interfaces.errors import NotYet, Rejected, Unavailable
from tieline.wire.codec import transaction_hash


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


class ContractRpc:
    """Answers from one engine's contract. A broadcast makes a block at once."""

    address = "contract"

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.is_away = False
        self.is_full = False
        self._landed: dict[bytes, dict[str, Any]] = {}

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        if self.is_away:
            raise Unavailable("no answer: contract")
        answer: dict[str, Any] = await getattr(self, f"_{method}")(**parameters)
        return answer

    async def call_many(self, method: str, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [await self.call(method, **one) for one in calls]

    async def _abci_query(
        self, path: str, data: str = "", height: str = "0", *, prove: bool = False
    ) -> dict[str, Any]:
        answer = self.engine.ask(
            "query", path=path, data=bytes.fromhex(data), height=int(height), prove=prove
        )
        return {
            "response": {
                "code": answer.code,
                "log": answer.log,
                "codespace": answer.codespace,
                "value": _text(answer.value),
                "height": str(answer.height),
            }
        }

    async def _broadcast_tx_sync(self, tx: str) -> dict[str, Any]:
        raw = base64.b64decode(tx)
        if self.is_full:
            raise NotYet("mempool is full")
        if transaction_hash(raw) in self._landed:
            raise Rejected("sdk", 19, "tx already in mempool")
        checked = self.engine.ask("check_tx", tx=raw)
        if not checked.code:
            (result,) = self.engine.block(raw).tx_results
            self._landed[transaction_hash(raw)] = {
                "hash": transaction_hash(raw).hex().upper(),
                "height": str(self.engine.height),
                "tx": tx,
                "tx_result": {
                    "code": result.code,
                    "log": result.log,
                    "codespace": result.codespace,
                    "data": _text(result.data),
                    "gas_wanted": str(result.gas_wanted),
                    "gas_used": str(result.gas_used),
                    "events": [
                        {
                            "type": one.type,
                            "attributes": [
                                {"key": pair.key, "value": pair.value} for pair in one.attributes
                            ],
                        }
                        for one in result.events
                    ],
                },
            }
        return {"code": checked.code, "log": checked.log, "codespace": checked.codespace}

    _broadcast_tx_async = _broadcast_tx_sync

    async def _tx(self, hash: str, *, prove: bool) -> dict[str, Any]:  # noqa: A002 -- the RPC's own
        found = self._landed.get(base64.b64decode(hash))
        if found is None or prove:
            raise Unavailable(f"tx: Internal error: tx ({hash}) not found")
        return found

    async def _header(self, height: str) -> dict[str, Any]:
        return {"header": {"time": f"2027-01-15T08:00:{int(height):02}.5Z"}}
