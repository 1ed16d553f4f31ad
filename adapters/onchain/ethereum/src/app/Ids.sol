// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Hashes} from "./Hashes.sol";
import {Allocation, EnergyTrade, LockTerms} from "./TradeRecords.sol";

/// @title Ids of trades, locks, orders and leaves, straight from where their fields lie
/// @notice The same hashes as in `Hashes`, by hand, in memory that is not kept: in Solidity each would copy
/// its fields twice, and a receive makes ten of them. A word with dirty high bits makes another id.
library Ids {
    // --- from calldata ----------------------------------------------------------------------------

    function tradeId(LockTerms calldata terms, bytes32 source, bytes32 dest)
        internal
        pure
        returns (bytes32 id)
    {
        bytes32 kind = Hashes.TRADE_V1;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, kind)
            mstore(add(free, 0x20), source)
            mstore(add(free, 0x40), dest)
            // slot, length, level, root, H
            calldatacopy(add(free, 0x60), add(terms, 0x40), 0xa0)
            id := keccak256(free, 0x100)
        }
    }

    function lockId(LockTerms calldata terms, bytes32 chainTag, bytes32 trade)
        internal
        pure
        returns (bytes32 id)
    {
        bytes32 kind = Hashes.LOCK_V1;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, kind)
            mstore(add(free, 0x20), chainTag)
            mstore(add(free, 0x40), trade)
            // H, payer, payee, energy, price, expiry
            calldatacopy(add(free, 0x60), add(terms, 0xc0), 0xc0)
            id := keccak256(free, 0x120)
        }
    }

    function allocationLeaf(Allocation calldata leaf) internal pure returns (bytes32 hashed) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, leaf, 0xa0)
            mstore(0, keccak256(free, 0xa0))
            hashed := keccak256(0, 0x20)
        }
    }

    function orderKey(Allocation calldata leaf, uint256 slotStart, uint256 slotLength, bytes32 anchor)
        internal
        pure
        returns (bytes32 key)
    {
        assembly ("memory-safe") {
            let free := mload(0x40)
            // order id and account
            calldatacopy(free, leaf, 0x40)
            mstore(add(free, 0x40), slotStart)
            mstore(add(free, 0x60), slotLength)
            mstore(add(free, 0x80), anchor)
            key := keccak256(free, 0xa0)
        }
    }

    // --- from a decoded payload ---------------------------------------------------------------------

    function tradeId(EnergyTrade memory trade) internal pure returns (bytes32 id) {
        bytes32 kind = Hashes.TRADE_V1;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, kind)
            mcopy(add(free, 0x20), add(trade, 0xe0), 0x40) // both chain tags
            mcopy(add(free, 0x60), add(trade, 0xa0), 0x40) // slot, length
            mstore(add(free, 0xa0), mload(add(trade, 0x20))) // level
            mstore(add(free, 0xc0), mload(add(trade, 0x120))) // allocations root
            mstore(add(free, 0xe0), mload(add(trade, 0x220))) // H
            id := keccak256(free, 0x100)
        }
    }

    /// @dev (source tag, trade id, H, buyer, connectorIn, energy, priceIn, expiryIn)
    function lockIdIn(EnergyTrade memory trade) internal pure returns (bytes32 id) {
        bytes32 kind = Hashes.LOCK_V1;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, kind)
            mstore(add(free, 0x20), mload(add(trade, 0xe0)))
            mstore(add(free, 0x40), mload(add(trade, 0x40)))
            mstore(add(free, 0x60), mload(add(trade, 0x220)))
            mstore(add(free, 0x80), mload(add(trade, 0x140)))
            mstore(add(free, 0xa0), mload(add(trade, 0x180)))
            mcopy(add(free, 0xc0), add(trade, 0x1c0), 0x40) // energy, priceIn
            mstore(add(free, 0x100), mload(add(trade, 0x240)))
            id := keccak256(free, 0x120)
        }
    }

    /// @dev (destination tag, trade id, H, connectorOut, seller, energy, priceOut, expiryOut)
    function lockIdOut(EnergyTrade memory trade) internal pure returns (bytes32 id) {
        bytes32 kind = Hashes.LOCK_V1;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, kind)
            mstore(add(free, 0x20), mload(add(trade, 0x100)))
            mstore(add(free, 0x40), mload(add(trade, 0x40)))
            mstore(add(free, 0x60), mload(add(trade, 0x220)))
            mstore(add(free, 0x80), mload(add(trade, 0x1a0)))
            mstore(add(free, 0xa0), mload(add(trade, 0x160)))
            mstore(add(free, 0xc0), mload(add(trade, 0x1c0)))
            mstore(add(free, 0xe0), mload(add(trade, 0x200)))
            mstore(add(free, 0x100), mload(add(trade, 0x260)))
            id := keccak256(free, 0x120)
        }
    }

    /// @dev What its clearing must say of the trade; `Hashes.clearingTerms`.
    function clearingTerms(EnergyTrade memory trade) internal pure returns (bytes24 hashed) {
        bytes32 whole;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mcopy(free, add(trade, 0x60), 0x80) // set, epoch, slot, length
            mstore(add(free, 0x80), mload(add(trade, 0x20)))
            whole := keccak256(free, 0xa0)
        }
        return bytes24(whole);
    }

    /// @param clientHash T(client id) on this ledger
    function mandateId(EnergyTrade memory trade, bytes32 clientHash) internal pure returns (bytes32 id) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, mload(add(trade, 0xe0)))
            mstore(add(free, 0x20), clientHash)
            mcopy(add(free, 0x40), add(trade, 0x180), 0x40) // connectorIn, connectorOut
            id := keccak256(free, 0x80)
        }
    }

    // --- from words -----------------------------------------------------------------------------------

    function pool(bytes32 chainTag, bytes32 trade, uint256 side) internal pure returns (address account) {
        bytes32 kind = Hashes.POOL_V1;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, kind)
            mstore(add(free, 0x20), chainTag)
            mstore(add(free, 0x40), trade)
            mstore(add(free, 0x60), side)
            account := and(keccak256(free, 0x80), 0xffffffffffffffffffffffffffffffffffffffff)
        }
    }

    function idLeaf(bytes32 id) internal pure returns (bytes32 hashed) {
        assembly ("memory-safe") {
            mstore(0, id)
            mstore(0, keccak256(0, 0x20))
            hashed := keccak256(0, 0x20)
        }
    }

    function deliveryLeaf(bytes32 trade, uint256 deliveredWh) internal pure returns (bytes32 hashed) {
        assembly ("memory-safe") {
            mstore(0, trade)
            mstore(0x20, deliveredWh)
            mstore(0, keccak256(0, 0x40))
            hashed := keccak256(0, 0x20)
        }
    }

    /// @dev Key of two words: `Hashes.ownersKey`, an outflow's.
    function pair(bytes32 first, uint256 second) internal pure returns (bytes32 key) {
        assembly ("memory-safe") {
            mstore(0, first)
            mstore(0x20, second)
            key := keccak256(0, 0x40)
        }
    }
}
