"""
A driven ledger of ours beside a driven stock chain, and what cells and households do on them: one
clock for both, moved by the test.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace

from cosmpy.protos.cosmos.base.v1beta1 import coin_pb2
from cosmpy.protos.cosmos.gov.v1 import gov_pb2
from cosmpy.protos.cosmos.gov.v1 import tx_pb2 as gov_tx_pb2
from cosmpy.protos.cosmos.staking.v1beta1 import tx_pb2 as staking_pb2
from cosmpy.protos.ibc.applications.transfer.v1 import transfer_pb2
from cosmpy.protos.ibc.applications.transfer.v1 import tx_pb2 as transfer_tx_pb2
from google.protobuf.any_pb2 import Any as AnyProto

from fakes.driven import LANES, Link, NativeAlongside, Stock, finish, genesis_of
from fakes.microgrid import key
from fakes.stock_chain import NEUR, QUICK
from fakes.trade_records import NETWORK_EPOCH, allocate
from fakes.trade_world import DOMAIN, NETWORK_ID, signed_by
from tieline.contract import vouchers
from tieline.contract.conditional_transfers import NOBODY
from tieline.contract.keys import lock_key
from tieline.contract.records import decode_lock
from tieline.contract.terms import lock_id_abroad, lock_id_in
from tieline.contract.transfer_moves import MODULE_TEXT
from tieline.contract.transfer_records import decode_owed
from tieline.ledgers.cosmos.genesis import BASE_DENOM
from tieline.ledgers.cosmos.ledger import CosmosLedger
from tieline.ledgers.cosmos.process import StockChain
from tieline.ledgers.tendermint.clock_file import ClockFile
from tieline.ledgers.tendermint.home import Pace
from tieline.ledgers.tendermint.native import NativeTendermint
from tieline.ledgers.tendermint.peers import PeerGroup
from tieline.protocol.commitment import commit_packet
from tieline.protocol.messages import AnyMessage, Transfer
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.swap.messages import (
    MsgApplyVerdict,
    MsgClaim,
    MsgExpirePending,
    MsgOpenAbroad,
    MsgPlaceOrders,
    MsgPostCellSet,
    MsgPostClearing,
    MsgPostDelivery,
    MsgRefund,
    MsgRetryOwed,
    MsgSetBands,
    MsgSetStockChain,
    MsgTradeEvidence,
    ProvedDeliveryLeaf,
    ProvedVerdictLeaf,
)
from tieline.swap.records import (
    LOCAL_CLIENT,
    ZERO_HASH,
    CellSet,
    Clearing,
    Decision,
    Delivery,
    DeliveryKind,
    DeliveryLeaf,
    EnergyTrade,
    Level,
    Order,
    Reason,
    RegistryRow,
    Role,
    Side,
    SignedOrder,
    TradeEvidence,
    Verdict,
    VerdictLeaf,
)
from tieline.wire import ids
from tieline.wire.abi import (
    encode_delivery_leaf,
    encode_energy_trade,
    encode_id_leaf,
    encode_verdict_leaf,
)
from tieline.wire.bech32 import account_to_text
from tieline.wire.codec import decode_acknowledgement, decode_packet
from tieline.wire.hashes import keccak, sha256, tag
from tieline.wire.merkle import MerkleTree
from tieline.wire.trade_memo import memo_for_trade
from tieline.wire.typed_data import sign_record

OURS, STOCK = "ours-1", "stock-1"
BEGIN_S = 1_767_225_600
PRICE = 200_000
WH = 1000
COST = PRICE * WH
PACE = Pace(commit_wait_ms=1, empty_block_interval_s=0)
VOTING_S = 30
CELLS = (f"cell of {OURS}", f"cell of {STOCK}", "cell grid")
BUYER, SELLER = "household 0", "household 1"
WAIT_S = 120.0


@dataclass(frozen=True)
class Trade:
    """A trade with everything that goes beside it."""

    terms: EnergyTrade
    preimage: bytes
    clearing: Clearing
    evidence: TradeEvidence
    lock_id: bytes

    @property
    def start(self):
        return self.terms.slot_start


class StockTrades:
    """Both ledgers, linked; the stock chain is registered on ours."""

    def __init__(self, folder):
        self.clock = ClockFile(folder / "clock")
        self.clock.move_to(BEGIN_S * NANOSECONDS_PER_SECOND)
        self.chain = StockChain(
            STOCK,
            folder / "stock",
            {
                key(f"{lane} of {STOCK}").cosmos_account: {BASE_DENOM: 10**12, NEUR: 10**12}
                for lane in LANES
            },
            pace=QUICK,
            clock_file=self.clock.path,
            genesis_time_ns=BEGIN_S * NANOSECONDS_PER_SECOND,
        )
        _quicken_votes(self.chain.home.folder / "config" / "genesis.json")
        genesis = replace(
            genesis_of(OURS),
            founding_cells=tuple(sorted(key(name).address for name in CELLS)),
            takes_plain_clients=True,
        )
        self.group = PeerGroup(genesis, folder / "ours", pace=PACE, clock=self.clock)
        self.count = 0
        self.proposals = 0

    def start(self):
        self.chain.start()
        self.group.start()
        self.ours = NativeAlongside(NativeTendermint(OURS, self.group.peers[0].rpc))
        self.stock = Stock(CosmosLedger(STOCK, self.chain.rpc))
        self.link = Link(self.ours, self.stock)
        self.stock_tag = ids.chain_tag("cosmos", STOCK, sha256(b"genesis of the stock chain"))
        self.our_tag = self.ours.chain_tag()
        rows = [
            RegistryRow(key(CELLS[0]).address, self.our_tag, Role.MICROGRID),
            RegistryRow(key(CELLS[1]).address, self.stock_tag, Role.MICROGRID),
            RegistryRow(key(CELLS[2]).address, b"\x0c" * 32, Role.GRID),
        ]
        self.rows = tuple(sorted(rows, key=lambda row: row.cell))
        cells = tuple(row.cell for row in self.rows)
        self.cell_set_id = ids.cell_set_id(NETWORK_ID, NETWORK_EPOCH, 1, cells)
        record = CellSet(
            ZERO_HASH, NETWORK_EPOCH, 1, ids.cells_hash(cells), ids.registry_hash(self.rows), 900
        )
        self.here(MsgPostCellSet(b"", record, self.rows, signed_by(record, CELLS)))
        self.here(MsgSetStockChain(b"", self.stock_tag, self.ours.client, "cosmos"), lane="cell")

    def stop(self):
        self.group.stop()
        self.chain.stop()
        self.clock.close()

    # --- the hand of the test ------------------------------------------------------------------

    def here(self, *messages, lane="relayer"):
        """Run messages on our ledger, signed by a lane."""
        signer = self.ours.account(lane)
        return self.ours.must(*(replace(one, signer=signer) for one in messages), lane=lane)

    def at(self, time_s):
        """Move the clock, and return when both ledgers make blocks of that time."""
        self.clock.move_to(time_s * NANOSECONDS_PER_SECOND)
        while self.ours.now_s < time_s:
            self.ours.block()
        end = time.monotonic() + WAIT_S
        while finish(self.stock.ledger.latest_time_s()) < time_s:
            assert time.monotonic() < end, "the stock chain does not take the time"
            time.sleep(0.02)

    @property
    def now_s(self):
        return self.clock.now_ns() // NANOSECONDS_PER_SECOND

    def paid(self, lane):
        """PAY of a lane on the stock chain."""
        return finish(self.stock.ledger.balance(self.stock.account(lane), NEUR))

    def vouchers_there(self, lane):
        """Our PAY, as a voucher of a lane on the stock chain."""
        name = vouchers.PAY.through("transfer", self.stock.client).name
        return finish(self.stock.ledger.balance(self.stock.account(lane), name))

    def pay_here(self, lane):
        return vouchers.balance(_State(self.ours), self.ours.account(lane), vouchers.PAY)

    def vouchers_here(self, lane):
        """Their PAY, as a voucher of a lane on our ledger."""
        denom = vouchers.PAY.through("transfer", self.ours.client)
        return vouchers.balance(_State(self.ours), self.ours.account(lane), denom)

    def status(self, trade):
        return decode_lock(
            finish(self.ours.ledger.query("tieline", lock_key(trade.lock_id)))
        ).status

    def owed(self):
        """All that our ledger owes: account and id, with the record."""
        rows = finish(self.ours.ledger.scan("tieline", b"u"))
        return {(found[1:21], found[21:]): decode_owed(value) for found, value in rows}

    # --- a relayer by hand ---------------------------------------------------------------------

    def carry(self, transaction):
        """Bring all packets that our ledger sent in a transaction, and their answers."""
        return [self.round_trip(packet) for packet in sent(transaction)]

    def round_trip(self, packet):
        received = self.stock.must(*self.link.receive(packet, self.ours))
        answer = answer_in(received)
        self.ours.must(*self.link.acknowledge(packet, answer, self.stock))
        return answer

    def answer_home(self, packet, transaction):
        """Bring the stock chain the answer that our ledger wrote in a transaction."""
        answer = answer_in(transaction)
        self.stock.must(*self.link.acknowledge(packet, answer, self.ours))
        return answer

    def time_out(self, packet):
        """Let a packet of ours die, and prove it."""
        self.at(packet.timeout_s)
        return self.ours.must(*self.link.time_out(packet, self.stock))

    def retry(self, owed):
        return self.here(MsgRetryOwed(b"", *owed))

    # --- trades --------------------------------------------------------------------------------

    def _order(self, chain, lane, side, start, anchor=ZERO_HASH):
        self.count += 1
        chain_tag = self.our_tag if chain == OURS else self.stock_tag
        owner = key(f"{lane} of {chain}")
        return Order(
            chain_tag=chain_tag,
            account=owner.cosmos_account,
            meter_id=ids.meter_id(chain_tag, owner.address),
            side=side,
            levels=7,
            delivery=DeliveryKind.FIRM,
            slot_start=start,
            slot_length=900,
            energy_wh=WH,
            price_min=PRICE if side is Side.SELL else 0,
            price_max=PRICE if side is Side.BUY else 400_000,
            anchor=anchor,
            nonce=self.count,
        )

    def cleared(self, side_here):
        """
        Clear a trade of the next free slot, half of it on our ledger, and post the clearing there.
        """
        start = (self.now_s + 2 * 3600) // 900 * 900
        preimage = sha256(b"secret %d" % self.count)
        hashlock = sha256(preimage)
        is_seller_here = side_here is Side.SELL
        buy = self._order(STOCK if is_seller_here else OURS, BUYER, Side.BUY, start)
        sell = self._order(OURS if is_seller_here else STOCK, SELLER, Side.SELL, start, hashlock)
        mine = sell if is_seller_here else buy
        lane = SELLER if is_seller_here else BUYER
        self.here(MsgSetBands(b"", start, 900, 50_000, 500_000, 20_000), lane="cell")
        signature = sign_record(key(f"{lane} of {OURS}"), DOMAIN, mine)
        self.here(MsgPlaceOrders(b"", (SignedOrder(mine, signature),)))
        root, leaves = allocate([(PRICE, [(buy, WH)]), (PRICE, [(sell, WH)])])
        source, destination = (
            (self.stock_tag, self.our_tag) if is_seller_here else (self.our_tag, self.stock_tag)
        )
        trade_id = ids.trade_id(source, destination, start, 900, Level.INTER, root, hashlock)
        terms = EnergyTrade(
            version=1,
            level=Level.INTER,
            trade_id=trade_id,
            cell_set_id=self.cell_set_id,
            cell_set_epoch=1,
            slot_start=start,
            slot_length=900,
            source_chain_tag=source,
            dest_chain_tag=destination,
            allocations_root=root,
            buyer=buy.account,
            seller=sell.account,
            connector_in=NOBODY,
            connector_out=NOBODY,
            energy_wh=WH,
            price_in=PRICE,
            price_out=PRICE,
            hashlock=hashlock,
            expiry_in=start + 2700,
            expiry_out=start + 1800,
            verdict_deadline=start - 100,
            lock_id_in=ZERO_HASH,
            clearing_root=MerkleTree([encode_id_leaf(trade_id)]).root,
        )
        terms = replace(terms, lock_id_in=lock_id_in(terms))
        clearing = Clearing(
            self.cell_set_id, 1, start, 900, Level.INTER, keccak(b"orders"), terms.clearing_root
        )
        self.here(MsgPostClearing(b"", clearing, signed_by(clearing, CELLS)))
        own = tuple(leaf for leaf in leaves if leaf.allocation.account == mine.account)
        expiry = terms.expiry_out if is_seller_here else terms.expiry_in
        return Trade(
            terms,
            preimage,
            clearing,
            TradeEvidence(trade_id, (), own),
            lock_id_abroad(self.our_tag, terms, expiry),
        )

    def payment_for(self, trade):
        """The buyer on the stock chain sends its money; return the packet."""
        message = Transfer(
            signer=self.stock.account(BUYER),
            source_client=self.stock.client,
            denom=NEUR,
            amount=COST,
            receiver=MODULE_TEXT,
            timeout_s=trade.start - 400,
            memo=memo_for_trade(encode_energy_trade(trade.terms)),
        )
        (packet,) = sent(self.stock.must(message, lane=BUYER))
        return packet

    def pay_for(self, trade):
        """The buyer on the stock chain sends its money, and our ledger takes it in."""
        packet = self.payment_for(trade)
        update, receive = self.link.receive(packet, self.stock)
        evidence = MsgTradeEvidence(self.ours.account("relayer"), trade.evidence)
        received = self.ours.must(update, evidence, receive)
        assert not [one for one in received.events if one.type == "write_acknowledgement"]
        return packet

    def open_abroad(self, trade):
        return self.here(
            MsgTradeEvidence(b"", trade.evidence), MsgOpenAbroad(b"", (trade.terms,)), lane="cell"
        )

    def decide(self, trade, packet=None, cap_wh=WH):
        """Apply a verdict on our ledger, at tau; cap 0 refuses."""
        self.at(trade.start - 400)
        bits = [row.cell for row in self.rows]
        leaf = VerdictLeaf(
            dest_chain_tag=self.our_tag,
            dest_client=tag(LOCAL_CLIENT if packet is None else packet.destination_client),
            sequence=0 if packet is None else packet.sequence,
            packet_commitment=trade.terms.trade_id if packet is None else commit_packet(packet),
            trade_id=trade.terms.trade_id,
            decision=Decision.ACCEPT if cap_wh else Decision.REFUSE,
            cap_wh=cap_wh,
            reason=Reason.NONE if cap_wh else Reason.V_HIGH,
            group=1 if cap_wh else 0,
            group_size=1 if cap_wh else 0,
            owners=sum(1 << bits.index(key(name).address) for name in CELLS),
        )
        root = MerkleTree([encode_verdict_leaf(leaf)]).root
        verdict = Verdict(
            self.cell_set_id,
            1,
            trade.start,
            900,
            NETWORK_EPOCH,
            *[ZERO_HASH] * 2,
            root,
            *[ZERO_HASH] * 2,
        )
        signatures = signed_by(verdict, CELLS)
        proved = (ProvedVerdictLeaf(leaf, ()),)
        return self.here(MsgApplyVerdict(b"", trade.start, root, proved, verdict, signatures))

    def claim(self, trade, wh=WH):
        """State that so much was delivered, and claim it."""
        self.at(trade.start + 900)
        leaf = DeliveryLeaf(trade.terms.trade_id, wh)
        root = MerkleTree([encode_delivery_leaf(leaf)]).root
        statement = Delivery(self.cell_set_id, 1, trade.start, 900, *[ZERO_HASH] * 4, root)
        self.here(MsgPostDelivery(b"", statement, signed_by(statement, CELLS)))
        proved = ProvedDeliveryLeaf(leaf, ())
        return self.here(MsgClaim(b"", trade.lock_id, trade.preimage, proved))

    def expire(self, trade):
        self.at(trade.start - 100)
        return self.here(MsgExpirePending(b"", trade.lock_id))

    def refund(self, trade):
        expiry = decode_lock(
            finish(self.ours.ledger.query("tieline", lock_key(trade.lock_id)))
        ).expiry
        self.at(expiry)
        return self.here(MsgRefund(b"", trade.lock_id))

    # --- the stock chain's own government ------------------------------------------------------

    def allow_receiving(self, *, is_allowed):
        """Let the stock chain decide by vote whether it takes transfers; two of its minutes."""
        voter = account_to_text(self.stock.account("household 9"), "cosmos")
        gov = account_to_text(sha256(b"gov")[:20], "cosmos")
        change = transfer_tx_pb2.MsgUpdateParams(
            signer=gov,
            params=transfer_pb2.Params(send_enabled=True, receive_enabled=is_allowed),
        )
        wanted = AnyProto(
            type_url="/ibc.applications.transfer.v1.MsgUpdateParams",
            value=change.SerializeToString(),
        )
        coin = coin_pb2.Coin(denom=BASE_DENOM, amount="10")
        content = json.loads(self.chain.home.folder.joinpath("config/genesis.json").read_bytes())
        (birth,) = content["app_state"]["genutil"]["gen_txs"]
        validator = birth["body"]["messages"][0]["validator_address"]
        self.proposals += 1
        delegate = staking_pb2.MsgDelegate(
            delegator_address=voter, validator_address=validator, amount=coin
        )
        propose = gov_tx_pb2.MsgSubmitProposal(
            messages=[wanted], initial_deposit=[coin], proposer=voter, title="t", summary="s"
        )
        vote = gov_tx_pb2.MsgVote(
            proposal_id=self.proposals, voter=voter, option=gov_pb2.VoteOption.VOTE_OPTION_YES
        )
        messages = [
            AnyMessage(f"/{one.DESCRIPTOR.full_name}", one.SerializeToString())
            for one in (delegate, propose, vote)
        ]
        finish(self.stock.ledger.submit_encoded("household 9", messages, 2_000_000))
        (transaction,) = self.stock.block().transactions
        assert transaction.code == 0, transaction.log
        self.at(self.now_s + 2 * VOTING_S)


@dataclass
class _State:
    side: NativeAlongside

    def get(self, stored_key):
        return finish(self.side.ledger.query("tieline", stored_key))


def sent(transaction):
    """The packets that a transaction sent."""
    return [
        decode_packet(bytes.fromhex(event.get("encoded_packet_hex")))
        for event in transaction.events
        if event.type == "send_packet"
    ]


def answer_in(transaction):
    """The one acknowledgement that a transaction wrote."""
    (event,) = [one for one in transaction.events if one.type == "write_acknowledgement"]
    return decode_acknowledgement(bytes.fromhex(event.get("encoded_acknowledgement_hex")))


def _quicken_votes(path):
    """Votes in half a minute, for which anyone's stake is enough."""
    content = json.loads(path.read_bytes())
    params = content["app_state"]["gov"]["params"]
    params["voting_period"] = f"{VOTING_S}s"
    params["expedited_voting_period"] = "10s"
    params["min_deposit"] = [{"denom": BASE_DENOM, "amount": "1"}]
    params["quorum"] = "0.000000000000000001"
    path.write_text(json.dumps(content), encoding="utf-8")
