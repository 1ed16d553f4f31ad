// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Cells} from "./Cells.sol";
import {
    InsufficientFunds,
    NotPermitted,
    NotYetPosted,
    OrderRefused,
    TooEarly,
    TooLate
} from "./Errors.sol";
import {Hashes} from "./Hashes.sol";
import {IBook} from "./IBook.sol";
import {IBookEvents} from "./IBookEvents.sol";
import {BUY, CANCELLED, ORDERED, Order, OrderRef, RELEASED, TICK} from "./Records.sol";

/// @title Orders on this ledger: placed with escrow, cancelled, released
/// @notice Nothing here clears a market; it keeps what households authorised with their signatures.
abstract contract Orders is Cells, IBook, IBookEvents {
    // Places of bits in an account's word (Storage.Account).
    uint256 private constant _PAY_BITS = 128;
    uint256 private constant _COUNT_BITS = 40;
    uint256 private constant _COUNT_MASK = (1 << _COUNT_BITS) - 1;
    uint256 private constant _SPILLED = 248;

    function placeOrders(Order[] calldata orders, bytes calldata signatures)
        external
        entry
        returns (bool isDone)
    {
        _requireOpen(_pauses.orders);
        _require(orders.length > 0, "no orders");
        if (signatures.length != 65 * orders.length) {
            revert NotPermitted("one signature of 65 bytes each");
        }
        for (uint256 i = 0; i < orders.length; ++i) {
            if (_place(orders[i], signatures, 65 * i)) isDone = true;
        }
    }

    function cancel(OrderRef calldata ref, bytes calldata signature)
        external
        entry
        returns (bool isDone)
    {
        OrderSlot storage order = _storedOrder(ref);
        if (order.status == CANCELLED) return false;
        if (
            signature.length != 65
                || _signer(Hashes.cancelHash(ref.orderId), signature, 0) != ref.account
                || ref.account == address(0)
        ) revert NotPermitted("cancel by the order's account");
        _requireGateOpen(ref.slotStart, "cancel from gate closure on");
        uint64 returned = _giveBack(order, ref.account, CANCELLED);
        emit OrderCancelled(ref.orderId, ref.account, returned);
        return true;
    }

    function releaseOrders(OrderRef[] calldata refs) external entry returns (bool isDone) {
        for (uint256 i = 0; i < refs.length; ++i) {
            OrderRef calldata ref = refs[i];
            OrderSlot storage order = _storedOrder(ref);
            if (order.status != ORDERED) continue;
            if (_isBefore(ref.slotStart, _TAU_LEAD)) {
                revert TooEarly("release before the batch closed", ref.slotStart - _TAU_LEAD);
            }
            uint64 returned = _giveBack(order, ref.account, RELEASED);
            emit OrderReleased(ref.orderId, ref.account, returned);
            isDone = true;
        }
    }

    function setBands(
        uint64 slotStart,
        uint32 slotLength,
        uint64 priceMin,
        uint64 priceMax,
        uint64 bondPrice
    ) external entry returns (bool isDone) {
        _require(_isSlot(slotStart, slotLength), "not a slot of the market");
        _requireCell();
        _require(priceMin <= priceMax, "empty price band");
        _require(bondPrice <= type(uint48).max, "bond price out of range");
        uint256 key = bandsKey(slotStart, slotLength);
        BandsSlot memory bands = _bands[key];
        if (bands.isSet) {
            _require(
                bands.priceMin == priceMin && bands.priceMax == priceMax
                    && bands.bondPrice == bondPrice,
                "other bands are fixed"
            );
            return false;
        }
        _requireGateOpen(slotStart, "bands from gate closure on");
        // forge-lint: disable-next-line(unsafe-typecast)
        _bands[key] = BandsSlot(priceMin, priceMax, uint48(bondPrice), true);
        emit BandsSet(slotStart, slotLength, priceMin, priceMax, bondPrice);
        return true;
    }

    // --- placing ------------------------------------------------------------------------------

    /// @dev The order is read into memory once: reading and checking each field of calldata where it is
    /// used costs more than the order's hash.
    function _place(Order memory order, bytes calldata signatures, uint256 place)
        private
        returns (bool isNew)
    {
        bytes32 orderId = _idOf(order);
        bytes32 key = Hashes.orderKey(
            orderId, order.account, order.slotStart, order.slotLength, order.anchor
        );
        OrderSlot storage stored = _orders[key];
        if (stored.status != 0) return false;
        _requireFields(order);
        address signer = _signer(orderId, signatures, place);
        if (signer != order.account || signer == address(0)) {
            revert NotPermitted("order by its account");
        }
        bool isBuy = order.side == BUY;
        uint64 limit = isBuy ? order.priceMax : order.priceMin;
        uint64 money = _moneyOf(order, limit, isBuy);
        _requireGateOpen(order.slotStart, "order from gate closure on");
        _debitAndCount(order.account, order.slotStart, money);
        stored.energyLeft = order.energyWh;
        stored.priceLimit = limit;
        stored.moneyLeft = money;
        stored.side = order.side;
        stored.levels = order.levels;
        stored.delivery = order.delivery;
        stored.status = ORDERED;
        emit OrderPlaced(
            orderId,
            order.account,
            order.slotStart,
            order.slotLength,
            order.side,
            order.levels,
            order.delivery,
            order.energyWh,
            limit,
            money,
            order.anchor
        );
        return true;
    }

    /// @dev Struct hash of an order in memory: its 13 words behind the type's hash, which for a moment
    /// stands in the word before them.
    function _idOf(Order memory order) private pure returns (bytes32 orderId) {
        bytes32 typeHash = Hashes.ORDER_TYPE;
        assembly ("memory-safe") {
            let start := sub(order, 32)
            let kept := mload(start)
            mstore(start, typeHash)
            orderId := keccak256(start, 448)
            mstore(start, kept)
        }
    }

    function _requireFields(Order memory order) private view {
        if (order.chainTag != _CHAIN_TAG) revert OrderRefused("order of another ledger");
        _require(_isSlot(order.slotStart, order.slotLength), "not a slot of the market");
        if (order.side == 0 || order.side > 2 || order.delivery == 0 || order.delivery > 2) {
            revert OrderRefused("unknown side or delivery");
        }
        if (order.levels == 0 || order.levels > 7) revert OrderRefused("unknown levels");
        if (order.priceMin > order.priceMax) revert OrderRefused("empty price range");
        if (order.energyWh < _ORDER_ENERGY_MIN) revert OrderRefused("energy below the minimum");
    }

    /// @dev What a buy may cost at worst, or what a sale's bond is.
    function _moneyOf(Order memory order, uint64 limit, bool isBuy) private view returns (uint64) {
        BandsSlot storage bands = _bands[bandsKey(order.slotStart, order.slotLength)];
        if (!bands.isSet) revert NotYetPosted("no price band for this slot");
        if (limit < bands.priceMin || limit > bands.priceMax) {
            revert OrderRefused("price outside the band");
        }
        // Two numbers of 64 bits: no overflow.
        uint256 money;
        unchecked {
            money = uint256(order.energyWh) * (isBuy ? limit : bands.bondPrice);
        }
        if (money > type(uint64).max) revert OrderRefused("money above 64 bits");
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(money);
    }

    function _requireGateOpen(uint256 slotStart, bytes32 rule) private view {
        if (_isBefore(slotStart, _GATE_LEAD)) return;
        revert TooLate(rule, slotStart > _GATE_LEAD ? slotStart - _GATE_LEAD : 0);
    }

    // --- the account's slot: money and how many orders ------------------------------------------

    /// @dev One read and one write of the account's word: its money in the low 128 bits, then three
    /// cells of 40 bits, {uint32 slot number, uint8 orders}, then whether some counts are kept beside.
    function _debitAndCount(address account, uint256 slotStart, uint256 money) private {
        Account storage held = _accounts[account];
        uint256 word;
        assembly ("memory-safe") {
            word := sload(held.slot)
        }
        (uint256 shift, uint256 placed) = _countIn(word, slotStart);
        bool isBeside = placed == 0 && word >> _SPILLED != 0;
        if (isBeside) {
            placed = _orderCounts[_countKey(account, slotStart)];
            isBeside = placed != 0;
        }
        if (placed >= _ORDERS_MAX) revert OrderRefused("too many orders in a slot");
        uint256 pay = word & type(uint128).max;
        if (pay < money) revert InsufficientFunds(pay, money);
        unchecked {
            word -= money;
            if (isBeside || shift == 0) {
                word |= 1 << _SPILLED;
                _orderCounts[_countKey(account, slotStart)] = placed + 1;
            } else {
                word &= ~(_COUNT_MASK << shift);
                word |= ((slotStart / TICK << 8) | (placed + 1)) << shift;
            }
        }
        assembly ("memory-safe") {
            sstore(held.slot, word)
        }
    }

    /// @dev Where the count of a slot's orders is or may be written, and how many there are. A cell whose
    /// slot's gate is closed is free: nothing is placed there any more.
    /// @return shift 0: no cell is free
    function _countIn(uint256 word, uint256 slotStart)
        private
        view
        returns (uint256 shift, uint256 placed)
    {
        unchecked {
            uint256 number = slotStart / TICK;
            if (number > type(uint32).max) return (0, 0);
            uint256 closed = (block.timestamp + _GATE_LEAD) / TICK;
            for (uint256 i = _PAY_BITS; i < _SPILLED; i += _COUNT_BITS) {
                uint256 found = (word >> i) & _COUNT_MASK;
                if (found >> 8 == number) return (i, found & type(uint8).max);
                // free if now + lead >= its slot, whose start is a whole number of ticks
                if (found >> 8 <= closed) shift = i;
            }
        }
    }

    function _countOf(address account, uint256 slotStart) internal view returns (uint256 placed) {
        Account storage held = _accounts[account];
        uint256 word;
        assembly ("memory-safe") {
            word := sload(held.slot)
        }
        (, placed) = _countIn(word, slotStart);
        if (placed == 0) placed = _orderCounts[_countKey(account, slotStart)];
    }

    function _countKey(address account, uint256 slotStart) private pure returns (bytes32) {
        return keccak256(abi.encode(account, slotStart));
    }

    // --- taking back ----------------------------------------------------------------------------

    function _storedOrder(OrderRef calldata ref) internal view returns (OrderSlot storage order) {
        order = _orders[Hashes.orderKey(
            ref.orderId, ref.account, ref.slotStart, ref.slotLength, ref.anchor
        )];
        if (order.status == 0) revert OrderRefused("no such order");
    }

    function _giveBack(OrderSlot storage order, address account, uint8 status)
        private
        returns (uint64 returned)
    {
        returned = order.moneyLeft;
        order.energyLeft = 0;
        order.moneyLeft = 0;
        order.status = status;
        _creditPay(account, returned);
    }
}
