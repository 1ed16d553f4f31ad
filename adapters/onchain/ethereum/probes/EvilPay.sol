// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Pay} from "../src/app/Pay.sol";

/// @title PAY that keeps a fee, or calls back, once it is told to
/// @notice For tests of what the application does with a token it should never have been given.
contract EvilPay is Pay {
    enum Mood {
        HONEST,
        TAKES_A_FEE,
        GIVES_MORE,
        REENTERS,
        LIES
    }

    Mood public mood;
    address public target;
    bytes public reentry;
    bool public isEntered;
    bytes public answer;

    constructor(address issuer, uint128 supply) Pay(issuer, supply) {}

    function set(Mood to, address called, bytes calldata with) external {
        (mood, target, reentry) = (to, called, with);
        (isEntered, answer) = (false, "");
    }

    /// @dev Anybody gets what a test needs.
    function give(address account, uint256 amount) external {
        _mint(account, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (mood == Mood.LIES) return true;
        super.transferFrom(from, to, amount);
        if (mood == Mood.TAKES_A_FEE) _burn(to, 1);
        if (mood == Mood.GIVES_MORE) _mint(to, 1);
        if (mood == Mood.REENTERS) _reenter();
        return true;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        if (mood == Mood.REENTERS) _reenter();
        return super.transfer(to, amount);
    }

    function _reenter() private {
        (isEntered, answer) = target.call(reentry);
    }
}
