"""
Peers and orderers of one channel in this process. Envelopes wait until ``cut`` makes blocks of
them; every peer commits each block on its own, and all must come to the same hash.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Final

from tieline.interfaces.errors import ConfigError, Contradicted, Rejected
from tieline.ledgers.fabric.embedded.channel_config import WRITERS
from tieline.ledgers.fabric.embedded.channel_plan import ADMIN, ChannelPlan, Consensus
from tieline.ledgers.fabric.embedded.channel_view import ChannelView
from tieline.ledgers.fabric.embedded.config_blocks import (
    Change,
    config_transaction,
    genesis_block,
)
from tieline.ledgers.fabric.embedded.kept_blocks import BlocksInMemory, KeptBlocks
from tieline.ledgers.fabric.embedded.orderer import BlockCutter, Orderer
from tieline.ledgers.fabric.embedded.peer import Peer
from tieline.ledgers.fabric.embedded.signing import Signatory
from tieline.ledgers.fabric.embedded.simulation import Chaincode
from tieline.ledgers.fabric.refusals import CODESPACE
from tieline.wire.errors import Malformed
from tieline.wire.fabric.blocks import (
    COMMIT_HASH,
    TRANSACTIONS_FILTER,
    Block,
    is_config_block,
)
from tieline.wire.fabric.config_groups import config_of_envelope
from tieline.wire.fabric.envelopes import (
    ENDORSER_TRANSACTION,
    ChannelHeader,
    Envelope,
    Payload,
    SignatureHeader,
)
from tieline.wire.fabric.proposals import NONCE_BYTES

BAD_REQUEST: Final = 400
FORBIDDEN: Final = 403
TOO_LARGE: Final = 413
"""Of ``common.Status``: what orderers answer."""
Install = Callable[[], Mapping[str, Chaincode]]
"""Makes the chaincodes of one peer, by name; each peer has its own."""


class Network:
    """One channel with one peer for each organisation."""

    def __init__(
        self,
        plan: ChannelPlan,
        install: Install,
        wall_s: Callable[[], int],
        blocks: KeptBlocks | None = None,
    ) -> None:
        """
        Begin a channel, or go on with the blocks that are kept.

        Args:
            plan: Who is in it.
            install: What the peers run.
            wall_s: The computers' clock, unix seconds.
            blocks: Where committed blocks are kept; in memory unless given.

        Raises:
            ConfigError: The blocks that are kept are not a history of this channel.
        """
        self.plan = plan
        self.genesis = genesis_block(plan)
        self._wall_s = wall_s
        self._blocks: KeptBlocks = BlocksInMemory() if blocks is None else blocks
        self.peers = tuple(
            Peer(Signatory.of(one), self.genesis, install(), wall_s) for one in plan.peers
        )
        self._cutter = BlockCutter(plan.limits)
        self._orderer = Orderer(plan, self.genesis)
        self._batches: list[list[bytes]] = []
        self._config_block = self.genesis
        self._nonces_drawn = 0
        """Since the newest block."""
        self._replay()

    @property
    def height(self) -> int:
        """Number of the newest block."""
        return len(self._blocks) - 1

    @property
    def block_hash(self) -> bytes:
        """Hash of the newest block's header."""
        return self.peers[0].newest.hash()

    @property
    def is_waiting(self) -> bool:
        """Whether there are envelopes in no block yet."""
        return bool(self._batches) or self._cutter.is_waiting

    @property
    def view(self) -> ChannelView:
        """The newest configuration."""
        return self.peers[0].view

    def now_s(self) -> int:
        """Return what the computers' clock says, unix seconds."""
        return self._wall_s()

    def block(self, number: int) -> bytes:
        """Return a committed block as the peers keep it."""
        return self._blocks[number]

    def state_root(self) -> bytes:
        """Return the hash of the state, which is that of every peer."""
        first, *others = (peer.state.digest() for peer in self.peers)
        assert all(one == first for one in others), "peers hold different states"
        return first

    def fresh_nonce(self, creator: bytes) -> bytes:
        """Return a nonce that this creator used in no block; a driven ledger must repeat."""
        self._nonces_drawn += 1
        parts = (self.block_hash, self._nonces_drawn.to_bytes(8), creator)
        return sha256(b"proposal nonce" + b"".join(parts)).digest()[:NONCE_BYTES]

    # --- ordering ---------------------------------------------------------------------------

    def order(self, envelope: bytes) -> None:
        """
        Take an envelope that is to be in a block.

        Raises:
            Rejected: It is too large, no transaction, or its creator may not write here.
        """
        if len(envelope) > self.plan.limits.absolute_bytes_max:
            most = self.plan.limits.absolute_bytes_max
            raise Rejected(CODESPACE, TOO_LARGE, f"too large: bytes={len(envelope)} most={most}")
        try:
            read = Envelope.decode(envelope)
            payload = Payload.decode(read.payload)
            header = ChannelHeader.decode(payload.channel_header)
            creator = SignatureHeader.decode(payload.signature_header).creator
        except Malformed as exc:
            raise Rejected(CODESPACE, BAD_REQUEST, f"no envelope: {exc}") from exc
        if header.type != ENDORSER_TRANSACTION or header.channel_id != self.plan.channel:
            raise Rejected(
                CODESPACE, BAD_REQUEST, f"type={header.type} channel={header.channel_id!r}"
            )
        signer = self.view.signer(creator, read.payload, read.signature)
        if signer is None or not self.view.satisfies_at(f"/Channel/{WRITERS}", [signer]):
            raise Rejected(CODESPACE, FORBIDDEN, f"{WRITERS} policy not satisfied")
        self._batches += self._cutter.take(envelope)

    def cut(self) -> int:
        """Make blocks of all that waits, have them committed, and return how many."""
        batches = [*self._batches, *self._cutter.cut()]
        self._batches = []
        for batch in batches:
            self._commit(self._orderer.make_block(batch))
        return len(batches)

    def order_as_given(self, envelopes: Sequence[bytes]) -> Block:
        """
        Make one block of any envelopes, as orderers that check nothing would, and return it as the
        peers keep it.
        """
        return self._commit(self._orderer.make_block(envelopes))

    def update_config(self, change: Change) -> Block:
        """Make a block with another configuration, which all administrators sign."""
        groups = (*self.plan.organisations, self.plan.orderers)
        envelope = config_transaction(
            self.plan.channel,
            config_of_envelope(self._config_block.data[0])[1].config,
            change,
            [Signatory.of(one.member(ADMIN)) for one in groups],
            self._orderer.signatory,
            self._wall_s(),
        )
        return self._commit(self._orderer.make_block([envelope], is_config=True))

    def _commit(self, block: Block) -> Block:
        kept = self._commit_at_peers(block)
        self._blocks.append(kept.encode())
        self._nonces_drawn = 0
        return kept

    def _commit_at_peers(self, block: Block) -> Block:
        kept, *others = (peer.commit(block) for peer in self.peers)
        assert all(one == kept for one in others), "peers came to different results"
        if is_config_block(block.data):
            self._config_block = block
            if self.plan.consensus is Consensus.BFT:
                self._orderer.keep_only({one.id for one in self.view.config.orderer.consenters})
        return kept

    # --- going on ---------------------------------------------------------------------------

    def _replay(self) -> None:
        """Commit the kept blocks again: signatures, codes and hashes must be as they were."""
        kept_genesis = self.peers[0].kept_genesis
        if not len(self._blocks):
            self._blocks.append(kept_genesis.encode())
        for number in range(len(self._blocks)):
            try:
                stored = Block.decode(self._blocks[number])
                again = self._commit_again(stored) if number else kept_genesis
            except (Malformed, Contradicted) as exc:
                raise ConfigError(f"stored block is not this channel's: {exc}") from exc
            if again != stored:
                raise ConfigError(f"stored block is not what it comes to: number={number}")

    def _commit_again(self, stored: Block) -> Block:
        bare = {TRANSACTIONS_FILTER: b"", COMMIT_HASH: b""}
        metadata = tuple(bare.get(index, one) for index, one in enumerate(stored.metadata))
        ordered = replace(stored, metadata=metadata)
        self._orderer.follow(ordered.header, is_config=is_config_block(ordered.data))
        return self._commit_at_peers(ordered)
