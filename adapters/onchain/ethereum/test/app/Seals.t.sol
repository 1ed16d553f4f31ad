// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {InvalidMessage, NotYetPosted, QuorumMissing} from "tieline/app/Errors.sol";
import {Hashes} from "tieline/app/Hashes.sol";
import {IBookEvents} from "tieline/app/IBookEvents.sol";
import {CellSet, Clearing, Delivery, RegistryRow} from "tieline/app/Records.sol";

import {AppTest} from "./AppTest.sol";

/// @title What the cells sealed: sets, clearings, statements, and how many must sign
contract SealsTest is AppTest {
    uint256 private constant ALL = type(uint256).max;

    bytes32 private setId;

    function setUp() public override {
        super.setUp();
        setId = postFirstSet();
    }

    // --- cell sets --------------------------------------------------------------------------------

    function test_a_set_is_told_with_its_rows_and_kept_as_hashes() external {
        CellSet memory next = cellSetOf(setId, 2, SLOT);
        bytes memory signatures = signCells(hashOf(next), ALL);
        vm.expectEmit(true, true, true, true, address(app));
        emit IBookEvents.CellSetPosted(idOf(next), setId, EPOCH, 2, SLOT, rowsOf());
        assertTrue(app.postCellSet(next, rowsOf(), cells, signatures), "posted");
        (uint64 epoch, uint64 from, uint64 until, uint64 use,, bytes32 cellsHash, bytes32 previous)
        = app.cellSetOf(setId);
        assertEq(epoch, 1, "epoch");
        assertEq(from, SLOT - 9_000, "from");
        assertEq(until, SLOT, "until the next one's first slot");
        assertEq(use, 0, "sealed nothing");
        assertEq(cellsHash, hashOf(cells), "cells");
        assertEq(previous, 0, "first");
        assertEq(app.newestCellSet(), idOf(next), "newest");
        assertEq(app.ownersRequired(setId, chainTag), 9, "own cell and grid");
        assertEq(app.ownersRequired(setId, keccak256(abi.encode("ledger", 1))), 11, "and the other");
        assertEq(app.ownersRequired(setId, keccak256("stranger")), 0, "no cell of it");
    }

    function test_the_same_set_again_is_a_no_op_and_another_with_its_id_is_refused() external {
        CellSet memory same = cellSetOf(0, 1, SLOT - 9_000);
        assertTrue(!app.postCellSet(same, rowsOf(), cells, ""), "nobody need sign it again");
        same.fromSlot += 900;
        expectSet(same, cells, ALL, invalid("a different set has this id"));
    }

    function test_the_first_set_is_the_founders_and_only_one() external {
        CellSet memory other = cellSetOf(0, 2, SLOT);
        expectSet(other, cells, ALL, invalid("the first set is posted already"));
    }

    function test_a_set_follows_the_newest_with_rising_epoch_and_slot() external {
        expectSet(cellSetOf(keccak256("none"), 2, SLOT), cells, ALL, notYet("previous cell set"));
        expectSet(
            cellSetOf(setId, 2, SLOT - 9_000), cells, ALL, invalid("epoch and first slot must rise")
        );
        expectSet(cellSetOf(setId, 0, SLOT), cells, ALL, invalid("epoch and first slot must rise"));
        expectSet(cellSetOf(setId, 2, SLOT + 1), cells, ALL, invalid("first slot off the raster"));
        CellSet memory next = cellSetOf(setId, 2, SLOT);
        app.postCellSet(next, rowsOf(), cells, signCells(hashOf(next), ALL));
        expectSet(cellSetOf(setId, 3, SLOT + 900), cells, ALL, invalid("another cell set follows"));
    }

    function test_a_set_is_signed_by_more_than_two_thirds_of_the_set_before() external {
        CellSet memory next = cellSetOf(setId, 2, SLOT);
        expectSet(next, cells, 3, abi.encodeWithSelector(QuorumMissing.selector, 2, 3));
        address[] memory fewer = new address[](3);
        for (uint256 i = 0; i < 3; ++i) fewer[i] = cells[i];
        expectSet(next, fewer, 7, invalid("signers are not the set before"));
        assertTrue(
            app.postCellSet(next, rowsOf(), cells, signCells(hashOf(next), 14)), "three of four"
        );
    }

    function test_a_slot_that_is_sealed_keeps_its_set() external {
        postClearingOf(SLOT, 7);
        expectSet(cellSetOf(setId, 2, SLOT), cells, ALL, notYet("the set before sealed the slot"));
        CellSet memory next = cellSetOf(setId, 2, SLOT + 900);
        assertTrue(app.postCellSet(next, rowsOf(), cells, signCells(hashOf(next), ALL)), "later");
    }

    function test_rows_fit_their_hashes_and_one_another() external {
        CellSet memory next = cellSetOf(setId, 2, SLOT);
        RegistryRow[] memory rows = rowsOf();
        rows[1].role = 2;
        expectRows(next, rows, "rows do not match the hashes");
        next.registryHash = registryHashOf(rows);
        app.postCellSet(next, rows, cells, signCells(hashOf(next), ALL));

        next = cellSetOf(setId, 3, SLOT);
        (rows[0], rows[1]) = (rows[1], rows[0]);
        next.registryHash = registryHashOf(rows);
        expectRows(next, rows, "rows do not match the hashes");
        rows = rowsOf();
        rows[1].role = 3;
        next.registryHash = registryHashOf(rows);
        expectRows(next, rows, "unknown role of a cell");
        rows = rowsOf();
        rows[3].role = 1;
        next.registryHash = registryHashOf(rows);
        expectRows(next, rows, "the grid cell sits in every set");
        rows = rowsOf();
        rows[2].chainTag = rows[1].chainTag;
        next.registryHash = registryHashOf(rows);
        expectRows(next, rows, "a ledger has exactly one cell");
        rows = rowsOf();
        (rows[0].chainTag, rows[1].chainTag) = (rows[1].chainTag, rows[0].chainTag);
        next.registryHash = registryHashOf(rows);
        expectRows(next, rows, "this ledger's cell is not in it");
        expectRows(next, new RegistryRow[](0), "1 to 64 cells");
    }

    // --- clearings ----------------------------------------------------------------------------------

    function test_a_clearing_needs_more_than_two_thirds_of_its_slots_set() external {
        Clearing memory clearing = clearingOf(SLOT);
        expectClearing(clearing, 3, abi.encodeWithSelector(QuorumMissing.selector, 2, 3));
        bytes memory signatures = signCells(hashOf(clearing), 13);
        vm.expectEmit(true, true, true, true, address(app));
        emit IBookEvents.ClearingPosted(
            clearing.tradesRoot, SLOT, setId, 1, 900, 2, clearing.ordersRoot, 13
        );
        assertTrue(app.postClearing(clearing, cells, signatures), "three of four");
        assertTrue(!app.postClearing(clearing, cells, ""), "the same again");
        bytes32 packed = bytes32(Hashes.clearingTerms(setId, 1, SLOT, 900, 2))
            | (keccak256(abi.encode(clearing.ordersRoot)) >> 192);
        assertEq(app.clearingOf(clearing.tradesRoot), packed, "packed");
        clearing.ordersRoot = keccak256("other orders");
        expectClearing(clearing, ALL, invalid("a different one has this root"));
        clearing.ordersRoot = clearingOf(SLOT).ordersRoot;
        clearing.level = 4;
        expectClearing(clearing, ALL, invalid("a different one has this root"));
    }

    function test_a_clearing_is_of_a_slot_a_level_and_the_slots_set() external {
        Clearing memory clearing = clearingOf(SLOT + 1);
        expectClearing(clearing, ALL, invalid("not a slot of the market"));
        clearing = clearingOf(SLOT);
        clearing.level = 3;
        expectClearing(clearing, ALL, invalid("unknown level"));
        clearing = clearingOf(SLOT);
        clearing.cellSetId = keccak256("none");
        expectClearing(clearing, ALL, notYet("cell set"));
        clearing = clearingOf(SLOT);
        clearing.epoch = 2;
        expectClearing(clearing, ALL, invalid("epoch is not the cell set's"));
        expectClearing(clearingOf(SLOT - 9_900), ALL, invalid("another cell set answers"));
        CellSet memory next = cellSetOf(setId, 2, SLOT + 900);
        app.postCellSet(next, rowsOf(), cells, signCells(hashOf(next), ALL));
        expectClearing(clearingOf(SLOT + 900), ALL, invalid("another cell set answers"));
        clearing = clearingOf(SLOT + 900);
        (clearing.cellSetId, clearing.epoch) = (idOf(next), 2);
        assertTrue(app.postClearing(clearing, cells, signCells(hashOf(clearing), ALL)), "the next's");
        clearing = clearingOf(SLOT);
        assertTrue(app.postClearing(clearing, cells, signCells(hashOf(clearing), ALL)), "the old's");
    }

    function test_one_bad_signature_spoils_all() external {
        Clearing memory clearing = clearingOf(SLOT);
        bytes32 hash = hashOf(clearing);
        bytes memory one = sign(cellKeys[0], hash);
        bytes memory two = sign(cellKeys[1], hash);
        bytes memory three = sign(cellKeys[2], hash);
        bytes memory stranger = sign(BUYER, hash);
        expectSignatures(clearing, bytes.concat(one, two, two), "stranger or not ascending");
        expectSignatures(clearing, bytes.concat(two, one, three), "stranger or not ascending");
        expectSignatures(clearing, bytes.concat(one, two, three, stranger), "stranger or not ascending");
        expectSignatures(clearing, bytes.concat(one, two, three, hex"00"), "signatures of 65 bytes each");
        bytes memory five = bytes.concat(one, two, three, sign(cellKeys[3], hash), one);
        expectSignatures(clearing, five, "more signatures than cells");
        three[64] = bytes1(uint8(three[64]) - 27);
        expectSignatures(clearing, bytes.concat(one, two, three), "invalid signature");
        address[] memory swapped = cells;
        (swapped[0], swapped[1]) = (swapped[1], swapped[0]);
        vm.expectRevert(invalid("cells are not the set's"));
        app.postClearing(clearing, swapped, bytes.concat(one, two));
    }

    /// A signature of other cells' bytes, another network or another record signs nothing here.
    function testFuzz_nobody_but_the_cells_signs(uint256 key, uint8 place) external {
        key = bound(key, 1, 2 ** 128);
        Clearing memory clearing = clearingOf(SLOT);
        bytes memory signatures;
        for (uint256 i = 0; i < 3; ++i) {
            signatures = bytes.concat(
                signatures, sign(i == place % 3 ? key : cellKeys[i], hashOf(clearing))
            );
        }
        vm.expectPartialRevert(InvalidMessage.selector);
        app.postClearing(clearing, cells, signatures);
    }

    // --- statements -----------------------------------------------------------------------------------

    function test_a_statement_needs_a_byzantine_majority_and_more_signers_add_bits() external {
        Delivery memory delivery = deliveryOf(SLOT, "root");
        expectDelivery(delivery, 3, abi.encodeWithSelector(QuorumMissing.selector, 2, 3));
        bytes32 root = delivery.deliveriesRoot;
        bytes memory signatures = signCells(hashOf(delivery), 7);
        vm.expectEmit(true, true, true, true, address(app));
        emit IBookEvents.DeliveryPosted(SLOT, 0, root, setId, 7);
        assertTrue(app.postDelivery(delivery, cells, signatures), "posted");
        assertTrue(!app.postDelivery(delivery, cells, signatures), "the same again");
        signatures = signCells(hashOf(delivery), 14);
        vm.expectEmit(true, true, true, true, address(app));
        emit IBookEvents.DeliverySigned(SLOT, 0, root, 15);
        assertTrue(app.postDelivery(delivery, cells, signatures), "more signers");
        bytes32 packed = bytes32(bytes23(root)) | bytes32((uint256(7) << 64) | 15);
        assertEq(app.deliveryOf(SLOT, 0), packed, "packed");
    }

    function test_a_second_statement_is_kept_beside_the_first_as_evidence() external {
        Delivery memory first = deliveryOf(SLOT, "first");
        Delivery memory second = deliveryOf(SLOT, "second");
        app.postDelivery(first, cells, signCells(hashOf(first), 7));
        bytes memory signatures = signCells(hashOf(second), 14);
        vm.expectEmit(true, true, true, true, address(app));
        emit IBookEvents.DeliveryPosted(SLOT, 1, second.deliveriesRoot, setId, 14);
        vm.expectEmit(true, true, true, true, address(app));
        emit IBookEvents.ConflictingDelivery(SLOT, 1, 14);
        assertTrue(app.postDelivery(second, cells, signatures), "kept");
        assertTrue(!app.postDelivery(first, cells, signCells(hashOf(first), 7)), "first again");
        assertTrue(app.deliveryOf(SLOT, 1) != 0, "second");
        assertEq(app.deliveryOf(SLOT, 2), 0, "no gap, no third");
    }

    function test_two_sets_may_each_say_something_of_a_tick_and_their_trades_tell_them_apart()
        external
    {
        CellSet memory next = cellSetOf(setId, 2, SLOT);
        app.postCellSet(next, rowsOf(), cells, signCells(hashOf(next), ALL));
        Delivery memory old = deliveryOf(SLOT, "old");
        app.postDelivery(old, cells, signCells(hashOf(old), ALL));
        Delivery memory fresh = deliveryOf(SLOT, "fresh");
        (fresh.cellSetId, fresh.epoch) = (idOf(next), 2);
        vm.recordLogs();
        app.postDelivery(fresh, cells, signCells(hashOf(fresh), ALL));
        assertEq(vm.getRecordedLogs().length, 1, "no evidence in it");
        uint8 follows = 0x80;
        assertEq(
            marksOf(SLOT, 0), 6 | follows, "the old set: trades that began before SLOT; more follow"
        );
        assertEq(marksOf(SLOT, 1), 1, "the new set: those of this tick");
        old.slotStart = SLOT + 1_800;
        app.postDelivery(old, cells, signCells(hashOf(old), ALL));
        assertEq(marksOf(SLOT + 1_800, 0), 4, "trades of an hour that began before SLOT");
        expectDelivery(deliveryOf(SLOT + 2_700, "x"), ALL, invalid("cell set has no part in the tick"));
    }

    function test_a_statement_is_for_one_tick_of_a_set_that_is_here() external {
        Delivery memory delivery = deliveryOf(SLOT, "root");
        delivery.slotLength = 1_800;
        expectDelivery(delivery, ALL, invalid("a statement is for one tick"));
        expectDelivery(deliveryOf(SLOT + 1, "root"), ALL, invalid("a statement is for one tick"));
        delivery = deliveryOf(SLOT, "root");
        delivery.cellSetId = keccak256("none");
        expectDelivery(delivery, ALL, notYet("cell set"));
        delivery = deliveryOf(SLOT, "root");
        delivery.epoch = 9;
        expectDelivery(delivery, ALL, invalid("epoch is not the cell set's"));
        expectDelivery(
            deliveryOf(SLOT - 9_900, "root"), ALL, invalid("cell set has no part in the tick")
        );
    }

    // --- what is posted here ---------------------------------------------------------------------------

    function clearingOf(uint64 slotStart) private view returns (Clearing memory) {
        return Clearing(
            setId,
            1,
            slotStart,
            900,
            2,
            keccak256(abi.encode("orders", slotStart)),
            keccak256(abi.encode("trades", slotStart))
        );
    }

    function postClearingOf(uint64 slotStart, uint256 signers) private {
        Clearing memory clearing = clearingOf(slotStart);
        app.postClearing(clearing, cells, signCells(hashOf(clearing), signers));
    }

    function deliveryOf(uint64 tick, string memory root) private view returns (Delivery memory) {
        return Delivery(
            setId, 1, tick, 900, "verdict", "readings", "boundary", "estimate", keccak256(bytes(root))
        );
    }

    function hashOf(Delivery memory delivery) private pure returns (bytes32) {
        return keccak256(abi.encode(Hashes.DELIVERY_TYPE, delivery));
    }

    function marksOf(uint64 tick, uint64 index) private view returns (uint256) {
        return (uint256(app.deliveryOf(tick, index)) >> 64) & 0xff;
    }

    function expectSet(
        CellSet memory cellSet,
        address[] memory signers,
        uint256 bitmap,
        bytes memory refusal
    ) private {
        bytes memory signatures = signCells(hashOf(cellSet), bitmap);
        vm.expectRevert(refusal);
        app.postCellSet(cellSet, rowsOf(), signers, signatures);
    }

    function expectRows(CellSet memory cellSet, RegistryRow[] memory rows, bytes32 rule) private {
        bytes memory signatures = signCells(hashOf(cellSet), ALL);
        vm.expectRevert(invalid(rule));
        app.postCellSet(cellSet, rows, cells, signatures);
    }

    function expectClearing(Clearing memory clearing, uint256 bitmap, bytes memory refusal) private {
        bytes memory signatures = signCells(hashOf(clearing), bitmap);
        vm.expectRevert(refusal);
        app.postClearing(clearing, cells, signatures);
    }

    function expectSignatures(Clearing memory clearing, bytes memory signatures, bytes32 rule)
        private
    {
        vm.expectRevert(invalid(rule));
        app.postClearing(clearing, cells, signatures);
    }

    function expectDelivery(Delivery memory delivery, uint256 bitmap, bytes memory refusal) private {
        bytes memory signatures = signCells(hashOf(delivery), bitmap);
        vm.expectRevert(refusal);
        app.postDelivery(delivery, cells, signatures);
    }

    function invalid(bytes32 rule) private pure returns (bytes memory) {
        return abi.encodeWithSelector(InvalidMessage.selector, rule);
    }

    function notYet(bytes32 rule) private pure returns (bytes memory) {
        return abi.encodeWithSelector(NotYetPosted.selector, rule);
    }
}
