// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Vm} from "./Vm.sol";

/// @title What every test of the contracts stands on: cheat codes, comparisons, byte code that ships
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    string private constant _ARTIFACTS = "../../tieline/ledgers/ethereum/artifacts/";

    /// Where forge looks for it: this is a test contract.
    bool public constant IS_TEST = true;

    address[] private _targets;

    error Differs(string what, bytes left, bytes right);
    error NotTrue(string what);
    error NotDeployed(string name);

    /// @notice Deploy the committed byte code of a contract.
    /// @param arguments Its constructor's, ABI encoded.
    function deployArtifact(string memory name, bytes memory arguments) internal returns (address deployed) {
        bytes memory creation = abi.encodePacked(creationCode(name), arguments);
        assembly ("memory-safe") {
            deployed := create(0, add(creation, 32), mload(creation))
        }
        if (deployed == address(0)) {
            assembly ("memory-safe") {
                if returndatasize() {
                    let reason := mload(0x40)
                    returndatacopy(reason, 0, returndatasize())
                    revert(reason, returndatasize())
                }
            }
            revert NotDeployed(name);
        }
    }

    function creationCode(string memory name) internal view returns (bytes memory) {
        return vm.parseJsonBytes(vm.readFile(string.concat(_ARTIFACTS, name, ".json")), ".bytecode");
    }

    function assertTrue(bool holds, string memory what) internal pure {
        if (!holds) revert NotTrue(what);
    }

    function assertEq(uint256 left, uint256 right, string memory what) internal pure {
        if (left != right) revert Differs(what, abi.encode(left), abi.encode(right));
    }

    function assertEq(bytes32 left, bytes32 right, string memory what) internal pure {
        if (left != right) revert Differs(what, abi.encode(left), abi.encode(right));
    }

    function assertEq(address left, address right, string memory what) internal pure {
        if (left != right) revert Differs(what, abi.encode(left), abi.encode(right));
    }

    function assertEq(bytes memory left, bytes memory right, string memory what) internal pure {
        if (keccak256(left) != keccak256(right)) revert Differs(what, left, right);
    }

    function assertEq(string memory left, string memory right, string memory what) internal pure {
        if (keccak256(bytes(left)) != keccak256(bytes(right))) revert Differs(what, bytes(left), bytes(right));
    }

    /// @notice Bring a fuzzed number into a range, both ends included.
    function bound(uint256 number, uint256 least, uint256 most) internal pure returns (uint256) {
        if (number >= least && number <= most) return number;
        uint256 size = most - least + 1;
        return size == 0 ? number : least + number % size;
    }

    /// @notice Let forge call a contract at random in invariant tests.
    function targetContract(address target) internal {
        _targets.push(target);
    }

    function targetContracts() external view returns (address[] memory) {
        return _targets;
    }
}
