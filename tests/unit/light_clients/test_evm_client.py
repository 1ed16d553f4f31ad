"""The evm-sealed client: update, freeze, expire, prune, verify; every altered byte refused."""

from dataclasses import replace

import pytest
from fakes.evm_chain import HOST, SECOND, START_S, EvmChain, bft_block_hash, keys
from fakes.signing_chain import DictStore

from tieline.light_clients.evm.building import storage_proof
from tieline.light_clients.evm.client import PINNED_MAX, EvmSealedClient
from tieline.light_clients.evm.messages import (
    CLIENT_STATE_URL,
    ClientHeader,
    Misbehaviour,
    PinnedContract,
    Sealing,
    StorageProof,
)
from tieline.light_clients.evm.seals import SEALERS_MAX
from tieline.light_clients.evm.verifier import verify_header_once
from tieline.protocol.client import ClientStatus
from tieline.protocol.errors import ClientRefused, ConsensusStateNotFound
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage

RULES = EvmSealedClient()
NOW = (START_S + 60) * SECOND
PATH = b"07-tendermint-0\x01\x00\x00\x00\x00\x00\x00\x00\x01"
OTHER = b"07-tendermint-0\x02\x00\x00\x00\x00\x00\x00\x00\x01"
VALUE = b"\x09" * 32
BFT = pytest.mark.parametrize("sealing", [Sealing.QBFT, Sealing.IBFT2])


def begun(chain, height=1):
    store = DictStore()
    state, first = chain.client_state(height), chain.consensus_state(height)
    RULES.initialise(store, state.as_any(), first.as_any())
    return store


def update(store, header, now=NOW):
    return RULES.update(store, header.as_any(), now)


def refusal(store, message, now=NOW) -> str:
    before = dict(store)
    with pytest.raises(ClientRefused) as refused:
        RULES.update(store, message.as_any(), now)
    assert dict(store) == before, "a refused message was written"
    return str(refused.value)


@pytest.fixture
def chain():
    return EvmChain()


@pytest.mark.parametrize("sealing", list(Sealing))
def test_a_sealed_header_is_taken_and_values_are_proved_under_it(sealing):
    chain = EvmChain(sealing)
    store = begun(chain)
    chain.commit(PATH, VALUE)
    trusted = 0 if sealing is Sealing.AUTHORITY else 1
    result = update(store, chain.header(5, trusted=trusted))
    assert result.heights == (Height(0, 5),)
    assert RULES.latest_height(store) == Height(0, 5)
    assert RULES.timestamp_ns(store, Height(0, 5)) == (START_S + 5) * SECOND
    proof = chain.prove(PATH)
    assert RULES.verify_membership(store, Height(0, 5), proof, (PATH,), VALUE)
    assert not RULES.verify_membership(store, Height(0, 5), proof, (PATH,), b"\x08" * 32)
    assert not RULES.verify_non_membership(store, Height(0, 5), proof, (PATH,))
    absence = chain.prove(OTHER)
    assert RULES.verify_non_membership(store, Height(0, 5), absence, (OTHER,))
    assert not RULES.verify_membership(store, Height(0, 5), absence, (OTHER,), VALUE)
    assert not RULES.verify_membership(store, Height(0, 1), proof, (PATH,), VALUE), "other root"


def test_the_same_header_again_changes_nothing(chain):
    store = begun(chain)
    header = chain.header(5)
    update(store, header)
    held = dict(store)
    assert update(store, header).heights == ()
    assert dict(store) == held


def test_a_gap_below_is_filled_and_equal_seconds_in_a_row_are_taken(chain):
    store = begun(chain)
    update(store, chain.header(9, START_S + 5))
    update(store, chain.header(7, START_S + 5))
    update(store, chain.header(11, START_S + 5))
    assert RULES.latest_height(store) == Height(0, 11)
    assert RULES.status(store, NOW) is ClientStatus.ACTIVE


@pytest.mark.parametrize(
    ("height", "time_s"), [(5, START_S + 8), (10, START_S + 7), (3, START_S + 6), (6, START_S + 6)]
)
def test_two_sealed_blocks_that_exclude_each_other_freeze_the_client(chain, height, time_s):
    store = begun(chain)
    update(store, chain.header(5))
    update(store, chain.header(8))
    assert update(store, chain.header(height, time_s)).misbehaviour
    assert RULES.status(store, NOW) is ClientStatus.FROZEN
    assert "frozen" in refusal(store, chain.header(9))


