"""Verdicts and delivery statements, signed by cells, and the messages that bring them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fakes.microgrid import key
from fakes.trade_records import S, make_verdict, prove_leaves
from fakes.trade_world import DOMAIN
from fakes.twin.book import Deal
from fakes.twin.parties import CELL, CLIENT, Cells, account
from tieline.protocol.commitment import commit_packet
from tieline.protocol.packet import Packet
from tieline.swap.messages import (
    MsgApplyVerdict,
    MsgClaim,
    MsgCollectShare,
    MsgExpirePending,
    MsgPostDelivery,
    MsgRefund,
    MsgWaive,
    ProvedDeliveryLeaf,
)
from tieline.swap.records import (
    LOCAL_CLIENT,
    ZERO_HASH,
    Decision,
    Delivery,
    DeliveryLeaf,
    Reason,
    Side,
    Verdict,
    VerdictLeaf,
    Waive,
)
from tieline.wire.abi import encode_delivery_leaf
from tieline.wire.hashes import tag
from tieline.wire.merkle import MerkleTree
from tieline.wire.typed_data import sign_record

RELAYER = account("relayer")
REFUSE: dict[str, Any] = {
    "decision": Decision.REFUSE,
    "cap_wh": 0,
    "reason": Reason.V_HIGH,
    "group": 0,
    "group_size": 0,
}


@dataclass(frozen=True)
class Council:
    """The cells of a set, deciding."""

    tag_x: bytes
    cells: Cells

    def leaf(self, deal: Deal, packet: Packet | None, **change: Any) -> VerdictLeaf:
        """An accept of the whole deal, a group of its own."""
        is_local = packet is None
        leaf = VerdictLeaf(
            dest_chain_tag=self.tag_x,
            dest_client=tag(LOCAL_CLIENT if is_local else CLIENT),
            sequence=0 if packet is None else packet.sequence,
            packet_commitment=deal.trade.trade_id if packet is None else commit_packet(packet),
            trade_id=deal.trade.trade_id,
            decision=Decision.ACCEPT,
            cap_wh=deal.trade.energy_wh,
            reason=Reason.NONE,
            group=1,
            group_size=1,
            owners=self.cells.bits(),
        )
        return replace(leaf, **change)

    def verdict(self, leaves: Sequence[VerdictLeaf], **change: Any) -> Verdict:
        """The slot's verdict over leaves."""
        return make_verdict(self.cells.set_id(), leaves, **change)

    def apply(
        self,
        leaves: Sequence[VerdictLeaf],
        apply: Sequence[VerdictLeaf] | None = None,
        names: tuple[str, ...] | None = None,
        *,
        is_brought: bool = True,
        **change: Any,
    ) -> MsgApplyVerdict:
        """Some leaves of a verdict (all unless said otherwise), signed unless not brought."""
        proved = prove_leaves(leaves, apply)
        verdict = self.verdict(leaves, **change)
        signatures = self.cells.sign(verdict, names) if is_brought else ()
        return MsgApplyVerdict(
            RELAYER, verdict.slot_start, verdict.decisions_root, proved, verdict, signatures
        )

    def expire(self, deal: Deal) -> MsgExpirePending:
        """What no verdict came for."""
        return MsgExpirePending(RELAYER, deal.lock_id)

    # --- statements ---------------------------------------------------------------------------

    def statement(
        self,
        delivered: Sequence[tuple[Deal, int]],
        names: tuple[str, ...] | None = None,
        **change: Any,
    ) -> MsgPostDelivery:
        """A signed statement over deals."""
        root = _tree(delivered).root
        delivery = Delivery(
            self.cells.set_id(), 1, S, 900, ZERO_HASH, ZERO_HASH, ZERO_HASH, ZERO_HASH, root
        )
        delivery = replace(delivery, **change)
        return MsgPostDelivery(RELAYER, delivery, self.cells.sign(delivery, names))

    def delivered(
        self, delivered: Sequence[tuple[Deal, int]], deal: Deal, index: int = 0
    ) -> ProvedDeliveryLeaf:
        """A deal's leaf in such a statement."""
        (wh,) = (wh for each, wh in delivered if each.trade.trade_id == deal.trade.trade_id)
        leaf = DeliveryLeaf(deal.trade.trade_id, wh)
        return ProvedDeliveryLeaf(leaf, _tree(delivered).proof(encode_delivery_leaf(leaf)), index)

    # --- exits --------------------------------------------------------------------------------

    def claim(self, deal: Deal, leaf: ProvedDeliveryLeaf, preimage: bytes | None = None) -> Any:
        """A claim with the deal's secret, unless another is given."""
        secret = deal.preimage if preimage is None else preimage
        return MsgClaim(RELAYER, deal.lock_id, secret, leaf)

    def refund(self, deal: Deal, leaves: Sequence[ProvedDeliveryLeaf] = ()) -> MsgRefund:
        """What an expired lock still holds."""
        return MsgRefund(RELAYER, deal.lock_id, tuple(leaves))

    def waive(self, deal: Deal, wh: int, signer: str, cosigner: str = "cell grid") -> MsgWaive:
        """A waiver; for a pool with a co-signature."""
        signature = b""
        if deal.is_local or not deal.is_source:
            signature = sign_record(key(cosigner), DOMAIN, Waive(deal.lock_id, wh))
        return MsgWaive(account(signer), deal.lock_id, wh, signature)

    def payee_of(self, deal: Deal) -> str:
        """The name that alone may waive: the connector, the seller, or the cell for a pool."""
        if deal.is_source:
            return "connector"
        names = {account(name): name for name in ("bob", "ben", "bea", "sol", "sue")}
        return names.get(deal.trade.seller, CELL)

    def share(self, deal: Deal, side: Side, place: int) -> MsgCollectShare:
        """The share of a side's leaf, by its place."""
        own = self.leaves_of(deal, side)[place]
        return MsgCollectShare(RELAYER, deal.lock_id, side, own.allocation, own.proof)

    def leaves_of(self, deal: Deal, side: Side) -> list[Any]:
        """A side's leaves of a deal on x, ascending."""
        if not deal.is_local:
            return list(deal.own)
        both = list(deal.own)
        begins = [place for place, own in enumerate(both) if own.allocation.offset_wh == 0]
        return both[: begins[1]] if side is Side.BUY else both[begins[1] :]


def _tree(delivered: Sequence[tuple[Deal, int]]) -> MerkleTree:
    leaves = [DeliveryLeaf(deal.trade.trade_id, wh) for deal, wh in delivered]
    return MerkleTree([encode_delivery_leaf(leaf) for leaf in leaves])
