// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {InvalidMessage, NotPermitted} from "tieline/app/Errors.sol";
import {Hashes} from "tieline/app/Hashes.sol";
import {Kwh} from "tieline/app/Kwh.sol";
import {Reading} from "tieline/app/Records.sol";

import {AppTest} from "./AppTest.sol";

/// @title Origins of energy: minted once against two signed readings, spent once
contract KwhTest is AppTest {
    uint256 private constant _METER = 0x3e7e6;
    address private constant _OWNER = address(0x0511);

    Kwh private kwh;
    bytes32 private meterId;

    function setUp() public override {
        super.setUp();
        kwh = Kwh(deployArtifact("Kwh", abi.encode(host)));
        vm.prank(cells[0]);
        meterId = kwh.registerMeter(vm.addr(_METER), _OWNER, 1);
    }

    function test_what_a_meter_exported_is_minted_once_to_its_owner() external {
        (Reading memory before, Reading memory afterwards, bytes memory signatures) = pair();
        uint256 origin = kwh.mint(before, afterwards, signatures);
        assertEq(kwh.balanceOf(_OWNER, origin), 250, "minted");
        assertEq(origin, kwh.originOf(meterId, SLOT, 1), "meter, period, source");
        kwh.mint(before, afterwards, signatures);
        assertEq(kwh.balanceOf(_OWNER, origin), 250, "once");
    }

    function test_energy_is_spent_once() external {
        (Reading memory before, Reading memory afterwards, bytes memory signatures) = pair();
        uint256 origin = kwh.mint(before, afterwards, signatures);
        vm.startPrank(_OWNER);
        kwh.safeTransferFrom(_OWNER, address(0x99), origin, 100, "");
        kwh.retire(origin, 150);
        vm.expectRevert();
        kwh.retire(origin, 1);
        vm.stopPrank();
        vm.prank(address(0x99));
        kwh.retire(origin, 40);
        (uint256 minted, uint256 retired) = kwh.booksOf(origin);
        assertEq(minted, 250, "minted");
        assertEq(retired, 190, "retired");
        assertEq(kwh.balanceOf(address(0x99), origin), 60, "held");
        kwh.mint(before, afterwards, signatures);
        assertEq(kwh.balanceOf(_OWNER, origin), 0, "not minted again");
    }

    function test_readings_are_the_meters_and_consecutive() external {
        (Reading memory before, Reading memory afterwards,) = pair();
        bytes memory forged = bytes.concat(signReading(_METER, before), signReading(BUYER, afterwards));
        vm.expectRevert(abi.encodeWithSelector(NotPermitted.selector, bytes32("reading by its meter")));
        kwh.mint(before, afterwards, forged);
        afterwards.counter += 1;
        expectMint(before, afterwards, "readings are not consecutive");
        (before, afterwards,) = pair();
        afterwards.periodStart += 900;
        expectMint(before, afterwards, "readings are not consecutive");
        (before, afterwards,) = pair();
        afterwards.exportRegisterWh = before.exportRegisterWh - 1;
        expectMint(before, afterwards, "the register ran backwards");
        (before, afterwards,) = pair();
        afterwards.quality = 2;
        expectMint(before, afterwards, "a reading is not a good one");
        (before, afterwards,) = pair();
        afterwards.chainTag = keccak256("elsewhere");
        expectMint(before, afterwards, "reading of another ledger");
        (before, afterwards,) = pair();
        before.meterId = keccak256("no such meter");
        expectMint(before, afterwards, "meter is not registered");
        vm.expectRevert(
            abi.encodeWithSelector(InvalidMessage.selector, bytes32("two signatures of 65 bytes"))
        );
        kwh.mint(before, afterwards, "");
    }

    function test_meters_are_the_cells_to_register_and_only_once() external {
        vm.expectPartialRevert(NotPermitted.selector);
        kwh.registerMeter(address(1), _OWNER, 1);
        vm.startPrank(cells[0]);
        vm.expectRevert(
            abi.encodeWithSelector(InvalidMessage.selector, bytes32("meter is registered"))
        );
        kwh.registerMeter(vm.addr(_METER), address(2), 2);
        vm.expectRevert(abi.encodeWithSelector(InvalidMessage.selector, bytes32("meter's fields")));
        kwh.registerMeter(address(1), _OWNER, 0);
        vm.stopPrank();
    }

    function pair()
        private
        view
        returns (Reading memory before, Reading memory afterwards, bytes memory signatures)
    {
        before = Reading(chainTag, meterId, SLOT - 900, 900, 10, 1_000, 41, 1);
        afterwards = Reading(chainTag, meterId, SLOT, 900, 10, 1_250, 42, 1);
        signatures = bytes.concat(signReading(_METER, before), signReading(_METER, afterwards));
    }

    function signReading(uint256 key, Reading memory reading) private view returns (bytes memory) {
        return sign(key, keccak256(abi.encode(Hashes.READING_TYPE, reading)));
    }

    function expectMint(Reading memory before, Reading memory afterwards, bytes32 rule) private {
        bytes memory signatures =
            bytes.concat(signReading(_METER, before), signReading(_METER, afterwards));
        vm.expectRevert(abi.encodeWithSelector(InvalidMessage.selector, rule));
        kwh.mint(before, afterwards, signatures);
    }
}
