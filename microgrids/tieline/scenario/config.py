"""
The models of SCENARIO.yaml: a world to simulate, every key with its unit.

Reading the file and turning a refusal into words is ``scenario.reading``; what lies across keys
(buses, ids, slots) is checked in ``scenario.checks``. ``docs/scenario.md`` explains each key.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt

from tieline.wire.accounts import EVM_KIND, FABRIC_KIND

TICK_S = 900
"""Profiles, forecasts and statements have one value a quarter of an hour."""
SLOTS_MAX = 672
"""A week of quarter hours: as long as the profiles that we ship."""
PRICE_MAX = 10_000_000
"""10 EUR/kWh: above it a unit was mistaken."""
RATING_KW_MAX = 100_000
"""100 MW: above it W was taken for kW."""


def _plain_number(value: object) -> object:
    """
    Refuse text and booleans, which pydantic would turn into numbers.

    Raises:
        ValueError: As pydantic wants it, which reports nothing else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        message = "not a plain number"
        raise ValueError(message)  # noqa: TRY004
    return value


Number = Annotated[float, BeforeValidator(_plain_number), Field(allow_inf_nan=False)]
Kilowatt = Annotated[Number, Field(ge=0, le=RATING_KW_MAX)]
Percent = Annotated[Number, Field(ge=0, le=100)]
Price = Annotated[StrictInt, Field(ge=0, le=PRICE_MAX)]
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
ChainId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,48}$")]
MicrogridName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,15}$")]
Bus = Annotated[StrictInt, Field(ge=0)]
SlotIndex = Annotated[StrictInt, Field(ge=0, lt=SLOTS_MAX)]
Validators = Annotated[StrictInt, Field(ge=1, le=7)]
"""Processes of a ledger's engine with --engine native, all of equal power; four bear one lost."""
Inclusion = Annotated[StrictInt, Field(ge=1, le=3600)]
Finality = Annotated[StrictInt, Field(ge=1, le=7200)]
PriceRange = Annotated[list[Price], Field(min_length=2, max_length=2)]
KilowattRange = Annotated[list[Kilowatt], Field(min_length=2, max_length=2)]


class Strict(BaseModel):
    """A block of the file: keys that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Preset(StrEnum):
    """Which deadlines hold: by the slowest ledger's finality (``docs/spec/trade.md`` 2)."""

    FAST = "fast"
    SLOW = "slow"
    FABRIC = "fabric"


class Kind(StrEnum):
    """What an energy cell is; it decides side and delivery of its orders."""

    HOUSEHOLD = "household"
    COMMERCIAL = "commercial"
    HEAT_PUMP = "heat_pump"
    PV = "pv"
    WIND = "wind"
    CHP = "chp"
    HYDRO = "hydro"
    BATTERY = "battery"
    DEVICE = "device"


DEMAND = frozenset({Kind.HOUSEHOLD, Kind.COMMERCIAL, Kind.HEAT_PUMP})
"""Draw what their profile says, and buy it firm."""
GENERATION = frozenset({Kind.PV, Kind.WIND, Kind.CHP, Kind.HYDRO})
"""Feed in what their profile says, and sell it firm."""
DISPATCHABLE = frozenset({Kind.BATTERY, Kind.DEVICE})
"""Stand still until an order of theirs is cleared."""


class Level(StrEnum):
    """Where an order may be matched."""

    INTRA = "INTRA"
    INTER = "INTER"
    GRID = "GRID"


class EnergyCells(Strict):
    """One energy cell, or ``count`` alike ones, dealt over buses and profiles in turn."""

    id: Identifier
    """Of one cell; ``count`` cells get ``-1``, ``-2``, ... behind it."""
    kind: Kind
    count: Annotated[StrictInt, Field(ge=1, le=500)] = 1
    buses: Annotated[list[Bus], Field(min_length=1)]
    rating_kw: Kilowatt | KilowattRange
    """Peak of the profile; of a pair, each cell's own is drawn between the two."""
    profile: list[str] = []
    """Profile names, dealt in turn; not for batteries and devices, which need an event or hours."""
    pv_kw: Kilowatt | KilowattRange = 0.0
    """Panels behind the same meter (households and commercial)."""
    pv_profile: str = "PV1"
    cos_phi: Annotated[Number, Field(gt=0.1, le=1)] = 0.97
    """Of the draw, inductive; generation runs at 1."""
    price_max_micro_eur_per_kwh: Price | PriceRange | None = None
    """Most it pays when it buys; of a pair, drawn between the two for each cell."""
    price_min_micro_eur_per_kwh: Price | PriceRange | None = None
    """Least it takes when it sells."""
    levels: Annotated[list[Level], Field(min_length=1)] = [Level.INTRA, Level.INTER, Level.GRID]
    sell_hours_utc: list[Annotated[StrictInt, Field(ge=0, le=23)]] = []
    """Hours of the day (UTC) in which a battery offers its rating, dispatchable."""
    buy_hours_utc: list[Annotated[StrictInt, Field(ge=0, le=23)]] = []
    """Hours of the day (UTC) in which a battery asks for its rating, dispatchable."""


