"""The one place that knows every application and light client of a microgrid's ledger."""

from __future__ import annotations

from tieline.contract.energy_trade import EnergyTradeApplication
from tieline.contract.installation import Installation
from tieline.contract.trade_module import TRADE_HANDLERS, write_vaults


def microgrid_installation() -> Installation:
    """Return what every microgrid's ledger runs."""
    return Installation(
        applications=(EnergyTradeApplication(),),
        handlers=TRADE_HANDLERS,
        genesis_writers=(write_vaults,),
    )
