// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "./Base.sol";
import {Hashes} from "./Hashes.sol";
import {IBookEvents} from "./IBookEvents.sol";
import {IViews} from "./IViews.sol";
import {OrderRef, TICK} from "./Records.sol";

/// @title What is stored, as App itself shows it, and the cell's pause
abstract contract Views is Base, IViews {
    uint256 private constant _PAUSE_MAX = 1 days;

    function setPauses(uint64 orders, uint64 locks, uint64 sends, uint64 receives) external {
        _requireCell();
        uint256 latest = block.timestamp + _PAUSE_MAX;
        _require(orders <= latest && locks <= latest && sends <= latest, "a pause lasts at most a day");
        _require(receives <= block.timestamp + TICK, "receives pause for one slot");
        _pauses = Pauses(orders, locks, sends, receives);
        emit IBookEvents.PauseSet(orders, locks, sends, receives);
    }

    function balanceOf(address account) external view returns (uint256) {
        return _accounts[account].pay;
    }

    function vaultOf(address account) external view returns (uint256) {
        return _vaults[account];
    }

    function orderOf(OrderRef calldata ref)
        external
        view
        returns (uint8 status, uint64 energyLeft, uint64 moneyLeft, uint64 priceLimit)
    {
        OrderSlot storage order = _orders[Hashes.orderKey(
            ref.orderId, ref.account, ref.slotStart, ref.slotLength, ref.anchor
        )];
        return (order.status, order.energyLeft, order.moneyLeft, order.priceLimit);
    }

    function bandsOf(uint64 slotStart, uint32 slotLength)
        external
        view
        returns (bool isSet, uint64 priceMin, uint64 priceMax, uint64 bondPrice)
    {
        BandsSlot storage bands = _bands[bandsKey(slotStart, slotLength)];
        return (bands.isSet, bands.priceMin, bands.priceMax, bands.bondPrice);
    }

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
        )
    {
        CellSetSlot storage found = _cellSets[cellSetId];
        return (
            found.epoch,
            found.fromSlot,
            found.untilSlot,
            found.latestUse,
            found.registryHash,
            found.cellsHash,
            found.previous
        );
    }

    function ownersRequired(bytes32 cellSetId, bytes32 chainTag) external view returns (uint64) {
        return _owners[Hashes.ownersKey(cellSetId, chainTag)];
    }

    function newestCellSet() external view returns (bytes32) {
        return _newestCellSet;
    }

    function clearingOf(bytes32 clearingRoot) external view returns (bytes32) {
        return _clearings[clearingRoot];
    }

    function verdictOf(uint64 slotStart) external view returns (bytes32) {
        return _verdicts[slotStart];
    }

    function deliveryOf(uint64 tickStart, uint64 index) external view returns (bytes32) {
        return _deliveries[deliveryKey(tickStart, index)];
    }

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
        )
    {
        MandateSlot storage found = _mandates[mandateId];
        return (
            found.maxTrade,
            found.maxOpen,
            found.minFee,
            found.minMargin,
            found.expiry,
            found.nextNonce,
            _mandateOpen[openKey(connectorOut, uint256(mandateId) >> 216)]
        );
    }

    function lockOf(bytes32 hashlock) external view returns (bytes32 lockId, bytes32 packed) {
        Lock storage lock = _locks[hashlock];
        lockId = lock.lockId;
        assembly ("memory-safe") {
            packed := sload(add(lock.slot, 1))
        }
    }

    function outflowOf(bytes32 clientHash, uint64 slotStart) external view returns (uint256) {
        return _outflows[keccak256(abi.encode(clientHash, slotStart))];
    }

    function pauses() external view returns (uint64, uint64, uint64, uint64) {
        Pauses storage until = _pauses;
        return (until.orders, until.locks, until.sends, until.receives);
    }
}