def test_a_child_of_the_block_held_below_does_not_freeze(chain):
    store = begun(chain)
    first = chain.block(5)
    update(store, chain.sealed(first))
    assert not update(store, chain.header(6, parent=first.hash())).misbehaviour


@BFT
def test_a_bft_block_is_named_by_its_hash_without_seals(sealing):
    chain = EvmChain(sealing)
    store = begun(chain)
    first = chain.block(5)
    update(store, chain.sealed(first, trusted=1))
    parent = bft_block_hash(first, sealing, chain.keys)
    assert not update(store, chain.header(6, parent=parent, trusted=5)).misbehaviour
    assert not update(store, chain.sealed(first, signers=chain.keys[:3], trusted=1)).heights
    assert RULES.status(store, NOW) is ClientStatus.ACTIVE, "the same block by other seals"


@BFT
def test_validators_are_followed_one_by_one(sealing):
    chain = EvmChain(sealing)
    store = begun(chain)
    members = list(chain.keys)
    joining = keys(4, "joined")
    changes = zip((3, 5, 7, 9), list(members), joining, strict=True)
    for number, leaves, joins in changes:
        members = sorted([*(set(members) - {leaves}), joins], key=lambda key: key.address)
        header = chain.header(number, signers=members, validators=members, trusted=number - 2)
        update(store, header)
    assert "trusted validators" in refusal(
        store, chain.header(11, signers=members, validators=members, trusted=1)
    )
    update(store, chain.header(11, signers=members, validators=members, trusted=9))


@BFT
def test_a_header_builds_upon_a_height_that_is_held_lower_and_not_expired(sealing):
    chain = EvmChain(sealing, trusting_s=100)
    store = begun(chain)
    assert "out of range" in refusal(store, chain.header(5, trusted=0))
    assert "no consensus state" in refusal(store, chain.header(5, trusted=2))
    update(store, chain.header(5, START_S + 90, trusted=1), NOW + 30 * SECOND)
    assert "not above its trusted" in refusal(store, chain.header(5, trusted=5))
    late = (START_S + 101) * SECOND
    assert "trusted header is expired" in refusal(store, chain.header(6, trusted=1), late)
    update(store, chain.header(6, START_S + 91, trusted=5), late)


def test_an_authoritys_header_builds_upon_nothing(chain):
    assert "no height" in refusal(begun(chain), replace(chain.header(5), trusted_height=1))


def test_too_few_seals_or_others_than_the_clients_are_refused(chain):
    store = begun(chain)
    assert "not enough seals" in refusal(store, chain.header(5, signers=chain.keys[:2]))
    strangers = keys(4, "stranger")
    assert "stranger" in refusal(store, chain.header(5, signers=strangers))


def test_seals_for_another_host_or_genesis_are_refused(chain):
    store = begun(chain)
    RULES.initialise(
        store,
        chain.client_state(genesis_hash=b"g" * 32).as_any(),
        chain.consensus_state().as_any(),
    )
    assert "seal" in refusal(store, chain.header(5))


@BFT
def test_seals_beside_a_header_that_carries_its_own_are_refused(sealing):
    chain = EvmChain(sealing)
    header = replace(chain.header(5, trusted=1), seals=(b"\1" * 65,))
    assert "carries its own" in refusal(begun(chain), header)


def test_code_that_changed_under_a_pinned_address_is_refused(chain):
    store = begun(chain)
    chain.code[HOST] = b"c" * 32
    assert "other code" in refusal(store, chain.header(5))
    del chain.code[HOST]
    assert "no contract at a pinned address" in refusal(
        store, replace(chain.header(5), account_nodes=absent_nodes(chain))
    )


def absent_nodes(chain):
    """Account proofs in the order of what is pinned, the first of them of an absence."""
    chain.code[HOST] = None
    addresses = sorted(chain.code)
    del chain.code[HOST]
    import rlp
    from eth_utils import keccak

    tree = chain.accounts
    listed = [[rlp.encode(node) for node in tree.get_proof(keccak(at))] for at in addresses]
    return tuple(dict.fromkeys(node for proof in listed for node in proof))


