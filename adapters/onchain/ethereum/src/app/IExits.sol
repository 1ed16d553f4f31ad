// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Packet} from "../host/Types.sol";
import {RegistryRow} from "./Records.sol";
import {DecidedLeaf, DeliveryProof, LockTerms, OwnLeaf, Verdict} from "./TradeRecords.sol";

/// @title What becomes of a lock once it is open: the verdict, and how its money leaves it
/// @notice No pause stops these. Anyone may call (`waive`: the payee only); each pays a fixed account.
/// A result of false says that it was done already.
interface IExits {
    /// @notice B2, B3: store the slot's verdict if `signatures` are brought, then apply the leaves: one
    /// whole group of accepts, refusals one by one.
    /// @param cells addresses of the verdict's cell set, ascending; empty without signatures
    /// @param signatures 65 bytes each, one after the other, signers in ascending order of address
    function applyVerdict(
        Verdict calldata verdict,
        address[] calldata cells,
        bytes calldata signatures,
        DecidedLeaf[] calldata leaves
    ) external returns (bool isDone);

    /// @notice B4 of a received packet.
    /// @param client N of the client `attestations-N` that received it
    function expirePending(uint64 client, Packet calldata packet) external returns (bool isDone);

    /// @notice B4 of an INTRA trade.
    function expireLocal(LockTerms calldata terms) external returns (bool isDone);

    /// @notice A9, B6.
    function claim(LockTerms calldata terms, bytes calldata preimage, DeliveryProof calldata delivery)
        external
        returns (bool isDone);

    /// @notice A10, B7.
    /// @param wh what the lock keeps
    /// @param cosignature of the grid cell over Waive, for a pool; else empty
    /// @param rows of the trade's cell set, for a pool; else empty
    function waive(
        LockTerms calldata terms,
        uint64 wh,
        bytes calldata cosignature,
        RegistryRow[] calldata rows
    ) external returns (bool isDone);

    /// @notice A11, B8.
    /// @param deliveries a leaf of every stored statement of the trade's cell set
    /// @param client N of the client that received `packet`
    /// @param packet the received packet, where a destination's lock is refunded without all of
    /// them, from T_A; else empty
    function refund(
        LockTerms calldata terms,
        DeliveryProof[] calldata deliveries,
        uint64 client,
        Packet[] calldata packet
    ) external returns (bool isDone);

    /// @notice A13, B10: one side's leaves in ascending order; collected ones are skipped.
    /// @param side 1 buyers, 2 sellers
    function collectShares(LockTerms calldata terms, uint8 side, OwnLeaf[] calldata leaves)
        external
        returns (bool isDone);
}
