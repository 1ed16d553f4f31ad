// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Quorums} from "tieline/app/Cells.sol";
import {Hashes} from "tieline/app/Hashes.sol";
import {
    CellSet,
    Clearing,
    Delivery,
    Mandate,
    Order,
    Reading,
    RegistryRow
} from "tieline/app/Records.sol";
import {Allocation, Verdict, VerdictLeaf} from "tieline/app/TradeRecords.sol";

import {HashesProbe} from "../../probes/HashesProbe.sol";
import {Test} from "../support/Test.sol";

/// @title The golden bytes of docs/spec/bytes.md, which Python is held to as well
contract TradeBytesTest is Test {
    uint64 private constant _SLOT = 1_767_225_600;

    string private json;
    HashesProbe private formulas;
    bytes32 private domain;
    bytes32 private tagA;
    bytes32 private tagB;

    function setUp() external {
        json = vm.readFile("../../../tests/vectors/trade_bytes.json");
        formulas = new HashesProbe(hash(".inputs.networkId"), hash(".expected.chainTagB"));
        domain = Hashes.domainSeparator(hash(".inputs.networkId"));
        (tagA, tagB) = (expected("chainTagA"), expected("chainTagB"));
    }

    function test_the_domain_and_the_tag_of_an_evm_ledger() external view {
        assertEq(domain, expected("domainSeparator"), "domain");
        bytes32 genesis = hash(".inputs.chainB[2]");
        address host = address(uint160(uint256(hash(".inputs.chainB[3]"))));
        assertEq(Hashes.evmChainTag(31_337, genesis, host), tagB, "chain tag");
    }

    function test_orders_and_what_takes_them_back() external view {
        Order memory buy = orderOf("buyOrder", tagA);
        Order memory sell = orderOf("sellOrder", tagB);
        sell.anchor = expected("H");
        assertEq(formulas.orderId(buy), expected("buyOrderId"), "buy");
        assertEq(formulas.orderId(sell), expected("sellOrderId"), "sell");
        assertEq(digest(formulas.orderId(sell)), expected("sellOrderDigest"), "digest");
        assertEq(digest(Hashes.cancelHash(formulas.orderId(buy))), hash(".cancelDigest"), "cancel");
        bytes32 waive = Hashes.waiveHash(hash(".pooled.lockIdB"), 3_000);
        assertEq(digest(waive), hash(".waive.digest"), "waive");
    }

    function test_mandates() external view {
        Mandate memory mandate = Mandate({
            chainTag: tagB,
            sourceChainTag: tagA,
            client: Hashes.tag("attestations-0"),
            connectorIn: vm.parseJsonAddress(json, ".mandate.connectorIn"),
            connectorOut: vm.parseJsonAddress(json, ".mandate.connectorOut"),
            maxTrade: uint128(vm.parseJsonUint(json, ".mandate.maxTrade")),
            maxOpen: uint128(vm.parseJsonUint(json, ".mandate.maxOpen")),
            minFee: 100,
            minMargin: 600,
            expiry: uint64(vm.parseJsonUint(json, ".mandate.expiry")),
            nonce: 1
        });
        assertEq(digest(formulas.mandateHash(mandate)), hash(".mandate.digest"), "mandate");
    }

    function test_cell_sets_and_registry_rows() external view {
        RegistryRow[] memory rows = new RegistryRow[](3);
        address[] memory cells = new address[](3);
        bytes32 gridTag = 0x0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c;
        for (uint256 i = 0; i < 3; ++i) {
            cells[i] =
                vm.parseJsonAddress(json, string.concat(".inputs.cells[", vm.toString(i), "]"));
            rows[i] =
                RegistryRow(cells[i], i == 0 ? tagA : i == 1 ? tagB : gridTag, i == 2 ? 2 : 1);
        }
        bytes32 cellsHash = formulas.addressesHash(cells);
        assertEq(cellsHash, hash(".cellSet.cellsHash"), "cells");
        assertEq(formulas.cellsOf(rows), cellsHash, "cells of rows");
        assertEq(formulas.registryHash(rows), hash(".cellSet.registryHash"), "rows");
        bytes32 epoch = hash(".inputs.networkEpoch");
        assertEq(
            Hashes.cellSetId(hash(".inputs.networkId"), epoch, 3, cellsHash),
            expected("cellSetId"),
            "id"
        );
        CellSet memory cellSet =
            CellSet(0, epoch, 3, cellsHash, hash(".cellSet.registryHash"), _SLOT);
        assertEq(digest(formulas.cellSetHash(cellSet)), hash(".cellSet.digest"), "digest");
        (rows[0], rows[1]) = (rows[1], rows[0]);
        assertEq(formulas.cellsOf(rows), 0, "rows that fall have no hash");
    }

    function test_clearings_verdicts_statements_and_readings() external view {
        bytes32 setId = expected("cellSetId");
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = Hashes.idLeaf(expected("buyOrderId"));
        bytes32 orders = formulas.rootOf(Hashes.idLeaf(expected("sellOrderId")), proof);
        bytes32 trades = Hashes.idLeaf(expected("tradeId"));
        assertEq(trades, expected("clearingRoot"), "one leaf is the root");
        Clearing memory clearing = Clearing(setId, 3, _SLOT, 900, 2, orders, trades);
        assertEq(digest(formulas.clearingHash(clearing)), expected("clearingDigest"), "clearing");
        Verdict memory verdict = Verdict({
            cellSetId: setId,
            epoch: 3,
            slotStart: _SLOT,
            slotLength: 900,
            networkEpoch: hash(".inputs.networkEpoch"),
            baselineHash: hash(".inputs.verdict.baselineHash"),
            pendingRoot: expected("pendingRoot"),
            decisionsRoot: expected("decisionsRoot"),
            flowProofHash: hash(".inputs.verdict.flowProofHash"),
            setpointsHash: hash(".inputs.verdict.setpointsHash")
        });
        assertEq(formulas.verdictHash(verdict), expected("verdictHash"), "verdict");
        assertEq(digest(formulas.verdictHash(verdict)), expected("verdictDigest"), "its digest");
        bytes32 root = Hashes.deliveryLeaf(expected("tradeId"), 3_600);
        assertEq(root, expected("deliveriesRoot"), "statement's leaf");
        Delivery memory delivery = Delivery({
            cellSetId: setId,
            epoch: 3,
            slotStart: _SLOT,
            slotLength: 900,
            verdictHash: expected("verdictHash"),
            readingsRoot: hash(".inputs.delivery.readingsRoot"),
            boundaryRoot: hash(".inputs.delivery.boundaryRoot"),
            estimateHash: hash(".inputs.delivery.estimateHash"),
            deliveriesRoot: root
        });
        assertEq(digest(formulas.deliveryHash(delivery)), expected("deliveryDigest"), "statement");
        Reading memory reading =
            Reading(tagB, hash(".inputs.reading.meterId"), _SLOT, 900, 1_000, 9_000, 17, 1);
        assertEq(digest(formulas.readingHash(reading)), expected("readingDigest"), "reading");
    }

    function test_trades_pools_and_locks() external view {
        bytes32 hashlock = hash(".pooled.H");
        bytes32 root = hash(".pooled.allocationsRoot");
        bytes32 trade = Hashes.tradeId(tagA, tagB, _SLOT, 900, 2, root, hashlock);
        assertEq(trade, hash(".pooled.tradeId"), "trade");
        address buyers = Hashes.pool(tagA, trade, 1);
        address sellers = Hashes.pool(tagB, trade, 2);
        assertEq(buyers, vm.parseJsonAddress(json, ".pooled.poolA"), "buyers");
        assertEq(sellers, vm.parseJsonAddress(json, ".pooled.poolB"), "sellers");
        address into = vm.parseJsonAddress(json, ".inputs.connectorIn");
        address out = vm.parseJsonAddress(json, ".inputs.connectorOut");
        bytes32 lockA =
            Hashes.lockId(tagA, trade, hashlock, buyers, into, 5_001, 200_400, _SLOT + 2_700);
        bytes32 lockB =
            Hashes.lockId(tagB, trade, hashlock, out, sellers, 5_001, 200_000, _SLOT + 1_800);
        assertEq(lockA, hash(".pooled.lockIdA"), "lock on A");
        assertEq(lockB, hash(".pooled.lockIdB"), "lock on B");
    }

    function test_allocations_and_their_proofs() external view {
        bytes32 root = hash(".pooled.allocationsRoot");
        for (uint256 i = 0; i < 3; ++i) provesAllocation(".pooled.buyLeaves[", i, root);
        for (uint256 i = 0; i < 2; ++i) provesAllocation(".pooled.sellLeaves[", i, root);
    }

    function test_verdict_leaves_and_their_proofs() external view {
        VerdictLeaf memory leaf = VerdictLeaf({
            destChainTag: tagB,
            destClient: Hashes.tag("attestations-0"),
            sequence: 1,
            packetCommitment: expected("packetCommitment"),
            tradeId: expected("tradeId"),
            decision: 1,
            capWh: 3_750,
            reason: 0,
            group: 1,
            groupSize: 1,
            owners: 7
        });
        assertEq(formulas.verdictLeaf(leaf), expected("verdictLeaf1"), "INTER");
        bytes32 intra = hash(".intra.tradeId");
        leaf = VerdictLeaf(tagA, Hashes.LOCAL, 0, intra, intra, 1, 700, 0, 2, 1, 5);
        assertEq(formulas.verdictLeaf(leaf), hash(".intra.verdictLeaf"), "INTRA");
        for (uint256 i = 0; i < 3; ++i) {
            string memory place = string.concat("[", vm.toString(i), "]");
            bytes32[] memory proof = hashes(string.concat(".groups.proofs", place));
            bytes32 root = formulas.rootOf(hash(string.concat(".groups.leaves", place)), proof);
            assertEq(root, hash(".groups.root"), "root");
        }
    }

    /// The rules by their definitions, not by their formulas, for every n up to a full set.
    function test_the_named_quorums_for_every_n() external pure {
        for (uint256 n = 1; n <= 64; ++n) {
            uint256 least = 0;
            while (3 * least <= 2 * n) ++least;
            assertEq(Quorums.moreThanTwoThirds(n), least, "strictly more than two thirds");
            uint256 faulty = 0;
            while (3 * (faulty + 1) < n) ++faulty;
            uint256 majority = 0;
            while (2 * majority < n + faulty + 1) ++majority;
            assertEq(Quorums.byzantineMajority(n), majority, "byzantine majority");
        }
    }

    function provesAllocation(string memory list, uint256 index, bytes32 root) private view {
        string memory path = string.concat(list, vm.toString(index), "]");
        Allocation memory leaf = Allocation({
            orderId: hash(string.concat(path, ".orderId")),
            account: vm.parseJsonAddress(json, string.concat(path, ".account")),
            energyWh: uint64(vm.parseJsonUint(json, string.concat(path, ".energyWh"))),
            price: uint64(vm.parseJsonUint(json, string.concat(path, ".price"))),
            offsetWh: uint64(vm.parseJsonUint(json, string.concat(path, ".offsetWh")))
        });
        bytes32 hashed = formulas.allocationLeaf(leaf);
        assertEq(hashed, hash(string.concat(path, ".leaf")), "leaf");
        assertEq(formulas.rootOf(hashed, hashes(string.concat(path, ".proof"))), root, "root");
    }

    function orderOf(string memory name, bytes32 chainTag) private view returns (Order memory) {
        string memory path = string.concat(".inputs.", name);
        return Order({
            chainTag: chainTag,
            account: vm.parseJsonAddress(json, string.concat(path, ".account")),
            meterId: hash(string.concat(path, ".meterId")),
            side: uint8(vm.parseJsonUint(json, string.concat(path, ".side"))),
            levels: uint8(vm.parseJsonUint(json, string.concat(path, ".levels"))),
            delivery: uint8(vm.parseJsonUint(json, string.concat(path, ".delivery"))),
            slotStart: _SLOT,
            slotLength: 900,
            energyWh: uint64(vm.parseJsonUint(json, string.concat(path, ".energyWh"))),
            priceMin: uint64(vm.parseJsonUint(json, string.concat(path, ".priceMin"))),
            priceMax: uint64(vm.parseJsonUint(json, string.concat(path, ".priceMax"))),
            anchor: 0,
            nonce: 1
        });
    }

    function digest(bytes32 structHash) private view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function expected(string memory name) private view returns (bytes32) {
        return hash(string.concat(".expected.", name));
    }

    function hash(string memory path) private view returns (bytes32) {
        return word(vm.parseJsonString(json, path));
    }

    function hashes(string memory path) private view returns (bytes32[] memory found) {
        string[] memory texts = vm.parseJsonStringArray(json, path);
        found = new bytes32[](texts.length);
        for (uint256 i = 0; i < texts.length; ++i) found[i] = word(texts[i]);
    }

    function word(string memory text) private pure returns (bytes32) {
        return bytes32(vm.parseBytes(string.concat("0x", text)));
    }
}
