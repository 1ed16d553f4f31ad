"""
What a real node once answered, in which single leaves can be changed, behind what an adapter makes
of such answers: headers sealed by an operator whose own node is honest, and proofs.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path

from fakes.evm_chain import SECOND, keys
from tieline.interfaces.errors import Unavailable
from tieline.interfaces.ledger import Capabilities, Finality, StoredValue
from tieline.ledgers.ethereum.sealing import HeaderSealer, SealJournal
from tieline.light_clients.evm.building import client_header, storage_proof
from tieline.light_clients.evm.messages import (
    ClientState,
    ConsensusState,
    PinnedContract,
    Sealing,
)
from tieline.protocol.height import Height
from tieline.wire.errors import Malformed
from tieline.wire.evm.header import header_of_rpc_block
from tieline.wire.hashes import keccak

RECORDED = json.loads(
    (Path(__file__).parents[1] / "vectors" / "evm_proofs.json").read_text(encoding="utf-8")
)
ENGINES = ("anvil", "geth")
CODE_HASH = keccak(b"\0")
"""The recorded contract's code is one byte, STOP."""


def octets(text):
    return bytes.fromhex(text.removeprefix("0x"))


class RecordedLedger:
    """Fits what an attestor asks of a ledger; *lie* changes the answers on their way."""

    def __init__(self, engine, lie=lambda answers: None):
        self.ledger_id = engine
        self.honest = RECORDED[engine]
        self.answers = copy.deepcopy(self.honest)
        lie(self.answers)
        self.capabilities = Capabilities("evm", "evm-sealed", (b"",), Finality.DETERMINISTIC, 0)
        self.height = int(self.honest["block"]["number"], 16)
        self.time_s = int(self.honest["block"]["timestamp"], 16)
        self.host = octets(self.honest["host"]["address"])
        self.operator = HeaderSealer(
            self.client_state().chain_tag, keys(4), SealJournal(":memory:")
        )

    @property
    def chain_tag(self):
        return self.client_state().chain_tag

    def client_state(self):
        """What the cell's operator has checked: nothing in it is of the lying node."""
        return ClientState(
            RECORDED["chain_id"],
            octets(self.honest["genesis"]["hash"]),
            Sealing.AUTHORITY,
            tuple(key.address for key in keys(4)),
            self.host,
            (PinnedContract(self.host, CODE_HASH),),
            latest_height=1,
            trusting_period_ns=86_400 * SECOND,
            max_clock_drift_ns=15 * SECOND,
        )

    def first_states(self):
        consensus = ConsensusState((self.time_s - 60) * SECOND, b"r" * 32, b"h" * 32)
        return self.client_state().as_any(), consensus.as_any()

    async def header(self, height, trusted_height):
        del trusted_height
        block, account = self.answers["block"], self.answers["host"]
        try:
            header = header_of_rpc_block(block).encode()
            nodes = [octets(node) for node in account["accountProof"]]
        except (Malformed, ValueError) as exc:
            raise Unavailable(str(exc)) from exc
        seals = self.operator.seal(header_of_rpc_block(self.honest["block"]).encode())
        return client_header(header, [nodes], seals, height).as_any()

    def entries(self):
        """Every recorded slot, as the hub would bring it."""
        paths = [octets(one["path"]) for one in self.honest["stored"]]
        paths += [octets(one) for one in self.honest["absent"]]
        place = Height(0, int(self.answers["block"]["number"], 16))
        found = []
        for path, told in zip(paths, self.answers["host"]["storageProof"], strict=True):
            number = int(told["value"], 16)
            value = number.to_bytes(32, "big") if number else None
            proof = storage_proof([octets(node) for node in told["proof"]])
            found.append(StoredValue(path, value, place, proof))
        return found
