// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IHost} from "tieline/host/IHost.sol";
import {Acknowledge, Packet, Proof, Receive, Timeout} from "tieline/host/Types.sol";

import {Attestors} from "../support/Attestors.sol";
import {ProbeApp} from "../support/ProbeApp.sol";
import {Vm} from "../support/Vm.sol";

/// @title A host with one paired client of a ledger with four attestors, three of whom suffice
abstract contract HostTest is Attestors {
    bytes32 internal constant GENESIS = keccak256("genesis");
    bytes32 internal constant NETWORK = keccak256("network");
    uint64 internal constant START = 1_795_262_437;
    uint64 internal constant HEIGHT = 100;
    string internal constant LOCAL = "attestations-0";
    string internal constant REMOTE = "07-tendermint-7";
    bytes internal constant VALUE = hex"0102030405";
    bytes internal constant ANSWER = hex"a0a1";
    bytes internal constant EVIDENCE = hex"e0";

    IHost internal host;
    ProbeApp internal app;
    uint64 internal client;

    function setUp() public virtual {
        vm.warp(START);
        address foreseen = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        host = IHost(deployArtifact("Host", abi.encode(GENESIS, NETWORK, address(this), foreseen)));
        app = new ProbeApp(host);
        assertEq(address(app), host.APP(), "the application is where it was foreseen");
        client = host.createClient(raise(1, 4), 3, HEIGHT, START - 10);
        host.registerCounterparty(client, REMOTE);
    }

    // Paths and commitments, written down a second time.

    function pathOf(string memory id, uint8 kind, uint64 sequence) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(id, kind, sequence));
    }

    function commit(string memory dest, uint64 timeoutTimestamp, bytes memory value) internal pure returns (bytes32) {
        bytes32 payload = sha256(
            bytes.concat(
                sha256("energytrade"),
                sha256("energytrade"),
                sha256("tieline-trade-1"),
                sha256("application/x-solidity-abi"),
                sha256(value)
            )
        );
        return sha256(
            bytes.concat(
                hex"02",
                sha256(bytes(dest)),
                sha256(bytes.concat(bytes8(timeoutTimestamp))),
                sha256(bytes.concat(payload))
            )
        );
    }

    function commitAnswer(bytes memory answer) internal pure returns (bytes32) {
        return sha256(bytes.concat(hex"02", sha256(answer)));
    }

    // Packets from over there.

    function inbound(uint64 sequence) internal view returns (Packet memory) {
        return Packet(sequence, uint64(block.timestamp) + 100, VALUE);
    }

    function attested(Packet memory packet) internal view returns (Proof memory) {
        return attestOne(
            HEIGHT, pathOf(REMOTE, 1, packet.sequence), commit(LOCAL, packet.timeoutTimestamp, packet.value), 3
        );
    }

    function attestedAll(Packet[] memory packets) internal view returns (Proof memory) {
        bytes32[] memory paths = new bytes32[](packets.length);
        bytes32[] memory values = new bytes32[](packets.length);
        for (uint256 i = 0; i < packets.length; ++i) {
            paths[i] = pathOf(REMOTE, 1, packets[i].sequence);
            values[i] = commit(LOCAL, packets[i].timeoutTimestamp, packets[i].value);
        }
        return attestMany(HEIGHT, paths, values, 3);
    }

    function receiveOne(Packet memory packet, Proof memory proof) internal {
        host.receivePackets(client, none(), proof, list(packet));
    }

    function list(Packet memory packet) internal pure returns (Receive[] memory items) {
        items = new Receive[](1);
        items[0] = Receive(packet, 0, EVIDENCE);
    }

    // Packets from here.

    function sendOne() internal returns (Packet memory packet) {
        packet = Packet(0, uint64(block.timestamp) + 100, VALUE);
        (packet.sequence,) = app.send(client, packet.timeoutTimestamp, packet.value);
    }

    function answered(Packet memory packet, bytes memory answer) internal view returns (Proof memory) {
        return attestOne(HEIGHT, pathOf(REMOTE, 3, packet.sequence), commitAnswer(answer), 3);
    }

    function acknowledgeOne(Packet memory packet, bytes memory answer, Proof memory proof) internal {
        Acknowledge[] memory items = new Acknowledge[](1);
        items[0] = Acknowledge(packet, 0, answer);
        host.acknowledgePackets(client, none(), proof, items);
    }

    /// @notice Let the other ledger's clock reach *timestamp* at *height*, there the packet is absent.
    function absent(Packet memory packet, uint64 height, uint64 timestamp)
        internal
        returns (Proof memory proof)
    {
        vm.warp(timestamp);
        host.updateClient(client, attestState(height, timestamp, 3));
        proof = attestOne(height, pathOf(REMOTE, 2, packet.sequence), 0, 3);
    }

    function timeOutOne(Packet memory packet, Proof memory proof) internal {
        Timeout[] memory items = new Timeout[](1);
        items[0] = Timeout(packet, 0);
        host.timeoutPackets(client, none(), proof, items);
    }

    // What was told.

    function logged(bytes32 topic) internal returns (uint256 count, bytes memory data) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != topic) continue;
            ++count;
            data = logs[i].data;
        }
    }

    /// @notice Check that a packet was skipped for *reason*, and say nothing was left of it.
    function assertSkipped(uint64 sequence, bytes memory reason) internal {
        (uint256 count, bytes memory data) = logged(IHost.PacketSkipped.selector);
        assertEq(count, 1, "one packet skipped");
        assertEq(abi.decode(data, (bytes)), reason, "the reason");
        assertEq(host.stored(client, 2, sequence), 0, "no receipt");
    }
}
