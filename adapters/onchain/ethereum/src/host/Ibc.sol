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

    // Fields 1 to 4 of protobuf `Payload`: ports, version, encoding.
    bytes private constant _PAYLOAD_HEAD =
        hex"0a0b656e657267797472616465"
        hex"120b656e657267797472616465"
        hex"1a0f7469656c696e652d74726164652d31"
        hex"221a6170706c69636174696f6e2f782d736f6c69646974792d616269";

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
        bytes32 payloadHash =
            sha256(abi.encode(_PORT_HASH, _PORT_HASH, _VERSION_HASH, _ENCODING_HASH, sha256(value)));
        return _commit(destHash, timeoutTimestamp, payloadHash);
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
    function hashPath(string memory clientId, uint8 kind, uint64 sequence) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(clientId, kind, sequence));
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
    ) internal pure returns (bytes memory) {
        bytes memory valueLength = _varint(value.length);
        bytes memory head = abi.encodePacked(
            bytes1(0x08),
            _varint(sequence),
            bytes1(0x12),
            uint8(bytes(source).length),
            source,
            bytes1(0x1a),
            uint8(bytes(dest).length),
            dest,
            bytes1(0x20),
            _varint(timeoutTimestamp)
        );
        return abi.encodePacked(
            head,
            bytes1(0x2a),
            _varint(_PAYLOAD_HEAD.length + 1 + valueLength.length + value.length),
            _PAYLOAD_HEAD,
            bytes1(0x2a),
            valueLength,
            value
        );
    }

    function _varint(uint256 number) private pure returns (bytes memory encoded) {
        uint256 length = 1;
        for (uint256 rest = number >> 7; rest != 0; rest >>= 7) ++length;
        encoded = new bytes(length);
        for (uint256 index = 0; index < length; ++index) {
            uint256 septet = number & 0x7f;
            number >>= 7;
            // forge-lint: disable-next-line(unsafe-typecast)
            encoded[index] = bytes1(uint8(number == 0 ? septet : septet | 0x80));
        }
    }
}
