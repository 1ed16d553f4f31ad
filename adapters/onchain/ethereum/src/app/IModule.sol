// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What App asks of Trade, Exits and Book before it takes them as its modules
interface IModule {
    /// @notice keccak of the configuration the module was made with; App's must be the same.
    function CONFIG_HASH() external view returns (bytes32);
}
