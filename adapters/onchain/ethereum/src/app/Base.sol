// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IHost} from "../host/IHost.sol";
import {Hashes} from "./Hashes.sol";
import {
    InsufficientFunds,
    InvalidMessage,
    NotPermitted,
    Paused,
    Reentered,
    WrongModule
} from "./Errors.sol";
import {TICK} from "./Records.sol";
import {Storage} from "./Storage.sol";

/// @notice Governed numbers of a ledger; seconds unless the name says otherwise. docs/spec/trade.md 2.
struct Parameters {
    uint64 tauLead;
    uint64 dLead;
    uint64 lockLead;
    uint64 statementLead;
    uint64 minClaimWindow;
    uint64 minMargin;
    uint64 gateLead;
    uint64 orderEnergyMinWh;
    /// What one client may take out of this ledger in one slot.
    uint128 outflowCapNanoEur;
    /// At most 255.
    uint64 ordersPerAccountMax;
}

/// @notice What a ledger's application is born with; the same for App and its modules. Network, cell
/// and chain tag are the host's.
struct Config {
    IHost host;
    address pay;
    /// keccak of the founding cells' addresses, 20 bytes each, ascending: they sign the first set.
    bytes32 foundersHash;
    Parameters parameters;
}

/// @title What App and its modules share: one storage, one configuration, one guard
/// @notice All configuration is in the code (immutables), so that reading it costs nothing and the
/// code hash pins it.
abstract contract Base is Storage {
    // The guard's stages. An entry runs only from OUTSIDE or IN_BATCH; the host's callbacks never
    // while an entry runs, because then only a token could have called.
    uint256 private constant OUTSIDE = 0;
    uint256 internal constant IN_BATCH = 1;
    uint256 private constant IN_ENTRY = 2;
    uint256 internal constant IN_HOST = 3;

    IHost internal immutable _HOST;
    address internal immutable _PAY;
    address internal immutable _CELL;
    bytes32 internal immutable _NETWORK_ID;
    bytes32 internal immutable _CHAIN_TAG;
    bytes32 internal immutable _DOMAIN;
    bytes32 internal immutable _FOUNDERS_HASH;
    bytes32 internal immutable _CONFIG_HASH;
    uint256 internal immutable _TAU_LEAD;
    uint256 internal immutable _D_LEAD;
    uint256 internal immutable _LOCK_LEAD;
    uint256 internal immutable _STATEMENT_LEAD;
    uint256 internal immutable _MIN_CLAIM_WINDOW;
    uint256 internal immutable _MIN_MARGIN;
    uint256 internal immutable _GATE_LEAD;
    uint256 internal immutable _ORDER_ENERGY_MIN;
    uint256 internal immutable _OUTFLOW_CAP;
    uint256 internal immutable _ORDERS_MAX;
    address private immutable _SELF;

    uint256 internal transient _stage;

    constructor(Config memory config) {
        Parameters memory p = config.parameters;
        _require(p.tauLead > p.dLead && p.dLead > 0, "tau before D");
        _require(p.lockLead > 0 && p.gateLead >= p.tauLead + p.lockLead, "gate before lock deadline");
        _require(p.statementLead > 0 && p.minClaimWindow > 0 && p.minMargin > 0, "leads positive");
        _require(p.orderEnergyMinWh > 0 && p.outflowCapNanoEur > 0, "bounds positive");
        _require(p.ordersPerAccountMax > 0 && p.ordersPerAccountMax < 256, "orders 1 to 255");
        _HOST = config.host;
        _PAY = config.pay;
        _FOUNDERS_HASH = config.foundersHash;
        _NETWORK_ID = config.host.NETWORK_ID();
        _CHAIN_TAG = config.host.CHAIN_TAG();
        _CELL = config.host.CELL();
        _DOMAIN = Hashes.domainSeparator(_NETWORK_ID);
        _CONFIG_HASH = keccak256(abi.encode(config));
        _TAU_LEAD = p.tauLead;
        _D_LEAD = p.dLead;
        _LOCK_LEAD = p.lockLead;
        _STATEMENT_LEAD = p.statementLead;
        _MIN_CLAIM_WINDOW = p.minClaimWindow;
        _MIN_MARGIN = p.minMargin;
        _GATE_LEAD = p.gateLead;
        _ORDER_ENERGY_MIN = p.orderEnergyMinWh;
        _OUTFLOW_CAP = p.outflowCapNanoEur;
        _ORDERS_MAX = p.ordersPerAccountMax;
        _SELF = address(this);
    }

    /// @dev Around every function that changes state, in every module.
    modifier entry() {
        uint256 before = _enter();
        _;
        _stage = before;
    }

    /// @dev Around the callbacks of the host.
    modifier fromHost() {
        if (msg.sender != address(_HOST)) revert NotPermitted("only the host may call");
        if (_stage == IN_ENTRY) revert Reentered();
        _;
    }

    function _enter() private returns (uint256 before) {
        if (address(this) == _SELF) revert WrongModule();
        before = _stage;
        if (before > IN_BATCH) revert Reentered();
        _stage = IN_ENTRY;
    }

    function _requireCell() internal view {
        if (msg.sender != _CELL) revert NotPermitted("only the utility cell");
    }

    /// @param until one of `_pauses`
    function _requireOpen(uint64 until) internal view {
        if (block.timestamp < until) revert Paused(until);
    }

    // --- slots ------------------------------------------------------------------------------

    function _isSlot(uint256 slotStart, uint256 slotLength) internal pure returns (bool) {
        return slotStart != 0 && slotStart % TICK == 0
            && (slotLength == TICK || slotLength == 2 * TICK || slotLength == 4 * TICK);
    }

    /// @dev Whether chain time is before `slotStart - lead`.
    function _isBefore(uint256 slotStart, uint256 lead) internal view returns (bool) {
        return block.timestamp + lead < slotStart;
    }

    // --- accounts ---------------------------------------------------------------------------

    function _creditPay(address account, uint256 amount) internal {
        if (amount == 0) return;
        Account storage held = _accounts[account];
        uint256 total = held.pay + amount;
        _require(total <= type(uint128).max, "amount above 2^128");
        // forge-lint: disable-next-line(unsafe-typecast)
        held.pay = uint128(total);
    }

    function _debitPay(address account, uint256 amount) internal {
        Account storage held = _accounts[account];
        uint256 pay = held.pay;
        if (pay < amount) revert InsufficientFunds(pay, amount);
        unchecked {
            // forge-lint: disable-next-line(unsafe-typecast)
            held.pay = uint128(pay - amount);
        }
    }

    function _require(bool isTrue, bytes32 rule) internal pure {
        if (!isTrue) revert InvalidMessage(rule);
    }
}
