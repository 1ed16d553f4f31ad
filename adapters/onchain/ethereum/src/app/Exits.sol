// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ibc} from "../host/Ibc.sol";
import {Packet} from "../host/Types.sol";
import {Base, Config} from "./Base.sol";
import {
    LockNotFound,
    LockRefused,
    NotPermitted,
    NotYetPosted,
    ProofRefused,
    TooEarly,
    TooLate
} from "./Errors.sol";
import {Hashes} from "./Hashes.sol";
import {IExits} from "./IExits.sol";
import {Ids} from "./Ids.sol";
import {IModule} from "./IModule.sol";
import {CLOSED, LEG_IN, LEG_LOCAL, PENDING} from "./LockNumbers.sol";
import {GRID, RegistryRow, ROLE_GRID, TICK} from "./Records.sol";
import {Shares} from "./Shares.sol";
import {DeliveryProof, EnergyTrade, LockTerms} from "./TradeRecords.sol";
import {Verdicts} from "./Verdicts.sol";

/// @title What becomes of an open lock: verdicts, expiry of what is pending, claim, waiver, refund, shares
/// @notice No pause stops these, no light client is needed, no token is called. Anyone may push them,
/// and they pay a fixed account only.
contract Exits is Verdicts, Shares, IModule {
    /// @dev Leaves in one refund; a quorum has to sign each of their statements.
    uint256 private constant _STATEMENTS_MAX = 64;

    constructor(Config memory config) Base(config) {}

    /// @inheritdoc IModule
    function CONFIG_HASH() external view returns (bytes32) {
        return _CONFIG_HASH;
    }

    // --- B4 -----------------------------------------------------------------------------------------

    /// @inheritdoc IExits
    function expirePending(uint64 client, Packet calldata packet) external entry returns (bool isDone) {
        Received memory received = _received(client, packet);
        (EnergyTrade memory trade, bytes32 rule) = _decode(packet.value);
        if (rule != 0) revert LockNotFound(0);
        // Filled in place by the next call.
        // slither-disable-next-line uninitialized-local
        LockView memory lock;
        _lockOut(lock, trade, received.clientHash);
        if (!_load(lock)) revert LockNotFound(lock.lockId);
        if (!_expire(lock)) return false;
        _answerRefusal(received);
        return true;
    }

    /// @inheritdoc IExits
    function expireLocal(LockTerms calldata terms) external entry returns (bool isDone) {
        LockView memory lock = _lockOf(terms);
        _require(lock.leg == LEG_LOCAL, "not an INTRA lock");
        return _expire(lock);
    }

    function _expire(LockView memory lock) private returns (bool) {
        if (lock.status != PENDING) return false;
        if (_isBefore(lock.slotStart, _D_LEAD)) {
            revert TooEarly("before the verdict deadline", lock.slotStart - _D_LEAD);
        }
        _giveBack(lock);
        emit PendingExpired(lock.lockId);
        return true;
    }

    // --- A9, B6 ---------------------------------------------------------------------------------------

    /// @inheritdoc IExits
    function claim(LockTerms calldata terms, bytes calldata preimage, DeliveryProof calldata delivery)
        external
        entry
        returns (bool isDone)
    {
        LockView memory lock = _lockOf(terms);
        if (_isTerminal(lock)) return false;
        if (block.timestamp >= lock.expiry) revert TooLate("claim from the expiry on", lock.expiry);
        bytes32 stored = _statementOf(lock, delivery);
        if (!_isSignedByEnds(lock, stored)) revert NotYetPosted("both cells of a GRID trade sign");
        if (lock.status == PENDING) revert LockRefused("no claim before the verdict");
        if (preimage.length != 32 || sha256(preimage) != lock.hashlock) {
            revert LockRefused("preimage does not open");
        }
        uint256 payable_ = delivery.deliveredWh < lock.capWh ? delivery.deliveredWh : lock.capWh;
        if (payable_ <= lock.paidWh) return false;
        uint256 wh = payable_ - lock.paidWh;
        lock.paidWh = payable_;
        bool isClosed = payable_ == lock.capWh;
        if (isClosed) lock.status = CLOSED;
        _store(lock);
        uint256 amount = _payPayee(lock, wh);
        if (lock.leg != LEG_IN) _returnBond(lock, wh);
        if (isClosed) _tellClosed(lock);
        // forge-lint: disable-next-line(unsafe-typecast)
        emit Claimed(lock.lockId, uint64(wh), uint128(amount), bytes32(preimage));
        return true;
    }

    // --- A10, B7 --------------------------------------------------------------------------------------

    /// @inheritdoc IExits
    function waive(
        LockTerms calldata terms,
        uint64 wh,
        bytes calldata cosignature,
        RegistryRow[] calldata rows
    ) external entry returns (bool isDone) {
        LockView memory lock = _lockOf(terms);
        if (_isTerminal(lock)) return false;
        _requirePayee(lock, wh, cosignature, rows);
        if (lock.status == PENDING) revert LockRefused("no waiver before the verdict");
        if (wh == lock.capWh) return false;
        if (wh < lock.paidWh || wh > lock.capWh) revert LockRefused("waiver outside paid..cap");
        uint256 givenUpWh = lock.capWh - wh;
        lock.capWh = wh;
        bool isClosed = wh == lock.paidWh;
        if (isClosed) lock.status = CLOSED;
        if (lock.leg != LEG_IN) lock.slashedWh += givenUpWh;
        _store(lock);
        _refundPayer(lock, givenUpWh);
        if (lock.leg != LEG_IN) _slashBond(lock, givenUpWh);
        if (isClosed) _tellClosed(lock);
        // forge-lint: disable-next-line(unsafe-typecast)
        emit Waived(lock.lockId, uint64(givenUpWh), uint128(givenUpWh * lock.price));
        return true;
    }

    /// @dev The payee itself; of a pool this ledger's cell, with the grid operator's co-signature,
    /// because it gives members' money away.
    function _requirePayee(
        LockView memory lock,
        uint64 wh,
        bytes calldata cosignature,
        RegistryRow[] calldata rows
    ) private view {
        if (!lock.isSellerPool) {
            if (msg.sender != lock.payee) revert NotPermitted("waiver by the payee only");
            return;
        }
        if (msg.sender != _CELL) revert NotPermitted("a pool's waiver is its cell's");
        if (cosignature.length != 65) revert NotPermitted("co-signature of 65 bytes");
        _requireRows(_cellSetOf(lock.slotStart), rows);
        address cosigner = _signer(Hashes.waiveHash(lock.lockId, wh), cosignature, 0);
        for (uint256 i = 0; i < rows.length; ++i) {
            if (rows[i].role == ROLE_GRID && rows[i].cell == cosigner) return;
        }
        revert NotPermitted("the grid operator co-signs");
    }

    // --- A11, B8 --------------------------------------------------------------------------------------

    /// @inheritdoc IExits
    function refund(
        LockTerms calldata terms,
        DeliveryProof[] calldata deliveries,
        uint64 client,
        Packet[] calldata packet
    ) external entry returns (bool isDone) {
        LockView memory lock = _lockOf(terms);
        if (_isTerminal(lock)) return false;
        if (block.timestamp < lock.expiry) revert TooEarly("refund before the expiry", lock.expiry);
        uint256 shortfallWh = 0;
        if (lock.leg != LEG_IN) {
            if (deliveries.length > _STATEMENTS_MAX) revert NotPermitted("too many leaves");
            (bool isCovered, bool isSaid, uint256 largestWh) = _deliveredByAll(lock, deliveries);
            if (!isCovered) _requireLate(lock, client, packet);
            if (lock.status == PENDING) revert LockRefused("a pending lock expires");
            // What the most generous statement says was never delivered. Some of the statements are
            // as good as none: the bringer would choose the one that slashes.
            if (isCovered && isSaid) {
                uint256 keptWh = largestWh > lock.paidWh ? largestWh : lock.paidWh;
                if (keptWh < lock.capWh) shortfallWh = lock.capWh - keptWh;
            }
        }
        _close(lock, shortfallWh);
        return true;
    }

    function _close(LockView memory lock, uint256 shortfallWh) private {
        uint256 openWh = lock.capWh - lock.paidWh;
        lock.status = CLOSED;
        lock.slashedWh += shortfallWh;
        _store(lock);
        _givePayer(lock, openWh);
        if (lock.leg != LEG_IN) {
            _giveImbalancePool(lock, shortfallWh);
            _returnBond(lock, openWh - shortfallWh);
        }
        // forge-lint: disable-next-line(unsafe-typecast)
        emit LockRefunded(lock.lockId, uint64(openWh), uint64(shortfallWh));
    }

    /// @dev From T_A, which only the packet tells: the one that was received and locked here.
    function _requireLate(LockView memory lock, uint64 client, Packet[] calldata packet) private view {
        if (lock.leg == LEG_LOCAL) return;
        if (packet.length != 1) revert TooEarly("refund without every statement", type(uint64).max);
        Received memory received = _received(client, packet[0]);
        (EnergyTrade memory trade, bytes32 rule) = _decode(packet[0].value);
        // A packet of the same lock that was refused has a receipt too, but no success.
        bytes32 answer = _HOST.stored(client, Ibc.ACKNOWLEDGEMENT, received.sequence);
        if (
            rule != 0 || Ids.lockIdOut(trade) != lock.lockId
                || _HOST.stored(client, Ibc.RECEIPT, received.sequence) != received.commitment
                || answer == 0 || answer == Ibc.commitAcknowledgement(abi.encodePacked(Ibc.SENTINEL))
        ) revert ProofRefused("not the lock's packet");
        uint256 lateExpiry = trade.expiryIn;
        if (block.timestamp < lateExpiry) revert TooEarly("refund without every statement", lateExpiry);
    }

    // --- statements -----------------------------------------------------------------------------------

    /// @dev What the shown statements say. Those that do not count for this trade say nothing.
    /// @return isCovered every stored statement that counts is shown
    /// @return isSaid one of those shown counts
    function _deliveredByAll(LockView memory lock, DeliveryProof[] calldata deliveries)
        private
        view
        returns (bool isCovered, bool isSaid, uint256 largestWh)
    {
        for (uint256 i = 0; i < deliveries.length; ++i) {
            bytes32 stored = _statementOf(lock, deliveries[i]);
            if (!_isSignedByEnds(lock, stored)) continue;
            isSaid = true;
            uint256 wh = deliveries[i].deliveredWh;
            if (wh > largestWh) largestWh = wh;
        }
        uint256 tick = _lastTick(lock);
        for (uint256 index = 0;; ++index) {
            bytes32 stored = _deliveries[deliveryKey(tick, index)];
            if (stored == 0) return (true, isSaid, largestWh);
            bool isCounted = _isOfItsSet(lock, stored) && _isSignedByEnds(lock, stored);
            if (isCounted && !_isShown(deliveries, index)) return (false, isSaid, largestWh);
            if (uint256(stored) & STATEMENT_FOLLOWS == 0) return (true, isSaid, largestWh);
        }
    }

    function _isShown(DeliveryProof[] calldata deliveries, uint256 index) private pure returns (bool) {
        for (uint256 i = 0; i < deliveries.length; ++i) {
            if (deliveries[i].index == index) return true;
        }
        return false;
    }

    /// @dev The stored statement that a leaf of this lock's trade lies in.
    function _statementOf(LockView memory lock, DeliveryProof calldata delivery)
        private
        view
        returns (bytes32 stored)
    {
        stored = _deliveries[deliveryKey(_lastTick(lock), delivery.index)];
        if (stored == 0) revert NotYetPosted("no such delivery statement");
        if (!_isOfItsSet(lock, stored)) revert ProofRefused("statement of another cell set");
        bytes32[] calldata proof = delivery.proof;
        bytes32 leaf = Ids.deliveryLeaf(lock.tradeId, delivery.deliveredWh);
        if (proof.length > PROOF_LENGTH_MAX || bytes23(Hashes.rootOf(leaf, proof)) != bytes23(stored)) {
            revert ProofRefused("leaf is not in the statement");
        }
    }

    /// @dev The start of a trade's last tick, whose statement holds its leaf.
    function _lastTick(LockView memory lock) private pure returns (uint256) {
        return uint256(lock.slotStart) + lock.slotLength - TICK;
    }

    /// @dev Whether a statement is of the set that answers for the trade: the one of its first tick.
    function _isOfItsSet(LockView memory lock, bytes32 stored) private pure returns (bool) {
        // bit 0 for 900 s, bit 1 for 1800 s, bit 2 for 3600 s
        return uint8(uint256(stored) >> 64) & (lock.slotLength / TICK) != 0;
    }

    /// @dev Both ends of a GRID trade are metered by their own cells: both, and the grid operator's,
    /// must be among a statement's signers.
    function _isSignedByEnds(LockView memory lock, bytes32 stored) private view returns (bool) {
        if (lock.level != GRID) return true;
        uint64 needed = _ownersWith(_cellSetOf(lock.slotStart), lock.peerChainTag);
        return needed & ~uint64(uint256(stored)) == 0;
    }
}
