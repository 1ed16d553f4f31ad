"""A trade world with room for many trades side by side."""

from __future__ import annotations

from fakes.disjoint_trades import LANES, SHARDS, households_of
from fakes.trade_world import TradeLedger, TradeWorld
from tieline.contract.genesis import Parameters


class WideWorld(TradeWorld):
    """A trade world with a lane and a household for each trade, and every shard."""

    ledger_type: type[TradeLedger] = TradeLedger

    def open_ledger(
        self, chain_id: str, cell: str, names: tuple[str, ...], **rules: Parameters
    ) -> TradeLedger:
        parameters = Parameters(vault_shards=SHARDS)
        everybody = (*names, *LANES, *households_of(cell))
        return self.ledger_type(chain_id, cell, everybody, parameters)
