// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Cells, Quorums} from "./Cells.sol";
import {NotYetPosted} from "./Errors.sol";
import {Hashes} from "./Hashes.sol";
import {IBook} from "./IBook.sol";
import {IBookEvents} from "./IBookEvents.sol";
import {
    CELLS_MAX,
    CellSet,
    Clearing,
    Delivery,
    GRID,
    INTER,
    INTRA,
    RegistryRow,
    ROLE_GRID,
    ROLE_MICROGRID,
    TICK
} from "./Records.sol";

/// @title What the cells sealed: cell sets, clearings, delivery statements
/// @notice Anyone may post; the signatures are what counts. Verdicts are posted with `applyVerdict`.
abstract contract Seals is Cells, IBook, IBookEvents {
    // --- cell sets ------------------------------------------------------------------------------

    function postCellSet(
        CellSet calldata cellSet,
        RegistryRow[] calldata rows,
        address[] calldata signers,
        bytes calldata signatures
    ) external entry returns (bool isDone) {
        _requireRowsOf(cellSet, rows);
        bytes32 cellSetId =
            Hashes.cellSetId(_NETWORK_ID, cellSet.networkEpoch, cellSet.epoch, cellSet.cellsHash);
        CellSetSlot storage stored = _cellSets[cellSetId];
        if (stored.fromSlot != 0) {
            _require(
                stored.previous == cellSet.previous && stored.fromSlot == cellSet.fromSlot
                    && stored.registryHash == cellSet.registryHash,
                "a different set has this id"
            );
            return false;
        }
        _requireNext(cellSet, signers);
        (, uint256 signed) = _signersOf(Hashes.cellSetHash(cellSet), signers, signatures);
        _requireQuorum(signed, Quorums.moreThanTwoThirds(signers.length));
        if (cellSet.previous != 0) _cellSets[cellSet.previous].untilSlot = cellSet.fromSlot;
        stored.epoch = cellSet.epoch;
        stored.fromSlot = cellSet.fromSlot;
        stored.registryHash = cellSet.registryHash;
        stored.cellsHash = cellSet.cellsHash;
        stored.previous = cellSet.previous;
        _storeOwners(cellSetId, rows);
        _newestCellSet = cellSetId;
        emit CellSetPosted(
            cellSetId,
            cellSet.previous,
            cellSet.networkEpoch,
            cellSet.epoch,
            cellSet.fromSlot,
            rows
        );
        return true;
    }

    /// @dev Rows against the record's hashes and against one another.
    function _requireRowsOf(CellSet calldata cellSet, RegistryRow[] calldata rows) private view {
        _require(rows.length > 0 && rows.length <= CELLS_MAX, "1 to 64 cells");
        _require(
            Hashes.cellsHashOf(rows) == cellSet.cellsHash
                && Hashes.registryHash(rows) == cellSet.registryHash,
            "rows do not match the hashes"
        );
        bool hasGrid = false;
        bool hasOwn = false;
        for (uint256 i = 0; i < rows.length; ++i) {
            (bytes32 tag, uint8 role) = (rows[i].chainTag, rows[i].role);
            _require(role == ROLE_MICROGRID || role == ROLE_GRID, "unknown role of a cell");
            hasGrid = hasGrid || role == ROLE_GRID;
            hasOwn = hasOwn || (tag == _CHAIN_TAG && rows[i].cell == _CELL);
            for (uint256 j = 0; j < i; ++j) {
                _require(rows[j].chainTag != tag, "a ledger has exactly one cell");
            }
        }
        _require(hasGrid, "the grid cell sits in every set");
        _require(hasOwn, "this ledger's cell is not in it");
        _require(cellSet.fromSlot > 0 && cellSet.fromSlot % TICK == 0, "first slot off the raster");
    }

    /// @dev That the set may follow the newest, and that `signers` are the ones who must sign it.
    function _requireNext(CellSet calldata cellSet, address[] calldata signers) private view {
        bytes32 hash = Hashes.addressesHash(signers);
        if (cellSet.previous == 0) {
            _require(_newestCellSet == 0, "the first set is posted already");
            _require(hash == _FOUNDERS_HASH, "signers are not the founders");
            return;
        }
        CellSetSlot storage before = _cellSets[cellSet.previous];
        if (before.fromSlot == 0) revert NotYetPosted("previous cell set");
        _require(before.untilSlot == 0, "another cell set follows");
        _require(
            cellSet.epoch > before.epoch && cellSet.fromSlot > before.fromSlot,
            "epoch and first slot must rise"
        );
        if (before.latestUse >= cellSet.fromSlot) {
            revert NotYetPosted("the set before sealed the slot");
        }
        _require(hash == before.cellsHash, "signers are not the set before");
    }

    // --- clearings ------------------------------------------------------------------------------

    function postClearing(
        Clearing calldata clearing,
        address[] calldata cells,
        bytes calldata signatures
    ) external entry returns (bool isDone) {
        _require(_isSlot(clearing.slotStart, clearing.slotLength), "not a slot of the market");
        uint8 level = clearing.level;
        _require(level == INTRA || level == INTER || level == GRID, "unknown level");
        bytes32 packed = bytes32(
            Hashes.clearingTerms(
                clearing.cellSetId, clearing.epoch, clearing.slotStart, clearing.slotLength, level
            )
        ) | (keccak256(abi.encode(clearing.ordersRoot)) >> 192);
        bytes32 stored = _clearings[clearing.tradesRoot];
        if (stored != 0) {
            _require(stored == packed, "a different one has this root");
            return false;
        }
        _requireCellSet(clearing.cellSetId, clearing.epoch, clearing.slotStart);
        _requireCells(clearing.cellSetId, cells);
        (uint64 signers, uint256 signed) =
            _signersOf(Hashes.clearingHash(clearing), cells, signatures);
        _requireQuorum(signed, Quorums.moreThanTwoThirds(cells.length));
        _clearings[clearing.tradesRoot] = packed;
        _markUsed(clearing.cellSetId, clearing.slotStart);
        emit ClearingPosted(
            clearing.tradesRoot,
            clearing.slotStart,
            clearing.cellSetId,
            clearing.epoch,
            clearing.slotLength,
            level,
            clearing.ordersRoot,
            signers
        );
        return true;
    }

    // --- delivery statements ----------------------------------------------------------------------

    function postDelivery(
        Delivery calldata delivery,
        address[] calldata cells,
        bytes calldata signatures
    ) external entry returns (bool isDone) {
        uint64 tick = delivery.slotStart;
        _require(
            delivery.slotLength == TICK && tick > 0 && tick % TICK == 0, "a statement is for one tick"
        );
        uint8 marks = _marksOf(delivery);
        _requireCells(delivery.cellSetId, cells);
        (uint64 signers, uint256 signed) =
            _signersOf(Hashes.deliveryHash(delivery), cells, signatures);
        _requireQuorum(signed, Quorums.byzantineMajority(cells.length));
        return _storeDelivery(delivery, _packDelivery(delivery.deliveriesRoot, marks), signers);
    }

    /// @dev For which trades that end in the tick the statement's set is the right one: a trade keeps
    /// the set of its first tick. Sets partition the slots, so two sets never share a mark.
    function _marksOf(Delivery calldata delivery) private view returns (uint8 marks) {
        bytes32 cellSetId = delivery.cellSetId;
        CellSetSlot storage cellSet = _cellSets[cellSetId];
        if (cellSet.fromSlot == 0) revert NotYetPosted("cell set");
        _require(cellSet.epoch == delivery.epoch, "epoch is not the cell set's");
        uint256 tick = delivery.slotStart;
        if (_answersFor(cellSetId, tick)) marks = 1;
        if (tick > TICK && _answersFor(cellSetId, tick - TICK)) marks |= 2;
        if (tick > 3 * TICK && _answersFor(cellSetId, tick - 3 * TICK)) marks |= 4;
        _require(marks != 0, "cell set has no part in the tick");
    }

    /// @dev First 23 bytes of the root, then the marks, then 8 zero bytes for the signers.
    function _packDelivery(bytes32 root, uint8 marks) private pure returns (bytes32) {
        return bytes32(bytes23(root)) | (bytes32(uint256(marks)) << 64);
    }

    /// @dev Three cells may sign two statements: every root is kept, in the order they came.
    function _storeDelivery(Delivery calldata delivery, bytes32 said, uint64 signers)
        private
        returns (bool isDone)
    {
        uint64 tick = delivery.slotStart;
        bool isConflict = false;
        uint64 index = 0;
        for (;; ++index) {
            bytes32 stored = _deliveries[deliveryKey(tick, index)];
            if (stored == 0) break;
            bytes32 known = ((stored & ~bytes32(STATEMENT_FOLLOWS)) >> 64) << 64;
            if (known == said) {
                uint64 before = uint64(uint256(stored));
                if (before | signers == before) return false;
                uint64 all = before | signers;
                _deliveries[deliveryKey(tick, index)] = stored | bytes32(uint256(all));
                emit DeliverySigned(tick, index, delivery.deliveriesRoot, all);
                return true;
            }
            isConflict = isConflict || _marksIn(known) == _marksIn(said);
        }
        _deliveries[deliveryKey(tick, index)] = said | bytes32(uint256(signers));
        // So that a refund, which must know all of them, reads no further than the last.
        if (index != 0) _deliveries[deliveryKey(tick, index - 1)] |= bytes32(STATEMENT_FOLLOWS);
        _markUsed(delivery.cellSetId, tick);
        emit DeliveryPosted(tick, index, delivery.deliveriesRoot, delivery.cellSetId, signers);
        if (isConflict) emit ConflictingDelivery(tick, index, signers);
        return true;
    }

    function _marksIn(bytes32 packed) private pure returns (uint8) {
        return uint8(uint256(packed) >> 64);
    }
}