def test_account_proofs_are_exactly_those_of_the_pinned_contracts(chain):
    store = begun(chain)
    header = chain.header(5)
    nodes = header.account_nodes
    for spoilt in (nodes[1:], nodes[:-1], (*nodes, nodes[0]), (*nodes, b"\x80"), nodes[::-1], ()):
        assert "account proof" in refusal(store, replace(header, account_nodes=spoilt))


@pytest.mark.parametrize("sealing", list(Sealing))
def test_every_altered_bit_of_a_header_is_refused(sealing):
    chain = EvmChain(sealing)
    store = begun(chain)
    message = chain.header(5, trusted=0 if sealing is Sealing.AUTHORITY else 1)
    data = message.encode()
    # Each byte of the header and its seals; of the larger proofs every seventh.
    places = [n for n in range(len(data)) if n < 900 or n % 7 == 0]
    for place in places:
        spoilt = data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]
        with pytest.raises(ClientRefused):
            RULES.update(store, AnyMessage(message.as_any().type_url, spoilt), NOW)
    update(store, message)


def test_a_proof_with_any_byte_changed_shows_nothing(chain):
    chain.commit(PATH, VALUE)
    store = begun(chain)
    update(store, chain.header(5))
    present, absent, at = chain.prove(PATH), chain.prove(OTHER), Height(0, 5)
    assert RULES.verify_membership(store, at, present, (PATH,), VALUE)
    for place in range(len(present)):
        spoilt = present[:place] + bytes([present[place] ^ 4]) + present[place + 1 :]
        assert not RULES.verify_membership(store, at, spoilt, (PATH,), VALUE)
    for place in range(len(absent)):
        spoilt = absent[:place] + bytes([absent[place] ^ 4]) + absent[place + 1 :]
        assert not RULES.verify_non_membership(store, at, spoilt, (OTHER,))


def test_a_proof_with_a_node_more_or_fewer_shows_nothing(chain):
    chain.commit(PATH, VALUE)
    store = begun(chain)
    update(store, chain.header(5))
    at = Height(0, 5)
    for path in (PATH, OTHER):
        nodes = StorageProof.decode(chain.prove(path)).nodes
        for spoilt in ((*nodes, nodes[0]), (*nodes, nodes[-1]), (*nodes, b"\x80"), nodes[:-1]):
            proof = StorageProof(spoilt).encode()
            assert not RULES.verify_membership(store, at, proof, (path,), VALUE)
            assert not RULES.verify_non_membership(store, at, proof, (path,))


def test_proofs_fit_one_path_one_height_and_one_value(chain):
    chain.commit(PATH, VALUE)
    store = begun(chain)
    update(store, chain.header(5))
    proof, at = chain.prove(PATH), Height(0, 5)
    for height, path, value, reason in (
        (Height(0, 4), (PATH,), VALUE, "no consensus state"),
        (Height(1, 5), (PATH,), VALUE, "no consensus state"),
        (at, (b"", PATH), VALUE, "not one step"),
        (at, (), VALUE, "not one step"),
        (at, (PATH,), VALUE[:31], "not a commitment"),
        (at, (PATH,), bytes(32), "not a commitment"),
        (at, (OTHER,), VALUE, "node"),
    ):
        shown = RULES.verify_membership(store, height, proof, path, value)
        assert not shown
        assert reason in (shown.refusal or "")
    assert "not one step" in (
        RULES.verify_non_membership(store, at, proof, (b"a", b"b")).refusal or ""
    )


def test_a_commitment_with_leading_zeros_is_the_word_that_storage_keeps(chain):
    value = bytes(9) + b"\x07" * 23
    chain.commit(PATH, value)
    store = begun(chain)
    update(store, chain.header(5))
    assert RULES.verify_membership(store, Height(0, 5), chain.prove(PATH), (PATH,), value)


def test_nothing_is_in_a_storage_that_nobody_wrote_to(chain):
    chain.words = {}
    store = begun(chain)
    update(store, chain.header(5))
    assert RULES.verify_non_membership(store, Height(0, 5), storage_proof([]), (PATH,))


