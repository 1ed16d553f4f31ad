// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Proof} from "tieline/host/Types.sol";

import {Test} from "./Test.sol";

/// @title Attestors of another ledger, as tests need them: they sign whatever they are told to
abstract contract Attestors is Test {
    uint256[] internal keys;

    /// @notice Take *count* keys of a family, ascending by address.
    function raise(uint256 family, uint256 count) internal returns (address[] memory addresses) {
        delete keys;
        addresses = new address[](count);
        for (uint256 index = 0; index < count; ++index) {
            uint256 key = uint256(keccak256(abi.encode(family, index)));
            address made = vm.addr(key);
            keys.push(key);
            uint256 place = index;
            for (; place > 0 && addresses[place - 1] > made; --place) {
                (addresses[place], keys[place]) = (addresses[place - 1], keys[place - 1]);
            }
            (addresses[place], keys[place]) = (made, key);
        }
    }

    function none() internal pure returns (Proof memory) {
        return Proof("", "");
    }

    function attestState(uint64 height, uint64 timestamp, uint256 signers) internal view returns (Proof memory) {
        return attest(1, abi.encode(uint256(height), uint256(timestamp)), signers);
    }

    function attestOne(uint64 height, bytes32 path, bytes32 commitment, uint256 signers)
        internal
        view
        returns (Proof memory)
    {
        bytes32[] memory paths = new bytes32[](1);
        bytes32[] memory values = new bytes32[](1);
        (paths[0], values[0]) = (path, commitment);
        return attestMany(height, paths, values, signers);
    }

    function attestMany(uint64 height, bytes32[] memory paths, bytes32[] memory values, uint256 signers)
        internal
        view
        returns (Proof memory)
    {
        bytes memory data = abi.encode(uint256(32), uint256(height), uint256(64), paths.length);
        for (uint256 index = 0; index < paths.length; ++index) {
            data = bytes.concat(data, paths[index], values[index]);
        }
        return attest(2, data, signers);
    }

    function attest(uint8 tag, bytes memory data, uint256 signers) internal view returns (Proof memory) {
        return Proof(data, signAll(sha256(abi.encodePacked(tag, sha256(data))), signers));
    }

    /// @notice Signatures of the first *signers* keys.
    function signAll(bytes32 digest, uint256 signers) internal view returns (bytes memory signatures) {
        for (uint256 index = 0; index < signers; ++index) {
            signatures = bytes.concat(signatures, signOne(keys[index], digest));
        }
    }

    function signOne(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }
}
