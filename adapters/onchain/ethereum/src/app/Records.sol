// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// What the book's calls carry. Fields and order are those of docs/spec/bytes.md; the records of
// trades are in TradeRecords.sol. Energy in Wh, prices in micro-EUR per kWh (so nano-EUR per Wh),
// money in nano-EUR, times in unix seconds of chain time.

uint8 constant BUY = 1;
uint8 constant SELL = 2;

uint8 constant INTRA = 1;
uint8 constant INTER = 2;
uint8 constant GRID = 4;

uint8 constant ROLE_MICROGRID = 1;
uint8 constant ROLE_GRID = 2;

// Where an order stands (OrderSlot.status).
uint8 constant ORDERED = 1;
uint8 constant CANCELLED = 2;
uint8 constant RELEASED = 3;

/// @dev The market's raster, seconds.
uint256 constant TICK = 900;
/// @dev A signer bitmap is one uint64.
uint256 constant CELLS_MAX = 64;

/// @notice One household's wish for one slot. Its struct hash is the order id.
struct Order {
    bytes32 chainTag;
    address account;
    bytes32 meterId;
    uint8 side;
    uint8 levels;
    uint8 delivery;
    uint64 slotStart;
    uint32 slotLength;
    uint64 energyWh;
    uint64 priceMin;
    uint64 priceMax;
    /// H of a direct sale, else 0.
    bytes32 anchor;
    uint64 nonce;
}

/// @notice What finds a stored order: its id, and the fields that stand in its key.
struct OrderRef {
    bytes32 orderId;
    address account;
    uint64 slotStart;
    uint32 slotLength;
    bytes32 anchor;
}

/// @notice What a connector lets be locked from its vault. `expiry` 0 revokes.
struct Mandate {
    bytes32 chainTag;
    bytes32 sourceChainTag;
    /// T(client id) on this ledger.
    bytes32 client;
    address connectorIn;
    address connectorOut;
    uint128 maxTrade;
    uint128 maxOpen;
    uint64 minFee;
    uint64 minMargin;
    uint64 expiry;
    uint64 nonce;
}

/// @notice One utility cell: whose ledger, which role.
struct RegistryRow {
    address cell;
    bytes32 chainTag;
    uint8 role;
}

/// @notice The cells whose feeders are electrically joined, from a slot on.
struct CellSet {
    bytes32 previous;
    bytes32 networkEpoch;
    uint64 epoch;
    bytes32 cellsHash;
    bytes32 registryHash;
    uint64 fromSlot;
}

/// @notice The sealed result of one level of one slot.
struct Clearing {
    bytes32 cellSetId;
    uint64 epoch;
    uint64 slotStart;
    uint32 slotLength;
    uint8 level;
    bytes32 ordersRoot;
    bytes32 tradesRoot;
}

/// @notice What the cells sign after delivery: how much of each trade was delivered in a tick.
struct Delivery {
    bytes32 cellSetId;
    uint64 epoch;
    uint64 slotStart;
    uint32 slotLength;
    bytes32 verdictHash;
    bytes32 readingsRoot;
    bytes32 boundaryRoot;
    bytes32 estimateHash;
    bytes32 deliveriesRoot;
}

/// @notice A meter's cumulative registers at the end of a period.
struct Reading {
    bytes32 chainTag;
    bytes32 meterId;
    uint64 periodStart;
    uint32 periodLength;
    uint64 importRegisterWh;
    uint64 exportRegisterWh;
    uint64 counter;
    uint8 quality;
}
