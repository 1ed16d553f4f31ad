"""
All queries of the engine: single keys with their proofs, lists of keys, gRPC methods by name.

Sources:
    Cosmos SDK 0.53 ``baseapp`` (Query, CreateQueryContext), ``store/rootmulti``.
"""

from __future__ import annotations

import logging
from typing import Final

from cosmpy.protos.tendermint.abci import types_pb2 as abci
from cosmpy.protos.tendermint.crypto import proof_pb2

from tieline.contract.block import Application
from tieline.contract.fees import GasPrice
from tieline.contract.store import STORES
from tieline.ledgers.tendermint.queries import accounts, chain, ibc, transfer
from tieline.ledgers.tendermint.queries.records import VERSION
from tieline.ledgers.tendermint.queries.view import (
    InvalidQuery,
    QueryRefused,
    StateView,
    UnknownQuery,
)
from tieline.wire.ics23_proofs import ExistenceProof, decode_merkle_proof
from tieline.wire.proto_fields import Fields
from tieline.wire.store_answers import PROOF_OPS, encode_pairs

_SDK: Final = "sdk"
_UNDEFINED: Final = "undefined"
_PANIC: Final = 111_222
_STORE_PATH_PARTS: Final = 3
_log = logging.getLogger("tieline.abci")


class QueryDoor:
    """Answers from committed state; it changes nothing."""

    def __init__(self, application: Application, least: GasPrice) -> None:
        """Ask *application*; *least* is the peer's own gas price."""
        self._application = application
        self._answers = chain.table_of_peer(least).add(
            accounts.TABLE, chain.TABLE, ibc.TABLE, transfer.TABLE
        )

    def methods(self) -> tuple[str, ...]:
        """Return the paths of all gRPC methods that are answered."""
        return tuple(path for path, _ in self._answers.items())

    def answer(self, request: abci.RequestQuery) -> abci.ResponseQuery:
        """Return the answer, or the code and the words of a refusal."""
        try:
            return self._answer(request)
        except QueryRefused as exc:
            code, codespace, log = exc.code, _SDK, str(exc)
        except Exception as exc:  # noqa: BLE001 -- it has only read: the ledger goes on unharmed
            _log.exception("a query broke down: path=%s", request.path)
            code, codespace, log = _PANIC, _UNDEFINED, f"panic: {exc!r}"
        return abci.ResponseQuery(code=code, codespace=codespace, log=log, height=request.height)

    def _answer(self, request: abci.RequestQuery) -> abci.ResponseQuery:
        path = "/" + request.path.strip("/")
        answer = self._answers.get(path)
        if answer is not None:
            view = StateView.at(self._application, request.height)
            value = answer(view, request.data)
            return abci.ResponseQuery(value=value, height=view.height)
        if path == "/app/version":
            return abci.ResponseQuery(value=VERSION.encode(), height=self._application.height)
        parts = path.strip("/").split("/")
        if len(parts) == _STORE_PATH_PARTS and parts[0] == "store" and parts[1] in STORES:
            if parts[2] == "key":
                return self._answer_key(parts[1], request)
            if parts[2] == "subspace":
                return self._answer_subspace(parts[1], request)
        raise UnknownQuery(f"unknown query path: {request.path!r}")

    def _answer_subspace(self, store: str, request: abci.RequestQuery) -> abci.ResponseQuery:
        view = StateView.at(self._application, request.height)
        pairs = encode_pairs(view.scan(store, request.data))
        return abci.ResponseQuery(key=request.data, value=pairs, height=view.height)

    def _answer_key(self, store: str, request: abci.RequestQuery) -> abci.ResponseQuery:
        # A state is provable with the next header, so the last but one is what can be shown now.
        view = StateView.at(
            self._application, request.height or max(self._application.height - 1, 1)
        )
        if not request.data:
            raise InvalidQuery("query cannot be zero length")
        if not request.prove:
            value = view.get(store, request.data)
            return abci.ResponseQuery(key=request.data, value=value or b"", height=view.height)
        proof = view.prove(store, request.data)
        in_store = decode_merkle_proof(proof)[0]
        value = in_store.value if isinstance(in_store, ExistenceProof) else b""
        response = abci.ResponseQuery(key=request.data, value=value, height=view.height)
        keys = (request.data, store.encode())
        response.proof_ops.ops.extend(
            proof_pb2.ProofOp(type=kind, key=key, data=data)
            for kind, key, data in zip(
                PROOF_OPS, keys, Fields(proof, known=1).each_bytes(1), strict=True
            )
        )
        return response
