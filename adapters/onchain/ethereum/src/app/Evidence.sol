// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InvalidMessage, NotYetPosted} from "./Errors.sol";
import {Hashes} from "./Hashes.sol";
import {Ids} from "./Ids.sol";
import {Locks} from "./Locks.sol";
import {BUY, ORDERED, SELL} from "./Records.sol";
import {Allocation, EnergyTrade, LocalTrade, OwnLeaf, TradeEvidence} from "./TradeRecords.sol";

/// @title Evidence that a trade was cleared, and whose orders it fills here
/// @notice What another bringer could cure (missing or false proofs) reverts as not yet; what lies in
/// the orders themselves is a reason to refuse. Mixing the two would let any relayer refuse any trade.
abstract contract Evidence is Locks {
    /// @dev A side; a pair with more households splits into positions.
    uint256 private constant LEAVES_MAX = 128;

    /// @dev What evidence must show of one side of a trade on this ledger.
    struct Position {
        bytes32 tradeId;
        bytes32 allocationsRoot;
        bytes32 hashlock;
        uint8 side;
        uint8 level;
        uint64 slotStart;
        uint32 slotLength;
        uint256 energyWh;
        uint256 price;
        /// The account or pool that the trade names for this side.
        address party;
        /// Of the trade: an order of this account may be anchored to the trade's H.
        address seller;
    }

    /// @dev One order's part of a position: its storage slot, what it held, and what is taken.
    struct Fill {
        bytes32 orderId;
        uint256 place;
        uint256 packed;
        uint256 wh;
        bool isAnchored;
    }

    struct Fills {
        Fill[] parts;
        uint256 count;
        address account;
        bool isPool;
    }

    function _sideOf(EnergyTrade memory trade, uint8 side)
        internal
        pure
        returns (Position memory position)
    {
        position.tradeId = trade.tradeId;
        position.allocationsRoot = trade.allocationsRoot;
        position.hashlock = trade.hashlock;
        position.side = side;
        position.level = trade.level;
        position.slotStart = trade.slotStart;
        position.slotLength = trade.slotLength;
        position.energyWh = trade.energyWh;
        position.price = side == BUY ? trade.priceIn : trade.priceOut;
        position.party = side == BUY ? trade.buyer : trade.seller;
        position.seller = trade.seller;
    }

    function _sideOf(LocalTrade calldata trade, uint8 side, uint8 level)
        internal
        pure
        returns (Position memory position)
    {
        position.tradeId = trade.tradeId;
        position.allocationsRoot = trade.allocationsRoot;
        position.hashlock = trade.hashlock;
        position.side = side;
        position.level = level;
        position.slotStart = trade.slotStart;
        position.slotLength = trade.slotLength;
        position.energyWh = trade.energyWh;
        position.price = trade.price;
        position.party = side == BUY ? trade.buyer : trade.seller;
        position.seller = trade.seller;
    }

    // --- the clearing ---------------------------------------------------------------------------

    /// @dev Whether the clearing of this root is of these terms. Reverts if it is not stored here.
    function _isClearingOf(bytes32 clearingRoot, bytes24 terms) internal view returns (bool) {
        bytes32 stored = _clearings[clearingRoot];
        if (stored == 0) revert NotYetPosted("clearing");
        return bytes24(stored) == terms;
    }

    function _requireCleared(bytes32 tradeId, bytes32 clearingRoot, bytes32[] calldata proof)
        internal
        pure
    {
        if (!_leadsTo(clearingRoot, Ids.idLeaf(tradeId), proof)) {
            revert NotYetPosted("trade is not in the clearing");
        }
    }

    function _leadsTo(bytes32 root, bytes32 leaf, bytes32[] calldata proof)
        internal
        pure
        returns (bool)
    {
        return proof.length <= PROOF_LENGTH_MAX && Hashes.rootOf(leaf, proof) == root;
    }

    // --- orders -----------------------------------------------------------------------------------

    /// @dev The position's leaves: known orders, ascending, whose proofs, account, price, offsets and
    /// sum hold. Reverts if one is missing or false. Leaves of the other side are passed over.
    function _readFills(OwnLeaf[] calldata leaves, Position memory position)
        internal
        view
        returns (Fills memory fills)
    {
        if (leaves.length > 2 * LEAVES_MAX) revert InvalidMessage("too many leaves");
        fills.parts = new Fill[](leaves.length);
        bytes32 before = 0;
        uint256 offsetWh = 0;
        uint256 count = 0;
        for (uint256 i = 0; i < leaves.length; ++i) {
            Allocation calldata leaf = leaves[i].allocation;
            Fill memory part = fills.parts[count];
            _findOrder(part, leaf, position);
            if (uint8(part.packed >> 192) != position.side) continue;
            bytes32 orderId = leaf.orderId;
            if (count != 0 && orderId <= before) revert NotYetPosted("leaves not ascending");
            if (!_leadsTo(position.allocationsRoot, Ids.allocationLeaf(leaf), leaves[i].proof)) {
                revert NotYetPosted("leaf is not in the allocations");
            }
            uint256 wh = leaf.energyWh;
            if (leaf.price != position.price || leaf.offsetWh != offsetWh || wh == 0) {
                revert NotYetPosted("leaf is not the position's");
            }
            if (count == 0) fills.account = leaf.account;
            (part.orderId, part.wh) = (orderId, wh);
            offsetWh += wh;
            before = orderId;
            ++count;
        }
        if (offsetWh != position.energyWh || count == 0 || count > LEAVES_MAX) {
            revert NotYetPosted("leaves do not make the position");
        }
        fills.count = count;
        // One seller is a party only if it holds the secret, which its order's anchor shows.
        fills.isPool = count != 1 || (position.side == SELL && !fills.parts[0].isAnchored);
    }

    /// @dev Find a leaf's order: anchored to the trade's H if it is the seller's, or without anchor.
    function _findOrder(Fill memory part, Allocation calldata leaf, Position memory position)
        private
        view
    {
        (uint256 place, uint256 packed, bool isAnchored) = (0, 0, false);
        if (leaf.account == position.seller) {
            isAnchored = true;
            (place, packed) = _orderAt(leaf, position, position.hashlock);
        }
        if (packed == 0) {
            isAnchored = false;
            (place, packed) = _orderAt(leaf, position, 0);
        }
        if (packed == 0) revert NotYetPosted("leaf of an order unknown here");
        (part.place, part.packed, part.isAnchored) = (place, packed, isAnchored);
    }

    function _orderAt(Allocation calldata leaf, Position memory position, bytes32 anchor)
        private
        view
        returns (uint256 place, uint256 packed)
    {
        bytes32 key = Ids.orderKey(leaf, position.slotStart, position.slotLength, anchor);
        OrderSlot storage order = _orders[key];
        assembly ("memory-safe") {
            place := order.slot
            packed := sload(place)
        }
    }

    /// @dev Why the orders do not carry the position (reason ORDER); 0 if they do.
    function _orderRule(Position memory position, Fills memory fills) internal view returns (bytes32) {
        address party = fills.account;
        if (fills.isPool) party = Ids.pool(_CHAIN_TAG, position.tradeId, position.side);
        if (party != position.party) return "party is not its leaves'";
        for (uint256 i = 0; i < fills.count; ++i) {
            Fill memory part = fills.parts[i];
            uint256 packed = part.packed;
            if (uint8(packed >> 216) != ORDERED || uint64(packed) < part.wh) {
                return "order does not cover its leaf";
            }
            if (uint8(packed >> 200) & position.level == 0) return "order is not for this level";
            uint256 limit = uint64(packed >> 64);
            if (position.side == BUY ? position.price > limit : position.price < limit) {
                return "price beyond the order's limit";
            }
            if (part.isAnchored) {
                if (position.side == BUY) return "order is anchored";
                // Nothing but a whole fill ever took from it, so what is left is all of it.
                if (fills.count != 1 || part.wh != uint64(packed)) return "anchored order: all or none";
            }
        }
        return 0;
    }

    /// @dev Move energy, and `moneyPerWh` for each Wh, from the orders into a lock.
    function _takeFills(Fills memory fills, uint256 moneyPerWh, bytes32 lockId) internal {
        for (uint256 i = 0; i < fills.count; ++i) {
            Fill memory part = fills.parts[i];
            uint256 money = part.wh * moneyPerWh;
            // The order escrowed its limit, or the slot's one bond price, for every Wh it has left.
            assert(money <= uint64(part.packed >> 128) && part.wh <= uint64(part.packed));
            (uint256 place, uint256 packed) = (part.place, part.packed - part.wh - (money << 128));
            assembly ("memory-safe") {
                sstore(place, packed)
            }
            // forge-lint: disable-next-line(unsafe-typecast)
            emit OrderFilled(part.orderId, lockId, uint64(part.wh), uint64(money));
        }
    }
}
