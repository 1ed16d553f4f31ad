"""
What the transfer application tells observers: ibc-go's events, and ours about money that is owed.

Sources:
    ibc-go v11 ``apps/transfer/internal/events/events.go``.
"""

from __future__ import annotations

import json

from tieline.contract.transfer_errors import ReceiveFailed
from tieline.contract.transfer_records import OwedRecord, StockChain
from tieline.protocol.denom import Denom, parse_denom_path
from tieline.protocol.events import Event
from tieline.protocol.transfer import TransferData

_MODULE = Event("message", (("module", "transfer"),))


def _data(data: TransferData) -> tuple[tuple[str, str], ...]:
    return (
        ("sender", data.sender),
        ("receiver", data.receiver),
        ("denom", data.denom),
        ("amount", str(data.amount)),
        ("memo", data.memo),
    )


def transfer_sent(data: TransferData) -> tuple[Event, ...]:
    """Tokens left this ledger."""
    return Event("ibc_transfer", _data(data)), _MODULE


def transfer_received(data: TransferData) -> tuple[Event, ...]:
    """Tokens came, or will when the verdict is there."""
    return Event("fungible_token_packet", (*_data(data), ("success", "true"))), _MODULE


def transfer_refused(data: TransferData | None, why: str) -> tuple[Event, ...]:
    """A received transfer got the sentinel. ibc-go tells it the same way."""
    told = () if data is None else _data(data)
    return Event("fungible_token_packet", (*told, ("success", "false"), ("error", why))), _MODULE


def transfer_acknowledged(data: TransferData, *, is_success: bool) -> tuple[Event, ...]:
    """The other end answered."""
    why = f"ABCI code: {ReceiveFailed.code}: error handling packet: see events for details"
    answer = 'result:"\\001" ' if is_success else f'error:"{why}" '
    outcome = ("success", "\x01") if is_success else ("error", why)
    return (
        Event("fungible_token_packet", (*_data(data), ("acknowledgement", answer))),
        _MODULE,
        Event("fungible_token_packet", (outcome,)),
    )


def transfer_timed_out(data: TransferData) -> tuple[Event, ...]:
    """It never arrived; the sender has its tokens again, or they are owed."""
    token = {"denom": _denom(parse_denom_path(data.denom)), "amount": str(data.amount)}
    attributes = (
        ("receiver", data.sender),
        ("refund_tokens", json.dumps(token, separators=(",", ":"))),
        ("memo", data.memo),
    )
    return Event("timeout", attributes), _MODULE


def _denom(denom: Denom) -> dict[str, object]:
    trace = [{"port_id": hop.port, "channel_id": hop.client} for hop in denom.trace]
    return {"base": denom.base, "trace": trace}


def voucher_named(denom: Denom) -> Event:
    """Which token a voucher's hash stands for."""
    return Event(
        "denomination",
        (
            ("denom_hash", denom.voucher_hash.hex().upper()),
            ("denom", json.dumps(_denom(denom), separators=(",", ":"))),
        ),
    )


def stock_chain_set(chain_tag: bytes, chain: StockChain) -> Event:
    """The cell vouches for a stock chain."""
    return Event(
        "stock_chain_set",
        (
            ("chain_tag", chain_tag.hex()),
            ("client", chain.client),
            ("account_prefix", chain.account_prefix),
        ),
    )


def _owed(kind: str, account: bytes, owed_id: bytes, record: OwedRecord) -> Event:
    return Event(
        kind,
        (
            ("account", account.hex()),
            ("owed_id", owed_id.hex()),
            ("amount", str(record.amount)),
            ("denom", record.denom_path),
            ("client", record.client),
            ("receiver", record.receiver),
        ),
    )


def owed_added(account: bytes, owed_id: bytes, record: OwedRecord) -> Event:
    """A send to a stock chain failed; *amount* is all that is owed there now."""
    return _owed("owed_added", account, owed_id, record)


def owed_sent(account: bytes, owed_id: bytes, record: OwedRecord) -> Event:
    """What was owed is on its way again."""
    return _owed("owed_sent", account, owed_id, record)


def owed_taken(account: bytes, owed_id: bytes, record: OwedRecord) -> Event:
    """Its owner took what was owed on this ledger."""
    return _owed("owed_taken", account, owed_id, record)
