"""Transactions: cosmpy's own wallet writes what we read, and reads what we write."""

from collections.abc import Callable

import pytest
from cosmpy.aerial.tx import SigningCfg, Transaction, TxFee
from cosmpy.crypto.keypairs import PrivateKey
from cosmpy.crypto.keypairs import PublicKey as CosmpyPublicKey
from cosmpy.protos.cosmos.bank.v1beta1.tx_pb2 import MsgSend as BankSend
from cosmpy.protos.cosmos.base.v1beta1.coin_pb2 import Coin
from cosmpy.protos.cosmos.crypto.secp256k1.keys_pb2 import PubKey
from cosmpy.protos.cosmos.tx.signing.v1beta1.signing_pb2 import (
    SIGN_MODE_LEGACY_AMINO_JSON,
)
from cosmpy.protos.cosmos.tx.v1beta1.tx_pb2 import AuthInfo, TxBody, TxRaw

from tieline.protocol.messages import AnyMessage
from tieline.swap.messages import MsgDeposit, MsgSend
from tieline.wire import codec
from tieline.wire.bech32 import account_to_text
from tieline.wire.codec import build_transaction, decode_transaction, verify_transaction
from tieline.wire.errors import Malformed
from tieline.wire.hashes import sha256
from tieline.wire.keys import SecpKey

CHAIN = "tieline-a-1"
SECRET = b"\x33" * 32
KEY = SecpKey(SECRET)
OTHER = SecpKey(b"\x34" * 32)
SEND = MsgSend(KEY.cosmos_account, OTHER.cosmos_account, 2**100)
DEPOSIT = MsgDeposit(KEY.cosmos_account, 0)
RAW = build_transaction(
    [SEND, DEPOSIT], KEY, CHAIN, 7, 3, gas_limit=99, fee=[("neur", 5)], memo="hello"
)


def test_transaction_reads_back() -> None:
    decoded = decode_transaction(RAW)
    assert decoded.messages == (SEND, DEPOSIT)
    assert decoded.public_key == KEY.public_key
    assert (decoded.sequence, decoded.gas_limit, decoded.fee) == (3, 99, (("neur", 5),))
    assert (decoded.memo, decoded.timeout_height) == ("hello", 0)
    assert codec.transaction_hash(RAW) == sha256(RAW)


def test_timeout_height_is_signed_and_read() -> None:
    raw = build_transaction([DEPOSIT], KEY, CHAIN, 7, 3, timeout_height=41)
    assert decode_transaction(raw).timeout_height == 41
    assert verify_transaction(decode_transaction(raw), CHAIN, 7)


@pytest.mark.parametrize(
    ("chain", "number", "is_valid"),
    [(CHAIN, 7, True), ("tieline-b-1", 7, False), (CHAIN, 8, False)],
)
def test_signature_holds_for_one_chain_and_account(chain: str, number: int, is_valid: bool) -> None:
    assert verify_transaction(decode_transaction(RAW), chain, number) is is_valid


def test_wallet_transaction_of_cosmpy_is_understood() -> None:
    key = PrivateKey(SECRET)
    send = BankSend(
        from_address=account_to_text(KEY.cosmos_account),
        to_address=account_to_text(OTHER.cosmos_account),
        amount=[Coin(denom="neur", amount="1200")],
    )
    transaction = Transaction()
    transaction.add_message(send)
    public_key = CosmpyPublicKey(KEY.public_key)
    transaction.seal(SigningCfg.direct(public_key, 3), fee=TxFee("0neur", 77), memo="m")
    transaction.sign(key, CHAIN, 7)
    transaction.complete()
    decoded = decode_transaction(transaction.tx.SerializeToString())
    assert decoded.messages == (MsgSend(KEY.cosmos_account, OTHER.cosmos_account, 1200),)
    assert decoded.gas_limit == 77
    assert verify_transaction(decoded, CHAIN, 7)


def test_our_signature_verifies_in_cosmpy() -> None:
    decoded = decode_transaction(RAW)
    signed = codec.sign_bytes(decoded.body_bytes, decoded.auth_info_bytes, CHAIN, 7)
    assert CosmpyPublicKey(decoded.public_key).verify(signed, decoded.signature)


def respell(
    change_body: Callable[[TxBody], object] = lambda _: None,
    change_auth: Callable[[AuthInfo], object] = lambda _: None,
    change_raw: Callable[[TxRaw], object] = lambda _: None,
) -> bytes:
    """RAW with something changed; signatures are not looked at when decoding."""
    raw = TxRaw.FromString(RAW)
    body, auth = TxBody.FromString(raw.body_bytes), AuthInfo.FromString(raw.auth_info_bytes)
    change_body(body)
    change_auth(auth)
    raw.body_bytes, raw.auth_info_bytes = body.SerializeToString(), auth.SerializeToString()
    change_raw(raw)
    return raw.SerializeToString()


