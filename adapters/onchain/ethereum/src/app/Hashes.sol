// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {CellSet, Clearing, Delivery, Mandate, Order, Reading, RegistryRow} from "./Records.sol";
import {Allocation, Verdict, VerdictLeaf} from "./TradeRecords.sol";

/// @title Bytes that two implementations agree on: ids, struct hashes, leaves and proofs.
/// @notice keccak-256 for all that the application signs or merkles. Type strings exactly as the
/// specification prints them. "Struct hash" is without the domain.
library Hashes {
    bytes32 internal constant CHAIN_V1 = keccak256("tieline/chain/v1");
    bytes32 internal constant CELL_SET_V1 = keccak256("tieline/cellset/v1");
    bytes32 internal constant METER_V1 = keccak256("tieline/meter/v1");
    bytes32 internal constant TRADE_V1 = keccak256("tieline/trade/v1");
    bytes32 internal constant POOL_V1 = keccak256("tieline/pool/v1");
    bytes32 internal constant LOCK_V1 = keccak256("tieline/lock/v1");
    bytes32 internal constant IMBALANCE_V1 = keccak256("tieline/imbalance/v1");
    /// @dev T("local"): the destination client in the verdict leaf of an INTRA trade.
    bytes32 internal constant LOCAL = keccak256("local");

    bytes32 internal constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,bytes32 salt)");
    bytes32 internal constant ORDER_TYPE = keccak256(
        "Order(bytes32 chainTag,address account,bytes32 meterId,uint8 side,uint8 levels,"
        "uint8 delivery,uint64 slotStart,uint32 slotLength,uint64 energyWh,uint64 priceMin,"
        "uint64 priceMax,bytes32 anchor,uint64 nonce)"
    );
    bytes32 internal constant CANCEL_TYPE = keccak256("Cancel(bytes32 orderId)");
    bytes32 internal constant MANDATE_TYPE = keccak256(
        "Mandate(bytes32 chainTag,bytes32 sourceChainTag,bytes32 client,address connectorIn,"
        "address connectorOut,uint128 maxTrade,uint128 maxOpen,uint64 minFee,uint64 minMargin,"
        "uint64 expiry,uint64 nonce)"
    );
    bytes32 internal constant WAIVE_TYPE = keccak256("Waive(bytes32 lockId,uint64 wh)");
    bytes32 internal constant CELL_SET_TYPE = keccak256(
        "CellSet(bytes32 previous,bytes32 networkEpoch,uint64 epoch,bytes32 cellsHash,"
        "bytes32 registryHash,uint64 fromSlot)"
    );
    bytes32 internal constant CLEARING_TYPE = keccak256(
        "Clearing(bytes32 cellSetId,uint64 epoch,uint64 slotStart,uint32 slotLength,"
        "uint8 level,bytes32 ordersRoot,bytes32 tradesRoot)"
    );
    bytes32 internal constant VERDICT_TYPE = keccak256(
        "Verdict(bytes32 cellSetId,uint64 epoch,uint64 slotStart,uint32 slotLength,"
        "bytes32 networkEpoch,bytes32 baselineHash,bytes32 pendingRoot,bytes32 decisionsRoot,"
        "bytes32 flowProofHash,bytes32 setpointsHash)"
    );
    bytes32 internal constant DELIVERY_TYPE = keccak256(
        "Delivery(bytes32 cellSetId,uint64 epoch,uint64 slotStart,uint32 slotLength,"
        "bytes32 verdictHash,bytes32 readingsRoot,bytes32 boundaryRoot,bytes32 estimateHash,"
        "bytes32 deliveriesRoot)"
    );
    bytes32 internal constant READING_TYPE = keccak256(
        "Reading(bytes32 chainTag,bytes32 meterId,uint64 periodStart,uint32 periodLength,"
        "uint64 importRegisterWh,uint64 exportRegisterWh,uint64 counter,uint8 quality)"
    );

    // --- signatures -------------------------------------------------------------------------

    /// @notice EIP-712 domain separator of a network: the salt is its id, there is no chain id.
    function domainSeparator(bytes32 networkId) internal pure returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPE, keccak256("tieline"), keccak256("1"), networkId));
    }

    /// @notice Struct hash of an order: its id.
    function orderId(Order calldata order) internal pure returns (bytes32) {
        return keccak256(abi.encode(ORDER_TYPE, order));
    }

    function cancelHash(bytes32 id) internal pure returns (bytes32) {
        return keccak256(abi.encode(CANCEL_TYPE, id));
    }

    function mandateHash(Mandate calldata mandate) internal pure returns (bytes32) {
        return keccak256(abi.encode(MANDATE_TYPE, mandate));
    }

    function waiveHash(bytes32 lockId_, uint64 wh) internal pure returns (bytes32) {
        return keccak256(abi.encode(WAIVE_TYPE, lockId_, wh));
    }

    function cellSetHash(CellSet calldata cellSet) internal pure returns (bytes32) {
        return keccak256(abi.encode(CELL_SET_TYPE, cellSet));
    }

    function clearingHash(Clearing calldata clearing) internal pure returns (bytes32) {
        return keccak256(abi.encode(CLEARING_TYPE, clearing));
    }

    function verdictHash(Verdict calldata verdict) internal pure returns (bytes32) {
        return keccak256(abi.encode(VERDICT_TYPE, verdict));
    }

    function deliveryHash(Delivery calldata delivery) internal pure returns (bytes32) {
        return keccak256(abi.encode(DELIVERY_TYPE, delivery));
    }

    function readingHash(Reading calldata reading) internal pure returns (bytes32) {
        return keccak256(abi.encode(READING_TYPE, reading));
    }

    // --- ids --------------------------------------------------------------------------------

    /// @notice T(s): how a text stands in an id.
    function tag(string memory text) internal pure returns (bytes32) {
        return keccak256(bytes(text));
    }

    /// @notice The 32 bytes that name this ledger instance.
    function evmChainTag(uint256 chainId, bytes32 genesisHash, address host)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(CHAIN_V1, tag("evm"), tag(Strings.toString(chainId)), genesisHash, host)
        );
    }

    /// @param cells keccak of the cells' addresses, 20 bytes each, ascending (`addressesHash`)
    function cellSetId(bytes32 networkId, bytes32 networkEpoch, uint64 epoch, bytes32 cells)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(CELL_SET_V1, networkId, networkEpoch, epoch, cells));
    }

    function meterId(bytes32 chainTag, address meterKey) internal pure returns (bytes32) {
        return keccak256(abi.encode(METER_V1, chainTag, meterKey));
    }

    function tradeId(
        bytes32 sourceChainTag,
        bytes32 destChainTag,
        uint64 slotStart,
        uint32 slotLength,
        uint8 level,
        bytes32 allocationsRoot,
        bytes32 hashlock
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                TRADE_V1,
                sourceChainTag,
                destChainTag,
                slotStart,
                slotLength,
                level,
                allocationsRoot,
                hashlock
            )
        );
    }

    /// @notice The account that stands for all buyers (1) or sellers (2) of a trade.
    function pool(bytes32 chainTag, bytes32 trade, uint8 side) internal pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode(POOL_V1, chainTag, trade, side)))));
    }

    /// @notice The account of a ledger's imbalance pool, to which bonds are slashed.
    function imbalanceAccount(bytes32 chainTag) internal pure returns (address) {
        return address(uint160(uint256(keccak256(bytes.concat(IMBALANCE_V1, chainTag)))));
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
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                LOCK_V1, chainTag, trade, hashlock, payer, payee, energyWh, price, expiry
            )
        );
    }

    /// @param client T(client id) on this ledger
    function mandateId(
        bytes32 sourceChainTag,
        bytes32 client,
        address connectorIn,
        address connectorOut
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(sourceChainTag, client, connectorIn, connectorOut));
    }

    /// @notice Key of the bits that a decision on a trade with another ledger needs in a cell set.
    function ownersKey(bytes32 cellSet, bytes32 chainTag) internal pure returns (bytes32) {
        return keccak256(abi.encode(cellSet, chainTag));
    }

    /// @notice Key of a stored order.
    function orderKey(
        bytes32 id,
        address account,
        uint64 slotStart,
        uint32 slotLength,
        bytes32 anchor
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(id, account, slotStart, slotLength, anchor));
    }

    /// @notice What a stored clearing says of its trades: 24 bytes, the rest zero.
    function clearingTerms(
        bytes32 cellSet,
        uint64 epoch,
        uint64 slotStart,
        uint32 slotLength,
        uint8 level
    ) internal pure returns (bytes24) {
        return bytes24(keccak256(abi.encode(cellSet, epoch, slotStart, slotLength, level)));
    }

    /// @notice What a stored verdict says: 24 bytes, the rest zero.
    function verdictMark(bytes32 verdict, bytes32 decisionsRoot) internal pure returns (bytes24) {
        return bytes24(keccak256(abi.encode(verdict, decisionsRoot)));
    }

    /// @notice keccak of addresses, 20 bytes each (Solidity's encodePacked of an array pads to 32).
    function addressesHash(address[] calldata addresses) internal pure returns (bytes32 hashed) {
        bytes memory packed = new bytes(20 * addresses.length);
        for (uint256 i = 0; i < addresses.length; ++i) {
            address item = addresses[i];
            assembly ("memory-safe") {
                // The last one's 12 bytes of padding would pass the end: write right-aligned words
                // from the front instead, each over the low end of the one before.
                let place := add(add(packed, 20), mul(i, 20))
                let before := and(mload(place), not(0xffffffffffffffffffffffffffffffffffffffff))
                mstore(place, or(before, item))
            }
        }
        hashed = keccak256(packed);
    }

    /// @notice keccak of the rows, three words each.
    function registryHash(RegistryRow[] calldata rows) internal pure returns (bytes32 hashed) {
        bytes memory packed = new bytes(96 * rows.length);
        for (uint256 i = 0; i < rows.length; ++i) {
            (address cell, bytes32 chainTag, uint8 role) =
                (rows[i].cell, rows[i].chainTag, rows[i].role);
            assembly ("memory-safe") {
                let place := add(add(packed, 32), mul(i, 96))
                mstore(place, cell)
                mstore(add(place, 32), chainTag)
                mstore(add(place, 64), role)
            }
        }
        hashed = keccak256(packed);
    }

    /// @notice As `addressesHash`, of the rows' cells; 0 if they do not ascend strictly.
    function cellsHashOf(RegistryRow[] calldata rows) internal pure returns (bytes32 hashed) {
        bytes memory packed = "";
        address before = address(0);
        for (uint256 i = 0; i < rows.length; ++i) {
            address cell = rows[i].cell;
            if (cell <= before && i > 0) return 0;
            packed = bytes.concat(packed, bytes20(cell));
            before = cell;
        }
        hashed = keccak256(packed);
    }

    // --- leaves and proofs --------------------------------------------------------------------

    /// @notice Leaf of a tree of ids (clearing's trades, orders).
    function idLeaf(bytes32 id) internal pure returns (bytes32) {
        return _twice(abi.encode(id));
    }

    function allocationLeaf(Allocation calldata leaf) internal pure returns (bytes32) {
        return _twice(abi.encode(leaf));
    }

    function verdictLeaf(VerdictLeaf calldata leaf) internal pure returns (bytes32) {
        return _twice(abi.encode(leaf));
    }

    function deliveryLeaf(bytes32 trade, uint64 deliveredWh) internal pure returns (bytes32) {
        return _twice(abi.encode(trade, deliveredWh));
    }

    /// @notice The root that a proof leads to: OpenZeppelin's order, nodes commutative.
    function rootOf(bytes32 leaf, bytes32[] calldata proof) internal pure returns (bytes32 node) {
        assembly ("memory-safe") {
            node := leaf
            let place := proof.offset
            for { let end := add(place, shl(5, proof.length)) } lt(place, end) { place := add(place, 0x20) } {
                let sibling := calldataload(place)
                // The smaller one first.
                let isSibling := shl(5, lt(sibling, node))
                mstore(isSibling, node)
                mstore(xor(isSibling, 0x20), sibling)
                node := keccak256(0x00, 0x40)
            }
        }
    }

    function _twice(bytes memory encoded) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(encoded)));
    }
}
