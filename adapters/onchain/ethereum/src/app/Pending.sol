// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Ibc} from "../host/Ibc.sol";
import {Packet} from "../host/Types.sol";
import {Ids} from "./Ids.sol";
import {LEG_OUT} from "./LockNumbers.sol";
import {Locks} from "./Locks.sol";
import {Payloads} from "./Payloads.sol";
import {EnergyTrade} from "./TradeRecords.sol";

/// @title Received packets whose answer is due later, and how they end without a lock
/// @notice The host's receipt keeps a packet's commitment, so whoever ends one brings the packet again.
abstract contract Pending is Locks, Payloads {
    /// @dev A received packet, brought again.
    struct Received {
        uint64 client;
        uint64 sequence;
        bytes32 commitment;
        /// T(client id).
        bytes32 clientHash;
    }

    /// @dev Read a packet that is said to have been received. Its receipt is not looked at here: the
    /// host compares the commitment when the answer is written.
    function _received(uint64 client, Packet calldata packet)
        internal
        pure
        returns (Received memory received)
    {
        bytes memory id = _clientId(client);
        received.client = client;
        received.sequence = packet.sequence;
        received.commitment = Ibc.commitPacket(sha256(id), packet);
        received.clientHash = keccak256(id);
    }

    /// @dev attestations-N. The first ten clients' ids are one word and a digit.
    function _clientId(uint64 client) private pure returns (bytes memory) {
        if (client > 9) return bytes(string.concat("attestations-", Strings.toString(client)));
        return abi.encodePacked("attestations-", bytes1(uint8(0x30 + client)));
    }

    /// @dev The destination's lock of a packet, without state, with its mandate.
    function _lockOut(LockView memory lock, EnergyTrade memory trade, bytes32 clientHash) internal view {
        _view(lock, trade, LEG_OUT);
        lock.cursorBuyWh = _mandateBits(Ids.mandateId(trade, clientHash));
    }

    /// @dev B3, B4: all of a pending lock goes back, money and bond.
    function _giveBack(LockView memory lock) internal {
        lock.bondPrice = _bondPriceOf(lock.slotStart, lock.slotLength);
        _storeRefused(lock);
        _refundPayer(lock, lock.energyWh);
        _returnBond(lock, lock.energyWh);
        _tellClosed(lock);
    }

    /// @dev Answer a received packet with the sentinel; the reason lies elsewhere.
    function _answerRefusal(Received memory received) internal {
        _HOST.writeAcknowledgement(
            received.client,
            received.sequence,
            received.commitment,
            abi.encodePacked(Ibc.SENTINEL)
        );
    }
}
