"""
An EVM chain that says whatever a test asks for: tries and headers by the reference libraries,
sealed by an authority set, or as QBFT and IBFT 2.0 validators do.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import rlp
from eth_utils import keccak
from trie import HexaryTrie

from tieline.light_clients.evm.building import client_header, commitment_slot, storage_proof
from tieline.light_clients.evm.messages import (
    ClientHeader,
    ClientState,
    ConsensusState,
    PinnedContract,
    Sealing,
)
from tieline.wire.evm.header import EvmHeader
from tieline.wire.ids import header_seal
from tieline.wire.keys import SecpKey

SECOND = 10**9
START_S = 1_800_000_000
CHAIN_ID = 1337
GENESIS = sha256(b"block 0").digest()
HOST = b"\x44" * 20
NAMES = ("host", "app", "trade", "exits", "book")
CODE = {bytes([0x44 + n]) * 20: sha256(name.encode()).digest() for n, name in enumerate(NAMES)}
HASH = bytes(32)


def keys(count: int, salt: str = "sealer") -> list[SecpKey]:
    """Keys in the order of their addresses."""
    drawn = [SecpKey(sha256(f"{salt} {n}".encode()).digest()) for n in range(count)]
    return sorted(drawn, key=lambda key: key.address)


class EvmChain:
    """Blocks at any height and time over one state, which tests change."""

    def __init__(self, sealing=Sealing.AUTHORITY, sealers=4, trusting_s=86_400, salt="sealer"):
        self.sealing = sealing
        self.keys = keys(sealers, salt)
        self.trusting_s = trusting_s
        self.code = dict(CODE)
        self.words = {b"\0" * 32: 7, b"\0" * 31 + b"\1": 2**255}
        self.others = {bytes([n]) * 20: n for n in range(20)}

    def commit(self, path: bytes, value: bytes) -> None:
        """Store a commitment, as the host contract would."""
        self.words[commitment_slot(path)] = int.from_bytes(value, "big")

    @property
    def storage(self) -> HexaryTrie:
        return grow({keccak(slot): rlp.encode(word) for slot, word in self.words.items() if word})

    @property
    def accounts(self) -> HexaryTrie:
        empty = keccak(b"\x80")
        fields = {at: [n, 10**18, empty, keccak(b"")] for at, n in self.others.items()}
        for address, code_hash in self.code.items():
            root = self.storage.root_hash if address == HOST else empty
            fields[address] = [1, 0, root, code_hash]
        return grow({keccak(at): rlp.encode(account) for at, account in fields.items()})

    def block(self, height, time_s=None, parent=HASH, **changes) -> EvmHeader:
        """An unsealed header over the state as it is now."""
        header = EvmHeader(
            parent, HASH, bytes(20), self.accounts.root_hash, HASH, HASH, bytes(256), 0, height,
            30_000_000, 0, START_S + height if time_s is None else time_s, b"", HASH, bytes(8),
            7, HASH, 0, 0, HASH, HASH,
        )  # fmt: skip
        return replace(header, **changes)

    def header(self, height, time_s=None, *, parent=HASH, fields=None, **sealing) -> ClientHeader:
        """A sealed header with its account proofs; *sealing* as of ``sealed``."""
        return self.sealed(self.block(height, time_s, parent, **(fields or {})), **sealing)

    def sealed(self, block, *, signers=None, validators=None, trusted=0) -> ClientHeader:
        """Seal a block by *signers* (all, if not said), as one of *validators*."""
        signing = self.keys if signers is None else signers
        seals = ()
        if self.sealing is Sealing.AUTHORITY:
            digest = header_seal(self.client_state().chain_tag, block.hash())
            seals = [key.sign_digest(digest) for key in signing]
        else:
            members = self.keys if validators is None else validators
            block = bft_sealed(block, self.sealing, members, signing)
        proofs = [
            [rlp.encode(node) for node in self.accounts.get_proof(keccak(address))]
            for address in sorted(self.code)
        ]
        return client_header(block.encode(), proofs, seals, trusted)

    def prove(self, path: bytes) -> bytes:
        """Native proof of a commitment, or of its absence, in the state as it is now."""
        key = keccak(commitment_slot(path))
        nodes = [rlp.encode(node) for node in self.storage.get_proof(key)]
        return storage_proof([node for node in nodes if len(node) >= 32])

    def client_state(self, height=1, **changes) -> ClientState:
        state = ClientState(
            CHAIN_ID,
            GENESIS,
            self.sealing,
            self.addresses if self.sealing is Sealing.AUTHORITY else (),
            HOST,
            tuple(PinnedContract(at, self.code[at]) for at in sorted(self.code)),
            latest_height=height,
            trusting_period_ns=self.trusting_s * SECOND,
            max_clock_drift_ns=15 * SECOND,
        )
        return replace(state, **changes)

    @property
    def addresses(self) -> tuple[bytes, ...]:
        return tuple(key.address for key in self.keys)

    def consensus_state(self, height=1, **changes) -> ConsensusState:
        validators = () if self.sealing is Sealing.AUTHORITY else self.addresses
        state = ConsensusState(
            (START_S + height) * SECOND,
            self.storage.root_hash,
            self.block(height).hash(),
            validators,
        )
        return replace(state, **changes)


def grow(entries) -> HexaryTrie:
    tree = HexaryTrie({})
    for key, value in entries.items():
        tree[key] = value
    return tree


VANITY = b"\x07" * 32


def extra(sealing, members, turn, seals, *, vote=None):
    """Extra data by the reference library; turn None and seals None leave them out."""
    addresses = [key.address for key in members]
    if sealing is Sealing.QBFT:
        return rlp.encode([VANITY, addresses, vote or [], turn or 0, seals or []])
    items = [VANITY, addresses, vote or b""]
    if turn is not None:
        items.append(turn.to_bytes(4, "big"))
    if seals is not None:
        items.append(seals)
    return rlp.encode(items)


def bft_sealed(block, sealing, members, signers, turn=3, vote=None):
    """A header as QBFT or IBFT 2.0 validators agree on it in round *turn*."""
    unsealed = replace(block, extra_data=extra(sealing, members, turn, None, vote=vote))
    seals = []
    for key in signers:
        seal = key.sign_digest(unsealed.hash())
        seals.append(seal[:-1] + bytes([seal[-1] - 27]))
    return replace(block, extra_data=extra(sealing, members, turn, seals, vote=vote))


def bft_block_hash(block, sealing, members, vote=None):
    """What the next block names as its parent."""
    return replace(block, extra_data=extra(sealing, members, None, None, vote=vote)).hash()
