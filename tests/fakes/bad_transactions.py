"""
Transactions that every Cosmos chain refuses, with the code and the words that its users know; the
same rows for a contract in this process and for one behind real CometBFT.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cosmpy.protos.cosmos.bank.v1beta1 import tx_pb2 as bank_pb2
from cosmpy.protos.cosmos.base.v1beta1 import coin_pb2
from cosmpy.protos.cosmos.tx.signing.v1beta1 import signing_pb2
from cosmpy.protos.cosmos.tx.v1beta1 import tx_pb2

from fakes.microgrid import key, pay
from tieline.protocol.messages import SendPacket
from tieline.protocol.packet import Payload
from tieline.swap.messages import MsgSend
from tieline.wire.bech32 import account_to_text
from tieline.wire.codec import build_transaction, sign_bytes
from tieline.wire.hashes import sha256

ANN, BOB = key("ann"), key("bob")
GAS = 200_000


@dataclass(frozen=True)
class Signing:
    """What a wallet needs to know before it signs."""

    chain_id: str
    sequence: int
    fee: tuple[tuple[str, int], ...] = ()


def signed(signing: Signing, **change: Any) -> bytes:
    """A payment of ann's, with something changed; the signature holds for what is there."""
    parts: dict[str, Any] = {
        "messages": [pay("ann", "bob", 1)],
        "key": ANN,
        "chain_id": signing.chain_id,
        "account_number": 0,
        "sequence": signing.sequence,
        "gas_limit": GAS,
        "fee": signing.fee,
    }
    return build_transaction(**parts | change)


Change = Callable[[tx_pb2.TxBody, tx_pb2.AuthInfo], Any]


def respelled(signing: Signing, change: Change) -> bytes:
    """The same with the protobuf changed before it is signed."""
    raw = tx_pb2.TxRaw.FromString(signed(signing))
    body = tx_pb2.TxBody.FromString(raw.body_bytes)
    auth = tx_pb2.AuthInfo.FromString(raw.auth_info_bytes)
    change(body, auth)
    return sealed(signing, body.SerializeToString(), auth.SerializeToString())


def sealed(signing: Signing, body: bytes, auth: bytes, copies: int = 1) -> bytes:
    """Sign whatever the bytes are."""
    digest = sha256(sign_bytes(body, auth, signing.chain_id, 0))
    signature = ANN.sign_digest(digest)[:64]
    return tx_pb2.TxRaw(
        body_bytes=body, auth_info_bytes=auth, signatures=[signature] * copies
    ).SerializeToString()


def _payment(**change: Any) -> bytes:
    parts: dict[str, Any] = {
        "from_address": account_to_text(ANN.cosmos_account),
        "to_address": account_to_text(BOB.cosmos_account),
        "amount": [coin_pb2.Coin(denom="neur", amount="1")],
    }
    return bank_pb2.MsgSend(**parts | change).SerializeToString()


def _with_message(signing: Signing, type_url: str, value: bytes) -> bytes:
    def change(body: tx_pb2.TxBody, _: tx_pb2.AuthInfo) -> None:
        body.messages[0].type_url, body.messages[0].value = type_url, value

    return respelled(signing, change)


SEND = "/cosmos.bank.v1beta1.MsgSend"


def _two_signers(signing: Signing) -> bytes:
    raw = tx_pb2.TxRaw.FromString(signed(signing))
    auth = tx_pb2.AuthInfo.FromString(raw.auth_info_bytes)
    auth.signer_infos.append(auth.signer_infos[0])
    return sealed(signing, raw.body_bytes, auth.SerializeToString(), copies=2)


def _padded_body(signing: Signing, tail: bytes) -> bytes:
    raw = tx_pb2.TxRaw.FromString(signed(signing))
    return sealed(signing, raw.body_bytes + tail, raw.auth_info_bytes)


