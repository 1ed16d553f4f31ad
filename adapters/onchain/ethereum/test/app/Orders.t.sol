// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {
    InsufficientFunds,
    InvalidMessage,
    NotPermitted,
    NotYetPosted,
    OrderRefused,
    Paused,
    TooEarly,
    TooLate
} from "tieline/app/Errors.sol";
import {Hashes} from "tieline/app/Hashes.sol";
import {IBookEvents} from "tieline/app/IBookEvents.sol";
import {BUY, CANCELLED, ORDERED, Order, OrderRef, RELEASED, SELL} from "tieline/app/Records.sol";

import {AppTest} from "./AppTest.sol";

/// @title Orders: placed with escrow, cancelled, released, each refusal by name
contract OrdersTest is AppTest {
    address private immutable _BUYER_ACCOUNT = vm.addr(BUYER);
    address private immutable _SELLER_ACCOUNT = vm.addr(SELLER);

    function test_a_buy_escrows_its_worst_cost_and_a_sale_its_bond() external {
        assertTrue(place(BUYER, orderOf(BUYER, BUY, 1)), "placed");
        assertTrue(place(SELLER, orderOf(SELLER, SELL, 1)), "placed");
        assertEq(app.balanceOf(_BUYER_ACCOUNT), FUNDS - 5_000 * 300_000, "escrow");
        assertEq(app.balanceOf(_SELLER_ACCOUNT), FUNDS - 5_000 * BOND, "bond");
        (uint8 status, uint64 energyLeft, uint64 moneyLeft, uint64 limit) =
            app.orderOf(refOf(orderOf(BUYER, BUY, 1)));
        assertEq(status, ORDERED, "status");
        assertEq(energyLeft, 5_000, "energy");
        assertEq(moneyLeft, 5_000 * 300_000, "money");
        assertEq(limit, 300_000, "limit of a buy");
        (,, moneyLeft, limit) = app.orderOf(refOf(orderOf(SELLER, SELL, 1)));
        assertEq(moneyLeft, 5_000 * BOND, "bond");
        assertEq(limit, 100_000, "limit of a sale");
    }

    function test_an_order_is_told_with_all_that_its_record_holds() external {
        Order memory order = orderOf(BUYER, BUY, 1);
        (Order[] memory orders, bytes memory signatures) = signed(BUYER, order);
        vm.expectEmit(true, true, true, true, address(app));
        emit IBookEvents.OrderPlaced(
            idOf(order), order.account, SLOT, 900, BUY, 7, 1, 5_000, 300_000, 1_500_000_000, 0
        );
        app.placeOrders(orders, signatures);
    }

    function test_an_order_that_is_here_is_skipped_also_when_it_is_over() external {
        Order memory order = orderOf(BUYER, BUY, 1);
        place(BUYER, order);
        assertTrue(!place(BUYER, order), "again");
        app.cancel(refOf(order), sign(BUYER, Hashes.cancelHash(idOf(order))));
        assertTrue(!place(BUYER, order), "after cancel");
        assertEq(app.balanceOf(_BUYER_ACCOUNT), FUNDS, "no second escrow");
        assertEq(app.ordersPlaced(_BUYER_ACCOUNT, SLOT), 1, "counted once");
    }

    function test_orders_that_do_not_hold_are_refused_by_name() external {
        Order memory order = orderOf(BUYER, BUY, 1);
        order.chainTag = keccak256("elsewhere");
        expectPlace(BUYER, order, refused("order of another ledger"));
        order = orderOf(BUYER, BUY, 1);
        order.slotStart = SLOT + 1;
        expectPlace(BUYER, order, invalid("not a slot of the market"));
        order = orderOf(BUYER, BUY, 1);
        order.slotLength = 2_700;
        expectPlace(BUYER, order, invalid("not a slot of the market"));
        order = orderOf(BUYER, 0, 1);
        expectPlace(BUYER, order, refused("unknown side or delivery"));
        order = orderOf(BUYER, 3, 1);
        expectPlace(BUYER, order, refused("unknown side or delivery"));
        order = orderOf(BUYER, BUY, 1);
        order.delivery = 3;
        expectPlace(BUYER, order, refused("unknown side or delivery"));
        order = orderOf(BUYER, BUY, 1);
        order.levels = 0;
        expectPlace(BUYER, order, refused("unknown levels"));
        order.levels = 8;
        expectPlace(BUYER, order, refused("unknown levels"));
        order = orderOf(BUYER, BUY, 1);
        order.priceMin = order.priceMax + 1;
        expectPlace(BUYER, order, refused("empty price range"));
        order = orderOf(BUYER, BUY, 1);
        order.energyWh = 99;
        expectPlace(BUYER, order, refused("energy below the minimum"));
        order.energyWh = 100;
        assertTrue(place(BUYER, order), "100 Wh are enough");
    }

    function test_an_order_is_its_accounts_alone() external {
        bytes memory refusal = abi.encodeWithSelector(
            NotPermitted.selector, bytes32("order by its account")
        );
        expectPlace(SELLER, orderOf(BUYER, BUY, 1), refusal);
        (Order[] memory orders, bytes memory signatures) = signed(BUYER, orderOf(BUYER, BUY, 1));
        vm.expectPartialRevert(NotPermitted.selector);
        app.placeOrders(orders, bytes.concat(signatures, hex"00"));
        orders[0].nonce = 2;
        vm.expectRevert(refusal);
        app.placeOrders(orders, signatures);
        // v 0 and 1 are not ours; the zero account signs nothing
        signatures[64] = bytes1(uint8(signatures[64]) - 27);
        vm.expectRevert(refusal);
        app.placeOrders(orders, signatures);
        orders[0].account = address(0);
        vm.expectRevert(refusal);
        app.placeOrders(orders, signatures);
    }

    function test_a_signature_with_high_s_is_refused() external {
        (Order[] memory orders, bytes memory signatures) = signed(BUYER, orderOf(BUYER, BUY, 1));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(
            BUYER, keccak256(abi.encodePacked(hex"1901", domain, idOf(orders[0])))
        );
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes memory twin = abi.encodePacked(r, order - uint256(s), uint8(v == 27 ? 28 : 27));
        vm.expectPartialRevert(NotPermitted.selector);
        app.placeOrders(orders, twin);
        assertTrue(app.placeOrders(orders, signatures), "the low one is good");
    }

    function test_prices_stay_inside_the_slots_band() external {
        Order memory order = orderOf(BUYER, BUY, 1);
        order.priceMax = PRICE_MAX + 1;
        expectPlace(BUYER, order, refused("price outside the band"));
        order = orderOf(SELLER, SELL, 1);
        order.priceMin = PRICE_MIN - 1;
        expectPlace(SELLER, order, refused("price outside the band"));
        order.priceMin = PRICE_MIN;
        assertTrue(place(SELLER, order), "the band's edge is inside");
        order = orderOf(BUYER, BUY, 1);
        order.slotStart = SLOT + 900;
        bytes memory refusal = abi.encodeWithSelector(
            NotYetPosted.selector, bytes32("no price band for this slot")
        );
        expectPlace(BUYER, order, refusal);
    }

    function test_money_of_an_order_fits_64_bits() external {
        fund(_BUYER_ACCOUNT, 1e20);
        Order memory order = orderOf(BUYER, BUY, 1);
        order.priceMax = PRICE_MAX;
        order.energyWh = type(uint64).max / PRICE_MAX + 1;
        expectPlace(BUYER, order, refused("money above 64 bits"));
        order.energyWh -= 1;
        assertTrue(place(BUYER, order), "64 bits");
    }

    function test_an_account_pays_what_it_holds() external {
        Order memory order = orderOf(BUYER, BUY, 1);
        vm.prank(_BUYER_ACCOUNT);
        app.send(address(1), FUNDS - 1_499_999_999);
        bytes memory refusal =
            abi.encodeWithSelector(InsufficientFunds.selector, 1_499_999_999, 1_500_000_000);
        expectPlace(BUYER, order, refusal);
        fund(_BUYER_ACCOUNT, 1);
        assertTrue(place(BUYER, order), "to the last nano-EUR");
        assertEq(app.balanceOf(_BUYER_ACCOUNT), 0, "all of it");
    }

    function test_orders_end_at_gate_closure_to_the_second() external {
        vm.warp(GATE - 1);
        assertTrue(place(BUYER, orderOf(BUYER, BUY, 1)), "the second before");
        for (uint64 now_ = GATE; now_ <= GATE + 1; ++now_) {
            vm.warp(now_);
            expectPlace(BUYER, orderOf(BUYER, BUY, 2), late("order from gate closure on"));
        }
    }

    function test_cancel_ends_at_gate_closure_to_the_second() external {
        Order memory order = orderOf(BUYER, BUY, 1);
        place(BUYER, order);
        place(BUYER, orderOf(BUYER, BUY, 2));
        bytes memory signature = sign(BUYER, Hashes.cancelHash(idOf(order)));
        vm.warp(GATE - 1);
        vm.expectEmit(true, true, true, true, address(app));
        emit IBookEvents.OrderCancelled(idOf(order), _BUYER_ACCOUNT, 1_500_000_000);
        assertTrue(app.cancel(refOf(order), signature), "the second before");
        assertTrue(!app.cancel(refOf(order), signature), "again");
        assertEq(app.balanceOf(_BUYER_ACCOUNT), FUNDS - 1_500_000_000, "escrow is back");
        order = orderOf(BUYER, BUY, 2);
        signature = sign(BUYER, Hashes.cancelHash(idOf(order)));
        for (uint64 now_ = GATE; now_ <= GATE + 1; ++now_) {
            vm.warp(now_);
            vm.expectRevert(late("cancel from gate closure on"));
            app.cancel(refOf(order), signature);
        }
    }

    function test_cancel_is_the_accounts_and_of_an_order_that_is_here() external {
        Order memory order = orderOf(BUYER, BUY, 1);
        bytes memory signature = sign(BUYER, Hashes.cancelHash(idOf(order)));
        vm.expectRevert(refused("no such order"));
        app.cancel(refOf(order), signature);
        place(BUYER, order);
        bytes memory foreign = sign(SELLER, Hashes.cancelHash(idOf(order)));
        vm.expectPartialRevert(NotPermitted.selector);
        app.cancel(refOf(order), foreign);
        vm.expectPartialRevert(NotPermitted.selector);
        app.cancel(refOf(order), bytes.concat(signature, hex"00"));
        OrderRef memory ref = refOf(order);
        ref.account = _SELLER_ACCOUNT;
        vm.expectRevert(refused("no such order"));
        app.cancel(ref, foreign);
    }

    function test_release_begins_at_tau_to_the_second() external {
        OrderRef[] memory refs = new OrderRef[](1);
        place(SELLER, orderOf(SELLER, SELL, 1));
        place(BUYER, orderOf(BUYER, BUY, 1));
        refs[0] = refOf(orderOf(SELLER, SELL, 1));
        vm.warp(TAU - 1);
        vm.expectRevert(
            abi.encodeWithSelector(TooEarly.selector, bytes32("release before the batch closed"), TAU)
        );
        app.releaseOrders(refs);
        vm.warp(TAU);
        vm.expectEmit(true, true, true, true, address(app));
        emit IBookEvents.OrderReleased(refs[0].orderId, _SELLER_ACCOUNT, 5_000 * BOND);
        assertTrue(app.releaseOrders(refs), "at tau");
        assertTrue(!app.releaseOrders(refs), "again");
        assertEq(app.balanceOf(_SELLER_ACCOUNT), FUNDS, "bond is back");
        (uint8 status, uint64 energyLeft, uint64 moneyLeft,) = app.orderOf(refs[0]);
        assertEq(status, RELEASED, "status");
        assertEq(energyLeft + moneyLeft, 0, "nothing left");
        vm.warp(TAU + 1);
        refs[0] = refOf(orderOf(BUYER, BUY, 1));
        assertTrue(app.releaseOrders(refs), "after it");
        assertEq(app.balanceOf(_BUYER_ACCOUNT), FUNDS, "escrow is back");
        refs[0].orderId = keccak256("none");
        vm.expectRevert(refused("no such order"));
        app.releaseOrders(refs);
    }

    function test_a_batch_of_orders_is_placed_whole_or_not_at_all() external {
        Order[] memory orders = new Order[](2);
        (orders[0], orders[1]) = (orderOf(BUYER, BUY, 1), orderOf(SELLER, SELL, 1));
        bytes memory one = sign(BUYER, idOf(orders[0]));
        bytes memory other = sign(SELLER, idOf(orders[1]));
        vm.expectPartialRevert(NotPermitted.selector);
        app.placeOrders(orders, bytes.concat(other, one));
        assertEq(app.balanceOf(_BUYER_ACCOUNT), FUNDS, "nothing was taken");
        assertTrue(app.placeOrders(orders, bytes.concat(one, other)), "both");
        vm.expectRevert(invalid("no orders"));
        app.placeOrders(new Order[](0), "");
    }

    // --- how many ---------------------------------------------------------------------------------

    function test_an_account_places_so_many_orders_in_a_slot_and_no_more() external {
        for (uint64 nonce = 1; nonce <= 4; ++nonce) place(BUYER, orderOf(BUYER, BUY, nonce));
        expectPlace(BUYER, orderOf(BUYER, BUY, 5), refused("too many orders in a slot"));
        assertTrue(place(SELLER, orderOf(SELLER, SELL, 1)), "another account may");
        Order memory order = orderOf(BUYER, BUY, 5);
        order.slotStart = SLOT + 900;
        openBook(SLOT + 900);
        assertTrue(place(BUYER, order), "another slot may");
    }

    /// Orders of up to ten slots, in any order, at rising times: the count never forgets.
    function testFuzz_the_count_is_exact_over_many_slots(uint256 seed) external {
        uint256[10] memory placed;
        uint64 slots = 10;
        for (uint64 i = 0; i < slots; ++i) openBook(SLOT + 900 * i);
        for (uint64 nonce = 1; nonce <= 40; ++nonce) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint64 index = uint64(seed % slots);
            if (seed >> 252 == 0) vm.warp(block.timestamp + (seed >> 64) % 900);
            Order memory order = orderOf(BUYER, BUY, nonce);
            order.slotStart = SLOT + 900 * index;
            order.energyWh = 100;
            if (block.timestamp >= order.slotStart - 900) {
                expectPlace(
                    BUYER,
                    order,
                    abi.encodeWithSelector(
                        TooLate.selector,
                        bytes32("order from gate closure on"),
                        order.slotStart - 900
                    )
                );
            } else if (placed[index] == 4) {
                expectPlace(BUYER, order, refused("too many orders in a slot"));
            } else {
                place(BUYER, order);
                ++placed[index];
                assertEq(
                    app.ordersPlaced(_BUYER_ACCOUNT, order.slotStart), placed[index], "count"
                );
            }
        }
    }

    /// Whatever is placed, cancelled or released: escrow and account together stay the same.
    function testFuzz_escrow_and_account_sum_up(uint64 energy, uint64 price, bool isCancelled)
        external
    {
        Order memory order = orderOf(BUYER, BUY, 1);
        order.energyWh = uint64(bound(energy, 100, 1e6));
        order.priceMax = uint64(bound(price, order.priceMin, PRICE_MAX));
        place(BUYER, order);
        (,, uint64 moneyLeft,) = app.orderOf(refOf(order));
        assertEq(app.balanceOf(_BUYER_ACCOUNT) + moneyLeft, FUNDS, "placed");
        assertEq(moneyLeft, uint256(order.energyWh) * order.priceMax, "worst cost");
        if (isCancelled) {
            app.cancel(refOf(order), sign(BUYER, Hashes.cancelHash(idOf(order))));
        } else {
            vm.warp(TAU);
            OrderRef[] memory refs = new OrderRef[](1);
            refs[0] = refOf(order);
            app.releaseOrders(refs);
        }
        assertEq(app.balanceOf(_BUYER_ACCOUNT), FUNDS, "all back");
        (uint8 status,,,) = app.orderOf(refOf(order));
        assertEq(status, isCancelled ? CANCELLED : RELEASED, "status");
    }

    // --- bands and pause ----------------------------------------------------------------------------

    function test_bands_are_the_cells_and_fixed_once() external {
        vm.expectPartialRevert(NotPermitted.selector);
        app.setBands(SLOT + 900, 900, 1, 2, 3);
        vm.startPrank(cells[0]);
        vm.expectRevert(invalid("empty price band"));
        app.setBands(SLOT + 900, 900, 2, 1, 3);
        vm.expectRevert(invalid("bond price out of range"));
        app.setBands(SLOT + 900, 900, 1, 2, uint64(1) << 48);
        vm.expectRevert(invalid("not a slot of the market"));
        app.setBands(SLOT + 900, 901, 1, 2, 3);
        vm.expectEmit(true, true, true, true, address(app));
        emit IBookEvents.BandsSet(SLOT + 900, 1_800, 1, 2, 3);
        assertTrue(app.setBands(SLOT + 900, 1_800, 1, 2, 3), "set");
        assertTrue(!app.setBands(SLOT + 900, 1_800, 1, 2, 3), "the same again");
        vm.expectRevert(invalid("other bands are fixed"));
        app.setBands(SLOT + 900, 1_800, 1, 2, 4);
        vm.warp(SLOT);
        vm.expectRevert(
            abi.encodeWithSelector(TooLate.selector, bytes32("bands from gate closure on"), SLOT)
        );
        app.setBands(SLOT + 900, 900, 1, 2, 3);
        vm.stopPrank();
    }

    function test_a_pause_stops_orders_until_its_end_and_never_what_gives_money_back() external {
        Order memory order = orderOf(BUYER, BUY, 1);
        place(BUYER, order);
        place(SELLER, orderOf(SELLER, SELL, 1));
        uint64 until = uint64(block.timestamp) + 50;
        vm.expectPartialRevert(NotPermitted.selector);
        app.setPauses(until, until, until, until);
        vm.prank(cells[0]);
        app.setPauses(until, until, until, until);
        expectPlace(BUYER, orderOf(BUYER, BUY, 2), abi.encodeWithSelector(Paused.selector, until));
        assertTrue(
            app.cancel(refOf(order), sign(BUYER, Hashes.cancelHash(idOf(order)))), "cancel goes on"
        );
        vm.prank(_BUYER_ACCOUNT);
        app.withdrawPay(1);
        vm.warp(until);
        assertTrue(place(BUYER, orderOf(BUYER, BUY, 2)), "over");
        OrderRef[] memory refs = new OrderRef[](1);
        refs[0] = refOf(orderOf(SELLER, SELL, 1));
        vm.warp(TAU);
        vm.prank(cells[0]);
        app.setPauses(TAU + 100, 0, 0, 0);
        assertTrue(app.releaseOrders(refs), "release goes on");
    }

    function test_a_pause_has_a_bound() external {
        uint64 now_ = uint64(block.timestamp);
        vm.startPrank(cells[0]);
        vm.expectRevert(invalid("receives pause for one slot"));
        app.setPauses(0, 0, 0, now_ + 901);
        vm.expectRevert(invalid("a pause lasts at most a day"));
        app.setPauses(now_ + 1 days + 1, 0, 0, 0);
        app.setPauses(now_ + 1 days, now_ + 1 days, now_ + 1 days, now_ + 900);
        vm.stopPrank();
        (uint64 orders,,, uint64 receives) = app.pauses();
        assertEq(orders, now_ + 1 days, "a day");
        assertEq(receives, now_ + 900, "one slot");
    }

    function refused(bytes32 rule) private pure returns (bytes memory) {
        return abi.encodeWithSelector(OrderRefused.selector, rule);
    }

    function invalid(bytes32 rule) private pure returns (bytes memory) {
        return abi.encodeWithSelector(InvalidMessage.selector, rule);
    }

    function late(bytes32 rule) private pure returns (bytes memory) {
        return abi.encodeWithSelector(TooLate.selector, rule, GATE);
    }
}
