"""
The trade world with transfers: ledger a plays the stock chain for X1, ledger b for X2. A stock
chain does nothing but ICS-20, and that is all that is asked of them here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fakes.light_client import MISBEHAVIOUR, prove
from fakes.trade_records import CLIENT, PRICE_IN, PRICE_OUT, TAU
from fakes.trade_world import Position, TradeLedger, TradeWorld, account, events
from tieline.contract.conditional_transfers import NOBODY
from tieline.contract.keys import voucher_key, voucher_supply_key
from tieline.contract.records import decode_amount
from tieline.contract.results import TxResult
from tieline.contract.store import IBC, TIELINE
from tieline.contract.terms import lock_id_abroad
from tieline.contract.transfer_moves import MODULE_TEXT
from tieline.contract.transfer_records import OwedRecord, decode_owed
from tieline.contract.vouchers import PAY
from tieline.protocol import commitment
from tieline.protocol.denom import escrow_account
from tieline.protocol.messages import (
    AcknowledgePacket,
    AnyMessage,
    RecvPacket,
    TimeoutPacket,
    Transfer,
    UpdateClient,
)
from tieline.protocol.packet import Acknowledgement, Packet
from tieline.swap.messages import MsgOpenAbroad, MsgSetStockChain, MsgTradeEvidence
from tieline.swap.records import LOCAL_CLIENT, Decision, Order, Reason, Side, VerdictLeaf
from tieline.wire.abi import encode_energy_trade
from tieline.wire.bech32 import account_to_text
from tieline.wire.codec import decode_acknowledgement, decode_packet
from tieline.wire.hashes import sha256, tag
from tieline.wire.trade_memo import memo_for_trade

SECRET = b"\x5e" * 32
WH = 5000
HOME = PAY.through("transfer", CLIENT)
"""The other ledger's PAY, as either of the two calls it."""
RELAYER = account("relayer")


def text(name: str) -> str:
    """An account's spelling."""
    return account_to_text(account(name))


def sent_packets(result: TxResult) -> list[Packet]:
    """The packets that a transaction sent."""
    return [
        decode_packet(bytes.fromhex(event["encoded_packet_hex"]))
        for event in events(result, "send_packet")
    ]


def written_answer(result: TxResult) -> Acknowledgement:
    """The one acknowledgement that a transaction wrote."""
    (written,) = events(result, "write_acknowledgement")
    return decode_acknowledgement(bytes.fromhex(written["encoded_acknowledgement_hex"]))


def vouchers_of(ledger: TradeLedger, who: bytes, denom: Any = HOME) -> int:
    """Spendable vouchers."""
    value = ledger.app.query(TIELINE, voucher_key(who, denom.voucher_hash))
    return 0 if value is None else decode_amount(value)


def supply_of(ledger: TradeLedger, denom: Any = HOME) -> int:
    """What exists of a voucher."""
    shards = range(ledger.parameters.vault_shards)
    keys = (voucher_supply_key(denom.voucher_hash, shard) for shard in shards)
    values = (ledger.app.query(TIELINE, key) for key in keys)
    return sum(decode_amount(value) for value in values if value is not None)


def escrowed(ledger: TradeLedger) -> int:
    """PAY in the client's escrow."""
    return ledger.pay(escrow_account("transfer", CLIENT))


def owed_on(ledger: TradeLedger) -> dict[tuple[bytes, bytes], OwedRecord]:
    """All that is owed: (account, id) to record."""
    return {
        (key[1:21], key[21:]): decode_owed(value) for key, value in ledger.app.scan(TIELINE, b"u")
    }