SPOILED: list[tuple[str, bytes]] = [
    ("wrong number of signers", respell(change_raw=lambda raw: raw.signatures.append(b""))),
    ("wrong number of signers", respell(change_auth=lambda auth: auth.signer_infos.add())),
    ("wrong number of signers", respell(change_auth=lambda a: a.signer_infos.pop())),
    ("signature of 65", respell(change_raw=lambda r: r.signatures.__setitem__(0, bytes(65)))),
    ("at least one message", respell(lambda body: body.ClearField("messages"))),
    ("unknown message", respell(lambda body: setattr(body.messages[0], "type_url", "/a.B"))),
    ("unordered", respell(lambda body: setattr(body, "unordered", True))),
    ("unordered", respell(lambda body: body.timeout_timestamp.FromSeconds(5))),
    ("extension", respell(lambda body: body.extension_options.add())),
    ("extension", respell(lambda body: body.non_critical_extension_options.add())),
    ("another payer", respell(change_auth=lambda a: setattr(a.fee, "granter", "x"))),
    ("not an account", respell(change_auth=lambda a: setattr(a.fee, "payer", "x"))),
    (
        "another payer",
        respell(
            change_auth=lambda a: setattr(a.fee, "payer", account_to_text(OTHER.cosmos_account))
        ),
    ),
    ("invalid fee", respell(change_auth=lambda a: a.fee.amount.extend([a.fee.amount[0]]))),
    ("invalid fee", respell(change_auth=lambda a: setattr(a.fee.amount[0], "amount", "-1"))),
    ("another payer", respell(change_auth=lambda a: setattr(a.tip, "tipper", "x"))),
    (
        "SIGN_MODE_DIRECT",
        respell(
            change_auth=lambda auth: setattr(
                auth.signer_infos[0].mode_info.single, "mode", SIGN_MODE_LEGACY_AMINO_JSON
            )
        ),
    ),
    (
        "single key",
        respell(change_auth=lambda a: a.signer_infos[0].mode_info.multi.SetInParent()),
    ),
    (
        "kind of public key",
        respell(
            change_auth=lambda auth: setattr(
                auth.signer_infos[0].public_key, "type_url", "/cosmos.crypto.ed25519.PubKey"
            )
        ),
    ),
    (
        "public key of 32",
        respell(
            change_auth=lambda auth: setattr(
                auth.signer_infos[0].public_key,
                "value",
                PubKey(key=bytes(32)).SerializeToString(),
            )
        ),
    ),
    ("canonical", RAW + b"\x22\x00"),
    ("canonical", RAW + b"\x20\x01"),
    (
        "canonical",
        respell(change_raw=lambda r: setattr(r, "body_bytes", r.body_bytes + b"\x40\x01")),
    ),
    ("not a cosmos", RAW[:-1]),
    ("are empty", b""),
    ("no signatures supplied", respell(change_raw=lambda r: r.ClearField("signatures"))),
]


@pytest.mark.parametrize(("why", "raw"), SPOILED)
def test_spoiled_transaction_is_refused(why: str, raw: bytes) -> None:
    with pytest.raises(Malformed, match=why):
        decode_transaction(raw)


def test_a_signer_may_name_itself_as_the_payer_of_the_fee() -> None:
    own = account_to_text(KEY.cosmos_account)
    raw = respell(change_auth=lambda a: setattr(a.fee, "payer", own))
    assert decode_transaction(raw).fee == (("neur", 5),)


def test_only_a_simulation_takes_a_signature_of_another_length() -> None:
    raw = respell(change_raw=lambda r: r.signatures.__setitem__(0, b""))
    assert decode_transaction(raw, is_signed=False).signature == b""
    with pytest.raises(Malformed, match="signature of 0"):
        decode_transaction(raw)


def test_envelope_with_fields_out_of_order_is_refused() -> None:
    """The hash of a transaction would otherwise have many spellings under one signature."""
    envelope = TxRaw.FromString(RAW)
    signatures = TxRaw(signatures=envelope.signatures).SerializeToString()
    envelope.ClearField("signatures")
    turned = signatures + envelope.SerializeToString()
    assert TxRaw.FromString(turned) == TxRaw.FromString(RAW)
    with pytest.raises(Malformed, match="canonical"):
        decode_transaction(turned)


@pytest.mark.parametrize("coins", [0, 2])
def test_send_of_no_or_two_coins_is_refused(coins: int) -> None:
    send = BankSend(
        from_address=account_to_text(KEY.cosmos_account),
        to_address=account_to_text(OTHER.cosmos_account),
        amount=[Coin(denom="neur", amount="1")] * coins,
    )
    url = codec.TYPE_URLS[MsgSend]
    with pytest.raises(Malformed, match="coins"):
        codec.decode_message(AnyMessage(url, send.SerializeToString()))


@pytest.mark.parametrize("amount", ["", "01", "-1", "+1", "1.0", " 1", "1_0", "٣", str(2**128)])
def test_amount_of_another_spelling_is_refused(amount: str) -> None:
    send = BankSend(
        from_address=account_to_text(KEY.cosmos_account),
        to_address=account_to_text(OTHER.cosmos_account),
        amount=[Coin(denom="neur", amount=amount)],
    )
    url = codec.TYPE_URLS[MsgSend]
    with pytest.raises(Malformed, match="amount"):
        codec.decode_message(AnyMessage(url, send.SerializeToString()))


def test_amount_that_is_negative_or_too_large_is_not_written() -> None:
    for amount in (-1, 2**128):
        with pytest.raises(Malformed):
            codec.encode_message(MsgDeposit(KEY.cosmos_account, amount))
