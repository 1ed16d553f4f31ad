"""A finished run of two slots, written by hand: what the commands and the report read."""

from pathlib import Path

from tieline.scenario.reading import shipped_scenario
from tieline.scenario.run_folder import RunFolder, RunState
from tieline.scenario.run_records import (
    AccountRow,
    BranchRow,
    BusRow,
    CheckRow,
    FuelRow,
    JourneyStep,
    LedgerRow,
    LevelRow,
    PhysicsNote,
    RunSummary,
    SlotRecord,
    ThirdParty,
    ThirdPartyCase,
    TradeAllocation,
    TradeRecord,
)

START_S = 1453125600
SETTLED, REFUSED = "5e" * 32, "5f" * 32

LIMIT = PhysicsNote(
    limit="V_LOW bus 10",
    bound=0.9621,
    value=0.9468,
    unit="pu",
    margin_subtracted=0.0121,
    scenario="slack -1 %",
)
STEPS = (
    JourneyStep(time_s=START_S - 590, step="lock_and_send", chain_id="mg-a", height=41),
    JourneyStep(
        time_s=START_S - 580,
        step="receive",
        chain_id="mg-c",
        height=44,
        proof_height=42,
        proof_bytes=1893,
    ),
    JourneyStep(time_s=START_S - 300, step="verdict", detail="FEASIBLE, 9 cases, 4 of 4 signed"),
    JourneyStep(time_s=START_S - 295, step="apply_verdict", chain_id="mg-c", height=47),
    JourneyStep(
        time_s=START_S - 285,
        step="acknowledge",
        chain_id="mg-a",
        height=46,
        proof_height=48,
        proof_bytes=1911,
    ),
    JourneyStep(time_s=START_S + 1210, step="claim", chain_id="mg-c", height=55),
)


def trades() -> tuple[TradeRecord, ...]:
    """Return one trade that was settled and one that was refused."""
    settled = TradeRecord(
        trade_id=SETTLED,
        level="INTER",
        slot_start_s=START_S,
        slot_length_s=900,
        source_chain_id="mg-a",
        dest_chain_id="mg-c",
        delivery="firm",
        energy_wh=3750,
        cap_wh=3750,
        delivered_wh=3704,
        price_in_micro_eur_per_kwh=214_500,
        price_out_micro_eur_per_kwh=212_500,
        paid_in_nano_eur=3704 * 214_500,
        paid_out_nano_eur=3704 * 212_500,
        refunded_in_nano_eur=46 * 214_500,
        decision="accept",
        outcome="settled",
        hashlock="aa" * 32,
        lock_id_in="bb" * 32,
        lock_id_out="cc" * 32,
        packet_sequence=3,
        allocations=(
            TradeAllocation(
                order_id="01" * 32,
                cell="a-home-1",
                side="buy",
                energy_wh=3750,
                price_micro_eur_per_kwh=214_500,
            ),
            TradeAllocation(
                order_id="02" * 32,
                cell="c-wind-1",
                side="sell",
                energy_wh=3750,
                price_micro_eur_per_kwh=212_500,
            ),
        ),
        steps=STEPS,
    )
    refused = settled.model_copy(
        update={
            "trade_id": REFUSED,
            "level": "GRID",
            "slot_start_s": START_S + 900,
            "source_chain_id": "mg-b",
            "dest_chain_id": "grid-1",
            "delivery": "dispatchable",
            "energy_wh": 375_000,
            "cap_wh": 0,
            "delivered_wh": 0,
            "paid_in_nano_eur": 0,
            "paid_out_nano_eur": 0,
            "refunded_in_nano_eur": 375_000 * 214_500,
            "decision": "refuse",
            "reason": "V_LOW",
            "outcome": "refused",
            "physics": LIMIT,
            "steps": STEPS[:3],
        }
    )
    return settled, refused


def slots() -> tuple[SlotRecord, ...]:
    """Return a calm slot and the third-party slot."""
    calm = SlotRecord(
        index=0,
        slot_start_s=START_S,
        slot_length_s=900,
        orders_count=61,
        trades_count=1,
        refused_count=0,
        energy_wh={"INTRA": 2500, "INTER": 3704, "GRID": 0},
        verdict="FEASIBLE",
        scenarios_count=9,
        tightest=LIMIT.model_copy(update={"value": 0.9842}),
        tightest_margin_percent=2.3,
        tightest_margin_kw=412.0,
        vm_pu_min=0.9838,
        vm_pu_max=1.0081,
        bus_at_vm_min=10,
        vm_pu_min_without_gate=0.9838,
        vm_pu_max_without_gate=1.0081,
        is_violated=False,
        is_violated_without_gate=False,
        loss_wh=5120,
        imbalance_wh=46,
    )
    tight = calm.model_copy(
        update={
            "index": 1,
            "slot_start_s": START_S + 900,
            "refused_count": 1,
            "rounds_count": 1,
            "cuts": ("V_LOW bus 10: a-depot 1500 kW to 1310 kW",),
            "reduced_wh": {"a-depot": 47_500},
            "vm_pu_min": 0.9612,
            "vm_pu_min_without_gate": 0.9468,
            "is_violated_without_gate": True,
        }
    )
    return calm, tight


