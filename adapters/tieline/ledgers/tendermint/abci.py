"""
The contract behind CometBFT: every method of ABCI 2.0, answered by an unchanged ``Application``.

Nothing is written before Commit; Info and Query only read. What is wrong with a transaction is its
code; an error that gets out of here is our own and stops the engine (``abci_host``).

Sources:
    CometBFT 0.38 ``spec/abci/abci++_methods.md``; Cosmos SDK ``store/iavl`` for query paths.
"""

from __future__ import annotations

import gc
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from cosmpy.protos.tendermint.abci import types_pb2 as abci
from cosmpy.protos.tendermint.crypto import proof_pb2

from tieline.contract.block import Application
from tieline.contract.cosmos_form import cosmos_events
from tieline.contract.fees import GasPrice
from tieline.contract.host import BLOCK_BYTES_MAX
from tieline.contract.results import BlockInput, TxResult
from tieline.contract.store import STORES
from tieline.ledgers.tendermint.queries import accounts, chain, ibc
from tieline.ledgers.tendermint.queries.records import abci_event
from tieline.ledgers.tendermint.queries.view import (
    InvalidQuery,
    QueryRefused,
    StateView,
    UnknownQuery,
)
from tieline.ledgers.tendermint.state_store import StateStore
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.ics23_proofs import ExistenceProof, decode_merkle_proof
from tieline.wire.proto_fields import Fields, bytes_field, message_field

APP_PROTOCOL: Final = 1
VERSION: Final = "0.1.0"
PROOF_OPS: Final = ("ics23:iavl", "ics23:simple")

_SDK: Final = "sdk"
_UNDEFINED: Final = "undefined"
_PANIC: Final = 111_222
_log = logging.getLogger("tieline.abci")
_BLOCKS_A_COLLECTION: Final = 200
"""Cycles are rare here; a collection in the middle of a block would cost more than it finds."""


class GenesisMismatch(ValueError):
    """The engine was given another genesis than the contract."""


