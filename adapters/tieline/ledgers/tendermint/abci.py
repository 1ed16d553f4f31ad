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
from typing import Any, Final

from cosmpy.protos.tendermint.abci import types_pb2 as abci
from google.protobuf.timestamp_pb2 import Timestamp

from tieline.contract.block import Application
from tieline.contract.fees import GasPrice
from tieline.contract.host import BLOCK_BYTES_MAX
from tieline.contract.results import BlockInput
from tieline.ledgers.tendermint.queries.door import QueryDoor
from tieline.ledgers.tendermint.queries.records import VERSION, encode_result
from tieline.ledgers.tendermint.state_store import StateStore
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.proto_fields import bytes_field

APP_PROTOCOL: Final = 1


class GenesisMismatch(ValueError):
    """The engine was given another genesis than the contract."""


class AbciApplication:
    """Answers requests by name; ``answer`` is what the socket calls."""

    def __init__(
        self,
        application: Application,
        store: StateStore,
        least: GasPrice | None = None,
        earliest_ns: Callable[[], int] = lambda: 0,
    ) -> None:
        """
        Serve *application*, as *store* opened it.

        Args:
            application: The contract.
            store: Where it is kept.
            least: What this peer asks for gas.
            earliest_ns: Transactions wait for a block of this time or later; for driven clocks,
                which the engine sees one block late.
        """
        self._least = least
        self._application = application
        self._store = store
        self._earliest_ns = earliest_ns
        self._is_broken = False
        self._methods: dict[str, Callable[[Any], Any]] = {
            "echo": self._echo,
            "flush": lambda _: abci.ResponseFlush(),
            "info": self._info,
            "init_chain": self._init_chain,
            "query": QueryDoor(application, least or GasPrice()).answer,
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
        self._is_broken = True  # unless it comes to its end
        response = self._methods[name](getattr(request, name))
        self._is_broken = False
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
        if _nanoseconds(request.time) < self._earliest_ns():
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
        time_ns = _nanoseconds(request.time)
        block = BlockInput(request.height, time_ns, request.hash, tuple(request.txs))
        result = self._application.finalize_block(block)
        response = abci.ResponseFinalizeBlock(app_hash=result.app_hash)
        response.tx_results.extend(
            abci.ExecTxResult.FromString(encode_result(one)) for one in result.tx_results
        )
        return response

    def _commit(self, _: abci.RequestCommit) -> abci.ResponseCommit:
        self._application.commit()
        self._store.save(self._application)
        if not gc.isenabled():  # the host's process: nobody else looks for garbage there
            gc.collect()
            gc.freeze()  # what is left is state; the next block's collection need not walk it
        return abci.ResponseCommit()


def _nanoseconds(stamp: Timestamp) -> int:
    return stamp.seconds * NANOSECONDS_PER_SECOND + stamp.nanos
