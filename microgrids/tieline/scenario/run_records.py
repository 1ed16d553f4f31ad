"""
What a run writes down for readers: records of summary.json, trades.json and slots.json.

Energy in Wh, money in nano-EUR, prices in micro-EUR per kWh, times in unix seconds of chain time,
voltages per unit; hashes and ids as lower-case hex without 0x. ``docs/run_folder.md`` has the rest.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA = "tieline-run-1"
LevelName = Literal["INTRA", "INTER", "GRID"]
DecisionName = Literal["accept", "refuse", "none"]
OutcomeName = Literal["settled", "partly_settled", "refused", "refunded", "open"]


class Record(BaseModel):
    """Plain data; unknown keys are refused so that writer and reader cannot drift apart."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class JourneyStep(Record):
    """Something that happened to a trade on a ledger, or off-ledger between the cells."""

    time_s: int
    step: str
    """Such as ``lock_and_send``, ``receive``, ``verdict``, ``acknowledge``, ``claim``."""
    chain_id: str = ""
    """Empty for what the cells did off-ledger."""
    height: int = 0
    """0 for what the cells did off-ledger."""
    proof_height: int = 0
    """Height of the other ledger whose state was proved; 0 where nothing was."""
    proof_bytes: int = 0
    detail: str = ""


class TradeAllocation(Record):
    """One order's part of a trade."""

    order_id: str
    cell: str
    """Id of the energy cell in the scenario, or the operator's name."""
    side: Literal["buy", "sell"]
    energy_wh: int
    price_micro_eur_per_kwh: int


class PhysicsNote(Record):
    """What the gate said of a trade: the limit that binds, and how it was judged."""

    limit: str
    """Named, such as ``V_LOW bus 10`` or ``LINE 1-2``."""
    bound: float
    value: float
    unit: str
    """Of bound and value: ``pu``, ``percent``, ``kW``."""
    margin_subtracted: float = 0.0
    """In the same unit: forecast and slack margins that the bound contains."""
    scenario: str = ""
    """Corner, subset or group union in which it binds."""


class TradeRecord(Record):
    """One position or direct trade, from clearing to its end on every ledger."""

    trade_id: str
    level: LevelName
    slot_start_s: int
    slot_length_s: int
    source_chain_id: str
    """The buyers' ledger."""
    dest_chain_id: str
    """The sellers' ledger; the same for INTRA."""
    delivery: Literal["firm", "dispatchable"]
    is_direct: bool = False
    energy_wh: int
    cap_wh: int = 0
    delivered_wh: int = 0
    price_in_micro_eur_per_kwh: int
    price_out_micro_eur_per_kwh: int
    paid_in_nano_eur: int = 0
    paid_out_nano_eur: int = 0
    refunded_in_nano_eur: int = 0
    refunded_out_nano_eur: int = 0
    decision: DecisionName = "none"
    """``none``: no verdict came in time."""
    reason: str = "NONE"
    """A name of ``tieline.swap.records.Reason``."""
    outcome: OutcomeName
    hashlock: str
    lock_id_in: str
    lock_id_out: str = ""
    packet_sequence: int = 0
    allocations: tuple[TradeAllocation, ...] = ()
    physics: PhysicsNote | None = None
    steps: tuple[JourneyStep, ...] = ()


class SlotRecord(Record):
    """One slot: market, gate and delivery in a line."""

    index: int
    slot_start_s: int
    slot_length_s: int
    orders_count: int
    trades_count: int
    refused_count: int
    energy_wh: dict[LevelName, int]
    """Delivered, by level."""
    rounds_count: int = 0
    """Cuts and re-clearings before the seal."""
    cuts: tuple[str, ...] = ()
    """Each as text: which limit, which trades, what it left."""
    reduced_wh: dict[str, int] = Field(default_factory=dict[str, int])
    """Wh that the cuts took from an order, by energy cell."""
    verdict: Literal["FEASIBLE", "INFEASIBLE", "NOT_CERTIFIED", "BASE_VIOLATED", "NONE"]
    verdict_hash: str = ""
    flow_proof_hash: str = ""
    scenarios_count: int = 0
    tightest: PhysicsNote | None = None
    tightest_margin_percent: float = 0.0
    tightest_margin_kw: float = 0.0
    """How much more of the marginal trade would fit."""
    vm_pu_min: float
    """Realised, with the gate."""
    vm_pu_max: float
    bus_at_vm_min: int
    vm_pu_min_without_gate: float
    """Had everything that was cleared without cuts gone ahead."""
    vm_pu_max_without_gate: float
    is_violated: bool
    is_violated_without_gate: bool
    loss_wh: int
    unaccounted_wh: int = 0
    imbalance_wh: int = 0


