// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LocalTrade} from "./TradeRecords.sol";

/// @title What the trade application tells observers of locks
/// @notice Nothing that binds rests on events. With the packets in the host's send and receive
/// events, which precede these in the same transaction, they carry every term of every lock: an
/// index can be rebuilt from logs alone. Wh and nano-EUR; times in unix seconds.
interface ITradeEvents {
    /// @notice A3 (leg 1, source) and B1 (leg 2, destination). The terms are in the packet's payload.
    /// @param client N of this ledger's client `attestations-N`; with `sequence` it names the packet
    /// @param isPool the side of the lock that is this ledger's own is a pool, not one account
    /// @param bondPrice nano-EUR per Wh, 0 on the source
    event LockOpened(
        bytes32 indexed lockId,
        bytes32 indexed tradeId,
        uint64 indexed client,
        uint64 sequence,
        uint8 leg,
        bool isPool,
        uint64 bondPrice
    );

    /// @notice An INTRA trade is pending (leg 3).
    /// @param pools bit 1 the buying side is a pool, bit 2 the selling side
    event LocalOpened(
        bytes32 indexed lockId,
        bytes32 indexed tradeId,
        LocalTrade trade,
        uint8 pools,
        uint64 bondPrice
    );

    /// @notice B1 refused: the reason lies in the packet, or in the payee's or the connector's funds.
    /// @param reason a number of docs/spec/bytes.md (VerdictLeaf)
    /// @param rule ASCII text
    event ReceiveRefused(
        uint64 indexed client, uint64 indexed sequence, uint8 indexed reason, bytes32 rule
    );

    /// @notice The slot's verdict is stored, with the bitmap of its signers.
    event VerdictPosted(
        uint64 indexed slotStart,
        bytes32 indexed verdictHash,
        bytes32 decisionsRoot,
        uint64 signers
    );

    /// @notice The stored verdict has more signers: these, as a bitmap.
    event VerdictSigned(uint64 indexed slotStart, bytes32 indexed verdictHash, uint64 signers);

    /// @notice Evidence: `signers` signed a verdict other than the one that is stored.
    /// @param storedMark first 24 bytes of keccak(verdictHash || decisionsRoot) of the stored one
    event ConflictingVerdict(
        uint64 indexed slotStart, bytes32 storedMark, bytes32 verdictHash, uint64 signers
    );

    /// @notice B2 (decision 1) and B3 (decision 2).
    event VerdictApplied(bytes32 indexed lockId, uint8 decision, uint64 capWh, uint16 reason);

    /// @notice A5.
    event LockConfirmed(bytes32 indexed lockId, uint64 capWh);

    /// @notice B4.
    event PendingExpired(bytes32 indexed lockId);

    /// @notice A9, B6; the preimage is public from here on.
    event Claimed(bytes32 indexed lockId, uint64 wh, uint128 amount, bytes32 preimage);

    /// @notice A10, B7; this was given up.
    event Waived(bytes32 indexed lockId, uint64 wh, uint128 amount);

    /// @notice A11, B8: the lock has ended, `wh` went back to the payer, and of the bond that was left
    /// what `slashedWh` stands for went to the imbalance pool, the rest to the seller.
    event LockRefunded(bytes32 indexed lockId, uint64 wh, uint64 slashedWh);

    /// @notice A5 (cap), A6, A7, B2 (surplus), B3, B4, B7.
    event Refunded(bytes32 indexed lockId, uint64 wh, uint128 amount);

    /// @notice A3, B1 and INTRA: a lock took energy and money of an order; of a sale the money is bond.
    event OrderFilled(bytes32 indexed orderId, bytes32 indexed lockId, uint64 wh, uint64 money);

    /// @notice B7: bond of a seller went to the imbalance pool.
    event BondSlashed(bytes32 indexed lockId, uint64 wh, uint128 amount);

    /// @notice The lock has ended; two numbers say how.
    event LockClosed(bytes32 indexed lockId, uint64 paidWh, uint64 refundedWh);

    /// @notice A13, B10; nano-EUR to the order's account, bond included. The order tells the side.
    event ShareCollected(
        bytes32 indexed lockId,
        bytes32 indexed orderId,
        uint64 usedWh,
        uint128 credited
    );

    /// @notice Contradictory evidence; people must look.
    /// @param reason 1 ACK_UNREADABLE, 2 SENTINEL_AFTER_CLAIM, 3 SENTINEL_AFTER_SUCCESS,
    /// 4 TIMEOUT_AFTER_CLAIM, 5 TIMEOUT_AFTER_SUCCESS
    event Alarm(bytes32 indexed lockId, uint8 reason);
}
