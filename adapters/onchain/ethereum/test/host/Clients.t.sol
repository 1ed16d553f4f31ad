// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IHost} from "tieline/host/IHost.sol";
import {ClientView, Packet, Proof} from "tieline/host/Types.sol";

import {HostTest} from "./HostTest.sol";

/// @title What the attestations clients believe, and what they refuse
contract ClientsTest is HostTest {
    uint256 private constant _ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    // Who may make one, and of whom.

    function test_a_client_shows_what_it_was_made_of() external view {
        ClientView memory shown = host.client(client);
        assertEq(shown.id, LOCAL, "id");
        assertEq(shown.counterparty, REMOTE, "counterparty");
        assertEq(shown.attestors.length, 4, "attestors");
        for (uint256 i = 0; i < 4; ++i) assertEq(shown.attestors[i], vm.addr(keys[i]), "attestor");
        assertTrue(shown.minSignatures == 3 && shown.nextSequence == 1, "quorum, sequence");
        assertTrue(shown.latestHeight == HEIGHT && shown.latestTimestamp == START - 10, "height, time");
        assertEq(host.clientCount(), 1, "count");
    }

    function test_the_chain_tag_names_kind_id_genesis_and_host() external view {
        bytes32 expected = keccak256(
            abi.encode(
                keccak256("tieline/chain/v1"), keccak256("evm"), keccak256(bytes(vm.toString(block.chainid))), GENESIS,
                bytes32(uint256(uint160(address(host))))
            )
        );
        assertEq(host.CHAIN_TAG(), expected, "chain tag");
        assertEq(host.GENESIS_HASH(), GENESIS, "genesis");
        assertEq(host.NETWORK_ID(), NETWORK, "network");
    }

    function test_strangers_create_pair_and_pause_nothing() external {
        bytes memory refusal = abi.encodeWithSelector(IHost.NotTheCell.selector, address(0xbad));
        address[] memory attestors = raise(2, 1);
        vm.startPrank(address(0xbad));
        vm.expectRevert(refusal);
        host.createClient(attestors, 1, 1, 1);
        vm.expectRevert(refusal);
        host.registerCounterparty(client, REMOTE);
        vm.expectRevert(refusal);
        host.setPause(client, true, true);
    }

    function test_a_quorum_is_more_than_two_thirds_for_every_size() external {
        for (uint256 n = 1; n <= 64; ++n) {
            address[] memory attestors = raise(n, n);
            uint256 least = (2 * n) / 3 + 1;
            vm.expectRevert(abi.encodeWithSelector(IHost.QuorumInvalid.selector, least - 1, n));
            host.createClient(attestors, uint32(least - 1), 1, 1);
            vm.expectRevert(abi.encodeWithSelector(IHost.QuorumInvalid.selector, n + 1, n));
            host.createClient(attestors, uint32(n + 1), 1, 1);
            uint64 made = host.createClient(attestors, uint32(least), 1, 1);
            assertEq(host.client(made).attestors.length, n, "all of them");
        }
    }

    function test_attestors_are_some_ascend_and_are_at_most_64() external {
        vm.expectRevert(IHost.AttestorsInvalid.selector);
        host.createClient(new address[](0), 1, 1, 1);
        address[] memory many = raise(3, 65);
        vm.expectRevert(IHost.AttestorsInvalid.selector);
        host.createClient(many, 60, 1, 1);
        address[] memory some = raise(3, 3);
        (some[0], some[1]) = (some[1], some[0]);
        vm.expectRevert(IHost.AttestorsInvalid.selector);
        host.createClient(some, 3, 1, 1);
        some[0] = some[1];
        vm.expectRevert(IHost.AttestorsInvalid.selector);
        host.createClient(some, 3, 1, 1);
        vm.expectRevert(IHost.AttestorsInvalid.selector);
        host.createClient(new address[](1), 1, 1, 1);
    }

    function test_a_client_starts_at_a_height_and_a_time() external {
        address[] memory attestors = raise(2, 1);
        vm.expectRevert(abi.encodeWithSelector(IHost.HeightInvalid.selector, 0));
        host.createClient(attestors, 1, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(IHost.TimestampInvalid.selector, 0));
        host.createClient(attestors, 1, 1, 0);
    }

    function test_a_client_is_paired_once_and_before_it_is_used() external {
        vm.expectRevert(abi.encodeWithSelector(IHost.CounterpartyExists.selector, client));
        host.registerCounterparty(client, "attestations-9");
        vm.expectRevert(abi.encodeWithSelector(IHost.ClientUnknown.selector, 7));
        host.registerCounterparty(7, REMOTE);
        uint64 lone = host.createClient(raise(2, 1), 1, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IHost.CounterpartyUnknown.selector, lone));
        app.send(lone, START + 100, VALUE);
        Proof memory nothing = none();
        Packet memory packet = inbound(1);
        vm.expectRevert(abi.encodeWithSelector(IHost.CounterpartyUnknown.selector, lone));
        host.receivePackets(lone, nothing, nothing, list(packet));
    }

    function test_a_counterpartys_id_is_one_that_packets_can_name() external {
        string[12] memory bad = [
            "", "short-1", "noNumber", "trailing-", "-12345678", "--1234567", "double--12", "leading-01", "space in-1",
            "way-too-many-digits-01234567890123456789", "percent%-12",
            "a-client-id-that-is-one-character-longer-than-sixty-four-allows-1"
        ];
        uint64 lone = host.createClient(raise(2, 1), 1, 1, 1);
        for (uint256 i = 0; i < bad.length; ++i) {
            vm.expectRevert(IHost.IdentifierInvalid.selector);
            host.registerCounterparty(lone, bad[i]);
        }
        string[4] memory good = [
            "evm-sealed-0", "fabric-block-12", "a.b_c+d#[e]<f>-9999999999999999999",
            "a-client-id-that-is-as-long-as-sixty-four-characters-may-be-xy-1"
        ];
        for (uint256 i = 0; i < good.length; ++i) {
            lone = host.createClient(raise(2, 1), 1, 1, 1);
            host.registerCounterparty(lone, good[i]);
            assertEq(host.client(lone).counterparty, good[i], "paired");
        }
    }

    // Who signed.

    function test_a_quorum_one_short_is_refused() external {
        Proof memory short = attestState(HEIGHT + 1, START, 2);
        vm.expectRevert(abi.encodeWithSelector(IHost.QuorumNotMet.selector, 3, 2));
        host.updateClient(client, short);
        host.updateClient(client, attestState(HEIGHT + 1, START, 4));
    }

    function test_a_signer_counts_once() external {
        bytes32 digest = stateDigest(HEIGHT + 1, START);
        bytes memory twice = bytes.concat(signOne(keys[0], digest), signOne(keys[1], digest), signOne(keys[1], digest));
        expectSigner(2, vm.addr(keys[1]));
        update(HEIGHT + 1, START, twice);
    }

    function test_signers_ascend() external {
        bytes32 digest = stateDigest(HEIGHT + 1, START);
        bytes memory mixed = bytes.concat(signOne(keys[1], digest), signOne(keys[0], digest), signOne(keys[2], digest));
        expectSigner(1, vm.addr(keys[0]));
        update(HEIGHT + 1, START, mixed);
    }

    function test_a_stranger_among_enough_signers_is_refused() external {
        bytes32 digest = stateDigest(HEIGHT + 1, START);
        uint256 stranger = 0xbad;
        bytes memory signatures = signOne(stranger, digest);
        for (uint256 i = 0; i < 4; ++i) signatures = bytes.concat(signatures, signOne(keys[i], digest));
        expectSigner(0, vm.addr(stranger));
        update(HEIGHT + 1, START, signatures);
    }

    function test_the_other_spelling_of_a_signature_is_refused() external {
        bytes32 digest = stateDigest(HEIGHT + 1, START);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[0], digest);
        bytes memory rest = bytes.concat(signOne(keys[1], digest), signOne(keys[2], digest));
        vm.expectRevert(abi.encodeWithSelector(IHost.SignatureInvalid.selector, 0));
        update(HEIGHT + 1, START, bytes.concat(r, bytes32(_ORDER - uint256(s)), bytes1(v == 27 ? 28 : 27), rest));
        vm.expectRevert(abi.encodeWithSelector(IHost.SignatureInvalid.selector, 0));
        update(HEIGHT + 1, START, bytes.concat(r, s, bytes1(v - 27), rest));
        update(HEIGHT + 1, START, bytes.concat(r, s, bytes1(v), rest));
    }

    function test_signatures_are_65_bytes_each() external {
        bytes memory cut = attestState(HEIGHT + 1, START, 3).signatures;
        assembly ("memory-safe") {
            mstore(cut, sub(mload(cut), 1))
        }
        vm.expectRevert(abi.encodeWithSelector(IHost.SignatureInvalid.selector, 2));
        update(HEIGHT + 1, START, cut);
    }

    function test_what_was_signed_of_packets_says_nothing_of_a_state() external {
        Proof memory wrong = attest(2, abi.encode(uint256(HEIGHT + 1), uint256(START)), 3);
        vm.expectPartialRevert(IHost.SignerInvalid.selector);
        host.updateClient(client, wrong);
    }

    function test_attestors_of_one_client_are_strangers_to_every_other() external {
        Packet memory packet = inbound(1);
        Proof memory state = attestState(HEIGHT + 1, START, 3);
        Proof memory proof = attested(packet);
        uint64 other = host.createClient(raise(2, 4), 3, HEIGHT, START - 10);
        host.registerCounterparty(other, REMOTE);
        vm.expectPartialRevert(IHost.SignerInvalid.selector);
        host.updateClient(other, state);
        Proof memory nothing = none();
        vm.expectPartialRevert(IHost.SignerInvalid.selector);
        host.receivePackets(other, nothing, proof, list(packet));
    }

    // What they say.

    function test_a_state_is_64_bytes_without_dirty_bits() external {
        bytes[4] memory bad = [
            abi.encode(uint256(HEIGHT + 1)),
            abi.encode(uint256(HEIGHT + 1), uint256(START), uint256(0)),
            abi.encode((1 << 64) + uint256(HEIGHT + 1), uint256(START)),
            abi.encode(uint256(HEIGHT + 1), (1 << 64) + uint256(START))
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            Proof memory proof = attest(1, bad[i], 3);
            vm.expectRevert(IHost.AttestationMalformed.selector);
            host.updateClient(client, proof);
        }
    }

    function test_packets_are_spelled_in_one_way() external {
        (uint256 h, uint256 one) = (HEIGHT, 1);
        (bytes32 path, bytes32 value) = (pathOf(REMOTE, 1, 1), commit(LOCAL, START + 100, VALUE));
        bytes[8] memory bad = [
            abi.encode(h, uint256(64), one, path, value),
            abi.encode(uint256(64), h, uint256(64), one, path, value),
            abi.encode(uint256(32), h, uint256(96), one, path, value),
            abi.encode(uint256(32), h, uint256(64), uint256(2), path, value),
            abi.encode(uint256(32), h, uint256(64), uint256(0), path, value),
            abi.encode(uint256(32), h, uint256(64), one, path, value, uint256(0)),
            abi.encode(uint256(32), (1 << 64) + h, uint256(64), one, path, value),
            abi.encode(uint256(32), h, uint256(64))
        ];
        Packet memory packet = Packet(1, START + 100, VALUE);
        for (uint256 i = 0; i < bad.length; ++i) {
            Proof memory proof = attest(2, bad[i], 3);
            vm.expectRevert(IHost.AttestationMalformed.selector);
            this.receiveOutside(packet, proof);
        }
        receiveOne(packet, attest(2, abi.encode(uint256(32), h, uint256(64), one, path, value), 3));
        assertEq(app.received(), 1, "the one way");
    }

    function test_no_path_is_listed_twice() external {
        Packet memory packet = inbound(1);
        bytes32[] memory paths = new bytes32[](3);
        bytes32[] memory values = new bytes32[](3);
        (paths[0], paths[1], paths[2]) = (pathOf(REMOTE, 1, 1), keccak256("between"), pathOf(REMOTE, 1, 1));
        values[0] = commit(LOCAL, packet.timeoutTimestamp, VALUE);
        Proof memory proof = attestMany(HEIGHT, paths, values, 3);
        vm.expectRevert(abi.encodeWithSelector(IHost.PathTwice.selector, 2));
        this.receiveOutside(packet, proof);
    }

    function test_packets_are_proved_at_a_height_whose_time_is_known() external {
        Packet memory packet = inbound(1);
        bytes32 commitment = commit(LOCAL, packet.timeoutTimestamp, VALUE);
        Proof memory proof = attestOne(HEIGHT + 1, pathOf(REMOTE, 1, 1), commitment, 3);
        vm.expectRevert(abi.encodeWithSelector(IHost.HeightUnknown.selector, client, HEIGHT + 1));
        this.receiveOutside(packet, proof);
    }

    // Time.

    function test_time_does_not_fall_with_height() external {
        update(HEIGHT + 10, START);
        refuse(abi.encodeWithSelector(IHost.TimestampNotMonotone.selector, HEIGHT + 11, START - 1), HEIGHT + 11, START - 1);
        update(HEIGHT + 11, START); // several blocks may have the same second
        refuse(abi.encodeWithSelector(IHost.TimestampNotMonotone.selector, HEIGHT + 5, START + 1), HEIGHT + 5, START + 1);
        refuse(abi.encodeWithSelector(IHost.TimestampNotMonotone.selector, HEIGHT + 5, START - 11), HEIGHT + 5, START - 11);
        update(HEIGHT + 5, START - 5);
        update(HEIGHT - 50, START - 500);
        refuse(abi.encodeWithSelector(IHost.TimestampNotMonotone.selector, HEIGHT - 20, START - 501), HEIGHT - 20, START - 501);
        assertEq(host.client(client).latestHeight, HEIGHT + 11, "the newest stays the newest");
    }

    function test_time_is_at_most_the_allowed_drift_ahead() external {
        refuse(abi.encodeWithSelector(IHost.TimestampInFuture.selector, START + 16, START + 15), HEIGHT + 1, START + 16);
        update(HEIGHT + 1, START + 15);
    }

    function test_heights_and_times_are_not_zero() external {
        refuse(abi.encodeWithSelector(IHost.HeightInvalid.selector, 0), 0, START);
        refuse(abi.encodeWithSelector(IHost.TimestampInvalid.selector, 0), HEIGHT - 1, 0);
    }

    function test_a_height_far_behind_many_others_is_refused() external {
        for (uint64 i = 2; i <= 257; ++i) update(HEIGHT + i, START);
        update(HEIGHT + 1, START); // behind 256
        refuse(abi.encodeWithSelector(IHost.HeightTooFarBack.selector, HEIGHT - 1), HEIGHT - 1, START - 10);
    }

    function testFuzz_whatever_the_order_heights_and_times_agree(uint64[12] memory order) external {
        for (uint256 i = 0; i < 12; ++i) {
            uint64 height = uint64(bound(order[i], 1, 30));
            update(HEIGHT + height, START - 10 + height / 4);
        }
        uint64 last = 0;
        for (uint64 height = 0; height <= 30; ++height) {
            uint64 known = host.timestampAt(client, HEIGHT + height);
            if (known == 0) continue;
            assertTrue(known >= last, "monotone");
            last = known;
        }
        assertEq(host.client(client).latestTimestamp, last, "the newest");
    }

    // Contradictions.

    function test_a_known_state_may_come_again() external {
        update(HEIGHT, START - 10);
        assertTrue(!host.client(client).frozen, "not frozen");
    }

    function test_two_times_for_one_height_freeze_for_good() external {
        Packet memory sent = sendOne();
        Packet memory packet = inbound(1);
        Packet memory early = inbound(2);
        receiveOne(early, attested(early));
        vm.expectEmit(true, true, true, true, address(host));
        emit IHost.ClientFrozen(client);
        update(HEIGHT, START - 9);
        bytes memory refusal = abi.encodeWithSelector(IHost.ClientIsFrozen.selector, client);
        refuse(refusal, HEIGHT + 1, START);
        vm.expectRevert(refusal);
        app.send(client, START + 100, VALUE);
        Proof memory proof = attested(packet);
        vm.expectRevert(refusal);
        this.receiveOutside(packet, proof);
        proof = answered(sent, ANSWER);
        vm.expectRevert(refusal);
        this.acknowledgeOutside(sent, ANSWER, proof);
        // What was received may still be answered: that proves nothing.
        app.write(client, 2, host.stored(client, 2, 2), ANSWER);
        receiveOne(early, attested(early));
    }

    function test_a_contradiction_that_comes_along_with_packets_freezes_and_receives_nothing() external {
        Packet memory packet = inbound(1);
        host.receivePackets(client, attestState(HEIGHT, START - 9, 3), attested(packet), list(packet));
        assertTrue(host.client(client).frozen, "frozen");
        assertEq(app.received(), 0, "nothing received");
    }

    function test_two_commitments_for_one_path_and_height_freeze() external {
        Proof memory one = attestOne(HEIGHT, keccak256("path"), keccak256("one"), 3);
        Proof memory other = attestOne(HEIGHT, keccak256("path"), keccak256("other"), 3);
        Proof memory elsewhere = attestOne(HEIGHT, keccak256("elsewhere"), keccak256("other"), 3);
        Proof memory later = attestOne(HEIGHT + 1, keccak256("path"), keccak256("other"), 3);
        Proof memory doubted = attestOne(HEIGHT, keccak256("path"), keccak256("other"), 2);
        vm.expectRevert(IHost.NoMisbehaviour.selector);
        host.submitMisbehaviour(client, one, 0, one, 0);
        vm.expectRevert(IHost.NoMisbehaviour.selector);
        host.submitMisbehaviour(client, one, 0, elsewhere, 0);
        vm.expectRevert(IHost.NoMisbehaviour.selector);
        host.submitMisbehaviour(client, one, 0, later, 0);
        vm.expectRevert(abi.encodeWithSelector(IHost.QuorumNotMet.selector, 3, 2));
        host.submitMisbehaviour(client, one, 0, doubted, 0);
        vm.expectRevert(abi.encodeWithSelector(IHost.EntryUnknown.selector, 1));
        host.submitMisbehaviour(client, one, 1, other, 0);
        host.submitMisbehaviour(client, one, 0, other, 0);
        assertTrue(host.client(client).frozen, "frozen");
    }

    // Another set.

    function test_more_than_two_thirds_give_their_place_to_another_set() external {
        uint256[] memory old = keys;
        address[] memory next = raise(5, 3);
        bytes32 digest = rotateDigest(client, next, 3, HEIGHT + 5);
        uint256[] memory young = keys;
        keys = old;
        bytes memory signatures = signAll(digest, 3);
        bytes memory tooFew = signAll(digest, 2);
        vm.expectRevert(abi.encodeWithSelector(IHost.QuorumNotMet.selector, 3, 2));
        host.rotateSet(client, next, 3, HEIGHT + 5, tooFew);
        host.rotateSet(client, next, 3, HEIGHT + 5, signatures);
        Proof memory late = attestState(HEIGHT + 6, START, 3);
        vm.expectPartialRevert(IHost.SignerInvalid.selector);
        host.updateClient(client, late);
        keys = young;
        refuse(abi.encodeWithSelector(IHost.HeightBeforeRotation.selector, HEIGHT + 4, HEIGHT + 5), HEIGHT + 4, START);
        update(HEIGHT + 5, START);
        ClientView memory shown = host.client(client);
        assertTrue(shown.attestors.length == 3 && shown.fromHeight == HEIGHT + 5, "the new set");
        Packet memory packet = inbound(1);
        Proof memory proof = attested(packet);
        vm.expectRevert(abi.encodeWithSelector(IHost.HeightBeforeRotation.selector, HEIGHT, HEIGHT + 5));
        this.receiveOutside(packet, proof);
    }

    function test_a_rotation_is_for_one_client_and_one_time() external {
        address[] memory set = raise(1, 4);
        uint64 other = host.createClient(set, 3, HEIGHT, START - 10);
        bytes memory signatures = signAll(rotateDigest(client, set, 3, 5), 3);
        vm.expectPartialRevert(IHost.SignerInvalid.selector);
        host.rotateSet(other, set, 3, 5, signatures);
        host.rotateSet(client, set, 3, 5, signatures);
        vm.expectRevert(abi.encodeWithSelector(IHost.HeightInvalid.selector, 5));
        host.rotateSet(client, set, 3, 5, signatures);
    }

    function test_a_set_is_code_that_stops() external view {
        // Slot 1 of the client: minSignatures and fromHeight above the set's address.
        bytes32 slot = keccak256(abi.encode(uint256(client), uint256(1)));
        address set = address(uint160(uint256(vm.load(address(host), bytes32(uint256(slot) + 1)))));
        assertEq(set.code.length, 81, "four addresses");
        assertEq(uint8(set.code[0]), 0, "STOP");
    }

    // Called from outside, so that `expectRevert` has one call to look at.

    function receiveOutside(Packet memory packet, Proof memory proof) external {
        receiveOne(packet, proof);
    }

    function acknowledgeOutside(Packet memory packet, bytes memory answer, Proof memory proof) external {
        acknowledgeOne(packet, answer, proof);
    }

    function refuse(bytes memory reason, uint64 height, uint64 timestamp) private {
        Proof memory proof = attestState(height, timestamp, 3);
        vm.expectRevert(reason);
        host.updateClient(client, proof);
    }

    function update(uint64 height, uint64 timestamp) private {
        host.updateClient(client, attestState(height, timestamp, 3));
    }

    function update(uint64 height, uint64 timestamp, bytes memory signatures) private {
        host.updateClient(client, Proof(abi.encode(uint256(height), uint256(timestamp)), signatures));
    }

    function stateDigest(uint64 height, uint64 timestamp) private pure returns (bytes32) {
        return sha256(bytes.concat(hex"01", sha256(abi.encode(uint256(height), uint256(timestamp)))));
    }

    function rotateDigest(uint64 number, address[] memory set, uint32 needed, uint64 fromHeight)
        private
        view
        returns (bytes32)
    {
        bytes memory packed = "";
        for (uint256 i = 0; i < set.length; ++i) packed = abi.encodePacked(packed, set[i]);
        bytes memory said = abi.encode(
            host.CHAIN_TAG(), keccak256(bytes(host.clientId(number))), keccak256(packed), needed, fromHeight
        );
        return sha256(bytes.concat(hex"03", sha256(said)));
    }

    function expectSigner(uint256 index, address signer) private {
        vm.expectRevert(abi.encodeWithSelector(IHost.SignerInvalid.selector, index, signer));
    }
}
