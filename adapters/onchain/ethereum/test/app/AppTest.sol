// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Config, Parameters} from "tieline/app/Base.sol";
import {Hashes} from "tieline/app/Hashes.sol";
import {IBook} from "tieline/app/IBook.sol";
import {IViews} from "tieline/app/IViews.sol";
import {CellSet, Clearing, Order, OrderRef, RegistryRow} from "tieline/app/Records.sol";
import {IHost} from "tieline/host/IHost.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {Test} from "../support/Test.sol";

interface IApp is IBook, IViews {
    function multicall(bytes[] calldata calls) external returns (bytes[] memory results);
    function CHAIN_TAG() external view returns (bytes32);
}

/// @title One ledger with its application, four founding cells, and households that sign
abstract contract AppTest is Test {
    bytes32 internal constant NETWORK = bytes32(uint256(0xeeee));
    bytes32 internal constant GENESIS = keccak256("block 0");
    bytes32 internal constant EPOCH = keccak256("network epoch");
    uint64 internal constant SLOT = 1_767_225_600;
    uint64 internal constant GATE = SLOT - 900;
    uint64 internal constant TAU = SLOT - 400;
    uint64 internal constant PRICE_MIN = 50_000;
    uint64 internal constant PRICE_MAX = 400_000;
    uint64 internal constant BOND = 20_000;
    uint256 internal constant BUYER = 0xb1;
    uint256 internal constant SELLER = 0x5e;
    uint128 internal constant FUNDS = 1e15;

    IApp internal app;
    IHost internal host;
    IERC20 internal pay;
    bytes32 internal chainTag;
    bytes32 internal domain;
    /// Private keys of the cells, ascending by address; the first one's is this ledger's.
    uint256[] internal cellKeys;
    address[] internal cells;

    function setUp() public virtual {
        vm.warp(SLOT - 2_000);
        raiseCells(4);
        pay = IERC20(deployArtifact("Pay", abi.encode(address(this), uint128(1e24))));
        (host, app) = deployLedger(address(pay));
        domain = Hashes.domainSeparator(NETWORK);
        chainTag = app.CHAIN_TAG();
        pay.approve(address(app), type(uint256).max);
        fund(vm.addr(BUYER), FUNDS);
        fund(vm.addr(SELLER), FUNDS);
        openBook(SLOT);
    }

    function parameters() internal pure returns (Parameters memory) {
        return Parameters({
            tauLead: 400,
            dLead: 100,
            lockLead: 160,
            statementLead: 300,
            minClaimWindow: 600,
            minMargin: 900,
            gateLead: 900,
            orderEnergyMinWh: 100,
            outflowCapNanoEur: 1e15,
            ordersPerAccountMax: 4
        });
    }

    /// @dev Book stands in for Trade and Exits: what goes to them is not under test here.
    function deployLedger(address token) internal returns (IHost deployedHost, IApp deployedApp) {
        address foretold = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 2);
        deployedHost = IHost(
            deployArtifact("Host", abi.encode(GENESIS, NETWORK, cells[0], foretold))
        );
        Config memory config = configOf(deployedHost, token);
        address book = deployArtifact("Book", abi.encode(config));
        deployedApp = IApp(deployArtifact("App", abi.encode(config, book, book, book)));
        assertEq(address(deployedApp), foretold, "address of App");
    }

    function configOf(IHost of_, address token) internal view returns (Config memory) {
        return Config({
            host: of_,
            pay: token,
            foundersHash: hashOf(cells),
            parameters: parameters()
        });
    }

    function raiseCells(uint256 count) internal {
        delete cellKeys;
        delete cells;
        for (uint256 i = 0; i < count; ++i) cellKeys.push(uint256(keccak256(abi.encode("cell", i))));
        for (uint256 i = 1; i < count; ++i) {
            for (uint256 j = i; j > 0 && vm.addr(cellKeys[j - 1]) > vm.addr(cellKeys[j]); --j) {
                (cellKeys[j - 1], cellKeys[j]) = (cellKeys[j], cellKeys[j - 1]);
            }
        }
        for (uint256 i = 0; i < count; ++i) cells.push(vm.addr(cellKeys[i]));
    }

    function hashOf(address[] memory addresses) internal pure returns (bytes32) {
        bytes memory packed;
        for (uint256 i = 0; i < addresses.length; ++i) {
            packed = bytes.concat(packed, bytes20(addresses[i]));
        }
        return keccak256(packed);
    }

    function fund(address account, uint128 amount) internal {
        address[] memory accounts = new address[](1);
        uint128[] memory amounts = new uint128[](1);
        (accounts[0], amounts[0]) = (account, amount);
        app.depositFor(accounts, amounts, false);
    }

    function openBook(uint64 slotStart) internal {
        vm.prank(cells[0]);
        app.setBands(slotStart, 900, PRICE_MIN, PRICE_MAX, BOND);
    }

    // --- signatures -----------------------------------------------------------------------------

    function sign(uint256 key, bytes32 structHash) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(key, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
        return abi.encodePacked(r, s, v);
    }

    /// @notice Signatures of the cells whose bit is set.
    function signCells(bytes32 structHash, uint256 bitmap)
        internal
        view
        returns (bytes memory signatures)
    {
        for (uint256 i = 0; i < cellKeys.length; ++i) {
            if ((bitmap >> i) & 1 == 1) {
                signatures = bytes.concat(signatures, sign(cellKeys[i], structHash));
            }
        }
    }

    // --- orders ---------------------------------------------------------------------------------

    function orderOf(uint256 key, uint8 side, uint64 nonce) internal view returns (Order memory) {
        return Order({
            chainTag: chainTag,
            account: vm.addr(key),
            meterId: keccak256("meter"),
            side: side,
            levels: 7,
            delivery: 1,
            slotStart: SLOT,
            slotLength: 900,
            energyWh: 5_000,
            priceMin: 100_000,
            priceMax: 300_000,
            anchor: 0,
            nonce: nonce
        });
    }

    function idOf(Order memory order) internal pure returns (bytes32) {
        return keccak256(abi.encode(Hashes.ORDER_TYPE, order));
    }

    function refOf(Order memory order) internal pure returns (OrderRef memory) {
        return
            OrderRef(idOf(order), order.account, order.slotStart, order.slotLength, order.anchor);
    }

    function place(uint256 key, Order memory order) internal returns (bool) {
        (Order[] memory orders, bytes memory signatures) = signed(key, order);
        return app.placeOrders(orders, signatures);
    }

    function signed(uint256 key, Order memory order)
        internal
        view
        returns (Order[] memory orders, bytes memory signatures)
    {
        orders = new Order[](1);
        orders[0] = order;
        signatures = sign(key, idOf(order));
    }

    function expectPlace(uint256 key, Order memory order, bytes memory refusal) internal {
        (Order[] memory orders, bytes memory signatures) = signed(key, order);
        vm.expectRevert(refusal);
        app.placeOrders(orders, signatures);
    }

    // --- seals ----------------------------------------------------------------------------------

    /// @notice Rows of the cells: this ledger's first, others after it, the last one the grid's.
    function rowsOf() internal view returns (RegistryRow[] memory rows) {
        rows = new RegistryRow[](cells.length);
        for (uint256 i = 0; i < cells.length; ++i) {
            rows[i] = RegistryRow(
                cells[i],
                i == 0 ? chainTag : keccak256(abi.encode("ledger", i)),
                i == cells.length - 1 ? 2 : 1
            );
        }
    }

    function registryHashOf(RegistryRow[] memory rows) internal pure returns (bytes32) {
        bytes memory packed;
        for (uint256 i = 0; i < rows.length; ++i) {
            packed = bytes.concat(packed, abi.encode(rows[i]));
        }
        return keccak256(packed);
    }

    function cellSetOf(bytes32 previous, uint64 epoch, uint64 fromSlot)
        internal
        view
        returns (CellSet memory)
    {
        return
            CellSet(previous, EPOCH, epoch, hashOf(cells), registryHashOf(rowsOf()), fromSlot);
    }

    function idOf(CellSet memory cellSet) internal pure returns (bytes32) {
        return Hashes.cellSetId(NETWORK, cellSet.networkEpoch, cellSet.epoch, cellSet.cellsHash);
    }

    function hashOf(CellSet memory cellSet) internal pure returns (bytes32) {
        return keccak256(abi.encode(Hashes.CELL_SET_TYPE, cellSet));
    }

    function hashOf(Clearing memory clearing) internal pure returns (bytes32) {
        return keccak256(abi.encode(Hashes.CLEARING_TYPE, clearing));
    }

    /// @notice Post the first set, signed by all founders.
    function postFirstSet() internal returns (bytes32 cellSetId) {
        CellSet memory cellSet = cellSetOf(0, 1, SLOT - 9_000);
        app.postCellSet(cellSet, rowsOf(), cells, signCells(hashOf(cellSet), type(uint256).max));
        return idOf(cellSet);
    }
}
