"""
Makes pairs of clients between ledgers: two creations, two registrations; and remembers them.

Each step is written down when it is done, so that one that was interrupted goes on where it was.
Only the account that created a client may register its counterparty, and only once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from tieline.hub.connecting import LINK_LANE, LinkableLedger, client_terms
from tieline.hub.relay_config import PathSection, RelayConfig
from tieline.interfaces.errors import ConfigError, NotYet, Rejected
from tieline.interfaces.ledger import Ledger, Message, TxEvents
from tieline.protocol.messages import CreateClient, RegisterCounterparty
from tieline.relay.route import Endpoint, Route

_LOG = logging.getLogger(__name__)

INCLUDED_S = 60.0
_POLL_S = 0.1
_BLOCKS_A_READ = 20


@dataclass
class Link:
    """How far a pair of ledgers is joined."""

    between: tuple[str, str]
    clients: dict[str, str] = field(default_factory=dict[str, str])
    """By ledger: its client of the other one."""
    registered: list[str] = field(default_factory=list[str])
    """Ledgers whose client knows its counterparty."""

    @property
    def is_done(self) -> bool:
        """Whether packets can be carried."""
        return set(self.registered) == set(self.between)

    def route(self) -> Route:
        """Return the pair of clients. Only of a link that is done."""
        first, second = self.between
        return Route(Endpoint(first, self.clients[first]), Endpoint(second, self.clients[second]))


class LinksFile:
    """The links that were made here, as JSON."""

    def __init__(self, path: Path) -> None:
        """
        Read *path* if it is there.

        Raises:
            ConfigError: It is not what was written here.
        """
        self._path = path
        self.links: list[Link] = []
        if not path.exists():
            return
        try:
            content = cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
            for entry in content["links"]:
                first, second = entry["between"]
                self.links.append(Link((first, second), entry["clients"], entry["registered"]))
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise ConfigError(
                f"not a file of links: {exc!r}",
                file=str(path),
                instead="move it away and run `tieline relay link`, which makes new clients",
            ) from exc

    def of(self, between: tuple[str, str]) -> Link | None:
        """Return the link of a pair, in either order."""
        for link in self.links:
            if set(link.between) == set(between):
                return link
        return None

    def save(self, link: Link) -> None:
        """Keep a link; the file is whole at every moment."""
        if link not in self.links:
            self.links.append(link)
        entries = [
            {"between": list(one.between), "clients": one.clients, "registered": one.registered}
            for one in self.links
        ]
        beside = self._path.with_name(f"{self._path.name}.new")
        with beside.open("w", encoding="utf-8") as file:
            file.write(json.dumps({"links": entries}, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)


def routes_of(config: RelayConfig, links: LinksFile) -> list[Route]:
    """
    Return the pairs of clients of all paths.

    Raises:
        ConfigError: A path has no clients yet.
    """
    routes: list[Route] = []
    for number, path in enumerate(config.paths):
        route = _route_of(path, links)
        if route is None:
            raise ConfigError(
                f"{' and '.join(path.between)} have no clients of each other",
                key=f"paths.{number}",
                instead="run `tieline relay link`, or name their clients",
            )
        routes.append(route)
    return routes


def _route_of(path: PathSection, links: LinksFile) -> Route | None:
    if path.clients is not None:
        ends = zip(path.between, path.clients, strict=True)
        first, second = (Endpoint(ledger_id, client_id) for ledger_id, client_id in ends)
        return Route(first, second)
    link = links.of(path.between)
    return link.route() if link is not None and link.is_done else None


async def make_links(
    config: RelayConfig, ledgers: Mapping[str, LinkableLedger], links: LinksFile
) -> AsyncIterator[Link]:
    """
    Join all pairs of the file that are not; give each as it is done, old ones too.

    Raises:
        Rejected: A ledger takes no such client; its words say why.
        NotYet: A transaction is in no block within a minute; run it again.
        Unavailable: A ledger does not answer.
    """
    for path in config.paths:
        if path.clients is not None:
            continue
        link = links.of(path.between) or Link(path.between)
        pairs = (link.between, (link.between[1], link.between[0]))
        for here, there in pairs:
            if here not in link.clients:
                link.clients[here] = await _create(config, ledgers, here, there)
                links.save(link)
        for here, there in pairs:
            if here not in link.registered:
                await _register(ledgers, here, there, link)
                link.registered.append(here)
                links.save(link)
        yield link


async def _create(
    config: RelayConfig, ledgers: Mapping[str, LinkableLedger], here: str, there: str
) -> str:
    """Create a client of *there* on *here*; return its id."""
    terms = client_terms(config.ledgers[there])
    height = await newest_provable(ledgers[there])
    states = await ledgers[there].client_states(height, terms)
    ledger = ledgers[here]
    done = await deliver(ledger, [CreateClient(ledger.lane_account(LINK_LANE), *states)])
    for event in done.events:
        if event.type == "create_client":
            client_id = event.get("client_id")
            _LOG.info("client created ledger=%s client=%s tracks=%s", here, client_id, there)
            return client_id
    raise Rejected("", 1, f"{here} told of no new client")


async def newest_provable(ledger: Ledger) -> int:
    """
    Return the newest height that a light client can hold; 0 on a ledger without a block.

    Raises:
        NotYet: None of its blocks is one. Wait for the next.
        Unavailable: The ledger does not answer.
    """
    newest = await ledger.latest_height()
    height = newest
    while height:
        below = max(height - _BLOCKS_A_READ, 0)
        blocks = await ledger.blocks_after(below, height - below)
        provable = [one.height for one in blocks if one.is_provable and one.height <= height]
        if provable:
            return provable[-1]
        height = below
    if newest:
        raise NotYet(f"no block of {ledger.ledger_id} has a time that a client can hold")
    return 0


async def _register(
    ledgers: Mapping[str, LinkableLedger], here: str, there: str, link: Link
) -> None:
    ledger = ledgers[here]
    prefix = ledgers[there].capabilities.merkle_prefix
    account = ledger.lane_account(LINK_LANE)
    message = RegisterCounterparty(account, link.clients[here], link.clients[there], prefix)
    try:
        await deliver(ledger, [message])
    except Rejected as exc:
        # Done before, by a run that ended before it could write so.
        if "already" not in exc.log:
            raise


async def deliver(ledger: LinkableLedger, messages: Sequence[Message]) -> TxEvents:
    """
    Hand in one transaction and wait for its block.

    Raises:
        Rejected: At the door, or in the block.
        NotYet: It is in no block within a minute.
        Unavailable: The ledger does not answer.
    """
    height = await ledger.latest_height()
    sent = await ledger.submit(LINK_LANE, messages)
    try:
        async with asyncio.timeout(INCLUDED_S):
            while True:
                for block in await ledger.blocks_after(height, _BLOCKS_A_READ):
                    height = block.height
                    for one in block.transactions:
                        if one.tx_hash == sent.tx_hash:
                            return _succeeded(one)
                await asyncio.sleep(_POLL_S)
    except TimeoutError as exc:
        raise NotYet(f"in no block of {ledger.ledger_id} within {INCLUDED_S:.0f} s") from exc


def _succeeded(transaction: TxEvents) -> TxEvents:
    if transaction.code:
        raise Rejected(transaction.codespace, transaction.code, transaction.log)
    return transaction
