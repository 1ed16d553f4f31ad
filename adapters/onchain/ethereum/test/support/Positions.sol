// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Hashes} from "tieline/app/Hashes.sol";
import {Allocation, EnergyTrade, LocalTrade, LockTerms, OwnLeaf} from "tieline/app/TradeRecords.sol";

import {Trees} from "./Trees.sol";
import {TwoLedgers} from "./TwoLedgers.sol";

/// @title Trades from a to b and on a alone, with their orders, allocations and clearings
abstract contract Positions is TwoLedgers {
    /// @dev One order's part.
    struct Part {
        bytes32 orderId;
        address account;
        uint64 wh;
    }

    struct Position {
        EnergyTrade trade;
        bytes32 preimage;
        OwnLeaf[] buys;
        OwnLeaf[] sells;
        bytes32[] clearingProof;
        uint64 sequence;
    }

    struct LocalPosition {
        LocalTrade trade;
        bytes32 preimage;
        OwnLeaf[] leaves;
        bytes32[] clearingProof;
    }

    bytes32 internal constant PREIMAGE = bytes32(uint256(0x5e5e));
    uint256 internal constant ANN = 0xa1;
    uint256 internal constant AMY = 0xa2;
    uint256 internal constant ABE = 0xa3;
    uint256 internal constant SOL = 0xa4;
    uint256 internal constant BOB = 0xb1;
    uint256 internal constant BEN = 0xb2;
    uint256 internal constant BEA = 0xb3;
    /// What the host's sentinel is.
    bytes32 internal constant SENTINEL = sha256("UNIVERSAL_ERROR_ACKNOWLEDGEMENT");

    // --- positions ------------------------------------------------------------------------------

    function hashOf(bytes32 preimage) internal pure returns (bytes32) {
        return sha256(abi.encode(preimage));
    }

    function buy(uint256 key, uint64 wh) internal returns (Part memory) {
        return Part(place(a, key, orderOf(a, key, 1, wh, 0)), vm.addr(key), wh);
    }

    function sell(uint256 key, uint64 wh, bytes32 anchor) internal returns (Part memory) {
        return Part(place(b, key, orderOf(b, key, 2, wh, anchor)), vm.addr(key), wh);
    }

    function parts(Part memory one) internal pure returns (Part[] memory list) {
        list = new Part[](1);
        list[0] = one;
    }

    function parts(Part memory one, Part memory two) internal pure returns (Part[] memory list) {
        list = new Part[](2);
        (list[0], list[1]) = one.orderId < two.orderId ? (one, two) : (two, one);
    }

    /// @notice A direct trade: one buyer, one seller who holds the secret. Cleared on both ledgers.
    function direct(uint64 wh) internal returns (Position memory position) {
        return direct(wh, PREIMAGE);
    }

    function direct(uint64 wh, bytes32 preimage) internal returns (Position memory position) {
        position = positionOf(parts(buy(ANN, wh)), parts(sell(BOB, wh, hashOf(preimage))), preimage, 2);
        seal(position);
        clear(position);
    }

    /// @notice Two buyers, two sellers.
    function pooled() internal returns (Position memory position) {
        position = positionOf(
            parts(buy(AMY, 401), buy(ABE, 299)), parts(sell(BEN, 350, 0), sell(BEA, 350, 0)), PREIMAGE, 2
        );
        seal(position);
        clear(position);
    }

    /// @notice A trade whose ids hold; not cleared, fields may still be changed before `seal`.
    function positionOf(Part[] memory buys, Part[] memory sells, bytes32 preimage, uint8 level)
        internal
        view
        returns (Position memory position)
    {
        position = positionUnder(buys, sells, hashOf(preimage), level);
        position.preimage = preimage;
    }

    function positionUnder(Part[] memory buys, Part[] memory sells, bytes32 hashlock, uint8 level)
        internal
        view
        returns (Position memory position)
    {
        EnergyTrade memory trade = position.trade;
        (trade.version, trade.level) = (1, level);
        (trade.cellSetId, trade.cellSetEpoch) = (cellSetId, 1);
        (trade.slotStart, trade.slotLength) = (S, 900);
        (trade.sourceChainTag, trade.destChainTag) = (a.tag, b.tag);
        (trade.connectorIn, trade.connectorOut) = (connector, connector);
        (trade.priceIn, trade.priceOut) = (PRICE_IN, PRICE_OUT);
        (trade.expiryIn, trade.expiryOut, trade.verdictDeadline) = (T_A, T_B, D);
        trade.hashlock = hashlock;
        Allocation[] memory all = new Allocation[](buys.length + sells.length);
        fillIn(all, 0, buys, PRICE_IN);
        fillIn(all, buys.length, sells, PRICE_OUT);
        for (uint256 i = 0; i < buys.length; ++i) trade.energyWh += buys[i].wh;
        OwnLeaf[] memory leaves;
        (trade.allocationsRoot, leaves) = prove(all);
        (position.buys, position.sells) = split(leaves, buys.length);
        nameParties(position, sells);
    }

    function fillIn(Allocation[] memory all, uint256 from, Part[] memory side, uint64 price) internal pure {
        uint64 offset = 0;
        for (uint256 i = 0; i < side.length; ++i) {
            all[from + i] = Allocation(side[i].orderId, side[i].account, side[i].wh, price, offset);
            offset += side[i].wh;
        }
    }

    function prove(Allocation[] memory all) internal pure returns (bytes32 root, OwnLeaf[] memory leaves) {
        bytes32[] memory hashes = new bytes32[](all.length);
        for (uint256 i = 0; i < all.length; ++i) hashes[i] = Trees.twice(abi.encode(all[i]));
        leaves = new OwnLeaf[](all.length);
        for (uint256 i = 0; i < all.length; ++i) {
            leaves[i] = OwnLeaf(all[i], Trees.proof(hashes, hashes[i]));
        }
        root = Trees.root(hashes);
    }

    function split(OwnLeaf[] memory leaves, uint256 at)
        internal
        pure
        returns (OwnLeaf[] memory first, OwnLeaf[] memory second)
    {
        first = new OwnLeaf[](at);
        second = new OwnLeaf[](leaves.length - at);
        for (uint256 i = 0; i < at; ++i) first[i] = leaves[i];
        for (uint256 i = at; i < leaves.length; ++i) second[i - at] = leaves[i];
    }

    function nameParties(Position memory position, Part[] memory sells) internal view {
        EnergyTrade memory trade = position.trade;
        trade.tradeId = tradeIdOf(
            trade.sourceChainTag, trade.destChainTag, trade.level, trade.allocationsRoot, trade.hashlock
        );
        trade.buyer = position.buys.length == 1
            ? position.buys[0].allocation.account
            : Hashes.pool(a.tag, trade.tradeId, 1);
        // A single seller is a party if it holds the secret; these tests give a pool's orders no anchor.
        trade.seller = sells.length == 1 ? sells[0].account : Hashes.pool(b.tag, trade.tradeId, 2);
    }

    function tradeIdOf(bytes32 source, bytes32 dest, uint8 level, bytes32 root, bytes32 hashlock)
        internal
        pure
        returns (bytes32)
    {
        return Hashes.tradeId(source, dest, S, 900, level, root, hashlock);
    }

    /// @notice Fix what depends on other fields: the clearing of this trade alone, the source's lock.
    function seal(Position memory position) internal pure {
        EnergyTrade memory trade = position.trade;
        trade.clearingRoot = Trees.twice(abi.encode(trade.tradeId));
        trade.lockIdIn = lockIdIn(trade);
    }

    function clear(Position memory position) internal {
        postClearing(a, position.trade.clearingRoot, position.trade.level);
        postClearing(b, position.trade.clearingRoot, position.trade.level);
    }

    function lockIdIn(EnergyTrade memory t) internal pure returns (bytes32) {
        return Hashes.lockId(
            t.sourceChainTag, t.tradeId, t.hashlock, t.buyer, t.connectorIn, t.energyWh, t.priceIn, t.expiryIn
        );
    }

    function lockIdOut(EnergyTrade memory t) internal pure returns (bytes32) {
        return Hashes.lockId(
            t.destChainTag, t.tradeId, t.hashlock, t.connectorOut, t.seller, t.energyWh, t.priceOut, t.expiryOut
        );
    }

    function termsIn(Position memory p) internal pure returns (LockTerms memory terms) {
        terms = _terms(p.trade);
        (terms.payer, terms.payee) = (p.trade.buyer, p.trade.connectorIn);
        (terms.price, terms.expiry) = (p.trade.priceIn, p.trade.expiryIn);
    }

    function termsOut(Position memory p) internal pure returns (LockTerms memory terms) {
        terms = _terms(p.trade);
        (terms.payer, terms.payee) = (p.trade.connectorOut, p.trade.seller);
        (terms.price, terms.expiry) = (p.trade.priceOut, p.trade.expiryOut);
    }

    function _terms(EnergyTrade memory t) private pure returns (LockTerms memory terms) {
        (terms.sourceChainTag, terms.destChainTag) = (t.sourceChainTag, t.destChainTag);
        (terms.slotStart, terms.slotLength, terms.level) = (t.slotStart, t.slotLength, t.level);
        (terms.allocationsRoot, terms.hashlock) = (t.allocationsRoot, t.hashlock);
        terms.energyWh = t.energyWh;
    }

    // --- INTRA --------------------------------------------------------------------------------------

    function localSell(uint256 key, uint64 wh, bytes32 anchor) internal returns (Part memory) {
        return Part(place(a, key, orderOf(a, key, 2, wh, anchor)), vm.addr(key), wh);
    }

    /// @notice A cleared INTRA trade on a.
    function local(Part[] memory buys, Part[] memory sells, bytes32 preimage, bool isDirect)
        internal
        returns (LocalPosition memory position)
    {
        position.preimage = preimage;
        LocalTrade memory trade = position.trade;
        (trade.cellSetId, trade.cellSetEpoch) = (cellSetId, 1);
        (trade.slotStart, trade.slotLength, trade.price, trade.expiry) = (S, 900, 180_000, T_B);
        trade.hashlock = hashOf(preimage);
        Allocation[] memory all = new Allocation[](buys.length + sells.length);
        fillIn(all, 0, buys, trade.price);
        fillIn(all, buys.length, sells, trade.price);
        for (uint256 i = 0; i < buys.length; ++i) trade.energyWh += buys[i].wh;
        (trade.allocationsRoot, position.leaves) = prove(all);
        ascending(position.leaves);
        trade.tradeId = tradeIdOf(a.tag, a.tag, 1, trade.allocationsRoot, trade.hashlock);
        trade.buyer = buys.length == 1 ? buys[0].account : Hashes.pool(a.tag, trade.tradeId, 1);
        trade.seller = isDirect ? sells[0].account : Hashes.pool(a.tag, trade.tradeId, 2);
        trade.clearingRoot = Trees.twice(abi.encode(trade.tradeId));
        postClearing(a, trade.clearingRoot, 1);
    }

    function ascending(OwnLeaf[] memory leaves) internal pure {
        for (uint256 i = 1; i < leaves.length; ++i) {
            for (uint256 j = i; j > 0 && leaves[j - 1].allocation.orderId > leaves[j].allocation.orderId; --j) {
                (leaves[j - 1], leaves[j]) = (leaves[j], leaves[j - 1]);
            }
        }
    }

    function termsLocal(LocalPosition memory p) internal view returns (LockTerms memory terms) {
        LocalTrade memory t = p.trade;
        (terms.sourceChainTag, terms.destChainTag) = (a.tag, a.tag);
        (terms.slotStart, terms.slotLength, terms.level) = (t.slotStart, t.slotLength, 1);
        (terms.allocationsRoot, terms.hashlock) = (t.allocationsRoot, t.hashlock);
        (terms.payer, terms.payee, terms.energyWh) = (t.buyer, t.seller, t.energyWh);
        (terms.price, terms.expiry) = (t.price, t.expiry);
    }
}
