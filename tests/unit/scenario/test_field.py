"""The simulated meters and devices of a zone: cumulative registers, signed orders, set points."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tieline.scenario.field import Member, ZoneEnergy, ZoneField
from tieline.scenario.order_intents import OrderIntent
from tieline.swap.records import DeliveryKind, Levels, Side
from tieline.swap.topology import MeterEntry
from tieline.wire.keys import SecpKey, cosmos_account_of
from tieline.wire.typed_data import (
    domain_separator,
    order_id,
    recover_signer,
    recover_signer_address,
)

TAG = b"\x01" * 32
DOMAIN = domain_separator(b"\x02" * 32)
SLOTS = [900, 1800, 2700]
FLOWS = {900: {"house": 40, "shop": -60}, 1800: {"house": -5, "shop": -70}, 2700: {"house": 9}}


def member(name: str, number: int) -> Member:
    wallet, key = SecpKey(bytes([number]) * 32), SecpKey(bytes([number + 100]) * 32)
    entry = MeterEntry(name, bytes([number]) * 32, key.address, wallet.cosmos_account, TAG, number)
    return Member(entry, wallet, key)


MEMBERS = {"shop": member("shop", 5), "house": member("house", 3)}


def intent(cell: str, chain_id: str = "mg-a") -> OrderIntent:
    return OrderIntent(
        cell=cell,
        microgrid="A",
        chain_id=chain_id,
        bus=3,
        side=Side.SELL,
        levels=Levels.INTRA,
        delivery=DeliveryKind.DISPATCHABLE,
        energy_wh=250,
        price_min=10,
        price_max=20,
    )


class Houses:
    def orders(self, _: int) -> Any:
        return (intent("house"), intent("stranger", "mg-b"))

    def baseline(self, _: int) -> Any:
        row = SimpleNamespace(p_milliwatt=-7, q_millivar=-2)
        return {3: row, 9: row}


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def zone(told: list[Any]) -> ZoneField:
    return ZoneField(
        chain_tag=TAG,
        ledger_id="mg-a",
        buses=frozenset({3, 5}),
        slots=SLOTS,
        slot_length=900,
        households=cast(Any, Houses()),
        members=MEMBERS,
        boundary_meter=member("pcc", 8),
        domain=DOMAIN,
        energy_of=lambda start: ZoneEnergy(FLOWS[start], boundary=-30),
        slack_of=lambda start: 1_000_000 + start,
        tell_set_points=lambda start, wh: told.append((start, dict(wh))),
    )


def registers(zone: ZoneField, start: int, name: str) -> tuple[int, int, int]:
    meter = MEMBERS[name].meter.meter_id
    row = next(r.reading for r in zone.readings(start) if r.reading.meter_id == meter)
    return row.import_register_wh, row.export_register_wh, row.counter


def test_registers_add_up_and_never_fall(zone: ZoneField) -> None:
    assert registers(zone, 900, "house") == (0, 40, 1)
    assert registers(zone, 1800, "house") == (5, 40, 2)
    assert registers(zone, 2700, "house") == (5, 49, 3)
    assert registers(zone, 1800, "shop") == (130, 0, 2)


def test_a_resumed_run_shows_the_same_registers(zone: ZoneField, told: list[Any]) -> None:
    """Asked for a later slot first, as after a restart."""
    last = zone.readings(1800)
    assert zone.readings(900) == tuple(zone.readings(900))
    assert zone.readings(1800) == last


def test_readings_are_signed_by_their_meters_and_ascend(zone: ZoneField) -> None:
    rows = zone.readings(900)
    keys = {row.meter.meter_id: row.meter.key for row in MEMBERS.values()}
    assert [row.reading.meter_id for row in rows] == sorted(keys)
    for row in rows:
        signer = recover_signer_address(DOMAIN, row.reading, row.signature)
        assert signer == keys[row.reading.meter_id]


def test_a_member_without_a_meter_shows_nothing(zone: ZoneField) -> None:
    names = {row.reading.meter_id for row in zone.readings(2700)}
    assert names == {MEMBERS["house"].meter.meter_id}
    assert [meter for meter, _ in zone.estimates(2700)] == [MEMBERS["house"].meter.meter_id]


def test_the_coupling_point_has_a_meter_of_its_own(zone: ZoneField) -> None:
    (row,) = zone.boundary_readings(1800)
    assert row.reading.meter_id == bytes([8]) * 32
    assert (row.reading.import_register_wh, row.reading.export_register_wh) == (60, 0)


def test_estimates_are_the_slots_energy_ascending(zone: ZoneField) -> None:
    house, shop = (MEMBERS[name].meter.meter_id for name in ("house", "shop"))
    assert zone.estimates(900) == [(house, 40), (shop, -60)]


def test_orders_are_the_own_members_and_signed_by_their_wallets(zone: ZoneField) -> None:
    (signed,) = zone.orders(900)
    account = cosmos_account_of(recover_signer(DOMAIN, signed.order, signed.signature))
    assert account == signed.order.account == MEMBERS["house"].meter.account
    assert signed.order.meter_id == MEMBERS["house"].meter.meter_id
    assert zone.orders(900) is zone.orders(900)
    assert zone.owner_of(order_id(signed.order)) == "house"


def test_two_slots_orders_are_not_each_others_replay(zone: ZoneField) -> None:
    assert order_id(zone.orders(900)[0].order) != order_id(zone.orders(1800)[0].order)


def test_the_forecast_is_of_the_own_buses(zone: ZoneField) -> None:
    assert zone.forecast(900) == {3: (-7, -2)}


def test_set_points_reach_the_own_devices_in_watt_hours(zone: ZoneField, told: list[Any]) -> None:
    key = order_id(zone.orders(900)[0].order)
    zone.set_points(900, {key: 1000, b"\xff" * 32: 9999})
    assert told == [(900, {"house": 250})]


def test_no_member_holds_a_preimage_of_its_own(zone: ZoneField) -> None:
    assert zone.preimage(bytes(32)) is None
    assert zone.slack_ppm(900) == 1_000_900
