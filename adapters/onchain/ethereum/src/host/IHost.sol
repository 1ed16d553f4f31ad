// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Acknowledge, ClientView, Proof, Receive, Timeout, WholePacket} from "./Types.sol";

/// @title The IBC v2 host of one ledger, with its attestations clients
interface IHost {
    // What happened. Clients are numbers N of `attestations-N`.

    event ClientCreated(
        uint64 indexed client, uint64 indexed height, uint64 timestamp, uint32 minSignatures, address[] attestors
    );
    event CounterpartyRegistered(uint64 indexed client, string counterparty);
    event ClientUpdated(uint64 indexed client, uint64 indexed height, uint64 timestamp);
    /// @notice Two statements of the attestors contradict one another; nothing can be proved by this client again.
    event ClientFrozen(uint64 indexed client);
    event SetRotated(uint64 indexed client, uint64 indexed fromHeight, uint32 minSignatures, address[] attestors);
    event PauseSet(uint64 indexed client, bool sends, bool receives);
    /// @param packet The whole IBC v2 packet as protobuf `ibc.core.channel.v2.Packet`, here and below.
    event PacketSent(uint64 indexed client, uint64 indexed sequence, bytes32 indexed commitment, bytes packet);
    event PacketReceived(uint64 indexed client, uint64 indexed sequence, bytes32 indexed commitment, bytes packet);
    /// @notice Nothing was written. `reason` is the custom error (selector and arguments) that says why.
    event PacketSkipped(uint64 indexed client, uint64 indexed sequence, bytes reason);
    event AcknowledgementWritten(uint64 indexed client, uint64 indexed sequence, bytes acknowledgement);
    event PacketAcknowledged(uint64 indexed client, uint64 indexed sequence);
    event PacketTimedOut(uint64 indexed client, uint64 indexed sequence);
    /// @notice It was received (kind 2) or had ended (kind 1: acknowledged or timed out) before: no effect.
    event PacketRepeated(uint64 indexed client, uint64 indexed sequence, uint8 kind);

    // Why not.

    error NotTheCell(address caller);
    error NotTheApp(address caller);
    error ClientUnknown(uint64 client);
    error ClientIsFrozen(uint64 client);
    error ClientPaused(uint64 client);
    error CounterpartyUnknown(uint64 client);
    error CounterpartyExists(uint64 client);
    error CounterpartyMismatch(uint64 client);
    error IdentifierInvalid();
    error AttestorsInvalid();
    error QuorumInvalid(uint256 minSignatures, uint256 attestors);
    error QuorumNotMet(uint256 needed, uint256 got);
    error SignatureInvalid(uint256 index);
    /// @notice Not in the set, there twice, or not in ascending order.
    error SignerInvalid(uint256 index, address signer);
    error AttestationMalformed();
    error HeightUnknown(uint64 client, uint64 height);
    error HeightBeforeRotation(uint64 height, uint64 fromHeight);
    error HeightInvalid(uint64 height);
    error HeightTooFarBack(uint64 height);
    error TimestampInvalid(uint64 timestamp);
    error TimestampInFuture(uint64 timestamp, uint64 latest);
    error TimestampNotMonotone(uint64 height, uint64 timestamp);
    error NoMisbehaviour();
    error EntryUnknown(uint256 entry);
    error PathMismatch(uint256 entry);
    error PathTwice(uint256 entry);
    error CommitmentMismatch(uint256 entry);
    error PacketMismatch(uint64 client, uint64 sequence);
    error PacketInvalid();
    error PayloadInvalid();
    error PacketSpoken();
    error LanguageUnknown();
    error TimeoutElapsed(uint64 timeoutTimestamp, uint64 timestamp);
    error TimeoutTooFarAhead(uint64 timeoutTimestamp, uint64 latest);
    error TimeoutNotReached(uint64 timeoutTimestamp, uint64 timestamp);
    error AcknowledgementInvalid();
    error AcknowledgementExists(uint64 client, uint64 sequence);
    error PacketNotReceived(uint64 client, uint64 sequence);
    error TooLittleGas(uint256 needed, uint256 got);
    error AppWithoutReason(uint64 client, uint64 sequence);

