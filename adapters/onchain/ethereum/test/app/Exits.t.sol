// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {
    LockNotFound,
    LockRefused,
    NotPermitted,
    NotYetPosted,
    ProofRefused,
    TooEarly,
    TooLate
} from "tieline/app/Errors.sol";
import {Hashes} from "tieline/app/Hashes.sol";
import {RegistryRow} from "tieline/app/Records.sol";
import {DecidedLeaf, DeliveryProof, LockTerms, OwnLeaf} from "tieline/app/TradeRecords.sol";
import {Packet} from "tieline/host/Types.sol";

import {TradeWorld} from "../support/TradeWorld.sol";

/// @title How money leaves a lock: when, to whom, and what nobody gets by trying
contract ExitsTest is TradeWorld {
    bytes private _preimage = abi.encode(PREIMAGE);
    RegistryRow[] private _noRows;

    /// @dev A direct trade of 300 Wh, accepted in full on b, with 240 delivered.
    function delivered() private returns (Position memory p) {
        p = direct(300);
        locked(p, 300);
        vm.warp(E + 100);
        deliver(b, p.trade.tradeId, 240);
        deliver(a, p.trade.tradeId, 240);
    }

    // --- claims ---------------------------------------------------------------------------------

    function test_a_wrong_a_short_and_an_oversized_preimage_open_nothing() public {
        Position memory p = delivered();
        LockTerms memory terms = termsOut(p);
        bytes[5] memory wrong = [
            abi.encode(bytes32(uint256(PREIMAGE) ^ 1)),
            bytes(hex""),
            hex"5e5e",
            bytes.concat(_preimage, hex"00"),
            bytes.concat(_preimage, _preimage)
        ];
        for (uint256 i = 0; i < 5; ++i) {
            vm.expectRevert(abi.encodeWithSelector(LockRefused.selector, bytes32("preimage does not open")));
            b.app.claim(terms, wrong[i], proofOf(0, 240));
        }
        b.app.claim(terms, _preimage, proofOf(0, 240));
    }

    /// @dev Both ledgers must take the same preimages, or one leg is paid and the other is not.
    function test_a_secret_that_is_not_32_bytes_opens_nothing_even_if_it_hashes_to_h() public {
        bytes memory secret = bytes.concat(_preimage, hex"00");
        bytes32 h = sha256(secret);
        Position memory p = positionUnder(parts(buy(ANN, 300)), parts(sell(BOB, 300, h)), h, 2);
        seal(p);
        clear(p);
        locked(p, 300);
        vm.warp(E + 100);
        deliver(b, p.trade.tradeId, 240);
        vm.expectRevert(abi.encodeWithSelector(LockRefused.selector, bytes32("preimage does not open")));
        b.app.claim(termsOut(p), secret, proofOf(0, 240));
    }

    function test_a_claim_stands_until_one_second_before_the_expiry() public {
        Position memory p = delivered();
        uint64[2] memory expiries = [T_B, T_A];
        for (uint256 leg = 0; leg < 2; ++leg) {
            LockTerms memory terms = leg == 0 ? termsOut(p) : termsIn(p);
            Ledger storage ledger = leg == 0 ? b : a;
            for (uint64 later = 0; later < 2; ++later) {
                vm.warp(expiries[leg] + later);
                vm.expectPartialRevert(TooLate.selector);
                ledger.app.claim(terms, _preimage, proofOf(0, 240));
            }
            vm.warp(expiries[leg] - 1);
            assertTrue(ledger.app.claim(terms, _preimage, proofOf(0, 240)), "in time");
        }
    }

    function test_a_second_claim_pays_nothing() public {
        Position memory p = delivered();
        assertTrue(b.app.claim(termsOut(p), _preimage, proofOf(0, 240)), "first");
        uint256 bob = b.app.balanceOf(vm.addr(BOB));
        assertTrue(!b.app.claim(termsOut(p), _preimage, proofOf(0, 240)), "second");
        assertEq(b.app.balanceOf(vm.addr(BOB)), bob, "nothing");
    }

    function test_a_claim_needs_a_statement() public {
        Position memory p = direct(300);
        locked(p, 300);
        vm.warp(E + 100);
        vm.expectPartialRevert(NotYetPosted.selector);
        b.app.claim(termsOut(p), _preimage, proofOf(0, 300));
        deliver(b, p.trade.tradeId, 240);
        vm.expectPartialRevert(ProofRefused.selector);
        b.app.claim(termsOut(p), _preimage, proofOf(0, 241));
        vm.expectPartialRevert(NotYetPosted.selector);
        b.app.claim(termsOut(p), _preimage, proofOf(1, 240));
    }

    function test_a_second_statement_pays_what_it_adds_and_no_more() public {
        Position memory p = delivered();
        uint256 bob = b.app.balanceOf(vm.addr(BOB));
        deliver(b, p.trade.tradeId, 270);
        b.app.claim(termsOut(p), _preimage, proofOf(0, 240));
        b.app.claim(termsOut(p), _preimage, proofOf(1, 270));
        assertTrue(!b.app.claim(termsOut(p), _preimage, proofOf(0, 240)), "the smaller one adds nothing");
        assertEq(b.app.balanceOf(vm.addr(BOB)), bob + 270 * (PRICE_OUT + BOND), "270 Wh in all");
    }

    function test_no_claim_before_the_verdict() public {
        Position memory p = direct(300);
        send(p);
        receive_(p);
        vm.warp(E + 100);
        deliver(b, p.trade.tradeId, 240);
        vm.expectRevert(abi.encodeWithSelector(LockRefused.selector, bytes32("no claim before the verdict")));
        b.app.claim(termsOut(p), _preimage, proofOf(0, 240));
    }

    function test_who_copies_a_claim_pays_the_payee() public {
        Position memory p = delivered();
        uint256 bob = b.app.balanceOf(vm.addr(BOB));
        vm.prank(address(0xbad));
        b.app.claim(termsOut(p), _preimage, proofOf(0, 240));
        assertEq(b.app.balanceOf(address(0xbad)), 0, "nothing for the front-runner");
        assertEq(b.app.balanceOf(vm.addr(BOB)), bob + 240 * (PRICE_OUT + BOND), "all for the payee");
    }

    function test_terms_that_are_not_the_locks_find_no_lock() public {
        Position memory p = delivered();
        LockTerms memory terms = termsOut(p);
        terms.payee = address(0xbad);
        vm.expectPartialRevert(LockNotFound.selector);
        b.app.claim(terms, _preimage, proofOf(0, 240));
        terms = termsOut(p);
        terms.price += 1;
        vm.expectPartialRevert(LockNotFound.selector);
        b.app.claim(terms, _preimage, proofOf(0, 240));
        terms = termsOut(p);
        terms.slotStart += 900;
        vm.expectPartialRevert(LockNotFound.selector);
        b.app.claim(terms, _preimage, proofOf(0, 240));
        vm.expectPartialRevert(LockNotFound.selector);
        a.app.claim(termsOut(p), _preimage, proofOf(0, 240));
    }

    function test_no_pause_stops_an_exit() public {
        Position memory p = delivered();
        for (uint256 i = 0; i < 2; ++i) {
            Ledger storage ledger = i == 0 ? a : b;
            vm.startPrank(ledger.cell);
            uint64 now_ = uint64(block.timestamp);
            ledger.app.setPauses(now_ + 3600, now_ + 3600, now_ + 3600, now_ + 900);
            vm.stopPrank();
        }
        assertTrue(b.app.claim(termsOut(p), _preimage, proofOf(0, 240)), "claim on b");
        assertTrue(a.app.claim(termsIn(p), _preimage, proofOf(0, 240)), "claim on a");
        vm.warp(T_B);
        assertTrue(b.app.refund(termsOut(p), leavesOf(proofOf(0, 240)), 0, noPacket()), "refund");
    }

    // --- refunds --------------------------------------------------------------------------------

    function test_a_refund_one_second_early_is_refused() public {
        Position memory p = delivered();
        vm.warp(T_B - 1);
        vm.expectPartialRevert(TooEarly.selector);
        b.app.refund(termsOut(p), leavesOf(proofOf(0, 240)), 0, noPacket());
        vm.warp(T_A - 1);
        vm.expectPartialRevert(TooEarly.selector);
        a.app.refund(termsIn(p), noLeaves(), 0, noPacket());
        vm.warp(T_A);
        assertTrue(a.app.refund(termsIn(p), noLeaves(), 0, noPacket()), "from T_A");
        assertTrue(!a.app.refund(termsIn(p), noLeaves(), 0, noPacket()), "once");
    }

    function test_a_destination_refund_needs_every_statement_or_the_packet_from_t_a() public {
        Position memory p = delivered();
        deliver(b, p.trade.tradeId, 250);
        Packet[] memory packet = new Packet[](1);
        packet[0] = packetOf(p);
        vm.warp(T_B);
        vm.expectPartialRevert(TooEarly.selector);
        b.app.refund(termsOut(p), leavesOf(proofOf(1, 250)), 0, packet);
        vm.warp(T_A - 1);
        vm.expectPartialRevert(TooEarly.selector);
        b.app.refund(termsOut(p), noLeaves(), 0, packet);
        vm.warp(T_A);
        vm.expectPartialRevert(TooEarly.selector);
        b.app.refund(termsOut(p), noLeaves(), 0, noPacket());
        packet[0].timeoutTimestamp += 1;
        vm.expectPartialRevert(ProofRefused.selector);
        b.app.refund(termsOut(p), noLeaves(), 0, packet);
        packet[0].timeoutTimestamp -= 1;
        assertTrue(b.app.refund(termsOut(p), noLeaves(), 0, packet), "late");
        assertEq(stateOf(b, p.trade.hashlock).slashed, 0, "without every leaf nothing is slashed");
    }

    function test_a_refused_packet_of_the_same_lock_does_not_tell_its_t_a() public {
        Position memory p = delivered();
        Position memory early = p;
        early.trade.expiryIn = T_B + 1;
        seal(early);
        vm.warp(TAU - 30);
        early.sequence = 50;
        forge(50, TAU, abi.encode(early.trade), "");
        Packet[] memory packet = new Packet[](1);
        packet[0] = packetOf(early);
        assertTrue(b.host.stored(0, 2, 50) != 0, "it has a receipt");
        vm.warp(T_B + 1);
        vm.expectPartialRevert(ProofRefused.selector);
        b.app.refund(termsOut(p), noLeaves(), 0, packet);
    }

    function test_what_was_not_delivered_costs_the_bond() public {
        Position memory p = delivered();
        uint256 bob = b.app.balanceOf(vm.addr(BOB));
        address pool = Hashes.imbalanceAccount(b.tag);
        vm.warp(T_B);
        b.app.refund(termsOut(p), leavesOf(proofOf(0, 240)), 0, noPacket());
        assertEq(b.app.vaultOf(pool), 60 * BOND, "60 Wh were promised and not delivered");
        assertEq(b.app.balanceOf(vm.addr(BOB)), bob + 240 * BOND, "the rest of the bond comes back");
    }

    // --- expiry -----------------------------------------------------------------------------------

    function test_a_pending_lock_expires_from_the_verdict_deadline() public {
        Position memory p = direct(300);
        send(p);
        receive_(p);
        uint256 vault = b.app.vaultOf(connector);
        uint256 bob = b.app.balanceOf(vm.addr(BOB));
        vm.warp(D - 1);
        vm.expectPartialRevert(TooEarly.selector);
        b.app.expirePending(0, packetOf(p));
        vm.warp(D);
        assertTrue(b.app.expirePending(0, packetOf(p)), "from D");
        assertTrue(!b.app.expirePending(0, packetOf(p)), "once");
        assertEq(b.app.vaultOf(connector), vault + 300 * PRICE_OUT, "money back");
        assertEq(b.app.balanceOf(vm.addr(BOB)), bob + 300 * BOND, "bond back");
        assertEq(openOfMandate(), 0, "mandate free");
        (bytes32 id,) = b.app.lockOf(p.trade.hashlock);
        assertEq(id, ~lockIdOut(p.trade), "H stays used");
        acknowledge(p, bytes.concat(SENTINEL));
        assertEq(stateOf(a, p.trade.hashlock).status, 3, "closed on a");
        vm.warp(T_B);
        assertTrue(!b.app.refund(termsOut(p), noLeaves(), 0, noPacket()), "nothing left to refund");
    }

    function test_another_packet_expires_nothing() public {
        Position memory p = direct(300);
        send(p);
        receive_(p);
        vm.warp(D);
        Packet memory packet = packetOf(p);
        packet.sequence += 1;
        vm.expectRevert();
        b.app.expirePending(0, packet);
        packet = packetOf(p);
        packet.timeoutTimestamp += 1;
        vm.expectRevert();
        b.app.expirePending(0, packet);
    }

    // --- waivers ------------------------------------------------------------------------------------

    function test_only_the_payee_gives_up() public {
        Position memory p = delivered();
        vm.expectPartialRevert(NotPermitted.selector);
        b.app.waive(termsOut(p), 100, "", _noRows);
        vm.prank(vm.addr(BOB));
        b.app.waive(termsOut(p), 100, "", _noRows);
        assertEq(stateOf(b, p.trade.hashlock).cap, 100, "cap");
        assertEq(b.app.vaultOf(Hashes.imbalanceAccount(b.tag)), 200 * BOND, "the bond for it is slashed");
        vm.prank(vm.addr(BOB));
        vm.expectPartialRevert(LockRefused.selector);
        b.app.waive(termsOut(p), 101, "", _noRows);
        vm.expectPartialRevert(NotPermitted.selector);
        a.app.waive(termsIn(p), 0, "", _noRows);
        vm.prank(connector);
        assertTrue(a.app.waive(termsIn(p), 0, "", _noRows), "the connector on the source");
        assertEq(stateOf(a, p.trade.hashlock).status, 3, "closed");
    }

    function test_a_pools_waiver_needs_its_cell_and_the_grid_operator() public {
        Position memory p = pooled();
        locked(p, 700);
        LockTerms memory terms = termsOut(p);
        bytes32 hash = Hashes.waiveHash(lockIdOut(p.trade), 500);
        vm.prank(b.cell);
        vm.expectPartialRevert(NotPermitted.selector);
        b.app.waive(terms, 500, sign(cellKeys[2], hash), rows);
        vm.expectPartialRevert(NotPermitted.selector);
        b.app.waive(terms, 500, sign(cellKeys[3], hash), rows);
        vm.prank(b.cell);
        vm.expectPartialRevert(NotPermitted.selector);
        b.app.waive(terms, 499, sign(cellKeys[3], hash), rows);
        vm.prank(b.cell);
        assertTrue(b.app.waive(terms, 500, sign(cellKeys[3], hash), rows), "both");
        assertEq(stateOf(b, p.trade.hashlock).slashed, 200, "slashed");
    }

    // --- shares ---------------------------------------------------------------------------------------

    function test_shares_of_a_pool_sum_to_the_nano_euro() public {
        Position memory p = pooled();
        uint256[4] memory before = [held(a, AMY), held(a, ABE), held(b, BEN), held(b, BEA)];
        locked(p, 650);
        vm.warp(E + 100);
        deliver(b, p.trade.tradeId, 601);
        deliver(a, p.trade.tradeId, 601);
        b.app.claim(termsOut(p), _preimage, proofOf(0, 601));
        a.app.claim(termsIn(p), _preimage, proofOf(0, 601));
        vm.expectPartialRevert(TooEarly.selector);
        b.app.collectShares(termsOut(p), 2, p.sells);
        vm.warp(T_A);
        b.app.refund(termsOut(p), leavesOf(proofOf(0, 601)), 0, noPacket());
        a.app.refund(termsIn(p), noLeaves(), 0, noPacket());
        OwnLeaf[] memory second = new OwnLeaf[](1);
        second[0] = p.sells[1];
        vm.expectPartialRevert(TooEarly.selector);
        b.app.collectShares(termsOut(p), 2, second);
        assertTrue(b.app.collectShares(termsOut(p), 2, p.sells), "sellers");
        assertTrue(!b.app.collectShares(termsOut(p), 2, p.sells), "once");
        assertTrue(a.app.collectShares(termsIn(p), 1, p.buys), "buyers");
        uint256 sold = held(b, BEN) + held(b, BEA) - before[2] - before[3];
        assertEq(sold, 601 * PRICE_OUT + 651 * BOND, "paid 601 Wh; slashed 49 of 700 Wh of bond");
        uint256 back = held(a, AMY) + held(a, ABE) - before[0] - before[1];
        assertEq(back, 99 * PRICE_IN, "what was not used");
        vm.expectRevert();
        b.app.collectShares(termsOut(p), 1, p.buys);
    }

    function test_a_refused_pools_bonds_come_back_by_shares() public {
        Position memory p = pooled();
        uint256 before = held(b, BEN) + held(b, BEA);
        send(p);
        receive_(p);
        vm.warp(D);
        b.app.expirePending(0, packetOf(p));
        assertEq(held(b, BEN) + held(b, BEA), before, "not pushed");
        OwnLeaf[] memory first = new OwnLeaf[](1);
        first[0] = p.sells[0];
        assertTrue(b.app.collectShares(termsOut(p), 2, first), "one by one");
        assertEq(stateOf(b, p.trade.hashlock).status, 6, "still refused");
        assertTrue(b.app.collectShares(termsOut(p), 2, p.sells), "the other one");
        assertEq(held(b, BEN) + held(b, BEA), before + 700 * BOND, "all of it");
        assertTrue(!b.app.expirePending(0, packetOf(p)), "ended locks stay ended");
    }

    function held(Ledger storage ledger, uint256 key) private view returns (uint256) {
        return ledger.app.balanceOf(vm.addr(key));
    }

    // --- INTRA ------------------------------------------------------------------------------------------

    function test_an_intra_trade_from_opening_to_claim() public {
        bytes32 h = hashOf(PREIMAGE);
        LocalPosition memory p =
            local(parts(buy(ANN, 100), buy(AMY, 200)), parts(localSell(SOL, 300, h)), PREIMAGE, true);
        uint256 sol = held(a, SOL);
        vm.warp(TAU);
        vm.prank(a.cell);
        vm.expectPartialRevert(TooLate.selector);
        a.app.openLocal(p.trade, evidenceOf(p));
        vm.warp(TAU - 1);
        vm.expectPartialRevert(NotPermitted.selector);
        a.app.openLocal(p.trade, evidenceOf(p));
        openLocal(p);
        vm.warp(TAU);
        applyOn(a, lone(acceptLocal(p, 250)), 11);
        assertEq(held(a, SOL), sol + 50 * BOND, "bond of the surplus");
        vm.warp(E + 100);
        deliver(a, p.trade.tradeId, 250);
        a.app.claim(termsLocal(p), _preimage, proofOf(0, 250));
        assertEq(held(a, SOL), sol + 300 * BOND + 250 * uint256(p.trade.price), "paid");
        uint256 buyers = held(a, ANN) + held(a, AMY);
        OwnLeaf[] memory own = new OwnLeaf[](2);
        uint256 count = 0;
        for (uint256 i = 0; i < p.leaves.length; ++i) {
            if (p.leaves[i].allocation.account != vm.addr(SOL)) own[count++] = p.leaves[i];
        }
        a.app.collectShares(termsLocal(p), 1, own);
        assertEq(held(a, ANN) + held(a, AMY), buyers + 50 * uint256(p.trade.price), "the rest to the buyers");
    }

    function test_an_intra_trade_expires_and_is_not_opened_again() public {
        bytes32 h = hashOf(PREIMAGE);
        LocalPosition memory p = local(parts(buy(ANN, 300)), parts(localSell(SOL, 300, h)), PREIMAGE, true);
        uint256 ann = held(a, ANN);
        vm.warp(TAU - 1);
        openLocal(p);
        vm.warp(D);
        assertTrue(a.app.expireLocal(termsLocal(p)), "from D");
        assertEq(held(a, ANN), ann + 300 * uint256(p.trade.price), "the fill's price back");
        assertTrue(!a.app.expireLocal(termsLocal(p)), "once");
        vm.warp(TAU - 1);
        vm.prank(a.cell);
        assertTrue(!a.app.openLocal(p.trade, evidenceOf(p)), "a repeat");
    }
}
