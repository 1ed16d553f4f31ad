// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IHost} from "tieline/host/IHost.sol";
import {Acknowledge, Packet, Proof, Receive, Timeout} from "tieline/host/Types.sol";

import {ProbeApp} from "../support/ProbeApp.sol";
import {HostTest} from "./HostTest.sol";

/// @title A packet's life on the host: sent, received, answered, ended, each at most once
contract PacketsTest is HostTest {
    function test_a_sent_packet_is_stored_where_a_stock_light_client_looks() external {
        Packet memory packet = sendOne();
        bytes32 path = pathOf(LOCAL, 1, packet.sequence);
        bytes32 base = 0x1260944489272988d9df285149b5aa1b0f48f2136d6f416159f840a3e0747600;
        bytes32 value = vm.load(address(host), keccak256(abi.encode(path, base)));
        assertEq(value, commit(REMOTE, packet.timeoutTimestamp, VALUE), "in storage");
        assertEq(host.getCommitment(path), value, "by path");
        assertEq(host.client(client).nextSequence, 2, "counted on");
    }

    function test_the_send_event_holds_the_packet_as_protobuf() external {
        vm.recordLogs();
        Packet memory packet = sendOne();
        (, bytes memory data) = logged(IHost.PacketSent.selector);
        bytes memory payload = bytes.concat(
            hex"0a0b", "energytrade", hex"120b", "energytrade", hex"1a0f", "tieline-trade-1", hex"221a",
            "application/x-solidity-abi", hex"2a05", VALUE
        );
        bytes memory expected = bytes.concat(
            hex"0801", hex"120e", bytes(LOCAL), hex"1a0f", bytes(REMOTE), hex"20", varint(packet.timeoutTimestamp),
            hex"2a", varint(payload.length), payload
        );
        assertEq(abi.decode(data, (bytes)), expected, "protobuf");
    }

    function test_only_the_application_sends_and_answers() external {
        vm.expectRevert(abi.encodeWithSelector(IHost.NotTheApp.selector, address(this)));
        host.sendPacket(client, START + 100, VALUE);
        vm.expectRevert(abi.encodeWithSelector(IHost.NotTheApp.selector, address(this)));
        host.writeAcknowledgement(client, 1, bytes32(uint256(1)), ANSWER);
    }

    function test_a_timeout_is_after_now_after_the_other_ledgers_time_and_within_a_day() external {
        vm.expectRevert(abi.encodeWithSelector(IHost.TimeoutElapsed.selector, START, START));
        app.send(client, START, VALUE);
        vm.expectRevert(
            abi.encodeWithSelector(IHost.TimeoutTooFarAhead.selector, START + 1 days + 1, START + 1 days)
        );
        app.send(client, START + 1 days + 1, VALUE);
        host.updateClient(client, attestState(HEIGHT + 1, START + 15, 3));
        vm.expectRevert(abi.encodeWithSelector(IHost.TimeoutElapsed.selector, START + 15, START + 15));
        app.send(client, START + 15, VALUE);
        app.send(client, START + 16, VALUE);
        app.send(client, START + 1 days, VALUE);
    }

    function test_nothing_is_sent_empty_or_over_the_bound() external {
        vm.expectRevert(IHost.PayloadInvalid.selector);
        app.send(client, START + 100, "");
        vm.expectRevert(IHost.PayloadInvalid.selector);
        app.send(client, START + 100, new bytes(256 * 1024 + 1));
    }

    function test_a_received_packet_waits_with_its_commitment_as_receipt() external {
        Packet memory packet = inbound(1);
        bytes32 commitment = commit(LOCAL, packet.timeoutTimestamp, VALUE);
        vm.expectEmit(true, true, true, false, address(host));
        emit IHost.PacketReceived(client, 1, commitment, "");
        receiveOne(packet, attested(packet));
        assertEq(host.stored(client, 2, 1), commitment, "receipt");
        assertEq(host.stored(client, 3, 1), 0, "no answer yet");
        assertEq(app.received(), 1, "the application was asked");
        assertEq(app.lastEvidence(), EVIDENCE, "with what came beside it");
        (uint64 number, uint64 sequence, uint64 timeout, bytes32 id, bytes32 said) = app.last();
        assertTrue(number == client && sequence == 1 && timeout == packet.timeoutTimestamp, "which packet");
        assertEq(id, keccak256(bytes(LOCAL)), "client hash");
        assertEq(said, commitment, "commitment");
    }

    function test_a_late_answer_is_for_the_packet_received_and_written_once() external {
        Packet memory packet = inbound(1);
        receiveOne(packet, attested(packet));
        bytes32 commitment = host.stored(client, 2, 1);
        vm.expectRevert(abi.encodeWithSelector(IHost.PacketNotReceived.selector, client, 1));
        app.write(client, 1, keccak256("another packet"), ANSWER);
        vm.expectRevert(abi.encodeWithSelector(IHost.PacketNotReceived.selector, client, 2));
        app.write(client, 2, 0, ANSWER);
        app.write(client, 1, commitment, ANSWER);
        assertEq(host.stored(client, 3, 1), commitAnswer(ANSWER), "answer");
        vm.expectRevert(abi.encodeWithSelector(IHost.AcknowledgementExists.selector, client, 1));
        app.write(client, 1, commitment, ANSWER);
    }

    function test_an_answer_is_neither_empty_nor_over_the_bound() external {
        Packet memory packet = inbound(1);
        receiveOne(packet, attested(packet));
        bytes32 commitment = host.stored(client, 2, 1);
        vm.expectRevert(IHost.AcknowledgementInvalid.selector);
        app.write(client, 1, commitment, "");
        vm.expectRevert(IHost.AcknowledgementInvalid.selector);
        app.write(client, 1, commitment, new bytes(64 * 1024 + 1));
    }

    function test_an_application_that_refuses_answers_with_the_sentinel() external {
        app.set(ProbeApp.Mood.REFUSE, "");
        Packet memory packet = inbound(1);
        receiveOne(packet, attested(packet));
        bytes32 known = 0xe2fb30dfbf7abdeaca82d426534d2b3a9d5444dd2a87fa16d38b77ba1a13ced7;
        assertEq(host.stored(client, 3, 1), known, "the sentinel's commitment");
        assertTrue(host.stored(client, 2, 1) != 0, "receipt");
    }

    function test_an_application_that_is_not_ready_leaves_no_receipt_and_the_packet_may_come_again() external {
        app.set(ProbeApp.Mood.NOT_YET, "");
        Packet memory packet = inbound(1);
        Proof memory proof = attested(packet);
        vm.recordLogs();
        receiveOne(packet, proof);
        assertSkipped(1, abi.encodeWithSelector(ProbeApp.NotYet.selector, 1));
        app.set(ProbeApp.Mood.LATER, "");
        receiveOne(packet, proof);
        assertEq(app.received(), 1, "received at the second try");
    }

    function test_a_repeat_is_an_event_and_nothing_else_even_after_the_timeout() external {
        Packet memory packet = inbound(1);
        Proof memory proof = attested(packet);
        receiveOne(packet, proof);
        vm.warp(packet.timeoutTimestamp + 1);
        vm.expectEmit(true, true, true, true, address(host));
        emit IHost.PacketRepeated(client, 1, 2);
        receiveOne(packet, proof);
        assertEq(app.received(), 1, "received once");
    }

    function test_a_packet_is_received_a_second_before_its_timeout_and_not_at_it() external {
        Packet memory early = inbound(1);
        Packet memory late = inbound(2);
        Proof memory proofOfEarly = attested(early);
        Proof memory proofOfLate = attested(late);
        vm.warp(early.timeoutTimestamp - 1);
        receiveOne(early, proofOfEarly);
        assertEq(app.received(), 1, "in time");
        vm.warp(late.timeoutTimestamp);
        vm.recordLogs();
        receiveOne(late, proofOfLate);
        assertSkipped(
            2, abi.encodeWithSelector(IHost.TimeoutElapsed.selector, late.timeoutTimestamp, late.timeoutTimestamp)
        );
    }

    function test_a_batch_skips_its_bad_packets_and_takes_the_others() external {
        Packet[] memory packets = new Packet[](5);
        for (uint64 i = 0; i < 5; ++i) packets[i] = inbound(i + 1);
        packets[1].timeoutTimestamp = uint64(block.timestamp);
        packets[3].value = hex"0bad";
        Proof memory proof = attestedAll(packets);
        packets[2].value = hex"ffff"; // not what was attested
        Receive[] memory items = new Receive[](5);
        for (uint256 i = 0; i < 5; ++i) items[i] = Receive(packets[i], i, "");
        vm.recordLogs();
        host.receivePackets(client, none(), proof, items);
        (uint256 skipped,) = logged(IHost.PacketSkipped.selector);
        assertEq(skipped, 3, "expired, altered, not ready");
        assertEq(app.received(), 2, "the others were received");
        for (uint64 sequence = 1; sequence <= 5; ++sequence) {
            bool isGood = sequence == 1 || sequence == 5;
            assertTrue((host.stored(client, 2, sequence) != 0) == isGood, "a receipt for the good ones only");
        }
    }

    function test_malformed_packets_are_skipped() external {
        Packet[4] memory bad =
            [Packet(0, START + 9, VALUE), Packet(1, 0, VALUE), Packet(1, 1 << 63, VALUE), Packet(1, START + 9, "")];
        for (uint256 i = 0; i < bad.length; ++i) {
            vm.recordLogs();
            receiveOne(bad[i], attested(bad[i]));
            assertSkipped(bad[i].sequence, abi.encodeWithSelector(IHost.PacketInvalid.selector));
        }
    }

    function test_an_entry_has_to_be_there_and_be_the_packets() external {
        Packet memory packet = inbound(1);
        Proof memory proof = attested(packet);
        Receive[] memory items = list(packet);
        items[0].entry = 1;
        vm.recordLogs();
        host.receivePackets(client, none(), proof, items);
        assertSkipped(1, abi.encodeWithSelector(IHost.EntryUnknown.selector, 1));
        vm.recordLogs();
        receiveOne(inbound(2), proof);
        assertSkipped(2, abi.encodeWithSelector(IHost.PathMismatch.selector, 0));
        packet.timeoutTimestamp += 1;
        vm.recordLogs();
        receiveOne(packet, proof);
        assertSkipped(1, abi.encodeWithSelector(IHost.CommitmentMismatch.selector, 0));
    }

    function test_an_absent_packet_is_not_received() external {
        Packet memory packet = inbound(1);
        vm.recordLogs();
        receiveOne(packet, attestOne(HEIGHT, pathOf(REMOTE, 1, 1), 0, 3));
        assertSkipped(1, abi.encodeWithSelector(IHost.CommitmentMismatch.selector, 0));
    }

    function test_an_acknowledgement_ends_a_packet_once() external {
        Packet memory packet = sendOne();
        Proof memory proof = answered(packet, ANSWER);
        acknowledgeOne(packet, ANSWER, proof);
        assertEq(host.stored(client, 1, 1), 0, "cleared");
        assertEq(app.answer(), ANSWER, "the application learned it");
        vm.expectEmit(true, true, true, true, address(host));
        emit IHost.PacketRepeated(client, 1, 1);
        acknowledgeOne(packet, ANSWER, proof);
        timeOutOne(packet, absent(packet, HEIGHT + 1, packet.timeoutTimestamp));
        assertEq(app.acknowledged() + app.timedOut(), 1, "one end");
    }

    function test_an_acknowledgement_is_of_the_packet_that_was_sent_and_the_answer_that_is_proved() external {
        Packet memory packet = sendOne();
        Proof memory proof = answered(packet, ANSWER);
        vm.expectRevert(abi.encodeWithSelector(IHost.CommitmentMismatch.selector, 0));
        this.acknowledgeOutside(packet, hex"a0a2", proof);
        packet.timeoutTimestamp += 1;
        vm.expectRevert(abi.encodeWithSelector(IHost.PacketMismatch.selector, client, 1));
        this.acknowledgeOutside(packet, ANSWER, proof);
        assertTrue(host.stored(client, 1, 1) != 0, "still open");
    }

    function test_a_timeout_ends_a_packet_once_and_not_before_the_other_clock_says_so() external {
        Packet memory packet = sendOne();
        Proof memory early = absent(packet, HEIGHT + 1, packet.timeoutTimestamp - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IHost.TimeoutNotReached.selector, packet.timeoutTimestamp, packet.timeoutTimestamp - 1
            )
        );
        this.timeOutOutside(packet, early);
        Proof memory proof = absent(packet, HEIGHT + 2, packet.timeoutTimestamp);
        timeOutOne(packet, proof);
        assertEq(app.timedOut(), 1, "the application learned it");
        vm.expectEmit(true, true, true, true, address(host));
        emit IHost.PacketRepeated(client, 1, 1);
        timeOutOne(packet, proof);
        acknowledgeOne(packet, ANSWER, answered(packet, ANSWER));
        assertEq(app.acknowledged() + app.timedOut(), 1, "one end");
    }

    function test_a_received_packet_does_not_time_out() external {
        Packet memory packet = sendOne();
        absent(packet, HEIGHT + 1, packet.timeoutTimestamp);
        Proof memory proof = attestOne(HEIGHT + 1, pathOf(REMOTE, 2, 1), keccak256("receipt"), 3);
        vm.expectRevert(abi.encodeWithSelector(IHost.CommitmentMismatch.selector, 0));
        this.timeOutOutside(packet, proof);
    }

    function test_a_pause_stops_sends_and_receives_and_no_exit() external {
        Packet memory first = sendOne();
        Packet memory second = sendOne();
        Packet memory packet = inbound(1);
        host.setPause(client, true, true);
        vm.expectRevert(abi.encodeWithSelector(IHost.ClientPaused.selector, client));
        app.send(client, START + 100, VALUE);
        Proof memory proof = attested(packet);
        vm.expectRevert(abi.encodeWithSelector(IHost.ClientPaused.selector, client));
        this.receiveOutside(packet, proof);
        acknowledgeOne(first, ANSWER, answered(first, ANSWER));
        timeOutOne(second, absent(second, HEIGHT + 1, second.timeoutTimestamp));
        assertEq(app.acknowledged() + app.timedOut(), 2, "both ended");
        host.setPause(client, false, false);
        app.send(client, uint64(block.timestamp) + 100, VALUE);
    }

    function test_a_pause_ends_by_itself_and_may_be_said_again() external {
        Packet memory packet = Packet(1, START + 2000, VALUE);
        Proof memory proof = attested(packet);
        host.setPause(client, true, true);
        vm.warp(START + 899);
        bytes memory refusal = abi.encodeWithSelector(IHost.ClientPaused.selector, client);
        vm.expectRevert(refusal);
        this.receiveOutside(packet, proof);
        host.setPause(client, true, true);
        vm.warp(START + 1798);
        vm.expectRevert(refusal);
        this.receiveOutside(packet, proof);
        vm.warp(START + 1799);
        receiveOne(packet, proof);
        vm.warp(START + 899 + 1 days - 1);
        vm.expectRevert(refusal);
        app.send(client, uint64(block.timestamp) + 100, VALUE);
        vm.warp(START + 899 + 1 days);
        app.send(client, uint64(block.timestamp) + 100, VALUE);
        assertEq(host.client(client).receivesPausedUntil, START + 1799, "shown");
    }

    function test_an_application_that_reenters_finds_everything_written() external {
        Packet memory packet = inbound(1);
        Proof memory proof = attested(packet);
        app.set(ProbeApp.Mood.REENTER, abi.encodeCall(IHost.receivePackets, (client, none(), proof, list(packet))));
        receiveOne(packet, proof);
        assertEq(app.received(), 1, "received once");
        Packet memory sent = sendOne();
        proof = answered(sent, ANSWER);
        Acknowledge[] memory acks = new Acknowledge[](1);
        acks[0] = Acknowledge(sent, 0, ANSWER);
        app.set(ProbeApp.Mood.REENTER, abi.encodeCall(IHost.acknowledgePackets, (client, none(), proof, acks)));
        acknowledgeOne(sent, ANSWER, proof);
        assertEq(app.acknowledged(), 1, "acknowledged once");
        sent = sendOne();
        proof = absent(sent, HEIGHT + 1, sent.timeoutTimestamp);
        Timeout[] memory timeouts = new Timeout[](1);
        timeouts[0] = Timeout(sent, 0);
        app.set(ProbeApp.Mood.REENTER, abi.encodeCall(IHost.timeoutPackets, (client, none(), proof, timeouts)));
        timeOutOne(sent, proof);
        assertEq(app.timedOut(), 1, "timed out once");
    }

    function test_an_application_may_answer_while_it_is_asked() external {
        Packet memory packet = inbound(1);
        bytes32 commitment = commit(LOCAL, packet.timeoutTimestamp, VALUE);
        app.set(
            ProbeApp.Mood.REENTER, abi.encodeCall(IHost.writeAcknowledgement, (client, 1, commitment, ANSWER))
        );
        receiveOne(packet, attested(packet));
        assertEq(host.stored(client, 3, 1), commitAnswer(ANSWER), "answer");
    }

    function test_updates_come_along_with_packets() external {
        Packet memory packet = inbound(1);
        Proof memory update = attestState(HEIGHT + 5, START, 3);
        bytes32 commitment = commit(LOCAL, packet.timeoutTimestamp, VALUE);
        Proof memory proof = attestOne(HEIGHT + 5, pathOf(REMOTE, 1, 1), commitment, 3);
        host.receivePackets(client, update, proof, list(packet));
        assertEq(app.received(), 1, "received under the new height");
        assertEq(host.timestampAt(client, HEIGHT + 5), START, "height known");
    }

    function test_one_transaction_carries_a_whole_batch() external {
        Packet memory sent = sendOne();
        Packet memory packet = inbound(1);
        Acknowledge[] memory acks = new Acknowledge[](1);
        acks[0] = Acknowledge(sent, 0, ANSWER);
        bytes[] memory calls = new bytes[](3);
        calls[0] = abi.encodeCall(IHost.updateClient, (client, attestState(HEIGHT + 1, START, 3)));
        calls[1] = abi.encodeCall(IHost.receivePackets, (client, none(), attested(packet), list(packet)));
        calls[2] = abi.encodeCall(IHost.acknowledgePackets, (client, none(), answered(sent, ANSWER), acks));
        host.multicall(calls);
        assertEq(app.received() + app.acknowledged(), 2, "both done");
    }

    // Called from outside, so that `expectRevert` has one call to look at.

    function receiveOutside(Packet memory packet, Proof memory proof) external {
        receiveOne(packet, proof);
    }

    function acknowledgeOutside(Packet memory packet, bytes memory answer, Proof memory proof) external {
        acknowledgeOne(packet, answer, proof);
    }

    function timeOutOutside(Packet memory packet, Proof memory proof) external {
        timeOutOne(packet, proof);
    }

    function varint(uint256 number) private pure returns (bytes memory encoded) {
        while (number >= 128) {
            encoded = bytes.concat(encoded, bytes1(uint8(number & 127) | 128));
            number >>= 7;
        }
        encoded = bytes.concat(encoded, bytes1(uint8(number)));
    }
}
