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
    uint256 private constant COUNT_BITS = 40;
    uint256 private constant COUNTS = 3;

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

    function _place(Order calldata order, bytes calldata signatures, uint256 place)
        private
        returns (bool isNew)
    {
        bytes32 orderId = Hashes.orderId(order);
        bytes32 key = Hashes.orderKey(
            orderId, order.account, order.slotStart, order.slotLength, order.anchor
        );
        if (_orders[key].status != 0) return false;
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
        _orders[key] = OrderSlot({
            energyLeft: order.energyWh,
            priceLimit: limit,
            moneyLeft: money,
            side: order.side,
            levels: order.levels,
            delivery: order.delivery,
            status: ORDERED
        });
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

    function _requireFields(Order calldata order) private view {
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
    function _moneyOf(Order calldata order, uint64 limit, bool isBuy) private view returns (uint64) {
        BandsSlot memory bands = _bands[bandsKey(order.slotStart, order.slotLength)];
        if (!bands.isSet) revert NotYetPosted("no price band for this slot");
        if (limit < bands.priceMin || limit > bands.priceMax) {
            revert OrderRefused("price outside the band");
        }
        uint256 money = uint256(order.energyWh) * (isBuy ? limit : bands.bondPrice);
        if (money > type(uint64).max) revert OrderRefused("money above 64 bits");
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(money);
    }

    function _requireGateOpen(uint256 slotStart, bytes32 rule) private view {
        if (_isBefore(slotStart, _GATE_LEAD)) return;
        revert TooLate(rule, slotStart > _GATE_LEAD ? slotStart - _GATE_LEAD : 0);
    }

    // --- the account's slot: money and how many orders ------------------------------------------

    /// @dev One read and one write of the account: its money, and its count of orders of the slot.
    function _debitAndCount(address account, uint64 slotStart, uint64 money) private {
        Account memory held = _accounts[account];
        uint256 placed = _counted(held, account, slotStart);
        if (placed >= _ORDERS_MAX) revert OrderRefused("too many orders in a slot");
        _count(held, account, slotStart, placed + 1);
        if (held.pay < money) revert InsufficientFunds(held.pay, money);
        held.pay -= money;
        _accounts[account] = held;
    }

    /// @dev A cell is {uint32 slot number, uint8 orders}.
    function _cellAt(Account memory held, uint256 i) private pure returns (uint256 number, uint256 n) {
        uint256 cell = held.counts >> (COUNT_BITS * i);
        return ((cell >> 8) & type(uint32).max, cell & type(uint8).max);
    }

    function _counted(Account memory held, address account, uint64 slotStart)
        internal
        view
        returns (uint256)
    {
        for (uint256 i = 0; i < COUNTS; ++i) {
            (uint256 number, uint256 n) = _cellAt(held, i);
            if (number == slotStart / TICK && n != 0) return n;
        }
        return held.isSpilled ? _orderCounts[_countKey(account, slotStart)] : 0;
    }

    /// @dev Writes where the count is, else over a slot whose gate is closed, else beside.
    function _count(Account memory held, address account, uint64 slotStart, uint256 n) private {
        uint256 free = COUNTS;
        for (uint256 i = 0; i < COUNTS; ++i) {
            (uint256 number, uint256 known) = _cellAt(held, i);
            if (known != 0 && number == slotStart / TICK) {
                free = i;
                break;
            }
            if (known == 0 || !_isBefore(number * TICK, _GATE_LEAD)) free = i;
        }
        bool isBeside = held.isSpilled && _orderCounts[_countKey(account, slotStart)] != 0;
        if (free == COUNTS || isBeside || slotStart / TICK > type(uint32).max) {
            held.isSpilled = true;
            _orderCounts[_countKey(account, slotStart)] = n;
            return;
        }
        uint256 shift = COUNT_BITS * free;
        uint256 mask = ((1 << COUNT_BITS) - 1) << shift;
        // forge-lint: disable-next-line(unsafe-typecast)
        held.counts = uint120((held.counts & ~mask) | ((((slotStart / TICK) << 8) | n) << shift));
    }

    function _countKey(address account, uint64 slotStart) private pure returns (bytes32) {
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