def test_headers_from_the_future_or_from_before_the_trusting_period_are_refused(chain):
    chain.trusting_s = 100
    store = begun(chain)
    now_s = START_S + 60
    update(store, chain.header(5, now_s + 15))
    assert "from the future" in refusal(store, chain.header(6, now_s + 16))
    late = (START_S + 170) * SECOND
    assert "older than the trusting period" in refusal(store, chain.header(3, START_S + 70), late)
    assert RULES.status(store, late) is ClientStatus.ACTIVE
    at_end = (now_s + 15 + 100) * SECOND
    assert RULES.status(store, at_end) is ClientStatus.EXPIRED
    assert RULES.status(store, at_end - 1) is ClientStatus.ACTIVE
    assert "expired" in refusal(store, chain.header(9, now_s + 116), at_end)


def test_expired_states_are_forgotten_one_an_update(chain):
    chain.trusting_s = 100
    store = begun(chain)
    for height in (3, 70):
        update(store, chain.header(height))
    late = (START_S + 120) * SECOND
    update(store, chain.header(81, START_S + 110), late)
    with pytest.raises(ConsensusStateNotFound):
        RULES.timestamp_ns(store, Height(0, 1))
    assert RULES.timestamp_ns(store, Height(0, 3))
    update(store, chain.header(81, START_S + 110), late)
    with pytest.raises(ConsensusStateNotFound):
        RULES.timestamp_ns(store, Height(0, 3))
    assert RULES.timestamp_ns(store, Height(0, 70))


@pytest.mark.parametrize(
    ("height", "changes", "reason"),
    [
        (0, {}, "height out of range"),
        (2**63, {}, "height out of range"),
        (5, {"timestamp": 0}, "time out of range"),
        (5, {"timestamp": 2**63 // SECOND + 1}, "time out of range"),
    ],
)
def test_heights_and_times_that_no_client_holds_are_refused(chain, height, changes, reason):
    assert reason in refusal(begun(chain), chain.header(height, START_S, fields=changes))


def conflict(one, other):
    return Misbehaviour(*(replace(header, account_nodes=()).encode() for header in (one, other)))


def test_misbehaviour_freezes_without_account_proofs(chain):
    for one, other in (
        (chain.header(9, START_S + 1), chain.header(9, START_S + 2)),
        (chain.header(9, START_S + 1), chain.header(5, START_S + 2)),
        (chain.header(9, parent=b"p" * 32), chain.header(8)),
    ):
        store = begun(chain)
        assert RULES.update(store, conflict(one, other).as_any(), NOW).misbehaviour
        assert RULES.status(store, NOW) is ClientStatus.FROZEN


def test_what_is_no_misbehaviour_is_refused(chain):
    store = begun(chain)
    below = chain.block(8)
    child = chain.header(9, parent=below.hash())
    same = chain.header(9)
    assert "one chain" in refusal(store, conflict(same, same))
    assert "one chain" in refusal(store, conflict(child, chain.sealed(below)))
    assert "one chain" in refusal(store, conflict(chain.header(9), chain.header(5)))
    assert "lower header first" in refusal(store, conflict(chain.header(5), chain.header(9)))
    unsealed = chain.header(9, START_S, signers=chain.keys[:2])
    assert "not enough seals" in refusal(store, conflict(same, unsealed))
    with_proofs = Misbehaviour(same.encode(), chain.header(9, START_S).encode())
    assert "account proofs" in refusal(store, with_proofs)


def test_messages_that_are_none_are_refused(chain):
    store = begun(chain)
    for message in (
        AnyMessage("/tieline.client.v1.Other", b""),
        AnyMessage(chain.header(5).as_any().type_url, b"\xff"),
        AnyMessage(chain.header(5).as_any().type_url, b""),
        AnyMessage(Misbehaviour(b"", b"").as_any().type_url, b"\xff"),
        Misbehaviour(b"x", b"y").as_any(),
        ClientHeader(b"\xc0", (), ()).as_any(),
    ):
        with pytest.raises(ClientRefused):
            RULES.update(store, message, NOW)
    with pytest.raises(ClientRefused, match="no client state"):
        RULES.update(DictStore(), chain.header(5).as_any(), NOW)
    assert RULES.status(DictStore(), NOW) is ClientStatus.UNKNOWN


ADDRESSES = tuple(bytes([n]) * 20 for n in range(1, SEALERS_MAX + 2))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"chain_id": 0}, "chain id"),
        ({"chain_id": 2**63}, "chain id"),
        ({"genesis_hash": b"g"}, "32 bytes"),
        ({"commitments_slot": b"g"}, "32 bytes"),
        ({"sealers": ()}, "sealers"),
        ({"sealers": ADDRESSES}, "sealers"),
        ({"sealers": ADDRESSES[1::-1]}, "sealers"),
        ({"sealers": ADDRESSES[:1] * 2}, "sealers"),
        ({"sealers": (b"\1" * 19,)}, "not 20 bytes"),
        ({"sealing": Sealing.QBFT}, "belong into the consensus state"),
        ({"pinned": ()}, "pinned contracts"),
        (
            {"pinned": tuple(PinnedContract(at, b"c" * 32) for at in ADDRESSES[: PINNED_MAX + 1])},
            "pinned contracts",
        ),
        ({"pinned": (PinnedContract(HOST, b"c"),)}, "code hash"),
        ({"pinned": (PinnedContract(HOST[:19], b"c" * 32),)}, "not 20 bytes"),
        ({"host": b"\x99" * 20}, "not among the pinned"),
        ({"latest_height": 0}, "latest height"),
        ({"latest_height": 2**63}, "latest height"),
        ({"trusting_period_ns": 0}, "trusting period"),
        ({"trusting_period_ns": 2**63}, "trusting period"),
        ({"max_clock_drift_ns": 0}, "clock drift"),
        ({"max_clock_drift_ns": 2**63}, "clock drift"),
        ({"is_frozen": True}, "born frozen"),
    ],
)
def test_a_client_state_out_of_range_is_refused(chain, changes, reason):
    state = chain.client_state(**changes)
    with pytest.raises(ClientRefused, match=reason):
        RULES.initialise(DictStore(), state.as_any(), chain.consensus_state().as_any())


