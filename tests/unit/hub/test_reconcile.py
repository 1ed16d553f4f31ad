"""Memory is not trusted: what stores say is right, and events are read again where needed."""

from fakes.relay_world import CLIENT, T_A, T_B, TAU, E, RelayWorld, S

from tieline.relay.packet_journey import JourneyStatus


def start_at(world: RelayWorld, **heights: int) -> None:
    """Start a relayer whose journal claims that nothing happened below these heights."""
    world.journal.save_resume_heights({"tieline-a-1": heights["a"], "tieline-b-1": heights["b"]})
    world.start()


def received(world: RelayWorld):
    position = world.pooled()
    world.rounds(4, at=S - 600)
    packet = world.send(position)
    world.rounds(5)
    return position, packet


def test_locks_and_orders_are_found_in_the_stores_when_no_event_tells_of_them() -> None:
    world = RelayWorld()
    position, packet = received(world)
    present = world.b.inner.app.height
    start_at(world, a=0, b=present)
    view = world.runner.view.ledgers["tieline-b-1"]
    assert list(view.locks) == [position.lock_out]
    assert len(view.order_slots) == 2
    assert view.clearing_roots
    world.judge([world.trades.leaf(position, packet, cap_wh=7500)])
    world.rounds(8, at=TAU)
    world.deliver([(position.trade.trade_id, 7200)])
    world.reveal(position)
    world.rounds(8, at=E + 300)
    world.rounds(6, at=T_B)
    start_at(world, a=world.a.inner.app.height, b=world.b.inner.app.height)
    world.rounds(8, at=T_A)
    world.assert_settled(position, paid_wh=7200)


def test_a_commitment_without_its_packet_makes_all_ledgers_be_read_from_the_start() -> None:
    world = RelayWorld()
    received(world)
    start_at(world, a=world.a.inner.app.height, b=world.b.inner.app.height)
    (journey,) = world.runner.view.journeys.values()
    assert (journey.status, journey.sent_height > 0) == (JourneyStatus.RECEIVED, True)


def test_a_packet_whose_commitment_is_gone_is_over() -> None:
    world = RelayWorld()
    position, packet = received(world)
    world.judge([world.trades.leaf(position, packet)])
    world.rounds(8, at=TAU)
    # Only the destination's events are left to read: they never tell of the end at the source.
    start_at(world, a=world.a.inner.app.height, b=0)
    (journey,) = world.runner.view.journeys.values()
    assert journey.is_done


def test_heights_that_clients_hold_are_taken_from_their_stores() -> None:
    world = RelayWorld()
    received(world)
    before = world.runner.view.ledgers["tieline-b-1"].client_heights[CLIENT]
    start_at(world, a=0, b=world.b.inner.app.height)
    assert world.runner.view.ledgers["tieline-b-1"].client_heights[CLIENT] == sorted({10, *before})


def test_shares_that_were_half_collected_are_collected_to_the_end() -> None:
    world = RelayWorld()
    position, packet = received(world)
    refusal = {"decision": 2, "cap_wh": 0, "reason": 1, "group": 0, "group_size": 0}
    world.judge([world.trades.leaf(position, packet, **refusal)])
    # One share is collected by somebody else before the relayer comes to it.
    allocations = world.board.shares.pop(position.trade.trade_id)
    world.rounds(8, at=TAU)
    from tieline.swap.records import Side

    first = world.trades.shares(position.lock_out, Side.SELL, position.sells)[0]
    world.b.inner.must("relayer", first)
    start_at(world, a=world.a.inner.app.height, b=world.b.inner.app.height)
    world.board.shares[position.trade.trade_id] = allocations
    world.board.note()
    world.rounds(6)
    world.assert_settled(position, paid_wh=0)
