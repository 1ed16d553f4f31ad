// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IHost} from "tieline/host/IHost.sol";
import {IIbcApp} from "tieline/host/IIbcApp.sol";
import {Arrival} from "tieline/host/Types.sol";

/// @title An application that does what a test tells it to
contract ProbeApp is IIbcApp {
    enum Mood {
        LATER,
        ANSWER,
        REFUSE,
        NOT_YET,
        SILENT,
        BURN,
        REENTER
    }

    IHost public immutable HOST;
    Mood public mood;
    bytes public reentry;
    bytes public answer;
    uint256 public received;
    uint256 public acknowledged;
    uint256 public timedOut;
    Arrival public last;
    bytes public lastValue;
    bytes public lastEvidence;

    error NotYet(uint256 why);

    constructor(IHost host) {
        HOST = host;
    }

    function set(Mood to, bytes calldata with) external {
        mood = to;
        if (to == Mood.REENTER) reentry = with;
        else answer = with;
    }

    function send(uint64 client, uint64 timeoutTimestamp, bytes calldata value)
        external
        returns (uint64 sequence, bytes32 commitment)
    {
        return HOST.sendPacket(client, timeoutTimestamp, value);
    }

    function write(uint64 client, uint64 sequence, bytes32 commitment, bytes calldata acknowledgement) external {
        HOST.writeAcknowledgement(client, sequence, commitment, acknowledgement);
    }

    function onRecv(Arrival calldata arrival, bytes calldata value, bytes calldata evidence)
        external
        returns (bytes memory)
    {
        // A value that starts with 0xbad is one the application is not ready for, whatever its mood.
        if (value.length > 1 && value[0] == 0x0b && value[1] == 0xad) revert NotYet(2);
        if (mood == Mood.NOT_YET) revert NotYet(1);
        if (mood == Mood.BURN) _burn();
        if (mood == Mood.SILENT) _silent();
        if (mood == Mood.REFUSE) return abi.encode(sha256("UNIVERSAL_ERROR_ACKNOWLEDGEMENT"));
        ++received;
        (last, lastValue, lastEvidence) = (arrival, value, evidence);
        if (mood == Mood.REENTER) _reenter();
        return mood == Mood.ANSWER ? answer : bytes("");
    }

    function onAck(Arrival calldata arrival, bytes calldata value, bytes calldata acknowledgement) external {
        ++acknowledged;
        (last, lastValue, answer) = (arrival, value, acknowledgement);
        if (mood == Mood.REENTER) _reenter();
    }

    function onTimeout(Arrival calldata arrival, bytes calldata value) external {
        ++timedOut;
        (last, lastValue) = (arrival, value);
        if (mood == Mood.REENTER) _reenter();
    }

    function _reenter() private {
        (bool done, bytes memory reason) = address(HOST).call(reentry);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(reason, 32), mload(reason))
            }
        }
    }

    function _burn() private {
        uint256 number = received;
        while (true) received = ++number;
    }

    function _silent() private pure {
        assembly ("memory-safe") {
            revert(0, 0)
        }
    }
}
