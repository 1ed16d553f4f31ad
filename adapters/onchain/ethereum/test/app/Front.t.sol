// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Config, Parameters} from "tieline/app/Base.sol";
import {InvalidMessage, NotPermitted, WrongModule} from "tieline/app/Errors.sol";
import {IBook} from "tieline/app/IBook.sol";
import {IExits} from "tieline/app/IExits.sol";
import {ITrade} from "tieline/app/ITrade.sol";
import {BUY, Order} from "tieline/app/Records.sol";
import {IHost} from "tieline/host/IHost.sol";
import {IIbcApp} from "tieline/host/IIbcApp.sol";
import {Arrival} from "tieline/host/Types.sol";

import {AppTest, IApp} from "./AppTest.sol";

/// @dev A module that says its number and the selector it was called with.
contract Echo {
    bytes32 public immutable CONFIG_HASH;
    uint256 private immutable _NUMBER;

    constructor(bytes32 configHash, uint256 number) {
        (CONFIG_HASH, _NUMBER) = (configHash, number);
    }

    fallback() external {
        uint256 own = _NUMBER;
        assembly ("memory-safe") {
            mstore(0, own)
            mstore(32, calldataload(0))
            return(0, 64)
        }
    }
}

/// @title The front: which code runs, several calls at once, and nothing from inside
contract FrontTest is AppTest {
    function test_each_call_goes_to_its_module() external {
        address front = echoes();
        bytes4[7] memory exits = [
            IExits.claim.selector,
            IExits.applyVerdict.selector,
            IExits.waive.selector,
            IExits.refund.selector,
            IExits.expirePending.selector,
            IExits.expireLocal.selector,
            IExits.collectShares.selector
        ];
        bytes4[5] memory trades = [
            ITrade.lockAndSend.selector,
            ITrade.openLocal.selector,
            IIbcApp.onRecv.selector,
            IIbcApp.onAck.selector,
            IIbcApp.onTimeout.selector
        ];
        for (uint256 i = 0; i < exits.length; ++i) goesTo(front, exits[i], 2);
        for (uint256 i = 0; i < trades.length; ++i) goesTo(front, trades[i], 1);
        goesTo(front, IBook.placeOrders.selector, 3);
        goesTo(front, IBook.withdraw.selector, 3);
        goesTo(front, bytes4(0x12345678), 3);
    }

    function test_an_unknown_call_is_refused_with_a_reason() external {
        (bool isDone, bytes memory answer) = address(app).call(hex"12345678");
        assertTrue(!isDone, "refused");
        assertEq(
            answer,
            abi.encodeWithSelector(InvalidMessage.selector, bytes32("unknown call")),
            "reason"
        );
        (isDone,) = address(app).call{value: 1}("");
        assertTrue(!isDone, "no ether");
    }

    function test_modules_of_another_configuration_are_not_taken() external {
        Config memory config = configOf(host, address(pay));
        address book = deployArtifact("Book", abi.encode(config));
        config.parameters.gateLead += 900;
        vm.expectRevert(WrongModule.selector);
        this.deployApp(config, book, book, book);
        vm.expectRevert();
        this.deployApp(config, address(pay), book, book);
        address nobody = address(0xdead);
        vm.expectRevert(WrongModule.selector);
        this.deployApp(config, nobody, nobody, nobody);
    }

    function test_a_ladder_that_does_not_hold_is_not_born() external {
        Parameters memory p = parameters();
        p.tauLead = p.dLead;
        refusesParameters(p, "tau before D");
        p = parameters();
        p.gateLead = p.tauLead + p.lockLead - 1;
        refusesParameters(p, "gate before lock deadline");
        p = parameters();
        p.minMargin = 0;
        refusesParameters(p, "leads positive");
        p = parameters();
        p.orderEnergyMinWh = 0;
        refusesParameters(p, "bounds positive");
        p = parameters();
        p.ordersPerAccountMax = 256;
        refusesParameters(p, "orders 1 to 255");
    }

    function test_a_module_called_itself_does_nothing() external {
        Config memory config = configOf(host, address(pay));
        IApp book = IApp(deployArtifact("Book", abi.encode(config)));
        vm.expectRevert(WrongModule.selector);
        book.send(address(1), 1);
        vm.expectRevert(WrongModule.selector);
        book.depositPay(1);
    }

    // --- several calls at once ----------------------------------------------------------------------

    function test_calls_in_one_transaction_have_one_sender_and_all_hold_or_none() external {
        bytes[] memory calls = new bytes[](3);
        calls[0] = abi.encodeCall(app.send, (address(1), 10));
        calls[1] = abi.encodeCall(app.deposit, (20));
        calls[2] = abi.encodeCall(app.withdraw, (5));
        vm.prank(vm.addr(BUYER));
        app.multicall(calls);
        assertEq(app.balanceOf(vm.addr(BUYER)), FUNDS - 25, "account");
        assertEq(app.vaultOf(vm.addr(BUYER)), 15, "vault");
        calls[2] = abi.encodeCall(app.withdraw, (500));
        vm.prank(vm.addr(BUYER));
        vm.expectRevert();
        app.multicall(calls);
        assertEq(app.vaultOf(vm.addr(BUYER)), 15, "as before");
    }

    function test_results_come_back_and_a_failed_batch_leaves_the_door_open() external {
        (Order[] memory orders, bytes memory signatures) = signed(BUYER, orderOf(BUYER, BUY, 1));
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(app.placeOrders, (orders, signatures));
        calls[1] = calls[0];
        bytes[] memory results = app.multicall(calls);
        assertEq(results[0], abi.encode(true), "placed");
        assertEq(results[1], abi.encode(false), "here already");
        calls[1] = hex"010203";
        vm.expectRevert(
            abi.encodeWithSelector(InvalidMessage.selector, bytes32("a call has a selector"))
        );
        app.multicall(calls);
        assertTrue(place(BUYER, orderOf(BUYER, BUY, 2)), "later calls go on");
    }

    function test_a_batch_reaches_the_hosts_calls_for_anyone_and_no_others() external {
        address[] memory attestors = new address[](1);
        attestors[0] = address(1);
        bytes[] memory calls = new bytes[](1);
        calls[0] = abi.encodeCall(host.createClient, (attestors, 1, 1, 1));
        vm.prank(cells[0]);
        vm.expectRevert(abi.encodeWithSelector(InvalidMessage.selector, bytes32("unknown call")));
        app.multicall(calls);
        calls[0] = abi.encodeWithSelector(host.sendPacket.selector, 0, SLOT, hex"00");
        vm.expectRevert(abi.encodeWithSelector(InvalidMessage.selector, bytes32("unknown call")));
        app.multicall(calls);
        calls[0] = abi.encodeWithSelector(
            host.updateClient.selector, uint64(7), abi.encode(hex"", hex"")
        );
        vm.expectRevert();
        app.multicall(calls);
        calls[0] = abi.encodeCall(app.multicall, (new bytes[](0)));
        vm.expectRevert(abi.encodeWithSelector(InvalidMessage.selector, bytes32("unknown call")));
        app.multicall(calls);
    }

    /// Only the host speaks for packets, whatever the arguments.
    function test_packets_come_from_the_host_alone() external {
        Config memory config = configOf(host, address(pay));
        address book = deployArtifact("Book", abi.encode(config));
        address trade = deployArtifact("Trade", abi.encode(config));
        address exits = deployArtifact("Exits", abi.encode(config));
        IIbcApp front = IIbcApp(deployApp(config, trade, exits, book));
        Arrival memory arrival;
        vm.expectPartialRevert(NotPermitted.selector);
        front.onRecv(arrival, "", "");
        vm.expectPartialRevert(NotPermitted.selector);
        front.onAck(arrival, "", "");
        vm.expectPartialRevert(NotPermitted.selector);
        front.onTimeout(arrival, "");
    }

    /// Dirty bits above a field are refused, never cut off.
    function testFuzz_dirty_bits_of_an_order_are_refused(uint8 word, uint8 bit) external {
        uint8[9] memory narrow = [1, 3, 4, 5, 6, 7, 8, 9, 12];
        uint8[9] memory widths = [160, 8, 8, 8, 64, 32, 64, 64, 64];
        uint256 field = word % 9;
        (Order[] memory orders, bytes memory signatures) = signed(BUYER, orderOf(BUYER, BUY, 1));
        bytes memory data = abi.encodeCall(app.placeOrders, (orders, signatures));
        // selector, two offsets, length, then the order's words
        uint256 place = 4 + 32 * (3 + uint256(narrow[field]));
        uint256 dirty = uint256(1) << bound(bit, widths[field], 255);
        assembly ("memory-safe") {
            let from := add(add(data, 32), place)
            mstore(from, or(mload(from), dirty))
        }
        (bool isDone,) = address(app).call(data);
        assertTrue(!isDone, "refused");
    }

    // --- made here ------------------------------------------------------------------------------------

    function deployApp(Config memory config, address trade, address exits, address book)
        public
        returns (address)
    {
        return deployArtifact("App", abi.encode(config, trade, exits, book));
    }

    function deployBook(Config memory config) external returns (address) {
        return deployArtifact("Book", abi.encode(config));
    }

    function refusesParameters(Parameters memory wrong, bytes32 rule) private {
        Config memory config = configOf(host, address(pay));
        config.parameters = wrong;
        vm.expectRevert(abi.encodeWithSelector(InvalidMessage.selector, rule));
        this.deployBook(config);
    }

    function echoes() private returns (address) {
        Config memory config = configOf(host, address(pay));
        bytes32 hash = keccak256(abi.encode(config));
        return deployApp(
            config,
            address(new Echo(hash, 1)),
            address(new Echo(hash, 2)),
            address(new Echo(hash, 3))
        );
    }

    function goesTo(address front, bytes4 selector, uint256 number) private {
        (bool isDone, bytes memory answer) = front.call(abi.encodePacked(selector, uint256(42)));
        assertTrue(isDone, "answered");
        (uint256 module, bytes32 seen) = abi.decode(answer, (uint256, bytes32));
        assertEq(module, number, "module");
        assertEq(bytes4(seen), selector, "selector");
    }
}
