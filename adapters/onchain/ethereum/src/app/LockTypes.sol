// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Packet} from "../host/Types.sol";
import {VerdictLeaf} from "./Records.sol";

// What calls bring of a lock, and the numbers of its states.
// Energy in Wh, prices in micro-EUR per kWh (so nano-EUR per Wh), times in unix seconds.

uint8 constant LEG_IN = 1;
uint8 constant LEG_OUT = 2;
uint8 constant LEG_LOCAL = 3;

uint8 constant OPEN = 1;
uint8 constant CONFIRMED = 2;
uint8 constant CLOSED = 3;
uint8 constant PENDING = 4;
uint8 constant LOCKED = 5;
uint8 constant REFUSED = 6;

uint8 constant ACCEPT = 1;
uint8 constant REFUSE = 2;

uint8 constant REASON_NO_VERDICT = 9;
uint8 constant REASON_OWNER_SILENT = 12;
uint8 constant REASON_PAYLOAD = 16;
uint8 constant REASON_MANDATE = 17;
uint8 constant REASON_VAULT = 18;
uint8 constant REASON_ORDER = 19;
uint8 constant REASON_LADDER = 20;
uint8 constant REASON_H_USED = 21;
uint8 constant REASON_CELL_SET = 22;
uint8 constant REASON_CAP = 23;
uint8 constant REASON_PAUSED = 24;

uint8 constant ALARM_ACK_UNREADABLE = 1;
uint8 constant ALARM_SENTINEL_AFTER_CLAIM = 2;
uint8 constant ALARM_SENTINEL_AFTER_SUCCESS = 3;
uint8 constant ALARM_TIMEOUT_AFTER_CLAIM = 4;
uint8 constant ALARM_TIMEOUT_AFTER_SUCCESS = 5;

/// @notice What a call must bring of a lock, because the ledger keeps only its id: all that the trade
/// id and the lock id are made of. Both are recomputed, so neither can be forged.
struct LockTerms {
    /// This ledger's own tag on the source.
    bytes32 sourceChainTag;
    /// This ledger's own tag on the destination; both are for an INTRA trade.
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

/// @notice Delivered energy of a lock's trade, with its place in the statement stored at `index` of the
/// trade's last tick.
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
