// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Cells} from "./Cells.sol";
import {NotPermitted} from "./Errors.sol";
import {Hashes} from "./Hashes.sol";
import {IBook} from "./IBook.sol";
import {IBookEvents} from "./IBookEvents.sol";
import {Mandate} from "./Records.sol";

/// @title What a connector lets be locked from its vault
abstract contract Connectors is Cells, IBook, IBookEvents {
    function setMandate(
        Mandate calldata mandate,
        bytes calldata signature,
        bytes calldata publicKey
    ) external entry returns (bool isDone) {
        _require(mandate.chainTag == _CHAIN_TAG, "mandate of another ledger");
        if (mandate.connectorOut != msg.sender) revert NotPermitted("sent by its connectorOut");
        _requireConnectorIn(mandate, signature, publicKey);
        _require(mandate.nonce < type(uint64).max, "nonce out of range");
        bytes32 mandateId = Hashes.mandateId(
            mandate.sourceChainTag, mandate.client, mandate.connectorIn, mandate.connectorOut
        );
        MandateSlot memory stored = _mandates[mandateId];
        if (_isSame(stored, mandate)) return false;
        _require(mandate.nonce >= stored.nextNonce, "nonce does not rise");
        _mandates[mandateId] = MandateSlot({
            maxTrade: mandate.maxTrade,
            maxOpen: mandate.maxOpen,
            minFee: mandate.minFee,
            minMargin: mandate.minMargin,
            expiry: mandate.expiry,
            nextNonce: mandate.nonce + 1
        });
        emit MandateSet(
            mandateId,
            mandate.connectorOut,
            mandate.client,
            mandate.sourceChainTag,
            mandate.connectorIn,
            mandate.maxTrade,
            mandate.maxOpen,
            mandate.minFee,
            mandate.minMargin,
            mandate.expiry,
            mandate.nonce
        );
        return true;
    }

    /// @dev connectorIn is an account of the other ledger, in that ledger's form: an EVM address, or
    /// ripemd160(sha256(compressed key)).
    function _requireConnectorIn(
        Mandate calldata mandate,
        bytes calldata signature,
        bytes calldata publicKey
    ) private view {
        if (signature.length != 65) revert NotPermitted("signature of 65 bytes");
        address signer = _signer(Hashes.mandateHash(mandate), signature, 0);
        bool isSigned = signer != address(0);
        if (isSigned && publicKey.length == 64) {
            isSigned = signer == address(uint160(uint256(keccak256(publicKey))));
            uint8 prefix = 2 + (uint8(publicKey[63]) & 1);
            bytes20 account =
                ripemd160(bytes.concat(sha256(bytes.concat(bytes1(prefix), publicKey[:32]))));
            signer = address(account);
        }
        if (!isSigned || signer != mandate.connectorIn) {
            revert NotPermitted("signed by its connectorIn");
        }
    }

    function _isSame(MandateSlot memory stored, Mandate calldata mandate)
        private
        pure
        returns (bool)
    {
        return stored.nextNonce == mandate.nonce + 1 && stored.maxTrade == mandate.maxTrade
            && stored.maxOpen == mandate.maxOpen && stored.minFee == mandate.minFee
            && stored.minMargin == mandate.minMargin && stored.expiry == mandate.expiry;
    }
}