class TransferWorld(TradeWorld):
    """Ledgers that vouch for one another as stock chains."""

    def __init__(self, **rules: Any) -> None:
        super().__init__(**rules)
        for ledger, other in ((self.a, self.b), (self.b, self.a)):
            message = MsgSetStockChain(account(ledger.cell), other.tag, CLIENT, "tieline")
            ledger.must(ledger.cell, message)

    def other(self, ledger: TradeLedger) -> TradeLedger:
        """The ledger at the other end."""
        return self.b if ledger is self.a else self.a

    def transfer(
        self, ledger: TradeLedger, name: str, amount: int, receiver: str, **change: Any
    ) -> Transfer:
        """A transfer that times out in an hour."""
        fields = {"denom": "neur", "timeout_s": ledger.now_s + 3600, **change}
        return Transfer(
            signer=account(name), source_client=CLIENT, amount=amount, receiver=receiver, **fields
        )

    def sent(self, ledger: TradeLedger, name: str, message: Transfer) -> Packet:
        """Send; the packet."""
        (packet,) = sent_packets(ledger.must(name, message))
        return packet

    # --- a relayer's work ---------------------------------------------------------------------

    def recv_message(self, ledger: TradeLedger, packet: Packet) -> RecvPacket:
        """A packet with proof from the other ledger's own store."""
        height = ledger.update_client(self.other(ledger))
        key = commitment.packet_commitment_key(packet.source_client, packet.sequence)
        value = self.other(ledger).app.query(IBC, key)
        assert value is not None
        proof = prove(height.revision_height, (b"ibc", key), value)
        return RecvPacket(RELAYER, packet, proof, height)

    def deliver(self, ledger: TradeLedger, packet: Packet, *before: object) -> TxResult:
        """Receive on *ledger*, with other messages in front."""
        return ledger.run("relayer", *before, self.recv_message(ledger, packet))

    def answer_to(self, ledger: TradeLedger, packet: Packet, answer: Acknowledgement) -> TxResult:
        """Bring *ledger* the answer to a packet that it sent."""
        height = ledger.update_client(self.other(ledger))
        key = commitment.acknowledgement_key(packet.destination_client, packet.sequence)
        value = self.other(ledger).app.query(IBC, key)
        assert value == commitment.commit_acknowledgement(answer)
        proof = prove(height.revision_height, (b"ibc", key), value)
        return ledger.run("relayer", AcknowledgePacket(RELAYER, packet, answer, proof, height))

    def round_trip(self, ledger: TradeLedger, packet: Packet) -> TxResult:
        """Deliver what *ledger* sent and bring it the answer."""
        received = self.deliver(self.other(ledger), packet)
        assert received.code == 0, received.log
        return self.answer_to(ledger, packet, written_answer(received))

    def expire(self, ledger: TradeLedger, packet: Packet) -> TxResult:
        """Let a packet that *ledger* sent time out."""
        other = self.other(ledger)
        other.now_s = max(other.now_s, packet.timeout_s)
        height = ledger.update_client(other)
        key = commitment.packet_receipt_key(packet.destination_client, packet.sequence)
        assert other.app.query(IBC, key) is None
        proof = prove(height.revision_height, (b"ibc", key), None)
        return ledger.run("relayer", TimeoutPacket(RELAYER, packet, proof, height))

    @staticmethod
    def freeze(ledger: TradeLedger) -> None:
        """Freeze the client on *ledger*."""
        ledger.must("relayer", UpdateClient(RELAYER, CLIENT, AnyMessage(MISBEHAVIOUR, b"\x01")))

    # --- trades with a party on a stock chain --------------------------------------------------

    def buyer_abroad(
        self, sells: list[tuple[Order, int]] | None = None, wh: int = WH, **change: Any
    ) -> Position:
        """X1: ann on a buys from the sells on b; bob sells directly unless said otherwise."""
        if sells is None:
            sells = [(self.place("bob", Side.SELL, wh, anchor=sha256(SECRET)), wh)]
        change = {"price_in": PRICE_OUT, **_nobody(), **change}
        buy = self.order("ann", Side.BUY, wh)
        return self.position([(buy, wh)], sells, SECRET, **change)

    def seller_abroad(
        self, buys: list[tuple[Order, int]] | None = None, wh: int = WH, **change: Any
    ) -> Position:
        """X2: the buys on a buy from bob on b; ann buys unless said otherwise."""
        if buys is None:
            buys = [(self.place("ann", Side.BUY, wh), wh)]
        sell = self.order("bob", Side.SELL, wh, anchor=sha256(SECRET))
        change = {"price_out": PRICE_IN, **_nobody(), **change}
        return self.position(buys, [(sell, wh)], SECRET, **change)

    def payment(self, position: Position, **change: Any) -> Transfer:
        """The transfer on a that pays for an X1 trade."""
        trade = position.trade
        fields = {
            "timeout_s": TAU,
            "memo": memo_for_trade(encode_energy_trade(trade)),
            "receiver": MODULE_TEXT,
            "amount": trade.price_out * trade.energy_wh,
            **change,
        }
        return self.transfer(self.a, "ann", **fields)

    def pay_for(self, position: Position, **change: Any) -> Packet:
        """Send it, a minute before tau."""
        self.a.now_s = self.b.now_s = TAU - 60
        self.b.must("relayer", self.post_clearing(position.clearing))
        return self.sent(self.a, "ann", self.payment(position, **change))

    def receive_payment(
        self, position: Position, packet: Packet, side: Side = Side.SELL
    ) -> TxResult:
        """Receive it on b, with evidence."""
        evidence = MsgTradeEvidence(RELAYER, position.evidence(side))
        return self.deliver(self.b, packet, evidence)

    def open_abroad(self, position: Position, at: int = TAU - 60) -> TxResult:
        """Open an X2 lock on a."""
        cell = account("cell a")
        self.a.must("relayer", self.post_clearing(position.clearing))
        return self.a.run(
            "cell a",
            MsgTradeEvidence(cell, position.evidence(Side.BUY)),
            MsgOpenAbroad(cell, (position.trade,)),
            at=at,
        )

    def abroad_leaf(self, position: Position, **change: Any) -> VerdictLeaf:
        """An accept of an X2 trade, applied on a."""
        fields: dict[str, Any] = {
            "decision": Decision.ACCEPT,
            "cap_wh": position.trade.energy_wh,
            "reason": Reason.NONE,
            "group": 1,
            "group_size": 1,
            "owners": self.owners("cell a", "cell b", "cell grid"),
            **change,
        }
        return VerdictLeaf(
            dest_chain_tag=self.a.tag,
            dest_client=tag(LOCAL_CLIENT),
            sequence=0,
            packet_commitment=position.trade.trade_id,
            trade_id=position.trade.trade_id,
            **fields,
        )

    def refusal(self, leaf: VerdictLeaf) -> dict[str, Any]:
        """What makes a refusal of an accept."""
        return {"decision": Decision.REFUSE, "cap_wh": 0, "reason": 2, "group": 0, "group_size": 0}

    def home_lock(self, position: Position) -> bytes:
        """X1's lock on b."""
        return lock_id_abroad(self.b.tag, position.trade, position.trade.expiry_out)

    def abroad_lock(self, position: Position) -> bytes:
        """X2's lock on a."""
        return lock_id_abroad(self.a.tag, position.trade, position.trade.expiry_in)


def _nobody() -> dict[str, bytes]:
    return {"connector_in": NOBODY, "connector_out": NOBODY}


def total(amounts: Iterable[OwedRecord]) -> int:
    """Sum of what is owed."""
    return sum(record.amount for record in amounts)
