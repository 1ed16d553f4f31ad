"""What a scenario's way into a native channel holds back, and whom it waits for."""

import asyncio

import pytest

from tieline.interfaces.errors import ConfigError, Rejected, Unavailable
from tieline.ledgers.fabric.native.patient_port import PatientPort
from tieline.ledgers.fabric.port import EndorsementsDiffer


class Network:
    """Answers as it was told, one thing after another, then well."""

    fabric_channel = "lab"
    name = "peer0"

    def __init__(self, *failures):
        self.failures = list(failures)
        self.ordered = []
        self.asked = 0
        self.was_asked_again = asyncio.Event()

    def _answer(self, well):
        self.asked += 1
        if self.asked > 1:
            self.was_asked_again.set()
        if self.failures:
            raise self.failures.pop(0)
        return well

    async def order(self, envelope):
        self._answer(None)
        self.ordered.append(envelope)

    async def endorse(self, args):
        return self._answer(args)

    async def height(self):
        return self._answer(7)

    def close(self):
        self.ordered.append("closed")


def run(story):
    asyncio.run(story)


def test_envelopes_are_held_until_released_and_then_go_in_their_order():
    async def story():
        network = Network()
        port = PatientPort(network)
        for envelope in (b"1", b"2"):
            await port.order(envelope)
        assert port.is_holding
        assert network.ordered == []
        await port.release()
        assert network.ordered == [b"1", b"2"]
        await port.order(b"3")  # within the instant nothing is held
        assert network.ordered == [b"1", b"2", b"3"]
        port.hold()
        await port.order(b"4")
        assert network.ordered == [b"1", b"2", b"3"]
        assert port.is_holding

    run(story())


def test_to_hold_twice_loses_nothing():
    async def story():
        network = Network()
        port = PatientPort(network)
        await port.order(b"1")
        port.hold()
        await port.release()
        assert network.ordered == [b"1"]

    run(story())


def test_what_is_handed_in_again_while_it_is_held_is_ordered_once():
    """The adapter hears nothing of it, and cannot know why."""

    async def story():
        network = Network()
        port = PatientPort(network)
        for envelope in (b"1", b"2", b"1"):
            await port.order(envelope)
        await port.release()
        assert network.ordered == [b"1", b"2"]

    run(story())


def test_a_network_that_is_being_brought_back_is_waited_for():
    async def story():
        network = Network(Unavailable("down"), Unavailable("still down"))
        port = PatientPort(network)
        await port.release()
        await port.order(b"1")
        assert network.ordered == [b"1"]
        assert network.asked == 3

    run(story())


def test_one_that_does_not_come_back_is_given_up():
    async def story():
        network = Network(*[Unavailable("gone")] * 100_000)
        with pytest.raises(Unavailable, match="gone"):
            await PatientPort(network, patience_s=0.5).height()
        assert 1 < network.asked < 100

    run(story())


@pytest.mark.parametrize(
    "answer", [EndorsementsDiffer(["Org2MSP"]), Rejected("fabric", 400, "no"), ConfigError("no")]
)
def test_what_is_an_answer_is_not_asked_for_again(answer):
    async def story():
        network = Network(answer)
        with pytest.raises(type(answer)):
            await PatientPort(network).endorse((b"f",))
        assert network.asked == 1

    run(story())


def test_who_waits_is_let_go_when_it_is_closed():
    async def story():
        network = Network(*[Unavailable("down")] * 100_000)
        port = PatientPort(network, patience_s=3600.0)
        waiting = asyncio.ensure_future(port.height())
        await network.was_asked_again.wait()
        port.close()
        async with asyncio.timeout(60):
            with pytest.raises(Unavailable):
                await waiting
        assert network.ordered == ["closed"]

    run(story())
