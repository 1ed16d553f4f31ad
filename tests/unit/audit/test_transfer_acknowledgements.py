"""A transfer's success needs a verdict exactly if its memo names a trade."""

from fakes.trade_records import TAU
from fakes.transfer_world import TransferWorld, sent_packets, text

from tieline.audit.acknowledgements import check_acknowledgements
from tieline.audit.findings import Findings
from tieline.audit.ledger_history import LedgerEvent, LedgerHistory


def history(ledger, *results, drop=()):
    """What the audit would know of *ledger* after transactions with these results."""
    events = tuple(
        LedgerEvent(height, event)
        for height, result in enumerate(results, 1)
        for event in result.events
        if event.type not in drop
    )
    return LedgerHistory(
        genesis=ledger.genesis,
        state=ledger.app,
        chain_tag=ledger.app.chain_tag,
        state_root=ledger.app.app_hash,
        headers=(),
        events=events,
        transaction_count=len(results),
        failed_count=0,
        books=ledger.books(),
    )


def check(ledger, *results, **change):
    findings = Findings()
    counted = check_acknowledgements({"b": history(ledger, *results, **change)}, {}, findings)
    return counted, [finding.rule for finding in findings.rows]


def test_a_plain_transfer_needs_no_verdict():
    world = TransferWorld()
    sent = world.a.must("ann", world.transfer(world.a, "ann", 5, text("bob"), memo="rent"))
    (packet,) = sent_packets(sent)
    assert check(world.b, world.deliver(world.b, packet)) == (0, [])


def accepted_payment():
    world = TransferWorld()
    position = world.buyer_abroad()
    packet = world.pay_for(position)
    world.receive_payment(position, packet)
    leaf = world.leaf(position, packet)
    accepted = world.b.must("relayer", world.apply_verdict([leaf]), at=TAU)
    return world, position, accepted


def test_an_accepted_payment_is_held_to_the_evidence_of_its_verdict():
    world, position, accepted = accepted_payment()
    counted, rules = check(world.b, accepted)
    name = position.trade.trade_id.hex()[:16]
    assert counted == 1
    assert rules == [f"success of trade {name}"], "only the evidence is missing here"


def test_a_payment_that_succeeds_without_a_verdict_is_found():
    world, position, accepted = accepted_payment()
    counted, rules = check(world.b, accepted, drop={"verdict_applied"})
    name = position.trade.trade_id.hex()[:16]
    assert (counted, rules) == (0, [f"success of the payment for trade {name}"])
