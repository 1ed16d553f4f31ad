"""Lanes, health, refusals: small things that the runner stands on."""

import pytest

from tieline.contract.errors import NotYetPosted, OutOfGas, WrongSequence
from tieline.contract.trade_errors import TooEarly, TooLate
from tieline.hub.attestor_pool import AttestorQuorum
from tieline.hub.health import Health
from tieline.hub.lanes import Lanes, UnderWay
from tieline.hub.proof_form import Attestation, AttestedForm, PairedForm, PlainForm
from tieline.hub.prover import ClientTerms
from tieline.hub.refusals import Refusal, sort_refusal
from tieline.interfaces.errors import Unavailable
from tieline.protocol.errors import ConsensusStateNotFound, ProofInvalid, TimeoutElapsed
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.wire.attestation_proofs import AttestationProof


def under_way(lane: str, number: int, height: int = 10, submitted_s: int = 100) -> UnderWay:
    return UnderWay("a-1", lane, bytes([number]), ("x",), (1,), height, submitted_s)


def test_a_lane_carries_one_transaction() -> None:
    lanes = Lanes(("one", "two"))
    assert lanes.free() == ["one", "two"]
    lanes.start(under_way("one", 1))
    assert (lanes.free(), len(lanes)) == (["two"], 1)
    assert lanes.end(b"\x63") is None
    assert lanes.end(bytes([1])) == under_way("one", 1)
    assert (lanes.free(), len(lanes)) == (["one", "two"], 0)


@pytest.mark.parametrize(
    ("height", "now_s", "is_late"),
    [(13, 110, False), (14, 110, True), (13, 130, False), (13, 131, True)],
)
def test_what_is_in_no_block_is_late_by_height_or_clock(
    height: int, now_s: int, *, is_late: bool
) -> None:
    lanes = Lanes(("one",))
    lanes.start(under_way("one", 1))
    assert bool(lanes.overdue(height, now_s, blocks_max=3, seconds_max=30)) is is_late


@pytest.mark.parametrize("names", [(), ("one", "one")])
def test_lanes_have_different_names(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="lanes"):
        Lanes(names)


def test_a_silent_ledger_is_asked_again_after_a_while_and_forgiven_when_it_answers() -> None:
    health = Health()
    for silent_s in (1, 2, 5):
        health.note_silence("a-1", 100, Unavailable("gone"))
        assert health.is_silent("a-1", 100 + silent_s - 1)
        assert not health.is_silent("a-1", 100 + silent_s)
        assert health.next_wake_s(100) == 100 + silent_s
    health.note_answer("a-1")
    assert not health.is_silent("a-1", 100)
    assert health.next_wake_s(100) is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NotYetPosted, Refusal.NOT_YET),
        (TooEarly, Refusal.NOT_YET),
        (ConsensusStateNotFound, Refusal.CLIENT_BEHIND),
        (WrongSequence, Refusal.SEQUENCE),
        (TooLate, Refusal.WRONG),
        (TimeoutElapsed, Refusal.WRONG),
        (ProofInvalid, Refusal.WRONG),
        (OutOfGas, Refusal.WRONG),
    ],
)
def test_refusals_are_sorted_by_codespace_and_code(error: type, expected: Refusal) -> None:
    assert sort_refusal(error.codespace, error.code) is expected


def test_a_code_without_its_codespace_is_never_taken_for_not_yet() -> None:
    assert sort_refusal("", NotYetPosted.code) is Refusal.WRONG


def test_a_quorum_belongs_to_an_attested_form_only() -> None:
    quorum = AttestorQuorum(b"\x01" * 20, 3)
    assert ClientTerms(PairedForm(), quorum).quorum is quorum
    assert ClientTerms(PlainForm()).quorum is None
    assert ClientTerms(AttestedForm(), quorum).form.is_attested
    for form, terms in ((PairedForm(), None), (AttestedForm(), None), (PlainForm(), quorum)):
        with pytest.raises(ValueError, match="quorum"):
            ClientTerms(form, terms)


def test_an_attested_form_leaves_native_bytes_and_revisions_out() -> None:
    signed = Attestation(b"data", (b"\x01" * 65,))
    form, native = AttestedForm(), AnyMessage("/native", b"header")
    for shown in (form.header(native, signed).value, form.proof(b"native proof", signed)):
        assert AttestationProof.decode(shown) == AttestationProof(b"data", (b"\x01" * 65,))
    assert form.header(native, signed).type_url.endswith("attestations.v1.AttestationProof")
    assert form.height(Height(7, 12)) == Height(0, 12)
    assert PairedForm().height(Height(7, 12)) == PlainForm().height(Height(7, 12)) == Height(7, 12)
