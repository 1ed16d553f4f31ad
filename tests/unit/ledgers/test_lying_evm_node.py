"""
A cell's attestor behind the Ethereum adapter, behind a node that lies in one leaf of one answer:
no signature but over the truth, and no other error than those that attestors know.
"""

import asyncio
from dataclasses import replace

import pytest
from fakes.driven import Attested, Link, finish, genesis_of
from fakes.echo_module import echo_module, send_echo
from fakes.evm_node import HonestNode, LyingNode, leaves
from fakes.microgrid import key

from tieline.interfaces.errors import HubError
from tieline.ledgers.ethereum.deployment import shipped_artifacts
from tieline.ledgers.ethereum.embedded import EmbeddedEthereum
from tieline.ledgers.ethereum.final_view import EvmLedgerPlan
from tieline.ledgers.ethereum.finality import FinalityRule
from tieline.ledgers.ethereum.ledger import EthereumLedger
from tieline.ledgers.ethereum.sealing import HeaderSealer, SealJournal
from tieline.ledgers.ethereum.settings import EvmSettings
from tieline.light_clients.evm.building import commitment_slot
from tieline.light_clients.evm.client import EvmSealedClient
from tieline.protocol.commitment import packet_commitment_key, packet_receipt_key
from tieline.utility.attestor import CellAttestor, FollowedLedger
from tieline.utility.journal import SigningJournal
from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    attestation_digest,
    encode_packet_attestation,
    encode_state_attestation,
)
from tieline.wire.evm.header import decode_header
from tieline.wire.hashes import keccak
from tieline.wire.keys import recover_address

SEALERS = [key(f"operator {n}") for n in range(3)]
ATTESTOR = key("attestor of a cell for this ledger")
ANY = FinalityRule(confirmations=0)
TAGGED = FinalityRule(tag="finalized")


def start(chain_id):
    return EmbeddedEthereum(
        genesis_of(chain_id, "evm"),
        key(f"deployer of {chain_id}"),
        SEALERS,
        artifacts={**shipped_artifacts(), "trade": echo_module()},
        plain_send=send_echo,
    )


class World:
    """An EVM ledger that has sent a packet; blocks on top of it."""

    def __init__(self):
        link = Link(Attested(start("lied-about-1")), Attested(start("elsewhere-1")))
        packet = link.send(link.a)
        self.side, self.ledger = link.a, link.a.ledger
        self.height = finish(self.ledger.latest_height())
        self.sent = packet_commitment_key(packet.source_client, packet.sequence)
        self.missing = packet_receipt_key(packet.source_client, 9)
        self.value = finish(self.ledger.query("ibc", self.sent))
        self.time_s = self.side.now_s
        self.side.block()
        self.genesis = self.ledger._genesis
        self.states = self.ledger.client_states(2)

    def truth(self):
        state = encode_state_attestation(self.height, self.time_s)
        entries = [(keccak(self.sent), self.value), (keccak(self.missing), bytes(32))]
        packets = encode_packet_attestation(self.height, entries)
        return attestation_digest(STATE_TAG, state), attestation_digest(PACKET_TAG, packets)


@pytest.fixture(scope="module")
def world():
    return World()


class Clock:
    def __init__(self, time_s):
        self.time_s = time_s

    def now_s(self):
        return self.time_s


class Operator(HeaderSealer):
    """Seals what its own, honest node shows as final, and nothing else."""

    def __init__(self, world):
        super().__init__(world.ledger.chain_tag, SEALERS, SealJournal(":memory:"))
        self.final = {world.ledger._chain.header(one) for one in range(world.height + 1)}

    def seal(self, header):
        return super().seal(header) if header in self.final else ()


def signatures(world, node, *, rule=ANY, sealer=None, height=None):
    """State and packets, as a cell signs them behind *node*; None where it is silent."""
    tag = world.ledger.chain_tag
    own = sealer or HeaderSealer(tag, SEALERS, SealJournal(":memory:"))
    plan = EvmLedgerPlan(world.genesis, world.ledger.deployment)
    ledger = EthereumLedger(plan, [node], EvmSettings(rule), sealer=own)
    journal = SigningJournal(":memory:")
    attestor = CellAttestor(b"\1" * 20, journal, Clock(world.time_s + 8))
    attestor.follow(FollowedLedger(ledger, tag, EvmSealedClient(), ATTESTOR), *world.states)
    at = world.height if height is None else height
    name = ledger.ledger_id

    async def ask():
        found = []
        for signing in (state, packets):
            try:
                found.append(await signing())
            except HubError:
                found.append(None)  # whoever asks gets no header or proof to show
        ledger.close()
        return found

    async def state():
        return await attestor.attest_state(name, await ledger.header(at, 2), at)

    async def packets():
        entries = await ledger.prove_many([world.sent, world.missing], at)
        return await attestor.attest_packets(name, at, entries)

    return asyncio.run(ask())


def test_behind_an_honest_node_the_truth_is_signed(world):
    for rule in (ANY, TAGGED):
        found = signatures(world, HonestNode(world.ledger, world.height), rule=rule)
        for digest, signature in zip(world.truth(), found, strict=True):
            assert recover_address(digest, signature) == ATTESTOR.address


