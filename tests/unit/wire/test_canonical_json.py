"""One value, one form: a changed byte is seen even where it would not change the meaning."""

import dataclasses

import pytest

from tieline.swap.evidence import (
    BusInjection,
    GateEvidence,
    PublishedVerdict,
    Scenario,
    SlotEvidence,
)
from tieline.swap.records import Clearing, Order, SignedOrder, Verdict
from tieline.wire.canonical_json import canonical, parse
from tieline.wire.errors import Malformed

H = bytes(range(32))
ORDER = Order(H, bytes(20), H, 1, 7, 1, 900, 900, 5000, 0, 300_000, bytes(32), 1)
VERDICT = PublishedVerdict(
    verdict=Verdict(H, 1, 900, 900, H, H, H, H, H, H),
    signatures=(bytes(65),),
    leaves=(),
    pending=(),
    baseline=(),
    gate=GateEvidence(
        "FEASIBLE",
        1_000_000,
        (BusInjection(H, 6, -1_500_000_000),),
        (),
        (Scenario(0, "base", 1_000_000, ((0, -1),), (H,), b"\x01"),),
    ),
    setpoints=((H, -1500),),
    explanation="V_LOW at bus 7",
)
EVIDENCE = SlotEvidence(900, 900, orders=(SignedOrder(ORDER, bytes(65)),), verdict=VERDICT)


def test_evidence_comes_back_as_it_was() -> None:
    """Encode, parse, equal."""
    assert parse(SlotEvidence, canonical(EVIDENCE)) == EVIDENCE


def test_every_changed_byte_is_refused_or_changes_the_value() -> None:
    """No byte can be flipped unseen."""
    raw = canonical(EVIDENCE)
    for place in range(len(raw)):
        mutated = raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :]
        try:
            value = parse(SlotEvidence, mutated)
        except Malformed:
            continue
        assert value != EVIDENCE


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw.replace(b"{", b"{ ", 1),
        lambda raw: raw[:-1],
        lambda raw: raw.replace(b'"slot_start":900', b'"slot_start":900.0', 1),
        lambda raw: raw.replace(b'"slot_start":900', b'"slot_start":true', 1),
        lambda raw: raw.replace(b'"slot_start"', b'"slot_begin"', 1),
        lambda raw: raw.replace(b"0102", b"0A02", 1).upper(),
        lambda raw: b"[]",
    ],
)
def test_another_form_of_the_same_evidence_is_refused(spoil) -> None:
    """White space, other numbers, unknown fields, upper case."""
    with pytest.raises(Malformed):
        parse(SlotEvidence, spoil(canonical(EVIDENCE)))


def test_a_record_of_another_kind_is_refused() -> None:
    """The kind is part of the question."""
    with pytest.raises(Malformed):
        parse(Clearing, canonical(EVIDENCE))
    changed = dataclasses.replace(EVIDENCE, slot_start=1800)
    assert canonical(changed) != canonical(EVIDENCE)
