// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What is not already known of an IBC v2 packet of the energy trade.
/// The clients are the pair's; ports, version and encoding are the application's (`Trade` constants in `Ibc`).
struct Packet {
    uint64 sequence;
    /// Unix seconds; from then on it cannot be received.
    uint64 timeoutTimestamp;
    bytes value;
}

/// @notice A whole IBC v2 packet; only `Host.skipPacket` and the vectors need one.
struct WholePacket {
    uint64 sequence;
    string sourceClient;
    string destClient;
    uint64 timeoutTimestamp;
    Payload[] payloads;
}

struct Payload {
    string sourcePort;
    string destPort;
    string version;
    string encoding;
    bytes value;
}

/// @notice Attested bytes and who stands by them.
struct Proof {
    /// As ibc-go v11's attestations client reads it; a state (64 bytes) or packets (128 + 64 n bytes).
    bytes data;
    /// 65 bytes each (r, s, v), one after the other, signers in ascending order of address; low s, v 27 or 28.
    bytes signatures;
}

/// @notice One packet to receive.
struct Receive {
    Packet packet;
    /// Where in the attestation the packet's path is, from 0.
    uint256 entry;
    /// What the application wants to see beside the packet (`TradeEvidence`).
    bytes evidence;
}

/// @notice One acknowledgement of a packet sent from here.
struct Acknowledge {
    Packet packet;
    uint256 entry;
    /// The only answer of the packet's only payload.
    bytes acknowledgement;
}

/// @notice One packet sent from here that was not received in time.
struct Timeout {
    Packet packet;
    uint256 entry;
}

/// @notice What the host tells the application of a packet, beside its value.
struct Arrival {
    /// N of the client `attestations-N` on this ledger.
    uint64 client;
    uint64 sequence;
    uint64 timeoutTimestamp;
    /// keccak256 of this ledger's client id: T(client).
    bytes32 clientHash;
    /// The packet's IBC v2 commitment.
    bytes32 commitment;
}

/// @notice A light client, as `Host.client` shows it.
struct ClientView {
    string id;
    string counterparty;
    address[] attestors;
    uint32 minSignatures;
    uint64 latestHeight;
    /// Attested time of `latestHeight`, unix seconds.
    uint64 latestTimestamp;
    /// Attestations of lower heights are refused since the set was rotated.
    uint64 fromHeight;
    /// The sequence of the next packet sent; 0 before the client is paired.
    uint64 nextSequence;
    bool frozen;
    /// Unix seconds; a pause is over from then on.
    uint64 sendsPausedUntil;
    uint64 receivesPausedUntil;
}
