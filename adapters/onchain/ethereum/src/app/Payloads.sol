// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "./Base.sol";
import {Ids} from "./Ids.sol";
import {GRID, INTER} from "./Records.sol";
import {EnergyTrade} from "./TradeRecords.sol";

/// @title Whether a packet's payload agrees with itself and with this ledger's ladder
/// @notice Both ends check this before anything is reserved. A rule is ASCII text, 0 for none broken.
abstract contract Payloads is Base {
    uint256 internal constant PAYLOAD_BYTES = 736;
    /// @dev A lock's state has 40 bits for its Wh.
    uint256 internal constant ENERGY_WH_MAX = type(uint40).max;
    /// @dev From a slot's end to the last expiry of its locks: nobody's money is frozen for longer by a
    /// cell that writes a date far ahead.
    uint256 internal constant EXPIRY_LEAD_MAX = 86_400;

    /// @dev Read a payload by hand: length, high bits, version and level are checked before a field is
    /// used, because a decoder that reverts with empty data would be taken for out of gas.
    function _decode(bytes calldata value)
        internal
        pure
        returns (EnergyTrade memory trade, bytes32 rule)
    {
        if (value.length != PAYLOAD_BYTES) return (trade, "not 736 bytes");
        uint256 dirty;
        assembly ("memory-safe") {
            calldatacopy(trade, value.offset, 736)
            function word(base, index) -> w {
                w := mload(add(base, shl(5, index)))
            }
            dirty := or(shr(16, word(trade, 0)), shr(8, word(trade, 1)))
            dirty := or(dirty, shr(64, or(word(trade, 4), word(trade, 5))))
            dirty := or(dirty, shr(32, word(trade, 6)))
            dirty := or(dirty, shr(160, or(word(trade, 10), word(trade, 11))))
            dirty := or(dirty, shr(160, or(word(trade, 12), word(trade, 13))))
            dirty := or(dirty, shr(64, or(or(word(trade, 14), word(trade, 15)), word(trade, 16))))
            dirty := or(dirty, shr(64, or(or(word(trade, 18), word(trade, 19)), word(trade, 20))))
        }
        if (dirty != 0) rule = "dirty high bits";
        else if (trade.version != 1) rule = "unknown version";
        else if (trade.level != INTER && trade.level != GRID) rule = "level cannot cross ledgers";
    }

    /// @dev Which field contradicts the others (reason PAYLOAD).
    function _payloadRule(EnergyTrade memory trade) internal pure returns (bytes32) {
        if (trade.sourceChainTag == trade.destChainTag) return "source is destination";
        if (!_isSlot(trade.slotStart, trade.slotLength)) return "not a slot";
        if (trade.energyWh == 0) return "no energy";
        if (trade.energyWh > ENERGY_WH_MAX) return "energy from 2^40 Wh on";
        if (trade.priceOut > trade.priceIn) return "price out above price in";
        if (Ids.tradeId(trade) != trade.tradeId) return "trade id does not recompute";
        if (Ids.lockIdIn(trade) != trade.lockIdIn) return "lock id does not recompute";
        return 0;
    }

    /// @dev Which deadline breaks this ledger's governed leads (reason LADDER). tau and D are exact, so
    /// that no caller chooses them; expiries may be later, but not for ever.
    function _ladderRule(EnergyTrade memory trade, uint256 timeout) internal view returns (bytes32) {
        uint256 start = trade.slotStart;
        uint256 end = start + trade.slotLength;
        if (timeout + _TAU_LEAD != start) return "tau";
        if (trade.verdictDeadline + _D_LEAD != start) return "D";
        if (trade.expiryOut < end + _STATEMENT_LEAD + _MIN_CLAIM_WINDOW) return "T_B";
        if (trade.expiryIn < trade.expiryOut + _MIN_MARGIN) return "T_A";
        if (trade.expiryIn > end + EXPIRY_LEAD_MAX) return "T_A at most";
        return 0;
    }
}
