// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IHost} from "tieline/host/IHost.sol";
import {Packet, Proof, Receive} from "tieline/host/Types.sol";

import {ProbeApp} from "../support/ProbeApp.sol";
import {HostTest} from "./HostTest.sol";

/// @title Too little gas never makes an answer, and no packet of a batch can cost the others theirs
contract GasTest is HostTest {
    function test_an_application_that_burns_all_gas_reverts_the_whole_call() external {
        app.set(ProbeApp.Mood.BURN, "");
        Packet memory packet = inbound(1);
        bytes memory call = abi.encodeCall(IHost.receivePackets, (client, none(), attested(packet), list(packet)));
        (bool done, bytes memory reason) = address(host).call{gas: 3_000_000}(call);
        assertTrue(!done, "reverted");
        assertEq(reason, abi.encodeWithSelector(IHost.AppWithoutReason.selector, client, 1), "the reason");
    }

    function test_an_application_that_reverts_without_a_reason_reverts_the_whole_call() external {
        app.set(ProbeApp.Mood.SILENT, "");
        Packet memory packet = inbound(1);
        Proof memory proof = attested(packet);
        vm.expectRevert(abi.encodeWithSelector(IHost.AppWithoutReason.selector, client, 1));
        this.receiveOutside(packet, proof);
    }

    function testFuzz_whatever_gas_is_given_a_good_packet_is_received_or_nothing_happens(uint256 gas) external {
        gas = bound(gas, 0, 600_000);
        Packet memory packet = inbound(1);
        bytes memory call = abi.encodeCall(IHost.receivePackets, (client, none(), attested(packet), list(packet)));
        vm.recordLogs();
        (bool done,) = address(host).call{gas: gas}(call);
        assertEq(host.stored(client, 3, 1), 0, "never an answer");
        assertTrue(done == (host.stored(client, 2, 1) != 0), "all or nothing");
        (uint256 skipped,) = logged(IHost.PacketSkipped.selector);
        assertEq(skipped, 0, "never skipped");
        if (gas == 600_000) assertTrue(done, "enough");
    }

    function testFuzz_a_batch_under_a_gas_limit_is_whole_or_not_at_all(uint256 gas) external {
        gas = bound(gas, 100_000, 1_600_000);
        Packet[] memory packets = new Packet[](6);
        for (uint64 i = 0; i < 6; ++i) packets[i] = inbound(i + 1);
        Receive[] memory items = new Receive[](6);
        for (uint256 i = 0; i < 6; ++i) items[i] = Receive(packets[i], i, "");
        bytes memory call = abi.encodeCall(IHost.receivePackets, (client, none(), attestedAll(packets), items));
        (bool done,) = address(host).call{gas: gas}(call);
        for (uint64 sequence = 1; sequence <= 6; ++sequence) {
            assertTrue((host.stored(client, 2, sequence) != 0) == done, "all or nothing");
            assertEq(host.stored(client, 3, sequence), 0, "never an answer");
        }
    }

    function testFuzz_a_packet_is_received_as_it_was_committed_or_not_at_all(
        uint64 sequence,
        uint64 ahead,
        bytes calldata value,
        uint8 spoiled
    ) external {
        vm.assume(value.length > 0);
        sequence = uint64(bound(sequence, 1, type(uint64).max - 1));
        Packet memory packet = Packet(sequence, START + uint64(bound(ahead, 1, 1 << 40)), value);
        Proof memory proof = attested(packet);
        spoiled = spoiled % 4;
        if (spoiled == 1) packet.sequence += 1;
        if (spoiled == 2) packet.timeoutTimestamp += 1;
        if (spoiled == 3) packet.value = bytes.concat(value, hex"00");
        receiveOne(packet, proof);
        bool isReady = !(value.length > 1 && value[0] == 0x0b && value[1] == 0xad);
        assertTrue((app.received() == 1) == (spoiled == 0 && isReady), "only what was committed");
    }

    function receiveOutside(Packet memory packet, Proof memory proof) external {
        receiveOne(packet, proof);
    }
}
