// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Base} from "./Base.sol";
import {InsufficientFunds, InvalidCoins} from "./Errors.sol";
import {IBook} from "./IBook.sol";
import {IBookEvents} from "./IBookEvents.sol";

/// @title PAY in accounts and vaults
/// @notice The token is called here only, at deposit and withdrawal; everything else moves numbers.
abstract contract Money is Base, IBook, IBookEvents {
    using SafeERC20 for IERC20;

    function deposit(uint128 amount) external entry {
        _requireAmount(amount);
        _debitPay(msg.sender, amount);
        _vaults[msg.sender] += amount;
        emit VaultDeposited(msg.sender, msg.sender, amount, false);
    }

    function withdraw(uint128 amount) external entry {
        _requireAmount(amount);
        uint256 held = _vaults[msg.sender];
        if (held < amount) revert InsufficientFunds(held, amount);
        _vaults[msg.sender] = held - amount;
        _creditPay(msg.sender, amount);
        emit VaultWithdrawn(msg.sender, amount);
    }

    function send(address recipient, uint128 amount) external entry {
        _requireAmount(amount);
        _debitPay(msg.sender, amount);
        _creditPay(recipient, amount);
        emit Sent(msg.sender, recipient, amount);
    }

    function depositPay(uint128 amount) external entry {
        _bringIn(amount);
    }

    function depositPayWithPermit(
        uint128 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external entry {
        // Somebody may have sent the same permit before: then the allowance is there already.
        try IERC20Permit(_PAY).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _bringIn(amount);
    }

    function depositFor(
        address[] calldata accounts,
        uint128[] calldata amounts,
        bool isIntoVaults
    ) external entry {
        _require(accounts.length == amounts.length && accounts.length > 0, "accounts and amounts");
        uint256 total = 0;
        for (uint256 i = 0; i < accounts.length; ++i) {
            (address account, uint128 amount) = (accounts[i], amounts[i]);
            _requireAmount(amount);
            total += amount;
            if (isIntoVaults) {
                _vaults[account] += amount;
                emit VaultDeposited(account, msg.sender, amount, true);
            } else {
                _creditPay(account, amount);
                emit PayDeposited(account, msg.sender, amount);
            }
        }
        _takeTokens(total);
    }

    function withdrawPay(uint128 amount) external entry {
        _requireAmount(amount);
        _debitPay(msg.sender, amount);
        emit PayWithdrawn(msg.sender, amount);
        IERC20(_PAY).safeTransfer(msg.sender, amount);
    }

    function _bringIn(uint128 amount) private {
        _requireAmount(amount);
        _creditPay(msg.sender, amount);
        emit PayDeposited(msg.sender, msg.sender, amount);
        _takeTokens(amount);
    }

    /// @dev Exactly this much must come in: a token that keeps a fee would leave the books short.
    function _takeTokens(uint256 amount) private {
        IERC20 token = IERC20(_PAY);
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        if (token.balanceOf(address(this)) != before + amount) {
            revert InvalidCoins("token moved another amount");
        }
    }

    function _requireAmount(uint128 amount) private pure {
        if (amount == 0) revert InvalidCoins("amount out of range");
    }
}