def _set(path: str, value: Any) -> Change:
    """Set a field of the authentication: ``fee.granter``."""

    def change(_: tx_pb2.TxBody, auth: tx_pb2.AuthInfo) -> None:
        *steps, last = path.split(".")
        place: Any = auth
        for step in steps:
            place = place[int(step)] if step.isdigit() else getattr(place, step)
        setattr(place, last, value)

    return change


def _another_key(kind: str) -> Change:
    return _set("signer_infos.0.public_key.type_url", f"/cosmos.crypto.{kind}.PubKey")


def _high_s(signing: Signing) -> bytes:
    """The same signature in its other form, which anyone can make."""
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    raw = tx_pb2.TxRaw.FromString(signed(signing))
    one = raw.signatures[0]
    raw.signatures[0] = one[:32] + (order - int.from_bytes(one[32:])).to_bytes(32)
    return raw.SerializeToString()


BAD: list[tuple[str, Callable[[Signing], bytes], int, str]] = [
    # what is wrong, how it is made, code of codespace sdk, words
    ("no bytes", lambda _: b"", 2, "tx parse error"),
    ("noise", lambda _: b"\xff" * 40, 2, "tx parse error"),
    ("cut short", lambda s: signed(s)[:-1], 2, "tx parse error"),
    ("bytes behind the end", lambda s: signed(s) + b"\x00", 2, "tx parse error"),
    ("an unknown field", lambda s: signed(s) + b"\x22\x00", 2, "tx parse error"),
    ("an unknown field in the body", lambda s: _padded_body(s, b"\x40\x01"), 2, "tx parse error"),
    ("a default written out", lambda s: _padded_body(s, b"\x12\x00"), 2, "tx parse error"),
    ("a long varint", lambda s: _padded_body(s, b"\x18\x80\x00"), 2, "tx parse error"),
    (
        "an unknown message",
        lambda s: _with_message(s, "/cosmos.gov.v1.MsgVote", b""),
        2,
        "unable to resolve type URL /cosmos.gov.v1.MsgVote",
    ),
    ("a message of noise", lambda s: _with_message(s, SEND, b"\xff\xff"), 2, "tx parse error"),
    (
        "a message with bytes behind",
        lambda s: _with_message(s, SEND, _payment() + b"\x78\x01"),
        2,
        "tx parse error",
    ),
    ("another chain", lambda s: signed(s, chain_id="other-1"), 4, "signature verification failed"),
    ("another number", lambda s: signed(s, account_number=9), 4, "verify account number (0)"),
    ("another's key", lambda s: signed(s, key=BOB), 8, "does not match signer address"),
    ("high s", _high_s, 4, "signature verification failed"),
    ("two signers", _two_signers, 4, "wrong number of signers; expected 1, got 2"),
    (
        "no signature",
        lambda s: tx_pb2.TxRaw(
            body_bytes=tx_pb2.TxRaw.FromString(signed(s)).body_bytes,
            auth_info_bytes=tx_pb2.TxRaw.FromString(signed(s)).auth_info_bytes,
        ).SerializeToString(),
        15,
        "no signatures supplied",
    ),
    (
        "an address of noise",
        lambda s: _with_message(s, SEND, _payment(to_address="x")),
        7,
        "invalid address",
    ),
    (
        "an address of another chain",
        lambda s: _with_message(
            s, SEND, _payment(to_address=account_to_text(BOB.cosmos_account, "cosmos"))
        ),
        7,
        "not an account of prefix tieline",
    ),
    ("an ed25519 key", lambda s: respelled(s, _another_key("ed25519")), 8, "invalid pubkey"),
    ("a multisig key", lambda s: respelled(s, _another_key("multisig")), 8, "invalid pubkey"),
    (
        "a stranger",
        lambda s: signed(
            s,
            key=key("stranger"),
            sequence=0,
            messages=[MsgSend(key("stranger").cosmos_account, BOB.cosmos_account, 1)],
        ),
        9,
        "does not exist: unknown address",
    ),
    ("no coins", lambda s: _with_message(s, SEND, _payment(amount=[])), 10, "invalid coins"),
    (
        "a negative amount",
        lambda s: _with_message(
            s, SEND, _payment(amount=[coin_pb2.Coin(denom="neur", amount="-1")])
        ),
        10,
        "invalid coins",
    ),
    ("no gas", lambda s: signed(s, gas_limit=0), 11, "gasWanted: 0, gasUsed: "),
    (
        "a novel",
        lambda s: signed(s, memo="x" * 257),
        12,
        "maximum number of characters is 256 but received 257",
    ),
    (
        "fees out of order",
        lambda s: signed(s, fee=[("neur", 10**6), ("atom", 1)]),
        13,
        "insufficient fee",
    ),
    ("no messages", lambda s: signed(s, messages=[]), 18, "must contain at least one message"),
    (
        "too many bytes",
        lambda s: signed(s, messages=[pay("ann", "bob", 1)], memo="x" * 1_050_000),
        21,
        "tx too large",
    ),
    (
        "too many messages",
        lambda s: signed(s, messages=[pay("ann", "bob", 1)] * 1_025),
        21,
        "tx too",
    ),
    ("a height that has passed", lambda s: signed(s, timeout_height=1), 30, "timeout height: 1"),
    (
        "an extension",
        lambda s: respelled(s, lambda body, _: body.extension_options.add(type_url="/x.Y")),
        31,
        "unknown extension options",
    ),
    (
        "a replay",
        lambda s: signed(s, sequence=s.sequence - 1),
        32,
        "account sequence mismatch, expected",
    ),
    ("a gap", lambda s: signed(s, sequence=s.sequence + 1), 32, "incorrect account sequence"),
    ("a huge sequence", lambda s: signed(s, sequence=2**64 - 1), 32, "got 18446744073709551615"),
    (
        "amino",
        lambda s: respelled(
            s,
            _set("signer_infos.0.mode_info.single.mode", signing_pb2.SIGN_MODE_LEGACY_AMINO_JSON),
        ),
        37,
        "sign mode is not SIGN_MODE_DIRECT",
    ),
    (
        "a fee that another grants",
        lambda s: respelled(s, _set("fee.granter", account_to_text(BOB.cosmos_account))),
        37,
        "feature not supported",
    ),
    (
        "a fee that another pays",
        lambda s: respelled(s, _set("fee.payer", account_to_text(BOB.cosmos_account))),
        37,
        "feature not supported",
    ),
    (
        "unordered",
        lambda s: respelled(s, lambda body, _: setattr(body, "unordered", True)),
        37,
        "unordered transactions are not known",
    ),
    ("gas beyond any bound", lambda s: signed(s, gas_limit=2**63), 41, "invalid gas limit"),
]
"""Refused at the door, and nothing of them stays."""

