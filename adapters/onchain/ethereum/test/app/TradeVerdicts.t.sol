// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {
    InvalidMessage,
    NotYetPosted,
    ProofRefused,
    QuorumMissing,
    TooEarly,
    TooLate,
    VerdictMismatch
} from "tieline/app/Errors.sol";
import {Hashes} from "tieline/app/Hashes.sol";
import {ITradeEvents} from "tieline/app/ITradeEvents.sol";
import {DecidedLeaf, LockTerms, Verdict} from "tieline/app/TradeRecords.sol";

import {TradeWorld} from "../support/TradeWorld.sol";
import {Vm} from "../support/Vm.sol";

/// @title Verdicts and answers: what a quorum decides, and what it cannot
contract TradeVerdictsTest is TradeWorld {
    function received() private returns (Position memory p) {
        p = direct(300);
        send(p);
        receive_(p);
        vm.warp(D - 10);
    }

    /// @dev Apply leaves that are expected to be refused.
    function refused(DecidedLeaf[] memory items, uint256 bitmap, bytes memory reason) private {
        Verdict memory verdict = verdictOver(items);
        bytes memory signatures = signVerdict(verdict, bitmap);
        vm.expectRevert(reason);
        b.app.applyVerdict(verdict, cells, signatures, items);
    }

    function mismatch(bytes32 rule) private pure returns (bytes memory) {
        return abi.encodeWithSelector(VerdictMismatch.selector, rule);
    }

    // --- when -----------------------------------------------------------------------------------

    function test_a_verdict_is_applied_from_tau_until_one_second_before_d() public {
        Position memory p = received();
        DecidedLeaf[] memory items = lone(accept(p, 300));
        Verdict memory verdict = verdictOver(items);
        bytes memory signatures = signVerdict(verdict, 11);
        uint256 state = vm.snapshotState();
        for (uint256 i = 0; i < 2; ++i) {
            vm.warp(i == 0 ? TAU : D - 1);
            assertTrue(b.app.applyVerdict(verdict, cells, signatures, items), "in time");
            assertTrue(!b.app.applyVerdict(verdict, cells, "", items), "a repeat");
            vm.revertToState(state);
        }
        vm.warp(TAU - 1);
        vm.expectPartialRevert(TooEarly.selector);
        b.app.applyVerdict(verdict, cells, signatures, items);
        vm.warp(D);
        vm.expectPartialRevert(TooLate.selector);
        b.app.applyVerdict(verdict, cells, signatures, items);
    }

    // --- who ------------------------------------------------------------------------------------

    function test_more_than_two_thirds_and_every_owner_must_have_signed() public {
        Position memory p = received();
        refused(lone(accept(p, 300)), 9, abi.encodeWithSelector(QuorumMissing.selector, 2, 3));
        refused(lone(accept(p, 300)), 7, mismatch("an owner did not sign"));
        DecidedLeaf memory item = accept(p, 300);
        item.leaf.owners = 3;
        refused(lone(item), 15, mismatch("accept lacks an owner"));
        item.leaf.owners = 27;
        refused(lone(item), 15, mismatch("an owner did not sign"));
        applyOn(b, lone(accept(p, 300)), 11);
        assertEq(stateOf(b, p.trade.hashlock).status, 5, "locked");
    }

    function test_signers_come_once_and_ascending() public {
        Position memory p = received();
        DecidedLeaf[] memory items = lone(accept(p, 300));
        Verdict memory verdict = verdictOver(items);
        bytes32 hash = keccak256(abi.encode(Hashes.VERDICT_TYPE, verdict));
        bytes memory one = sign(cellKeys[0], hash);
        bytes memory both = bytes.concat(one, sign(cellKeys[1], hash));
        vm.expectPartialRevert(InvalidMessage.selector);
        b.app.applyVerdict(verdict, cells, bytes.concat(both, one), items);
        vm.expectPartialRevert(InvalidMessage.selector);
        b.app.applyVerdict(verdict, cells, bytes.concat(one, both), items);
    }

    function test_more_signers_add_the_owner_that_was_missing() public {
        Position memory p = received();
        DecidedLeaf[] memory items = lone(accept(p, 300));
        Verdict memory verdict = verdictOver(items);
        b.app.applyVerdict(verdict, cells, signVerdict(verdict, 7), new DecidedLeaf[](0));
        vm.expectRevert(mismatch("an owner did not sign"));
        b.app.applyVerdict(verdict, cells, "", items);
        b.app.applyVerdict(verdict, cells, signVerdict(verdict, 11), items);
        assertEq(uint64(uint256(b.app.verdictOf(S))), 15, "signers");
    }

    // --- what it binds ----------------------------------------------------------------------------

    function test_a_leaf_binds_ledger_client_packet_trade_and_slot() public {
        Position memory p = received();
        DecidedLeaf memory item = accept(p, 300);
        item.leaf.destChainTag = a.tag;
        refused(lone(item), 15, mismatch("leaf of another ledger"));
        item = accept(p, 300);
        item.leaf.destClient = keccak256("attestations-1");
        refused(lone(item), 15, mismatch("leaf binds another packet"));
        item = accept(p, 300);
        item.leaf.sequence += 1;
        refused(lone(item), 15, mismatch("leaf binds another packet"));
        item = accept(p, 300);
        item.leaf.packetCommitment = keccak256("another");
        refused(lone(item), 15, mismatch("leaf binds another packet"));
        item = accept(p, 300);
        item.leaf.tradeId = keccak256("another");
        refused(lone(item), 15, mismatch("leaf binds another packet"));
        item = accept(p, 300);
        Verdict memory verdict = verdictOver(lone(item));
        verdict.slotStart += 900;
        bytes memory signatures = signVerdict(verdict, 15);
        DecidedLeaf[] memory items = lone(item);
        vm.expectRevert(mismatch("not of the first tick"));
        b.app.applyVerdict(verdict, cells, signatures, items);
    }

    function test_a_verdict_of_another_epoch_or_set_is_none() public {
        Position memory p = received();
        DecidedLeaf[] memory items = lone(accept(p, 300));
        Verdict memory verdict = verdictOver(items);
        verdict.epoch = 2;
        bytes memory signatures = signVerdict(verdict, 15);
        vm.expectPartialRevert(InvalidMessage.selector);
        b.app.applyVerdict(verdict, cells, signatures, items);
        (verdict.epoch, verdict.networkEpoch) = (1, keccak256("another network"));
        signatures = signVerdict(verdict, 15);
        vm.expectRevert(mismatch("another network epoch"));
        b.app.applyVerdict(verdict, cells, signatures, items);
        (verdict.networkEpoch, verdict.cellSetId) = (EPOCH, keccak256("another set"));
        signatures = signVerdict(verdict, 15);
        vm.expectPartialRevert(NotYetPosted.selector);
        b.app.applyVerdict(verdict, cells, signatures, items);
    }

    function test_a_packet_that_was_not_received_is_not_yet() public {
        Position memory p = direct(300);
        send(p);
        vm.warp(D - 10);
        DecidedLeaf memory item = accept(p, 300);
        item.leaf.packetCommitment = a.host.stored(0, 1, p.sequence);
        refused(lone(item), 15, abi.encodeWithSelector(NotYetPosted.selector, bytes32("trade was not received")));
    }

    function test_a_leaf_outside_the_tree_is_refused() public {
        Position memory p = received();
        DecidedLeaf[] memory items = lone(accept(p, 300));
        Verdict memory verdict = verdictOver(items);
        items[0].leaf.capWh = 299;
        bytes memory signatures = signVerdict(verdict, 15);
        vm.expectPartialRevert(ProofRefused.selector);
        b.app.applyVerdict(verdict, cells, signatures, items);
    }

    function test_a_second_verdict_is_evidence_and_applies_nothing() public {
        Position memory p = received();
        DecidedLeaf[] memory items = lone(accept(p, 300));
        Verdict memory verdict = verdictOver(items);
        b.app.applyVerdict(verdict, cells, signVerdict(verdict, 15), new DecidedLeaf[](0));
        items = lone(refuse(p, 1));
        Verdict memory other = verdictOver(items);
        bytes memory signatures = signVerdict(other, 15);
        vm.recordLogs();
        assertTrue(!b.app.applyVerdict(other, cells, signatures, items), "nothing applied");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 1, "one event");
        assertEq(logs[0].topics[0], ITradeEvents.ConflictingVerdict.selector, "evidence");
        vm.expectRevert(mismatch("another verdict is stored"));
        b.app.applyVerdict(other, cells, "", items);
    }

    // --- groups -------------------------------------------------------------------------------------

    function test_a_group_comes_whole_or_not_at_all() public {
        Position memory p = direct(300);
        Position memory q = direct(200, keccak256("other"));
        send(p);
        sendNow(q);
        receive_(p);
        receiveNow(q);
        vm.warp(D - 10);
        DecidedLeaf[] memory items = both(accept(p, 300), accept(q, 200));
        (items[0].leaf.groupSize, items[1].leaf.groupSize) = (2, 2);
        Verdict memory verdict = verdictOver(items);
        b.app.applyVerdict(verdict, cells, signVerdict(verdict, 15), new DecidedLeaf[](0));
        DecidedLeaf[] memory half = lone(items[0]);
        vm.expectRevert(mismatch("not one whole group"));
        b.app.applyVerdict(verdict, cells, "", half);
        DecidedLeaf[] memory twice = both(items[0], items[0]);
        vm.expectRevert(mismatch("a trade comes twice"));
        b.app.applyVerdict(verdict, cells, "", twice);
        b.app.applyVerdict(verdict, cells, "", items);
        assertEq(stateOf(b, p.trade.hashlock).status, 5, "one");
        assertEq(stateOf(b, q.trade.hashlock).status, 5, "and the other");
    }

    function test_an_accept_and_a_refusal_of_one_trade_do_not_meet() public {
        bytes32 h = hashOf(PREIMAGE);
        LocalPosition memory p = local(parts(buy(ANN, 300)), parts(localSell(SOL, 300, h)), PREIMAGE, true);
        vm.warp(TAU - 1);
        openLocal(p);
        vm.warp(TAU);
        DecidedLeaf[] memory items = both(acceptLocal(p, 200), acceptLocal(p, 200));
        (items[1].leaf.decision, items[1].leaf.capWh, items[1].leaf.reason) = (2, 0, 1);
        (items[1].leaf.group, items[1].leaf.groupSize) = (0, 0);
        Verdict memory verdict = verdictOver(items);
        bytes memory signatures = signVerdict(verdict, 15);
        vm.expectRevert(mismatch("a trade comes twice"));
        a.app.applyVerdict(verdict, cells, signatures, items);
    }

    function test_caps_reasons_and_groups_out_of_range() public {
        Position memory p = received();
        refused(lone(accept(p, 0)), 15, mismatch("cap outside 1..energy"));
        refused(lone(accept(p, 301)), 15, mismatch("cap outside 1..energy"));
        refused(lone(refuse(p, 13)), 15, mismatch("unknown reason"));
        refused(lone(refuse(p, 25)), 15, mismatch("unknown reason"));
        DecidedLeaf memory item = accept(p, 300);
        item.leaf.reason = 1;
        refused(lone(item), 15, mismatch("an accept has no reason"));
        item = accept(p, 300);
        item.leaf.group = 0;
        refused(lone(item), 15, mismatch("group or size out of range"));
        item = refuse(p, 1);
        item.leaf.group = 1;
        refused(lone(item), 15, mismatch("a refusal has no group"));
        item = accept(p, 300);
        item.leaf.decision = 3;
        refused(lone(item), 15, mismatch("unknown decision"));
    }

    function test_a_refusal_gives_everything_back_and_the_sentinel() public {
        Position memory p = received();
        uint256 vault = b.app.vaultOf(connector);
        uint256 bob = b.app.balanceOf(vm.addr(BOB));
        applyOn(b, lone(refuse(p, 2)), 15);
        assertEq(b.app.vaultOf(connector), vault + 300 * PRICE_OUT, "money");
        assertEq(b.app.balanceOf(vm.addr(BOB)), bob + 300 * BOND, "bond");
        uint256 ann = a.app.balanceOf(vm.addr(ANN));
        acknowledge(p, bytes.concat(SENTINEL));
        assertEq(a.app.balanceOf(vm.addr(ANN)), ann + 300 * PRICE_IN, "the buyer's money");
    }

    // --- answers --------------------------------------------------------------------------------------

    /// @dev The reason of the only alarm of a call that just ran; 0 if there was none.
    function alarmed() private returns (uint256 reason) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == ITradeEvents.Alarm.selector) reason = abi.decode(logs[i].data, (uint8));
        }
    }

    function test_an_unreadable_answer_alarms_and_refunds_nothing() public {
        bytes32 root = keccak256("root");
        for (uint256 i = 0; i < 6; ++i) {
            uint256 state = vm.snapshotState();
            Position memory p = direct(300);
            send(p);
            uint256 ann = a.app.balanceOf(vm.addr(ANN));
            bytes memory answer = answerOf(p, root, 1);
            if (i == 0) answer = hex"00";
            if (i == 1) answer = bytes.concat(answer, hex"00");
            if (i == 2) answer[31] = 0x02; // version
            if (i == 3) answer[63] ^= 0x01; // trade id
            if (i == 4) answer[128] = 0x01; // dirty cap
            if (i == 5) answer[191] ^= 0x01; // expiry
            vm.recordLogs();
            acknowledge(p, answer);
            assertEq(alarmed(), 1, "ACK_UNREADABLE");
            assertEq(a.app.balanceOf(vm.addr(ANN)), ann, "no refund");
            assertEq(stateOf(a, p.trade.hashlock).cap, 300, "cap unchanged");
            vm.revertToState(state);
        }
    }

    function test_a_cap_never_rises_and_never_falls_below_what_was_paid() public {
        Position memory p = direct(300);
        send(p);
        vm.warp(E + 100);
        deliver(a, p.trade.tradeId, 120);
        a.app.claim(termsIn(p), abi.encode(PREIMAGE), proofOf(0, 120));
        uint256 state = vm.snapshotState();
        acknowledge(p, answerOf(p, keccak256("root"), 9999));
        assertEq(stateOf(a, p.trade.hashlock).cap, 300, "not above");
        vm.revertToState(state);
        acknowledge(p, answerOf(p, keccak256("root"), 100));
        assertEq(stateOf(a, p.trade.hashlock).cap, 120, "not below");
        assertEq(stateOf(a, p.trade.hashlock).status, 3, "all paid: closed");
    }

    function test_a_refusal_or_timeout_after_a_claim_alarms() public {
        Position memory p = direct(300);
        send(p);
        vm.warp(E + 100);
        deliver(a, p.trade.tradeId, 120);
        a.app.claim(termsIn(p), abi.encode(PREIMAGE), proofOf(0, 120));
        uint256 ann = a.app.balanceOf(vm.addr(ANN));
        uint256 state = vm.snapshotState();
        vm.recordLogs();
        acknowledge(p, bytes.concat(SENTINEL));
        assertEq(alarmed(), 2, "SENTINEL_AFTER_CLAIM");
        assertEq(a.app.balanceOf(vm.addr(ANN)), ann + 180 * PRICE_IN, "what is unclaimed goes back");
        vm.revertToState(state);
        vm.recordLogs();
        timeOut(p, TAU);
        assertEq(alarmed(), 4, "TIMEOUT_AFTER_CLAIM");
    }

    function test_a_timeout_before_tau_is_refused_and_from_tau_refunds() public {
        Position memory p = direct(300);
        send(p);
        uint256 ann = a.app.balanceOf(vm.addr(ANN));
        vm.warp(TAU + 10);
        try this.timeOutAt(p, TAU - 1) {
            assertEq(a.app.balanceOf(vm.addr(ANN)), ann, "nothing happened");
        } catch {}
        timeOut(p, TAU);
        assertEq(a.app.balanceOf(vm.addr(ANN)), ann + 300 * PRICE_IN, "refunded");
        assertEq(stateOf(a, p.trade.hashlock).status, 3, "closed");
    }

    function timeOutAt(Position memory p, uint64 timestamp) external {
        timeOut(p, timestamp);
    }
}
