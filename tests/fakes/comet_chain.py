"""A chain in JSON as CometBFT's RPC tells it, and peers of it that lag, prune, die or lie."""

from __future__ import annotations

import base64
from hashlib import sha256

from tieline.interfaces.errors import HubError, NotYet, Pruned, Rejected, Unavailable
from tieline.wire.blocks import data_hash
from tieline.wire.cometbft import NO_BLOCK, BlockId, Header

CHAIN_ID = "faked-1"
START_S = 1_800_000_000


def digest(*words):
    return sha256(repr(words).encode()).digest()


class CometChain:
    """Headers that hang together, with the transactions that a test puts in."""

    def __init__(self, chain_id=CHAIN_ID, salt=""):
        self.chain_id = chain_id
        self.salt = salt
        self.headers = []
        self.transactions = []

    @property
    def height(self):
        return len(self.headers)

    def grow(self, *blocks):
        """Make a block of each list of transactions."""
        for transactions in blocks or [()]:
            height = self.height + 1
            parent = NO_BLOCK
            if self.headers:
                parent = BlockId(self.headers[-1].hash(), 1, digest("parts", height - 1))
            one = digest(self.salt, "one")
            self.headers.append(
                Header(
                    chain_id=self.chain_id,
                    height=height,
                    time_ns=(START_S + height) * 10**9,
                    last_block_id=parent,
                    last_commit_hash=one,
                    data_hash=data_hash(transactions),
                    validators_hash=one,
                    next_validators_hash=one,
                    consensus_hash=one,
                    app_hash=digest(self.salt, height - 1),
                    last_results_hash=one,
                    evidence_hash=one,
                    proposer_address=one[:20],
                )
            )
            self.transactions.append(tuple(transactions))
        return self

    def fork(self, height, salt="fork"):
        """Return a chain that is this one up to *height* and another one above."""
        other = CometChain(self.chain_id, salt)
        other.headers = self.headers[:height]
        other.transactions = self.transactions[:height]
        while other.height < self.height:
            other.grow(self.transactions[other.height])
        return other


def header_json(header):
    def block_id(one):
        parts = {"total": one.parts_total, "hash": one.parts_hash.hex()}
        return {"hash": one.hash.hex(), "parts": parts}

    seconds = header.time_ns // 10**9 - START_S
    return {
        "version": {"block": str(header.block_protocol)},
        "chain_id": header.chain_id,
        "height": str(header.height),
        "time": f"2027-01-15T08:{seconds // 60:02}:{seconds % 60:02}Z",
        "last_block_id": block_id(header.last_block_id),
        "last_commit_hash": header.last_commit_hash.hex(),
        "data_hash": header.data_hash.hex(),
        "validators_hash": header.validators_hash.hex(),
        "next_validators_hash": header.next_validators_hash.hex(),
        "consensus_hash": header.consensus_hash.hex(),
        "app_hash": header.app_hash.hex(),
        "last_results_hash": header.last_results_hash.hex(),
        "evidence_hash": header.evidence_hash.hex(),
        "proposer_address": header.proposer_address.hex(),
    }


class FakePeer:
    """Stands in for ``CometRpc``: answers of a chain, as far as this peer has it."""

    def __init__(self, chain, name="peer", *, behind=0, lowest=1):
        self.chain = chain
        self.address = name
        self.behind = behind
        self.lowest = lowest
        self.is_dead = False
        self.told_height = None
        """Instead of the true one."""
        self.application = None
        self.changed = {}
        """By (method, height): what to change in an answer, a function."""
        self.asked = []
        self.mempool = None

    @property
    def height(self):
        return max(self.chain.height - self.behind, 0)

    async def call(self, method, **parameters):
        (outcome,) = await self.batch([_Call(method, parameters)])
        if isinstance(outcome, HubError):
            raise outcome
        return outcome

    async def batch(self, calls, hook=None):
        self.asked.append([one.method for one in calls])
        if self.is_dead:
            raise Unavailable(f"no answer: {self.address}")
        return [self._outcome(one) for one in calls]

    def close(self):
        pass

    def _outcome(self, call):
        try:
            answer = getattr(self, f"_{call.method}")(**call.parameters)
            change = self.changed.get((call.method, call.parameters.get("height")))
            return change(answer) if change else answer
        except HubError as exc:
            return exc

    def _status(self):
        tip = {"latest_block_height": str(self.height), "latest_app_hash": ""}
        return {"node_info": {"network": self.chain.chain_id}, "sync_info": tip}

    def _abci_info(self):
        height = self.height if self.told_height is None else self.told_height
        response = {
            "data": self.application or self.chain.chain_id,
            "last_block_height": str(height),
            "last_block_app_hash": base64.b64encode(digest(self.chain.salt, height)).decode(),
        }
        return {"response": response}

    def _place(self, height):
        if int(height) > self.height:
            raise NotYet(f"{height} must be less than or equal to {self.height}")
        if int(height) < self.lowest:
            raise Pruned(f"{height} is not available, lowest height is {self.lowest}")
        return int(height) - 1

    def _header(self, height):
        return {"header": header_json(self.chain.headers[self._place(height)])}

    def _block(self, height):
        place = self._place(height)
        transactions = [base64.b64encode(one).decode() for one in self.chain.transactions[place]]
        header = header_json(self.chain.headers[place])
        return {"block": {"header": header, "data": {"txs": transactions or None}}}

    def _block_results(self, height):
        transactions = self.chain.transactions[self._place(height)]
        outcome = {"code": 0, "log": "", "codespace": "", "events": []}
        return {"height": height, "txs_results": [dict(outcome) for _ in transactions] or None}

    def _num_unconfirmed_txs(self):
        return {"n_txs": str(len(self.mempool.taken))}

    def _broadcast_tx_sync(self, tx):
        raw = base64.b64decode(tx)
        refusal = self.mempool.check(raw)
        if isinstance(refusal, HubError):
            raise refusal
        return refusal or {"code": 0, "codespace": "", "log": "", "hash": raw.hex()}


class Mempool:
    """Takes ``b"<sequence> <anything>"`` in order; knows what it has, as CometBFT's cache does."""

    def __init__(self, expected=0):
        self.expected = expected
        self.taken = []
        self.cache = set()
        self.room = 10**6

    def check(self, raw):
        if raw in self.cache:
            return Rejected("sdk", 19, "tx already in mempool")
        if len(self.taken) >= self.room:
            return NotYet("mempool is full")
        sequence, _, word = raw.partition(b" ")
        if word.startswith(b"bad"):
            return {"code": 5, "codespace": "sdk", "log": "insufficient funds"}
        if int(sequence) != self.expected:
            log = f"account sequence mismatch: expected={self.expected} got={int(sequence)}"
            return {"code": 32, "codespace": "sdk", "log": log}
        self.expected += 1
        self.taken.append(raw)
        self.cache.add(raw)
        return None

    def forget(self, expected=None):
        """Lose what waits, as an engine that was killed does."""
        self.expected -= len(self.taken)
        if expected is not None:
            self.expected = expected
        self.taken.clear()
        self.cache.clear()


class _Call:
    def __init__(self, method, parameters):
        self.method = method
        self.parameters = parameters
