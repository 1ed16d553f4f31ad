"""The embedded EVM ledger: what is its own; what all ledgers promise is in tests/conformance."""

from pathlib import Path

import pytest
import rlp
from eth.vm.forks.prague import PragueVM
from fakes.driven import START_S, finish
from fakes.evm_links import embedded, linked
from fakes.microgrid import key
from trie import HexaryTrie

from tieline.contract.accounts import pay_key
from tieline.contract.genesis import Genesis
from tieline.interfaces.errors import ConfigError, NotYet, Rejected
from tieline.ledgers.ethereum.block_file import BLOCKS_FILE, DEPLOYMENT_FILE
from tieline.ledgers.ethereum.deployment import Deployment, fuel_of
from tieline.ledgers.ethereum.embedded import EmbeddedEthereum
from tieline.ledgers.ethereum.final_proofs import ROOTS_FILE
from tieline.ledgers.ethereum.pyevm_chain import PyEvmChain
from tieline.protocol.commitment import commit_packet, packet_commitment_key
from tieline.swap.messages import MsgSend, MsgTakeOwed
from tieline.wire.blocks import encode_frame
from tieline.wire.evm.blocks import EvmBlock
from tieline.wire.hashes import sha256

LANES = ("relayer", "cell")


def opened(store, chain_id="kept-1"):
    ledger = embedded(chain_id, store)
    for lane in LANES:
        ledger.add_lane(lane, key(f"{lane} of {chain_id}"))
    ledger.resume()
    return ledger


def pay(ledger, amount=5):
    message = MsgSend(b"", ledger.lane_account("cell"), amount)
    return finish(ledger.submit("relayer", [message]))


def lived(store):
    """A ledger with four blocks: contracts, two payments, nothing, a payment that fails."""
    ledger = opened(store)
    for number, amounts in enumerate(((), (1, 2), (), (10**30,))):
        for amount in amounts:
            pay(ledger, amount)
        assert ledger.produce_block(START_S + 5 * number, is_deadline=True)
    return ledger


def told(ledger):
    """All that an observer sees."""
    return (
        finish(ledger.blocks_after(0)),
        finish(ledger.scan("tieline", b"")),
        finish(ledger.scan("ibc", b"")),
        finish(ledger.state_root()),
        finish(ledger.header(3, 1)),
        ledger.client_states(2),
    )


def test_what_was_told_is_told_again_after_a_restart(tmp_path):
    """Blocks, stores, roots, seals."""
    first = lived(tmp_path)
    before = told(first)
    first.close()
    again = opened(tmp_path)
    assert told(again) == before
    pay(again)
    assert again.produce_block(START_S + 100)
    assert finish(again.blocks_after(4))[0].transactions[0].code == 0
    again.close()


def test_two_lives_alike_are_alike_to_the_last_bit(tmp_path):
    """Nothing of a block is drawn or taken from a clock."""
    one, other = lived(tmp_path / "one"), lived(tmp_path / "other")
    assert told(one) == told(other)
    assert (tmp_path / "one" / BLOCKS_FILE).read_bytes() == (
        tmp_path / "other" / BLOCKS_FILE
    ).read_bytes()
    for ledger in (one, other):
        ledger.close()


def test_a_torn_tail_is_cut_off(tmp_path):
    """A kill in mid-write costs the block that nobody was told of."""
    lived(tmp_path).close()
    path = tmp_path / BLOCKS_FILE
    path.write_bytes(path.read_bytes()[:-3])
    ledger = opened(tmp_path)
    assert finish(ledger.latest_height()) == 3
    assert ledger.produce_block(START_S + 15, is_deadline=True)
    ledger.close()
    assert opened(tmp_path).resume() == 4


def test_a_block_that_was_changed_is_refused(tmp_path):
    """Even where its own bytes hold together: executed again, it gives another."""
    ledger = lived(tmp_path)
    block = ledger.blocks[1]
    changed = EvmBlock(block.header, block.transactions[:1], block.receipts[:1])
    ledger.close()
    again = embedded("kept-1", tmp_path)
    again._file.read = lambda: (ledger.blocks[0], changed)
    with pytest.raises(ConfigError, match="not this ledger's: ledger=kept-1 height=2 stored=0x"):
        again.resume()
    again.close()


