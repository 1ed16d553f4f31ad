// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {InsufficientFunds, InvalidCoins, InvalidMessage, Reentered} from "tieline/app/Errors.sol";
import {IBookEvents} from "tieline/app/IBookEvents.sol";

import {AppTest, IApp} from "./AppTest.sol";
import {OddToken} from "./OddToken.sol";

/// @title PAY in accounts and vaults: what comes in, moves and goes out, to the last nano-EUR
contract MoneyTest is AppTest {
    address private immutable _OWNER = vm.addr(BUYER);

    function test_tokens_come_in_and_go_out() external {
        pay.transfer(_OWNER, 500);
        vm.startPrank(_OWNER);
        pay.approve(address(app), 300);
        vm.expectEmit(true, true, true, true, address(app));
        emit IBookEvents.PayDeposited(_OWNER, _OWNER, 300);
        app.depositPay(300);
        assertEq(app.balanceOf(_OWNER), FUNDS + 300, "in");
        vm.expectEmit(true, true, true, true, address(app));
        emit IBookEvents.PayWithdrawn(_OWNER, 400);
        app.withdrawPay(400);
        assertEq(app.balanceOf(_OWNER), FUNDS - 100, "out");
        assertEq(pay.balanceOf(_OWNER), 600, "tokens");
        vm.expectRevert(abi.encodeWithSelector(InsufficientFunds.selector, FUNDS - 100, FUNDS));
        app.withdrawPay(FUNDS);
        vm.expectRevert();
        app.depositPay(1);
        vm.stopPrank();
    }

    function test_a_permit_stands_for_an_allowance_also_if_somebody_used_it_before() external {
        pay.transfer(_OWNER, 1_000);
        (uint8 v, bytes32 r, bytes32 s) = permitOf(700, 0);
        vm.prank(_OWNER);
        app.depositPayWithPermit(700, SLOT, v, r, s);
        assertEq(app.balanceOf(_OWNER), FUNDS + 700, "in");
        (v, r, s) = permitOf(200, 1);
        IERC20Permit(address(pay)).permit(_OWNER, address(app), 200, SLOT, v, r, s);
        vm.prank(_OWNER);
        app.depositPayWithPermit(200, SLOT, v, r, s);
        assertEq(app.balanceOf(_OWNER), FUNDS + 900, "in again");
        vm.prank(_OWNER);
        vm.expectRevert();
        app.depositPayWithPermit(100, SLOT, v, r, s);
    }

    function test_many_are_paid_in_at_once_into_accounts_or_vaults() external {
        address[] memory accounts = new address[](2);
        uint128[] memory amounts = new uint128[](2);
        (accounts[0], accounts[1], amounts[0], amounts[1]) = (address(1), address(2), 10, 20);
        uint256 before = pay.balanceOf(address(app));
        app.depositFor(accounts, amounts, false);
        app.depositFor(accounts, amounts, true);
        assertEq(app.balanceOf(address(2)), 20, "account");
        assertEq(app.vaultOf(address(2)), 20, "vault");
        assertEq(pay.balanceOf(address(app)), before + 60, "tokens");
        amounts[1] = 0;
        vm.expectRevert(abi.encodeWithSelector(InvalidCoins.selector, bytes32("amount out of range")));
        app.depositFor(accounts, amounts, false);
        vm.expectPartialRevert(InvalidMessage.selector);
        app.depositFor(accounts, new uint128[](1), false);
    }

    function test_money_moves_between_accounts_and_vaults() external {
        vm.startPrank(_OWNER);
        vm.expectEmit(true, true, true, true, address(app));
        emit IBookEvents.Sent(_OWNER, address(7), 5);
        app.send(address(7), 5);
        app.send(_OWNER, 5);
        assertEq(app.balanceOf(address(7)), 5, "sent");
        assertEq(app.balanceOf(_OWNER), FUNDS - 5, "to oneself nothing changes");
        app.deposit(90);
        assertEq(app.vaultOf(_OWNER), 90, "vault");
        app.withdraw(40);
        assertEq(app.vaultOf(_OWNER), 50, "vault less");
        assertEq(app.balanceOf(_OWNER), FUNDS - 55, "account");
        vm.expectRevert(abi.encodeWithSelector(InsufficientFunds.selector, 50, 51));
        app.withdraw(51);
        vm.expectRevert(abi.encodeWithSelector(InsufficientFunds.selector, FUNDS - 55, FUNDS));
        app.deposit(FUNDS);
        vm.expectRevert(abi.encodeWithSelector(InsufficientFunds.selector, FUNDS - 55, FUNDS));
        app.send(address(7), FUNDS);
        bytes memory nothing =
            abi.encodeWithSelector(InvalidCoins.selector, bytes32("amount out of range"));
        vm.expectRevert(nothing);
        app.send(address(7), 0);
        vm.expectRevert(nothing);
        app.deposit(0);
        vm.expectRevert(nothing);
        app.withdraw(0);
        vm.expectRevert(nothing);
        app.depositPay(0);
        vm.expectRevert(nothing);
        app.withdrawPay(0);
        vm.stopPrank();
    }

    /// Whatever moves: accounts, vaults and tokens sum up.
    function testFuzz_the_books_are_covered_by_tokens(uint128[8] calldata amounts) external {
        uint256 sum = app.balanceOf(_OWNER) + app.balanceOf(vm.addr(SELLER));
        assertEq(pay.balanceOf(address(app)), sum, "covered");
        vm.startPrank(_OWNER);
        for (uint256 i = 0; i < 8; ++i) {
            uint128 amount = amounts[i] % (FUNDS / 4) + 1;
            if (i % 4 == 0) app.deposit(amount);
            else if (i % 4 == 1 && app.vaultOf(_OWNER) >= amount) app.withdraw(amount);
            else if (i % 4 == 2) app.send(vm.addr(SELLER), amount / 4 + 1);
            else if (app.balanceOf(_OWNER) >= amount) app.withdrawPay(amount);
        }
        vm.stopPrank();
        sum = app.balanceOf(_OWNER) + app.vaultOf(_OWNER) + app.balanceOf(vm.addr(SELLER));
        assertEq(pay.balanceOf(address(app)), sum, "still covered");
    }

    // --- tokens that are not PAY ------------------------------------------------------------------

    function test_a_token_that_keeps_a_fee_cannot_be_deposited() external {
        OddToken token = new OddToken();
        (, IApp odd) = deployLedger(address(token));
        token.set(1, address(0), "");
        vm.expectRevert(
            abi.encodeWithSelector(InvalidCoins.selector, bytes32("token moved another amount"))
        );
        odd.depositPay(1_000);
        assertEq(odd.balanceOf(address(this)), 0, "nothing was credited");
        token.set(0, address(0), "");
        odd.depositPay(1_000);
        assertEq(odd.balanceOf(address(this)), 1_000, "without a fee it can");
    }

    function test_a_token_that_says_no_cannot_be_deposited() external {
        OddToken token = new OddToken();
        (, IApp odd) = deployLedger(address(token));
        token.refuse();
        vm.expectRevert();
        odd.depositPay(1_000);
        assertEq(odd.balanceOf(address(this)), 0, "nothing was credited");
    }

    function test_a_token_cannot_call_back_into_the_application() external {
        OddToken token = new OddToken();
        (, IApp odd) = deployLedger(address(token));
        odd.depositPay(1_000);
        bytes[] memory calls = new bytes[](1);
        calls[0] = abi.encodeCall(odd.send, (address(token), 1));
        bytes[4] memory back = [
            abi.encodeCall(odd.depositPay, (1)),
            abi.encodeCall(odd.withdrawPay, (1)),
            abi.encodeCall(odd.send, (address(this), 1)),
            abi.encodeCall(odd.multicall, (calls))
        ];
        for (uint256 i = 0; i < back.length; ++i) {
            token.set(0, address(odd), back[i]);
            vm.expectRevert(Reentered.selector);
            odd.depositPay(1_000);
            vm.expectRevert(Reentered.selector);
            odd.withdrawPay(1_000);
        }
        assertEq(odd.balanceOf(address(this)), 1_000, "as before");
    }

    function permitOf(uint256 amount, uint256 nonce)
        private
        view
        returns (uint8 v, bytes32 r, bytes32 s)
    {
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
                ),
                _OWNER,
                address(app),
                amount,
                nonce,
                uint256(SLOT)
            )
        );
        bytes32 separator = IERC20Permit(address(pay)).DOMAIN_SEPARATOR();
        return vm.sign(BUYER, keccak256(abi.encodePacked(hex"1901", separator, structHash)));
    }
}
