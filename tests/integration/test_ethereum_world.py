"""A world with one of its microgrids on Ethereum: what it trades, and what an audit sees of it."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.mixed_world import with_ethereum
from fakes.small_world import small
from fakes.two_slots import finished

from tieline.audit import auditing
from tieline.audit.findings import Findings
from tieline.audit.run_files import RunFiles
from tieline.audit.tampering import tamper
from tieline.interfaces.ledger import StoredValue
from tieline.scenario import world
from tieline.scenario.config import LedgerKind
from tieline.scenario.run_folder import RunFolder
from tieline.utility.attestor import CellAttestor
from tieline.wire.blocks import encode_frame, split_frames
from tieline.wire.evm.blocks import EvmBlock
from tieline.wire.evm.exports import FinalProofs, TrustRoots
from tieline.wire.evm.header import EvmHeader, decode_header

ETHEREUM = "mg-b"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return finished(tmp_path_factory, "B")


def test_every_check_of_the_run_holds(run: RunFolder) -> None:
    assert [check for check in run.read_summary().checks if not check.is_ok] == []


def test_it_takes_at_most_eight_transactions_a_slot(run: RunFolder) -> None:
    ledger = next(row for row in run.read_summary().ledgers if row.chain_id == ETHEREUM)
    assert ledger.kind == "evm"
    assert 0 < ledger.transactions_in_slot_max <= 8
    assert ledger.refused_transactions_count == 0


def test_trades_end_as_in_a_world_of_one_kind(
    run: RunFolder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    alike = finished(tmp_path_factory)
    assert {row.kind for row in alike.read_summary().ledgers} == {"cometbft"}

    def facts(folder: RunFolder) -> list[tuple[object, ...]]:
        names = ("slot_start_s", "level", "source_chain_id", "dest_chain_id", "outcome")
        numbers = ("energy_wh", "cap_wh", "delivered_wh", "paid_in_nano_eur", "paid_out_nano_eur")
        return sorted(
            tuple(getattr(trade, name) for name in names + numbers)
            for trade in folder.read_trades()
        )

    assert facts(run) == facts(alike)


def test_the_audit_holds_and_knows_every_ledger(run: RunFolder) -> None:
    report = auditing.audit(run.path)
    assert report.findings == ()
    assert {row.ledger for row in report.ledgers} == {"grid-1", "mg-a", "mg-b", "mg-c"}
    ended = {row.ending for row in report.packets if ETHEREUM in (row.source_ledger, "")}
    assert "acknowledged" in ended


def test_every_kind_of_tampering_is_seen(run: RunFolder) -> None:
    report = tamper(run.path, count=36, seed=20160118)
    assert [trial for trial in report.trials if not trial.is_noticed] == []


def test_locks_without_a_verdict_expire_and_packets_time_out(tmp_path: Path) -> None:
    """The relayer stands still until after D: everything comes back, on every ledger."""
    down = {"event": "relayer_down", "slot": 0, "seconds": 850}
    path = tmp_path / "run"
    world.run(
        with_ethereum(small(slot_count=1, events=[down]), "B"), path, progress=lambda *_: None
    )
    folder = RunFolder(path)
    assert [check for check in folder.read_summary().checks if not check.is_ok] == []
    touched = [
        trade
        for trade in folder.read_trades()
        if ETHEREUM in {trade.source_chain_id, trade.dest_chain_id}
    ]
    assert touched
    assert all(trade.delivered_wh == trade.paid_in_nano_eur == 0 for trade in touched)
    report = auditing.audit(path)
    assert report.findings == ()
    endings = {row.ending for row in report.locks if row.ledger == ETHEREUM}
    assert endings == {"refunded"}
    assert {row.ending for row in report.packets} == {"timed out"}


@pytest.mark.parametrize("down_s", [0, 341])
def test_ledgers_that_are_all_on_ethereum_trade_with_one_another(
    tmp_path: Path, down_s: int
) -> None:
    """
    No other ledger's blocks wake the relayer between a lock and tau: it wakes by itself, also when
    it stood still until a while after the lock.
    """
    down = [{"event": "relayer_down", "slot": 0, "seconds": down_s}] if down_s else []
    assert_crossing_trades_settle(all_on_ethereum(tmp_path, down))


def test_what_could_not_be_proved_at_once_is_proved_before_tau(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cells keep silent once, of the first packet; no block of any ledger comes after it."""
    attest, asked = CellAttestor.attest_packets, set[bytes]()

    async def attest_the_second_time(
        self: CellAttestor, ledger_id: str, height: int, entries: Sequence[StoredValue]
    ) -> bytes | None:
        address = self.address(ledger_id)
        if address not in asked:
            asked.add(address)
            return None
        return await attest(self, ledger_id, height, entries)

    monkeypatch.setattr(CellAttestor, "attest_packets", attest_the_second_time)
    assert_crossing_trades_settle(all_on_ethereum(tmp_path))
    assert asked


def all_on_ethereum(tmp_path: Path, events: Sequence[object] = ()) -> RunFolder:
    """Run one slot in which no ledger makes blocks but for transactions and deadlines."""
    scenario = with_ethereum(small(slot_count=1, events=events), "A", "B", "C")
    operator = scenario.operator.model_copy(update={"ledger": LedgerKind.ETHEREUM})
    world.run(
        scenario.model_copy(update={"operator": operator}),
        tmp_path / "run",
        progress=lambda *_: None,
    )
    folder = RunFolder(tmp_path / "run")
    assert {row.kind for row in folder.read_summary().ledgers} == {"evm"}
    return folder


