// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IHost} from "tieline/host/IHost.sol";
import {Packet, Payload, Proof, WholePacket} from "tieline/host/Types.sol";

import {HostTest} from "./HostTest.sol";

/// @title Packets that nobody here understands, and calls that fail together
contract ForeignTest is HostTest {
    function test_a_foreign_packet_is_skipped_with_its_reason_and_without_a_receipt() external {
        string[4] memory names = ["energytrade", "energytrade", "tieline-trade-1", "application/x-solidity-abi"];
        for (uint256 i = 0; i < 4; ++i) {
            string[4] memory spoken = [names[0], names[1], names[2], names[3]];
            spoken[i] = "something else";
            WholePacket memory packet = whole(spoken);
            vm.recordLogs();
            host.skipPacket(client, none(), proofOf(packet), packet, 0);
            assertSkipped(1, abi.encodeWithSelector(IHost.LanguageUnknown.selector));
        }
        assertEq(app.received(), 0, "the application was not asked");
    }

    function test_what_is_spoken_here_is_not_skipped() external {
        WholePacket memory packet = whole(ours());
        Proof memory proof = proofOf(packet);
        vm.expectRevert(IHost.PacketSpoken.selector);
        host.skipPacket(client, none(), proof, packet, 0);
    }

    function test_a_foreign_packet_has_one_payload_and_goes_between_the_pair() external {
        WholePacket memory packet = foreign();
        Proof memory proof = proofOf(packet);
        packet.destClient = "attestations-1";
        refuse(packet, proof, abi.encodeWithSelector(IHost.CounterpartyMismatch.selector, client));
        packet.destClient = LOCAL;
        packet.sourceClient = "07-tendermint-8";
        refuse(packet, proof, abi.encodeWithSelector(IHost.CounterpartyMismatch.selector, client));
        packet.sourceClient = REMOTE;
        packet.payloads = new Payload[](2);
        refuse(packet, proof, abi.encodeWithSelector(IHost.PayloadInvalid.selector));
        packet.payloads = new Payload[](0);
        refuse(packet, proof, abi.encodeWithSelector(IHost.PayloadInvalid.selector));
    }

    function test_a_foreign_packet_that_is_not_proved_says_so() external {
        WholePacket memory packet = foreign();
        Proof memory proof = proofOf(packet);
        packet.timeoutTimestamp += 1;
        vm.recordLogs();
        host.skipPacket(client, none(), proof, packet, 0);
        assertSkipped(1, abi.encodeWithSelector(IHost.CommitmentMismatch.selector, 0));
    }

    function test_calls_in_one_fail_together() external {
        Packet memory packet = inbound(1);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(IHost.receivePackets, (client, none(), attested(packet), list(packet)));
        calls[1] = abi.encodeCall(IHost.updateClient, (client, attestState(HEIGHT + 1, START, 2)));
        vm.expectRevert(abi.encodeWithSelector(IHost.QuorumNotMet.selector, 3, 2));
        host.multicall(calls);
        assertEq(host.stored(client, 2, 1), 0, "nothing was received");
    }

    function refuse(WholePacket memory packet, Proof memory proof, bytes memory reason) private {
        vm.expectRevert(reason);
        host.skipPacket(client, none(), proof, packet, 0);
    }

    function ours() private pure returns (string[4] memory) {
        return ["energytrade", "energytrade", "tieline-trade-1", "application/x-solidity-abi"];
    }

    function foreign() private pure returns (WholePacket memory) {
        return whole(["transfer", "transfer", "ics20-1", "application/json"]);
    }

    function whole(string[4] memory names) private pure returns (WholePacket memory packet) {
        packet.sequence = 1;
        packet.sourceClient = REMOTE;
        packet.destClient = LOCAL;
        packet.timeoutTimestamp = START + 100;
        packet.payloads = new Payload[](1);
        packet.payloads[0] = Payload(names[0], names[1], names[2], names[3], VALUE);
    }

    function proofOf(WholePacket memory packet) private view returns (Proof memory) {
        Payload memory payload = packet.payloads[0];
        bytes32 hash = sha256(
            bytes.concat(
                sha256(bytes(payload.sourcePort)),
                sha256(bytes(payload.destPort)),
                sha256(bytes(payload.version)),
                sha256(bytes(payload.encoding)),
                sha256(payload.value)
            )
        );
        bytes32 commitment = sha256(
            bytes.concat(
                hex"02",
                sha256(bytes(packet.destClient)),
                sha256(bytes.concat(bytes8(packet.timeoutTimestamp))),
                sha256(bytes.concat(hash))
            )
        );
        return attestOne(HEIGHT, pathOf(REMOTE, 1, packet.sequence), commitment, 3);
    }
}
