// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OrderRef} from "./Records.sol";

/// @title What App itself answers: what is stored, and the cell's pause
interface IViews {
    // --- the cell's pause ---------------------------------------------------------------------------

    /// @notice Pause placing orders, opening local locks, sends or receives until these times
    /// (exclusive); 0 opens again. Utility cell only; at most a day ahead, receives at most one slot.
    function setPauses(uint64 orders, uint64 locks, uint64 sends, uint64 receives) external;

    // --- what is stored -----------------------------------------------------------------------------

    function balanceOf(address account) external view returns (uint256);
    function vaultOf(address account) external view returns (uint256);
    function orderOf(OrderRef calldata order)
        external
        view
        returns (uint8 status, uint64 energyLeft, uint64 moneyLeft, uint64 priceLimit);
    function bandsOf(uint64 slotStart, uint32 slotLength)
        external
        view
        returns (bool isSet, uint64 priceMin, uint64 priceMax, uint64 bondPrice);
    /// @notice fromSlot 0: no such set. untilSlot 0: no set follows it.
    function cellSetOf(bytes32 cellSetId)
        external
        view
        returns (
            uint64 epoch,
            uint64 fromSlot,
            uint64 untilSlot,
            uint64 latestUse,
            bytes32 registryHash,
            bytes32 cellsHash,
            bytes32 previous
        );
    /// @notice The bits that a decision on a trade with a ledger needs in a set; 0: it has no cell there.
    function ownersRequired(bytes32 cellSetId, bytes32 chainTag) external view returns (uint64);
    function newestCellSet() external view returns (bytes32 cellSetId);
    /// @notice The packed slots of docs/ethereum.md; 0 = not stored.
    function clearingOf(bytes32 clearingRoot) external view returns (bytes32 packed);
    function verdictOf(uint64 slotStart) external view returns (bytes32 packed);
    function deliveryOf(uint64 tickStart, uint64 index) external view returns (bytes32 packed);
    /// @notice nextNonce is the nonce + 1; 0: no such mandate. `open` is what its locks hold.
    function mandateOf(bytes32 mandateId, address connectorOut)
        external
        view
        returns (
            uint128 maxTrade,
            uint128 maxOpen,
            uint64 minFee,
            uint64 minMargin,
            uint64 expiry,
            uint64 nextNonce,
            uint256 open
        );
    /// @notice By H. The packed state is `Storage.LockState`, status in the low byte; lockId 0: H is unused.
    function lockOf(bytes32 hashlock) external view returns (bytes32 lockId, bytes32 packed);
    /// @notice What packets of a client took from vaults for a slot, nano-EUR.
    function outflowOf(bytes32 clientHash, uint64 slotStart) external view returns (uint256);
    function pauses()
        external
        view
        returns (uint64 orders, uint64 locks, uint64 sends, uint64 receives);
}
