"""
What a light client elsewhere needs of a chain on CometBFT: headers, validator sets, proofs. Nobody
believes it unchecked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol

from tieline.interfaces.errors import Unavailable
from tieline.interfaces.ledger import StoredValue
from tieline.ledgers.tendermint import rpc_records
from tieline.ledgers.tendermint.client_terms import ClientTerms, client_states
from tieline.ledgers.tendermint.rpc import PAGE, Json
from tieline.light_clients.tendermint.messages import ClientHeader, revision_of
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.wire.cometbft import SignedHeader, Validator, ValidatorSet
from tieline.wire.errors import Malformed
from tieline.wire.ics23_proofs import ExistenceProof, decode_merkle_proof

_INVALID_HEIGHT = 26
_KEY_PATH = "/store/ibc/key"


class Asked(Protocol):
    """One peer, or several behind one door."""

    def call(self, method: str, **parameters: object) -> Awaitable[Json]:
        """Return the result of a method."""
        ...

    def call_many(self, method: str, calls: Sequence[Json]) -> Awaitable[list[Json]]:
        """Return the results of one method for many sets of parameters, in their order."""
        ...


class LightSource:
    """Headers and proofs of one chain. Callers see to it that the heights are there."""

    def __init__(self, chain_id: str, asked: Asked) -> None:
        """Ask *asked* about the chain of that id."""
        self.revision = revision_of(chain_id)
        self._asked = asked

    async def prove_many(self, keys: Sequence[bytes], height: int) -> Sequence[StoredValue]:
        """Prove *keys* in store ``ibc`` as of *height*. Raises Unavailable."""
        calls: list[Json] = [
            {"path": _KEY_PATH, "data": key.hex(), "height": str(height), "prove": True}
            for key in keys
        ]
        answers = await self._asked.call_many("abci_query", calls)
        return [
            self._stored_value(key, height, response_of(_KEY_PATH, answer))
            for key, answer in zip(keys, answers, strict=True)
        ]

    async def header(self, height: int, trusted_height: int) -> AnyMessage:
        """Return the client message from *trusted_height* to *height*. Raises NotYet."""
        signed = await self.signed_header(height)
        members = await self.validators(height, signed.header.proposer_address)
        trusted_members = await self.validators(trusted_height + 1)
        trusted = Height(self.revision, trusted_height)
        return ClientHeader(signed, members, trusted, trusted_members).as_any()

    async def client_states(
        self, height: int, terms: ClientTerms | None = None
    ) -> tuple[AnyMessage, AnyMessage]:
        """Return client and consensus state for a client that starts to trust at *height*."""
        return client_states((await self.signed_header(height)).header, terms)

    async def signed_header(self, height: int) -> SignedHeader:
        """Return a header with its commit. Raises NotYet, Unavailable."""
        answer = await self._asked.call("commit", height=str(height))
        return rpc_records.signed_header_of(answer, height)

    async def validators(self, height: int, proposer: bytes = b"") -> ValidatorSet:
        """Return the set that signs *height*, with its proposer where it is known."""
        members: list[Validator] = []
        total, page = 1, 1
        while len(members) < total:
            answer = await self._asked.call(
                "validators", height=str(height), page=str(page), per_page=str(PAGE)
            )
            found, total = rpc_records.validators_of(answer)
            page += 1
            members += found
        named = [one for one in members if one.address == proposer]
        return ValidatorSet(tuple(members), named[0] if named else members[0])

    def _stored_value(self, key: bytes, height: int, response: Json) -> StoredValue:
        proof = rpc_records.merkle_proof_of(response)
        try:
            in_store = decode_merkle_proof(proof)[0]
        except Malformed as exc:
            raise Unavailable(f"not a proof: {exc}") from exc
        value = in_store.value if isinstance(in_store, ExistenceProof) else None
        return StoredValue(key, value, Height(self.revision, height + 1), proof)


def response_of(path: str, answer: Json) -> Json:
    """Return what an ``abci_query`` answered. Raises Unavailable."""
    response: Json = answer["response"]
    code = response.get("code", 0)
    if code:
        what = "height is not kept" if code == _INVALID_HEIGHT else "query refused"
        raise Unavailable(f"{what}: path={path} {response.get('log', '')}")
    return response
