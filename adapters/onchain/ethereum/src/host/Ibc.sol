// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Packet, Payload, WholePacket} from "./Types.sol";

/// @title IBC v2 packets and answers as 32 bytes, as store keys, and as protobuf
/// @dev As ibc-go v11 `04-channel/v2/types/commitment.go` and `24-host/v2/packet_keys.go`.
library Ibc {
    string internal constant PORT = "energytrade";
    string internal constant VERSION = "tieline-trade-1";
    string internal constant ENCODING = "application/x-solidity-abi";

    uint8 internal constant COMMITMENT = 1;
    uint8 internal constant RECEIPT = 2;
    uint8 internal constant ACKNOWLEDGEMENT = 3;

    /// The only error acknowledgement there is: sha256("UNIVERSAL_ERROR_ACKNOWLEDGEMENT").
    bytes32 internal constant SENTINEL = 0x4774d4a575993f963b1c06573736617a457abef8589178db8d10c94b4ab511ab;

    /// A sender that waits longer holds its funds hostage; ibc-go's `MaxTimeoutDelta`.
    uint64 internal constant TIMEOUT_AHEAD_MAX = 24 hours;
    /// Larger seconds do not fit the time types of Cosmos chains.
    uint64 internal constant TIMESTAMP_MAX = type(uint64).max >> 1;
    /// ibc-go's bound on what all payloads of a packet hold.
    uint256 internal constant VALUE_BYTES_MAX = 256 * 1024;
    /// Ours is 192 bytes; a stranger's is hashed, never kept.
    uint256 internal constant ACKNOWLEDGEMENT_BYTES_MAX = 64 * 1024;

    // sha256 of PORT, VERSION and ENCODING: these never change, and each would be a call.
    bytes32 private constant _PORT_HASH = 0x0d2828d355251267d80659266abe16430b2e7b914f61daaa143115c3b66c6070;
    bytes32 private constant _VERSION_HASH = 0xd4dbeca350df9d093a8e0d7a7626882c7e2ffead02580ee8055157171ddcbac5;
    bytes32 private constant _ENCODING_HASH = 0x173adda0029e29f33006fbeb9174b7f9faf23b8107d61e49faf7c5a0a1ab7f3a;

    // Protobuf `Payload` up to its value: both ports, version, encoding; 71 bytes.
    bytes32 private constant _PAYLOAD_HEAD_0 = 0x0a0b656e657267797472616465120b656e6572677974726164651a0f7469656c;
    bytes32 private constant _PAYLOAD_HEAD_1 = 0x696e652d74726164652d31221a6170706c69636174696f6e2f782d736f6c6964;
    bytes32 private constant _PAYLOAD_HEAD_2 = 0x6974792d61626900000000000000000000000000000000000000000000000000;

    /// @notice Commitment of a packet of the energy trade.
    /// @param destHash sha256 of the id of the client on the destination.
    function commitPacket(bytes32 destHash, Packet calldata packet) internal pure returns (bytes32) {
        return commitTrade(destHash, packet.timeoutTimestamp, packet.value);
    }

    /// @notice The same, from its parts.
    function commitTrade(bytes32 destHash, uint64 timeoutTimestamp, bytes calldata value)
        internal
        pure
        returns (bytes32)
    {
        // Calls precompiles only, which is what Solidity's own sha256 does and calls pure.
        function (bytes32, uint64, bytes calldata) internal view returns (bytes32) hashing = _commitTrade;
        function (bytes32, uint64, bytes calldata) internal pure returns (bytes32) pureHashing;
        assembly ("memory-safe") {
            pureHashing := hashing
        }
        return pureHashing(destHash, timeoutTimestamp, value);
    }

    /// @dev By hand, in memory that is not kept: in Solidity each of the five hashes would copy its input twice.
    function _commitTrade(bytes32 destHash, uint64 timeoutTimestamp, bytes calldata value)
        private
        view
        returns (bytes32 commitment)
    {
        bytes32 portHash = _PORT_HASH;
        bytes32 versionHash = _VERSION_HASH;
        bytes32 encodingHash = _ENCODING_HASH;
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, value.offset, value.length)
            // Precompile 2 is SHA-256; it fails only without gas, and then so does all of this.
            let done := staticcall(gas(), 2, free, value.length, add(free, 128), 32)
            mstore(free, portHash)
            mstore(add(free, 32), portHash)
            mstore(add(free, 64), versionHash)
            mstore(add(free, 96), encodingHash)
            done := and(staticcall(gas(), 2, free, 160, free, 32), done)
            done := and(staticcall(gas(), 2, free, 32, add(free, 65), 32), done)
            mstore(free, shl(192, timeoutTimestamp))
            done := and(staticcall(gas(), 2, free, 8, add(free, 33), 32), done)
            mstore8(free, 2)
            mstore(add(free, 1), destHash)
            done := and(staticcall(gas(), 2, free, 97, 0, 32), done)
            if iszero(done) { revert(0, 0) }
            commitment := mload(0)
        }
    }

    /// @notice Commitment of any packet with one payload.
    function commitWhole(WholePacket calldata packet) internal pure returns (bytes32) {
        Payload calldata payload = packet.payloads[0];
        bytes32 payloadHash = sha256(
            abi.encode(
                sha256(bytes(payload.sourcePort)),
                sha256(bytes(payload.destPort)),
                sha256(bytes(payload.version)),
                sha256(bytes(payload.encoding)),
                sha256(payload.value)
            )
        );
        return _commit(sha256(bytes(packet.destClient)), packet.timeoutTimestamp, payloadHash);
    }

    function _commit(bytes32 destHash, uint64 timeoutTimestamp, bytes32 payloadHash) private pure returns (bytes32) {
        return sha256(
            abi.encodePacked(
                bytes1(0x02),
                destHash,
                sha256(abi.encodePacked(timeoutTimestamp)),
                sha256(abi.encode(payloadHash))
            )
        );
    }

    /// @notice Commitment of the only answer of a packet's only payload.
    function commitAcknowledgement(bytes memory acknowledgement) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x02), sha256(acknowledgement)));
    }

    /// @notice keccak256 of a store key.
    /// @param kind 1 commitment (under the source's client), 2 receipt, 3 acknowledgement (the destination's).
    function hashPath(string memory clientId, uint8 kind, uint64 sequence) internal pure returns (bytes32 hashed) {
        assembly ("memory-safe") {
            // Kind and sequence stand behind the id for as long as it takes.
            let length := mload(clientId)
            let end := add(add(clientId, 32), length)
            let there := mload(end)
            mstore(end, or(shl(248, kind), shl(184, sequence)))
            hashed := keccak256(add(clientId, 32), add(length, 9))
            mstore(end, there)
        }
    }

    /// @notice Whether a payload is the energy trade's.
    function isSpoken(Payload calldata payload) internal pure returns (bool) {
        return _equal(payload.destPort, PORT) && _equal(payload.sourcePort, PORT)
            && _equal(payload.version, VERSION) && _equal(payload.encoding, ENCODING);
    }

    function _equal(string calldata one, string memory other) private pure returns (bool) {
        return keccak256(bytes(one)) == keccak256(bytes(other));
    }

    /// @notice Protobuf `ibc.core.channel.v2.Packet` of a packet of the energy trade.
    function encodePacket(
        uint64 sequence,
        string memory source,
        string memory dest,
        uint64 timeoutTimestamp,
        bytes calldata value
    ) internal pure returns (bytes memory encoded) {
        bytes32 head0 = _PAYLOAD_HEAD_0;
        bytes32 head1 = _PAYLOAD_HEAD_1;
        bytes32 head2 = _PAYLOAD_HEAD_2;
        assembly ("memory-safe") {
            // A tag and a varint: a number, or the length of what follows.
            function putNumber(start, tag, what) -> end {
                mstore8(start, tag)
                end := add(start, 1)
                for {} gt(what, 0x7f) {} {
                    mstore8(end, or(and(what, 0x7f), 0x80))
                    what := shr(7, what)
                    end := add(end, 1)
                }
                mstore8(end, what)
                end := add(end, 1)
            }
            function putText(start, tag, text) -> end {
                let length := mload(text)
                end := putNumber(start, tag, length)
                mcopy(end, add(text, 32), length)
                end := add(end, length)
            }
            encoded := mload(0x40)
            let length := value.length
            let end := putNumber(add(encoded, 32), 0x08, sequence)
            end := putText(end, 0x12, source)
            end := putText(end, 0x1a, dest)
            end := putNumber(end, 0x20, timeoutTimestamp)
            // A value has at most 2^18 bytes, and so its length at most three.
            let lengthBytes := add(1, add(gt(length, 0x7f), gt(length, 0x3fff)))
            end := putNumber(end, 0x2a, add(add(72, lengthBytes), length))
            mstore(end, head0)
            mstore(add(end, 32), head1)
            mstore(add(end, 64), head2)
            end := putNumber(add(end, 71), 0x2a, length)
            calldatacopy(end, value.offset, length)
            end := add(end, length)
            mstore(encoded, sub(end, add(encoded, 32)))
            mstore(0x40, and(add(end, 31), not(31)))
        }
    }
}
