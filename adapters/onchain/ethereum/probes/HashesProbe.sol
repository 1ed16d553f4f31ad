// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ibc} from "../src/host/Ibc.sol";
import {IHost} from "../src/host/IHost.sol";
import {Packet, WholePacket} from "../src/host/Types.sol";
import {Base, Config, Parameters} from "../src/app/Base.sol";
import {Quorums} from "../src/app/Cells.sol";
import {Hashes} from "../src/app/Hashes.sol";
import {Ids} from "../src/app/Ids.sol";
import {Payloads} from "../src/app/Payloads.sol";
import {
    CellSet,
    Clearing,
    Delivery,
    Mandate,
    Order,
    Reading,
    RegistryRow
} from "../src/app/Records.sol";
import {Allocation, EnergyTrade, Verdict, VerdictLeaf} from "../src/app/TradeRecords.sol";

/// @notice A ledger's names and nothing behind them.
contract Names {
    bytes32 public immutable NETWORK_ID;
    bytes32 public immutable CHAIN_TAG;
    address public constant CELL = address(1);

    constructor(bytes32 networkId, bytes32 chainTag) {
        NETWORK_ID = networkId;
        CHAIN_TAG = chainTag;
    }
}

/// @title What the contracts hash, shown to tests: each function is one of a library's, called from outside
/// @notice Never deployed with the ledger; the vectors that neither of our languages made are held against it.
contract HashesProbe is Payloads {
    constructor(bytes32 networkId, bytes32 chainTag) Base(_config(networkId, chainTag)) {}

    function _config(bytes32 networkId, bytes32 chainTag) private returns (Config memory config) {
        config.host = IHost(address(new Names(networkId, chainTag)));
        config.parameters = Parameters(400, 100, 160, 300, 600, 900, 900, 100, 1e15, 64);
    }

    function domainSeparator(bytes32 networkId) external pure returns (bytes32) {
        return Hashes.domainSeparator(networkId);
    }

    function digest(bytes32 structHash) external view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", _DOMAIN, structHash));
    }

    function orderId(Order calldata record) external pure returns (bytes32) {
        return Hashes.orderId(record);
    }

    function cancelHash(bytes32 id) external pure returns (bytes32) {
        return Hashes.cancelHash(id);
    }

    function mandateHash(Mandate calldata record) external pure returns (bytes32) {
        return Hashes.mandateHash(record);
    }

    function waiveHash(bytes32 lock, uint64 wh) external pure returns (bytes32) {
        return Hashes.waiveHash(lock, wh);
    }

    function cellSetHash(CellSet calldata record) external pure returns (bytes32) {
        return Hashes.cellSetHash(record);
    }

    function clearingHash(Clearing calldata record) external pure returns (bytes32) {
        return Hashes.clearingHash(record);
    }

    function verdictHash(Verdict calldata record) external pure returns (bytes32) {
        return Hashes.verdictHash(record);
    }

    function deliveryHash(Delivery calldata record) external pure returns (bytes32) {
        return Hashes.deliveryHash(record);
    }

    function readingHash(Reading calldata record) external pure returns (bytes32) {
        return Hashes.readingHash(record);
    }

    function evmChainTag(uint256 chainId, bytes32 genesisHash, address host) external pure returns (bytes32) {
        return Hashes.evmChainTag(chainId, genesisHash, host);
    }

    function cellSetId(bytes32 networkId, bytes32 networkEpoch, uint64 epoch, address[] calldata cells)
        external
        pure
        returns (bytes32)
    {
        return Hashes.cellSetId(networkId, networkEpoch, epoch, Hashes.addressesHash(cells));
    }

    function addressesHash(address[] calldata cells) external pure returns (bytes32) {
        return Hashes.addressesHash(cells);
    }

    function registryHash(RegistryRow[] calldata rows) external pure returns (bytes32) {
        return Hashes.registryHash(rows);
    }

    function cellsOf(RegistryRow[] calldata rows) external pure returns (bytes32) {
        return Hashes.cellsHashOf(rows);
    }

    function meterId(bytes32 chainTag, address meterKey) external pure returns (bytes32) {
        return Hashes.meterId(chainTag, meterKey);
    }

    function tradeId(EnergyTrade calldata trade) external pure returns (bytes32) {
        return Hashes.tradeId(
            trade.sourceChainTag,
            trade.destChainTag,
            trade.slotStart,
            trade.slotLength,
            trade.level,
            trade.allocationsRoot,
            trade.hashlock
        );
    }

    function pool(bytes32 chainTag, bytes32 trade, uint8 side) external pure returns (address) {
        return Hashes.pool(chainTag, trade, side);
    }

    function lockId(
        bytes32 chainTag,
        bytes32 trade,
        bytes32 hashlock,
        address payer,
        address payee,
        uint64 energyWh,
        uint64 price,
        uint64 expiry
    ) external pure returns (bytes32) {
        return Hashes.lockId(chainTag, trade, hashlock, payer, payee, energyWh, price, expiry);
    }

    function locksOf(EnergyTrade calldata trade) external pure returns (bytes32 lockIn, bytes32 lockOut) {
        return (Ids.lockIdIn(trade), Ids.lockIdOut(trade));
    }

    function mandateId(bytes32 source, bytes32 client, address connectorIn, address connectorOut)
        external
        pure
        returns (bytes32)
    {
        return Hashes.mandateId(source, client, connectorIn, connectorOut);
    }

    function imbalanceAccount(bytes32 chainTag) external pure returns (address) {
        return Hashes.imbalanceAccount(chainTag);
    }

    function idLeaf(bytes32 id) external pure returns (bytes32) {
        return Hashes.idLeaf(id);
    }

    function allocationLeaf(Allocation calldata leaf) external pure returns (bytes32) {
        return Hashes.allocationLeaf(leaf);
    }

    function verdictLeaf(VerdictLeaf calldata leaf) external pure returns (bytes32) {
        return Hashes.verdictLeaf(leaf);
    }

    function deliveryLeaf(bytes32 trade, uint64 deliveredWh) external pure returns (bytes32) {
        return Hashes.deliveryLeaf(trade, deliveredWh);
    }

    function rootOf(bytes32 leaf, bytes32[] calldata proof) external pure returns (bytes32) {
        return Hashes.rootOf(leaf, proof);
    }

    function moreThanTwoThirds(uint256 n) external pure returns (uint256) {
        return Quorums.moreThanTwoThirds(n);
    }

    function byzantineMajority(uint256 n) external pure returns (uint256) {
        return Quorums.byzantineMajority(n);
    }

    function payload(EnergyTrade calldata trade) external pure returns (bytes memory) {
        return abi.encode(trade);
    }

    /// @return rule Why the bytes are refused, 0 if they are read.
    function decode(bytes calldata value) external pure returns (bytes32 rule, bytes32 again) {
        EnergyTrade memory trade;
        (trade, rule) = _decode(value);
        again = keccak256(abi.encode(trade));
    }

    function payloadRule(EnergyTrade calldata trade) external pure returns (bytes32) {
        return _payloadRule(trade);
    }

    function ladderRule(EnergyTrade calldata trade, uint256 timeout) external view returns (bytes32) {
        return _ladderRule(trade, timeout);
    }

    function commitPacket(string calldata destClient, Packet calldata packet) external pure returns (bytes32) {
        return Ibc.commitPacket(sha256(bytes(destClient)), packet);
    }

    function commitWhole(WholePacket calldata packet) external pure returns (bytes32) {
        return Ibc.commitWhole(packet);
    }

    function commitAcknowledgement(bytes calldata acknowledgement) external pure returns (bytes32) {
        return Ibc.commitAcknowledgement(acknowledgement);
    }

    function hashPath(string calldata client, uint8 kind, uint64 sequence) external pure returns (bytes32) {
        return Ibc.hashPath(client, kind, sequence);
    }

    function encodePacket(
        uint64 sequence,
        string calldata source,
        string calldata dest,
        uint64 timeout,
        bytes calldata value
    ) external pure returns (bytes memory) {
        return Ibc.encodePacket(sequence, source, dest, timeout, value);
    }
}
