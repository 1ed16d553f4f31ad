"""
Chains with nothing of ours on them, as this ledger's utility cell vouches for them: which client
stands for which chain, and how accounts are spelled there.

Sources:
    ``docs/spec/trade.md`` 6 (X1, X2, X3).
"""

from __future__ import annotations

import re

from tieline.contract import transfer_events
from tieline.contract.context import Context, Outcome
from tieline.contract.errors import InvalidMessage
from tieline.contract.ibc_view import IbcView
from tieline.contract.keys import stock_chain_key
from tieline.contract.registry import require_own_cell
from tieline.contract.transfer_records import (
    StockChain,
    StockParty,
    decode_stock_chain,
    encode_stock_chain,
)
from tieline.protocol.errors import CounterpartyNotFound
from tieline.swap.messages import MsgSetStockChain
from tieline.wire.bech32 import account_from_text, account_to_text
from tieline.wire.errors import Malformed

_PREFIX = re.compile(r"[a-z][a-z0-9]{0,30}\Z", re.ASCII)


def stock_chain(ctx: Context, chain_tag: bytes) -> StockChain | None:
    """Return what the cell said of a chain, None for one it does not vouch for."""
    value = ctx.state.get(stock_chain_key(chain_tag))
    return None if value is None else decode_stock_chain(value)


def party_on(chain: StockChain, account: bytes) -> StockParty:
    """Return an account as its stock chain spells it."""
    return StockParty(chain.client, account_to_text(account, chain.account_prefix))


def account_on(chain: StockChain, text: str) -> bytes | None:
    """Return the 20 bytes of a stock chain's account, None if it is not one."""
    try:
        return account_from_text(text, chain.account_prefix)
    except Malformed:
        return None


def account_of(text: str) -> bytes:
    """Return the 20 bytes of an account of any prefix. Raises Malformed."""
    return account_from_text(text, text.rpartition("1")[0])


def handle_set_stock_chain(ctx: Context, message: MsgSetStockChain) -> Outcome:
    """
    Vouch for a stock chain, or name its new client. Locks that are open keep the old one.

    Raises:
        NotPermitted: The signer is not this ledger's utility cell.
        InvalidMessage: This ledger itself, or a prefix that no account can have.
        CounterpartyNotFound: The client is not there, or not paired yet.
    """
    require_own_cell(ctx)
    if message.chain_tag == ctx.chain_tag:
        raise InvalidMessage("a ledger is not its own stock chain")
    if _PREFIX.match(message.account_prefix) is None:
        raise InvalidMessage("no prefix of accounts", account_prefix=repr(message.account_prefix))
    if IbcView(ctx).counterparty(message.client) is None:
        raise CounterpartyNotFound("client has no counterparty", client_id=message.client)
    record = StockChain(message.client, message.account_prefix)
    if stock_chain(ctx, message.chain_tag) == record:
        return Outcome.ALREADY_DONE
    ctx.state.set(stock_chain_key(message.chain_tag), encode_stock_chain(record))
    ctx.emit(transfer_events.stock_chain_set(message.chain_tag, record))
    return Outcome.DONE
