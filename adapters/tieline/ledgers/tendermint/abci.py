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
from collections.abc import Callable
from typing import Any, Final, cast

from cosmpy.protos.tendermint.abci import types_pb2 as abci
from cosmpy.protos.tendermint.crypto import proof_pb2

from tieline.contract.block import Application
from tieline.contract.cosmos_form import cosmos_events
from tieline.contract.fees import GasPrice
from tieline.contract.host import BLOCK_BYTES_MAX
from tieline.contract.results import BlockInput, TxResult
from tieline.contract.store import STORES
from tieline.ledgers.tendermint.state_store import StateStore
from tieline.protocol.events import Event
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.ics23_proofs import ExistenceProof, decode_merkle_proof
from tieline.wire.proto_fields import Fields, bytes_field
from tieline.wire.store_answers import PROOF_OPS, encode_pairs

APP_PROTOCOL: Final = 1

_SDK: Final = "sdk"
_UNKNOWN_REQUEST: Final = 6
_INVALID_HEIGHT: Final = 26
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
            version="tieline",
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
        steps = request.path.strip("/").split("/")
        if len(steps) != 3 or steps[0] != "store" or steps[1] not in STORES:
            return _refused(_UNKNOWN_REQUEST, f"unknown query path: {request.path!r}")
        store, what = steps[1], steps[2]
        if what == "subspace":
            return self._answer_subspace(store, request.data)
        if what == "key":
            return self._answer_key(store, request)
        return _refused(_UNKNOWN_REQUEST, f"unknown query path: {request.path!r}")

    def _answer_subspace(self, store: str, prefix: bytes) -> abci.ResponseQuery:
        pairs = self._application.scan(store, prefix)
        return abci.ResponseQuery(
            key=prefix, value=encode_pairs(pairs), height=self._application.height
        )

    def _answer_key(self, store: str, request: abci.RequestQuery) -> abci.ResponseQuery:
        latest = self._application.height
        # A state is provable with the next header, so the last but one is what can be shown now.
        height = request.height or max(latest - 1, 1)
        if not request.prove and height == latest:
            value = self._application.query(store, request.data)
            return abci.ResponseQuery(key=request.data, value=value or b"", height=height)
        try:
            proof = self._application.prove(store, request.data, height)
        except (KeyError, ValueError) as exc:
            return _refused(_INVALID_HEIGHT, f"no state kept of height {height}: {exc}")
        in_store = decode_merkle_proof(proof)[0]
        value = in_store.value if isinstance(in_store, ExistenceProof) else b""
        response = abci.ResponseQuery(key=request.data, value=value, height=height)
        if request.prove:
            keys = (request.data, store.encode())
            parts = Fields(proof, known=1).each_bytes(1)
            response.proof_ops.ops.extend(
                proof_pb2.ProofOp(type=kind, key=key, data=data)
                for kind, key, data in zip(PROOF_OPS, keys, parts, strict=True)
            )
        return response


def _exec_result(result: TxResult) -> abci.ExecTxResult:
    return abci.ExecTxResult(
        code=result.code,
        codespace=result.codespace,
        data=result.data,
        log=result.log,
        gas_wanted=result.gas_wanted,
        gas_used=result.gas_used,
        events=[_event(one) for one in cosmos_events(result)],
    )


def _event(event: Event) -> abci.Event:
    attributes = cast("Any", abci).EventAttribute
    return abci.Event(
        type=event.type,
        attributes=[
            attributes(key=key, value=value, index=True) for key, value in event.attributes
        ],
    )


def _refused(code: int, log: str) -> abci.ResponseQuery:
    return abci.ResponseQuery(code=code, codespace=_SDK, log=log)
