"""
The memo by which a transfer pays for a trade: ``{"tieline":{"trade":"<hex EnergyTrade>"}}``, letter
by letter.

Sources:
    ``docs/spec/trade.md`` 6 (X1).
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

from tieline.wire import bounded_json
from tieline.wire.abi import ENERGY_TRADE_BYTES
from tieline.wire.errors import Malformed

MEMO_KEY: Final = "tieline"
_TRADE_HEX = re.compile(rf"[0-9a-f]{{{2 * ENERGY_TRADE_BYTES}}}\Z", re.ASCII)


def memo_for_trade(encoded: bytes) -> str:
    """Return the memo that pays for a trade, given its 736 bytes."""
    return f'{{"{MEMO_KEY}":{{"trade":"{encoded.hex()}"}}}}'


def trade_in_memo(memo: str) -> bytes | None:
    """
    Return the trade's 736 bytes, None for any memo but ours.

    Raises:
        Malformed: It means us, and does not say it exactly so.
    """
    try:
        members = bounded_json.loads(memo) if memo else None
    except ValueError:
        return None
    if not isinstance(members, dict) or MEMO_KEY not in members:
        return None
    inner = cast("dict[str, Any]", members)[MEMO_KEY]
    written = cast("dict[str, Any]", inner).get("trade") if isinstance(inner, dict) else None
    if not isinstance(written, str) or _TRADE_HEX.match(written) is None:
        raise Malformed("memo names no trade in hex")
    encoded = bytes.fromhex(written)
    if memo != memo_for_trade(encoded):
        raise Malformed("memo holds more than a trade, or spaces")
    return encoded
