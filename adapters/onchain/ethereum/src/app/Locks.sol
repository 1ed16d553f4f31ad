// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Cells} from "./Cells.sol";
import {LockNotFound, NotYetPosted} from "./Errors.sol";
import {Hashes} from "./Hashes.sol";
import {ITradeEvents} from "./ITradeEvents.sol";
import {Ids} from "./Ids.sol";
import {CLOSED, LEG_IN, LEG_LOCAL, LEG_OUT, OPEN, PENDING, REFUSED} from "./LockNumbers.sol";
import {BUY, SELL} from "./Records.sol";
import {EnergyTrade, LockTerms} from "./TradeRecords.sol";

/// @title Locks: their terms from calldata, their state in one slot, their money
/// @notice The rules are the callers'. Here Wh become nano-EUR (price x Wh, exact) and go to a fixed
/// payee or payer. What belongs to a pool waits in the lock for `collectShares`.
abstract contract Locks is Cells, ITradeEvents {
    /// @dev A lock under work: terms that its id vouches for, and the state as it is or will be.
    struct LockView {
        bytes32 lockId;
        bytes32 tradeId;
        bytes32 hashlock;
        bytes32 allocationsRoot;
        /// The ledger of the other leg; this one for LOCAL.
        bytes32 peerChainTag;
        address payer;
        address payee;
        uint8 leg;
        uint8 level;
        uint64 slotStart;
        uint32 slotLength;
        uint256 energyWh;
        uint256 price;
        uint256 expiry;
        bool isBuyerPool;
        bool isSellerPool;
        uint256 status;
        uint256 capWh;
        uint256 paidWh;
        uint256 slashedWh;
        /// Of a destination's lock, which has no buyers here: the first 40 bits of its mandate's id.
        uint256 cursorBuyWh;
        uint256 cursorSellWh;
        uint256 bondPrice;
    }

    /// @dev Deeper than any tree of a slot; bounds the work of a false proof.
    uint256 internal constant PROOF_LENGTH_MAX = 32;
    uint256 private constant _UINT40 = type(uint40).max;

    // --- terms --------------------------------------------------------------------------------

    /// @dev The lock that a call brings the terms of. Reverts if there is none.
    function _lockOf(LockTerms calldata terms) internal view returns (LockView memory lock) {
        _view(lock, terms);
        if (!_load(lock)) revert LockNotFound(lock.lockId);
    }

    /// @dev Terms without state; the id is what they hash to.
    function _view(LockView memory lock, LockTerms calldata terms) internal view {
        bytes32 chainTag = _CHAIN_TAG;
        (bytes32 source, bytes32 dest) = (terms.sourceChainTag, terms.destChainTag);
        if (source == 0) source = chainTag;
        if (dest == 0) dest = chainTag;
        if (dest == chainTag) {
            lock.leg = source == chainTag ? LEG_LOCAL : LEG_OUT;
            lock.peerChainTag = source;
        } else {
            if (source != chainTag) revert LockNotFound(0);
            lock.leg = LEG_IN;
            lock.peerChainTag = dest;
        }
        lock.hashlock = terms.hashlock;
        lock.allocationsRoot = terms.allocationsRoot;
        lock.slotStart = terms.slotStart;
        lock.slotLength = terms.slotLength;
        lock.level = terms.level;
        lock.tradeId = Ids.tradeId(terms, source, dest);
        lock.lockId = Ids.lockId(terms, chainTag, lock.tradeId);
        _setParties(lock, terms.payer, terms.payee, terms.energyWh, terms.price, terms.expiry);
    }

    /// @dev One leg of a packet's trade, whose trade id the caller vouches for.
    function _view(LockView memory lock, EnergyTrade memory trade, uint8 leg) internal view {
        lock.leg = leg;
        lock.hashlock = trade.hashlock;
        lock.allocationsRoot = trade.allocationsRoot;
        lock.slotStart = trade.slotStart;
        lock.slotLength = trade.slotLength;
        lock.level = trade.level;
        lock.tradeId = trade.tradeId;
        if (leg == LEG_IN) {
            lock.peerChainTag = trade.destChainTag;
            lock.lockId = Ids.lockIdIn(trade);
            _setParties(
                lock, trade.buyer, trade.connectorIn, trade.energyWh, trade.priceIn, trade.expiryIn
            );
        } else {
            lock.peerChainTag = trade.sourceChainTag;
            lock.lockId = Ids.lockIdOut(trade);
            _setParties(
                lock, trade.connectorOut, trade.seller, trade.energyWh, trade.priceOut, trade.expiryOut
            );
        }
    }

    function _setParties(
        LockView memory lock,
        address payer,
        address payee,
        uint64 energyWh,
        uint64 price,
        uint64 expiry
    ) internal view {
        bytes32 chainTag = _CHAIN_TAG;
        (lock.payer, lock.payee) = (payer, payee);
        (lock.energyWh, lock.price, lock.expiry) = (energyWh, price, expiry);
        if (lock.leg != LEG_OUT) lock.isBuyerPool = payer == Ids.pool(chainTag, lock.tradeId, BUY);
        if (lock.leg != LEG_IN) lock.isSellerPool = payee == Ids.pool(chainTag, lock.tradeId, SELL);
    }

    // --- state --------------------------------------------------------------------------------

    /// @dev Read the state of a lock; false if this ledger has no lock of that id.
    function _load(LockView memory lock) internal view returns (bool isKnown) {
        Lock storage stored = _locks[lock.hashlock];
        bytes32 lockId = stored.lockId;
        bool isRefused = lockId == ~lock.lockId;
        if (lockId != lock.lockId && !isRefused) return false;
        LockState storage state = stored.state;
        uint256 packed;
        assembly ("memory-safe") {
            packed := sload(state.slot)
        }
        if (packed != 0) {
            lock.status = packed & 0xff;
            lock.capWh = (packed >> 8) & _UINT40;
            lock.paidWh = (packed >> 48) & _UINT40;
            lock.slashedWh = (packed >> 88) & _UINT40;
            lock.cursorBuyWh = (packed >> 128) & _UINT40;
            lock.cursorSellWh = (packed >> 168) & _UINT40;
            lock.bondPrice = packed >> 208;
        } else if (isRefused) {
            lock.status = REFUSED;
            lock.bondPrice = _bondPriceOf(lock.slotStart, lock.slotLength);
        } else {
            lock.status = lock.leg == LEG_IN ? OPEN : PENDING;
            lock.capWh = lock.energyWh;
        }
        return true;
    }

    /// @dev Write the state. Every field fits: energy is below 2^40, the bond price below 2^48.
    function _store(LockView memory lock) internal {
        LockState storage state = _locks[lock.hashlock].state;
        uint256 packed = lock.status | lock.capWh << 8 | lock.paidWh << 48 | lock.slashedWh << 88
            | lock.cursorBuyWh << 128 | lock.cursorSellWh << 168 | lock.bondPrice << 208;
        assembly ("memory-safe") {
            sstore(state.slot, packed)
        }
    }

    /// @dev Mark a pending lock as refused: its id with every bit turned. The state's slot stays empty until a
    /// pool's share is collected, which saves the dearest write of an expiry.
    function _storeRefused(LockView memory lock) internal {
        lock.status = REFUSED;
        lock.capWh = 0;
        _locks[lock.hashlock].lockId = ~lock.lockId;
    }

    function _isTerminal(LockView memory lock) internal pure returns (bool) {
        return lock.status == CLOSED || lock.status == REFUSED;
    }

    /// @dev Tell how a lock ended that the caller just closed.
    function _tellClosed(LockView memory lock) internal {
        // forge-lint: disable-next-line(unsafe-typecast)
        emit LockClosed(lock.lockId, uint64(lock.paidWh), uint64(lock.energyWh - lock.paidWh));
    }

    /// @dev The bond price of a slot; it is fixed before the slot's book opens.
    function _bondPriceOf(uint256 slotStart, uint256 slotLength) internal view returns (uint256) {
        BandsSlot storage bands = _bands[bandsKey(slotStart, slotLength)];
        if (!bands.isSet) revert NotYetPosted("price band");
        return bands.bondPrice;
    }

    // --- money --------------------------------------------------------------------------------

    /// @dev Money of `wh` to the payee; a pool's stays.
    function _payPayee(LockView memory lock, uint256 wh) internal returns (uint256 amount) {
        amount = _times(wh, lock.price);
        if (lock.leg == LEG_IN) _vaults[lock.payee] += amount;
        else if (!lock.isSellerPool) _creditPay(lock.payee, amount);
        _releaseOpen(lock, amount);
    }

    /// @dev Money of `wh` back to the payer; a pool's stays.
    function _refundPayer(LockView memory lock, uint256 wh) internal {
        uint256 amount = _givePayer(lock, wh);
        // forge-lint: disable-next-line(unsafe-typecast)
        emit Refunded(lock.lockId, uint64(wh), uint128(amount));
    }

    /// @dev As `_refundPayer`; the caller tells of it.
    function _givePayer(LockView memory lock, uint256 wh) internal returns (uint256 amount) {
        amount = _times(wh, lock.price);
        if (lock.leg == LEG_OUT) _vaults[lock.payer] += amount;
        else if (!lock.isBuyerPool) _creditPay(lock.payer, amount);
        _releaseOpen(lock, amount);
    }

    /// @dev Bond of `wh` to the seller; a pool's stays.
    function _returnBond(LockView memory lock, uint256 wh) internal {
        if (!lock.isSellerPool) _creditPay(lock.payee, _times(wh, lock.bondPrice));
    }

    /// @dev Bond of `wh` to the imbalance pool.
    function _slashBond(LockView memory lock, uint256 wh) internal {
        uint256 amount = _giveImbalancePool(lock, wh);
        // forge-lint: disable-next-line(unsafe-typecast)
        emit BondSlashed(lock.lockId, uint64(wh), uint128(amount));
    }

    /// @dev As `_slashBond`; the caller tells of it.
    function _giveImbalancePool(LockView memory lock, uint256 wh) internal returns (uint256 amount) {
        amount = _times(wh, lock.bondPrice);
        if (amount != 0) _vaults[Hashes.imbalanceAccount(_CHAIN_TAG)] += amount;
    }

    /// @dev Energy is below 2^64 and prices too: exact in a word.
    function _times(uint256 wh, uint256 price) private pure returns (uint256 amount) {
        unchecked {
            amount = wh * price;
        }
    }

    /// @dev What a destination's lock paid or gave back no longer counts against its mandate.
    function _releaseOpen(LockView memory lock, uint256 amount) private {
        if (lock.leg == LEG_OUT && amount != 0) {
            _mandateOpen[openKey(lock.payer, lock.cursorBuyWh)] -= amount;
        }
    }

    /// @dev The 40 bits of a mandate's id that locks keep.
    function _mandateBits(bytes32 mandateId) internal pure returns (uint256) {
        return uint256(mandateId) >> 216;
    }

    // --- who must have signed -------------------------------------------------------------------

    /// @dev The bits that a decision on a trade with another ledger needs in a cell set: its cell's,
    /// this ledger's and the grid operator's. 0 if the other ledger has no cell in the set.
    function _ownersWith(bytes32 cellSetId, bytes32 peerChainTag) internal view returns (uint64) {
        return _owners[Ids.pair(cellSetId, uint256(peerChainTag))];
    }

    /// @dev The set that answers for a slot. Only for locks, whose clearing was of such a set.
    function _cellSetOf(uint256 slotStart) internal view returns (bytes32 cellSetId) {
        cellSetId = _newestCellSet;
        while (_cellSets[cellSetId].fromSlot > slotStart) cellSetId = _cellSets[cellSetId].previous;
    }
}
