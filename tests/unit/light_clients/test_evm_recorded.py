"""Proofs that anvil and geth gave: each verifies, and none with a byte changed."""

import pytest
from fakes.recorded_node import CODE_HASH, ENGINES, RECORDED, octets
from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.light_clients.evm.building import EMPTY_TRIE_NODE, commitment_slot
from tieline.light_clients.evm.trie import (
    EMPTY_ROOT,
    ProofNodes,
    ProofRefused,
    look_up_account,
    look_up_word,
)
from tieline.wire.evm.header import decode_header, header_of_rpc_block

engines = pytest.mark.parametrize("engine", ENGINES)


def header(engine, name="block"):
    return header_of_rpc_block(RECORDED[engine][name])


def account(engine, name="host", nodes=None):
    told = RECORDED[engine][name]
    given = [octets(node) for node in told["accountProof"]] if nodes is None else nodes
    taken = ProofNodes(given)
    found = look_up_account(header(engine).state_root, octets(told["address"]), taken)
    taken.finish()
    return found


def word(engine, index, nodes=None):
    told = RECORDED[engine]["host"]["storageProof"][index]
    given = [octets(node) for node in told["proof"]] if nodes is None else nodes
    taken = ProofNodes(given)
    slot = octets(told["key"].removeprefix("0x").rjust(64, "0"))
    found = look_up_word(account(engine).storage_root, slot, taken)
    taken.finish()
    return found


@engines
@pytest.mark.parametrize("name", ["genesis", "block"])
def test_the_hash_of_the_header_is_the_one_that_the_node_tells(engine, name):
    told = RECORDED[engine][name]
    one = header(engine, name)
    assert one.hash() == octets(told["hash"])
    assert decode_header(one.encode()) == one


@engines
def test_the_account_is_proved_under_the_headers_state_root(engine):
    told, found = RECORDED[engine]["host"], account(engine)
    assert found is not None
    assert found.code_hash == octets(told["codeHash"]) == CODE_HASH
    assert found.storage_root == octets(told["storageHash"])
    assert found.nonce == int(told["nonce"], 16)
    assert found.balance_wei == int(told["balance"], 16)


@engines
def test_an_account_that_is_not_there_is_proved_absent(engine):
    assert account(engine, "nobody") is None


@engines
def test_stored_commitments_are_proved_where_the_host_keeps_them(engine):
    for index, one in enumerate(RECORDED[engine]["stored"]):
        told = RECORDED[engine]["host"]["storageProof"][index]
        assert octets(told["key"]) == commitment_slot(octets(one["path"]))
        assert word(engine, index) == octets(one["value"])


@engines
def test_commitments_that_nobody_stored_are_proved_absent(engine):
    stored = len(RECORDED[engine]["stored"])
    for index, path in enumerate(RECORDED[engine]["absent"], start=stored):
        told = RECORDED[engine]["host"]["storageProof"][index]
        assert octets(told["key"]) == commitment_slot(octets(path))
        assert word(engine, index) is None


def test_a_node_with_no_storage_to_show_shows_an_empty_trie():
    for engine in ENGINES:
        told = RECORDED[engine]["nobody"]["storageProof"][0]["proof"]
        nodes = ProofNodes([octets(node) for node in told] or [EMPTY_TRIE_NODE])
        assert look_up_word(EMPTY_ROOT, bytes(32), nodes) is None


@engines
def test_every_altered_byte_of_every_node_is_refused(engine):
    proofs = [(account, RECORDED[engine]["host"]["accountProof"])]
    proofs += [
        (lambda e, nodes, i=i: word(e, i, nodes), told["proof"])
        for i, told in enumerate(RECORDED[engine]["host"]["storageProof"])
    ]
    for look, told in proofs:
        nodes = [octets(node) for node in told]
        for index, node in enumerate(nodes):
            for place in range(0, len(node), 3):
                spoilt = node[:place] + bytes([node[place] ^ 0x21]) + node[place + 1 :]
                changed = [*nodes[:index], spoilt, *nodes[index + 1 :]]
                with pytest.raises(ProofRefused):
                    look(engine, nodes=changed)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_mixture_of_real_nodes_shows_anything_else(data):
    """Nodes of other proofs, of the other engine, cut short or doubled."""
    pool = [
        octets(node)
        for engine in ENGINES
        for told in (RECORDED[engine]["host"], *RECORDED[engine]["host"]["storageProof"])
        for node in told.get("accountProof", told.get("proof"))
    ]
    engine = data.draw(st.sampled_from(ENGINES))
    index = data.draw(st.integers(0, 5))
    honest = [octets(n) for n in RECORDED[engine]["host"]["storageProof"][index]["proof"]]
    nodes = data.draw(st.lists(st.sampled_from(pool), max_size=5))
    try:
        found = word(engine, index, nodes)
    except ProofRefused:
        return
    assert nodes == honest
    assert found == word(engine, index)
