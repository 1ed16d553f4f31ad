// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {InvalidMessage, NotPermitted} from "tieline/app/Errors.sol";
import {Hashes} from "tieline/app/Hashes.sol";
import {IBookEvents} from "tieline/app/IBookEvents.sol";
import {Mandate} from "tieline/app/Records.sol";

import {AppTest} from "./AppTest.sol";

/// @title Mandates: sent by one key, signed by the other, nonces rise
contract MandatesTest is AppTest {
    uint256 private constant _IN = 0xc1;

    function test_a_mandate_is_stored_told_and_changed_by_a_higher_nonce() external {
        Mandate memory mandate = mandateOf(1);
        bytes memory signature = sign(_IN, hashOf(mandate));
        vm.expectEmit(true, true, true, true, address(app));
        emit IBookEvents.MandateSet(
            idOf(mandate),
            address(this),
            mandate.client,
            mandate.sourceChainTag,
            vm.addr(_IN),
            1e12,
            1e13,
            100,
            600,
            SLOT,
            1
        );
        assertTrue(app.setMandate(mandate, signature, ""), "set");
        assertTrue(!app.setMandate(mandate, signature, ""), "the same again");
        mandate.maxTrade = 2e12;
        expectMandate(mandate, invalid("nonce does not rise"));
        mandate.nonce = 0;
        expectMandate(mandate, invalid("nonce does not rise"));
        mandate.nonce = type(uint64).max;
        expectMandate(mandate, invalid("nonce out of range"));
        mandate.nonce = 2;
        mandate.expiry = 0;
        assertTrue(app.setMandate(mandate, sign(_IN, hashOf(mandate)), ""), "revoked");
        (uint128 maxTrade, uint128 maxOpen, uint64 minFee,, uint64 expiry, uint64 nextNonce, uint256 open) =
            app.mandateOf(idOf(mandate), address(this));
        assertEq(maxTrade, 2e12, "max trade");
        assertEq(maxOpen, 1e13, "max open");
        assertEq(minFee, 100, "fee");
        assertEq(expiry, 0, "revoked");
        assertEq(nextNonce, 3, "nonce");
        assertEq(open, 0, "nothing open");
    }

    function test_a_mandate_of_zeros_with_nonce_zero_still_uses_up_its_nonce() external {
        Mandate memory mandate = mandateOf(0);
        (mandate.maxTrade, mandate.maxOpen, mandate.minFee, mandate.minMargin) = (0, 0, 0, 0);
        mandate.expiry = 0;
        assertTrue(app.setMandate(mandate, sign(_IN, hashOf(mandate)), ""), "set");
        expectMandate(mandateOf(0), invalid("nonce does not rise"));
    }

    function test_a_mandate_is_sent_by_connector_out_and_signed_by_connector_in() external {
        Mandate memory mandate = mandateOf(1);
        mandate.chainTag = keccak256("elsewhere");
        expectMandate(mandate, invalid("mandate of another ledger"));
        mandate = mandateOf(1);
        mandate.connectorOut = address(1);
        expectMandate(mandate, denied("sent by its connectorOut"));
        mandate = mandateOf(1);
        mandate.connectorIn = address(1);
        expectMandate(mandate, denied("signed by its connectorIn"));
        mandate = mandateOf(1);
        bytes memory signature = sign(_IN, hashOf(mandate));
        vm.expectRevert(denied("signature of 65 bytes"));
        app.setMandate(mandate, bytes.concat(signature, hex"00"), "");
        signature[64] = 0x1d;
        vm.expectRevert(denied("signed by its connectorIn"));
        app.setMandate(mandate, signature, "");
    }

    function test_connector_in_may_be_an_account_of_a_cosmos_style_ledger() external {
        // Private key 1: its public key is the curve's generator, and its account is well known.
        bytes memory publicKey =
            hex"79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
            hex"483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
        Mandate memory mandate = mandateOf(1);
        mandate.connectorIn = address(bytes20(hex"751e76e8199196d454941c45d1b3a323f1433bd6"));
        bytes memory signature = sign(1, hashOf(mandate));
        vm.expectRevert(denied("signed by its connectorIn"));
        app.setMandate(mandate, signature, "");
        bytes memory other = sign(_IN, hashOf(mandate));
        vm.expectRevert(denied("signed by its connectorIn"));
        app.setMandate(mandate, other, publicKey);
        publicKey[0] = 0x00;
        vm.expectRevert(denied("signed by its connectorIn"));
        app.setMandate(mandate, signature, publicKey);
        publicKey[0] = 0x79;
        assertTrue(app.setMandate(mandate, signature, publicKey), "set");
    }

    function mandateOf(uint64 nonce) private view returns (Mandate memory) {
        return Mandate({
            chainTag: chainTag,
            sourceChainTag: keccak256("source"),
            client: keccak256("attestations-0"),
            connectorIn: vm.addr(_IN),
            connectorOut: address(this),
            maxTrade: 1e12,
            maxOpen: 1e13,
            minFee: 100,
            minMargin: 600,
            expiry: SLOT,
            nonce: nonce
        });
    }

    function idOf(Mandate memory mandate) private pure returns (bytes32) {
        return Hashes.mandateId(
            mandate.sourceChainTag, mandate.client, mandate.connectorIn, mandate.connectorOut
        );
    }

    function hashOf(Mandate memory mandate) private pure returns (bytes32) {
        return keccak256(abi.encode(Hashes.MANDATE_TYPE, mandate));
    }

    function expectMandate(Mandate memory mandate, bytes memory refusal) private {
        bytes memory signature = sign(_IN, hashOf(mandate));
        vm.expectRevert(refusal);
        app.setMandate(mandate, signature, "");
    }

    function invalid(bytes32 rule) private pure returns (bytes memory) {
        return abi.encodeWithSelector(InvalidMessage.selector, rule);
    }

    function denied(bytes32 rule) private pure returns (bytes memory) {
        return abi.encodeWithSelector(NotPermitted.selector, rule);
    }
}
