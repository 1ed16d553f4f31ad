"""
Cosmos transactions: TxRaw signed in SIGN_MODE_DIRECT by one secp256k1 key.

Sources:
    Cosmos SDK ADR-020 and ADR-027; ``docs/spec/bytes.md`` (accounts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cosmpy.protos.cosmos.base.v1beta1 import coin_pb2
from cosmpy.protos.cosmos.crypto.secp256k1 import keys_pb2
from cosmpy.protos.cosmos.tx.signing.v1beta1 import signing_pb2
from cosmpy.protos.cosmos.tx.v1beta1 import tx_pb2
from google.protobuf import any_pb2

from tieline.protocol.messages import AnyMessage
from tieline.wire.bech32 import ACCOUNT_PREFIX, account_from_text
from tieline.wire.errors import Fault, Malformed, TransactionFault
from tieline.wire.fields import money_from_text, money_to_text, parse_strictly
from tieline.wire.hashes import sha256
from tieline.wire.keys import (
    COMPACT_SIGNATURE_BYTES,
    PUBLIC_KEY_BYTES,
    DigestSigner,
    cosmos_account_of,
    verify_compact,
)
from tieline.wire.messages_codec import DomainMessage, decode_message, encode_message

SECP256K1_TYPE_URL = "/cosmos.crypto.secp256k1.PubKey"
DEFAULT_GAS_LIMIT = 2_000_000


class TransactionSigner(DigestSigner, Protocol):
    """A key that signs transactions: ``SecpKey`` or any ``interfaces.signer.Signer``."""

    @property
    def public_key(self) -> bytes:
        """33 bytes, compressed."""
        ...


@dataclass(frozen=True, slots=True)
class DecodedTransaction:
    """A transaction of one signer, decoded once and still verifiable from its own bytes."""

    messages: tuple[DomainMessage, ...]
    public_key: bytes
    """33 bytes; whose key it says it is, true once verified."""
    sequence: int
    gas_limit: int
    fee: tuple[tuple[str, int], ...]
    """Denomination and amount, as offered."""
    memo: str
    timeout_height: int
    """From this height on it must not be executed; 0: no bound."""
    body_bytes: bytes
    auth_info_bytes: bytes
    signature: bytes
    """64 bytes r, s."""


def transaction_hash(raw: bytes) -> bytes:
    """Return what Cosmos tools call the transaction's hash (they print it in upper-case hex)."""
    return sha256(raw)


def sign_bytes(
    body_bytes: bytes, auth_info_bytes: bytes, chain_id: str, account_number: int
) -> bytes:
    """Return the bytes whose SHA-256 the signer signs."""
    return tx_pb2.SignDoc(
        body_bytes=body_bytes,
        auth_info_bytes=auth_info_bytes,
        chain_id=chain_id,
        account_number=account_number,
    ).SerializeToString(deterministic=True)


def build_transaction(
    messages: Sequence[DomainMessage],
    key: TransactionSigner,
    chain_id: str,
    account_number: int,
    sequence: int,
    gas_limit: int = DEFAULT_GAS_LIMIT,
    fee: Sequence[tuple[str, int]] = (),
    memo: str = "",
    timeout_height: int = 0,
    account_prefix: str = ACCOUNT_PREFIX,
) -> bytes:
    """
    Sign *messages* as one transaction and return TxRaw.

    Args:
        messages: All of one signer, whose account is that of *key*.
        key: Signs.
        chain_id: Where the transaction is valid.
        account_number: The signer's, as the ledger counts accounts.
        sequence: The signer's next one.
        gas_limit: Upper bound of gas.
        fee: Denominations, ascending, and amounts.
        memo: Free text.
        timeout_height: Height from which it must not be executed; 0: no bound.
        account_prefix: How accounts begin there.

    Raises:
        Malformed: A field of a message is out of range.
    """
    encoded = [encode_message(message, account_prefix) for message in messages]
    return sign_messages(
        encoded, key, chain_id, account_number, sequence, gas_limit, fee, memo, timeout_height
    )


def sign_messages(
    messages: Sequence[AnyMessage],
    key: TransactionSigner,
    chain_id: str,
    account_number: int,
    sequence: int,
    gas_limit: int = DEFAULT_GAS_LIMIT,
    fee: Sequence[tuple[str, int]] = (),
    memo: str = "",
    timeout_height: int = 0,
) -> bytes:
    """As ``build_transaction``, of messages that are bytes already, whatever they are."""
    body = tx_pb2.TxBody(
        messages=[_to_any(message) for message in messages],
        memo=memo,
        timeout_height=timeout_height,
    )
    public_key = any_pb2.Any(
        type_url=SECP256K1_TYPE_URL,
        value=keys_pb2.PubKey(key=key.public_key).SerializeToString(),
    )
    single = tx_pb2.ModeInfo.Single(mode=signing_pb2.SIGN_MODE_DIRECT)
    signer = tx_pb2.SignerInfo(
        public_key=public_key, mode_info=tx_pb2.ModeInfo(single=single), sequence=sequence
    )
    coins = [coin_pb2.Coin(denom=denom, amount=money_to_text(amount)) for denom, amount in fee]
    auth_info = tx_pb2.AuthInfo(
        signer_infos=[signer], fee=tx_pb2.Fee(amount=coins, gas_limit=gas_limit)
    )
    body_bytes = body.SerializeToString(deterministic=True)
    auth_info_bytes = auth_info.SerializeToString(deterministic=True)
    digest = sha256(sign_bytes(body_bytes, auth_info_bytes, chain_id, account_number))
    return tx_pb2.TxRaw(
        body_bytes=body_bytes,
        auth_info_bytes=auth_info_bytes,
        signatures=[key.sign_digest(digest)[:COMPACT_SIGNATURE_BYTES]],
    ).SerializeToString(deterministic=True)


