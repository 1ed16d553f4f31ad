// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Arrival} from "./Types.sol";

/// @title The application behind port "energytrade", as the host calls it
/// @notice Only the host may call these. They must revert with a reason, never with empty data:
/// empty revert data is what running out of gas looks like, and the host then reverts the whole call.
interface IIbcApp {
    /// @notice A proved, new packet that is in time; its receipt is written already.
    /// @param evidence What came beside the packet; nobody vouches for it.
    /// @return acknowledgement Empty: the answer comes later by `writeAcknowledgement`. The 32 bytes of
    /// the sentinel: refused; nothing may have been changed then. Else the answer.
    /// @dev A revert with a reason: not yet. No receipt stays, the packet may come again.
    function onRecv(Arrival calldata arrival, bytes calldata value, bytes calldata evidence)
        external
        returns (bytes memory acknowledgement);

    /// @notice The proved answer to a packet sent from here; its commitment is gone already.
    /// @dev A revert fails the whole call and with it every packet that came along.
    function onAck(Arrival calldata arrival, bytes calldata value, bytes calldata acknowledgement) external;

    /// @notice A packet sent from here was not received before its timeout; its commitment is gone already.
    /// @dev As `onAck`.
    function onTimeout(Arrival calldata arrival, bytes calldata value) external;
}
