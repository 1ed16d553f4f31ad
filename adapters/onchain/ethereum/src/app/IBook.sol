// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    CellSet,
    Clearing,
    Delivery,
    Mandate,
    Order,
    OrderRef,
    RegistryRow
} from "./Records.sol";

/// @title Orders, seals, statements, mandates and money
/// @notice Signatures are 65 bytes each (r, s, v; low s; v 27 or 28), one after the other, signers in
/// ascending order of address. A result of false says that it was done already; nothing was changed.
interface IBook {
    // --- orders ------------------------------------------------------------------------------

    /// @notice A1, B0: place signed orders; each escrows its worst cost or its bond from its account.
    /// Orders that are here already are skipped: an order's id is its replay protection, for ever.
    /// @param signatures one of each order, in the orders' order
    function placeOrders(Order[] calldata orders, bytes calldata signatures)
        external
        returns (bool isDone);

    /// @notice A2, B0a: take an order back before gate closure, with its account's signed Cancel.
    function cancel(OrderRef calldata order, bytes calldata signature)
        external
        returns (bool isDone);

    /// @notice A4, B0b: free what no lock took of orders, from tau on.
    function releaseOrders(OrderRef[] calldata orders) external returns (bool isDone);

    /// @notice Fix a slot's price band and bond price, once, before gate closure. Utility cell only.
    function setBands(
        uint64 slotStart,
        uint32 slotLength,
        uint64 priceMin,
        uint64 priceMax,
        uint64 bondPrice
    ) external returns (bool isDone);

    // --- seals and statements ------------------------------------------------------------------

    /// @notice A0: store a cell set, signed by more than two thirds of the one before it.
    /// @param signers addresses of the set before it (of the founders, if it is the first), ascending
    function postCellSet(
        CellSet calldata cellSet,
        RegistryRow[] calldata rows,
        address[] calldata signers,
        bytes calldata signatures
    ) external returns (bool isDone);

    /// @notice A0: store a clearing, signed by more than two thirds of the slot's cells.
    /// @param cells addresses of its cell set, ascending
    function postClearing(
        Clearing calldata clearing,
        address[] calldata cells,
        bytes calldata signatures
    ) external returns (bool isDone);

    /// @notice A8, B5: store a delivery statement, or add signers to one that is stored.
    /// @param cells addresses of its cell set, ascending
    function postDelivery(
        Delivery calldata delivery,
        address[] calldata cells,
        bytes calldata signatures
    ) external returns (bool isDone);

    // --- connectors ------------------------------------------------------------------------------

    /// @notice Set or revoke a mandate; sent by `connectorOut`, signed by `connectorIn`.
    /// @param publicKey 64 bytes (x, y) of connectorIn if it is an account of a Cosmos-style ledger;
    /// empty if it is an EVM address
    function setMandate(
        Mandate calldata mandate,
        bytes calldata signature,
        bytes calldata publicKey
    ) external returns (bool isDone);

    /// @notice Move PAY from the sender's account into its vault.
    function deposit(uint128 amount) external;

    /// @notice Move unreserved PAY from the sender's vault to its account.
    function withdraw(uint128 amount) external;

    // --- PAY --------------------------------------------------------------------------------------

    /// @notice Move PAY from the sender's account to another one.
    function send(address recipient, uint128 amount) external;

    /// @notice Bring PAY tokens of the sender into its account.
    function depositPay(uint128 amount) external;

    /// @notice As `depositPay`, with the sender's EIP-2612 signature instead of an allowance.
    function depositPayWithPermit(
        uint128 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Bring PAY tokens of the sender into accounts or, if `isIntoVaults`, into vaults.
    function depositFor(
        address[] calldata accounts,
        uint128[] calldata amounts,
        bool isIntoVaults
    ) external;

    /// @notice Take PAY of the sender's account out, as tokens to the sender.
    function withdrawPay(uint128 amount) external;

    // --- what is stored; the rest is in IViews ---------------------------------------------------

    /// @notice How many orders an account placed for a slot whose gate is not closed yet.
    function ordersPlaced(address account, uint64 slotStart) external view returns (uint256);
}
