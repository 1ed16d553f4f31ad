// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Config, Parameters} from "tieline/app/Base.sol";
import {Hashes} from "tieline/app/Hashes.sol";
import {IBook} from "tieline/app/IBook.sol";
import {IExits} from "tieline/app/IExits.sol";
import {ITrade} from "tieline/app/ITrade.sol";
import {IViews} from "tieline/app/IViews.sol";
import {CellSet, Clearing, Mandate, Order, RegistryRow} from "tieline/app/Records.sol";
import {IHost} from "tieline/host/IHost.sol";

import {Attestors} from "./Attestors.sol";

interface IApp is IBook, IViews, ITrade, IExits {
    function multicall(bytes[] calldata calls) external returns (bytes[] memory results);
    function CHAIN_TAG() external view returns (bytes32);
}

/// @title Two ledgers, a and b, in one EVM, with attestors between them, and four cells: a's, b's, a
/// third microgrid's and the grid operator's
/// @notice Both ledgers see the same clock. Their clients are attestations-0 on both.
abstract contract TwoLedgers is Attestors {
    struct Ledger {
        IHost host;
        IApp app;
        bytes32 tag;
        address cell;
        /// Attestors that the *other* ledger's client of this one trusts.
        uint256 family;
    }

    bytes32 internal constant NETWORK = bytes32(uint256(0xeeee));
    bytes32 internal constant EPOCH = keccak256("network epoch");
    bytes32 internal constant THIRD_TAG = keccak256("third");
    bytes32 internal constant GRID_TAG = keccak256("grid");
    string internal constant CLIENT = "attestations-0";
    uint64 internal constant HEIGHT = 100;

    uint64 internal constant S = 1_767_225_600;
    uint64 internal constant E = S + 900;
    uint64 internal constant GATE = S - 900;
    uint64 internal constant LOCK_DEADLINE = S - 560;
    uint64 internal constant TAU = S - 400;
    uint64 internal constant D = S - 100;
    uint64 internal constant T_B = E + 900;
    uint64 internal constant T_A = T_B + 900;
    uint64 internal constant PRICE_IN = 200_400;
    uint64 internal constant PRICE_OUT = 200_000;
    uint64 internal constant BOND = 20_000;
    uint128 internal constant FUNDS = 1e15;
    uint256 internal constant ALL = 15;

    uint256 internal constant CONNECTOR = 0xc0;

    IERC20 internal pay;
    Ledger internal a;
    Ledger internal b;
    bytes32 internal domain;
    /// Ascending by address; places of the roles below.
    uint256[] internal cellKeys;
    address[] internal cells;
    RegistryRow[] internal rows;
    bytes32 internal cellSetId;
    address internal connector;
    uint64 private _nonce;
    uint64 private _heightSeen = HEIGHT;

    function setUp() public virtual {
        vm.warp(GATE - 100);
        connector = vm.addr(CONNECTOR);
        domain = Hashes.domainSeparator(NETWORK);
        raise(77, 4);
        for (uint256 i = 0; i < 4; ++i) {
            cellKeys.push(keys[i]);
            cells.push(vm.addr(keys[i]));
        }
        pay = IERC20(deployArtifact("Pay", abi.encode(address(this), uint128(1e27))));
        _deploy(a, 0, 1);
        _deploy(b, 1, 2);
        _pairWith(a, b);
        _pairWith(b, a);
        rows.push(RegistryRow(cells[0], a.tag, 1));
        rows.push(RegistryRow(cells[1], b.tag, 1));
        rows.push(RegistryRow(cells[2], THIRD_TAG, 1));
        rows.push(RegistryRow(cells[3], GRID_TAG, 2));
        _found(a);
        _found(b);
        fund(a, connector);
        setMandate(mandate());
        vm.prank(connector);
        b.app.deposit(FUNDS / 2);
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
            ordersPerAccountMax: 64
        });
    }

    function _deploy(Ledger storage ledger, uint256 cell, uint256 family) private {
        address foretold = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 4);
        ledger.cell = cells[cell];
        ledger.family = family;
        ledger.host = IHost(
            deployArtifact(
                "Host", abi.encode(keccak256(abi.encode("block 0", family)), NETWORK, cells[cell], foretold)
            )
        );
        bytes memory packed;
        for (uint256 i = 0; i < 4; ++i) packed = bytes.concat(packed, bytes20(cells[i]));
        bytes memory config =
            abi.encode(Config(ledger.host, address(pay), keccak256(packed), parameters()));
        address book = deployArtifact("Book", config);
        address trade = deployArtifact("Trade", config);
        address exits = deployArtifact("Exits", config);
        ledger.app =
            IApp(deployArtifact("App", bytes.concat(_head(config, trade, exits, book))));
        ledger.tag = ledger.app.CHAIN_TAG();
        pay.approve(address(ledger.app), type(uint256).max);
    }

    function _head(bytes memory config, address trade, address exits, address book)
        private
        pure
        returns (bytes memory)
    {
        return abi.encode(abi.decode(config, (Config)), trade, exits, book);
    }

    function _pairWith(Ledger storage local, Ledger storage other) private {
        address[] memory attestors = raise(other.family, 4);
        vm.startPrank(local.cell);
        local.host.createClient(attestors, 3, HEIGHT, uint64(block.timestamp));
        local.host.registerCounterparty(0, CLIENT);
        local.app.setBands(S, 900, 50_000, 500_000, BOND);
        vm.stopPrank();
    }

    function _found(Ledger storage ledger) private {
        bytes memory packed;
        bytes memory table;
        for (uint256 i = 0; i < 4; ++i) {
            packed = bytes.concat(packed, bytes20(cells[i]));
            table = bytes.concat(table, abi.encode(rows[i]));
        }
        CellSet memory first =
            CellSet(0, EPOCH, 1, keccak256(packed), keccak256(table), 900);
        cellSetId = keccak256(
            abi.encode(keccak256("tieline/cellset/v1"), NETWORK, EPOCH, uint64(1), keccak256(packed))
        );
        bytes32 hash = keccak256(abi.encode(Hashes.CELL_SET_TYPE, first));
        ledger.app.postCellSet(first, rows, cells, signCells(hash, ALL));
        fund(ledger, connector);
    }

    // --- money and signatures -------------------------------------------------------------------

    function fund(Ledger storage ledger, address account) internal {
        address[] memory accounts = new address[](1);
        uint128[] memory amounts = new uint128[](1);
        (accounts[0], amounts[0]) = (account, FUNDS);
        ledger.app.depositFor(accounts, amounts, false);
    }

    function sign(uint256 key, bytes32 structHash) internal view returns (bytes memory) {
        return signOne(key, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
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

    function mandate() internal view returns (Mandate memory) {
        return Mandate({
            chainTag: b.tag,
            sourceChainTag: a.tag,
            client: keccak256(bytes(CLIENT)),
            connectorIn: connector,
            connectorOut: connector,
            maxTrade: 1e13,
            maxOpen: 1e14,
            minFee: 100,
            minMargin: 600,
            expiry: S + 86_400,
            nonce: 1
        });
    }

    function setMandate(Mandate memory wanted) internal {
        bytes memory signature =
            sign(CONNECTOR, keccak256(abi.encode(Hashes.MANDATE_TYPE, wanted)));
        vm.prank(connector);
        b.app.setMandate(wanted, signature, "");
    }

    // --- orders ---------------------------------------------------------------------------------

    function orderOf(Ledger storage ledger, uint256 key, uint8 side, uint64 wh, bytes32 anchor)
        internal
        returns (Order memory)
    {
        return Order({
            chainTag: ledger.tag,
            account: vm.addr(key),
            meterId: keccak256(abi.encode("meter", key)),
            side: side,
            levels: 7,
            delivery: 1,
            slotStart: S,
            slotLength: 900,
            energyWh: wh,
            priceMin: side == 2 ? 100_000 : 0,
            priceMax: side == 1 ? 300_000 : 400_000,
            anchor: anchor,
            nonce: ++_nonce
        });
    }

    function place(Ledger storage ledger, uint256 key, Order memory order) internal returns (bytes32 id) {
        if (ledger.app.balanceOf(order.account) < FUNDS / 2) fund(ledger, order.account);
        id = keccak256(abi.encode(Hashes.ORDER_TYPE, order));
        Order[] memory orders = new Order[](1);
        orders[0] = order;
        ledger.app.placeOrders(orders, sign(key, id));
    }

    function postClearing(Ledger storage ledger, bytes32 root, uint8 level) internal {
        Clearing memory clearing =
            Clearing(cellSetId, 1, S, 900, level, keccak256("orders"), root);
        bytes32 hash = keccak256(abi.encode(Hashes.CLEARING_TYPE, clearing));
        ledger.app.postClearing(clearing, cells, signCells(hash, 7));
    }

    // --- what attestors say -----------------------------------------------------------------------

    function pathOf(uint8 kind, uint64 sequence) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(CLIENT, kind, sequence));
    }

    function nextHeight() internal returns (uint64) {
        return ++_heightSeen;
    }
}
