// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// @title OpenZeppelin's StandardMerkleTree, as docs/spec/bytes.md writes it down
library Trees {
    /// @param leaves keccak(keccak(abi(fields))) each, in any order
    function tree(bytes32[] memory leaves) internal pure returns (bytes32[] memory nodes) {
        uint256 n = leaves.length;
        bytes32[] memory sorted = new bytes32[](n);
        for (uint256 i = 0; i < n; ++i) {
            uint256 j = i;
            for (; j > 0 && sorted[j - 1] > leaves[i]; --j) sorted[j] = sorted[j - 1];
            sorted[j] = leaves[i];
        }
        nodes = new bytes32[](2 * n - 1);
        for (uint256 i = 0; i < n; ++i) nodes[2 * n - 2 - i] = sorted[i];
        for (uint256 i = n - 1; i > 0; --i) nodes[i - 1] = pair(nodes[2 * i - 1], nodes[2 * i]);
    }

    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        return tree(leaves)[0];
    }

    function proof(bytes32[] memory leaves, bytes32 leaf) internal pure returns (bytes32[] memory path) {
        bytes32[] memory nodes = tree(leaves);
        uint256 place = nodes.length - 1;
        while (nodes[place] != leaf) --place;
        uint256 depth = 0;
        for (uint256 at = place; at > 0; at = (at - 1) / 2) ++depth;
        path = new bytes32[](depth);
        for (uint256 i = 0; i < depth; ++i) {
            path[i] = nodes[place % 2 == 1 ? place + 1 : place - 1];
            place = (place - 1) / 2;
        }
    }

    function pair(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return left < right
            ? keccak256(abi.encode(left, right))
            : keccak256(abi.encode(right, left));
    }

    function twice(bytes memory fields) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(fields)));
    }
}
