// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Ibc} from "tieline/host/Ibc.sol";
import {IHost} from "tieline/host/IHost.sol";
import {Acknowledge, Packet, Payload, Proof, Timeout, WholePacket} from "tieline/host/Types.sol";

import {ProbeApp} from "../support/ProbeApp.sol";
import {ProtobufReader} from "../support/ProtobufReader.sol";
import {Test} from "../support/Test.sol";
import {Vm} from "../support/Vm.sol";

/// @dev The formulas, reachable from outside.
contract Formulas {
    function commitWhole(WholePacket calldata packet) external pure returns (bytes32) {
        return Ibc.commitWhole(packet);
    }

    function commitAcknowledgement(bytes calldata answer) external pure returns (bytes32) {
        return Ibc.commitAcknowledgement(answer);
    }
}

/// @title The golden cases of IBC v2 commitments and of ibc-go's attestations client
/// @notice All 25 cases were executed by a stock ibc-go v11.2 chain. The host takes what that chain took but
/// three, on purpose: v 0/1, high s, time that falls with height; and refuses all that it refused. Signatures
/// come sorted by signer here, as relayers bring them; ibc-go takes any order.
contract VectorsTest is Test {
    string private constant _VECTORS = "../../../tests/vectors/";
    bytes private constant _STOCK_ANSWER = '{"result":"AQ=="}';

    string private json;
    IHost private host;
    ProbeApp private app;
    uint64 private client;
    Packet private late;

    function test_packets_and_answers_are_committed_to_as_ibc_go_does() external {
        Formulas formulas = new Formulas();
        string memory file = vm.readFile(string.concat(_VECTORS, "ibc_v2_commitments.json"));
        WholePacket memory packet;
        packet.sequence = uint64(vm.parseJsonUint(file, ".packet.sequence"));
        packet.sourceClient = vm.parseJsonString(file, ".packet.source_client");
        packet.destClient = vm.parseJsonString(file, ".packet.destination_client");
        packet.timeoutTimestamp = uint64(vm.parseJsonUint(file, ".packet.timeout_timestamp_s"));
        packet.payloads = new Payload[](1);
        packet.payloads[0] = Payload(
            vm.parseJsonString(file, ".packet.payload.source_port"),
            vm.parseJsonString(file, ".packet.payload.destination_port"),
            vm.parseJsonString(file, ".packet.payload.version"),
            vm.parseJsonString(file, ".packet.payload.encoding"),
            bytes(vm.parseJsonString(file, ".packet.payload.value"))
        );
        assertEq(formulas.commitWhole(packet), hash(file, ".packet_commitment"), "packet");
        assertEq(formulas.commitAcknowledgement("some bytes"), hash(file, ".ack_some_bytes_commitment"), "answer");
        assertEq(Ibc.SENTINEL, hash(file, ".universal_error_ack"), "sentinel");
        bytes32 refusal = formulas.commitAcknowledgement(abi.encodePacked(Ibc.SENTINEL));
        assertEq(refusal, hash(file, ".universal_error_ack_commitment"), "its commitment");
    }

    function test_the_host_judges_attestations_as_ibc_go_or_stricter() external {
        begin();
        uint256 count = 0;
        for (; vm.keyExistsJson(json, key(count, "name")); ++count) {
            string memory name = vm.parseJsonString(json, key(count, "name"));
            (bool accepted, bytes4 reason) = judge(count);
            bytes4 expected = refusalOf(count);
            assertEq(bytes32(reason), bytes32(expected), name);
            assertTrue(accepted == (expected == 0), name);
        }
        assertEq(count, 25, "all cases");
        assertTrue(host.client(client).frozen, "frozen by the last but one");
    }

    /// @notice What the host says of each case; 0: it accepts.
    function refusalOf(uint256 index) private pure returns (bytes4) {
        if (index == 0) return IHost.QuorumNotMet.selector;
        if (index >= 1 && index <= 4) return IHost.SignerInvalid.selector;
        if (index == 5) return IHost.SignatureInvalid.selector;
        if (index == 7 || index == 9) return IHost.SignatureInvalid.selector; // ibc-go: accepted
        if (index == 11) return IHost.TimestampNotMonotone.selector; // ibc-go: accepted
        if (index == 12) return IHost.PathMismatch.selector;
        if (index == 13) return IHost.AttestationMalformed.selector;
        if (index == 14) return IHost.HeightUnknown.selector;
        // ibc-go: the height is known, and differs from the proof's. Here case 7 was not believed.
        if (index == 15) return IHost.HeightUnknown.selector;
        if (index == 16) return IHost.SignerInvalid.selector;
        if (index == 20) return IHost.CommitmentMismatch.selector;
        if (index == 21) return IHost.PathMismatch.selector;
        if (index == 24) return IHost.ClientIsFrozen.selector;
        return 0;
    }

    function judge(uint256 index) private returns (bool accepted, bytes4 reason) {
        bytes memory data = unhex(key(index, "attestation_data"));
        bytes32 digest = hash(json, key(index, "digest"));
        uint8 tag = uint8(vm.parseJsonUint(json, key(index, "tag")));
        assertEq(sha256(bytes.concat(bytes1(tag), sha256(data))), digest, "digest");
        Proof memory proof = Proof(data, sorted(digest, vm.parseJsonStringArray(json, key(index, "signatures"))));
        if (tag == 1) return call(abi.encodeCall(IHost.updateClient, (client, proof)));
        if (index < 18) return skip(index, proof);
        return index == 18 ? acknowledge(proof) : timeOut(proof);
    }

    /// @notice The vectors' packets are ICS-20's, which nobody here speaks: proved ones are skipped for that.
    function skip(uint256 index, Proof memory proof) private returns (bool accepted, bytes4 reason) {
        WholePacket memory packet = ProtobufReader.readPacket(unhex(key(index, "packet_protobuf")));
        uint256 entry = index == 17 ? 1 : 0;
        vm.recordLogs();
        (accepted, reason) = call(abi.encodeCall(IHost.skipPacket, (client, Proof("", ""), proof, packet, entry)));
        if (!accepted) return (accepted, reason);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        reason = bytes4(abi.decode(logs[0].data, (bytes)));
        return reason == IHost.LanguageUnknown.selector ? (true, bytes4(0)) : (false, reason);
    }

    /// @notice The vector's path and answer fit our own first packet as well.
    function acknowledge(Proof memory proof) private returns (bool, bytes4) {
        Packet memory packet = Packet(0, uint64(block.timestamp) + 60, "value");
        (packet.sequence,) = app.send(client, packet.timeoutTimestamp, packet.value);
        Acknowledge[] memory items = new Acknowledge[](1);
        items[0] = Acknowledge(packet, 0, _STOCK_ANSWER);
        sendLate();
        return call(abi.encodeCall(IHost.acknowledgePackets, (client, Proof("", ""), proof, items)));
    }

    /// @notice The path of its timeouts fits our second one, which was sent while that was possible.
    function timeOut(Proof memory proof) private returns (bool, bytes4) {
        Timeout[] memory items = new Timeout[](1);
        items[0] = Timeout(late, 0);
        return call(abi.encodeCall(IHost.timeoutPackets, (client, Proof("", ""), proof, items)));
    }

    function sendLate() private {
        late.value = "value";
        late.timeoutTimestamp = ProtobufReader.readPacket(unhex(key(20, "packet_protobuf"))).timeoutTimestamp;
        (late.sequence,) = app.send(client, late.timeoutTimestamp, late.value);
    }

    function call(bytes memory data) private returns (bool accepted, bytes4 reason) {
        bytes memory answer;
        (accepted, answer) = address(host).call(data);
        if (!accepted) reason = bytes4(answer);
    }

    function begin() private {
        json = vm.readFile(string.concat(_VECTORS, "attestations.json"));
        vm.warp(vm.parseJsonUint(json, ".client.consensus_timestamp_ns") / 1e9 + 30);
        address foreseen = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        bytes memory arguments = abi.encode(bytes32(uint256(1)), bytes32(uint256(2)), address(this), foreseen);
        host = IHost(deployArtifact("Host", arguments));
        app = new ProbeApp(host);
        address[] memory attestors = vm.parseJsonAddressArray(json, ".client.attestor_addresses");
        sort(attestors);
        uint64 time = uint64(vm.parseJsonUint(json, ".client.consensus_timestamp_ns") / 1e9);
        // The vectors' client is the fourth of its chain.
        for (uint256 i = 0; i < 4; ++i) client = host.createClient(attestors, 3, 100, time);
        assertEq(host.clientId(client), vm.parseJsonString(json, ".client.client_id"), "client");
        host.registerCounterparty(client, vm.parseJsonString(json, ".client.counterparty_client_id"));
    }

    function sort(address[] memory list) private pure {
        for (uint256 i = 1; i < list.length; ++i) {
            for (uint256 j = i; j > 0 && list[j - 1] > list[j]; --j) (list[j - 1], list[j]) = (list[j], list[j - 1]);
        }
    }

    /// @notice Signatures by ascending signer; what recovers none goes to the front.
    function sorted(bytes32 digest, string[] memory texts) private pure returns (bytes memory joined) {
        bytes[] memory signatures = new bytes[](texts.length);
        for (uint256 i = 0; i < texts.length; ++i) {
            signatures[i] = vm.parseBytes(string.concat("0x", texts[i]));
            for (uint256 j = i; j > 0 && signer(digest, signatures[j - 1]) > signer(digest, signatures[j]); --j) {
                (signatures[j - 1], signatures[j]) = (signatures[j], signatures[j - 1]);
            }
        }
        for (uint256 i = 0; i < texts.length; ++i) joined = bytes.concat(joined, signatures[i]);
    }

    function signer(bytes32 digest, bytes memory signature) private pure returns (address found) {
        (found,,) = ECDSA.tryRecover(digest, signature);
    }

    function key(uint256 index, string memory field) private pure returns (string memory) {
        return string.concat(".cases[", vm.toString(index), "].", field);
    }

    function hash(string memory file, string memory path) private pure returns (bytes32) {
        return bytes32(vm.parseBytes(string.concat("0x", vm.parseJsonString(file, path))));
    }

    function unhex(string memory path) private view returns (bytes memory) {
        return vm.parseBytes(string.concat("0x", vm.parseJsonString(json, path)));
    }
}