def _to_any(message: AnyMessage) -> any_pb2.Any:
    return any_pb2.Any(type_url=message.type_url, value=message.value)


def _read_signer(info: tx_pb2.SignerInfo) -> bytes:
    if info.mode_info.WhichOneof("sum") != "single":
        raise TransactionFault(Fault.SIGN_MODE, "signer is not a single key")
    if info.mode_info.single.mode != signing_pb2.SIGN_MODE_DIRECT:
        raise TransactionFault(Fault.SIGN_MODE, "sign mode is not SIGN_MODE_DIRECT")
    if info.public_key.type_url != SECP256K1_TYPE_URL:
        raise TransactionFault(
            Fault.KEY_TYPE, f"unknown kind of public key: {info.public_key.type_url!r}"
        )
    key = parse_strictly(keys_pb2.PubKey, info.public_key.value).key
    if len(key) != PUBLIC_KEY_BYTES:
        raise TransactionFault(Fault.KEY_TYPE, f"public key of {len(key)} bytes")
    return key


def _read_signature(
    envelope: tx_pb2.TxRaw, auth_info: tx_pb2.AuthInfo, *, is_signed: bool
) -> bytes:
    if not envelope.signatures:
        raise TransactionFault(Fault.SIGNATURE_MISSING, "no signatures supplied")
    if len(auth_info.signer_infos) != 1 or len(envelope.signatures) != 1:
        count = max(len(auth_info.signer_infos), len(envelope.signatures))
        raise TransactionFault(
            Fault.SIGNERS, f"wrong number of signers; expected 1, got {count}: not exactly one"
        )
    signature = envelope.signatures[0]
    if is_signed and len(signature) != COMPACT_SIGNATURE_BYTES:
        raise TransactionFault(Fault.SIGNERS, f"signature of {len(signature)} bytes")
    return signature


def _refuse_what_is_not_run_here(body: tx_pb2.TxBody) -> None:
    if body.unordered or body.HasField("timeout_timestamp"):
        raise TransactionFault(Fault.UNORDERED, "unordered transactions are not known here")
    if body.extension_options or body.non_critical_extension_options:
        raise TransactionFault(Fault.EXTENSION, "extension options are not known here")
    if not body.messages:
        raise TransactionFault(Fault.NO_MESSAGES, "must contain at least one message")


def _read_fee(auth_info: tx_pb2.AuthInfo, public_key: bytes) -> tuple[tuple[str, int], ...]:
    fee = auth_info.fee
    if auth_info.HasField("tip") or fee.granter:
        raise TransactionFault(Fault.FEE_PAYER, "fees of another payer are not known here")
    if fee.payer and account_from_text(fee.payer) != cosmos_account_of(public_key):
        raise TransactionFault(Fault.FEE_PAYER, "fees of another payer are not known here")
    try:
        coins = tuple((coin.denom, money_from_text(coin.amount)) for coin in fee.amount)
    except Malformed as exc:
        raise TransactionFault(Fault.FEE, f"invalid fee amount: {exc}") from exc
    denoms = [denom for denom, _ in coins]
    if denoms != sorted(set(denoms)):
        raise TransactionFault(Fault.FEE, "invalid fee amount: denominations not ascending")
    return coins


def decode_transaction(raw: bytes, *, is_signed: bool = True) -> DecodedTransaction:
    """
    Read TxRaw; the signature is not checked (see ``verify_transaction``).

    Args:
        raw: TxRaw.
        is_signed: Take a signature of 64 bytes only; a simulation may bring any other bytes.

    Raises:
        TransactionFault: Not exactly one secp256k1 signer in SIGN_MODE_DIRECT, a field that is not
            run here (tips, other payers, extensions, unordered), no messages, a message's address
            or coins.
        Malformed: Not canonical protobuf, or a message that does not decode.
    """
    if not raw:
        raise Malformed("tx bytes are empty")
    envelope = parse_strictly(tx_pb2.TxRaw, raw)
    body = parse_strictly(tx_pb2.TxBody, envelope.body_bytes)
    auth_info = parse_strictly(tx_pb2.AuthInfo, envelope.auth_info_bytes)
    signature = _read_signature(envelope, auth_info, is_signed=is_signed)
    _refuse_what_is_not_run_here(body)
    public_key = _read_signer(auth_info.signer_infos[0])
    return DecodedTransaction(
        messages=tuple(
            decode_message(AnyMessage(entry.type_url, entry.value)) for entry in body.messages
        ),
        public_key=public_key,
        sequence=auth_info.signer_infos[0].sequence,
        gas_limit=auth_info.fee.gas_limit,
        fee=_read_fee(auth_info, public_key),
        memo=body.memo,
        timeout_height=body.timeout_height,
        body_bytes=envelope.body_bytes,
        auth_info_bytes=envelope.auth_info_bytes,
        signature=signature,
    )


def verify_transaction(decoded: DecodedTransaction, chain_id: str, account_number: int) -> bool:
    """Say whether the key that the transaction names signed these very bytes for this chain."""
    digest = sha256(
        sign_bytes(decoded.body_bytes, decoded.auth_info_bytes, chain_id, account_number)
    )
    return verify_compact(decoded.public_key, digest, decoded.signature)
