// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ibc} from "../host/Ibc.sol";
import {IIbcApp} from "../host/IIbcApp.sol";
import {Arrival} from "../host/Types.sol";
import {Base, Config} from "./Base.sol";
import {NotYetPosted} from "./Errors.sol";
import {Ids} from "./Ids.sol";
import {IModule} from "./IModule.sol";
import {
    ALARM_ACK_UNREADABLE,
    ALARM_SENTINEL_AFTER_CLAIM,
    ALARM_SENTINEL_AFTER_SUCCESS,
    ALARM_TIMEOUT_AFTER_CLAIM,
    ALARM_TIMEOUT_AFTER_SUCCESS,
    CLOSED,
    CONFIRMED,
    LEG_IN,
    LEG_OUT,
    OPEN,
    REASON_CAP,
    REASON_CELL_SET,
    REASON_H_USED,
    REASON_LADDER,
    REASON_MANDATE,
    REASON_ORDER,
    REASON_PAYLOAD,
    REASON_VAULT
} from "./LockNumbers.sol";
import {Pending} from "./Pending.sol";
import {SELL} from "./Records.sol";
import {Sends} from "./Sends.sol";
import {EnergyTrade, TradeEvidence} from "./TradeRecords.sol";

/// @title The application behind port "energytrade": sends with a lock (A3), receives into a
/// reservation (B1), and what an answer or a timeout does to the source's lock (A5 to A7)
/// @notice Only `lockAndSend` sends; a packet without a lock would be a promise without money.
contract Trade is Sends, Pending, IIbcApp, IModule {
    uint256 private constant _ACK_BYTES = 192;

    constructor(Config memory config) Base(config) {}

    /// @inheritdoc IModule
    function CONFIG_HASH() external view returns (bytes32) {
        return _CONFIG_HASH;
    }

    // --- B1 -----------------------------------------------------------------------------------------

    /// @inheritdoc IIbcApp
    function onRecv(Arrival calldata arrival, bytes calldata value, bytes calldata evidence)
        external
        fromHost
        returns (bytes memory acknowledgement)
    {
        _requireOpen(_pauses.receives);
        (uint8 reason, bytes32 rule) = _receive(arrival, value, evidence);
        if (reason == 0) return "";
        emit ReceiveRefused(arrival.client, arrival.sequence, reason, rule);
        return abi.encodePacked(Ibc.SENTINEL);
    }

    /// @dev Judge in the specification's order; the first hit gives the reason. Everything is judged
    /// before anything is changed. What another bringer could cure reverts.
    function _receive(Arrival calldata arrival, bytes calldata value, bytes calldata evidence)
        private
        returns (uint8 reason, bytes32 rule)
    {
        (EnergyTrade memory trade, bytes32 fault) = _decode(value);
        rule = fault;
        if (rule == 0) {
            rule = trade.destChainTag != _CHAIN_TAG
                ? bytes32("trade of another destination")
                : _payloadRule(trade);
        }
        if (rule != 0) return (REASON_PAYLOAD, rule);
        rule = _ladderRule(trade, arrival.timeoutTimestamp);
        if (rule != 0) return (REASON_LADDER, rule);
        if (_locks[trade.hashlock].lockId != 0) return (REASON_H_USED, "hash lock is used");
        rule = _clearingRule(trade);
        if (rule != 0) return (REASON_CELL_SET, rule);
        Position memory position = _sideOf(trade, SELL);
        Fills memory fills = _readEvidence(trade, position, evidence);
        rule = _orderRule(position, fills);
        if (rule != 0) return (REASON_ORDER, rule);
        return _reserve(arrival, trade, fills);
    }

    /// @dev The sellers' parts that the evidence beside a packet shows.
    function _readEvidence(
        EnergyTrade memory trade,
        Position memory position,
        bytes calldata evidence
    ) private view returns (Fills memory) {
        if (evidence.length < 128) revert NotYetPosted("no evidence beside this trade");
        TradeEvidence calldata shown;
        // abi.encode(TradeEvidence): an offset, then the tuple. Reading past its end finds other calldata or
        // zeros, which prove nothing; a length past the end of calldata reverts.
        assembly ("memory-safe") {
            shown := add(evidence.offset, calldataload(evidence.offset))
        }
        _requireCleared(trade.tradeId, trade.clearingRoot, shown.clearingProof);
        return _readFills(shown.ownLeaves, position);
    }

    /// @dev The connector's side: mandate, vault, cap. If it carries the trade, all is reserved.
    function _reserve(Arrival calldata arrival, EnergyTrade memory trade, Fills memory fills)
        private
        returns (uint8 reason, bytes32 rule)
    {
        uint256 amount = uint256(trade.priceOut) * trade.energyWh;
        bytes32 mandateId = Ids.mandateId(trade, arrival.clientHash);
        bytes32 open = openKey(trade.connectorOut, _mandateBits(mandateId));
        uint256 openSum = _mandateOpen[open] + amount;
        rule = _mandateRule(_mandates[mandateId], trade, amount, openSum);
        if (rule != 0) return (REASON_MANDATE, rule);
        uint256 held = _vaults[trade.connectorOut];
        if (held < amount) return (REASON_VAULT, "vault holds less");
        bytes32 outflow = Ids.pair(arrival.clientHash, trade.slotStart);
        uint256 taken = _outflows[outflow] + amount;
        if (taken > _OUTFLOW_CAP) return (REASON_CAP, "above the outflow cap");
        uint256 bondPrice = _bondPriceOf(trade.slotStart, trade.slotLength);
        bytes32 lockId = Ids.lockIdOut(trade);
        _takeFills(fills, bondPrice, lockId);
        _vaults[trade.connectorOut] = held - amount;
        _mandateOpen[open] = openSum;
        _outflows[outflow] = taken;
        _locks[trade.hashlock].lockId = lockId;
        emit LockOpened(
            lockId,
            trade.tradeId,
            arrival.client,
            arrival.sequence,
            LEG_OUT,
            fills.isPool,
            uint64(bondPrice)
        );
    }

    function _mandateRule(
        MandateSlot storage mandate,
        EnergyTrade memory trade,
        uint256 amount,
        uint256 openSum
    ) private view returns (bytes32) {
        if (block.timestamp >= mandate.expiry) return "no mandate in force";
        if (amount > mandate.maxTrade) return "above the mandate's trade";
        if (openSum > mandate.maxOpen) return "above the mandate's open sum";
        if (trade.priceIn - trade.priceOut < mandate.minFee) return "below the mandate's fee";
        if (trade.expiryIn - trade.expiryOut < mandate.minMargin) return "below the mandate's margin";
        return 0;
    }

    // --- A5, A6, A7 ---------------------------------------------------------------------------------

    /// @inheritdoc IIbcApp
    function onAck(Arrival calldata, bytes calldata value, bytes calldata acknowledgement)
        external
        fromHost
    {
        (EnergyTrade memory trade,) = _decode(value);
        LockView memory lock = _lockIn(trade);
        if (acknowledgement.length == 32 && bytes32(acknowledgement) == Ibc.SENTINEL) {
            _end(lock, ALARM_SENTINEL_AFTER_CLAIM, ALARM_SENTINEL_AFTER_SUCCESS);
            return;
        }
        (bool isReadable, uint256 capWh) = _capOf(trade, acknowledgement);
        if (lock.status == OPEN) {
            if (!isReadable) capWh = lock.capWh;
            if (capWh > lock.capWh) capWh = lock.capWh;
            if (capWh < lock.paidWh) capWh = lock.paidWh;
            _confirm(lock, capWh);
        }
        // Whatever it is, it is not the sentinel: it never refunds below the cap.
        if (!isReadable) emit Alarm(lock.lockId, ALARM_ACK_UNREADABLE);
    }

    /// @inheritdoc IIbcApp
    function onTimeout(Arrival calldata, bytes calldata value) external fromHost {
        (EnergyTrade memory trade,) = _decode(value);
        _end(_lockIn(trade), ALARM_TIMEOUT_AFTER_CLAIM, ALARM_TIMEOUT_AFTER_SUCCESS);
    }

    /// @dev The lock of a packet that this ledger sent: only `lockAndSend` sends here.
    function _lockIn(EnergyTrade memory trade) private view returns (LockView memory lock) {
        _view(lock, trade, LEG_IN);
        assert(_load(lock));
    }

    /// @dev The cap that an answer states for this very trade.
    function _capOf(EnergyTrade memory trade, bytes calldata acknowledgement)
        private
        pure
        returns (bool isReadable, uint256 capWh)
    {
        if (acknowledgement.length != _ACK_BYTES) return (false, 0);
        capWh = uint256(bytes32(acknowledgement[128:160]));
        isReadable = uint256(bytes32(acknowledgement[:32])) == 1
            && bytes32(acknowledgement[32:64]) == trade.tradeId
            && bytes32(acknowledgement[64:96]) == Ids.lockIdOut(trade)
            && capWh <= type(uint64).max
            && uint256(bytes32(acknowledgement[160:192])) == trade.expiryOut;
    }

    function _confirm(LockView memory lock, uint256 capWh) private {
        uint256 lostWh = lock.capWh - capWh;
        lock.status = lock.paidWh == capWh ? CLOSED : CONFIRMED;
        lock.capWh = capWh;
        _store(lock);
        // forge-lint: disable-next-line(unsafe-typecast)
        emit LockConfirmed(lock.lockId, uint64(capWh));
        if (lostWh != 0) _refundPayer(lock, lostWh);
        if (lock.status == CLOSED) _tellClosed(lock);
    }

    /// @dev The packet came to nothing: what is unclaimed goes back. A claim or a success before that
    /// contradicts it.
    function _end(LockView memory lock, uint8 alarmAfterClaim, uint8 alarmAfterSuccess) private {
        if (lock.status == CONFIRMED) {
            emit Alarm(lock.lockId, alarmAfterSuccess);
            return;
        }
        bool isOpen = lock.status == OPEN;
        if (isOpen) {
            uint256 openWh = lock.capWh - lock.paidWh;
            lock.status = CLOSED;
            _store(lock);
            if (openWh != 0) _refundPayer(lock, openWh);
        }
        if (lock.paidWh != 0) emit Alarm(lock.lockId, alarmAfterClaim);
        if (isOpen) _tellClosed(lock);
    }
}
