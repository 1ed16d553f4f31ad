// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IHost} from "tieline/host/IHost.sol";
import {Proof} from "tieline/host/Types.sol";

import {Attestors} from "../support/Attestors.sol";
import {AppTest} from "./AppTest.sol";

/// @title One transaction for a relayer's whole batch: the host's calls among the application's
contract FrontHostTest is AppTest, Attestors {
    uint64 private client;

    function setUp() public override {
        super.setUp();
        address[] memory attestors = raise(7, 4);
        vm.prank(cells[0]);
        client = host.createClient(attestors, 3, 10, uint64(block.timestamp));
    }

    function test_a_client_is_updated_among_other_calls() external {
        bytes[] memory calls = batch(attestState(11, uint64(block.timestamp) + 1, 3));
        vm.prank(vm.addr(BUYER));
        app.multicall(calls);
        assertEq(host.timestampAt(client, 11), block.timestamp + 1, "updated");
        assertEq(app.balanceOf(address(7)), 5, "sent before");
        assertEq(app.vaultOf(vm.addr(BUYER)), 6, "deposited after");
    }

    function test_what_the_host_refuses_undoes_the_whole_batch_with_its_reason() external {
        bytes[] memory calls = batch(attestState(11, uint64(block.timestamp) + 1, 2));
        vm.prank(vm.addr(BUYER));
        vm.expectRevert(abi.encodeWithSelector(IHost.QuorumNotMet.selector, 3, 2));
        app.multicall(calls);
        assertEq(app.balanceOf(address(7)), 0, "undone");
        assertEq(host.timestampAt(client, 11), 0, "not updated");
    }

    function batch(Proof memory update) private view returns (bytes[] memory calls) {
        calls = new bytes[](3);
        calls[0] = abi.encodeCall(app.send, (address(7), 5));
        calls[1] = abi.encodeCall(host.updateClient, (client, update));
        calls[2] = abi.encodeCall(app.deposit, (6));
    }
}
