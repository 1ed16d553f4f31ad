// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The one storage layout of the trade application.
/// @notice App, Trade, Exits and Book all inherit exactly this and declare no storage of their own:
/// code of the modules runs by delegatecall on the storage of App. Slots are in the order of
/// declaration, documented in docs/ethereum.md.
/// Units: energy Wh, price micro-EUR per kWh, money nano-EUR (= price x Wh, exact), time unix seconds.
abstract contract Storage {
    /// @dev Each until when (exclusive) the cell has paused something; 0 = not paused. There is no
    /// field for an exit, so no code can pause one.
    struct Pauses {
        uint64 orders;
        uint64 locks;
        uint64 sends;
        uint64 receives;
    }

    /// @dev What an account holds here. `counts` are three cells of 40 bits, each {uint32 slot number
    /// (slotStart / 900), uint8 orders placed}; only Book reads them.
    struct Account {
        uint128 pay;
        uint120 counts;
        bool isSpilled;
    }

    /// @dev An order: one slot, never deleted (it is the replay protection). Key: `Hashes.orderKey`.
    struct OrderSlot {
        uint64 energyLeft;
        /// priceMax of a buy, priceMin of a sell
        uint64 priceLimit;
        /// escrow of a buy, bond of a sell, without what locks took
        uint64 moneyLeft;
        uint8 side;
        uint8 levels;
        uint8 delivery;
        /// 0 none, 1 ordered, 2 cancelled, 3 released
        uint8 status;
    }

    /// @dev What of a lock changes. All zero right after opening means OPEN or PENDING with
    /// cap = energy and no bond.
    struct LockState {
        uint8 status;
        uint40 cap;
        uint40 paid;
        uint40 slashed;
        uint40 cursorBuy;
        uint40 cursorSell;
        uint48 bondPrice;
    }

    /// @dev A lock, keyed by its H: two slots. The terms are in `lockId` (its hash) and brought along.
    struct Lock {
        bytes32 lockId;
        LockState state;
    }

    /// @dev A cell set: which slots it answers for, and hashes of who is in it.
    struct CellSetSlot {
        uint64 epoch;
        /// 0 = no such set
        uint64 fromSlot;
        /// fromSlot of the set that follows; 0 while this is the newest
        uint64 untilSlot;
        /// the latest slot for which it sealed anything here
        uint64 latestUse;
        bytes32 registryHash;
        bytes32 cellsHash;
        bytes32 previous;
    }

    struct BandsSlot {
        uint64 priceMin;
        uint64 priceMax;
        uint48 bondPrice;
        bool isSet;
    }

    struct MandateSlot {
        uint128 maxTrade;
        uint128 maxOpen;
        uint64 minFee;
        uint64 minMargin;
        uint64 expiry;
        /// nonce + 1; 0 = no such mandate
        uint64 nextNonce;
    }

    // Each is written by the code of one module and read by another's, which an analyser that looks at
    // modules one by one cannot see.
    // slither-disable-start uninitialized-state

    /// @dev slot 0
    Pauses internal _pauses;
    /// @dev slot 1: by account
    mapping(address => Account) internal _accounts;
    /// @dev slot 2: unreserved money of connectors, and the imbalance pool, by owner
    mapping(address => uint256) internal _vaults;
    /// @dev slot 3: by `Hashes.orderKey`
    mapping(bytes32 => OrderSlot) internal _orders;
    /// @dev slot 4: orders of an account in a slot that found no place in `Account.counts`, by
    /// keccak(abi(account, slotStart))
    mapping(bytes32 => uint256) internal _orderCounts;
    /// @dev slot 5: by H
    mapping(bytes32 => Lock) internal _locks;
    /// @dev slot 6: by slotStart: first 24 bytes of keccak(verdictHash || decisionsRoot) || uint64 signers
    mapping(uint256 => bytes32) internal _verdicts;
    /// @dev slot 7: by `deliveryKey`: first 23 bytes of the root || uint8 marks || uint64 signers.
    /// Marks say for which trades that end in the tick the statement's set is the right one: bit 0
    /// those of 900 s, bit 1 of 1800 s, bit 2 of 3600 s. Bit 7: the next index holds a statement too.
    mapping(uint256 => bytes32) internal _deliveries;
    /// @dev slot 8: by cellSetId
    mapping(bytes32 => CellSetSlot) internal _cellSets;
    /// @dev slot 9: cellSetId of the newest set
    bytes32 internal _newestCellSet;
    /// @dev slot 10: by clearingRoot: first 24 bytes of `Hashes.clearingTerms` || first 8 bytes of
    /// keccak(ordersRoot)
    mapping(bytes32 => bytes32) internal _clearings;
    /// @dev slot 11: by `bandsKey`
    mapping(uint256 => BandsSlot) internal _bands;
    /// @dev slot 12: by `Hashes.mandateId`
    mapping(bytes32 => MandateSlot) internal _mandates;
    /// @dev slot 13: what locks under a mandate hold open, by `openKey`
    mapping(bytes32 => uint256) internal _mandateOpen;
    /// @dev slot 14: what packets of a client took from vaults for a slot, by
    /// keccak(abi(T(client), slotStart))
    mapping(bytes32 => uint256) internal _outflows;

    /// @dev slot 15: by `Hashes.ownersKey`: the bits that a decision on a trade with that ledger needs in
    /// that cell set: its cell's, this ledger's and the grid operator's. 0: no cell of it in the set.
    /// Written with the set, so that trades need not bring its rows.
    mapping(bytes32 => uint64) internal _owners;

    // slither-disable-end uninitialized-state

    /// @dev Bit 7 of a statement's marks.
    uint256 internal constant STATEMENT_FOLLOWS = 1 << 71;

    /// @notice Key of `_mandateOpen`. A destination's lock has room for the first 40 bits of its mandate's
    /// id, where a source's has its buyers' cursor. The connector's address beside them, which the
    /// lock's id vouches for and which alone can set its mandates, leaves nobody but the connector to
    /// make two of its own meet.
    /// @param mandateBits first 40 bits of `Hashes.mandateId`
    function openKey(address connectorOut, uint256 mandateBits) internal pure returns (bytes32) {
        return bytes32((uint256(uint160(connectorOut)) << 40) | mandateBits);
    }

    /// @notice Key of `_bands`.
    function bandsKey(uint256 slotStart, uint256 slotLength) internal pure returns (uint256) {
        return (slotStart << 32) | slotLength;
    }

    /// @notice Key of `_deliveries`.
    function deliveryKey(uint256 tickStart, uint256 index) internal pure returns (uint256) {
        return (tickStart << 64) | index;
    }
}