    // The cell's.

    /// @notice Create `attestations-N` and return N.
    /// @param attestors Ascending, at most 64.
    /// @param minSignatures More than two thirds of them.
    function createClient(address[] calldata attestors, uint32 minSignatures, uint64 height, uint64 timestamp)
        external
        returns (uint64 client);
    /// @notice Pair a client with the one that tracks this ledger over there; once, for good.
    function registerCounterparty(uint64 client, string calldata counterparty) external;
    /// @notice Stop sends for a day or receives for 900 s from now, or allow them. Said again it lasts longer; it
    /// always ends. Acknowledgements and timeouts cannot be stopped.
    function setPause(uint64 client, bool sends, bool receives) external;

    // The application's.

    /// @notice Send `value` from the application's port; its version and encoding stand in `Ibc`.
    function sendPacket(uint64 client, uint64 timeoutTimestamp, bytes calldata value)
        external
        returns (uint64 sequence, bytes32 commitment);
    /// @notice Answer a packet that was received without an answer. `commitment` is the packet's, as its
    /// receipt holds it, so that nobody answers for another packet.
    function writeAcknowledgement(uint64 client, uint64 sequence, bytes32 commitment, bytes calldata acknowledgement)
        external;

    // Anyone's. An `update` with empty data is none.

    function updateClient(uint64 client, Proof calldata update) external;
    /// @notice Receive packets under one attestation. A packet that cannot be received is skipped with an event.
    function receivePackets(uint64 client, Proof calldata update, Proof calldata proof, Receive[] calldata packets)
        external;
    function acknowledgePackets(
        uint64 client,
        Proof calldata update,
        Proof calldata proof,
        Acknowledge[] calldata packets
    ) external;
    function timeoutPackets(uint64 client, Proof calldata update, Proof calldata proof, Timeout[] calldata packets)
        external;
    /// @notice Say on chain that a proved packet speaks a port, version or encoding that nobody here does.
    function skipPacket(uint64 client, Proof calldata update, Proof calldata proof, WholePacket calldata packet, uint256 entry)
        external;
    /// @notice Give a client another attestor set, by more than two thirds of the old one (`RotateSet`).
    function rotateSet(
        uint64 client,
        address[] calldata attestors,
        uint32 minSignatures,
        uint64 fromHeight,
        bytes calldata signatures
    ) external;
    /// @notice Freeze a client whose attestors signed two commitments for one path and height.
    function submitMisbehaviour(
        uint64 client,
        Proof calldata one,
        uint256 entryInOne,
        Proof calldata other,
        uint256 entryInOther
    ) external;
    function multicall(bytes[] calldata calls) external returns (bytes[] memory results);

    // What is known.

    function GENESIS_HASH() external view returns (bytes32);
    function NETWORK_ID() external view returns (bytes32);
    /// @notice keccak(abi(T("tieline/chain/v1"), T("evm"), T(chain id), genesis hash, this address)).
    function CHAIN_TAG() external view returns (bytes32);
    function CELL() external view returns (address);
    function APP() external view returns (address);
    function clientCount() external view returns (uint64);
    /// @notice `attestations-N`, as packets and other ledgers name the client.
    function clientId(uint64 number) external pure returns (string memory);
    function client(uint64 number) external view returns (ClientView memory);
    /// @return timestamp Attested unix seconds of a height; 0 if it was never attested.
    function timestampAt(uint64 client, uint64 height) external view returns (uint64 timestamp);
    /// @notice What is stored under keccak(path), path = client id || kind || BE8(sequence);
    /// kind 1 commitment, 2 receipt, 3 acknowledgement. 0 is absence.
    function getCommitment(bytes32 hashedPath) external view returns (bytes32);
    /// @notice As `getCommitment`, with the path's parts.
    function stored(uint64 client, uint8 kind, uint64 sequence) external view returns (bytes32);
}
