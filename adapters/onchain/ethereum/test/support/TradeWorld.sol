// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Hashes} from "tieline/app/Hashes.sol";
import {Delivery} from "tieline/app/Records.sol";
import {
    DecidedLeaf,
    DeliveryProof,
    EnergyTrade,
    LockTerms,
    TradeEvidence,
    Verdict,
    VerdictLeaf
} from "tieline/app/TradeRecords.sol";
import {Acknowledge, Packet, Proof, Receive, Timeout} from "tieline/host/Types.sol";

import {Positions} from "./Positions.sol";
import {Trees} from "./Trees.sol";

/// @title What becomes of trades, step by step
abstract contract TradeWorld is Positions {
    // --- packets ----------------------------------------------------------------------------------

    /// @notice A3, in good time.
    function send(Position memory position) internal {
        vm.warp(LOCK_DEADLINE - 10);
        sendNow(position);
    }

    function sendNow(Position memory position) internal {
        position.sequence = a.host.client(0).nextSequence;
        (bytes[] memory payloads, TradeEvidence[] memory evidence) = sending(position);
        vm.prank(a.cell);
        a.app.lockAndSend(0, TAU, payloads, evidence);
    }

    function sending(Position memory position)
        internal
        pure
        returns (bytes[] memory payloads, TradeEvidence[] memory evidence)
    {
        payloads = new bytes[](1);
        evidence = new TradeEvidence[](1);
        payloads[0] = abi.encode(position.trade);
        evidence[0] = TradeEvidence(position.clearingProof, position.buys);
    }

    function packetOf(Position memory position) internal pure returns (Packet memory) {
        return Packet(position.sequence, TAU, abi.encode(position.trade));
    }

    /// @notice B1, before tau.
    function receive_(Position memory position) internal {
        vm.warp(TAU - 60);
        receiveNow(position);
    }

    function receiveNow(Position memory position) internal {
        receiveWith(packetOf(position), abi.encode(TradeEvidence(position.clearingProof, position.sells)));
    }

    function receiveWith(Packet memory packet, bytes memory evidence) internal {
        Proof memory proof = attestedSend(packet.sequence);
        Receive[] memory list = new Receive[](1);
        list[0] = Receive(packet, 0, evidence);
        b.host.receivePackets(0, none(), proof, list);
    }

    /// @notice What a's attestors say of a packet that was really sent.
    function attestedSend(uint64 sequence) internal returns (Proof memory) {
        raise(a.family, 4);
        return attestOne(HEIGHT, pathOf(1, sequence), a.host.stored(0, 1, sequence), 3);
    }

    /// @notice Attest on b that a sent a payload, without a having done so.
    function forge(uint64 sequence, uint64 timeout, bytes memory value, bytes memory evidence) internal {
        bytes32 payload = sha256(
            bytes.concat(
                sha256("energytrade"),
                sha256("energytrade"),
                sha256("tieline-trade-1"),
                sha256("application/x-solidity-abi"),
                sha256(value)
            )
        );
        bytes32 commitment = sha256(
            bytes.concat(
                hex"02",
                sha256(bytes(CLIENT)),
                sha256(bytes.concat(bytes8(timeout))),
                sha256(bytes.concat(payload))
            )
        );
        raise(a.family, 4);
        Proof memory proof = attestOne(HEIGHT, pathOf(1, sequence), commitment, 3);
        Receive[] memory list = new Receive[](1);
        list[0] = Receive(Packet(sequence, timeout, value), 0, evidence);
        b.host.receivePackets(0, none(), proof, list);
    }

    /// @notice A5, A6: carry b's answer to a.
    function acknowledge(Position memory position, bytes memory answer) internal {
        raise(b.family, 4);
        Proof memory proof = attestOne(
            HEIGHT, pathOf(3, position.sequence), sha256(bytes.concat(hex"02", sha256(answer))), 3
        );
        Acknowledge[] memory list = new Acknowledge[](1);
        list[0] = Acknowledge(packetOf(position), 0, answer);
        a.host.acknowledgePackets(0, none(), proof, list);
    }

    /// @notice TradeAck of a position.
    function answerOf(Position memory position, bytes32 root, uint64 capWh) internal pure returns (bytes memory) {
        EnergyTrade memory t = position.trade;
        return abi.encode(uint16(1), t.tradeId, lockIdOut(t), root, capWh, t.expiryOut);
    }

    /// @notice A7: b's clock is at *timestamp*, and the packet was never received.
    function timeOut(Position memory position, uint64 timestamp) internal {
        raise(b.family, 4);
        uint64 height = nextHeight();
        Proof memory update = attestState(height, timestamp, 3);
        Proof memory proof = attestOne(height, pathOf(2, position.sequence), 0, 3);
        Timeout[] memory list = new Timeout[](1);
        list[0] = Timeout(packetOf(position), 0);
        a.host.timeoutPackets(0, update, proof, list);
    }

    // --- verdicts and statements --------------------------------------------------------------------

    /// @notice An accept of a received trade, a group of its own.
    function accept(Position memory position, uint64 capWh) internal view returns (DecidedLeaf memory item) {
        VerdictLeaf memory leaf = item.leaf;
        leaf.destChainTag = b.tag;
        leaf.destClient = keccak256(bytes(CLIENT));
        leaf.sequence = position.sequence;
        leaf.packetCommitment = b.host.stored(0, 2, position.sequence);
        leaf.tradeId = position.trade.tradeId;
        (leaf.decision, leaf.capWh, leaf.group, leaf.groupSize) = (1, capWh, 1, 1);
        leaf.owners = 11; // a, b, grid
        item.packet = new Packet[](1);
        item.packet[0] = packetOf(position);
    }

    function refuse(Position memory position, uint16 reason) internal view returns (DecidedLeaf memory item) {
        item = accept(position, 0);
        VerdictLeaf memory leaf = item.leaf;
        (leaf.decision, leaf.reason, leaf.group, leaf.groupSize) = (2, reason, 0, 0);
    }

    function lone(DecidedLeaf memory item) internal pure returns (DecidedLeaf[] memory list) {
        list = new DecidedLeaf[](1);
        list[0] = item;
    }

    function both(DecidedLeaf memory x, DecidedLeaf memory y) internal pure returns (DecidedLeaf[] memory list) {
        list = new DecidedLeaf[](2);
        (list[0], list[1]) = (x, y);
    }

    /// @notice A verdict over exactly these leaves; writes their proofs.
    function verdictOver(DecidedLeaf[] memory items) internal view returns (Verdict memory verdict) {
        bytes32[] memory hashes = new bytes32[](items.length);
        for (uint256 i = 0; i < items.length; ++i) hashes[i] = Trees.twice(abi.encode(items[i].leaf));
        for (uint256 i = 0; i < items.length; ++i) items[i].proof = Trees.proof(hashes, hashes[i]);
        return verdictOf(Trees.root(hashes));
    }

    function verdictOf(bytes32 decisionsRoot) internal view returns (Verdict memory) {
        return Verdict({
            cellSetId: cellSetId,
            epoch: 1,
            slotStart: S,
            slotLength: 900,
            networkEpoch: EPOCH,
            baselineHash: keccak256("baseline"),
            pendingRoot: keccak256("pending"),
            decisionsRoot: decisionsRoot,
            flowProofHash: keccak256("flow"),
            setpointsHash: 0
        });
    }

    function signVerdict(Verdict memory verdict, uint256 bitmap) internal view returns (bytes memory) {
        return signCells(keccak256(abi.encode(Hashes.VERDICT_TYPE, verdict)), bitmap);
    }

    function applyOn(Ledger storage ledger, DecidedLeaf[] memory items, uint256 bitmap)
        internal
        returns (Verdict memory verdict)
    {
        verdict = verdictOver(items);
        ledger.app.applyVerdict(verdict, cells, signVerdict(verdict, bitmap), items);
    }

    /// @notice B2 at D - 10 with three of four signers: a, b, grid.
    function lock(Position memory position, uint64 capWh) internal returns (bytes32 decisionsRoot) {
        vm.warp(D - 10);
        return applyOn(b, lone(accept(position, capWh)), 11).decisionsRoot;
    }

    /// @notice Sent, received, accepted, acknowledged.
    function locked(Position memory position, uint64 capWh) internal {
        send(position);
        receive_(position);
        bytes32 root = lock(position, capWh);
        acknowledge(position, answerOf(position, root, capWh));
    }

    function deliveryRoot(bytes32 tradeId, uint64 wh) internal pure returns (bytes32) {
        return Trees.twice(abi.encode(tradeId, wh));
    }

    /// @notice A8, B5: a statement of one leaf.
    function deliver(Ledger storage ledger, bytes32 tradeId, uint64 wh) internal {
        deliver(ledger, tradeId, wh, 11);
    }

    function deliver(Ledger storage ledger, bytes32 tradeId, uint64 wh, uint256 bitmap) internal {
        postDelivery(ledger, deliveryRoot(tradeId, wh), bitmap);
    }

    function deliverRoot(Ledger storage ledger, bytes32 root) internal {
        postDelivery(ledger, root, 11);
    }

    function postDelivery(Ledger storage ledger, bytes32 root, uint256 bitmap) internal {
        Delivery memory statement = Delivery(
            cellSetId,
            1,
            S,
            900,
            keccak256("verdict"),
            keccak256("readings"),
            keccak256("boundary"),
            keccak256("estimate"),
            root
        );
        bytes32 hash = keccak256(abi.encode(Hashes.DELIVERY_TYPE, statement));
        ledger.app.postDelivery(statement, cells, signCells(hash, bitmap));
    }

    function proofIn(bytes32[] memory leaves, bytes32 leaf, uint64 wh)
        internal
        pure
        returns (DeliveryProof memory proof)
    {
        (proof.deliveredWh, proof.proof) = (wh, Trees.proof(leaves, leaf));
    }

    function proofOf(uint64 index, uint64 wh) internal pure returns (DeliveryProof memory proof) {
        (proof.index, proof.deliveredWh) = (index, wh);
    }

    function noPacket() internal pure returns (Packet[] memory) {}

    function noLeaves() internal pure returns (DeliveryProof[] memory) {}

    function leavesOf(DeliveryProof memory proof) internal pure returns (DeliveryProof[] memory list) {
        list = new DeliveryProof[](1);
        list[0] = proof;
    }

    // --- INTRA -----------------------------------------------------------------------------------

    function openLocal(LocalPosition memory position) internal {
        vm.prank(a.cell);
        a.app.openLocal(position.trade, evidenceOf(position));
    }

    function evidenceOf(LocalPosition memory position) internal pure returns (TradeEvidence memory) {
        return TradeEvidence(position.clearingProof, position.leaves);
    }

    function acceptLocal(LocalPosition memory position, uint64 capWh)
        internal
        view
        returns (DecidedLeaf memory item)
    {
        VerdictLeaf memory leaf = item.leaf;
        leaf.destChainTag = a.tag;
        leaf.destClient = keccak256("local");
        leaf.packetCommitment = position.trade.tradeId;
        leaf.tradeId = position.trade.tradeId;
        (leaf.decision, leaf.capWh, leaf.group, leaf.groupSize, leaf.owners) = (1, capWh, 1, 1, 9);
        item.local = new LockTerms[](1);
        item.local[0] = termsLocal(position);
    }

    // --- what is stored -----------------------------------------------------------------------------

    struct State {
        uint8 status;
        uint64 cap;
        uint64 paid;
        uint64 slashed;
        uint64 cursorBuy;
        uint64 cursorSell;
        uint64 bondPrice;
    }

    function stateOf(Ledger storage ledger, bytes32 hashlock) internal view returns (State memory state) {
        (, bytes32 word) = ledger.app.lockOf(hashlock);
        uint256 packed = uint256(word);
        state.status = uint8(packed);
        state.cap = uint40(packed >> 8);
        state.paid = uint40(packed >> 48);
        state.slashed = uint40(packed >> 88);
        state.cursorBuy = uint40(packed >> 128);
        state.cursorSell = uint40(packed >> 168);
        state.bondPrice = uint48(packed >> 208);
    }

    function openOfMandate() internal view returns (uint256 open) {
        bytes32 id = Hashes.mandateId(a.tag, keccak256(bytes(CLIENT)), connector, connector);
        (,,,,,, open) = b.app.mandateOf(id, connector);
    }
}
