"""What was read of a channel outlives the process: where a start goes on, and when it must not."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from fakes.driven import finish
from fakes.embedded_fabric import embedded_ledger
from fakes.followed_fabric import Follower, Sender, commitment_of
from fakes.microgrid import key, pay
from fakes.scripted_fabric import NAMES, ScriptedFabric, ScriptedPort

from tieline.interfaces.errors import ConfigError, Contradicted, Unavailable
from tieline.ledgers.fabric.history import History, Written
from tieline.ledgers.fabric.history_file import FORMAT
from tieline.ledgers.fabric.ledger import FabricLedger
from tieline.ledgers.fabric.seen_blocks import read_block
from tieline.ledgers.fabric.settings import FabricSettings
from tieline.wire.fabric.blocks import Block
from tieline.wire.fabric.envelopes import CONFIG, ChannelHeader, Envelope, Payload, SignatureHeader
from tieline.wire.fabric.invocations import ibc_key
from tieline.wire.fabric.lifecycle import ChaincodeDefinition, sequence_key
from tieline.wire.fabric.rwsets import Write

SMALL = FabricSettings(blocks_a_read=3, blocks_kept=2, events_kept=2)
PACKETS = 3


class ShownPort(ScriptedPort):
    """A peer that has blocks up to *last* only, and is counted what it is asked for."""

    def __init__(self, inner, last=None):
        self.inner = inner
        self.last = last
        self.read = []
        self.fabric_channel_name = inner.fabric_channel
        for name in ("name", "evaluate", "endorse", "order", "commit_status"):
            setattr(self, name, getattr(inner, name))

    @property
    def fabric_channel(self):
        return self.fabric_channel_name

    async def blocks_after(self, number, limit):
        if self.last is not None:
            limit = min(limit, self.last - number)
        found = await self.inner.blocks_after(number, limit) if limit > 0 else []
        self.read += [Block.decode(raw).header.number for raw in found]
        return found

    async def height(self):
        return await self.inner.height() if self.last is None else self.last


def enlarged(config):
    limits = replace(config.orderer.batch_limits, transactions_max=200)
    return replace(config, orderer=replace(config.orderer, batch_limits=limits))


@pytest.fixture(scope="module")
def driven():
    """Packets out and in, acknowledged keys rewritten, a configuration and definitions."""
    made = Sender(embedded_ledger())
    made.packets = [made.send() for _ in range(PACKETS)]
    made.ledger.network.update_config(enlarged)
    made.receive(7)
    made.ledger.port.define(ChaincodeDefinition("tieline", 2, "2"))
    made.block()
    made.packets.append(made.send())
    return made


def fold_of(ledger):
    """All that can be asked of what was read."""
    history = ledger.history
    blocks = range(history.height + 1)
    keys = [ibc_key(name) for name, _ in history.scan("ibc", b"")]
    return {
        "cursor": (history.height, history.time_s, history.genesis, history.owes_tick),
        "tag": ledger.chain_tag,
        "ticks": (history.oldest_tick, history.newest_tick),
        "blocks": [(history.hash_at(n), history.time_at(n), history.tick_at(n)) for n in blocks],
        "data": history.data_hashes(-1, history.height),
        "configs": history.configs(-1, history.height),
        "definitions": history.definitions(-1, history.height),
        "state": [history.scan(store, b"") for store in ("ibc", "tieline")],
        "written": [(name, n, history.written(name, n)) for name in keys for n in blocks],
        "markers": [marker_of(history, n, 0) for n in blocks],
        "counts": [history.count_of(key(name).cosmos_account) for name in NAMES],
        "events": finish(ledger.blocks_after(0, 1000)),
    }


def heads_of(history):
    """What is known of the end without a look into the rows."""
    ticks = (history.oldest_tick, history.newest_tick, history.owes_tick)
    return (history.height, history.time_s, history.genesis, *ticks)


def marker_of(history, number, index):
    try:
        return history.marker(number, index)
    except KeyError:
        return None


def opened(port, path=None, settings=SMALL):
    return FabricLedger(port, settings, monotonic=lambda: 0.0, history_file=path)


def read(port, path=None, settings=SMALL):
    ledger = opened(port, path, settings)
    finish(ledger.read_on())
    return ledger


@pytest.fixture(scope="module")
def fresh(driven):
    return fold_of(read(driven.ledger.port))


def test_a_restart_behind_any_block_comes_to_what_a_fresh_read_comes_to(driven, fresh, tmp_path):
    last = len(fresh["blocks"]) - 1
    assert last > 15
    assert len({(name, one) for name, _, one in fresh["written"]}) > len(fresh["state"][0])
    assert sum(fresh["counts"]) > PACKETS
    for cut in range(last):
        path = tmp_path / str(cut) / "history.db"
        with closing(read(ShownPort(driven.ledger.port, cut), path)) as before:
            assert before.history.height == cut
        port = ShownPort(driven.ledger.port)
        with closing(read(port, path)) as after:
            assert port.read == [0, cut, *range(cut + 1, last + 1)]
            assert fold_of(after) == fresh, f"cut behind {cut}"


def test_each_write_of_a_provable_key_is_found_at_each_height(driven, fresh):
    """Against the blocks themselves, gone through one by one."""
    last = len(fresh["blocks"]) - 1
    held, expected = {}, []
    for raw in finish(driven.ledger.port.blocks_after(-1, last + 1)):
        block = read_block(raw, driven.ledger.ledger_id)
        for one in block.invocations:
            if one.is_valid:
                for name, value in one.writes.items():
                    held[name] = Written(block.number, one.index, value)
        expected.append(dict(held))
    assert fresh["written"]
    for name, number, found in fresh["written"]:
        assert found == expected[number].get(name)


def test_a_restart_in_each_block_writes_the_same_file_as_one_read(driven, fresh, tmp_path):
    path = tmp_path / "history.db"
    owed = set()
    for cut in range(len(fresh["blocks"])):
        with closing(read(ShownPort(driven.ledger.port, cut), path)) as ledger:
            before = heads_of(ledger.history)
        with closing(opened(driven.ledger.port, path)) as ledger:
            assert heads_of(ledger.history) == before
            owed.add(ledger.history.owes_tick)
    assert owed == {True, False}
    with closing(opened(driven.ledger.port, path)) as ledger:
        assert ledger.history.height == len(fresh["blocks"]) - 1, "before a peer was asked"
        finish(ledger.read_on())
        assert fold_of(ledger) == fresh


def test_a_kill_at_any_moment_leaves_a_file_that_is_gone_on_with(driven, fresh, tmp_path):
    """What is on the disk while a block is taken is what a kill would leave there."""
    left = []

    class Killed(FabricLedger):
        def _take(self, raw):
            super()._take(raw)
            left.append(tmp_path / str(len(left)))
            shutil.copytree(tmp_path / "running", left[-1])

    path = tmp_path / "running" / "history.db"
    ledger = Killed(driven.ledger.port, SMALL, monotonic=lambda: 0.0, history_file=path)
    with closing(ledger):
        finish(ledger.read_on())
    heights = []
    for folder in left:
        with closing(opened(driven.ledger.port, folder / "history.db")) as after:
            heights.append(after.history.height)
            finish(after.read_on())
            assert fold_of(after) == fresh
    assert heights == [n - n % SMALL.blocks_a_read - 1 for n in range(len(left))]


def test_a_block_that_does_not_follow_is_not_taken_and_those_before_it_are(driven, tmp_path):
    path = tmp_path / "history.db"
    height = driven.ledger.history.height

    class Lying(ShownPort):
        async def blocks_after(self, number, limit):
            found = list(await super().blocks_after(number, limit))
            return [found[0], *found[:1]] if number > 0 else found

    with closing(opened(Lying(driven.ledger.port), path)) as ledger:
        with pytest.raises(Contradicted, match="out of turn"):
            finish(ledger.read_on())
        assert ledger.history.height == SMALL.blocks_a_read
    with closing(read(driven.ledger.port, path)) as ledger:
        assert ledger.history.height == height


def test_a_block_that_cannot_be_folded_leaves_nothing_of_it(driven, fresh, tmp_path):
    """Its writes come before what is wrong with it."""
    name = driven.ledger.ledger_id
    raws = finish(driven.ledger.port.blocks_after(-1, 100))
    with closing(History(name, tmp_path / "history.db")) as history:
        for raw in raws:
            block = read_block(raw, name)
            spoilt = replace(block, definitions=((0, (Write(sequence_key("tieline"), b"?"),)),))
            with pytest.raises(Contradicted, match="no definition, yet valid"), history.together():
                history.take(spoilt)
            history.take(block)
    with closing(opened(driven.ledger.port, tmp_path / "history.db")) as ledger:
        finish(ledger.read_on())
        assert fold_of(ledger) == fresh


def test_proofs_after_a_restart_are_taken_by_a_light_client(driven, tmp_path):
    """Whole blocks are not kept: they are asked for by their numbers."""
    path = tmp_path / "history.db"
    read(driven.ledger.port, path).close()
    port = ShownPort(driven.ledger.port)
    with closing(opened(port, path)) as ledger:
        finish(ledger.read_on())
        port.read.clear()
        height = ledger.history.newest_tick
        names = [commitment_of(packet) for packet in driven.packets]
        entries = finish(ledger.prove_many(names, height))
        written = {ledger.history.written(ibc_key(name)).block for name in names}
        assert set(port.read) == written
        driven.ledger, own = ledger, driven.ledger
        try:
            follower = Follower(driven)
            assert [follower.verify(entry).value for entry in entries] == [
                entry.value for entry in entries
            ]
        finally:
            driven.ledger = own


def test_what_is_told_of_old_blocks_is_read_again_and_the_same(driven):
    all_kept = read(driven.ledger.port, settings=FabricSettings())
    port = ShownPort(driven.ledger.port)
    few = read(port)
    port.read.clear()
    assert finish(few.blocks_after(0, 1000)) == finish(all_kept.blocks_after(0, 1000))
    assert finish(few.blocks_after(4, 2)) == finish(all_kept.blocks_after(4, 2))
    assert few.history.height not in port.read, "the newest are remembered"


def test_a_peer_that_lost_blocks_does_not_tell_of_them(driven):
    few = read(port := ShownPort(driven.ledger.port))
    port.last = 2
    with pytest.raises(Unavailable, match="has no block 3 any more"):
        finish(few.blocks_after(2, 1))


def test_a_peer_that_tells_of_another_block_than_before_is_named_a_liar():
    fabric = ScriptedFabric()
    few = read(ScriptedPort(fabric))
    fabric.blocks[1] = BegunAnew().blocks[1]
    with pytest.raises(Contradicted, match="another block than before: number=1"):
        finish(few.blocks_after(0, 1))


def test_what_finally_failed_is_told_when_the_block_is_forgotten_too():
    fabric = ScriptedFabric()
    ledger = opened(ScriptedPort(fabric), settings=FabricSettings(events_kept=1, tries_max=1))
    ledger.add_lane("relayer", key("relayer"))
    finish(ledger.read_on())
    sent = finish(ledger.submit("relayer", [pay("relayer", "cell", 1)])).tx_hash
    number = len(fabric.blocks)
    fabric.cut()
    block = Block.decode(fabric.blocks[number])
    lost = (*block.metadata[:2], b"\x0b", *block.metadata[3:])
    fabric.blocks[number] = Block(block.header, block.data, lost).encode()
    finish(ledger.read_on())
    for _ in range(3):
        fabric.tick()
    (told,) = finish(ledger.blocks_after(number - 1, 1))
    assert [(one.tx_hash, one.code) for one in told.transactions] == [(sent, 11)]


# --- files that must not be gone on with ----------------------------------------------------


@pytest.fixture
def fabric():
    return ScriptedFabric()


class BegunAnew(ScriptedFabric):
    """A channel of the same name with another block 0."""

    def _make_genesis(self):
        header = ChannelHeader(CONFIG, self.channel, "").encode()
        payload = Payload(header, SignatureHeader(b"orderer", b"n").encode(), b"later").encode()
        self._append([Envelope(payload, b"signature").encode()], bytes((0,)))


def said(port, path):
    with pytest.raises(ConfigError) as caught:
        read(port, path).close()
    assert caught.value.instead
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_file_of_another_channel_is_refused(fabric, tmp_path):
    path = tmp_path / "h.db"
    read(ScriptedPort(ScriptedFabric("yard")), path).close()
    assert "blocks of channel yard" in said(ScriptedPort(fabric), path)


def test_a_channel_that_was_begun_anew_is_not_gone_on_with(fabric, tmp_path):
    path = tmp_path / "h.db"
    read(ScriptedPort(fabric), path).close()
    message = said(ScriptedPort(BegunAnew()), path)
    assert "before it was begun anew: block 0 has hash" in message
    assert "delete the file: it is read again from block 0" in message
    path.unlink()
    anew = BegunAnew()
    with closing(read(ScriptedPort(anew), path)) as ledger:
        assert ledger.history.hash_at(0) == anew.hash_at(0)


def test_a_channel_that_went_another_way_is_not_gone_on_with(fabric, tmp_path):
    """Its orderers were restored from an older copy: block 0 is the same."""
    path = tmp_path / "h.db"
    copy = list(fabric.blocks)
    fabric.tick()
    read(ScriptedPort(fabric), path).close()
    fabric.blocks, last = copy, len(copy)
    fabric.tick(30)
    fabric.tick()
    assert f"block {last} has hash" in said(ScriptedPort(fabric), path)


def test_a_next_block_that_does_not_follow_names_the_file(fabric, tmp_path):
    path = tmp_path / "h.db"
    with closing(read(ScriptedPort(fabric), path)) as ledger:
        fabric.blocks.append(fabric.blocks[1])
        block = Block.decode(fabric.blocks[-1])
        header = type(block.header)(len(fabric.blocks) - 1, bytes(32), block.header.data_hash)
        fabric.blocks[-1] = Block(header, block.data, block.metadata).encode()
        with pytest.raises(Contradicted, match=f"begun anew; if it was, delete {path}"):
            finish(ledger.read_on())


def test_a_peer_that_is_behind_is_waited_for(fabric, tmp_path):
    path = tmp_path / "h.db"
    read(ScriptedPort(fabric), path).close()
    port = ScriptedPort(fabric)
    port.lag = 2
    with closing(opened(port, path)) as ledger:
        with pytest.raises(Unavailable, match="peer0 is behind, or lost blocks"):
            finish(ledger.read_on())
        with pytest.raises(Unavailable):
            finish(ledger.query("tieline", b"z"))
        with pytest.raises(LookupError):
            assert not ledger.chain_tag
        port.lag = 0
        fabric.tick()
        assert finish(ledger.latest_height()) == len(fabric.blocks) - 1


def test_one_process_at_a_time_has_a_file(fabric, tmp_path):
    path = tmp_path / "h.db"
    with closing(read(ScriptedPort(fabric), path)):
        assert "another process has it open" in said(ScriptedPort(fabric), path)
    read(ScriptedPort(fabric), path).close()


def make_text(path):
    path.write_text("journal: relay.db\n" * 100)


def make_journal(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE journeys (id INTEGER)")


def make_older(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {FORMAT + 1}")


def make_empty_tables(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM cursor")
        database.commit()


def make_other_rows(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE newest SET value = x'00' WHERE key LIKE 't:%'")
        database.commit()


def make_other_cursor(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE cursor SET height = height - 1")
        database.commit()


def make_other_table(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE newest")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (make_text, "no file of what was read of a Fabric channel"),
        (make_journal, "SQLite file of something else"),
        (make_older, f"has format {FORMAT + 1}, this program writes format {FORMAT}"),
        (make_empty_tables, "is damaged: its cursor"),
        (make_other_rows, "is damaged: its rows"),
        (make_other_cursor, "is damaged: its cursor"),
        (make_other_table, "is damaged: no such table"),
    ],
)
def test_what_is_no_such_file_or_another_one_is_said(fabric, tmp_path, spoil, words):
    path = tmp_path / "h.db"
    if spoil not in {make_text, make_journal}:
        read(ScriptedPort(fabric), path).close()
    spoil(path)
    content = path.read_bytes()
    assert words in said(ScriptedPort(fabric), path)
    assert path.read_bytes() == content, "it is nobody's to change"


def test_a_place_that_is_no_file_or_no_folder_is_said(fabric, tmp_path):
    (tmp_path / "folder").mkdir()
    assert "cannot be read or written" in said(ScriptedPort(fabric), tmp_path / "folder")
    (tmp_path / "file").touch()
    assert "folder cannot be made" in said(ScriptedPort(fabric), tmp_path / "file" / "h.db")


def test_a_full_disk_is_said_and_nothing_is_half_written(fabric, tmp_path):
    path = tmp_path / "h.db"
    ledger = opened(ScriptedPort(fabric), path)
    database = ledger.history._file._database
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(200):
        fabric.tick()
    with pytest.raises(ConfigError, match="the disk has room"):
        finish(ledger.read_on())
    database.execute("PRAGMA max_page_count = 1000000")
    finish(ledger.read_on())
    expected = fold_of(read(ScriptedPort(fabric)))
    assert fold_of(ledger) == expected
    ledger.close()
    with closing(read(ScriptedPort(fabric), path)) as again:
        assert fold_of(again) == expected


def outcome(port, folder):
    """What a start with a file comes to: all that can be asked, or None if it is refused."""
    try:
        ledger = opened(port, folder / "history.db")
    except ConfigError:
        return None
    with closing(ledger):
        finish(ledger.read_on())
        return fold_of(ledger)


def spoilt(whole, folder, name, change):
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    content = bytearray((folder / name).read_bytes())
    (folder / name).write_bytes(change(content))


@pytest.mark.parametrize("name", ["history.db", "history.db-wal"])
@pytest.mark.parametrize("step", [3989, pytest.param(151, marks=pytest.mark.slow)])
def test_a_damaged_file_is_refused_or_makes_no_difference(fabric, tmp_path, name, step):
    """Each octet in turn is changed, and all behind it cut off."""
    whole = tmp_path / "whole"
    ledger = read(ScriptedPort(fabric), whole / "history.db")
    shutil.copytree(whole, tmp_path / "running")
    ledger.close()
    if name.endswith("wal"):  # as a kill leaves it
        shutil.rmtree(whole)
        (tmp_path / "running").rename(whole)
    expected = fold_of(read(ScriptedPort(fabric)))
    size = (whole / name).stat().st_size
    refused = 0
    for place in range(0, size, step):

        def changed(content, place=place):
            content[place] ^= 0x21
            return content

        for change in (changed, lambda content, place=place: content[:place]):
            spoilt(whole, tmp_path / "spoilt", name, change)
            found = outcome(ScriptedPort(fabric), tmp_path / "spoilt")
            refused += found is None
            assert found in (None, expected), f"{name} at {place}"
    assert refused or name.endswith("wal")