@pytest.mark.parametrize("name", ["genesis.json", DEPLOYMENT_FILE, ROOTS_FILE])
def test_a_kill_while_a_file_is_written_leaves_the_folder_this_ledgers(tmp_path, monkeypatch, name):
    whole = Path.write_bytes

    def torn(path, content):
        whole(path, content[: len(content) // 2 if path.name.startswith(name) else None])
        if path.name.startswith(name):
            raise KeyboardInterrupt

    with monkeypatch.context() as kill:
        kill.setattr(Path, "write_bytes", torn)
        with pytest.raises(KeyboardInterrupt):
            lived(tmp_path)
    opened(tmp_path).close()
    assert (tmp_path / name).exists()


def test_another_ledgers_folder_is_refused(tmp_path):
    lived(tmp_path).close()
    with pytest.raises(ConfigError, match=r"genesis.json is another ledger's; take an empty"):
        opened(tmp_path, "other-1")


def test_the_deployment_is_written_beside_the_blocks(tmp_path):
    """So that others find the contracts, and know them again."""
    ledger = lived(tmp_path)
    record = Deployment.from_bytes((tmp_path / DEPLOYMENT_FILE).read_bytes())
    assert record == ledger.deployment
    assert record.chain_tag == ledger.chain_tag
    ledger.close()


def test_the_tag_is_known_before_block_1():
    """Block 0 names the whole genesis: another one is another chain."""
    one, other = embedded("one-1"), embedded("two-1")
    assert len(one.chain_tag) == 32
    assert one.chain_tag != other.chain_tag


def test_money_of_genesis_is_in_accounts_and_vaults():
    """Told by the contracts, not taken from the genesis."""
    ledger = opened(None)
    assert finish(ledger.query("tieline", pay_key(ledger.lane_account("cell")))) is None
    assert ledger.produce_block(START_S)
    held = finish(ledger.query("tieline", pay_key(ledger.lane_account("cell"))))
    assert int.from_bytes(held, "big") == 10**12


def test_receipts_and_transactions_lie_under_the_roots_of_their_header(tmp_path):
    """What an audit checks without any EVM."""
    ledger = lived(tmp_path)
    for block in ledger.blocks:
        header = block.read_header()
        for items, root in (
            (block.transactions, header.transactions_root),
            (block.receipts, header.receipts_root),
        ):
            trie = HexaryTrie({})
            for index, item in enumerate(items):
                trie[rlp.encode(index)] = item
            assert trie.root_hash == root
    ledger.close()


def test_a_refused_transaction_says_why_in_words():
    ledger = lived(None)
    (refused,) = finish(ledger.blocks_after(3))[0].transactions
    assert (refused.codespace, refused.code) == ("sdk", 5)
    assert refused.log.startswith("InsufficientFunds: held=")
    assert refused.events == ()


def test_messages_that_make_no_sense_here_are_refused_at_the_door():
    ledger = lived(None)
    with pytest.raises(Rejected, match="MsgTakeOwed is not for EVM ledgers"):
        finish(ledger.submit("relayer", [MsgTakeOwed(b"", bytes(32))]))
    assert not ledger.wants_block


def test_nothing_is_submitted_before_the_contracts_are_there():
    with pytest.raises(NotYet, match="block 1"):
        pay(opened(None))


def test_a_genesis_of_another_kind_is_refused():
    cell = key("cell").address
    other = Genesis("mg-1", b"\xee" * 32, cell, (cell,))
    with pytest.raises(ConfigError, match="kind: genesis of kind cometbft; write kind evm"):
        EmbeddedEthereum(other, key("deployer"), [key("sealer")])


def test_old_heights_prove_what_was_stored_then():
    """A header that a client holds stays of use."""
    link = linked()
    packet = link.send(link.a)
    stored_key = packet_commitment_key(packet.source_client, packet.sequence)
    height = finish(link.a.ledger.latest_height())
    before = finish(link.a.ledger.prove(stored_key, height - 1))
    assert before.value is None
    assert finish(link.a.ledger.prove(stored_key, height)).value == commit_packet(packet)
    link.a.block()
    assert finish(link.a.ledger.prove(stored_key, height - 1)) == before


def test_blocks_are_py_evms_own_byte_for_byte():
    """What the short way makes, py-evm's own way makes."""
    link = linked()
    link.b.must(*link.receive(link.send(link.a), link.a))
    ledger = link.b.ledger
    plain = PyEvmChain(
        ledger.deployment.chain_id,
        fuel_of(ledger._genesis, key("deployer of second-1").address),
        sha256(ledger._genesis.to_bytes()),
        PragueVM,
    )
    for block in ledger.blocks:
        made = plain.make_block(block.read_header().timestamp, block.transactions)
        assert made.block == block


def test_proofs_of_packet_messages_are_found_in_the_blocks():
    """By step, client and sequence; with the height that their attestation names."""
    link = linked()
    packets = [link.send(link.a) for _ in range(2)]
    entries = [link.receive(packet, link.a)[1] for packet in packets]
    update, _ = link.receive(packets[1], link.a)
    height = entries[1].proof_height.revision_height
    link.b.must(update, entries[1])
    (proof,) = finish(link.b.ledger.packet_proofs())
    assert (proof.step, proof.client, proof.sequence) == ("recv", "attestations-0", 2)
    assert proof.height == height
    assert proof.size == 192 + 3 * 65
    assert not finish(link.a.ledger.packet_proofs())


def test_a_damaged_block_is_refused_with_its_folder(tmp_path):
    """Whole by its frame, but no block."""
    lived(tmp_path).close()
    (tmp_path / BLOCKS_FILE).write_bytes(encode_frame(b"\xc0"))
    with pytest.raises(ConfigError, match=r"damaged blocks in .*restore a copy"):
        opened(tmp_path)
