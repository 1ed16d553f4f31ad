"""
Who sent a transaction, and whether it may run: size, one secp256k1 signature over this chain's
id, the account's next sequence. There is no fee: the connector's fee is the only charge to a trade.

Account numbers are all zero: a counter of accounts would be a key that strangers share, and the
chain id already keeps signatures apart.

Sources:
    Cosmos SDK ``x/auth/ante``.
"""

from __future__ import annotations

from typing import Final

from tieline.contract import accounts
from tieline.contract.errors import (
    InvalidMessage,
    InvalidPublicKey,
    MemoTooLarge,
    NotPermitted,
    TimeoutHeightReached,
    TransactionMalformed,
    TransactionTooLarge,
    UnknownAccount,
    WrongSequence,
)
from tieline.contract.genesis import Parameters
from tieline.contract.limits import MEMO_BYTES_MAX
from tieline.contract.store import Readable
from tieline.swap.messages import MsgSend
from tieline.wire.codec import DecodedTransaction, decode_transaction, verify_transaction
from tieline.wire.errors import Malformed
from tieline.wire.keys import cosmos_account_of

ACCOUNT_NUMBER: Final = 0


def read_transaction(raw: bytes, parameters: Parameters) -> DecodedTransaction:
    """
    Decode within bounds.

    Raises:
        TransactionTooLarge: More bytes or messages than allowed.
        TransactionMalformed: Not a canonical transaction of one signer, or of unknown messages.
        MemoTooLarge: The memo is longer than any note.
        InvalidMessage: It asks for more gas than any transaction may use.
    """
    if len(raw) > parameters.tx_bytes_max:
        raise TransactionTooLarge("too many bytes", bytes=len(raw), most=parameters.tx_bytes_max)
    try:
        decoded = decode_transaction(raw)
    except Malformed as exc:
        raise TransactionMalformed(f"tx parse error, {exc}") from exc
    if len(decoded.messages) > parameters.tx_messages_max:
        raise TransactionTooLarge("too many messages", count=len(decoded.messages))
    if len(decoded.memo.encode()) > MEMO_BYTES_MAX:
        raise MemoTooLarge("memo too long", most=MEMO_BYTES_MAX)
    if decoded.gas_limit > parameters.tx_gas_max:
        raise InvalidMessage(
            "gas limit too high", gas_limit=decoded.gas_limit, most=parameters.tx_gas_max
        )
    return decoded


def require_signer(decoded: DecodedTransaction, chain_id: str) -> bytes:
    """
    Return the account that signed: the only one any message may speak for.

    Raises:
        InvalidPublicKey: A message names another signer than the transaction's key, or the key is
            none.
        NotPermitted: The signature is not over these bytes for this chain.
    """
    try:
        account = cosmos_account_of(decoded.public_key)
    except Malformed as exc:
        raise InvalidPublicKey(f"invalid public key, {exc}") from exc
    for message in decoded.messages:
        named = message.sender if isinstance(message, MsgSend) else message.signer
        if named != account:
            raise InvalidPublicKey(
                "public key does not match the signer", signer=named.hex(), key=account.hex()
            )
    if not verify_transaction(decoded, chain_id, ACCOUNT_NUMBER):
        raise NotPermitted(
            "signature verification failed",
            chain_id=chain_id,
            account_number=ACCOUNT_NUMBER,
            sequence=decoded.sequence,
        )
    return account


def require_turn(
    state: Readable, account: bytes, decoded: DecodedTransaction, *, expected: int | None = None
) -> None:
    """
    Check that it is this transaction's turn.

    Args:
        state: Store ``tieline``.
        account: The signer.
        decoded: The transaction.
        expected: The sequence to expect, if not the stored one.

    Raises:
        UnknownAccount: The account was never here.
        WrongSequence: A replay, or one that comes before its time.
    """
    if not accounts.is_known(state, account):
        raise UnknownAccount("account does not exist here", account=account.hex())
    wanted = accounts.next_sequence(state, account) if expected is None else expected
    if decoded.sequence != wanted:
        raise WrongSequence(
            "account sequence mismatch",
            expected=wanted,
            got=decoded.sequence,
            account=account.hex(),
        )


def require_height(decoded: DecodedTransaction, height: int) -> None:
    """Raise TimeoutHeightReached if the transaction must not run at *height* any more."""
    if decoded.timeout_height and height > decoded.timeout_height:
        raise TimeoutHeightReached(
            "tx timeout height reached", height=height, timeout_height=decoded.timeout_height
        )