def assert_crossing_trades_settle(folder: RunFolder) -> None:
    assert [check for check in folder.read_summary().checks if not check.is_ok] == []
    crossing = [one for one in folder.read_trades() if one.source_chain_id != one.dest_chain_id]
    assert crossing
    assert {one.outcome for one in crossing} <= {"settled", "partly_settled"}


@pytest.fixture
def copy(run: RunFolder, tmp_path: Path) -> Path:
    """The Ethereum ledger's exported files alone."""
    folder = tmp_path / "ledgers" / ETHEREUM
    shutil.copytree(run.ledger(ETHEREUM), folder)
    return folder


def finds(folder: Path) -> list[str]:
    findings = Findings()
    auditing.audit_ledger(RunFiles(folder.parent.parent).ledger(ETHEREUM), findings)
    return [f"{row.place.height} {row.rule}" for row in findings.rows]


@pytest.mark.parametrize("name", ["genesis.json", "validators.bin", "proofs.bin"])
def test_a_changed_byte_of_a_root_or_a_proof_is_found(copy: Path, name: str) -> None:
    data = (copy / name).read_bytes()
    for place in range(0, len(data), max(len(data) // 40, 1)):
        changed = bytearray(data)
        changed[place] ^= 1
        (copy / name).write_bytes(changed)
        assert finds(copy), f"byte {place} of {len(data)}"
    (copy / name).write_bytes(data)
    assert finds(copy) == []


HEADER_FIELDS = (
    "parent_hash",
    "beneficiary",
    "state_root",
    "transactions_root",
    "receipts_root",
    "logs_bloom",
    "number",
    "gas_limit",
    "gas_used",
    "timestamp",
    "extra_data",
    "base_fee",
)


def with_header(block: EvmBlock, change: Callable[[EvmHeader], EvmHeader]) -> EvmBlock:
    return replace(block, header=change(decode_header(block.header)).encode())


def other(header: EvmHeader, name: str) -> EvmHeader:
    value = getattr(header, name)
    if isinstance(value, int):
        return replace(header, **{name: value + 1})
    return replace(header, **{name: bytes([value[0] ^ 1]) + value[1:] if value else b"x"})


def rewrite(folder: Path, height: int, change: Callable[[EvmBlock], EvmBlock]) -> None:
    frames = list(split_frames((folder / "blocks.bin").read_bytes())[0])
    frames[height - 1] = change(EvmBlock.decode(frames[height - 1])).encode()
    (folder / "blocks.bin").write_bytes(b"".join(map(encode_frame, frames)))


def height_with_transactions(folder: Path) -> int:
    frames = split_frames((folder / "blocks.bin").read_bytes())[0]
    return max(
        height
        for height, frame in enumerate(frames[:-1], start=1)
        if EvmBlock.decode(frame).transactions
    )


@pytest.mark.parametrize("name", HEADER_FIELDS)
def test_a_changed_field_of_a_header_is_found_at_its_height(copy: Path, name: str) -> None:
    height = height_with_transactions(copy)
    rewrite(copy, height, lambda block: with_header(block, lambda one: other(one, name)))
    found = finds(copy)
    assert any(line.startswith(f"{height} ") for line in found), found


def test_a_changed_transaction_is_found(copy: Path) -> None:
    height = height_with_transactions(copy)

    def change(block: EvmBlock) -> EvmBlock:
        first = block.transactions[0]
        return replace(block, transactions=(first[:-1] + bytes([first[-1] ^ 1]),))

    rewrite(copy, height, change)
    assert f"{height} transactions root" in finds(copy)


def test_a_receipt_that_is_left_out_is_found(copy: Path) -> None:
    height = height_with_transactions(copy)
    rewrite(copy, height, lambda block: replace(block, receipts=()))
    found = finds(copy)
    assert f"{height} receipts" in found
    assert f"{height} receipts root" in found


def test_another_history_needs_the_sealers(copy: Path) -> None:
    """All roots mended by a clever hand: the last block is none that the sealers have sealed."""
    frames = list(split_frames((copy / "blocks.bin").read_bytes())[0])
    last = with_header(EvmBlock.decode(frames[-1]), lambda one: other(one, "extra_data"))
    frames[-1] = last.encode()
    (copy / "blocks.bin").write_bytes(b"".join(map(encode_frame, frames)))
    assert finds(copy) == [f"{len(frames)} last block, sealed"]


def test_a_proof_of_other_slots_is_found(copy: Path) -> None:
    proofs = FinalProofs.decode((copy / "proofs.bin").read_bytes())
    assert len(proofs.groups) > 1
    fewer = replace(proofs, groups=proofs.groups[:-1])
    (copy / "proofs.bin").write_bytes(fewer.encode())
    assert [line.partition(" ")[2] for line in finds(copy)] == ["proved slots"]


def test_a_stranger_among_the_sealers_is_found(copy: Path) -> None:
    roots = TrustRoots.decode((copy / "validators.bin").read_bytes())
    strangers = tuple(bytes([number]) * 20 for number in range(1, 5))
    strange = replace(roots, sealers=strangers)
    (copy / "validators.bin").write_bytes(strange.encode())
    assert [line.partition(" ")[2] for line in finds(copy)] == ["sealed last block"]