class LevelRow(Record):
    """A line of the table of levels."""

    level: LevelName
    trades_count: int
    refused_count: int
    cleared_wh: int
    delivered_wh: int
    paid_in_nano_eur: int


class BusRow(Record):
    """A bus of the single-line diagram."""

    bus: int
    name: str
    owner: str
    vm_pu_min: float
    vm_pu_max: float
    cells_count: int = 0


class BranchRow(Record):
    """A line or transformer of the single-line diagram."""

    from_bus: int
    to_bus: int
    name: str
    kind: Literal["line", "transformer"]
    loading_percent_max: float
    is_closed: bool = True


class ThirdPartyCase(Record):
    """One column of the third-party picture: who buys, and what each zone's lowest voltage is."""

    name: str
    """Such as ``nobody``, ``a-depot alone``, ``both``, ``after cuts``."""
    vm_pu_min: dict[str, float]
    """By microgrid name."""


class ThirdParty(Record):
    """A slot in which trades that are fine alone hurt somebody together."""

    slot_start_s: int
    cases: tuple[ThirdPartyCase, ...]
    outcome: str
    """A sentence: what was cut, what was refused, where its escrow went."""
    trade_ids: tuple[str, ...] = ()


class AccountRow(Record):
    """Money of a named account over the whole run; the changes of all rows sum to zero."""

    chain_id: str
    account: str
    """20 bytes hex, or the name of an account of settlement."""
    label: str
    """Energy cell, connector, relayer, operator, imbalance pool, balancing, unaccounted, ..."""
    opening_nano_eur: int
    closing_nano_eur: int


class CheckRow(Record):
    """One thing that must hold, and whether it does."""

    name: str
    """Such as ``E6 money``, ``conservation of PAY on mg-a``."""
    is_ok: bool
    detail: str


class FuelRow(Record):
    """What an account pays its transactions with, on a ledger where they cost something."""

    lane: str
    account: str
    unit: str
    used: str
    """Since genesis; text, because JSON's numbers end at 2^53."""
    left: str
    slots_left: int
    """Slots that this will do for, at the pace of this run; -1 for ever: it used none."""


class LedgerRow(Record):
    """One ledger at the end of the run."""

    chain_id: str
    kind: str
    chain_tag: str
    height: int
    blocks_count: int
    transactions_count: int
    refused_transactions_count: int
    transactions_in_slot_max: int = 0
    """Most that stand in blocks of one slot's time."""
    app_hash: str
    """Root of the state after the last block."""
    fuel: tuple[FuelRow, ...] = ()


class RunSummary(Record):
    """All that the report and the last screen of a run show."""

    schema_name: str = SCHEMA
    scenario: str
    title: str
    seed: int
    tieline_version: str
    start_s: int
    slot_count: int
    slot_length_s: int
    preset: str
    engine: str = "embedded"
    """What the ledgers ran on; ``native``: processes of their own."""
    print_time_zone: str = "UTC"
    """Zone in which the report shows times."""
    wall_seconds: float
    slots_done: int
    levels: tuple[LevelRow, ...]
    refused_by_reason: dict[str, int]
    settled_trades_count: int
    delivered_wh: int
    loss_wh: int
    violated_slots_count: int
    """Realised, with the gate."""
    violated_slots_without_gate_count: int
    voltage_min_pu: float
    """Lower end of the band."""
    voltage_max_pu: float
    buses: tuple[BusRow, ...]
    branches: tuple[BranchRow, ...]
    third_party: ThirdParty | None
    journey_trade_id: str
    """Whose way the report tells."""
    accounts: tuple[AccountRow, ...]
    checks: tuple[CheckRow, ...]
    ledgers: tuple[LedgerRow, ...]
    not_shown: tuple[str, ...]
    """What the run does not show, in sentences."""
