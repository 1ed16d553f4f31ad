// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Packet} from "../host/IHost.sol";
import {
    DeliveryProof,
    EnergyTrade,
    LocalTrade,
    LockTerms,
    ShareLeaf,
    TradeEvidence,
    Verdict,
    VerdictLeaf
} from "./TradeRecords.sol";

/// @notice One decision with its place in the decisions tree, and what it decides on: exactly one of
/// `packet` (a received trade) and `local` (an INTRA trade) has one entry, the other none.
struct DecidedLeaf {
    VerdictLeaf leaf;
    bytes32[] proof;
    Packet[] packet;
    LockTerms[] local;
}

/// @title Locks, verdicts: what opens a lock and what makes it payable
interface ITrade {
    /// @notice A3: lock the buyers' escrow and send the trades' packets. Utility cell only.
    function lockAndSend(
        string calldata sourceClient,
        uint64 timeout,
        EnergyTrade[] calldata trades,
        TradeEvidence[] calldata evidence
    ) external;

    /// @notice Open the pending lock of an INTRA trade. Utility cell only.
    function openLocal(LocalTrade calldata trade, TradeEvidence calldata evidence) external;

    /// @notice B2, B3: store the slot's verdict if `signatures` are brought, and apply the leaves:
    /// one whole group of accepts, refusals one by one.
    /// @param cells addresses of the verdict's cell set, ascending; may be empty without signatures
    function applyVerdict(
        Verdict calldata verdict,
        address[] calldata cells,
        bytes[] calldata signatures,
        DecidedLeaf[] calldata leaves
    ) external;
}

/// @title How money leaves a lock
/// @notice No pause stops these. Anyone may call (waive: the payee only); each pays a fixed account.
interface IExits {
    /// @notice B4 for a received packet.
    function expirePending(Packet calldata packet) external;

    /// @notice B4 for an INTRA trade.
    function expireLocal(LockTerms calldata terms) external;

    /// @notice A9, B6.
    function claim(
        LockTerms calldata terms,
        bytes calldata preimage,
        DeliveryProof calldata delivery
    ) external;

    /// @notice A10, B7. `cosignature`: of the grid cell over Waive, for a pool; else empty.
    function waive(LockTerms calldata terms, uint64 wh, bytes calldata cosignature) external;

    /// @notice A11, B8.
    /// @param deliveries a leaf from every stored statement of the trade's cell set
    /// @param packet the received packet, if a destination's lock is refunded without all of them
    function refund(
        LockTerms calldata terms,
        DeliveryProof[] calldata deliveries,
        Packet[] calldata packet
    ) external;

    /// @notice A13, B10: `leaves` of one side in ascending order; collected ones are skipped.
    function collectShares(LockTerms calldata terms, uint8 side, ShareLeaf[] calldata leaves)
        external;
}
