// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OrderRefused, ProofRefused, TooEarly} from "./Errors.sol";
import {Hashes} from "./Hashes.sol";
import {IExits} from "./IExits.sol";
import {Ids} from "./Ids.sol";
import {Locks} from "./Locks.sol";
import {BUY, SELL} from "./Records.sol";
import {Allocation, LockTerms, OwnLeaf} from "./TradeRecords.sol";

/// @title What members of a pool get when its lock has ended (A13, B10)
/// @notice Pushed by anyone, order by order, exact to the nano-EUR and without remainder.
abstract contract Shares is Locks, IExits {
    /// @inheritdoc IExits
    function collectShares(LockTerms calldata terms, uint8 side, OwnLeaf[] calldata leaves)
        external
        entry
        returns (bool isDone)
    {
        LockView memory lock = _lockOf(terms);
        if (!_isTerminal(lock)) revert TooEarly("a share needs an ended lock", 0);
        _require(
            side == BUY ? lock.isBuyerPool : side == SELL && lock.isSellerPool, "not a pool here"
        );
        uint256 cursorWh = side == BUY ? lock.cursorBuyWh : lock.cursorSellWh;
        for (uint256 i = 0; i < leaves.length; ++i) {
            OwnLeaf calldata own = leaves[i];
            Allocation calldata leaf = own.allocation;
            _requireLeaf(lock, side, leaf, own.proof);
            (uint256 offsetWh, uint256 wh) = (leaf.offsetWh, leaf.energyWh);
            if (offsetWh < cursorWh) continue;
            if (offsetWh > cursorWh) revert TooEarly("an earlier leaf is missing", 0);
            // The cursor is within the lock's energy, below 2^40, and a leaf's below 2^64.
            unchecked {
                if (wh == 0 || cursorWh + wh > lock.energyWh) {
                    revert ProofRefused("leaf beyond the position");
                }
            }
            _collect(lock, side, leaf, offsetWh, wh);
            cursorWh = offsetWh + wh;
            isDone = true;
        }
        if (!isDone) return false;
        if (side == BUY) lock.cursorBuyWh = cursorWh;
        else lock.cursorSellWh = cursorWh;
        _store(lock);
    }

    /// @dev Credit one order. What the lock paid and slashed is shared by rounding down at every border,
    /// so both telescope: a Wh goes to the leaf in which it becomes whole.
    function _collect(
        LockView memory lock,
        uint8 side,
        Allocation calldata leaf,
        uint256 offsetWh,
        uint256 wh
    ) private {
        uint256 usedWh = _part(lock.paidWh, offsetWh, wh, lock.energyWh);
        uint256 credited;
        // Energy is below 2^40, prices below 2^64, a part is at most the whole.
        unchecked {
            if (side == BUY) {
                credited = (wh - usedWh) * lock.price;
            } else {
                uint256 bondWh = wh - _part(lock.slashedWh, offsetWh, wh, lock.energyWh);
                credited = usedWh * lock.price + bondWh * lock.bondPrice;
            }
        }
        _creditPay(leaf.account, credited);
        emit ShareCollected(
            // forge-lint: disable-next-line(unsafe-typecast)
            lock.lockId, leaf.orderId, uint64(usedWh), uint128(credited)
        );
    }

    /// @dev All below 2^40, the whole at least 1.
    function _part(uint256 total, uint256 from, uint256 wh, uint256 whole)
        private
        pure
        returns (uint256)
    {
        if (total == 0) return 0;
        unchecked {
            return (from + wh) * total / whole - from * total / whole;
        }
    }

    function _requireLeaf(
        LockView memory lock,
        uint8 side,
        Allocation calldata leaf,
        bytes32[] calldata proof
    ) private view {
        if (
            proof.length > PROOF_LENGTH_MAX
                || Hashes.rootOf(Ids.allocationLeaf(leaf), proof) != lock.allocationsRoot
        ) revert ProofRefused("leaf is not in the allocations");
        if (leaf.price != lock.price) revert ProofRefused("leaf's price is not the lock's");
        // An anchored order makes its account the party, never a pool.
        bytes32 key = Ids.orderKey(leaf, lock.slotStart, lock.slotLength, 0);
        if (_orders[key].side != side) revert OrderRefused("not an order of that pool");
    }
}
