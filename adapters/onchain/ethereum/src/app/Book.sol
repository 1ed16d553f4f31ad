// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base, Config} from "./Base.sol";
import {Connectors} from "./Connectors.sol";
import {InvalidMessage} from "./Errors.sol";
import {IModule} from "./IModule.sol";
import {Money} from "./Money.sol";
import {Orders} from "./Orders.sol";
import {Seals} from "./Seals.sol";

/// @title The module of orders, seals, statements, mandates and money; run by App's delegatecall
contract Book is IModule, Orders, Seals, Connectors, Money {
    constructor(Config memory config) Base(config) {}

    /// @dev App sends what nobody else knows here; a refusal is never without a reason.
    fallback() external {
        revert InvalidMessage("unknown call");
    }

    function CONFIG_HASH() external view returns (bytes32) {
        return _CONFIG_HASH;
    }

    function ordersPlaced(address account, uint64 slotStart) external view returns (uint256) {
        return _countOf(account, slotStart);
    }
}
