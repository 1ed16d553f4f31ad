"""
Who sent a transaction, and whether it may run: size, one secp256k1 signature over this chain's
id, the account's next sequence. Refusals have the Cosmos SDK's codes and words.

Account numbers are all zero: a counter of accounts would be a key that strangers share, and the
chain id already keeps signatures apart.

Sources:
    Cosmos SDK ``x/auth/ante``.
"""

from __future__ import annotations

from typing import Final

from tieline.contract import accounts
from tieline.contract.errors import (
    InsufficientFee,
    InvalidAddress,
    InvalidCoins,
    InvalidGasLimit,
    InvalidMessage,
    InvalidPublicKey,
    MemoTooLarge,
    NoSignatures,
    NotPermitted,
    NotSupported,
    OutOfGas,
    SdkError,
    TimeoutHeightReached,
    TransactionMalformed,
    TransactionTooLarge,
    UnknownAccount,
    UnknownExtensionOptions,
    WrongSequence,
)
from tieline.contract.fees import FEE_COLLECTOR
from tieline.contract.genesis import Parameters
from tieline.contract.limits import MEMO_BYTES_MAX, SIGNATURE_GAS, TX_BYTE_GAS
from tieline.contract.store import Readable
from tieline.swap.messages import MsgSend
from tieline.wire.bech32 import account_to_text
from tieline.wire.codec import DecodedTransaction, decode_transaction, verify_transaction
from tieline.wire.errors import Fault, Malformed, TransactionFault
from tieline.wire.keys import address_of, cosmos_account_of

ACCOUNT_NUMBER: Final = 0

_REFUSALS: Final[dict[Fault, type[SdkError]]] = {
    Fault.SIGNATURE_MISSING: NoSignatures,
    Fault.SIGNERS: NotPermitted,
    Fault.KEY_TYPE: InvalidPublicKey,
    Fault.SIGN_MODE: NotSupported,
    Fault.NO_MESSAGES: InvalidMessage,
    Fault.EXTENSION: UnknownExtensionOptions,
    Fault.UNORDERED: NotSupported,
    Fault.FEE: InsufficientFee,
    Fault.FEE_PAYER: NotSupported,
    Fault.ADDRESS: InvalidAddress,
    Fault.COINS: InvalidCoins,
}
"""As a stock chain would answer."""


def read_transaction(
    raw: bytes, parameters: Parameters, *, is_signed: bool = True
) -> DecodedTransaction:
    """
    Decode within bounds.

    Raises:
        TransactionTooLarge: More bytes or messages than allowed.
        TransactionMalformed: Not a canonical transaction, or of unknown messages.
        SdkError: A transaction that is not for this ledger; see ``_REFUSALS``.
        MemoTooLarge: The memo is longer than any note.
        InvalidGasLimit: It asks for more gas than any transaction may use.
    """
    if len(raw) > parameters.tx_bytes_max:
        raise TransactionTooLarge("too many bytes", bytes=len(raw), most=parameters.tx_bytes_max)
    try:
        decoded = decode_transaction(raw, is_signed=is_signed)
    except TransactionFault as exc:
        raise _REFUSALS[exc.fault](str(exc)) from exc
    except Malformed as exc:
        raise TransactionMalformed(str(exc)) from exc
    if len(decoded.messages) > parameters.tx_messages_max:
        raise TransactionTooLarge("too many messages", count=len(decoded.messages))
    if len(decoded.memo.encode()) > MEMO_BYTES_MAX:
        received = len(decoded.memo.encode())
        raise MemoTooLarge(
            f"maximum number of characters is {MEMO_BYTES_MAX} but received {received} characters"
        )
    if decoded.gas_limit > parameters.tx_gas_max:
        raise InvalidGasLimit(
            f"tx gas limit {decoded.gas_limit} exceeds the most of {parameters.tx_gas_max}"
        )
    return decoded


def require_signer(
    decoded: DecodedTransaction, chain_id: str, cell_address: bytes, *, is_signed: bool = True
) -> bytes:
    """
    Return the account that signed: the only one any message may speak for.

    The utility cell speaks for the fee collector too. A simulation need not be signed.

    Raises:
        InvalidPublicKey: A message names another signer than the transaction's key, or the key is
            none.
        NotPermitted: The signature is not over these bytes for this chain.
    """
    try:
        account = cosmos_account_of(decoded.public_key)
    except Malformed as exc:
        raise InvalidPublicKey(str(exc)) from exc
    for message in decoded.messages:
        named = message.sender if isinstance(message, MsgSend) else message.signer
        if named != account and not _is_fee_collector(named, decoded, cell_address):
            raise InvalidPublicKey(
                f"pubKey of {account_to_text(account)} does not match signer address"
                f" {account_to_text(named)} with signer index: 0"
            )
    if is_signed and not verify_transaction(decoded, chain_id, ACCOUNT_NUMBER):
        raise NotPermitted(
            f"signature verification failed; please verify account number ({ACCOUNT_NUMBER}),"
            f" sequence ({decoded.sequence}) and chain-id ({chain_id})"
        )
    return account


def _is_fee_collector(named: bytes, decoded: DecodedTransaction, cell_address: bytes) -> bool:
    if named != FEE_COLLECTOR:
        return False
    try:
        return address_of(decoded.public_key) == cell_address
    except Malformed:  # no point of the curve: nobody signs with it
        return False


def ante_gas(size: int) -> int:
    """Return the gas of a transaction of *size* bytes before its first message."""
    return size * TX_BYTE_GAS + SIGNATURE_GAS


def require_gas(decoded: DecodedTransaction, size: int) -> None:
    """Raise OutOfGas if the limit does not even pay for the transaction's bytes and signature."""
    needed = ante_gas(size)
    if decoded.gas_limit < needed:
        raise OutOfGas(
            f"out of gas in location: txSize; gasWanted: {decoded.gas_limit}, gasUsed: {needed}"
        )


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
        raise UnknownAccount(f"account {account_to_text(account)} does not exist")
    wanted = accounts.next_sequence(state, account) if expected is None else expected
    if decoded.sequence != wanted:
        raise WrongSequence(f"account sequence mismatch, expected {wanted}, got {decoded.sequence}")


def require_height(decoded: DecodedTransaction, height: int) -> None:
    """Raise TimeoutHeightReached if the transaction must not run at *height* any more."""
    if decoded.timeout_height and height > decoded.timeout_height:
        raise TimeoutHeightReached(
            f"block height: {height}, timeout height: {decoded.timeout_height}"
        )
