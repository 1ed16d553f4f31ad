"""
What a connector lets be locked from its vault: mandates, and the bounds that a receive is held to.

Limits are shared out evenly over the vault's parts, as its money is.
"""

from __future__ import annotations

from tieline.contract.context import Context, Outcome
from tieline.contract.errors import InvalidMessage, NotPermitted
from tieline.contract.keys import (
    mandate_open_key,
    mandate_record_key,
    outflow_key,
    shard_of,
)
from tieline.contract.limits import SIGNATURE_GAS
from tieline.contract.records import (
    MandateRecord,
    decode_amount,
    decode_mandate,
    encode_amount,
    encode_mandate,
)
from tieline.contract.store import KeyValues, Readable
from tieline.contract.vaults import debit_shard, shard_balance
from tieline.swap.messages import MsgSetMandate
from tieline.swap.records import EnergyTrade, Reason
from tieline.wire.errors import Malformed
from tieline.wire.hashes import tag
from tieline.wire.ids import mandate_key
from tieline.wire.keys import address_of, cosmos_account_of
from tieline.wire.typed_data import recover_signer


def mandate_of(state: Readable, mandate_id: bytes) -> MandateRecord | None:
    """Return a stored mandate; a revoked one has expiry 0."""
    value = state.get(mandate_record_key(mandate_id))
    return None if value is None else decode_mandate(value)


def mandate_id_of(trade: EnergyTrade, client: str) -> bytes:
    """Return the id of the mandate that must cover a trade received through *client*."""
    return mandate_key(trade.source_chain_tag, tag(client), trade.connector_in, trade.connector_out)


def handle_set_mandate(ctx: Context, message: MsgSetMandate) -> Outcome:
    """
    Set or revoke a mandate; one owner holds both keys.

    Raises:
        NotPermitted: Not sent by ``connector_out``, or not signed by ``connector_in``.
        InvalidMessage: Of another ledger, or its nonce does not rise.
    """
    mandate = message.mandate
    if mandate.chain_tag != ctx.chain_tag:
        raise InvalidMessage("mandate of another ledger", chain_tag=mandate.chain_tag.hex())
    if mandate.connector_out != ctx.signer:
        raise NotPermitted("a mandate is sent by its connector_out", signer=ctx.signer.hex())
    ctx.charge(SIGNATURE_GAS)
    try:
        public_key = recover_signer(ctx.domain, mandate, message.signature)
    except Malformed as exc:
        raise NotPermitted(f"mandate's signature is malformed: {exc}") from exc
    # connector_in is an account of the other ledger, in that ledger's form.
    if mandate.connector_in not in {address_of(public_key), cosmos_account_of(public_key)}:
        raise NotPermitted("a mandate is signed by its connector_in")
    mandate_id = mandate_key(
        mandate.source_chain_tag, mandate.client, mandate.connector_in, mandate.connector_out
    )
    record = MandateRecord(
        max_trade=mandate.max_trade,
        max_open=mandate.max_open,
        min_fee=mandate.min_fee,
        min_margin=mandate.min_margin,
        expiry=mandate.expiry,
        nonce=mandate.nonce,
    )
    stored = mandate_of(ctx.state, mandate_id)
    if stored == record:
        return Outcome.ALREADY_DONE
    if stored is not None and mandate.nonce <= stored.nonce:
        raise InvalidMessage("mandate's nonce does not rise", stored=stored.nonce)
    ctx.state.set(mandate_record_key(mandate_id), encode_mandate(record))
    return Outcome.DONE


def _counter(state: Readable, key: bytes) -> int:
    value = state.get(key)
    return 0 if value is None else decode_amount(value)


def open_amount(state: Readable, mandate_id: bytes, shard: int) -> int:
    """Return what locks under a mandate hold open in one part, nano-EUR."""
    return _counter(state, mandate_open_key(mandate_id, shard))


def release_open(state: KeyValues, mandate_id: bytes, shard: int, amount: int) -> None:
    """Take nano-EUR that were paid or refunded from what a mandate holds open."""
    if amount:
        left = open_amount(state, mandate_id, shard) - amount
        state.set(mandate_open_key(mandate_id, shard), encode_amount(left))


def connector_refusal(ctx: Context, trade: EnergyTrade, client: str) -> tuple[Reason, str] | None:
    """Say why the connector's side does not carry the trade, in the order of B1, or None."""
    shards = ctx.parameters.vault_shards
    shard = shard_of(trade.trade_id, shards)
    amount = trade.price_out * trade.energy_wh
    mandate_id = mandate_id_of(trade, client)
    mandate = mandate_of(ctx.state, mandate_id)
    if mandate is None or ctx.now_s >= mandate.expiry:
        return Reason.MANDATE, "no mandate in force"
    if amount > mandate.max_trade:
        return Reason.MANDATE, "above the mandate's trade"
    if open_amount(ctx.state, mandate_id, shard) + amount > mandate.max_open // shards:
        return Reason.MANDATE, "above the mandate's open sum"
    if trade.price_in - trade.price_out < mandate.min_fee:
        return Reason.MANDATE, "below the mandate's fee"
    if trade.expiry_in - trade.expiry_out < mandate.min_margin:
        return Reason.MANDATE, "below the mandate's margin"
    if shard_balance(ctx.state, trade.connector_out, shard) < amount:
        return Reason.VAULT, "vault holds less"
    taken = _counter(ctx.state, outflow_key(client, trade.slot_start, shard))
    if taken + amount > ctx.parameters.outflow_cap_nano_eur // shards:
        return Reason.CAP, "above the outflow cap of this client and slot"
    return None


def reserve(ctx: Context, trade: EnergyTrade, client: str) -> None:
    """Move a trade's money from the vault into its lock; ``connector_refusal`` said None."""
    shard = shard_of(trade.trade_id, ctx.parameters.vault_shards)
    amount = trade.price_out * trade.energy_wh
    debit_shard(ctx.state, trade.connector_out, shard, amount)
    mandate_id = mandate_id_of(trade, client)
    held = open_amount(ctx.state, mandate_id, shard) + amount
    ctx.state.set(mandate_open_key(mandate_id, shard), encode_amount(held))
    key = outflow_key(client, trade.slot_start, shard)
    ctx.state.set(key, encode_amount(_counter(ctx.state, key) + amount))
