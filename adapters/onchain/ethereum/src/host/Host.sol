// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";

import {Attestations} from "./Attestations.sol";
import {Clients} from "./Clients.sol";
import {Commitments} from "./Commitments.sol";
import {Ibc} from "./Ibc.sol";
import {IHost} from "./IHost.sol";
import {IIbcApp} from "./IIbcApp.sol";
import {Acknowledge, Arrival, Packet, Proof, Receive, Timeout, WholePacket} from "./Types.sol";

/// @title The IBC v2 host of one ledger
/// @notice One application, behind port "energytrade". A packet's effect happens at most once; what was
/// sent ends in exactly one of acknowledged and timed out; a repeat is an event without effect.
/// @dev What proves nothing new is judged before any proof is looked at, so a relayer that comes second pays
/// little. State is written before the application is called.
contract Host is Clients, Multicall {
    /// What has to be left when the application is asked about one packet. Below it, it could be
    /// made to fail on purpose; running out of gas further in leaves no reason and reverts all.
    uint256 private constant _GAS_FLOOR = 200_000;

    /// @inheritdoc IHost
    address public immutable APP;

    /// @dev The two ends of a call's packets, read and hashed once.
    struct Ends {
        uint64 client;
        bytes32 localHash;
        /// sha256 of the id of the client on the packets' destination.
        bytes32 destHash;
        string local;
        string remote;
        /// Height and time of the attestation, once it was looked at; 0 before.
        uint64 height;
        uint64 timestamp;
    }

    modifier onlyApp() {
        if (msg.sender != APP) revert NotTheApp(msg.sender);
        _;
    }

    /// @param genesisHash Hash of this chain's block 0; attestors check it.
    /// @param networkId The 32 bytes of the hub's genesis that typed signatures are bound to.
    /// @param cell The utility cell of this ledger: creates and pairs clients, pauses.
    /// @param app The application, for good. It is deployed after the host and knows it, so its address is
    /// computed beforehand (CREATE: deployer and nonce).
    constructor(bytes32 genesisHash, bytes32 networkId, address cell, address app)
        Clients(genesisHash, networkId, cell)
    {
        if (app == address(0)) revert NotTheApp(app);
        APP = app;
    }

    /// @inheritdoc IHost
    function sendPacket(uint64 number, uint64 timeoutTimestamp, bytes calldata value)
        external
        onlyApp
        returns (uint64 sequence, bytes32 commitment)
    {
        Client storage held = _active(number);
        sequence = held.nextSequence;
        if (sequence == 0) revert CounterpartyUnknown(number);
        if (block.timestamp < held.sendsPausedUntil) revert ClientPaused(number);
        if (value.length == 0 || value.length > Ibc.VALUE_BYTES_MAX) revert PayloadInvalid();
        if (timeoutTimestamp <= block.timestamp) revert TimeoutElapsed(timeoutTimestamp, uint64(block.timestamp));
        uint256 latest = block.timestamp + Ibc.TIMEOUT_AHEAD_MAX;
        if (timeoutTimestamp > latest) revert TimeoutTooFarAhead(timeoutTimestamp, uint64(latest));
        if (timeoutTimestamp <= held.latestTimestamp) revert TimeoutElapsed(timeoutTimestamp, held.latestTimestamp);
        held.nextSequence = sequence + 1;
        string memory local = clientId(number);
        string memory remote = held.counterparty;
        commitment = Ibc.commitTrade(sha256(bytes(remote)), timeoutTimestamp, value);
        Commitments.set(Ibc.hashPath(local, Ibc.COMMITMENT, sequence), commitment);
        emit PacketSent(
            number, sequence, commitment, Ibc.encodePacket(sequence, local, remote, timeoutTimestamp, value)
        );
    }

    /// @inheritdoc IHost
    function writeAcknowledgement(uint64 number, uint64 sequence, bytes32 commitment, bytes calldata acknowledgement)
        external
        onlyApp
    {
        string memory local = clientId(number);
        bytes32 receipt = Commitments.get(Ibc.hashPath(local, Ibc.RECEIPT, sequence));
        if (receipt == 0 || receipt != commitment) revert PacketNotReceived(number, sequence);
        _answer(number, local, sequence, acknowledgement);
    }

    /// @inheritdoc IHost
    function receivePackets(uint64 number, Proof calldata update, Proof calldata proof, Receive[] calldata packets)
        external
    {
        (Client storage held, Ends memory ends) = _paired(number);
        if (block.timestamp < held.receivesPausedUntil) revert ClientPaused(number);
        ends.destHash = sha256(bytes(ends.local));
        if (!_prepare(held, ends, update)) return;
        for (uint256 index = 0; index < packets.length; ++index) {
            uint256 mark = _mark();
            _receive(held, ends, proof, packets[index]);
            _release(mark);
        }
    }

    /// @inheritdoc IHost
    function acknowledgePackets(
        uint64 number,
        Proof calldata update,
        Proof calldata proof,
        Acknowledge[] calldata packets
    ) external {
        (Client storage held, Ends memory ends) = _paired(number);
        ends.destHash = sha256(bytes(ends.remote));
        if (!_prepare(held, ends, update)) return;
        for (uint256 index = 0; index < packets.length; ++index) {
            uint256 mark = _mark();
            _acknowledge(held, ends, proof, packets[index]);
            _release(mark);
        }
    }

    /// @inheritdoc IHost
    function timeoutPackets(uint64 number, Proof calldata update, Proof calldata proof, Timeout[] calldata packets)
        external
    {
        (Client storage held, Ends memory ends) = _paired(number);
        ends.destHash = sha256(bytes(ends.remote));
        if (!_prepare(held, ends, update)) return;
        for (uint256 index = 0; index < packets.length; ++index) {
            uint256 mark = _mark();
            _timeOut(held, ends, proof, packets[index]);
            _release(mark);
        }
    }

    /// @inheritdoc IHost
    function skipPacket(
        uint64 number,
        Proof calldata update,
        Proof calldata proof,
        WholePacket calldata packet,
        uint256 entry
    ) external {
        (Client storage held, Ends memory ends) = _paired(number);
        if (packet.payloads.length != 1) revert PayloadInvalid();
        if (Ibc.isSpoken(packet.payloads[0])) revert PacketSpoken();
        bool isOurs = keccak256(bytes(packet.destClient)) == ends.localHash
            && keccak256(bytes(packet.sourceClient)) == keccak256(bytes(ends.remote));
        if (!isOurs) revert CounterpartyMismatch(number);
        if (!_prepare(held, ends, update)) return;
        bytes32 path = Ibc.hashPath(ends.remote, Ibc.COMMITMENT, packet.sequence);
        bytes memory fault = _unproved(held, ends, proof, entry, path, Ibc.commitWhole(packet));
        if (fault.length == 0) fault = abi.encodeWithSelector(LanguageUnknown.selector);
        emit PacketSkipped(number, packet.sequence, fault);
    }

    /// @inheritdoc IHost
    function getCommitment(bytes32 hashedPath) external view returns (bytes32) {
        return Commitments.get(hashedPath);
    }

    /// @inheritdoc IHost
    function stored(uint64 number, uint8 kind, uint64 sequence) external view returns (bytes32) {
        return Commitments.get(Ibc.hashPath(clientId(number), kind, sequence));
    }

    function multicall(bytes[] calldata calls) public override(IHost, Multicall) returns (bytes[] memory) {
        return super.multicall(calls);
    }

    function _paired(uint64 number) private view returns (Client storage held, Ends memory ends) {
        held = _existing(number);
        if (held.nextSequence == 0) revert CounterpartyUnknown(number);
        ends.client = number;
        ends.local = clientId(number);
        ends.localHash = keccak256(bytes(ends.local));
        ends.remote = held.counterparty;
    }

    /// @return goesOn False if the update froze the client, which must not be undone by a revert.
    function _prepare(Client storage held, Ends memory ends, Proof calldata update) private returns (bool goesOn) {
        if (update.data.length == 0) return true;
        if (held.frozen) revert ClientIsFrozen(ends.client);
        _update(ends.client, held, update);
        return !held.frozen;
    }

    function _receive(Client storage held, Ends memory ends, Proof calldata proof, Receive calldata item) private {
        Packet calldata packet = item.packet;
        bytes32 receiptPath = Ibc.hashPath(ends.local, Ibc.RECEIPT, packet.sequence);
        if (Commitments.get(receiptPath) != 0) {
            emit PacketRepeated(ends.client, packet.sequence, Ibc.RECEIPT);
            return;
        }
        (bytes memory fault, bytes32 commitment) = _unreceivable(held, ends, proof, item);
        // The fault may say that time is up; how long a fault is, no block's maker chooses.
        // slither-disable-next-line incorrect-equality
        if (fault.length == 0) fault = _deliver(ends, item, receiptPath, commitment);
        if (fault.length != 0) emit PacketSkipped(ends.client, packet.sequence, fault);
    }

    /// @return fault Why the packet cannot be received, empty if it can.
    /// @return commitment The packet's.
    function _unreceivable(Client storage held, Ends memory ends, Proof calldata proof, Receive calldata item)
        private
        view
        returns (bytes memory fault, bytes32 commitment)
    {
        Packet calldata packet = item.packet;
        if (!_isWellFormed(packet)) return (abi.encodeWithSelector(PacketInvalid.selector), 0);
        if (packet.timeoutTimestamp <= block.timestamp) {
            fault = abi.encodeWithSelector(TimeoutElapsed.selector, packet.timeoutTimestamp, block.timestamp);
            return (fault, 0);
        }
        commitment = Ibc.commitPacket(ends.destHash, packet);
        bytes32 path = Ibc.hashPath(ends.remote, Ibc.COMMITMENT, packet.sequence);
        fault = _unproved(held, ends, proof, item.entry, path, commitment);
    }

    /// @return fault Why the application cannot take the packet yet, empty if it took it.
    function _deliver(Ends memory ends, Receive calldata item, bytes32 receiptPath, bytes32 commitment)
        private
        returns (bytes memory fault)
    {
        Packet calldata packet = item.packet;
        if (gasleft() < _GAS_FLOOR) revert TooLittleGas(_GAS_FLOOR, gasleft());
        Commitments.set(receiptPath, commitment);
        Arrival memory arrival = _arrival(ends, packet, commitment);
        try IIbcApp(APP).onRecv(arrival, packet.value, item.evidence) returns (bytes memory acknowledgement) {
            emit PacketReceived(
                ends.client,
                packet.sequence,
                commitment,
                Ibc.encodePacket(packet.sequence, ends.remote, ends.local, packet.timeoutTimestamp, packet.value)
            );
            if (acknowledgement.length != 0) _answer(ends.client, ends.local, packet.sequence, acknowledgement);
        } catch (bytes memory reason) {
            // What ran out of gas says nothing: a relayer must not make a good packet wait by giving too little.
            if (reason.length == 0) revert AppWithoutReason(ends.client, packet.sequence);
            Commitments.set(receiptPath, 0);
            return reason;
        }
    }

    function _acknowledge(Client storage held, Ends memory ends, Proof calldata proof, Acknowledge calldata item)
        private
    {
        Packet calldata packet = item.packet;
        _requireAcknowledgement(item.acknowledgement.length);
        (bool isOpen, bytes32 commitment) = _close(ends, packet);
        if (!isOpen) return;
        bytes32 path = Ibc.hashPath(ends.remote, Ibc.ACKNOWLEDGEMENT, packet.sequence);
        bytes32 answer = Ibc.commitAcknowledgement(item.acknowledgement);
        _raise(_unproved(held, ends, proof, item.entry, path, answer));
        emit PacketAcknowledged(ends.client, packet.sequence);
        IIbcApp(APP).onAck(_arrival(ends, packet, commitment), packet.value, item.acknowledgement);
    }

    /// @dev Time and absence are judged at one height: there the other ledger's clock had reached the timeout
    /// and no receipt was stored, so none ever will be.
    function _timeOut(Client storage held, Ends memory ends, Proof calldata proof, Timeout calldata item) private {
        Packet calldata packet = item.packet;
        (bool isOpen, bytes32 commitment) = _close(ends, packet);
        if (!isOpen) return;
        bytes32 path = Ibc.hashPath(ends.remote, Ibc.RECEIPT, packet.sequence);
        _raise(_unproved(held, ends, proof, item.entry, path, 0));
        if (ends.timestamp < packet.timeoutTimestamp) {
            revert TimeoutNotReached(packet.timeoutTimestamp, ends.timestamp);
        }
        emit PacketTimedOut(ends.client, packet.sequence);
        IIbcApp(APP).onTimeout(_arrival(ends, packet, commitment), packet.value);
    }

    /// @dev Clears the commitment before anything is proved; what is not proved reverts.
    /// @return isOpen False if the packet has ended before.
    /// @return commitment The packet's.
    function _close(Ends memory ends, Packet calldata packet) private returns (bool isOpen, bytes32 commitment) {
        bytes32 path = Ibc.hashPath(ends.local, Ibc.COMMITMENT, packet.sequence);
        bytes32 sent = Commitments.get(path);
        if (sent == 0) {
            emit PacketRepeated(ends.client, packet.sequence, Ibc.COMMITMENT);
            return (false, 0);
        }
        commitment = Ibc.commitPacket(ends.destHash, packet);
        if (sent != commitment) revert PacketMismatch(ends.client, packet.sequence);
        Commitments.set(path, 0);
        isOpen = true;
    }

    /// @return fault Why `proof` does not show that `commitment` is stored under `path`, empty if it does.
    /// @dev The attestation itself is looked at once a call, and reverts if it is no good: it is the relayer's
    /// and not the packet's.
    function _unproved(
        Client storage held,
        Ends memory ends,
        Proof calldata proof,
        uint256 entry,
        bytes32 path,
        bytes32 commitment
    ) private view returns (bytes memory fault) {
        if (ends.height == 0) {
            if (held.frozen) revert ClientIsFrozen(ends.client);
            uint64 height = _requirePackets(held, proof);
            ends.timestamp = held.states[height].timestamp;
            if (ends.timestamp == 0) revert HeightUnknown(ends.client, height);
            ends.height = height;
        }
        (bytes32 attested, bytes4 selector) = Attestations.find(proof.data, entry, path);
        if (selector != 0) return abi.encodeWithSelector(selector, entry);
        if (attested != commitment) return abi.encodeWithSelector(CommitmentMismatch.selector, entry);
    }

    function _answer(uint64 number, string memory local, uint64 sequence, bytes memory acknowledgement) private {
        _requireAcknowledgement(acknowledgement.length);
        bytes32 path = Ibc.hashPath(local, Ibc.ACKNOWLEDGEMENT, sequence);
        if (Commitments.get(path) != 0) revert AcknowledgementExists(number, sequence);
        Commitments.set(path, Ibc.commitAcknowledgement(acknowledgement));
        emit AcknowledgementWritten(number, sequence, acknowledgement);
    }

    /// @dev Nothing of a packet is kept in memory, which would get dearer with each.
    function _mark() private pure returns (uint256 mark) {
        assembly ("memory-safe") {
            mark := mload(0x40)
        }
    }

    function _release(uint256 mark) private pure {
        assembly ("memory-safe") {
            mstore(0x40, mark)
        }
    }

    function _arrival(Ends memory ends, Packet calldata packet, bytes32 commitment)
        private
        pure
        returns (Arrival memory)
    {
        return Arrival(ends.client, packet.sequence, packet.timeoutTimestamp, ends.localHash, commitment);
    }

    function _isWellFormed(Packet calldata packet) private pure returns (bool) {
        uint256 length = packet.value.length;
        return packet.sequence != 0 && packet.timeoutTimestamp != 0 && packet.timeoutTimestamp <= Ibc.TIMESTAMP_MAX
            && length != 0 && length <= Ibc.VALUE_BYTES_MAX;
    }

    function _requireAcknowledgement(uint256 length) private pure {
        // An answer's length depends on time only through what the application decided.
        // slither-disable-next-line incorrect-equality
        if (length == 0 || length > Ibc.ACKNOWLEDGEMENT_BYTES_MAX) revert AcknowledgementInvalid();
    }

    function _raise(bytes memory fault) private pure {
        if (fault.length == 0) return;
        assembly ("memory-safe") {
            revert(add(fault, 32), mload(fault))
        }
    }
}
