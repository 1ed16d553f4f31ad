// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IHost} from "../host/IHost.sol";
import {IIbcApp} from "../host/IIbcApp.sol";
import {Base, Config, Parameters} from "./Base.sol";
import {InvalidMessage, Reentered, WrongModule} from "./Errors.sol";
import {IExits} from "./IExits.sol";
import {IModule} from "./IModule.sol";
import {ITrade} from "./ITrade.sol";
import {Views} from "./Views.sol";

/// @title The trade application of one ledger: one address, one storage, three modules
/// @notice Calls go by selector to the code of Trade, Exits or Book, which runs on this contract's
/// storage. The modules are fixed at birth; there is no way to change them, and no owner.
/// Exits (claim, waive, refund, expire, collect) have no pause anywhere in their path.
contract App is Views {
    bytes32 public constant VERSION = "tieline-app-1";

    address private immutable _TRADE;
    address private immutable _EXITS;
    address private immutable _BOOK;
    bytes32 private immutable _GENESIS_HASH;

    constructor(Config memory config, address trade, address exits, address book) Base(config) {
        _requireModule(trade);
        _requireModule(exits);
        _requireModule(book);
        _TRADE = trade;
        _EXITS = exits;
        _BOOK = book;
        _GENESIS_HASH = config.host.GENESIS_HASH();
    }

    /// @notice Everything that is not named here is run by a module.
    fallback() external {
        address module = _moduleOf(msg.sig);
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, 0, calldatasize())
            let isDone := delegatecall(gas(), module, free, calldatasize(), 0, 0)
            returndatacopy(free, 0, returndatasize())
            if isDone { return(free, returndatasize()) }
            revert(free, returndatasize())
        }
    }

    /// @notice Run several calls in one transaction, all or none. Calls that the host lets anyone make
    /// go to the host, the rest to the modules with the same sender.
    /// @dev What is written after the calls is the guard against calls from inside.
    // slither-disable-next-line reentrancy-no-eth
    function multicall(bytes[] calldata calls) external returns (bytes[] memory results) {
        if (_stage != 0) revert Reentered();
        results = new bytes[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            if (calls[i].length < 4) revert InvalidMessage("a call has a selector");
            bytes4 selector = bytes4(calls[i]);
            bool isDone;
            if (_isHosts(selector)) {
                _stage = IN_HOST;
                (isDone, results[i]) = address(_HOST).call(calls[i]);
            } else {
                _stage = IN_BATCH;
                // The caller chooses the function, as in any call; the code is one of three fixed modules.
                // slither-disable-next-line controlled-delegatecall
                (isDone, results[i]) = _moduleOf(selector).delegatecall(calls[i]);
            }
            if (!isDone) _bubble(results[i]);
        }
        _stage = 0;
    }

    // --- what it was born with --------------------------------------------------------------------

    function TRADE() external view returns (address) {
        return _TRADE;
    }

    function EXITS() external view returns (address) {
        return _EXITS;
    }

    function BOOK() external view returns (address) {
        return _BOOK;
    }

    function HOST() external view returns (IHost) {
        return _HOST;
    }

    function PAY() external view returns (address) {
        return _PAY;
    }

    function CELL() external view returns (address) {
        return _CELL;
    }

    function NETWORK_ID() external view returns (bytes32) {
        return _NETWORK_ID;
    }

    function CHAIN_TAG() external view returns (bytes32) {
        return _CHAIN_TAG;
    }

    function GENESIS_HASH() external view returns (bytes32) {
        return _GENESIS_HASH;
    }

    function FOUNDERS_HASH() external view returns (bytes32) {
        return _FOUNDERS_HASH;
    }

    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _DOMAIN;
    }

    function CONFIG_HASH() external view returns (bytes32) {
        return _CONFIG_HASH;
    }

    function PARAMETERS() external view returns (Parameters memory) {
        return Parameters({
            tauLead: uint64(_TAU_LEAD),
            dLead: uint64(_D_LEAD),
            lockLead: uint64(_LOCK_LEAD),
            statementLead: uint64(_STATEMENT_LEAD),
            minClaimWindow: uint64(_MIN_CLAIM_WINDOW),
            minMargin: uint64(_MIN_MARGIN),
            gateLead: uint64(_GATE_LEAD),
            orderEnergyMinWh: uint64(_ORDER_ENERGY_MIN),
            outflowCapNanoEur: uint128(_OUTFLOW_CAP),
            ordersPerAccountMax: uint64(_ORDERS_MAX)
        });
    }

    // --- which code runs ----------------------------------------------------------------------------

    function _moduleOf(bytes4 selector) private view returns (address) {
        if (
            selector == IExits.claim.selector || selector == IExits.collectShares.selector
                || selector == IExits.applyVerdict.selector
                || selector == IExits.refund.selector || selector == IExits.expirePending.selector
                || selector == IExits.expireLocal.selector || selector == IExits.waive.selector
        ) return _EXITS;
        if (
            selector == IIbcApp.onRecv.selector || selector == IIbcApp.onAck.selector
                || selector == IIbcApp.onTimeout.selector || selector == ITrade.lockAndSend.selector
                || selector == ITrade.openLocal.selector
        ) return _TRADE;
        return _BOOK;
    }

    function _isHosts(bytes4 selector) private pure returns (bool) {
        return selector == IHost.updateClient.selector || selector == IHost.receivePackets.selector
            || selector == IHost.acknowledgePackets.selector
            || selector == IHost.timeoutPackets.selector || selector == IHost.skipPacket.selector
            || selector == IHost.rotateSet.selector || selector == IHost.submitMisbehaviour.selector;
    }

    function _requireModule(address module) private view {
        if (module.code.length == 0 || IModule(module).CONFIG_HASH() != _CONFIG_HASH) {
            revert WrongModule();
        }
    }

    function _bubble(bytes memory reason) private pure {
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }
}
