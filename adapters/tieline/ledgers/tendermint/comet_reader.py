"""
What all ledgers on CometBFT have in common for those that read them: heights, blocks, proofs,
headers. Whose contract runs behind the engine does not matter here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tieline.interfaces.errors import Contradicted, NotYet, Pruned, Unavailable
from tieline.interfaces.ledger import BlockEvents, StoredValue, TxEvents
from tieline.ledgers.endpoints import EndpointState
from tieline.ledgers.tendermint import rpc_records
from tieline.ledgers.tendermint.chain_reader import BLOCKS_KEPT, ChainReader, ReadEvents
from tieline.ledgers.tendermint.client_terms import ClientTerms, client_states
from tieline.ledgers.tendermint.endpoints import CometEndpoints
from tieline.ledgers.tendermint.rpc import PAGE, Call, CometRpc, Hook, Json, from_base64
from tieline.light_clients.tendermint.messages import ClientHeader, revision_of
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.wire.cometbft import SignedHeader, Validator, ValidatorSet

IBC_STORE: Final = "ibc"
HEIGHT_CODES: Final = frozenset({18, 26})
"""Of the Cosmos SDK: an invalid request, an invalid height; what a store answers of a height that
it does not have."""


class CometReader:
    """The reading half of a ledger on CometBFT."""

    def __init__(
        self,
        chain_id: str,
        peers: CometRpc | CometEndpoints,
        read_events: ReadEvents | None = None,
        hook: Hook | None = None,
        blocks_kept: int = BLOCKS_KEPT,
    ) -> None:
        """
        Read a running ledger.

        Args:
            chain_id: Its id; peers of another ledger are put aside.
            peers: One of its peers, or several.
            read_events: What makes events of a block and its results.
            hook: What is made of their JSON while it is read.
            blocks_kept: So many are remembered.

        Raises:
            ConfigError: The peers are those of another ledger.
        """
        self._chain_id = chain_id
        self._revision = revision_of(chain_id)
        self._peers = (
            peers if isinstance(peers, CometEndpoints) else CometEndpoints(chain_id, [peers])
        )
        self._chain = ChainReader(self._peers, read_events, hook, blocks_kept)
        self._seen_height = 0

    @property
    def ledger_id(self) -> str:
        """The chain id."""
        return self._chain_id

    @property
    def endpoints(self) -> tuple[EndpointState, ...]:
        """Where its peers stand: which is asked, which is silent or put aside, and why."""
        return self._peers.states()

    def close(self) -> None:
        """Let go of connections."""
        self._peers.close()

    async def latest_height(self) -> int:
        """Return the height of the last block that the application has committed."""
        await self._peers.committed()
        # Peers may be behind one another; what was told of a believed one stays.
        self._seen_height = self._peers.height
        return self._seen_height

    async def latest_time_s(self) -> int:
        """Return the time of that block, unix seconds; 0 before the first."""
        height = await self.latest_height()
        if not height:
            return 0
        (block,) = await self._chain.blocks(height, height)
        return block.time_s

    async def blocks_after(self, height: int, limit: int = 100) -> Sequence[BlockEvents]:
        """
        Return blocks above *height*, ascending, without gaps, at most *limit*.

        Raises:
            Pruned: No peer has one of them any more: read on from a height that is kept, or name a
                peer that keeps more.
            Contradicted: Peers tell what cannot be true.
            Unavailable: No peer answers, or *height* is above all that they have.
        """
        latest = await self.latest_height()
        if height > latest:
            raise Unavailable(
                f"{self._chain_id} has {latest} blocks and was read up to {height}: its peers are "
                "behind, or it was begun anew"
            )
        start = max(height, 0) + 1
        return await self._chain.blocks(start, min(latest, start + limit - 1))

    async def inclusion(self, tx_hash: bytes, after: int) -> tuple[int, TxEvents] | None:
        """Return height and result of a transaction in a block above *after*; None if in none."""
        while blocks := await self.blocks_after(after):
            for block in blocks:
                for transaction in block.transactions:
                    if transaction.tx_hash == tx_hash:
                        return block.height, transaction
            after = blocks[-1].height
        return None

    async def prove(self, key: bytes, height: int) -> StoredValue:
        """Prove *key* in store ``ibc`` as of *height*. Raises NotYet, Unavailable."""
        return (await self.prove_many([key], height))[0]

    async def prove_many(self, keys: Sequence[bytes], height: int) -> Sequence[StoredValue]:
        """Prove *keys* in store ``ibc`` as of *height*. Raises NotYet, Pruned, Unavailable."""
        if height >= await self.latest_height():
            raise NotYet(f"header that proves it is not there: height={height + 1}")
        path = f"/store/{IBC_STORE}/key"
        calls = [
            Call(
                "abci_query",
                {"path": path, "data": key.hex(), "height": str(height), "prove": True},
            )
            for key in keys
        ]

        def read(answers: Sequence[Json]) -> list[StoredValue]:
            return [
                self._stored_value(key, height, self._response(path, height, answer))
                for key, answer in zip(keys, answers, strict=True)
            ]

        return await self._peers.ask(calls, read)

    async def header(self, height: int, trusted_height: int) -> AnyMessage:
        """Return the client message from *trusted_height* to *height*. Raises NotYet."""
        signed = await self._signed_header(height)
        members = await self._validators(height, signed.header.proposer_address)
        trusted_members = await self._validators(trusted_height + 1)
        trusted = Height(self._revision, trusted_height)
        return ClientHeader(signed, members, trusted, trusted_members).as_any()

    async def client_states(
        self, height: int, terms: ClientTerms | None = None
    ) -> tuple[AnyMessage, AnyMessage]:
        """
        Return client and consensus state for a client that starts to trust at *height*.

        Raises:
            NotYet: There is no such block yet.
        """
        return client_states((await self._signed_header(height)).header, terms)

    async def _signed_header(self, height: int) -> SignedHeader:
        latest = await self.latest_height()
        if not 1 <= height <= latest:
            raise NotYet(f"no such block: height={height} latest={latest}")

        def read(answers: Sequence[Json]) -> SignedHeader:
            signed = rpc_records.signed_header_of(answers[0], height)
            self._chain.check_header(signed.header)
            if signed.commit.block_id.hash != signed.header.hash():
                raise Contradicted(f"a commit of another block: height={height}")
            return signed

        return await self._peers.ask([Call("commit", {"height": str(height)})], read)

    async def _validators(self, height: int, proposer: bytes = b"") -> ValidatorSet:
        members: list[Validator] = []
        total, page = 1, 1
        while len(members) < total:
            answer = await self._peers.call(
                "validators", height=str(height), page=str(page), per_page=str(PAGE)
            )
            found, total = rpc_records.validators_of(answer)
            page += 1
            members += found
        named = [one for one in members if one.address == proposer]
        return ValidatorSet(tuple(members), named[0] if named else members[0])

    async def _query(self, path: str, data: bytes, height: int = 0) -> Json:
        """Return what the application answers, unproved. Raises Pruned, Unavailable."""
        parameters = {"path": path, "data": data.hex(), "height": str(height), "prove": False}

        def read(answers: Sequence[Json]) -> Json:
            return self._response(path, height, answers[0])

        return await self._peers.ask([Call("abci_query", parameters)], read)

    def _response(self, path: str, height: int, answer: Json) -> Json:
        response = rpc_records.query_of(answer)
        code = response.get("code", 0)
        if not code:
            return response
        reason = f"path={path} height={height} {response.get('log', '')}"
        if code in HEIGHT_CODES and 0 < height < self._seen_height:
            raise Pruned(f"height is not kept: {reason}")
        raise Unavailable(f"query refused: {reason}")

    def _stored_value(self, key: bytes, height: int, response: Json) -> StoredValue:
        # The proof says the same, and who verifies it looks; here it would be read for nothing.
        value = from_base64(response.get("value")) or None
        proof = rpc_records.merkle_proof_of(response)
        return StoredValue(key, value, Height(self._revision, height + 1), proof)
