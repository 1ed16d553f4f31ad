"""The one place that knows every application and light client of a microgrid's ledger."""

from __future__ import annotations

from tieline.contract.installation import Installation


def microgrid_installation() -> Installation:
    """Return what every microgrid's ledger runs."""
    return Installation()
