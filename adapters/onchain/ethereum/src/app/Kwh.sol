// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IHost} from "../host/IHost.sol";
import {InvalidMessage, NotPermitted} from "./Errors.sol";
import {Hashes} from "./Hashes.sol";
import {Reading} from "./Records.sol";

/// @title KWH: energy with its origin, in Wh
/// @notice One token id is one origin: meter, period, source. It is minted once, for what two
/// consecutive signed readings of the meter say was exported between them, to the meter's owner; a
/// guarantee of origin, not reduced by losses. It may change hands and is spent once, by retiring it.
/// Apart from the trade application: minting is never a guard of payment.
contract Kwh is ERC1155 {
    /// @dev A meter reading's quality that counts.
    uint8 private constant _GOOD = 1;

    struct Meter {
        address owner;
        /// What makes the energy, as the cell numbers its sources; at least 1.
        uint8 source;
    }

    bytes32 private immutable _DOMAIN;
    bytes32 private immutable _CHAIN_TAG;
    address private immutable _CELL;

    /// @notice By meterId; owner 0: no such meter.
    mapping(bytes32 => Meter) public meters;
    mapping(uint256 => uint256) private _mintedWh;
    mapping(uint256 => uint256) private _retiredWh;
    mapping(uint256 => bool) private _isMinted;

    event MeterRegistered(
        bytes32 indexed meterId, address indexed meterKey, address indexed owner, uint8 source
    );
    event OriginMinted(
        uint256 indexed origin,
        bytes32 indexed meterId,
        uint64 indexed periodStart,
        uint8 source,
        address owner,
        uint64 wh
    );
    /// @notice Used up by its holder, for good.
    event Retired(uint256 indexed origin, address indexed holder, uint256 wh);

    constructor(IHost host) ERC1155("") {
        _DOMAIN = Hashes.domainSeparator(host.NETWORK_ID());
        _CHAIN_TAG = host.CHAIN_TAG();
        _CELL = host.CELL();
    }

    /// @notice Make a meter known, once. Utility cell only.
    /// @param meterKey The address of the meter's own key.
    function registerMeter(address meterKey, address owner, uint8 source)
        external
        returns (bytes32 meterId)
    {
        if (msg.sender != _CELL) revert NotPermitted("only the utility cell");
        _require(meterKey != address(0) && owner != address(0) && source != 0, "meter's fields");
        meterId = Hashes.meterId(_CHAIN_TAG, meterKey);
        _require(meters[meterId].owner == address(0), "meter is registered");
        meters[meterId] = Meter(owner, source);
        emit MeterRegistered(meterId, meterKey, owner, source);
    }

    /// @notice Mint what a meter exported in a period, once. Anyone may; it goes to the meter's owner.
    /// @param before The reading at the period's start, `afterwards` the next one, at its end.
    /// @param signatures 65 bytes of each, by the meter's key.
    /// @return origin The token id; minted before: nothing happens.
    function mint(Reading calldata before, Reading calldata afterwards, bytes calldata signatures)
        external
        returns (uint256 origin)
    {
        _require(signatures.length == 130, "two signatures of 65 bytes");
        _requireMetersOwn(before, signatures[:65]);
        _requireMetersOwn(afterwards, signatures[65:]);
        bytes32 meterId = afterwards.meterId;
        _require(
            before.meterId == meterId && afterwards.counter > 0
                && before.counter == afterwards.counter - 1
                && uint256(before.periodStart) + before.periodLength == afterwards.periodStart,
            "readings are not consecutive"
        );
        _require(
            before.quality == _GOOD && afterwards.quality == _GOOD, "a reading is not a good one"
        );
        _require(
            afterwards.exportRegisterWh >= before.exportRegisterWh, "the register ran backwards"
        );
        Meter memory meter = meters[meterId];
        origin = originOf(meterId, afterwards.periodStart, meter.source);
        if (_isMinted[origin]) return origin;
        _isMinted[origin] = true;
        uint64 wh = afterwards.exportRegisterWh - before.exportRegisterWh;
        _mintedWh[origin] = wh;
        emit OriginMinted(origin, meterId, afterwards.periodStart, meter.source, meter.owner, wh);
        // Last: the owner may be a contract and is called back.
        if (wh > 0) _mint(meter.owner, origin, wh, "");
    }

    /// @notice Use up energy of the sender's.
    function retire(uint256 origin, uint256 wh) external {
        _require(wh > 0, "no energy");
        _burn(msg.sender, origin, wh);
        _retiredWh[origin] += wh;
        emit Retired(origin, msg.sender, wh);
    }

    /// @notice The token id of a meter's period.
    function originOf(bytes32 meterId, uint64 periodStart, uint8 source)
        public
        pure
        returns (uint256)
    {
        return uint256(keccak256(abi.encode(meterId, periodStart, source)));
    }

    /// @notice What was minted of an origin and what of it is used up; the rest is held. Wh.
    function booksOf(uint256 origin) external view returns (uint256 mintedWh, uint256 retiredWh) {
        return (_mintedWh[origin], _retiredWh[origin]);
    }

    function _requireMetersOwn(Reading calldata reading, bytes calldata signature) private view {
        _require(reading.chainTag == _CHAIN_TAG, "reading of another ledger");
        _require(meters[reading.meterId].owner != address(0), "meter is not registered");
        bytes32 digest = MessageHashUtils.toTypedDataHash(_DOMAIN, Hashes.readingHash(reading));
        // OpenZeppelin's refuses high s, v 0 and 1, and the zero address. The fault is enough, what it is
        // about (the third value) tells nothing more.
        // slither-disable-next-line unused-return
        (address signer, ECDSA.RecoverError fault,) = ECDSA.tryRecover(digest, signature);
        if (
            fault != ECDSA.RecoverError.NoError
                || Hashes.meterId(_CHAIN_TAG, signer) != reading.meterId
        ) revert NotPermitted("reading by its meter");
    }

    function _require(bool isTrue, bytes32 rule) private pure {
        if (!isTrue) revert InvalidMessage(rule);
    }
}
