// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {DecidedLeaf, LockTerms, TradeEvidence, Verdict} from "tieline/app/TradeRecords.sol";
import {Hashes} from "tieline/app/Hashes.sol";
import {IExits} from "tieline/app/IExits.sol";
import {Acknowledge, Proof, Receive, Timeout} from "tieline/host/Types.sol";

import {TradeWorld} from "../support/TradeWorld.sol";
import {Trees} from "../support/Trees.sol";

interface Gauge {
    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    function lastCallGas() external view returns (Gas memory gas);
}

/// @title What calls cost as transactions of their own: non-zero balances, three of four signers, one
/// order a side; alone, and each of twenty in one call
/// @notice Every measured call stands in a transaction of its own, with 21,000 and calldata.
/// forge-config: default.isolate = true
contract TradeGasTest is TradeWorld {
    event log_named_uint(string key, uint256 value);

    Position[] private _held;

    function gauge(string memory what, uint256 count, uint256 most) private {
        Gauge.Gas memory gas = Gauge(address(vm)).lastCallGas();
        uint256 used = gas.gasTotalUsed;
        emit log_named_uint(what, used / count);
        assertTrue(used / count <= most, what);
    }

    /// @dev Trades of the same households, connector and clearing; the first one is spent beforehand, so
    /// that balances and counters are not zero.
    function prepare(uint256 count) private returns (Position[] memory ps) {
        ps = new Position[](count + 1);
        bytes32[] memory ids = new bytes32[](count + 1);
        for (uint256 i = 0; i <= count; ++i) {
            bytes32 preimage = keccak256(abi.encode("secret", i));
            ps[i] = positionOf(parts(buy(ANN, 300)), parts(sell(BOB, 300, hashOf(preimage))), preimage, 2);
            ids[i] = Trees.twice(abi.encode(ps[i].trade.tradeId));
        }
        for (uint256 i = 0; i <= count; ++i) {
            ps[i].trade.clearingRoot = Trees.root(ids);
            ps[i].clearingProof = Trees.proof(ids, ids[i]);
            ps[i].trade.lockIdIn = lockIdIn(ps[i].trade);
        }
        clear(ps[0]);
        send(ps[0]);
    }

    /// @dev Balances that a call adds to, not zero before it.
    function setUp() public override {
        super.setUp();
        vm.prank(connector);
        a.app.deposit(1000);
        fundPool();
    }

    /// @dev The imbalance pool, which a slashed bond adds to.
    function fundPool() private {
        address pool = address(
            uint160(uint256(keccak256(bytes.concat(keccak256("tieline/imbalance/v1"), b.tag))))
        );
        address[] memory accounts = new address[](1);
        uint128[] memory amounts = new uint128[](1);
        (accounts[0], amounts[0]) = (pool, 1000);
        b.app.depositFor(accounts, amounts, true);
    }

    function sendAll(Position[] memory ps) private {
        uint256 count = ps.length - 1;
        bytes[] memory payloads = new bytes[](count);
        TradeEvidence[] memory evidence = new TradeEvidence[](count);
        for (uint256 i = 0; i < count; ++i) {
            ps[i + 1].sequence = uint64(2 + i);
            payloads[i] = abi.encode(ps[i + 1].trade);
            evidence[i] = TradeEvidence(ps[i + 1].clearingProof, ps[i + 1].buys);
        }
        vm.prank(a.cell);
        a.app.lockAndSend(0, TAU, payloads, evidence);
    }

    function receiveAll(Position[] memory ps) private {
        uint256 count = ps.length - 1;
        bytes32[] memory paths = new bytes32[](count);
        bytes32[] memory values = new bytes32[](count);
        Receive[] memory list = new Receive[](count);
        for (uint256 i = 0; i < count; ++i) {
            Position memory p = ps[i + 1];
            paths[i] = pathOf(1, p.sequence);
            values[i] = a.host.stored(0, 1, p.sequence);
            list[i] = Receive(packetOf(p), i, abi.encode(TradeEvidence(p.clearingProof, p.sells)));
        }
        raise(a.family, 4);
        uint64 height = nextHeight();
        Proof memory update = attestState(height, uint64(block.timestamp), 3);
        b.host.updateClient(0, update);
        Proof memory proof = attestMany(height, paths, values, 3);
        b.host.receivePackets(0, none(), proof, list);
    }

    function applyAll(Position[] memory ps) private returns (bytes32 root) {
        uint256 count = ps.length - 1;
        DecidedLeaf[] memory items = new DecidedLeaf[](count);
        for (uint256 i = 0; i < count; ++i) {
            items[i] = accept(ps[i + 1], 300);
            items[i].leaf.groupSize = uint16(count);
        }
        Verdict memory verdict = verdictOver(items);
        b.app.applyVerdict(verdict, cells, signVerdict(verdict, 11), new DecidedLeaf[](0));
        gauge("post verdict", 1, 92_000);
        b.app.applyVerdict(verdict, new address[](0), "", items);
        return verdict.decisionsRoot;
    }

    function acknowledgeAll(Position[] memory ps, bytes32 root) private {
        uint256 count = ps.length - 1;
        bytes32[] memory paths = new bytes32[](count);
        bytes32[] memory values = new bytes32[](count);
        Acknowledge[] memory list = new Acknowledge[](count);
        for (uint256 i = 0; i < count; ++i) {
            Position memory p = ps[i + 1];
            bytes memory answer = answerOf(p, root, 300);
            paths[i] = pathOf(3, p.sequence);
            values[i] = sha256(bytes.concat(hex"02", sha256(answer)));
            list[i] = Acknowledge(packetOf(p), i, answer);
        }
        raise(b.family, 4);
        Proof memory proof = attestMany(HEIGHT, paths, values, 3);
        a.host.acknowledgePackets(0, none(), proof, list);
    }

    function timeOutAll(Position[] memory ps) private {
        uint256 count = ps.length - 1;
        bytes32[] memory paths = new bytes32[](count);
        Timeout[] memory list = new Timeout[](count);
        for (uint256 i = 0; i < count; ++i) {
            paths[i] = pathOf(2, ps[i + 1].sequence);
            list[i] = Timeout(packetOf(ps[i + 1]), i);
        }
        raise(b.family, 4);
        uint64 height = nextHeight();
        a.host.updateClient(0, attestState(height, uint64(block.timestamp), 3));
        Proof memory proof = attestMany(height, paths, new bytes32[](count), 3);
        a.host.timeoutPackets(0, none(), proof, list);
    }

    function life(uint256 count, uint256[6] memory most) private {
        Position[] memory ps = prepare(count);
        sendAll(ps);
        gauge("lock and send", count, most[0]);
        vm.warp(TAU - 60);
        receiveNow(ps[0]);
        receiveAll(ps);
        gauge("receive", count, most[1]);
        vm.warp(D - 10);
        bytes32 root = applyAll(ps);
        gauge("apply verdict", count, most[2]);
        acknowledgeAll(ps, root);
        gauge("acknowledge", count, most[3]);
        vm.warp(E + 100);
        claims(ps, most[4], most[5]);
    }

    function claims(Position[] memory ps, uint256 mostOut, uint256 mostIn) private {
        uint256 count = ps.length - 1;
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            leaves[i] = deliveryRoot(ps[i + 1].trade.tradeId, 300);
        }
        deliverRoot(a, Trees.root(leaves));
        deliverRoot(b, Trees.root(leaves));
        gauge("post delivery", 1, 92_000);
        bytes[] memory calls = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) calls[i] = claiming(ps[i + 1], termsOut(ps[i + 1]), leaves, i);
        if (count == 1) run(address(b.app), calls[0]);
        else b.app.multicall(calls);
        gauge("claim on the destination", count, mostOut);
        for (uint256 i = 0; i < count; ++i) calls[i] = claiming(ps[i + 1], termsIn(ps[i + 1]), leaves, i);
        if (count == 1) run(address(a.app), calls[0]);
        else a.app.multicall(calls);
        gauge("claim on the source", count, mostIn);
    }

    function claiming(Position memory p, LockTerms memory terms, bytes32[] memory leaves, uint256 i)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeCall(
            IExits.claim, (terms, abi.encode(p.preimage), proofIn(leaves, leaves[i], 300))
        );
    }

    function run(address app, bytes memory call) private {
        (bool isDone,) = app.call(call);
        assertTrue(isDone, "call");
    }

    function test_gas_alone() public {
        life(1, [uint256(147_000), 195_000, 138_000, 128_000, 65_000, 65_000]);
    }

    function test_gas_each_of_twenty() public {
        life(20, [uint256(104_000), 115_000, 100_000, 63_000, 38_000, 38_000]);
    }

    function test_gas_timeout_alone() public {
        Position[] memory ps = prepare(1);
        sendAll(ps);
        vm.warp(TAU);
        timeOutAll(ps);
        gauge("timeout", 1, 130_000);
    }

    function test_gas_timeout_each_of_twenty() public {
        Position[] memory ps = prepare(20);
        sendAll(ps);
        vm.warp(TAU);
        timeOutAll(ps);
        gauge("timeout", 20, 65_000);
    }

    function test_gas_refund_expire_local() public {
        Position[] memory ps = prepare(1);
        sendAll(ps);
        vm.warp(TAU - 60);
        receiveNow(ps[0]);
        receiveAll(ps);
        vm.warp(D);
        b.app.expirePending(0, packetOf(ps[1]));
        gauge("expire", 1, 115_000);
        vm.warp(T_A);
        a.app.refund(termsIn(ps[1]), noLeaves(), 0, noPacket());
        gauge("refund on the source", 1, 70_000);
    }

    function test_gas_refund_on_the_destination() public {
        Position[] memory ps = prepare(1);
        sendAll(ps);
        vm.warp(TAU - 60);
        receiveNow(ps[0]);
        receiveAll(ps);
        vm.warp(D - 10);
        applyAll(ps);
        vm.warp(T_B);
        uint256 state = vm.snapshotState();
        b.app.refund(termsOut(ps[1]), noLeaves(), 0, noPacket());
        gauge("refund on the destination, no statement", 1, 70_000);
        vm.revertToState(state);
        deliver(b, ps[1].trade.tradeId, 100);
        b.app.refund(termsOut(ps[1]), leavesOf(proofOf(0, 100)), 0, noPacket());
        gauge("refund on the destination, part of the bond slashed", 1, 80_000);
    }

    function test_gas_open_local() public {
        bytes32 h = hashOf(PREIMAGE);
        LocalPosition memory p =
            local(parts(buy(ANN, 300)), parts(localSell(SOL, 300, h)), PREIMAGE, true);
        vm.warp(TAU - 10);
        openLocal(p);
        gauge("open local", 1, 105_000);
    }

    function test_gas_share_alone() public {
        Position memory p = positionOf(parts(buy(ANN, 300)), parts(sell(BOB, 300, 0)), PREIMAGE, 2);
        p.trade.seller = Hashes.pool(b.tag, p.trade.tradeId, 2);
        seal(p);
        clear(p);
        locked(p, 300);
        vm.warp(T_B);
        b.app.refund(termsOut(p), noLeaves(), 0, noPacket());
        b.app.collectShares(termsOut(p), 2, p.sells);
        gauge("share", 1, 55_000);
    }

    function test_gas_share_each_of_twenty() public {
        Part[] memory buys = new Part[](20);
        for (uint256 i = 0; i < 20; ++i) {
            buys[i] = buy(0x1000 + i, 100);
            for (uint256 j = i; j > 0 && buys[j - 1].orderId > buys[j].orderId; --j) {
                (buys[j - 1], buys[j]) = (buys[j], buys[j - 1]);
            }
        }
        Position memory p = positionOf(buys, parts(sell(BOB, 2000, hashOf(PREIMAGE))), PREIMAGE, 2);
        seal(p);
        clear(p);
        send(p);
        vm.warp(T_A);
        a.app.refund(termsIn(p), noLeaves(), 0, noPacket());
        a.app.collectShares(termsIn(p), 1, p.buys);
        gauge("share", 20, 23_000);
    }
}
