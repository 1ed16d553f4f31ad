"""Links are made in four steps, each remembered; an interrupted one goes on where it was."""

import asyncio
from pathlib import Path

import pytest
from fakes.plain_world import A, B, PlainWorld

from tieline.hub.links import Link, LinksFile, deliver, make_links, newest_provable, routes_of
from tieline.hub.relay_config import RelayConfig
from tieline.interfaces.errors import ConfigError, NotYet, Rejected, Unavailable
from tieline.interfaces.ledger import BlockEvents, Ledger
from tieline.protocol.messages import CreateClient, RegisterCounterparty, SendPacket
from tieline.relay.route import Endpoint, Route

CONFIG = RelayConfig.model_validate(
    {
        "ledgers": {
            one: {"kind": "tendermint", "rpc": ["http://h:1"], "key_file": "k"} for one in (A, B)
        },
        "paths": [{"between": [A, B]}],
    }
)


class Linkable:
    """A ledger whose blocks come as soon as something waits; dies at the n-th transaction."""

    def __init__(self, world: PlainWorld, ledger_id: str) -> None:
        self.world, self.inner = world, world.ledgers[ledger_id].inner
        self.kinds: list[str] = []
        self.dies_at = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def lane_account(self, _lane: str) -> bytes:
        return self.inner.lane_account("cell")

    async def client_states(self, height: int, _terms: object = None):
        return self.inner.client_states(height)

    async def submit(self, _lane: str, messages):
        self.kinds.append(type(messages[0]).__name__)
        if len(self.kinds) == self.dies_at:
            raise Unavailable("gone")
        sent = await self.inner.submit("cell", messages)
        self.world.clock.now += 1
        for _ in range(2):
            self.inner.produce_block(self.world.clock.now, is_deadline=True)
        return sent


@pytest.fixture
def ledgers() -> dict[str, Linkable]:
    world = PlainWorld()
    return {one: Linkable(world, one) for one in (A, B)}


def link(ledgers: dict[str, Linkable], links: LinksFile) -> list[Link]:
    async def go() -> list[Link]:
        return [one async for one in make_links(CONFIG, ledgers, links)]

    return asyncio.run(go())


@pytest.mark.parametrize("flags", ["ynn", "nyy", "y" + "n" * 45, "n" * 45 + "y" + "n" * 45, "nnn"])
def test_a_client_begins_at_the_newest_block_that_it_can_hold(flags: str) -> None:
    class Ticking:
        ledger_id = "c-1"

        async def latest_height(self) -> int:
            return len(flags)

        async def blocks_after(self, height: int, limit: int = 100) -> list[BlockEvents]:
            blocks = [BlockEvents(n, 0, (), flag == "y") for n, flag in enumerate(flags, 1)]
            return blocks[height : height + limit]

    if "y" not in flags:
        with pytest.raises(NotYet, match="c-1"):
            asyncio.run(newest_provable(Ticking()))
    else:
        assert asyncio.run(newest_provable(Ticking())) == flags.rindex("y") + 1


def test_four_steps_make_a_pair_and_a_second_run_makes_none(
    ledgers: dict[str, Linkable], tmp_path: Path
) -> None:
    links = LinksFile(tmp_path / "links.json")
    (made,) = link(ledgers, links)
    expected = [CreateClient.__name__, RegisterCounterparty.__name__]
    assert [one.kinds for one in ledgers.values()] == [expected, expected]
    route = Route(Endpoint(A, "07-tendermint-1"), Endpoint(B, "07-tendermint-1"))
    assert made.route() == route
    again = LinksFile(tmp_path / "links.json")
    assert routes_of(CONFIG, again) == [route]
    link(ledgers, again)
    assert [len(one.kinds) for one in ledgers.values()] == [2, 2]


@pytest.mark.parametrize("ledger_id", [A, B])
@pytest.mark.parametrize("step", [1, 2])
def test_a_link_that_was_interrupted_goes_on_where_it_was(
    ledgers: dict[str, Linkable], tmp_path: Path, ledger_id: str, step: int
) -> None:
    ledgers[ledger_id].dies_at = step
    with pytest.raises(Unavailable):
        link(ledgers, LinksFile(tmp_path / "links.json"))
    links = LinksFile(tmp_path / "links.json")
    with pytest.raises(ConfigError, match="have no clients of each other"):
        routes_of(CONFIG, links)
    link(ledgers, links)
    created = [one for ledger in ledgers.values() for one in ledger.kinds if one == "CreateClient"]
    assert len(created) == (3 if step == 1 else 2), "only the one that failed is made again"
    assert routes_of(CONFIG, links)


def test_a_registration_that_was_done_but_not_written_down_is_taken_for_done(
    ledgers: dict[str, Linkable], tmp_path: Path
) -> None:
    links = LinksFile(tmp_path / "links.json")
    (made,) = link(ledgers, links)
    made.registered.clear()
    link(ledgers, links)
    assert made.is_done


def test_what_the_ledger_refuses_is_said(ledgers: dict[str, Linkable]) -> None:
    message = SendPacket(ledgers[A].lane_account(""), "07-tendermint-9", 1, ())
    with pytest.raises(Rejected):
        asyncio.run(deliver(as_ledger(ledgers[A]), [message]))


def as_ledger(one: object) -> Ledger:
    return one  # type: ignore[return-value]


def test_clients_that_the_operator_names_are_taken(tmp_path: Path) -> None:
    path = CONFIG.paths[0].model_copy(update={"clients": ("07-tendermint-4", "07-tendermint-5")})
    config = CONFIG.model_copy(update={"paths": (path,)})
    (route,) = routes_of(config, LinksFile(tmp_path / "none.json"))
    assert str(route) == f"{A}/07-tendermint-4<->{B}/07-tendermint-5"


@pytest.mark.parametrize("text", ["", "[]", '{"links": [{}]}', '{"links": 7}'])
def test_a_file_that_was_not_written_here_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "links.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="not a file of links"):
        LinksFile(path)