@pytest.mark.parametrize(
    ("sealing", "changes", "reason"),
    [
        (Sealing.AUTHORITY, {"storage_root": b"r"}, "lacks a hash"),
        (Sealing.AUTHORITY, {"block_hash": b""}, "lacks a hash"),
        (Sealing.AUTHORITY, {"time_ns": 1}, "without a time"),
        (Sealing.AUTHORITY, {"time_ns": 2**63}, "without a time"),
        (Sealing.AUTHORITY, {"validators": ADDRESSES[:1]}, "belong into the client state"),
        (Sealing.QBFT, {"validators": ()}, "validators"),
        (Sealing.QBFT, {"validators": ADDRESSES[1::-1]}, "validators"),
        (Sealing.IBFT2, {"validators": (b"v",)}, "not 20 bytes"),
    ],
)
def test_a_consensus_state_out_of_range_is_refused(sealing, changes, reason):
    chain = EvmChain(sealing)
    state = chain.consensus_state(**changes)
    with pytest.raises(ClientRefused, match=reason):
        RULES.initialise(DictStore(), chain.client_state().as_any(), state.as_any())


def test_states_of_other_types_or_bytes_are_refused(chain):
    state, first = chain.client_state().as_any(), chain.consensus_state().as_any()
    assert RULES.accepts(state)
    assert not RULES.accepts(first)
    for one, other in (
        (first, first),
        (state, state),
        (AnyMessage(CLIENT_STATE_URL, b"\xff"), first),
        (state, AnyMessage(first.type_url, b"\xff")),
    ):
        with pytest.raises(ClientRefused):
            RULES.initialise(DictStore(), one, other)


def test_remembered_answers_are_the_same_answers(chain):
    rules = EvmSealedClient(verify_header_once)
    for _ in range(2):
        store = begun(chain)
        assert rules.update(store, chain.header(5).as_any(), NOW).heights
        with pytest.raises(ClientRefused, match="not enough"):
            rules.update(store, chain.header(6, signers=chain.keys[:1]).as_any(), NOW)
