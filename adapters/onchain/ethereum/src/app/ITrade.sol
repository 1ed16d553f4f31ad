// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LocalTrade, TradeEvidence} from "./TradeRecords.sol";

/// @title What opens a lock
/// @notice The host's calls (`onRecv`, `onAck`, `onTimeout`) are those of `IIbcApp`; the evidence beside
/// a packet is `abi.encode(TradeEvidence)`. A result of false says that it was done already.
interface ITrade {
    /// @notice A3: lock the buyers' escrow and send the trades' packets. Utility cell only.
    /// @param client N of `attestations-N`
    /// @param timeout tau of the slot
    /// @param payloads 736 bytes each: EnergyTrade
    /// @param evidence beside each payload
    function lockAndSend(
        uint64 client,
        uint64 timeout,
        bytes[] calldata payloads,
        TradeEvidence[] calldata evidence
    ) external returns (bool isDone);

    /// @notice Open the pending lock of an INTRA trade. Utility cell only.
    function openLocal(LocalTrade calldata trade, TradeEvidence calldata evidence)
        external
        returns (bool isDone);
}
