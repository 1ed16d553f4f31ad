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

    // --- the cell's pause ---------------------------------------------------------------------------

    /// @notice Pause placing orders, opening local locks, sends or receives until these times
    /// (exclusive); 0 opens again. Utility cell only; at most a day ahead, receives at most one slot.
    function setPauses(uint64 orders, uint64 locks, uint64 sends, uint64 receives) external;

    // --- what is stored -----------------------------------------------------------------------------

    function balanceOf(address account) external view returns (uint256);
    function vaultOf(address account) external view returns (uint256);
    /// @notice How many orders an account placed for a slot whose gate is not closed yet.
    function ordersPlaced(address account, uint64 slotStart) external view returns (uint256);
    function orderOf(OrderRef calldata order)
        external
        view
        returns (uint8 status, uint64 energyLeft, uint64 moneyLeft, uint64 priceLimit);
    function bandsOf(uint64 slotStart, uint32 slotLength)
        external
        view
        returns (bool isSet, uint64 priceMin, uint64 priceMax, uint64 bondPrice);
    /// @notice fromSlot 0: no such set. untilSlot 0: no set follows it.
    function cellSetOf(bytes32 cellSetId)
        external
        view
        returns (
            uint64 epoch,
            uint64 fromSlot,
            uint64 untilSlot,
            uint64 latestUse,
            bytes32 registryHash,
            bytes32 cellsHash,
            bytes32 previous
        );
    function newestCellSet() external view returns (bytes32 cellSetId);
    /// @notice The packed slots of docs/ethereum.md; 0 = not stored.
    function clearingOf(bytes32 clearingRoot) external view returns (bytes32 packed);
    function verdictOf(uint64 slotStart) external view returns (bytes32 packed);
    function deliveryOf(uint64 tickStart, uint64 index) external view returns (bytes32 packed);
    /// @notice nextNonce is the nonce + 1; 0: no such mandate. `open` is what its locks hold.
    function mandateOf(bytes32 mandateId, address connectorOut)
        external
        view
        returns (
            uint128 maxTrade,
            uint128 maxOpen,
            uint64 minFee,
            uint64 minMargin,
            uint64 expiry,
            uint64 nextNonce,
            uint256 open
        );
    /// @notice The lock that used an H; lockId 0: none did. `packed` is the state of docs/ethereum.md; 0 right
    /// after opening.
    function lockOf(bytes32 hashlock) external view returns (bytes32 lockId, bytes32 packed);
    /// @notice What packets of a client, named by T(client id), took from vaults for a slot.
    function outflowOf(bytes32 client, uint64 slotStart) external view returns (uint256 amount);
    function pauses()
        external
        view
        returns (uint64 orders, uint64 locks, uint64 sends, uint64 receives);
}
