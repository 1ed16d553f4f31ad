"""
One Fabric ledger's exported files: payments, a Tick that was overtaken, an envelope in twice, one
endorsed by too few, a change of the channel's configuration; and a hand that mends what nobody
signs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fakes.embedded_fabric import NAMES, SEED, START_S, fabric_genesis, run
from fakes.microgrid import key, pay
from tieline.audit.run_files import LedgerFiles, RunFiles
from tieline.contract.chaincode import Invocation
from tieline.contract.genesis import Genesis
from tieline.ledgers.fabric.embedded.channel_plan import CLIENT
from tieline.ledgers.fabric.embedded.embedded_port import EmbeddedPort
from tieline.ledgers.fabric.embedded.signing import Signatory
from tieline.ledgers.fabric.embedded_ledger import EmbeddedFabric
from tieline.wire.blocks import encode_frame, split_frames
from tieline.wire.fabric.blocks import Block
from tieline.wire.fabric.config import ChannelConfig
from tieline.wire.fabric.invocations import CHAINCODE_NAME, tick_args, tieline_key
from tieline.wire.hashes import tag

CHAIN_ID = "lab"


def genesis() -> Genesis:
    """Its birth."""
    return replace(fabric_genesis(CHAIN_ID), host_id=tag(CHAINCODE_NAME))


def opened(folder: Path) -> EmbeddedFabric:
    """Open the ledger."""
    ledger = EmbeddedFabric(genesis(), SEED, folder)
    ledger.resume()
    for name in NAMES[:4]:
        ledger.add_lane(name, key(name))
    return ledger


def write_ledger(run_folder: Path) -> None:
    """Make the ledger in a run folder."""
    run(_write(run_folder / "ledgers" / CHAIN_ID))


async def _write(folder: Path) -> None:
    ledger = opened(folder)
    network = ledger.network
    await ledger.advance(START_S)
    await _pay(ledger, 5)
    await ledger.advance(START_S + 20)
    port = EmbeddedPort(network, Signatory.of(network.plan.organisations[0].member(CLIENT)))
    now = START_S + 40
    # Two clocks that read the same one: the second is overtaken.
    ticks = [await port.endorse(tick_args(now + more)) for more in (0, 1)]
    alone = port.endorse_at(network.peers[:1], tick_args(now + 2))
    network.order_as_given([one.envelope for one in (*ticks, alone)])
    network.order_as_given([ticks[0].envelope, b"\x0a\x01x\x12\x01y"])
    network.update_config(_enlarged)
    await _pay(ledger, 7)
    await ledger.advance(START_S + 90)
    ledger.close()


async def _pay(ledger: EmbeddedFabric, amount: int) -> None:
    for payer, payee in (("household 0", "household 1"), ("household 1", "household 0")):
        await ledger.submit(payer, [pay(payer, payee, amount)])


def _enlarged(config: ChannelConfig) -> ChannelConfig:
    limits = replace(config.orderer.batch_limits, transactions_max=77)
    return replace(config, orderer=replace(config.orderer, batch_limits=limits))


class Liar:
    """A chaincode that gives whoever pays a fortune besides; all peers run it."""

    def __init__(self, honest: Any) -> None:
        self.honest = honest

    def invoke(self, args: Sequence[bytes], state: Any, wall_s: Callable[[], int], /) -> Invocation:
        done = self.honest.invoke(args, state, wall_s)
        more = {tieline_key(b"\xff" * 30): b"\x01"}
        return replace(done, writes=tuple(sorted({**dict(done.writes), **more}.items())))


def write_lie(run_folder: Path) -> None:
    """Make a ledger on which both organisations' peers endorse what the contract never wrote."""

    async def story() -> None:
        ledger = opened(run_folder / "ledgers" / CHAIN_ID)
        await ledger.advance(START_S)
        for peer in ledger.network.peers:
            peer._chaincodes[CHAINCODE_NAME] = Liar(peer._chaincodes[CHAINCODE_NAME])
        await _pay(ledger, 5)
        await ledger.advance(START_S + 20)
        ledger.close()

    run(story())


def exported(run_folder: Path) -> LedgerFiles:
    """Return its files."""
    return RunFiles(run_folder).ledger(CHAIN_ID)


def blocks_of(files: LedgerFiles) -> list[Block]:
    """Return its blocks from number 1."""
    return [Block.decode(payload) for payload in split_frames(files.blocks)[0]]


def with_blocks(files: LedgerFiles, blocks: Sequence[Block]) -> LedgerFiles:
    """Return the files with other blocks."""
    return replace(files, blocks=b"".join(encode_frame(one.encode()) for one in blocks))
