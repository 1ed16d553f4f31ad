"""CometBFT's end of ABCI, without CometBFT: the requests of a block, in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cosmpy.protos.tendermint.abci import types_pb2 as abci
from google.protobuf import timestamp_pb2

from fakes.microgrid import START_S, Ledger
from tieline.contract.multistore import MultiStore
from tieline.contract.store import STORES
from tieline.ledgers.tendermint.abci import AbciApplication
from tieline.ledgers.tendermint.state_store import StateStore


class Engine:
    """Asks the application as the engine does, in the engine's order."""

    def __init__(self, path: Path, ledger: Ledger | None = None) -> None:
        self.ledger = ledger or Ledger(tree=MultiStore(STORES))
        self.store = StateStore(path)
        opened = self.store.open_application(self.ledger.genesis, self.ledger.installation)
        self.contract = opened
        self.abci = AbciApplication(opened, self.store)
        self.height = opened.height

    def ask(self, name: str, **fields: Any) -> Any:
        types = {one.name: one.message_type.name for one in abci.Request.DESCRIPTOR.fields}
        content = getattr(abci, types[name])(**fields)
        response = self.abci.answer(abci.Request(**{name: content}))
        assert response.WhichOneof("value") == name
        return getattr(response, name)

    def finalize(self, *transactions: bytes, height: int | None = None) -> Any:
        height = height or self.height + 1
        return self.ask(
            "finalize_block",
            txs=transactions,
            height=height,
            hash=bytes([height]) * 32,
            time=timestamp_pb2.Timestamp(seconds=START_S + height, nanos=123_456_789),
        )

    def block(self, *transactions: bytes) -> Any:
        result = self.finalize(*transactions)
        self.ask("commit")
        self.height += 1
        return result
