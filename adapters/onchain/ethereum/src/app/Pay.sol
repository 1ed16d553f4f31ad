// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title PAY: the issuer's promise of money on this ledger, in nano-EUR
/// @notice All of it is issued at the start; nobody can make more. Inside the application balances are
/// numbers, so this contract is called at deposit and withdrawal only.
contract Pay is ERC20Permit {
    /// @param issuer Holds everything at first.
    /// @param supply nano-EUR, below 2^128: the application's balances have 16 bytes.
    constructor(address issuer, uint128 supply) ERC20("PAY", "PAY") ERC20Permit("PAY") {
        _mint(issuer, supply);
    }

    /// @notice One token is one euro.
    function decimals() public pure override returns (uint8) {
        return 9;
    }
}
