// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Quorums} from "./Cells.sol";
import {
    NotYetPosted,
    ProofRefused,
    TooEarly,
    TooLate,
    VerdictMismatch
} from "./Errors.sol";
import {Hashes} from "./Hashes.sol";
import {IExits} from "./IExits.sol";
import {
    ACCEPT,
    LEG_LOCAL,
    LOCKED,
    PENDING,
    REASON_OWNER_SILENT,
    REASON_PAUSED,
    REASON_PAYLOAD,
    REFUSE,
    REFUSED
} from "./LockNumbers.sol";
import {Pending} from "./Pending.sol";
import {TICK} from "./Records.sol";
import {DecidedLeaf, EnergyTrade, Verdict, VerdictLeaf} from "./TradeRecords.sol";

/// @title What the cells decided: the slot's first valid verdict, applied leaf by leaf and group by
/// group (B2, B3)
abstract contract Verdicts is Pending, IExits {
    uint256 private constant _GROUP_SIZE_MAX = 64;

    /// @dev One leaf with the lock that it binds.
    struct Decided {
        LockView lock;
        Received received;
    }

    /// @inheritdoc IExits
    function applyVerdict(
        Verdict calldata verdict,
        address[] calldata cells,
        bytes calldata signatures,
        DecidedLeaf[] calldata leaves
    ) external entry returns (bool isDone) {
        uint64 signers;
        (isDone, signers) = _postVerdict(verdict, cells, signatures);
        if (signers == 0) return false;
        _requireGroups(leaves);
        Decided[] memory decided = new Decided[](leaves.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            _judge(verdict, signers, leaves[i], decided[i]);
        }
        _requireAllOrNone(leaves, decided);
        for (uint256 i = 0; i < leaves.length; ++i) {
            if (_apply(verdict.decisionsRoot, leaves[i].leaf, decided[i])) isDone = true;
        }
    }

    // --- the verdict ----------------------------------------------------------------------------

    /// @dev Store the slot's first verdict, or add its signers, or see that it is the stored one.
    /// @return isBrought signatures came with it
    /// @return signers of the stored verdict; 0 if this one contradicts it (then it is evidence)
    function _postVerdict(Verdict calldata verdict, address[] calldata cells, bytes calldata signatures)
        private
        returns (bool isBrought, uint64 signers)
    {
        bytes32 verdictHash = Hashes.verdictHash(verdict);
        bytes24 mark = Hashes.verdictMark(verdictHash, verdict.decisionsRoot);
        uint64 slotStart = verdict.slotStart;
        bytes32 stored = _verdicts[slotStart];
        uint64 known = uint64(uint256(stored));
        if (signatures.length == 0) {
            if (stored == 0) revert NotYetPosted("verdict");
            if (bytes24(stored) != mark) revert VerdictMismatch("another verdict is stored");
            return (false, known);
        }
        uint64 added = _signersOfVerdict(verdict, verdictHash, cells, signatures);
        if (stored == 0) {
            _markUsed(verdict.cellSetId, slotStart);
            emit VerdictPosted(slotStart, verdictHash, verdict.decisionsRoot, added);
        } else if (bytes24(stored) != mark) {
            emit ConflictingVerdict(slotStart, bytes24(stored), verdictHash, added);
            return (false, 0);
        } else if (known | added == known) {
            return (true, known);
        } else {
            emit VerdictSigned(slotStart, verdictHash, known | added);
        }
        signers = known | added;
        _verdicts[slotStart] = bytes32(mark) | bytes32(uint256(signers));
        return (true, signers);
    }

    function _signersOfVerdict(
        Verdict calldata verdict,
        bytes32 verdictHash,
        address[] calldata cells,
        bytes calldata signatures
    ) private view returns (uint64 signers) {
        uint64 slotStart = verdict.slotStart;
        bytes32 cellSetId = verdict.cellSetId;
        _require(
            verdict.slotLength == TICK && slotStart % TICK == 0 && slotStart != 0,
            "a verdict is for one tick"
        );
        _requireCellSet(cellSetId, verdict.epoch, slotStart);
        bytes32 recomputed = Hashes.cellSetId(
            _NETWORK_ID, verdict.networkEpoch, verdict.epoch, _cellSets[cellSetId].cellsHash
        );
        if (recomputed != cellSetId) revert VerdictMismatch("another network epoch");
        _requireCells(cellSetId, cells);
        uint256 count;
        (signers, count) = _signersOf(verdictHash, cells, signatures);
        _requireQuorum(count, Quorums.moreThanTwoThirds(cells.length));
    }

    // --- its leaves -------------------------------------------------------------------------------

    /// @dev Check that the accepts are one whole group, and that refusals stand alone.
    function _requireGroups(DecidedLeaf[] calldata leaves) private pure {
        (uint256 accepts, uint256 group, uint256 groupSize) = (0, 0, 0);
        for (uint256 i = 0; i < leaves.length; ++i) {
            VerdictLeaf calldata leaf = leaves[i].leaf;
            if (leaf.decision == REFUSE) {
                if (leaf.group != 0 || leaf.groupSize != 0) {
                    revert VerdictMismatch("a refusal has no group");
                }
                continue;
            }
            if (leaf.decision != ACCEPT) revert VerdictMismatch("unknown decision");
            if (accepts == 0) (group, groupSize) = (leaf.group, leaf.groupSize);
            if (leaf.group != group || leaf.groupSize != groupSize) {
                revert VerdictMismatch("not one whole group");
            }
            ++accepts;
        }
        _requireDistinct(leaves);
        if (accepts != groupSize) revert VerdictMismatch("not one whole group");
        if (accepts > _GROUP_SIZE_MAX || (accepts != 0 && group == 0)) {
            revert VerdictMismatch("group or size out of range");
        }
    }

    /// @dev No two leaves are of one trade.
    function _requireDistinct(DecidedLeaf[] calldata leaves) private pure {
        for (uint256 i = 1; i < leaves.length; ++i) {
            bytes32 tradeId = leaves[i].leaf.tradeId;
            for (uint256 j = 0; j < i; ++j) {
                if (leaves[j].leaf.tradeId == tradeId) revert VerdictMismatch("a trade comes twice");
            }
        }
    }

    /// @dev Find a leaf's lock, if the leaf lies in the verdict, binds the lock and is owned.
    function _judge(
        Verdict calldata verdict,
        uint64 signers,
        DecidedLeaf calldata item,
        Decided memory decided
    ) private view {
        VerdictLeaf calldata leaf = item.leaf;
        bytes32[] calldata proof = item.proof;
        if (
            proof.length > PROOF_LENGTH_MAX
                || Hashes.rootOf(Hashes.verdictLeaf(leaf), proof) != verdict.decisionsRoot
        ) revert ProofRefused("leaf is not in the verdict");
        if (leaf.destChainTag != _CHAIN_TAG) revert VerdictMismatch("leaf of another ledger");
        LockView memory lock = decided.lock;
        if (leaf.destClient == Hashes.LOCAL) {
            if (leaf.sequence != 0) revert VerdictMismatch("a local trade has no sequence");
            _require(item.local.length == 1 && item.packet.length == 0, "a local trade's terms");
            _view(lock, item.local[0]);
            if (lock.leg != LEG_LOCAL || leaf.packetCommitment != leaf.tradeId) {
                revert VerdictMismatch("leaf binds another packet");
            }
        } else {
            _require(item.packet.length == 1 && item.local.length == 0, "a trade's packet");
            Received memory received = _received(item.client, item.packet[0]);
            (EnergyTrade memory trade, bytes32 rule) = _decode(item.packet[0].value);
            if (
                rule != 0 || received.clientHash != leaf.destClient
                    || received.sequence != leaf.sequence
                    || received.commitment != leaf.packetCommitment
            ) revert VerdictMismatch("leaf binds another packet");
            _lockOut(lock, trade, received.clientHash);
            decided.received = received;
        }
        if (lock.tradeId != leaf.tradeId) revert VerdictMismatch("leaf binds another packet");
        if (!_load(lock)) revert NotYetPosted("trade was not received");
        if (lock.slotStart != verdict.slotStart) revert VerdictMismatch("not of the first tick");
        _requireOwners(verdict.cellSetId, signers, leaf, lock.peerChainTag);
    }

    function _requireOwners(
        bytes32 cellSetId,
        uint64 signers,
        VerdictLeaf calldata leaf,
        bytes32 peerChainTag
    ) private view {
        if (leaf.owners & ~signers != 0) revert VerdictMismatch("an owner did not sign");
        if (leaf.decision == ACCEPT && _ownersWith(cellSetId, peerChainTag) & ~leaf.owners != 0) {
            revert VerdictMismatch("accept lacks an owner");
        }
    }

    function _requireAllOrNone(DecidedLeaf[] calldata leaves, Decided[] memory decided) private pure {
        bool hasPending = false;
        bool hasRefused = false;
        for (uint256 i = 0; i < leaves.length; ++i) {
            if (leaves[i].leaf.decision != ACCEPT) continue;
            uint256 status = decided[i].lock.status;
            if (status == PENDING) hasPending = true;
            else if (status == REFUSED) hasRefused = true;
        }
        if (hasPending && hasRefused) revert VerdictMismatch("a trade of the group is refused");
    }

    function _apply(bytes32 decisionsRoot, VerdictLeaf calldata leaf, Decided memory decided)
        private
        returns (bool)
    {
        _requireReason(leaf);
        LockView memory lock = decided.lock;
        if (lock.status != PENDING) return false;
        if (block.timestamp + _TAU_LEAD < lock.slotStart) {
            revert TooEarly("verdict before the batch closed", lock.slotStart - _TAU_LEAD);
        }
        if (block.timestamp + _D_LEAD >= lock.slotStart) {
            revert TooLate("verdict from its deadline on", lock.slotStart - _D_LEAD);
        }
        if (leaf.decision == ACCEPT) {
            _accept(lock, leaf.capWh);
            emit VerdictApplied(lock.lockId, ACCEPT, leaf.capWh, leaf.reason);
            if (lock.leg != LEG_LOCAL) _answerSuccess(lock, decided.received, decisionsRoot);
        } else {
            _giveBack(lock);
            emit VerdictApplied(lock.lockId, REFUSE, 0, leaf.reason);
            if (lock.leg != LEG_LOCAL) _answerRefusal(decided.received);
        }
        return true;
    }

    function _requireReason(VerdictLeaf calldata leaf) private pure {
        uint256 reason = leaf.reason;
        if (leaf.decision == ACCEPT) {
            if (reason != 0) revert VerdictMismatch("an accept has no reason");
        } else if (
            reason > REASON_PAUSED || (reason > REASON_OWNER_SILENT && reason < REASON_PAYLOAD)
        ) {
            revert VerdictMismatch("unknown reason");
        }
    }

    /// @dev B2: the reservation becomes the lock; what lies above the cap goes back, never into the order.
    function _accept(LockView memory lock, uint256 capWh) private {
        if (capWh == 0 || capWh > lock.energyWh) revert VerdictMismatch("cap outside 1..energy");
        lock.status = LOCKED;
        lock.capWh = capWh;
        lock.bondPrice = _bondPriceOf(lock.slotStart, lock.slotLength);
        _store(lock);
        uint256 surplusWh = lock.energyWh - capWh;
        if (surplusWh != 0) {
            _refundPayer(lock, surplusWh);
            _returnBond(lock, surplusWh);
        }
    }

    /// @dev Write TradeAck, six words.
    function _answerSuccess(LockView memory lock, Received memory received, bytes32 decisionsRoot)
        private
    {
        bytes memory acknowledgement = abi.encode(
            uint16(1), lock.tradeId, lock.lockId, decisionsRoot, lock.capWh, lock.expiry
        );
        _HOST.writeAcknowledgement(
            received.client, received.sequence, received.commitment, acknowledgement
        );
    }
}