def summary(*, money_missing_nano_eur: int = 0, is_ok: bool = True) -> RunSummary:
    """Return the summary; money and checks can be made wrong on purpose."""
    return RunSummary(
        scenario="evening",
        title="A winter <evening> & more",
        seed=7,
        tieline_version="0.1.0",
        start_s=START_S,
        slot_count=2,
        slot_length_s=900,
        preset="fast",
        print_time_zone="Europe/Berlin",
        wall_seconds=3.25,
        slots_done=2,
        levels=(
            LevelRow(
                level="INTER",
                trades_count=1,
                refused_count=0,
                cleared_wh=3750,
                delivered_wh=3704,
                paid_in_nano_eur=3704 * 214_500,
            ),
            LevelRow(
                level="GRID",
                trades_count=1,
                refused_count=1,
                cleared_wh=375_000,
                delivered_wh=0,
                paid_in_nano_eur=0,
            ),
        ),
        refused_by_reason={"V_LOW": 1},
        settled_trades_count=1,
        delivered_wh=6204,
        loss_wh=10_240,
        violated_slots_count=0,
        violated_slots_without_gate_count=1,
        voltage_min_pu=0.95,
        voltage_max_pu=1.05,
        buses=(
            BusRow(bus=0, name="slack", owner="main grid", vm_pu_min=1.02, vm_pu_max=1.02),
            BusRow(bus=1, name="Bus 1", owner="grid", vm_pu_min=0.998, vm_pu_max=1.01),
            BusRow(bus=6, name="Bus 6", owner="A", vm_pu_min=0.9612, vm_pu_max=0.99),
            BusRow(bus=10, name="Bus 10", owner="C", vm_pu_min=0.9468, vm_pu_max=0.99),
        ),
        branches=(
            BranchRow(
                from_bus=0,
                to_bus=1,
                name="Trafo 0-1",
                kind="transformer",
                loading_percent_max=61.0,
            ),
            BranchRow(from_bus=1, to_bus=6, name="L 1-6", kind="line", loading_percent_max=44.0),
            BranchRow(from_bus=1, to_bus=10, name="L 1-10", kind="line", loading_percent_max=30.0),
            BranchRow(
                from_bus=6,
                to_bus=10,
                name="L 6-10",
                kind="line",
                loading_percent_max=0.0,
                is_closed=False,
            ),
        ),
        third_party=ThirdParty(
            slot_start_s=START_S + 900,
            cases=(
                ThirdPartyCase(name="nobody", vm_pu_min={"A": 0.985, "B": 0.985, "C": 0.984}),
                ThirdPartyCase(
                    name="a-depot alone", vm_pu_min={"A": 0.963, "B": 0.968, "C": 0.967}
                ),
                ThirdPartyCase(name="both", vm_pu_min={"A": 0.945, "B": 0.944, "C": 0.9468}),
            ),
            outcome="Together C fell below its band; the electrolyser's trade was refused.",
            trade_ids=(REFUSED,),
        ),
        journey_trade_id=SETTLED,
        accounts=(
            AccountRow(
                chain_id="mg-a",
                account="01" * 20,
                label="energy cells",
                opening_nano_eur=500 * 10**9,
                closing_nano_eur=500 * 10**9 - 3704 * 214_500,
            ),
            AccountRow(
                chain_id="mg-c",
                account="02" * 20,
                label="energy cells",
                opening_nano_eur=500 * 10**9,
                closing_nano_eur=500 * 10**9 + 3704 * 212_500,
            ),
            AccountRow(
                chain_id="mg-a",
                account="03" * 20,
                label="connector",
                opening_nano_eur=0,
                closing_nano_eur=3704 * 2000 - money_missing_nano_eur,
            ),
        ),
        checks=(
            CheckRow(name="E6 money", is_ok=is_ok, detail="sum 0 nano-EUR"),
            CheckRow(name="conservation of PAY on mg-a", is_ok=True, detail="42 blocks"),
        ),
        ledgers=(
            LedgerRow(
                chain_id="mg-a",
                kind="cometbft",
                chain_tag="0a" * 32,
                height=60,
                blocks_count=60,
                transactions_count=120,
                refused_transactions_count=0,
                app_hash="0b" * 32,
            ),
            LedgerRow(
                chain_id="mg-b",
                kind="evm",
                chain_tag="0c" * 32,
                height=31,
                blocks_count=31,
                transactions_count=22,
                refused_transactions_count=0,
                transactions_in_slot_max=7,
                app_hash="0d" * 32,
                fuel=(
                    FuelRow(
                        lane="relayer-0",
                        account="0e" * 20,
                        unit="wei",
                        used=str(2 * 10**15),
                        left=str(9 * 10**17),
                        slots_left=900,
                    ),
                ),
            ),
        ),
        not_shown=("One machine ran all parties.",),
    )


def write_finished_run(path: Path) -> RunFolder:
    """Write the run into *path*."""
    run = RunFolder(path)
    run.write_state(
        RunState(
            scenario="evening",
            scenario_sha256="ab" * 32,
            tieline_version="0.1.0",
            state="finished",
            slots_done=2,
        )
    )
    run.write_summary(summary())
    run.write_trades(trades())
    run.write_slots(slots())
    run.scenario_yaml.write_text(shipped_scenario("evening").read_text())
    run.events_jsonl.write_text(
        '{"event": "lock_opened", "time_s": 1453125010, "chain_id": "mg-a", "height": 41}\n'
    )
    genesis = run.ledger("mg-a")
    genesis.mkdir(parents=True)
    (genesis / "genesis.json").write_text('{"chain_id": "mg-a"}')
    return run
