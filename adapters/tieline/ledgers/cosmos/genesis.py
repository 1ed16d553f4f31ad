"""
The birth of a stock chain of one validator: balances, and the transaction that makes it.

What ``simapp genesis add-genesis-account``, ``gentx`` and ``collect-gentxs`` do, a second each,
done here to the file that ``simapp init`` wrote.

Sources:
    Cosmos SDK 0.54 ``x/genutil``, ``x/auth``, ``x/bank``.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from tieline.interfaces.signer import Signer
from tieline.protocol.messages import AnyMessage
from tieline.wire.attestation_proofs import encode_any
from tieline.wire.bech32 import account_to_text
from tieline.wire.proto_fields import Fields, bytes_field, message_field
from tieline.wire.transactions import SECP256K1_TYPE_URL, sign_messages

ACCOUNT_PREFIX = "cosmos"
VALIDATOR_PREFIX = "cosmosvaloper"
BASE_DENOM = "stake"
"""What the validator is bonded in, and what fees are offered in."""
VALIDATOR_STAKE = 500_000_000_000
_GAS = 200_000
_RATES = ((1, 1), (2, 2), (3, 1))
"""Commission, its maximum, its largest change a day: field number and tenths."""
_LEAST_STAKE = "1"
_ED25519_URL = "/cosmos.crypto.ed25519.PubKey"
_CREATE_URL = "/cosmos.staking.v1beta1.MsgCreateValidator"
_DECIMALS = 18

Balances = Mapping[bytes, Mapping[str, int]]
"""20-byte account -> denomination -> base units."""


def add_balances(state: dict[str, Any], balances: Balances) -> None:
    """Give accounts their first coins; *state* is the ``app_state`` of a genesis."""
    accounts: list[dict[str, str]] = state["auth"]["accounts"]
    held: list[dict[str, Any]] = state["bank"]["balances"]
    total: dict[str, int] = {}
    for account, coins in balances.items():
        address = account_to_text(account, ACCOUNT_PREFIX)
        accounts.append(
            {
                "@type": "/cosmos.auth.v1beta1.BaseAccount",
                "address": address,
                "account_number": "0",
                "sequence": "0",
            }
        )
        held.append({"address": address, "coins": _coins(coins)})
        for denom, amount in coins.items():
            total[denom] = total.get(denom, 0) + amount
    state["bank"]["supply"] = _coins(total)


def validator_transaction(chain_id: str, key: Signer, consensus_key: bytes) -> dict[str, Any]:
    """
    Return the genesis transaction in which *key* bonds ``VALIDATOR_STAKE`` to a validator.

    Args:
        chain_id: Where it is valid.
        key: Owns the stake; must hold it in the genesis.
        consensus_key: The ed25519 key, 32 bytes, with which the validator signs blocks.
    """
    operator = account_to_text(key.cosmos_account, VALIDATOR_PREFIX)
    stake = {"denom": BASE_DENOM, "amount": str(VALIDATOR_STAKE)}
    message = b"".join(
        (
            message_field(1, bytes_field(1, chain_id.encode())),
            message_field(2, b"".join(_text(n, _scaled(tenths)) for n, tenths in _RATES)),
            _text(3, _LEAST_STAKE),
            _text(5, operator),
            message_field(6, encode_any(AnyMessage(_ED25519_URL, bytes_field(1, consensus_key)))),
            message_field(7, _text(1, stake["denom"]) + _text(2, stake["amount"])),
        )
    )
    rate, highest, change = (f"0.{_scaled(tenths)}" for _, tenths in _RATES)
    unsaid = dict.fromkeys(("identity", "website", "security_contact", "details"), "")
    content = {
        "@type": _CREATE_URL,
        "description": {"moniker": chain_id, **unsaid},
        "commission": {"rate": rate, "max_rate": highest, "max_change_rate": change},
        "min_self_delegation": _LEAST_STAKE,
        "delegator_address": "",
        "validator_address": operator,
        "pubkey": {"@type": _ED25519_URL, "key": base64.b64encode(consensus_key).decode()},
        "value": stake,
    }
    raw = sign_messages([AnyMessage(_CREATE_URL, message)], key, chain_id, 0, 0, gas_limit=_GAS)
    return _signed_json(content, key.public_key, Fields(raw, known=3).octets(3))


def _signed_json(content: Mapping[str, Any], public_key: bytes, signature: bytes) -> dict[str, Any]:
    """Write a transaction of one message as the SDK reads it out of a genesis."""
    signer = {
        "public_key": {
            "@type": SECP256K1_TYPE_URL,
            "key": base64.b64encode(public_key).decode(),
        },
        "mode_info": {"single": {"mode": "SIGN_MODE_DIRECT"}},
        "sequence": "0",
    }
    return {
        "body": {
            "messages": [content],
            "memo": "",
            "timeout_height": "0",
            "extension_options": [],
            "non_critical_extension_options": [],
        },
        "auth_info": {
            "signer_infos": [signer],
            "fee": {"amount": [], "gas_limit": str(_GAS), "payer": "", "granter": ""},
        },
        "signatures": [base64.b64encode(signature).decode()],
    }


def _coins(amounts: Mapping[str, int]) -> list[dict[str, str]]:
    return [{"denom": denom, "amount": str(amounts[denom])} for denom in sorted(amounts)]


def _scaled(tenths: int) -> str:
    """Return a fraction's 18 decimals, as the SDK puts it into protobuf."""
    return str(tenths * 10 ** (_DECIMALS - 1))


def _text(number: int, text: str) -> bytes:
    return bytes_field(number, text.encode())