def others(value):
    """Other leaves of the same kind, and of none."""
    yield value[:-1] + ("1" if value[-1] != "1" else "2")
    middle = 2 + (len(value) - 2) // 2
    if middle < len(value):
        yield value[:middle] + ("7" if value[middle] != "7" else "8") + value[middle + 1 :]
    yield "0x"
    yield value + "00"
    yield None


def leaf_lie(path, value, only=None):
    def lie(told, parameters):
        if told is None or (only is not None and not only(parameters)):
            return told
        inner = told
        try:
            for step in path[:-1]:
                inner = inner[step]
            if path[-1] in inner or isinstance(inner, list):
                inner[path[-1]] = value
        except (KeyError, IndexError):
            return told
        return told

    return lie


def lies(world):
    """Every way to a leaf of every answer that an attestor's work rests on."""
    node = HonestNode(world.ledger)
    host = "0x" + world.ledger.deployment.addresses.host.hex()
    slots = ["0x" + commitment_slot(one).hex() for one in (world.sent, world.missing)]
    at = hex(world.height)
    block = node.answer("eth_getBlockByNumber", (at, False))
    proof = node.answer("eth_getProof", (host, slots, at))
    for method, told in (("eth_getBlockByNumber", block), ("eth_getProof", proof)):
        for path in leaves(told):
            honest = told
            for step in path:
                honest = honest[step]
            for value in others(honest):
                if value != honest:
                    yield method, path, value


def test_whatever_leaf_a_node_changes_nothing_is_signed_but_the_truth(world):
    at = hex(world.height)
    silent, tried = set(), set()
    for method, path, value in lies(world):
        place = (method, *(step for step in path))
        tried.add(place)

        def asked_for(parameters, method=method):
            return parameters[0] == at if method == "eth_getBlockByNumber" else True

        node = LyingNode(world.ledger, method, leaf_lie(path, value, asked_for))
        found = signatures(world, node)
        for digest, signature in zip(world.truth(), found, strict=True):
            if signature is None:
                silent.add(place)
            else:
                assert recover_address(digest, signature) == ATTESTOR.address, (place, value)
    unread = {place for place in tried - silent if place[-1] not in {"address", "key"}}
    assert {place[1] for place in unread} <= {"storageHash", "transactions", "uncles"}
    assert len(silent) > 30


def test_a_block_that_is_not_final_is_not_signed_whatever_the_tag_says(world):
    node = HonestNode(world.ledger, world.height + 1)
    operator = Operator(world)
    assert signatures(world, node, rule=TAGGED, sealer=operator, height=world.height + 1) == [
        None,
        None,
    ]
    below = HonestNode(world.ledger, world.height - 1)
    assert signatures(world, below, rule=TAGGED, sealer=operator) == [None, None]
    true = signatures(world, HonestNode(world.ledger, world.height), rule=TAGGED, sealer=operator)
    assert None not in true


WHOLE_LIES = [
    ("eth_getBlockByNumber", lambda node, told, asked: node.block(1)),
    ("eth_getBlockByNumber", lambda node, told, asked: None),
    ("eth_getBlockByNumber", lambda node, told, asked: {}),
    ("eth_getBlockByNumber", lambda node, told, asked: []),
    ("eth_getProof", lambda node, told, asked: None),
    ("eth_getProof", lambda node, told, asked: {**told, "storageProof": []}),
    ("eth_getProof", lambda node, told, asked: {**told, "accountProof": told["accountProof"][1:]}),
    ("eth_getProof", lambda node, told, asked: {**told, "accountProof": []}),
    (
        "eth_getProof",
        lambda node, told, asked: {**told, "storageProof": told["storageProof"][::-1]},
    ),
    ("eth_getProof", lambda node, told, asked: node._eth_getProof(asked[0], asked[1], "0x2")),
    ("eth_getProof", lambda node, told, asked: node._eth_getProof("0x" + "99" * 20, *asked[1:])),
    ("eth_getCode", lambda node, told, asked: "0x"),
    ("eth_getCode", lambda node, told, asked: told + "00"),
    ("eth_getCode", lambda node, told, asked: None),
    ("eth_chainId", lambda node, told, asked: "0x1"),
    ("eth_chainId", lambda node, told, asked: None),
]


@pytest.mark.parametrize("number", range(len(WHOLE_LIES)))
def test_another_answer_than_asked_for_is_not_signed(world, number):
    method, lie = WHOLE_LIES[number]
    honest = HonestNode(world.ledger)

    node = LyingNode(world.ledger, method, lambda told, asked: lie(honest, told, asked))
    found = signatures(world, node)
    for digest, signature in zip(world.truth(), found, strict=True):
        assert signature is None or recover_address(digest, signature) == ATTESTOR.address
    assert None in found


def test_a_true_header_of_another_time_does_not_pass_for_this_one(world):
    """The node makes up a whole consistent block; the operator has sealed another one."""
    chain = world.ledger._chain
    honest = HonestNode(world.ledger)

    def later(told, asked):
        if asked[0] != hex(world.height):
            return told
        header = decode_header(chain.header(world.height))
        made_up = replace(header, timestamp=header.timestamp + 1)
        return {
            **honest.block(world.height),
            "timestamp": hex(made_up.timestamp),
            "hash": "0x" + made_up.hash().hex(),
        }

    node = LyingNode(world.ledger, "eth_getBlockByNumber", later)
    assert signatures(world, node, sealer=Operator(world)) == [None, None]