class AbciApplication:
    """Answers requests by name; ``answer`` is what the socket calls."""

    def __init__(
        self, application: Application, store: StateStore, least: GasPrice | None = None
    ) -> None:
        """Serve *application*, as *store* opened it; *least* is what this peer asks for gas."""
        self._least = least
        self._answers = chain.table_of_peer(least or GasPrice()).add(
            accounts.TABLE, chain.TABLE, ibc.TABLE
        )
        self._application = application
        self._store = store
        self._is_broken = False
        self._methods: dict[str, Callable[[Any], Any]] = {
            "echo": self._echo,
            "flush": lambda _: abci.ResponseFlush(),
            "info": self._info,
            "init_chain": self._init_chain,
            "query": self._query,
            "check_tx": self._check_tx,
            "commit": self._commit,
            "prepare_proposal": self._prepare_proposal,
            "process_proposal": self._process_proposal,
            "extend_vote": lambda _: abci.ResponseExtendVote(),
            "verify_vote_extension": self._verify_vote_extension,
            "finalize_block": self._finalize_block,
            "list_snapshots": lambda _: abci.ResponseListSnapshots(),
            "offer_snapshot": lambda _: abci.ResponseOfferSnapshot(
                result=abci.ResponseOfferSnapshot.REJECT
            ),
            "load_snapshot_chunk": lambda _: abci.ResponseLoadSnapshotChunk(),
            "apply_snapshot_chunk": lambda _: abci.ResponseApplySnapshotChunk(
                result=abci.ResponseApplySnapshotChunk.ABORT
            ),
        }

    def answer(self, request: abci.Request) -> abci.Response:
        """
        Return the response to one request.

        Raises:
            Exception: Our own bug, or a disk that fails; the caller tells the engine and stops.
        """
        # What is in memory may not be on disk after an error; nothing is told of it any more.
        assert not self._is_broken, "an earlier request failed"
        name = request.WhichOneof("value")
        assert name is not None, "a request without content"
        try:
            response = self._methods[name](getattr(request, name))
        except BaseException:  # whatever it was, the state in memory is not to be trusted
            self._is_broken = True
            raise
        return abci.Response(**{name: response})

    def _echo(self, request: abci.RequestEcho) -> abci.ResponseEcho:
        return abci.ResponseEcho(message=request.message)

    def _info(self, _: abci.RequestInfo) -> abci.ResponseInfo:
        application = self._application
        return abci.ResponseInfo(
            data=application.genesis.chain_id,
            version=VERSION,
            app_version=APP_PROTOCOL,
            last_block_height=application.height,
            last_block_app_hash=application.app_hash,
        )

    def _init_chain(self, request: abci.RequestInitChain) -> abci.ResponseInitChain:
        genesis = self._application.genesis
        if request.chain_id != genesis.chain_id:
            raise GenesisMismatch(f"chain id: {request.chain_id!r}, not {genesis.chain_id!r}")
        given = request.app_state_bytes
        if not given or json.loads(given) != json.loads(genesis.to_bytes()):
            raise GenesisMismatch("app_state of the engine's genesis is not this ledger's genesis")
        if request.consensus_params.block.max_bytes != BLOCK_BYTES_MAX:
            raise GenesisMismatch(f"block.max_bytes must be {BLOCK_BYTES_MAX}")
        return abci.ResponseInitChain(app_hash=self._application.app_hash)

    def _check_tx(self, request: abci.RequestCheckTx) -> abci.ResponseCheckTx:
        result = self._application.check_transaction(request.tx, self._least)
        return abci.ResponseCheckTx(
            code=result.code,
            codespace=result.codespace,
            log=result.log,
            gas_wanted=result.gas_wanted,
        )

    def _prepare_proposal(
        self, request: abci.RequestPrepareProposal
    ) -> abci.ResponsePrepareProposal:
        if request.height == 1:  # nothing runs before the chain tag is known; keep it for later
            return abci.ResponsePrepareProposal()
        chosen: list[bytes] = []
        room = request.max_tx_bytes
        for raw in request.txs:
            room -= len(bytes_field(1, raw))
            if room < 0:
                break
            chosen.append(raw)
        return abci.ResponsePrepareProposal(txs=chosen)

    def _process_proposal(
        self, request: abci.RequestProcessProposal
    ) -> abci.ResponseProcessProposal:
        is_sound = request.height > 1 or not request.txs
        statuses = abci.ResponseProcessProposal
        return statuses(status=statuses.ACCEPT if is_sound else statuses.REJECT)

    def _verify_vote_extension(
        self, request: abci.RequestVerifyVoteExtension
    ) -> abci.ResponseVerifyVoteExtension:
        statuses = abci.ResponseVerifyVoteExtension
        is_ours = not request.vote_extension
        return statuses(status=statuses.ACCEPT if is_ours else statuses.REJECT)

    def _finalize_block(self, request: abci.RequestFinalizeBlock) -> abci.ResponseFinalizeBlock:
        time_ns = request.time.seconds * NANOSECONDS_PER_SECOND + request.time.nanos
        block = BlockInput(request.height, time_ns, request.hash, tuple(request.txs))
        result = self._application.finalize_block(block)
        return abci.ResponseFinalizeBlock(
            tx_results=[_exec_result(one) for one in result.tx_results], app_hash=result.app_hash
        )

    def _commit(self, _: abci.RequestCommit) -> abci.ResponseCommit:
        self._application.commit()
        self._store.save(self._application)
        if self._application.height % _BLOCKS_A_COLLECTION == 0:
            gc.collect()
            gc.freeze()  # what is left is state; the next collection need not walk over it
        return abci.ResponseCommit()

    def _query(self, request: abci.RequestQuery) -> abci.ResponseQuery:
        path = "/" + request.path.strip("/")
        try:
            view = StateView.at(self._application, request.height)
            answer = self._answers.get(path)
            if answer is not None:
                value = answer(view, request.data)
                return abci.ResponseQuery(value=value, height=view.height)
            _, _, store, what = path.split("/") if path.count("/") == 3 else ("",) * 4
            if path.startswith("/store/") and store in STORES and what == "subspace":
                pairs = view.scan(store, request.data)
                return abci.ResponseQuery(
                    key=request.data, value=encode_pairs(pairs), height=view.height
                )
            if path.startswith("/store/") and store in STORES and what == "key":
                return self._answer_key(store, request)
            if path == "/app/version":
                return abci.ResponseQuery(value=VERSION.encode(), height=view.height)
            raise UnknownQuery(f"unknown query path: {request.path!r}")
        except QueryRefused as exc:
            return abci.ResponseQuery(
                code=exc.code, codespace=_SDK, log=str(exc), height=request.height
            )
        except Exception as exc:
            # It has only read: what is in memory is as sound as before, and the ledger goes on.
            _log.exception("a query broke down: path=%s", request.path)
            return abci.ResponseQuery(
                code=_PANIC, codespace=_UNDEFINED, log=f"panic: {exc!r}", height=request.height
            )

    def _answer_key(self, store: str, request: abci.RequestQuery) -> abci.ResponseQuery:
        latest = self._application.height
        # A state is provable with the next header, so the last but one is what can be shown now.
        view = StateView.at(self._application, request.height or max(latest - 1, 1))
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
        parts = Fields(proof, known=1).each_bytes(1)
        response.proof_ops.ops.extend(
            proof_pb2.ProofOp(type=kind, key=key, data=data)
            for kind, key, data in zip(PROOF_OPS, keys, parts, strict=True)
        )
        return response


def encode_pairs(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Write ``kv.Pairs``, what a Cosmos chain answers for a subspace."""
    return b"".join(
        message_field(1, bytes_field(1, key) + bytes_field(2, value)) for key, value in pairs
    )


def decode_pairs(data: bytes) -> list[tuple[bytes, bytes]]:
    """Read ``kv.Pairs``. Raises Malformed."""
    pairs = (Fields(raw, known=2) for raw in Fields(data, known=1).each_bytes(1))
    return [(pair.octets(1), pair.octets(2)) for pair in pairs]


def _exec_result(result: TxResult) -> abci.ExecTxResult:
    return abci.ExecTxResult(
        code=result.code,
        codespace=result.codespace,
        data=result.data,
        log=result.log,
        gas_wanted=result.gas_wanted,
        gas_used=result.gas_used,
        events=[abci_event(one) for one in cosmos_events(result)],
    )
