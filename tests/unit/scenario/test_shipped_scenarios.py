"""The shipped scenarios have something to show: trades at every level in nearly every slot."""

import hashlib
from itertools import permutations

import pytest

from tieline.market.clearing import ClearingRules, clear_slot
from tieline.market.order import BookOrder
from tieline.scenario.households import Households, OrderIntent, RatedLoad
from tieline.scenario.reading import load_scenario, shipped_scenario
from tieline.swap.records import Level

LOADS = {bus: RatedLoad(500_000_000, 120_000_000) for bus in range(1, 12)}


def _order(intent: OrderIntent, index: int) -> BookOrder:
    return BookOrder(
        order_id=hashlib.sha256(f"{intent.cell} {intent.side}".encode()).digest(),
        account=hashlib.sha256(intent.cell.encode()).digest()[:20],
        microgrid=hashlib.sha256(intent.chain_id.encode()).digest(),
        bus=intent.bus,
        side=intent.side,
        levels=intent.levels,
        delivery=intent.delivery,
        energy_wh=intent.energy_wh,
        price_min=intent.price_min,
        price_max=intent.price_max,
        time=index,
    )


@pytest.mark.parametrize(("name", "slots_with_all_levels"), [("evening", 24), ("day", 64)])
def test_nearly_every_slot_trades_at_all_three_levels(
    name: str, slots_with_all_levels: int
) -> None:
    config = load_scenario(shipped_scenario(name))
    households = Households(config, LOADS)
    fee = config.connector.fee_micro_eur_per_kwh
    grid = hashlib.sha256(config.operator.chain_id.encode()).digest()
    rules = ClearingRules(grid=grid, inter_fee=fee, grid_fee=fee)
    whole = 0
    for index in range(config.slot_count):
        intents = households.orders(config.slot_start_s(index))
        orders = [_order(intent, place) for place, intent in enumerate(intents)]
        clearing = clear_slot(orders, rules, bytes(32))
        whole += {position.level for position in clearing.positions} == set(Level)
    assert whole >= slots_with_all_levels


def _inter_directions(name: str) -> set[tuple[str, str]]:
    """Buyer's and seller's chain id of all that is cleared between microgrids."""
    config = load_scenario(shipped_scenario(name))
    households = Households(config, LOADS)
    fee = config.connector.fee_micro_eur_per_kwh
    names = {
        hashlib.sha256(one.chain_id.encode()).digest(): one.chain_id for one in config.microgrids
    }
    grid = hashlib.sha256(config.operator.chain_id.encode()).digest()
    rules = ClearingRules(grid=grid, inter_fee=fee, grid_fee=fee)
    found: set[tuple[str, str]] = set()
    for index in range(config.slot_count):
        intents = households.orders(config.slot_start_s(index))
        orders = [_order(intent, place) for place, intent in enumerate(intents)]
        found |= {
            (names[one.source], names[one.destination])
            for one in clear_slot(orders, rules, bytes(32)).positions
            if one.level is Level.INTER
        }
    return found


def test_in_the_evening_each_microgrid_buys_of_each_other_one_and_each_has_its_kind() -> None:
    config = load_scenario(shipped_scenario("evening"))
    assert [one.ledger for one in config.microgrids] == ["tendermint", "ethereum", "fabric"]
    names = [one.chain_id for one in config.microgrids]
    assert _inter_directions("evening") == set(permutations(names, 2))
