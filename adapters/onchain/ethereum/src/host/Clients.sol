// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

import {Attestations} from "./Attestations.sol";
import {Ibc} from "./Ibc.sol";
import {IHost} from "./IHost.sol";
import {ClientView, Proof} from "./Types.sol";

/// @title Attestations clients `attestations-N`
/// @notice A client knows another ledger by what more than two thirds of its attestors sign: the time of a
/// height, and what is stored under a path at that height. It is no more than a promise of that quorum.
/// @dev Stricter than ibc-go: time may not fall with height nor lie in the future, no path twice in one
/// attestation, one spelling of a signature. Nothing unfreezes a client: create another, pair it, drain this one.
abstract contract Clients is IHost {
    /// Clock skew and one block interval: how far an attested time may be ahead of this ledger's.
    uint64 internal constant CLOCK_DRIFT_MAX = 15 seconds;
    /// A height that is filled in behind this many newer ones is refused: its cost would be unbounded.
    uint256 internal constant BACKFILL_MAX = 256;
    /// How long a pause lasts that is not said again. One cell may hold up what arrives for one slot only.
    uint256 internal constant SENDS_PAUSE = 1 days;
    uint256 internal constant RECEIVES_PAUSE = 900 seconds;
    /// What v2 packets can name (the channel rule of ICS-24).
    uint256 private constant _ID_LENGTH_MIN = 8;
    uint256 private constant _ID_LENGTH_MAX = 64;

    struct Client {
        uint64 latestHeight;
        uint64 latestTimestamp;
        /// 0 until the client is paired.
        uint64 nextSequence;
        /// Unix seconds until when.
        uint32 sendsPausedUntil;
        uint32 receivesPausedUntil;
        /// A contract whose code is a STOP and then the set, 20 bytes each, ascending; 0: no such client.
        address set;
        uint16 minSignatures;
        bool frozen;
        uint64 fromHeight;
        string counterparty;
        mapping(uint64 height => State) states;
    }

    struct State {
        /// Unix seconds; 0: this height was never attested.
        uint64 timestamp;
        /// The height known next below; 0: none.
        uint64 below;
    }

    /// @inheritdoc IHost
    uint64 public clientCount;
    mapping(uint64 number => Client) internal _clients;

    /// @inheritdoc IHost
    bytes32 public immutable GENESIS_HASH;
    /// @inheritdoc IHost
    bytes32 public immutable NETWORK_ID;
    /// @inheritdoc IHost
    bytes32 public immutable CHAIN_TAG;
    /// @inheritdoc IHost
    address public immutable CELL;

    modifier onlyCell() {
        if (msg.sender != CELL) revert NotTheCell(msg.sender);
        _;
    }

    constructor(bytes32 genesisHash, bytes32 networkId, address cell) {
        GENESIS_HASH = genesisHash;
        NETWORK_ID = networkId;
        CELL = cell;
        CHAIN_TAG = keccak256(
            abi.encode(
                keccak256("tieline/chain/v1"),
                keccak256("evm"),
                keccak256(bytes(Strings.toString(block.chainid))),
                genesisHash,
                bytes32(uint256(uint160(address(this))))
            )
        );
    }

    /// @inheritdoc IHost
    function createClient(address[] calldata attestors, uint32 minSignatures, uint64 height, uint64 timestamp)
        external
        onlyCell
        returns (uint64 number)
    {
        if (height == 0) revert HeightInvalid(height);
        if (timestamp == 0) revert TimestampInvalid(timestamp);
        number = clientCount++;
        Client storage held = _clients[number];
        (held.set,) = _storeSet(attestors, minSignatures);
        held.minSignatures = uint16(minSignatures);
        held.latestHeight = height;
        held.latestTimestamp = timestamp;
        held.states[height] = State(timestamp, 0);
        emit ClientCreated(number, height, timestamp, minSignatures, attestors);
    }

    /// @inheritdoc IHost
    function registerCounterparty(uint64 number, string calldata counterparty) external onlyCell {
        Client storage held = _existing(number);
        if (held.nextSequence != 0) revert CounterpartyExists(number);
        _requireClientId(bytes(counterparty));
        held.counterparty = counterparty;
        held.nextSequence = 1;
        emit CounterpartyRegistered(number, counterparty);
    }

    /// @inheritdoc IHost
    function setPause(uint64 number, bool sends, bool receives) external onlyCell {
        Client storage held = _existing(number);
        held.sendsPausedUntil = sends ? uint32(block.timestamp + SENDS_PAUSE) : 0;
        held.receivesPausedUntil = receives ? uint32(block.timestamp + RECEIVES_PAUSE) : 0;
        emit PauseSet(number, sends, receives);
    }

    /// @inheritdoc IHost
    function updateClient(uint64 number, Proof calldata update) external {
        _update(number, _active(number), update);
    }

    /// @inheritdoc IHost
    function rotateSet(
        uint64 number,
        address[] calldata attestors,
        uint32 minSignatures,
        uint64 fromHeight,
        bytes calldata signatures
    ) external {
        Client storage held = _active(number);
        if (fromHeight <= held.fromHeight) revert HeightInvalid(fromHeight);
        bytes memory old = _readSet(held.set);
        (address set, bytes32 setHash) = _storeSet(attestors, minSignatures);
        bytes32 idHash = keccak256(bytes(clientId(number)));
        bytes memory said = abi.encode(CHAIN_TAG, idHash, setHash, minSignatures, fromHeight);
        bytes32 digest = Attestations.digest(Attestations.ROTATE_TAG, said);
        // More than two thirds of the old set (20 bytes a member), whatever it asks for itself.
        uint256 needed = old.length / 30 + 1;
        Attestations.requireQuorum(digest, signatures, old, needed);
        held.set = set;
        held.minSignatures = uint16(minSignatures);
        held.fromHeight = fromHeight;
        emit SetRotated(number, fromHeight, minSignatures, attestors);
    }

    /// @inheritdoc IHost
    function submitMisbehaviour(
        uint64 number,
        Proof calldata one,
        uint256 entryInOne,
        Proof calldata other,
        uint256 entryInOther
    ) external {
        Client storage held = _active(number);
        uint64 height = _requirePackets(held, one);
        if (_requirePackets(held, other) != height) revert NoMisbehaviour();
        (bytes32 path, bytes32 said) = Attestations.entryAt(one.data, entryInOne);
        (bytes32 samePath, bytes32 saidToo) = Attestations.entryAt(other.data, entryInOther);
        if (path != samePath || said == saidToo) revert NoMisbehaviour();
        held.frozen = true;
        emit ClientFrozen(number);
    }

    /// @inheritdoc IHost
    function timestampAt(uint64 number, uint64 height) external view returns (uint64) {
        return _clients[number].states[height].timestamp;
    }

    /// @inheritdoc IHost
    function client(uint64 number) external view returns (ClientView memory) {
        Client storage held = _existing(number);
        bytes memory set = _readSet(held.set);
        address[] memory attestors = new address[](set.length / 20);
        for (uint256 index = 0; index < attestors.length; ++index) {
            attestors[index] = Attestations.memberAt(set, index);
        }
        return ClientView({
            id: clientId(number),
            counterparty: held.counterparty,
            attestors: attestors,
            minSignatures: held.minSignatures,
            latestHeight: held.latestHeight,
            latestTimestamp: held.latestTimestamp,
            fromHeight: held.fromHeight,
            nextSequence: held.nextSequence,
            frozen: held.frozen,
            sendsPausedUntil: held.sendsPausedUntil,
            receivesPausedUntil: held.receivesPausedUntil
        });
    }

    /// @inheritdoc IHost
    function clientId(uint64 number) public pure returns (string memory id) {
        if (number > 9) return string.concat("attestations-", Strings.toString(number));
        id = "attestations-0";
        bytes(id)[13] = bytes1(uint8(48 + number));
    }

    function _existing(uint64 number) internal view returns (Client storage held) {
        held = _clients[number];
        if (held.set == address(0)) revert ClientUnknown(number);
    }

    function _active(uint64 number) internal view returns (Client storage held) {
        held = _existing(number);
        if (held.frozen) revert ClientIsFrozen(number);
    }

    /// @dev Two times for one height freeze the client, which must outlast the call: nothing reverts then.
    function _update(uint64 number, Client storage held, Proof calldata update) internal {
        _requireSigned(held, Attestations.STATE_TAG, update);
        (uint64 height, uint64 timestamp) = Attestations.decodeState(update.data);
        if (height == 0) revert HeightInvalid(height);
        if (timestamp == 0) revert TimestampInvalid(timestamp);
        if (height < held.fromHeight) revert HeightBeforeRotation(height, held.fromHeight);
        uint64 known = held.states[height].timestamp;
        if (known == timestamp) return;
        if (known != 0) {
            held.frozen = true;
            emit ClientFrozen(number);
            return;
        }
        _insert(held, height, timestamp);
        emit ClientUpdated(number, height, timestamp);
    }

    /// @notice Check an attestation of packets, except that its height is known.
    /// @return height Where it stands.
    function _requirePackets(Client storage held, Proof calldata proof) internal view returns (uint64 height) {
        _requireSigned(held, Attestations.PACKET_TAG, proof);
        height = Attestations.decodePackets(proof.data);
        if (height < held.fromHeight) revert HeightBeforeRotation(height, held.fromHeight);
    }

    function _requireSigned(Client storage held, uint8 tag, Proof calldata proof) private view {
        bytes32 digest = Attestations.digest(tag, proof.data);
        Attestations.requireQuorum(digest, proof.signatures, _readSet(held.set), held.minSignatures);
    }

    /// @dev Several blocks may have the same second; no block is older than one below it.
    function _insert(Client storage held, uint64 height, uint64 timestamp) private {
        uint256 latest = block.timestamp + CLOCK_DRIFT_MAX;
        if (timestamp > latest) revert TimestampInFuture(timestamp, uint64(latest));
        uint64 below = held.latestHeight;
        if (height > below) {
            if (timestamp < held.latestTimestamp) revert TimestampNotMonotone(height, timestamp);
            held.latestHeight = height;
            held.latestTimestamp = timestamp;
        } else {
            below = _fillIn(held, height, timestamp);
        }
        held.states[height] = State(timestamp, below);
    }

    function _fillIn(Client storage held, uint64 height, uint64 timestamp) private returns (uint64 below) {
        below = held.latestHeight;
        uint64 above = 0;
        for (uint256 step = 0; below > height; ++step) {
            if (step == BACKFILL_MAX) revert HeightTooFarBack(height);
            above = below;
            below = held.states[below].below;
        }
        bool isBetween =
            held.states[below].timestamp <= timestamp && timestamp <= held.states[above].timestamp;
        if (!isBetween) revert TimestampNotMonotone(height, timestamp);
        held.states[above].below = height;
    }

    function _storeSet(address[] calldata attestors, uint32 minSignatures)
        private
        returns (address set, bytes32 setHash)
    {
        uint256 count = attestors.length;
        if (count == 0 || count > Attestations.ATTESTORS_MAX) revert AttestorsInvalid();
        if (minSignatures > count || 3 * uint256(minSignatures) <= 2 * count) {
            revert QuorumInvalid(minSignatures, count);
        }
        bytes memory members = "";
        address last = address(0);
        for (uint256 index = 0; index < count; ++index) {
            if (attestors[index] <= last) revert AttestorsInvalid();
            last = attestors[index];
            members = abi.encodePacked(members, last);
        }
        // Returns what follows it: PUSH2 length, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN.
        // The STOP in front makes sure that a set is never executed.
        bytes memory creation =
            abi.encodePacked(hex"61", uint16(members.length + 1), hex"80600a5f395ff3", bytes1(0), members);
        assembly ("memory-safe") {
            set := create(0, add(creation, 32), mload(creation))
        }
        if (set == address(0)) revert AttestorsInvalid();
        setHash = keccak256(members);
    }

    function _readSet(address set) private view returns (bytes memory members) {
        uint256 length = set.code.length - 1;
        members = new bytes(length);
        assembly ("memory-safe") {
            extcodecopy(set, add(members, 32), 1, length)
        }
    }

    function _requireClientId(bytes calldata id) private pure {
        uint256 length = id.length;
        if (length < _ID_LENGTH_MIN || length > _ID_LENGTH_MAX) revert IdentifierInvalid();
        // `{name}-{number}`: ICS-24's characters all over, and at the end one hyphen and 1 to 19 digits
        // that do not start with a 0 in vain.
        for (uint256 index = 0; index < length; ++index) {
            if (!_isIdCharacter(id[index])) revert IdentifierInvalid();
        }
        uint256 first = length;
        while (first > 0 && id[first - 1] >= "0" && id[first - 1] <= "9") --first;
        uint256 digits = length - first;
        bool isForm = digits > 0 && digits <= 19 && first >= 2 && id[first - 1] == "-" && id[first - 2] != "-"
            && (digits == 1 || id[first] != "0");
        if (!isForm) revert IdentifierInvalid();
    }

    function _isIdCharacter(bytes1 one) private pure returns (bool) {
        return (one >= "a" && one <= "z") || (one >= "A" && one <= "Z") || (one >= "0" && one <= "9")
            || one == "." || one == "_" || one == "+" || one == "-" || one == "#" || one == "[" || one == "]"
            || one == "<" || one == ">";
    }
}
