// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Packet} from "../host/Types.sol";

// What a trade's calls carry. Fields and order are those of docs/spec/bytes.md; energy in Wh, prices
// in micro-EUR per kWh (so nano-EUR per Wh), times in unix seconds of chain time.

/// @notice A packet's payload, 23 words: `abi.encode` of it is the 736 bytes on the wire.
struct EnergyTrade {
    uint16 version;
    uint8 level;
    bytes32 tradeId;
    bytes32 cellSetId;
    uint64 cellSetEpoch;
    uint64 slotStart;
    uint32 slotLength;
    bytes32 sourceChainTag;
    bytes32 destChainTag;
    bytes32 allocationsRoot;
    address buyer;
    address seller;
    address connectorIn;
    address connectorOut;
    uint64 energyWh;
    uint64 priceIn;
    uint64 priceOut;
    bytes32 hashlock;
    uint64 expiryIn;
    uint64 expiryOut;
    uint64 verdictDeadline;
    bytes32 lockIdIn;
    bytes32 clearingRoot;
}

/// @notice The terms of an INTRA trade: one lock from the buying to the selling side of this ledger.
struct LocalTrade {
    bytes32 tradeId;
    bytes32 cellSetId;
    uint64 cellSetEpoch;
    uint64 slotStart;
    uint32 slotLength;
    bytes32 allocationsRoot;
    address buyer;
    address seller;
    uint64 energyWh;
    uint64 price;
    bytes32 hashlock;
    uint64 expiry;
    bytes32 clearingRoot;
}

/// @notice One order's part of a position: a leaf of the allocations tree.
struct Allocation {
    bytes32 orderId;
    address account;
    uint64 energyWh;
    uint64 price;
    /// Wh of the leaves of the same side before it, in ascending order id.
    uint64 offsetWh;
}

/// @notice An allocation of this ledger's side with its proof.
struct OwnLeaf {
    Allocation allocation;
    bytes32[] proof;
}

/// @notice Shows that a trade was cleared and whose orders it fills here. Beside the packet, never
/// in it.
struct TradeEvidence {
    bytes32[] clearingProof;
    OwnLeaf[] ownLeaves;
}

/// @notice What a later call must bring of a lock, because the ledger keeps only its id: the
/// preimages of trade id and lock id. Neither can be forged, both are recomputed.
struct LockTerms {
    /// 0 stands for this ledger's own, here and below: zeros are a quarter of the price.
    bytes32 sourceChainTag;
    /// This ledger's own on the destination and for an INTRA trade, whose source it is too.
    bytes32 destChainTag;
    uint64 slotStart;
    uint32 slotLength;
    uint8 level;
    bytes32 allocationsRoot;
    bytes32 hashlock;
    address payer;
    address payee;
    uint64 energyWh;
    uint64 price;
    uint64 expiry;
}

/// @notice What the cells sign about the trades received for a slot.
struct Verdict {
    bytes32 cellSetId;
    uint64 epoch;
    uint64 slotStart;
    uint32 slotLength;
    bytes32 networkEpoch;
    bytes32 baselineHash;
    bytes32 pendingRoot;
    bytes32 decisionsRoot;
    bytes32 flowProofHash;
    bytes32 setpointsHash;
}

/// @notice The decision on one trade.
struct VerdictLeaf {
    bytes32 destChainTag;
    /// T(destination client id), T("local") for INTRA.
    bytes32 destClient;
    uint64 sequence;
    /// The packet's commitment; the trade id for INTRA.
    bytes32 packetCommitment;
    bytes32 tradeId;
    /// 1 accept, 2 refuse.
    uint8 decision;
    uint64 capWh;
    uint16 reason;
    uint8 group;
    uint16 groupSize;
    /// Bit i: the i-th cell of the set by ascending address must have signed.
    uint64 owners;
}

/// @notice Delivered energy, with its place in the statement stored at `index` of the trade's last
/// tick.
struct DeliveryProof {
    uint64 index;
    uint64 deliveredWh;
    bytes32[] proof;
}

/// @notice One decision with its place in the decisions tree, and what it decides on: exactly one of
/// `packet` (a received trade) and `local` (an INTRA trade) has one entry, the other none.
struct DecidedLeaf {
    VerdictLeaf leaf;
    bytes32[] proof;
    /// N of the client `attestations-N` that received `packet`.
    uint64 client;
    Packet[] packet;
    LockTerms[] local;
}
