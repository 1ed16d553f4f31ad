// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {ITradeEvents} from "tieline/app/ITradeEvents.sol";
import {Mandate, Order, OrderRef} from "tieline/app/Records.sol";
import {Hashes} from "tieline/app/Hashes.sol";
import {EnergyTrade, OwnLeaf, TradeEvidence} from "tieline/app/TradeRecords.sol";

import {TradeWorld} from "../support/TradeWorld.sol";
import {Vm} from "../support/Vm.sol";

/// @title How a packet is judged: what is a refusal, in which order, and what is not yet
contract TradeReceiveTest is TradeWorld {
    uint256 private constant LOCKED_IN = 0;
    uint256 private constant NOT_YET = 255;
    /// More than the outflow cap of a slot.
    uint64 private constant HUGE = 6_000_000_000;

    uint64 private _sequence;

    /// @dev The reason of the refusal; 0 if the trade was reserved, 255 if it may come again.
    function judged(Position memory p) private returns (uint256 reason) {
        return judged(abi.encode(p.trade), abi.encode(TradeEvidence(p.clearingProof, p.sells)));
    }

    function judged(bytes memory value, bytes memory evidence) private returns (uint256 reason) {
        ++_sequence;
        vm.recordLogs();
        forge(_sequence, TAU, value, evidence);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        reason = NOT_YET;
        for (uint256 i = 0; i < logs.length; ++i) {
            bytes32 kind = logs[i].topics[0];
            if (kind == ITradeEvents.LockOpened.selector) reason = LOCKED_IN;
            if (kind == ITradeEvents.ReceiveRefused.selector) reason = uint256(logs[i].topics[3]);
        }
        bytes32 answer = b.host.stored(0, 3, _sequence);
        bytes32 receipt = b.host.stored(0, 2, _sequence);
        assertTrue((receipt != 0) == (reason != NOT_YET), "a receipt unless it may come again");
        bool isSentinel = answer == sha256(bytes.concat(hex"02", sha256(bytes.concat(SENTINEL))));
        assertTrue(isSentinel == (reason != LOCKED_IN && reason != NOT_YET), "the sentinel with a reason");
    }

    function setMandateTo(uint128 maxTrade, uint64 expiry, uint64 nonce) private {
        Mandate memory m = mandate();
        (m.maxTrade, m.maxOpen, m.expiry, m.nonce) = (maxTrade, 1e17, expiry, nonce);
        setMandate(m);
    }

    function test_the_first_rule_that_is_broken_gives_the_reason() public {
        bytes32 h = hashOf(PREIMAGE);
        Order memory order = orderOf(b, BOB, 2, HUGE, h);
        bytes32 id = place(b, BOB, order);
        Part memory selling = Part(id, vm.addr(BOB), HUGE);
        Part memory buying = Part(keccak256("a buyer's order over there"), vm.addr(ANN), HUGE);
        Position memory p = positionOf(parts(buying), parts(selling), PREIMAGE, 2);
        seal(p);
        clear(p);
        setMandateTo(1e16, S + 86_400, 2);
        for (uint256 i = 0; i < 4; ++i) fund(b, connector);
        vm.prank(connector);
        b.app.deposit(2 * FUNDS);
        assertEq(judged(p), 23, "CAP");
        vm.prank(connector);
        b.app.withdraw(2 * FUNDS);
        assertEq(judged(p), 18, "VAULT before CAP");
        setMandateTo(1e16, 0, 3);
        assertEq(judged(p), 17, "MANDATE before VAULT");
        OrderRef memory found = OrderRef(id, order.account, S, 900, h);
        b.app.cancel(found, sign(BOB, keccak256(abi.encode(Hashes.CANCEL_TYPE, id))));
        assertEq(judged(p), 19, "ORDER before MANDATE");
        p.sells[0].allocation.energyWh -= 1;
        assertEq(judged(p), NOT_YET, "evidence before ORDER");
        p.trade.cellSetEpoch = 2;
        assertEq(judged(p), 22, "CELL_SET before the evidence");
        vm.store(address(b.app), keccak256(abi.encode(h, uint256(5))), bytes32(uint256(1)));
        assertEq(judged(p), 21, "H_USED before CELL_SET");
        p.trade.expiryOut -= 1;
        assertEq(judged(p), 20, "LADDER before H_USED");
        p.trade.priceOut = p.trade.priceIn + 1;
        assertEq(judged(p), 16, "PAYLOAD before LADDER");
    }

    function test_a_payload_of_another_length_is_refused() public {
        Position memory p = direct(300);
        bytes memory value = abi.encode(p.trade);
        assertEq(judged(bytes.concat(value, hex"00"), ""), 16, "737");
        bytes memory short = new bytes(735);
        for (uint256 i = 0; i < 735; ++i) short[i] = value[i];
        assertEq(judged(short, ""), 16, "735");
        assertEq(judged(hex"00", ""), 16, "1");
        assertEq(judged(p), LOCKED_IN, "736");
    }

    function test_a_dirty_high_bit_in_any_word_is_refused() public {
        Position memory p = direct(300);
        uint8[17] memory words = [0, 1, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 20, 20];
        for (uint256 i = 0; i < words.length; ++i) {
            bytes memory value = abi.encode(p.trade);
            bool isAddress = words[i] >= 10 && words[i] <= 13;
            // The highest byte, and the lowest that is beyond the type.
            value[32 * uint256(words[i])] = 0x80;
            assertEq(judged(value, ""), 16, "highest bit");
            value = abi.encode(p.trade);
            uint256 size = isAddress ? 20 : words[i] == 0 ? 2 : words[i] == 1 ? 1 : words[i] == 6 ? 4 : 8;
            value[32 * uint256(words[i]) + 31 - size] = 0x01;
            assertEq(judged(value, ""), 16, "first bit beyond the type");
        }
        assertEq(judged(p), LOCKED_IN, "clean");
    }

    function test_fields_that_contradict_one_another_are_refused() public {
        Position memory p = direct(300);
        EnergyTrade memory t = p.trade;
        bytes memory good = abi.encode(t);
        t.version = 2;
        assertEq(judged(p), 16, "version");
        (t.version, t.level) = (1, 1);
        assertEq(judged(p), 16, "level INTRA");
        (t.level, t.destChainTag) = (2, THIRD_TAG);
        assertEq(judged(p), 16, "another destination");
        (t.destChainTag, t.sourceChainTag) = (b.tag, b.tag);
        assertEq(judged(p), 16, "source is destination");
        (t.sourceChainTag, t.slotStart) = (a.tag, S + 1);
        assertEq(judged(p), 16, "not a slot");
        (t.slotStart, t.energyWh) = (S, 0);
        assertEq(judged(p), 16, "no energy");
        t.energyWh = 1 << 40;
        assertEq(judged(p), 16, "too much energy");
        (t.energyWh, t.tradeId) = (300, bytes32(uint256(t.tradeId) ^ 1));
        assertEq(judged(p), 16, "trade id");
        (t.tradeId, t.lockIdIn) = (bytes32(uint256(t.tradeId) ^ 1), bytes32(uint256(t.lockIdIn) ^ 1));
        assertEq(judged(p), 16, "lock id");
        t.lockIdIn = bytes32(uint256(t.lockIdIn) ^ 1);
        assertEq(keccak256(abi.encode(t)), keccak256(good), "all put right again");
        assertEq(judged(p), LOCKED_IN, "good");
    }

    function test_every_rung_of_the_ladder() public {
        Position memory p = direct(300);
        EnergyTrade memory t = p.trade;
        t.verdictDeadline = D + 1;
        assertEq(judged(p), 20, "D");
        (t.verdictDeadline, t.expiryOut) = (D, T_B - 1);
        assertEq(judged(p), 20, "T_B");
        (t.expiryOut, t.expiryIn) = (T_B, T_A - 1);
        seal(p);
        assertEq(judged(p), 20, "T_A");
        t.expiryIn = E + 86_401;
        seal(p);
        assertEq(judged(p), 20, "T_A at most");
        t.expiryIn = T_A;
        seal(p);
        forge(99, TAU - 1, abi.encode(t), abi.encode(TradeEvidence(p.clearingProof, p.sells)));
        assertEq(stateOf(b, t.hashlock).status, 0, "tau is one value");
        (bytes32 id,) = b.app.lockOf(t.hashlock);
        assertEq(id, 0, "and no other timeout opens a lock");
        assertEq(judged(p), LOCKED_IN, "good");
    }

    function test_missing_or_false_evidence_leaves_no_receipt() public {
        Position memory p = direct(300);
        bytes memory value = abi.encode(p.trade);
        assertEq(judged(value, ""), NOT_YET, "none");
        assertEq(judged(value, new bytes(200)), NOT_YET, "zeros");
        OwnLeaf[] memory none_ = new OwnLeaf[](0);
        assertEq(judged(value, abi.encode(TradeEvidence(p.clearingProof, none_))), NOT_YET, "no leaves");
        p.sells[0].allocation.account = vm.addr(BEN);
        assertEq(judged(p), NOT_YET, "another account");
        p.sells[0].allocation.account = vm.addr(BOB);
        bytes32[] memory long = new bytes32[](1);
        assertEq(judged(value, abi.encode(TradeEvidence(long, p.sells))), NOT_YET, "false clearing proof");
        assertEq(judged(p), LOCKED_IN, "and nobody's refusal stands in the way of the true one");
    }

    function test_a_clearing_that_is_not_posted_yet_leaves_no_receipt() public {
        Position memory p =
            positionOf(parts(buy(ANN, 300)), parts(sell(BOB, 300, hashOf(PREIMAGE))), PREIMAGE, 2);
        seal(p);
        assertEq(judged(p), NOT_YET, "no clearing");
        clear(p);
        assertEq(judged(p), LOCKED_IN, "posted");
    }

    function test_a_pool_cannot_be_named_as_one_seller_nor_one_seller_as_a_pool() public {
        Position memory p = pooled();
        p.trade.seller = vm.addr(BEN);
        assertEq(judged(p), 19, "a pool's money to one of its members");
        Position memory q = direct(300, keccak256("other"));
        q.trade.seller = Hashes.pool(b.tag, q.trade.tradeId, 2);
        assertTrue(judged(q) != LOCKED_IN, "who holds the secret is a party");
    }

    function test_all_that_can_fail_is_reserved_at_receive() public {
        Position memory p = direct(300);
        uint256 vault = b.app.vaultOf(connector);
        assertEq(judged(p), LOCKED_IN, "reserved");
        assertEq(b.app.vaultOf(connector), vault - 300 * PRICE_OUT, "money");
        assertEq(openOfMandate(), 300 * PRICE_OUT, "under the mandate");
        assertEq(b.app.outflowOf(keccak256(bytes(CLIENT)), S), 300 * PRICE_OUT, "under the cap");
        OwnLeaf memory own = p.sells[0];
        OrderRef memory order =
            OrderRef(own.allocation.orderId, own.allocation.account, S, 900, p.trade.hashlock);
        (, uint64 energyLeft, uint64 moneyLeft,) = b.app.orderOf(order);
        assertEq(energyLeft, 0, "energy");
        assertEq(moneyLeft, 0, "bond");
        vm.prank(connector);
        try b.app.withdraw(uint128(vault)) {
            assertTrue(false, "what is reserved is not there to take");
        } catch {}
    }

    function test_a_paused_receive_may_come_again() public {
        Position memory p = direct(300);
        vm.prank(b.cell);
        b.app.setPauses(0, 0, 0, uint64(block.timestamp) + 60);
        assertEq(judged(p), NOT_YET, "paused");
        vm.warp(block.timestamp + 60);
        assertEq(judged(p), LOCKED_IN, "the pause has ended");
    }
}
