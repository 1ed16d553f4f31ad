"""
A cell's attestor of a ledger on anvil or geth, with a proxy before the node that changes one leaf
of what the light client rests on: no signature.
"""

from __future__ import annotations

import asyncio
import copy

import pytest
from fakes.driven import LOOP, finish
from fakes.evm_engine import EvmChain, settle
from fakes.lying_peer import leaves
from fakes.microgrid import key

from tieline.interfaces.errors import HubError
from tieline.ledgers.ethereum.rpc import EvmRpc
from tieline.light_clients.evm.client import EvmSealedClient
from tieline.utility.attestor import CellAttestor, FollowedLedger
from tieline.utility.journal import SigningJournal
from tieline.wire.attestations import (
    PACKET_TAG,
    STATE_TAG,
    attestation_digest,
    encode_packet_attestation,
    encode_state_attestation,
)
from tieline.wire.hashes import keccak
from tieline.wire.keys import recover_address

pytestmark = pytest.mark.native

MISSING = b"attestations-0\x02" + bytes(7) + b"\x01"
ATTESTOR = key("attestor of a cell for a native ledger")


class Proxy(EvmRpc):
    """Stands between ledger and node; *lie* changes the answers of one method."""

    method, lie, last = "", None, None

    def heard(self, call, answer):
        if call.method != self.method or isinstance(answer, HubError):
            return answer
        self.last = answer
        return answer if self.lie is None else self.lie(copy.deepcopy(answer))

    async def batch(self, calls):
        answers = await super().batch(calls)
        return [self.heard(*both) for both in zip(calls, answers, strict=True)]


class Clock:
    def __init__(self, time_s):
        self.time_s = time_s

    def now_s(self):
        return self.time_s


class Bench:
    """A chain, a ledger behind the proxy, and the height that is asked for."""

    def __init__(self, engine, folder):
        self.chain = EvmChain(engine, folder)
        self.proxy = Proxy(self.chain.process.address)
        self.ledger = self.chain.open(rpcs=[self.proxy])
        finish(self.ledger.submit("relayer", [self.chain.pay("relayer", "cell", 1)]))
        settle(self.ledger)
        self.height = finish(self.ledger.latest_height())
        self.time_s = finish(self.ledger.blocks_after(self.height - 1, 1))[0].time_s
        self.states = finish(self.ledger.client_states(self.chain.deployment.start_height))

    def signatures(self):
        """State and the absence of a packet, as a new attestor signs them; None for silence."""
        attestor = CellAttestor(b"\1" * 20, SigningJournal(":memory:"), Clock(self.time_s + 5))
        tag, name = self.ledger.chain_tag, self.ledger.ledger_id
        attestor.follow(FollowedLedger(self.ledger, tag, EvmSealedClient(), ATTESTOR), *self.states)
        return [
            self.tried(self.state(attestor, name)),
            self.tried(self.packets(attestor, name)),
        ]

    async def state(self, attestor, name):
        header = await self.ledger.header(self.height, 1)
        return await attestor.attest_state(name, header, self.height)

    async def packets(self, attestor, name):
        entries = await self.ledger.prove_many([MISSING], self.height)
        return await attestor.attest_packets(name, self.height, entries)

    @staticmethod
    def tried(asking):
        try:
            return finish(asking)
        except HubError:
            return None  # whoever asks has nothing to show

    def truth(self):
        state = encode_state_attestation(self.height, self.time_s)
        packets = encode_packet_attestation(self.height, [(keccak(MISSING), bytes(32))])
        return attestation_digest(STATE_TAG, state), attestation_digest(PACKET_TAG, packets)

    def hears(self, method):
        """Return an honest answer that the attestor's work rests on."""
        self.proxy.method, self.proxy.lie = method, None
        assert None not in self.signatures()
        return self.proxy.last


@pytest.fixture(params=["anvil", "geth"])
def bench(request, tmp_path):
    found = Bench(request.param, tmp_path / request.param)
    yield found
    found.proxy.lie = None
    found.chain.stop()
    LOOP.run_until_complete(asyncio.sleep(0))


def other(value):
    last = "1" if value[-1] != "1" else "2"
    return (value[:-1] + last, "0x", value + "00", None)


def test_no_leaf_that_a_real_node_tells_can_be_changed_unseen(bench):
    for digest, signature in zip(bench.truth(), bench.signatures(), strict=True):
        assert recover_address(digest, signature) == ATTESTOR.address
    silent, tried = set(), set()
    for method in ("eth_getBlockByNumber", "eth_getProof"):
        honest = bench.hears(method)
        for path in leaves(honest):
            told = honest
            for step in path:
                told = told[step]
            if not isinstance(told, str):
                continue
            tried.add((method, path[0]))
            for value in other(told):
                bench.proxy.lie = lie_at(path, value)
                for digest, signature in zip(bench.truth(), bench.signatures(), strict=True):
                    if signature is None:
                        silent.add((method, path[0]))
                    else:
                        assert recover_address(digest, signature) == ATTESTOR.address, path
    unread = {name for _, name in tried - silent}
    assert unread <= {"address", "balance", "codeHash", "nonce", "size", "storageHash",
                      "totalDifficulty", "transactions", "withdrawals"}  # fmt: skip
    assert len(silent) > 20


def lie_at(path, value):
    def lie(told):
        inner = told
        try:
            for step in path[:-1]:
                inner = inner[step]
            inner[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            pass  # another answer of the method, without such a leaf
        return told

    return lie