FAILING: list[tuple[str, Callable[[Signing], bytes], str, int, str]] = [
    # Refused when they run: the fee and the sequence are spent, nothing else is.
    (
        "more than there is",
        lambda s: signed(s, messages=[pay("ann", "bob", 10**15)]),
        "sdk",
        5,
        "is smaller than 1000000000000000neur: account=tieline1",
    ),
    (
        "nothing",
        lambda s: _with_message(
            s, SEND, _payment(amount=[coin_pb2.Coin(denom="neur", amount="0")])
        ),
        "sdk",
        10,
        "invalid coins",
    ),
    (
        "another denomination",
        lambda s: signed(s, messages=[MsgSend(ANN.cosmos_account, BOB.cosmos_account, 1, "stake")]),
        "sdk",
        10,
        "unknown denomination",
    ),
    (
        "gas that runs out",
        lambda s: signed(s, gas_limit=20_000),
        "sdk",
        11,
        "out of gas in location",
    ),
    (
        "a packet of an energy trade by hand",
        lambda s: signed(
            s,
            messages=[
                SendPacket(
                    ANN.cosmos_account,
                    "07-tendermint-0",
                    2**40,
                    (Payload("energytrade", "energytrade", "v", "e", b"x"),),
                )
            ],
        ),
        "",
        0,
        "failed to execute message; message index: 0",
    ),
]
