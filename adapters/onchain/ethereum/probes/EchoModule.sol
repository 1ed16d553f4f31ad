// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base, Config} from "../src/app/Base.sol";
import {InvalidMessage, NotYetPosted} from "../src/app/Errors.sol";
import {IModule} from "../src/app/IModule.sol";
import {TradeEvidence} from "../src/app/TradeRecords.sol";
import {Ibc} from "../src/host/Ibc.sol";
import {Arrival} from "../src/host/Types.sol";

/// @title In the place of Trade, for tests of packets alone: answers as a packet asks
/// @notice `ok`, `later`, `no` and `early`; anything else it cannot judge. Anyone may send.
contract EchoModule is IModule, Base {
    constructor(Config memory config) Base(config) {}

    function CONFIG_HASH() external view returns (bytes32) {
        return _CONFIG_HASH;
    }

    /// @notice Send each of `values` as a packet of its own.
    function lockAndSend(
        uint64 client,
        uint64 timeout,
        bytes[] calldata values,
        TradeEvidence[] calldata
    ) external entry returns (bool) {
        for (uint256 i = 0; i < values.length; ++i) {
            _HOST.sendPacket(client, timeout, values[i]);
        }
        return true;
    }

    function onRecv(Arrival calldata, bytes calldata value, bytes calldata)
        external
        view
        fromHost
        returns (bytes memory)
    {
        bytes32 asked = keccak256(value);
        if (asked == keccak256("ok")) return "done";
        if (asked == keccak256("later")) return "";
        if (asked == keccak256("no")) return abi.encode(Ibc.SENTINEL);
        if (asked == keccak256("early")) revert NotYetPosted("not posted here");
        revert InvalidMessage("cannot echo");
    }

    function onAck(Arrival calldata, bytes calldata, bytes calldata) external view fromHost {}

    function onTimeout(Arrival calldata, bytes calldata) external view fromHost {}
}
