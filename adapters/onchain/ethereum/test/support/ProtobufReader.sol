// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Payload, WholePacket} from "tieline/host/Types.sol";

/// @title Reads the protobuf packets of the vectors, whose fields come in order
library ProtobufReader {
    function readPacket(bytes memory data) internal pure returns (WholePacket memory packet) {
        uint256 cursor = 0;
        uint256 number;
        bytes memory text;
        (cursor, number) = _number(data, cursor, 0x08);
        packet.sequence = uint64(number);
        (cursor, text) = _text(data, cursor, 0x12);
        packet.sourceClient = string(text);
        (cursor, text) = _text(data, cursor, 0x1a);
        packet.destClient = string(text);
        (cursor, number) = _number(data, cursor, 0x20);
        packet.timeoutTimestamp = uint64(number);
        (cursor, text) = _text(data, cursor, 0x2a);
        require(cursor == data.length, "one payload and no more");
        packet.payloads = new Payload[](1);
        packet.payloads[0] = readPayload(text);
    }

    function readPayload(bytes memory data) internal pure returns (Payload memory payload) {
        uint256 cursor = 0;
        bytes memory text;
        (cursor, text) = _text(data, cursor, 0x0a);
        payload.sourcePort = string(text);
        (cursor, text) = _text(data, cursor, 0x12);
        payload.destPort = string(text);
        (cursor, text) = _text(data, cursor, 0x1a);
        payload.version = string(text);
        (cursor, text) = _text(data, cursor, 0x22);
        payload.encoding = string(text);
        (cursor, payload.value) = _text(data, cursor, 0x2a);
    }

    function _number(bytes memory data, uint256 cursor, uint8 tag) private pure returns (uint256, uint256 number) {
        require(uint8(data[cursor++]) == tag, "the next field");
        for (uint256 shift = 0;; shift += 7) {
            uint8 one = uint8(data[cursor++]);
            number |= uint256(one & 0x7f) << shift;
            if (one < 0x80) return (cursor, number);
        }
        return (0, 0);
    }

    function _text(bytes memory data, uint256 cursor, uint8 tag) private pure returns (uint256, bytes memory text) {
        uint256 length;
        (cursor, length) = _number(data, cursor, tag);
        text = new bytes(length);
        for (uint256 i = 0; i < length; ++i) text[i] = data[cursor + i];
        return (cursor + length, text);
    }
}
