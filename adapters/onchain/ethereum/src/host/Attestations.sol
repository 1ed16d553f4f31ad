// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {IHost} from "./IHost.sol";

/// @title Attested bytes: who stands by them, and what they say
/// @dev Bytes as ibc-go v11 `modules/light-clients/attestations`; spelled in one way only (low s, v 27 or 28,
/// ascending signers, offsets as its encoder writes them). Decoded by hand: `abi.decode` would revert without
/// a reason, which looks like running out of gas.
library Attestations {
    uint8 internal constant STATE_TAG = 1;
    uint8 internal constant PACKET_TAG = 2;
    uint8 internal constant ROTATE_TAG = 3;

    uint256 internal constant ATTESTORS_MAX = 64;

    uint256 private constant _ADDRESS_BYTES = 20;
    uint256 private constant _SIGNATURE_BYTES = 65;
    uint256 private constant _STATE_BYTES = 64;
    uint256 private constant _PACKETS_HEAD_BYTES = 128;
    uint256 private constant _ENTRY_BYTES = 64;

    /// @notice What an attestor signs.
    function digest(uint8 tag, bytes memory data) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(tag, sha256(data)));
    }

    /// @notice Check that enough of a set signed. Every signature given must be a member's.
    /// @param set 20 bytes each, ascending.
    function requireQuorum(bytes32 signedDigest, bytes calldata signatures, bytes memory set, uint256 needed)
        internal
        pure
    {
        uint256 count = signatures.length / _SIGNATURE_BYTES;
        if (signatures.length % _SIGNATURE_BYTES != 0) revert IHost.SignatureInvalid(count);
        if (count < needed) revert IHost.QuorumNotMet(needed, count);
        uint256 members = set.length / _ADDRESS_BYTES;
        uint256 cursor = 0;
        for (uint256 index = 0; index < count; ++index) {
            uint256 start = index * _SIGNATURE_BYTES;
            // What is left out is the argument of an error message.
            // slither-disable-next-line unused-return
            (address signer, ECDSA.RecoverError fault,) =
                ECDSA.tryRecoverCalldata(signedDigest, signatures[start:start + _SIGNATURE_BYTES]);
            if (fault != ECDSA.RecoverError.NoError) revert IHost.SignatureInvalid(index);
            // Both lists ascend, so one walk finds every signer once.
            while (cursor < members && memberAt(set, cursor) < signer) ++cursor;
            if (cursor == members || memberAt(set, cursor) != signer) revert IHost.SignerInvalid(index, signer);
            ++cursor;
        }
    }

    /// @notice Member of a set; `index` is in range.
    function memberAt(bytes memory set, uint256 index) internal pure returns (address member) {
        assembly ("memory-safe") {
            member := shr(96, mload(add(add(set, 32), mul(index, 20))))
        }
    }

    /// @notice Read an attested height and its time in unix seconds.
    function decodeState(bytes calldata data) internal pure returns (uint64 height, uint64 timestamp) {
        if (data.length != _STATE_BYTES) revert IHost.AttestationMalformed();
        height = _uint64(data, 0);
        timestamp = _uint64(data, 32);
    }

    /// @notice Read the height of attested packets and check the form of all of it.
    /// @dev Paths in ascending order are unique for free; else each pair of them is compared.
    function decodePackets(bytes calldata data) internal pure returns (uint64 height) {
        if (data.length < _PACKETS_HEAD_BYTES) revert IHost.AttestationMalformed();
        height = _uint64(data, 32);
        uint256 count = _uint64(data, 96);
        bool isCanonical = _uint64(data, 0) == 32 && _uint64(data, 64) == 64
            && data.length == _PACKETS_HEAD_BYTES + count * _ENTRY_BYTES;
        if (!isCanonical) revert IHost.AttestationMalformed();
        bool ascends = true;
        for (uint256 index = 1; index < count && ascends; ++index) {
            ascends = _pathAt(data, index - 1) < _pathAt(data, index);
        }
        if (!ascends) _requireUnique(data, count);
    }

    /// @notice Find what was attested of a path. `data` went through `decodePackets`.
    /// @return commitment What was attested, 0 if it is absence.
    /// @return fault 0, or the selector of `EntryUnknown` or `PathMismatch`.
    function find(bytes calldata data, uint256 entry, bytes32 hashedPath)
        internal
        pure
        returns (bytes32 commitment, bytes4 fault)
    {
        if (entry >= (data.length - _PACKETS_HEAD_BYTES) / _ENTRY_BYTES) return (0, IHost.EntryUnknown.selector);
        if (_pathAt(data, entry) != hashedPath) return (0, IHost.PathMismatch.selector);
        return (_word(data, _PACKETS_HEAD_BYTES + entry * _ENTRY_BYTES + 32), 0);
    }

    /// @notice An entry as it stands. `data` went through `decodePackets`; reverts if there is no such entry.
    function entryAt(bytes calldata data, uint256 entry) internal pure returns (bytes32 path, bytes32 commitment) {
        if (entry >= (data.length - _PACKETS_HEAD_BYTES) / _ENTRY_BYTES) revert IHost.EntryUnknown(entry);
        path = _pathAt(data, entry);
        commitment = _word(data, _PACKETS_HEAD_BYTES + entry * _ENTRY_BYTES + 32);
    }

    function _requireUnique(bytes calldata data, uint256 count) private pure {
        for (uint256 index = 1; index < count; ++index) {
            bytes32 path = _pathAt(data, index);
            for (uint256 other = 0; other < index; ++other) {
                if (_pathAt(data, other) == path) revert IHost.PathTwice(index);
            }
        }
    }

    function _pathAt(bytes calldata data, uint256 entry) private pure returns (bytes32) {
        return _word(data, _PACKETS_HEAD_BYTES + entry * _ENTRY_BYTES);
    }

    function _uint64(bytes calldata data, uint256 offset) private pure returns (uint64) {
        uint256 word = uint256(_word(data, offset));
        if (word > type(uint64).max) revert IHost.AttestationMalformed();
        return uint64(word);
    }

    /// @dev The caller has checked that `offset + 32` is within `data`.
    function _word(bytes calldata data, uint256 offset) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := calldataload(add(data.offset, offset))
        }
    }
}
