// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// @title A token that may keep a fee, say no, or call somebody back while it moves
contract OddToken {
    mapping(address => uint256) public balanceOf;
    uint256 private fee;
    address private target;
    bytes private call;
    bool private isRefusing;

    function set(uint256 fee_, address target_, bytes calldata call_) external {
        (fee, target, call) = (fee_, target_, call_);
    }

    function refuse() external {
        isRefusing = true;
    }

    function transferFrom(address, address to, uint256 amount) external returns (bool) {
        return _move(to, amount);
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        return _move(to, amount);
    }

    function _move(address to, uint256 amount) private returns (bool) {
        if (isRefusing) return false;
        balanceOf[to] += amount - fee;
        if (target != address(0)) {
            (bool isDone, bytes memory reason) = target.call(call);
            if (!isDone) {
                assembly ("memory-safe") {
                    revert(add(reason, 32), mload(reason))
                }
            }
        }
        return true;
    }
}
