// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "./Base.sol";
import {NotYetPosted, QuorumMissing} from "./Errors.sol";
import {Hashes} from "./Hashes.sol";
import {RegistryRow, ROLE_GRID} from "./Records.sol";

/// @title The named quorum rules: how many of n must sign
library Quorums {
    /// @notice Strictly more than 2/3: verdicts, clearings, cell sets.
    function moreThanTwoThirds(uint256 n) internal pure returns (uint256) {
        return (2 * n) / 3 + 1;
    }

    /// @notice ceil((n + f + 1) / 2), f = (n - 1) / 3: delivery statements. n at least 1.
    function byzantineMajority(uint256 n) internal pure returns (uint256) {
        return (n + (n - 1) / 3 + 2) / 2;
    }
}

/// @title Who the cells of a slot are, and which of them signed
abstract contract Cells is Base {
    /// @dev Half the order of secp256k1; above it a signature has a twin.
    uint256 private constant S_MAX =
        0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice The signer of a struct hash; 0 if the signature is none (r, s, v; low s; v 27 or 28).
    /// @param place Byte of `signatures` at which the 65 bytes begin; the caller saw them there.
    function _signer(bytes32 structHash, bytes calldata signatures, uint256 place)
        internal
        view
        returns (address)
    {
        return _recover(_digest(structHash), signatures, place);
    }

    function _digest(bytes32 structHash) internal view returns (bytes32 digest) {
        bytes32 domain = _DOMAIN;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, hex"1901")
            mstore(add(free, 2), domain)
            mstore(add(free, 34), structHash)
            digest := keccak256(free, 66)
        }
    }

    function _recover(bytes32 digest, bytes calldata signatures, uint256 place)
        internal
        pure
        returns (address)
    {
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly ("memory-safe") {
            let from := add(signatures.offset, place)
            r := calldataload(from)
            s := calldataload(add(from, 32))
            v := byte(0, calldataload(add(from, 64)))
        }
        if (uint256(s) > S_MAX) return address(0);
        // ecrecover itself gives 0 for any other v than 27 and 28
        return ecrecover(digest, v, r, s);
    }

    /// @notice Who signed: bit i is the i-th of `cells`. One bad signature spoils all.
    /// @param cells Ascending; the caller checked that they are the set's.
    /// @param signatures 65 bytes each, signers strictly ascending.
    function _signersOf(bytes32 structHash, address[] calldata cells, bytes calldata signatures)
        internal
        view
        returns (uint64 bitmap, uint256 count)
    {
        _require(signatures.length % 65 == 0, "signatures of 65 bytes each");
        count = signatures.length / 65;
        _require(count <= cells.length, "more signatures than cells");
        bytes32 digest = _digest(structHash);
        uint256 next = 0;
        for (uint256 i = 0; i < count; ++i) {
            address signer = _recover(digest, signatures, 65 * i);
            _require(signer != address(0), "invalid signature");
            // Ascending signers walk up the ascending cells once.
            while (next < cells.length && cells[next] != signer) ++next;
            _require(next < cells.length, "stranger or not ascending");
            // forge-lint: disable-next-line(incorrect-shift)
            bitmap |= uint64(1 << next);
            ++next;
        }
    }

    function _requireQuorum(uint256 signed, uint256 needed) internal pure {
        if (signed < needed) revert QuorumMissing(signed, needed);
    }

    /// @notice Check that a set is known, has this epoch and answers for a slot.
    function _requireCellSet(bytes32 cellSetId, uint64 epoch, uint64 slotStart) internal view {
        CellSetSlot storage cellSet = _cellSets[cellSetId];
        uint64 fromSlot = cellSet.fromSlot;
        if (fromSlot == 0) revert NotYetPosted("cell set");
        _require(cellSet.epoch == epoch, "epoch is not the cell set's");
        _require(_answersFor(cellSetId, slotStart), "another cell set answers");
    }

    /// @notice Whether a stored set answers for a slot: the largest fromSlot <= slotStart. Sets follow
    /// one another in one line, so this is what lies between a set's own fromSlot and its successor's.
    function _answersFor(bytes32 cellSetId, uint256 slotStart) internal view returns (bool) {
        CellSetSlot storage cellSet = _cellSets[cellSetId];
        (uint256 from, uint256 until) = (cellSet.fromSlot, cellSet.untilSlot);
        return from != 0 && from <= slotStart && (until == 0 || slotStart < until);
    }

    /// @notice Check that these are the addresses of a stored set.
    function _requireCells(bytes32 cellSetId, address[] calldata cells) internal view {
        _require(
            Hashes.addressesHash(cells) == _cellSets[cellSetId].cellsHash, "cells are not the set's"
        );
    }

    /// @notice Check that these are the registry rows of a stored set.
    function _requireRows(bytes32 cellSetId, RegistryRow[] calldata rows) internal view {
        _require(
            Hashes.registryHash(rows) == _cellSets[cellSetId].registryHash, "rows are not the set's"
        );
    }

    /// @notice The bits that a decision on a trade between two ledgers needs: their cells and the grid
    /// operator's. 0 if one of the ledgers has no cell among the rows.
    function _ownersRequired(RegistryRow[] calldata rows, bytes32 oneTag, bytes32 otherTag)
        internal
        pure
        returns (uint64 required)
    {
        bool hasOne = false;
        bool hasOther = false;
        for (uint256 i = 0; i < rows.length; ++i) {
            bytes32 tag = rows[i].chainTag;
            bool isOne = tag == oneTag;
            bool isOther = tag == otherTag;
            // forge-lint: disable-next-line(incorrect-shift)
            if (isOne || isOther || rows[i].role == ROLE_GRID) required |= uint64(1 << i);
            hasOne = hasOne || isOne;
            hasOther = hasOther || isOther;
        }
        if (!hasOne || !hasOther) return 0;
    }

    /// @notice Keep what decisions on trades with each ledger of a new set need (`_owners`). The rows are
    /// the set's, and name this ledger.
    function _storeOwners(bytes32 cellSetId, RegistryRow[] calldata rows) internal {
        for (uint256 i = 0; i < rows.length; ++i) {
            bytes32 chainTag = rows[i].chainTag;
            _owners[Hashes.ownersKey(cellSetId, chainTag)] =
                _ownersRequired(rows, chainTag, _CHAIN_TAG);
        }
    }

    /// @notice Remember that a set sealed something of a slot here, so that no successor takes it.
    function _markUsed(bytes32 cellSetId, uint64 slotStart) internal {
        CellSetSlot storage cellSet = _cellSets[cellSetId];
        if (cellSet.latestUse < slotStart) cellSet.latestUse = slotStart;
    }
}
