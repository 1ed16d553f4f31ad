"""All that a whole run said, said again: by a replayer, and by a stranger under a new signature."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.small_world import dispatch, small

from tieline.contract.genesis import Genesis
from tieline.interfaces.errors import Rejected
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.scenario import world
from tieline.scenario.parties import Party, parties_of
from tieline.wire.codec import decode_transaction

CONFIG = small(slot_count=1, events=[dispatch("a-depot", 1500)])
STRANGER = "relayer-3"
"""A lane with fuel and no role."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of one slot."""
    path = tmp_path_factory.mktemp("replay") / "run"
    world.run(CONFIG, path, progress=lambda _done, _all, _what: None)
    return path


@pytest.fixture(
    params=parties_of(CONFIG, world.key_ring(CONFIG, Path())), ids=lambda p: p.ledger_id
)
def party(request: pytest.FixtureRequest) -> Party:
    """Each ledger's owner in turn."""
    return request.param


def opened(run: Path, party: Party) -> EmbeddedTendermint:
    """Return a ledger of the run in memory, as it ended."""
    folder = run / "ledgers" / party.ledger_id
    genesis = Genesis.from_bytes((folder / "genesis.json").read_bytes())
    stored = EmbeddedTendermint(genesis, party.validator_seeds, folder)
    stored.resume()
    stored.close()
    stored.add_lane(STRANGER, party.lanes[STRANGER])
    return stored


def money(ledger: EmbeddedTendermint) -> list[tuple[bytes, bytes]]:
    """Accounts without their sequences, orders, locks, vaults, share cursors."""
    rows = [row for prefix in (b"a", b"o", b"l", b"w", b"y") for row in _scan(ledger, prefix)]
    return [(key, value) for key, value in rows if not (key[:1] == b"a" and key[21:22] == b"\x02")]


def _scan(ledger: EmbeddedTendermint, prefix: bytes) -> list[tuple[bytes, bytes]]:
    return list(ledger.application.scan("tieline", prefix))


def test_no_transaction_of_a_run_is_taken_twice(finished: Path, party: Party) -> None:
    """Each is refused at the door, and the state's root stays."""
    ledger = opened(finished, party)
    before = ledger.application.app_hash
    said = [raw for stored in ledger.blocks for raw in stored.block.transactions]
    assert len(said) > 12
    for raw in said:
        with pytest.raises(Rejected, match="sequence"):
            ledger.broadcast(raw, decode_transaction(raw).public_key)
    assert not ledger.wants_block or ledger.produce_block(_later(ledger))
    assert ledger.application.app_hash == before


def test_a_stranger_who_repeats_everything_moves_no_money(finished: Path, party: Party) -> None:
    """
    Each transaction as a whole, then each message alone: no-ops or refused. There is no message by
    which one takes what is another's.
    """
    ledger = opened(finished, party)
    account = party.lanes[STRANGER].cosmos_account
    before = money(ledger)
    said = [
        tuple(replace(message, signer=account) for message in decode_transaction(raw).messages)
        for stored in ledger.blocks
        for raw in stored.block.transactions
    ]
    alone = [(message,) for messages in said for message in messages]
    kinds = {type(message).__name__ for (message,) in alone}
    assert kinds >= {
        "MsgPlaceOrders",
        "MsgPostClearing",
        "MsgClaim",
        "MsgCollectShare",
        "MsgSetBands",
    }
    assert kinds & {"MsgLockAndSend", "RecvPacket"}
    for messages in said + alone:
        asyncio.run(ledger.submit(STRANGER, messages))
        ledger.produce_block(_later(ledger))
        assert money(ledger) == before, [type(message).__name__ for message in messages]


def _later(ledger: EmbeddedTendermint) -> int:
    return ledger.blocks[-1].block.header.time_ns // 10**9 + 5
