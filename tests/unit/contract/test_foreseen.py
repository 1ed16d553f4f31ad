"""Keys that are read together: the very keys that would be read one by one, in fewer requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from fakes.fabric_world import FabricWorld, WatchedState
from fakes.microgrid import key
from fakes.trade_story import tell_story
from hypothesis import given
from hypothesis import strategies as st

from tieline.contract import chaincode as chaincode_module
from tieline.contract import foreseen
from tieline.contract.chaincode import Chaincode, Invocation
from tieline.contract.foreseen import Foreseen, foresee
from tieline.contract.invocation_replay import RecordedCall
from tieline.contract.limits import FORESEEN_KEYS_MAX
from tieline.contract.results import Sender
from tieline.protocol.height import Height
from tieline.protocol.messages import RecvPacket
from tieline.protocol.packet import Packet, Payload
from tieline.swap.messages import MsgSend
from tieline.wire.codec import DecodedTransaction
from tieline.wire.fabric.invocations import Function
from tieline.wire.messages_codec import DomainMessage


class CountingState(WatchedState):
    """World state that counts what it is asked."""

    requests = 0

    def get_state(self, key: str, /) -> bytes:
        self.requests += 1
        return super().get_state(key)

    def get_states(self, keys: Sequence[str], /) -> list[bytes]:
        self.requests += 1
        return [WatchedState.get_state(self, one) for one in keys]


@pytest.fixture(scope="module")
def calls() -> Sequence[RecordedCall]:
    """All that was asked of one ledger in an evening of trades, their exits, and refusals."""
    ledger = tell_story(FabricWorld()).ledgers[1]
    assert ledger.channel is not None
    return ledger.channel.calls


def run(calls: Sequence[RecordedCall]) -> Iterator[tuple[Invocation, dict[str, int], int]]:
    """Yield what each call comes to, its read set, and how many requests it took."""
    chaincode, state = Chaincode(installation=FabricWorld().b.installed), CountingState()
    for call in calls:
        state.read, state.requests = {}, 0
        invocation = chaincode.invoke(call.args, state, call.clock)
        state.apply(invocation.writes)
        yield invocation, state.read, state.requests


def blind(*_: object) -> Foreseen:
    return Foreseen((), asks_time=False)


def test_nothing_comes_to_anything_else_and_no_key_is_read_in_vain(
    calls: Sequence[RecordedCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    together = list(run(calls))
    monkeypatch.setattr(chaincode_module, "foresee", blind)
    one_by_one = list(run(calls))
    for (invocation, reads, few), (same, same_reads, many) in zip(
        together, one_by_one, strict=True
    ):
        assert invocation == same
        assert few <= many
        if invocation.is_ok:
            assert reads == same_reads


def test_a_trade_takes_a_fraction_of_the_requests(calls: Sequence[RecordedCall]) -> None:
    submits = [
        (len(reads), requests)
        for call, (invocation, reads, requests) in zip(calls, run(calls), strict=True)
        if call.args[0] == Function.SUBMIT.encode() and invocation.is_ok
    ]
    assert sum(reads for reads, _ in submits) > 2 * sum(requests for _, requests in submits)


def sent(*messages: DomainMessage) -> Sender:
    decoded = DecodedTransaction(
        public_key=key("relayer").public_key,
        messages=messages,
        memo="",
        sequence=1,
        fee=(),
        gas_limit=1,
        timeout_height=0,
        signature=b"",
        body_bytes=b"",
        auth_info_bytes=b"",
    )
    return Sender(decoded, b"\x01" * 20)


def test_no_more_keys_are_foreseen_than_a_request_may_hold() -> None:
    payments = [
        MsgSend(n.to_bytes(20, "big"), (n + 1).to_bytes(20, "big"), 1)
        for n in range(FORESEEN_KEYS_MAX)
    ]
    assert len(foresee(sent(*payments), b"\x01" * 32, 4).keys) == FORESEEN_KEYS_MAX


@given(
    st.binary(max_size=800), st.text(max_size=20), st.integers(0, 2**64 - 1), st.text(max_size=12)
)
def test_a_packet_of_any_content_is_for_its_handler_to_judge(
    value: bytes, client: str, sequence: int, port: str
) -> None:
    for name in (port, foreseen.PORT):
        packet = Packet(sequence, client, client, 1, (Payload(name, name, "v", "e", value),))
        received = RecvPacket(b"\x01" * 20, packet, b"", Height(0, 7))
        assert foresee(sent(received), b"\x01" * 32, 4).asks_time
