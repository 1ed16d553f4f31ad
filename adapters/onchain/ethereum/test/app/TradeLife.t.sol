// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {TradeWorld} from "../support/TradeWorld.sol";

/// @title Whole lives of trades between two ledgers
contract TradeLifeTest is TradeWorld {
    function test_a_direct_trade_pays_both_legs_for_what_was_delivered() public {
        Position memory p = direct(300);
        uint256 ann = a.app.balanceOf(vm.addr(ANN));
        uint256 bob = b.app.balanceOf(vm.addr(BOB));
        uint256 vaultIn = a.app.vaultOf(connector);
        uint256 vaultOut = b.app.vaultOf(connector);
        locked(p, 250);
        assertEq(a.app.balanceOf(vm.addr(ANN)), ann + 50 * PRICE_IN, "what the cap lost is Ann's again");
        assertEq(b.app.vaultOf(connector), vaultOut - 250 * PRICE_OUT, "the surplus is the vault's again");
        assertEq(b.app.balanceOf(vm.addr(BOB)), bob + 50 * BOND, "and its bond Bob's");
        vm.warp(E + 200);
        deliver(b, p.trade.tradeId, 240);
        b.app.claim(termsOut(p), abi.encode(p.preimage), proofOf(0, 240));
        assertEq(b.app.balanceOf(vm.addr(BOB)), bob + 240 * PRICE_OUT + 290 * BOND, "Bob is paid");
        deliver(a, p.trade.tradeId, 240);
        a.app.claim(termsIn(p), abi.encode(p.preimage), proofOf(0, 240));
        assertEq(a.app.vaultOf(connector), vaultIn + 240 * PRICE_IN, "the connector is paid");
        vm.warp(T_B);
        b.app.refund(termsOut(p), leavesOf(proofOf(0, 240)), 0, noPacket());
        assertEq(b.app.vaultOf(connector), vaultOut - 240 * PRICE_OUT, "the rest is the connector's");
        assertEq(openOfMandate(), 0, "nothing is open under the mandate");
        assertEq(stateOf(b, p.trade.hashlock).slashed, 10, "what was promised and not delivered");
        vm.warp(T_A);
        a.app.refund(termsIn(p), noLeaves(), 0, noPacket());
        assertEq(a.app.balanceOf(vm.addr(ANN)), ann + 60 * PRICE_IN, "the rest is Ann's");
        assertEq(stateOf(a, p.trade.hashlock).status, 3, "closed on a");
        assertEq(stateOf(b, p.trade.hashlock).status, 3, "closed on b");
    }
}