class LedgerKind(StrEnum):
    """What a microgrid's ledger runs on."""

    TENDERMINT = "tendermint"
    ETHEREUM = "ethereum"
    FABRIC = "fabric"

    @property
    def chain_kind(self) -> str:
        """As chain tags name it."""
        return CHAIN_KINDS[self]


CHAIN_KINDS = {
    LedgerKind.TENDERMINT: "cometbft",
    LedgerKind.ETHEREUM: EVM_KIND,
    LedgerKind.FABRIC: FABRIC_KIND,
}
"""Kinds of ledgers as scenarios and as chain tags name them."""


class OwnLedger(Strict):
    """What a ledger runs on, and how long it takes; the ladder of the preset must leave room."""

    ledger: LedgerKind = LedgerKind.TENDERMINT
    inclusion_s: Inclusion = 30
    """From handing a transaction in to its block, p99."""
    finality_s: Finality = 10
    """From a block to its being final, p99; 960 on Ethereum's main net."""


class Microgrid(OwnLedger):
    """A ledger, its utility cell and its energy cells."""

    name: MicrogridName
    chain_id: ChainId
    buses: Annotated[list[Bus], Field(min_length=1)]
    """Owned by this microgrid's utility cell; a bus has one owner."""
    energy_cells: Annotated[list[EnergyCells], Field(min_length=1)]
    native_validators: Validators = 1


class Operator(OwnLedger):
    """The grid operator: a ledger and a cell of its own, the other side of every GRID trade."""

    name: MicrogridName = "grid"
    chain_id: ChainId = "grid-1"
    buses: Annotated[list[Bus], Field(min_length=1)]
    import_price_micro_eur_per_kwh: Price = 320_000
    """What a microgrid pays for energy out of the main grid."""
    export_price_micro_eur_per_kwh: Price = 80_000
    """What a microgrid gets for energy into the main grid."""
    import_limit_kw: Kilowatt = 10_000.0
    """How much the operator offers in each slot."""
    export_limit_kw: Kilowatt = 10_000.0
    """How much the operator takes in each slot."""
    native_validators: Validators = 1


class NetworkSource(Strict):
    """The wires: a case that we ship, or the user's own pandapower file."""

    case: Literal["cigre_mv_feeder_1"] | None = None
    pandapower_json: Path | None = None
    """Written by ``pandapower.to_json``; relative to the scenario file."""
    load_scaling: Annotated[Number, Field(ge=0, le=10)] = 0.4
    """Factor on the network's own loads: those who take no part in the market."""
    background_profile: str = "mv_urban"
    """Shape of those loads over time (1 at its highest within the run), or ``flat``."""
    slack_voltage_pu: Annotated[Number, Field(ge=0.9, le=1.1)] = 1.02
    voltage_min_pu: Annotated[Number, Field(ge=0.8, le=1)] = 0.95
    voltage_max_pu: Annotated[Number, Field(ge=1, le=1.2)] = 1.05


class Profiles(Strict):
    """Where the time series come from."""

    week: Literal["winter", "summer"] | None = None
    """The SimBench week that we ship; told from the date where left out."""
    meters_csv: Path | None = None
    """The operator's own readings; a column named after a cell's id or profile replaces it."""
    meters_unit: Literal["kWh", "kW"] | None = None
    """kWh in each quarter hour, or mean kW; needed with ``meters_csv``."""
    meters_time_zone: str = "UTC"
    """IANA name of the stamps' zone, such as Europe/Berlin; stamps mark the period's start."""


class Prices(Strict):
    """Bands and the price of what nobody traded."""

    band_min_micro_eur_per_kwh: Price = 0
    band_max_micro_eur_per_kwh: Price = 1_000_000
    imbalance_price_micro_eur_per_kwh: Price = 350_000
    """Lambda: energy outside the sealed position, bought or sold at one price."""
    bond_price_micro_eur_per_kwh: Price = 50_000
    """Escrowed by sellers for each kWh they offer."""
    pricing_k_percent: Annotated[StrictInt, Field(ge=0, le=100)] = 50
    """k of the k-double auction: 0 the sellers' end of the clearing range, 100 the buyers'."""


class Connector(Strict):
    """Who holds money on both ledgers of a trade."""

    fee_micro_eur_per_kwh: Price = 2_000
    deposit_eur: Annotated[StrictInt, Field(ge=1, le=100_000_000)] = 10_000
    """Into its vault on each ledger, at genesis."""


class GateMargins(Strict):
    """What the physical check keeps free (``docs/spec/physics.md`` 2)."""

    enabled: StrictBool = True
    forecast_z: Annotated[Number, Field(ge=0, le=5)] = 1.64
    slack_margin_percent: Annotated[Number, Field(ge=0, le=5)] = 1.0
    """Of the slack bus's voltage, up and down."""
    peak_factor: Annotated[Number, Field(ge=1, le=3)] = 1.0
    """Peak within a slot over its mean; 1.0 behind many customers, 2.0 behind one."""
    step_percent_max: Annotated[Number, Field(gt=0, le=10)] = 3.0
    """Voltage change of a bus from one slot to the next."""
    rounds_max: Annotated[StrictInt, Field(ge=0, le=4)] = 4
    """Cuts and re-clearings before the seal."""


