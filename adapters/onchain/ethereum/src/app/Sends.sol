// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TooLate, TradeRefused} from "./Errors.sol";
import {Evidence} from "./Evidence.sol";
import {Hashes} from "./Hashes.sol";
import {Ids} from "./Ids.sol";
import {ITrade} from "./ITrade.sol";
import {LEG_IN} from "./LockNumbers.sol";
import {Payloads} from "./Payloads.sol";
import {BUY, INTRA, SELL} from "./Records.sol";
import {EnergyTrade, LocalTrade, TradeEvidence} from "./TradeRecords.sol";

/// @title What the utility cell opens: locks with their packets (A3), and INTRA locks
abstract contract Sends is Evidence, Payloads, ITrade {
    /// @inheritdoc ITrade
    function lockAndSend(
        uint64 client,
        uint64 timeout,
        bytes[] calldata payloads,
        TradeEvidence[] calldata evidence
    ) external entry returns (bool isDone) {
        _requireCell();
        _requireOpen(_pauses.sends);
        _require(payloads.length > 0, "no trades");
        _require(payloads.length == evidence.length, "evidence beside each trade");
        for (uint256 i = 0; i < payloads.length; ++i) {
            if (_lockAndSend(client, timeout, payloads[i], evidence[i])) isDone = true;
        }
    }

    function _lockAndSend(
        uint64 client,
        uint64 timeout,
        bytes calldata payload,
        TradeEvidence calldata evidence
    ) private returns (bool) {
        (EnergyTrade memory trade, bytes32 rule) = _decode(payload);
        _refuseBy(rule);
        if (trade.sourceChainTag != _CHAIN_TAG) revert TradeRefused("trade of another source");
        _refuseBy(_payloadRule(trade));
        Lock storage lock = _locks[trade.hashlock];
        if (lock.lockId == trade.lockIdIn) return false;
        _refuseBy(_ladderRule(trade, timeout));
        if (!_isBefore(trade.slotStart, _TAU_LEAD + _LOCK_LEAD)) {
            revert TooLate("lock deadline", trade.slotStart - _TAU_LEAD - _LOCK_LEAD);
        }
        if (lock.lockId != 0) revert TradeRefused("hash lock is used");
        _refuseBy(_clearingRule(trade));
        _requireCleared(trade.tradeId, trade.clearingRoot, evidence.clearingProof);
        bool isPool = _takeBuyers(trade, evidence);
        lock.lockId = trade.lockIdIn;
        // The commitment that is left out is in the host's event.
        // slither-disable-next-line unused-return
        (uint64 sequence,) = _HOST.sendPacket(client, timeout, payload);
        emit LockOpened(trade.lockIdIn, trade.tradeId, client, sequence, LEG_IN, isPool, 0);
        return true;
    }

    function _takeBuyers(EnergyTrade memory trade, TradeEvidence calldata evidence)
        private
        returns (bool isPool)
    {
        Position memory position = _sideOf(trade, BUY);
        Fills memory fills = _readFills(evidence.ownLeaves, position);
        _refuseBy(_orderRule(position, fills));
        _takeFills(fills, trade.priceIn, trade.lockIdIn);
        return fills.isPool;
    }

    /// @dev How a trade differs from its clearing or that clearing's cell set (reason CELL_SET).
    function _clearingRule(EnergyTrade memory trade) internal view returns (bytes32) {
        if (!_isClearingOf(trade.clearingRoot, Ids.clearingTerms(trade))) return "clearing of another set or slot";
        bytes32 peer =
            trade.sourceChainTag == _CHAIN_TAG ? trade.destChainTag : trade.sourceChainTag;
        if (_ownersWith(trade.cellSetId, peer) == 0) return "a ledger has no cell in the set";
        return 0;
    }

    function _refuseBy(bytes32 rule) internal pure {
        if (rule != 0) revert TradeRefused(rule);
    }

    // --- INTRA ------------------------------------------------------------------------------------

    /// @inheritdoc ITrade
    function openLocal(LocalTrade calldata trade, TradeEvidence calldata evidence)
        external
        entry
        returns (bool isDone)
    {
        _requireCell();
        _requireOpen(_pauses.locks);
        bytes32 lockId = _requireTerms(trade);
        Lock storage lock = _locks[trade.hashlock];
        // A refused lock's id is turned over.
        if (lock.lockId == lockId || lock.lockId == ~lockId) return false;
        _requireTimes(trade);
        if (lock.lockId != 0) revert TradeRefused("hash lock is used");
        bytes24 terms = Hashes.clearingTerms(
            trade.cellSetId, trade.cellSetEpoch, trade.slotStart, trade.slotLength, INTRA
        );
        if (!_isClearingOf(trade.clearingRoot, terms)) revert TradeRefused("clearing of another set or slot");
        _requireCleared(trade.tradeId, trade.clearingRoot, evidence.clearingProof);
        uint256 bondPrice;
        uint8 pools;
        (bondPrice, pools) = _takeBothSides(trade, evidence, lockId);
        lock.lockId = lockId;
        emit LocalOpened(lockId, trade.tradeId, trade, pools, uint64(bondPrice));
        return true;
    }

    /// @dev The lock's id, if the trade's own fields hold.
    function _requireTerms(LocalTrade calldata trade) private view returns (bytes32 lockId) {
        bytes32 chainTag = _CHAIN_TAG;
        _require(_isSlot(trade.slotStart, trade.slotLength), "not a slot of the market");
        if (trade.energyWh == 0) revert TradeRefused("no energy");
        if (trade.energyWh > ENERGY_WH_MAX) revert TradeRefused("energy from 2^40 Wh on");
        bytes32 tradeId = Hashes.tradeId(
            chainTag,
            chainTag,
            trade.slotStart,
            trade.slotLength,
            INTRA,
            trade.allocationsRoot,
            trade.hashlock
        );
        if (tradeId != trade.tradeId) revert TradeRefused("trade id does not recompute");
        return Hashes.lockId(
            chainTag,
            tradeId,
            trade.hashlock,
            trade.buyer,
            trade.seller,
            trade.energyWh,
            trade.price,
            trade.expiry
        );
    }

    function _requireTimes(LocalTrade calldata trade) private view {
        uint256 end = uint256(trade.slotStart) + trade.slotLength;
        if (!_isBefore(trade.slotStart, _TAU_LEAD)) {
            revert TooLate("local lock from tau on", trade.slotStart - _TAU_LEAD);
        }
        if (trade.expiry < end + _STATEMENT_LEAD + _MIN_CLAIM_WINDOW) {
            revert TradeRefused("expiry too early");
        }
        if (trade.expiry > end + EXPIRY_LEAD_MAX) revert TradeRefused("expiry too late");
    }

    function _takeBothSides(
        LocalTrade calldata trade,
        TradeEvidence calldata evidence,
        bytes32 lockId
    ) private returns (uint256 bondPrice, uint8 pools) {
        Position memory buying = _sideOf(trade, BUY, INTRA);
        Position memory selling = _sideOf(trade, SELL, INTRA);
        Fills memory buyers = _readFills(evidence.ownLeaves, buying);
        Fills memory sellers = _readFills(evidence.ownLeaves, selling);
        _refuseBy(_orderRule(buying, buyers));
        _refuseBy(_orderRule(selling, sellers));
        bondPrice = _bondPriceOf(trade.slotStart, trade.slotLength);
        _takeFills(buyers, trade.price, lockId);
        _takeFills(sellers, bondPrice, lockId);
        pools = (buyers.isPool ? BUY : 0) | (sellers.isPool ? SELL : 0);
    }
}
