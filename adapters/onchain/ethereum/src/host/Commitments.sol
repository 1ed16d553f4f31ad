// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The provable store: keccak256(path) to 32 bytes
/// @notice At the ERC-7201 slot that light clients of stock IBC v2 chains look at, the value as it is:
/// storage slot of a path = keccak256(keccak256(path) || BASE).
library Commitments {
    bytes32 internal constant BASE = 0x1260944489272988d9df285149b5aa1b0f48f2136d6f416159f840a3e0747600;

    struct Layout {
        mapping(bytes32 hashedPath => bytes32) values;
    }

    function get(bytes32 hashedPath) internal view returns (bytes32) {
        return _layout().values[hashedPath];
    }

    function set(bytes32 hashedPath, bytes32 value) internal {
        _layout().values[hashedPath] = value;
    }

    function _layout() private pure returns (Layout storage self) {
        bytes32 base = BASE;
        assembly ("memory-safe") {
            self.slot := base
        }
    }
}