class Errors(Strict):
    """How far truth lies from forecast and meter; the simulator alone draws from it."""

    household_sigma_percent: Percent = 20.0
    commercial_sigma_percent: Percent = 10.0
    heat_pump_sigma_percent: Percent = 15.0
    pv_sigma_percent: Percent = 12.0
    wind_sigma_percent: Percent = 10.0
    chp_sigma_percent: Percent = 2.0
    hydro_sigma_percent: Percent = 2.0
    battery_sigma_percent: Percent = 1.0
    device_sigma_percent: Percent = 1.0
    background_sigma_percent: Percent = 5.0
    """Of the loads that take no part, a bus."""
    common_sigma_percent: Percent = 2.0
    """The part that all cells of a kind share in a slot (weather)."""
    meter_sigma_percent: Annotated[Number, Field(ge=0, le=10)] = 0.2

    def sigma_percent(self, kind: Kind) -> float:
        """Return the own part of a kind's forecast error, in percent of the forecast."""
        sigma: float = getattr(self, f"{kind.value}_sigma_percent")
        return sigma


class DispatchEvent(Strict):
    """A device asks for energy (or a battery offers it) in some slots, dispatchable."""

    event: Literal["dispatch"]
    slots: Annotated[list[SlotIndex], Field(min_length=1)]
    cell: Identifier
    power_kw: Annotated[Number, Field(gt=0, le=RATING_KW_MAX)]
    side: Literal["buy", "sell"] = "buy"
    levels: Annotated[list[Level], Field(min_length=1)] = [Level.GRID]
    price_micro_eur_per_kwh: Price
    """Limit: most it pays, or least it takes."""


class SlackVoltageEvent(Strict):
    """After the seal the voltage of the main grid moves away from what was foreseen."""

    event: Literal["slack_voltage"]
    slots: Annotated[list[SlotIndex], Field(min_length=1)]
    voltage_pu: Annotated[Number, Field(ge=0.9, le=1.1)]


class SilentOwnerEvent(Strict):
    """A utility cell signs nothing for some slots."""

    event: Literal["silent_owner"]
    slots: Annotated[list[SlotIndex], Field(min_length=1)]
    microgrid: MicrogridName
    """The microgrid's name, or the operator's."""


class RelayerDownEvent(Strict):
    """The relayer stands still, from a slot's gate closure on."""

    event: Literal["relayer_down"]
    slot: SlotIndex
    seconds: Annotated[StrictInt, Field(ge=1, le=86_400)]


class NonDeliveryEvent(Strict):
    """An energy cell feeds in only a part of its forecast."""

    event: Literal["non_delivery"]
    slots: Annotated[list[SlotIndex], Field(min_length=1)]
    cell: Identifier
    delivered_percent: Percent = 0.0


ScenarioEvent = Annotated[
    DispatchEvent | SlackVoltageEvent | SilentOwnerEvent | RelayerDownEvent | NonDeliveryEvent,
    Field(discriminator="event"),
]


class ScenarioConfig(Strict):
    """A world: a network, its microgrids, a stretch of time."""

    scenario: Identifier
    """Its name; run folders are named after it."""
    title: str = ""
    seed: Annotated[StrictInt, Field(ge=0, lt=2**63)] = 1
    """All drawn errors and ratings hang on it."""
    start_utc: datetime
    """Start of the first slot's delivery."""
    slot_count: Annotated[StrictInt, Field(ge=1, le=SLOTS_MAX)] = 24
    slot_minutes: Literal[15, 30, 60] = 15
    print_time_zone: str = "Europe/Berlin"
    """IANA name of the zone in which reports show times; everything else is UTC."""
    preset: Preset = Preset.FAST
    reproducible_keys: StrictBool = False
    """Keys and preimages from the seed instead of the system's chance; never for real money."""
    opening_balance_eur: Annotated[StrictInt, Field(ge=1, le=1_000_000)] = 500
    """PAY of each energy cell at genesis; the operator and devices get a thousand times as much."""
    network: NetworkSource
    profiles: Profiles = Profiles()
    operator: Operator
    microgrids: Annotated[list[Microgrid], Field(min_length=1, max_length=63)]
    prices: Prices = Prices()
    connector: Connector = Connector()
    gate: GateMargins = GateMargins()
    errors: Errors = Errors()
    events: list[ScenarioEvent] = []

    @property
    def start_s(self) -> int:
        """Start of the first slot, unix seconds."""
        return int(self.start_utc.astimezone(UTC).timestamp())

    @property
    def slot_length_s(self) -> int:
        """Length of a slot, seconds."""
        return self.slot_minutes * 60

    def slot_start_s(self, index: int) -> int:
        """Return the start of slot *index* (0 the first), unix seconds."""
        return self.start_s + index * self.slot_length_s

    def slot_index(self, slot_start_s: int) -> int:
        """Return the index of the slot that starts at *slot_start_s*, unix seconds."""
        return (slot_start_s - self.start_s) // self.slot_length_s
