// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {RegistryRow} from "./Records.sol";

/// @title What Book and App tell observers
/// @notice Nothing that binds rests on events, but they carry every field of every record that is
/// stored here as a hash only, so that an index can be rebuilt from logs alone. A repeat that changes
/// nothing tells nothing. Wh, nano-EUR, micro-EUR per kWh, unix seconds; `signers` are bitmaps over
/// the set's cells in ascending order of address. Events of locks are in ITradeEvents.
interface IBookEvents {
    /// @notice A1, B0. `money` is the escrow of a buy or the bond of a sell, taken from the account.
    event OrderPlaced(
        bytes32 indexed orderId,
        address indexed account,
        uint64 indexed slotStart,
        uint32 slotLength,
        uint8 side,
        uint8 levels,
        uint8 delivery,
        uint64 energyWh,
        uint64 priceLimit,
        uint64 money,
        bytes32 anchor
    );
    /// @notice A2, B0a; `amount` went back to the account.
    event OrderCancelled(bytes32 indexed orderId, address indexed account, uint64 amount);
    /// @notice A4, B0b; `amount` went back to the account.
    event OrderReleased(bytes32 indexed orderId, address indexed account, uint64 amount);
    /// @notice The cell fixed a slot's price band and bond price.
    event BandsSet(
        uint64 indexed slotStart,
        uint32 slotLength,
        uint64 priceMin,
        uint64 priceMax,
        uint64 bondPrice
    );

    /// @notice A0.
    event CellSetPosted(
        bytes32 indexed cellSetId,
        bytes32 previous,
        bytes32 networkEpoch,
        uint64 epoch,
        uint64 fromSlot,
        RegistryRow[] rows
    );
    /// @notice A0.
    event ClearingPosted(
        bytes32 indexed clearingRoot,
        uint64 indexed slotStart,
        bytes32 cellSetId,
        uint64 epoch,
        uint32 slotLength,
        uint8 level,
        bytes32 ordersRoot,
        uint64 signers
    );
    /// @notice A8, B5: statement number `index` of its tick.
    event DeliveryPosted(
        uint64 indexed slotStart,
        uint64 indexed index,
        bytes32 indexed deliveriesRoot,
        bytes32 cellSetId,
        uint64 signers
    );
    /// @notice The stored statement has more signers: these.
    event DeliverySigned(
        uint64 indexed slotStart,
        uint64 indexed index,
        bytes32 indexed deliveriesRoot,
        uint64 signers
    );
    /// @notice Evidence: a tick has a second, different statement of the same set.
    event ConflictingDelivery(uint64 indexed slotStart, uint64 indexed index, uint64 signers);

    /// @notice A mandate as it stands from now on; `expiry` 0 is revoked.
    event MandateSet(
        bytes32 indexed mandateId,
        address indexed connectorOut,
        bytes32 indexed client,
        bytes32 sourceChainTag,
        address connectorIn,
        uint128 maxTrade,
        uint128 maxOpen,
        uint64 minFee,
        uint64 minMargin,
        uint64 expiry,
        uint64 nonce
    );
    /// @notice From `payer`'s tokens or account into the vault of `account`.
    event VaultDeposited(address indexed account, address indexed payer, uint128 amount, bool isFromToken);
    /// @notice From the vault to the account of its owner.
    event VaultWithdrawn(address indexed account, uint128 amount);
    /// @notice PAY tokens of `payer` came in for the account.
    event PayDeposited(address indexed account, address indexed payer, uint128 amount);
    /// @notice PAY tokens went out to the account's address.
    event PayWithdrawn(address indexed account, uint128 amount);
    /// @notice PAY moved between two accounts.
    event Sent(address indexed sender, address indexed recipient, uint128 amount);
    /// @notice The cell paused these until then (exclusive); 0 = open. Exits cannot be paused.
    event PauseSet(uint64 orders, uint64 locks, uint64 sends, uint64 receives);
}
