"""A peer's JSON of a signing chain with provable stores, in which single leaves can be changed."""

from __future__ import annotations

import base64
import copy

from fakes.comet_chain import header_json
from fakes.signing_chain import START_NS, SigningChain
from tieline.contract.multistore import MultiStore
from tieline.ledgers.tendermint.rpc_records import PROOF_OPS
from tieline.wire.cometbft import COMMIT_FLAG
from tieline.wire.proto_fields import Fields

KEYS = tuple(b"07-tendermint-0\x01" + bytes([0] * 7 + [number]) for number in range(0, 16, 2))
MISSING = b"07-tendermint-0\x01" + bytes([0] * 7 + [5])


def time_text(time_ns):
    """CometBFT's spelling of a time in the first minute after the start."""
    seconds, nanos = divmod(time_ns - START_NS, 10**9)
    return f"2027-01-15T08:00:{seconds:02}.{nanos:09}Z"


def as_base64(data):
    return base64.b64encode(data).decode()


class HonestPeer:
    """Stands in for ``CometRpc``: a header every second, the same stores under each."""

    address = "peer"
    height = 30

    def __init__(self):
        self.chain = SigningChain()
        self.stores = MultiStore(("ibc", "tieline"))
        for number, key in enumerate(KEYS):
            self.stores.set("ibc", key, bytes([number + 1]) * 32)
        self.stores.set("tieline", b"k", b"v")
        self.root = self.stores.commit()

    def signed(self, height):
        return self.chain.signed(self.chain.header(height, app_hash=self.root))

    async def call(self, method, **parameters):
        return getattr(self, f"_{method}")(**parameters)

    async def batch(self, calls, hook=None):
        return [await self.call(one.method, **one.parameters) for one in calls]

    def close(self):
        pass

    def _status(self):
        tip = {"latest_block_height": str(self.height), "latest_app_hash": ""}
        return {"node_info": {"network": self.chain.chain_id}, "sync_info": tip}

    def _abci_info(self):
        response = {"data": "", "last_block_height": str(self.height), "last_block_app_hash": ""}
        return {"response": response}

    def _header(self, height):
        return {"header": self._commit(height)["signed_header"]["header"]}

    def _commit(self, height):
        signed = self.signed(int(height))
        commit = signed.commit
        return {
            "signed_header": {
                "header": {
                    **header_json(signed.header),
                    "version": {"block": "11", "app": "1"},
                    "time": time_text(signed.header.time_ns),
                },
                "commit": {
                    "height": str(commit.height),
                    "round": commit.round,
                    "block_id": {
                        "hash": commit.block_id.hash.hex(),
                        "parts": {"total": 1, "hash": commit.block_id.parts_hash.hex()},
                    },
                    "signatures": [
                        {
                            "block_id_flag": COMMIT_FLAG,
                            "validator_address": one.validator_address.hex(),
                            "timestamp": time_text(one.time_ns),
                            "signature": as_base64(one.signature),
                        }
                        for one in commit.signatures
                    ],
                },
            },
            "canonical": True,
        }

    def _validators(self, height, page, per_page):
        assert int(height) > 0
        assert per_page == "100"
        members = self.chain.validators.validators if page == "1" else ()
        return {
            "validators": [
                {
                    "address": one.address.hex(),
                    "pub_key": {
                        "type": "tendermint/PubKeyEd25519",
                        "value": as_base64(one.public_key),
                    },
                    "voting_power": str(one.voting_power),
                    "proposer_priority": "0",
                }
                for one in members
            ],
            "count": str(len(members)),
            "total": str(len(members)),
        }

    def _abci_query(self, path, data, height, prove):
        assert (path, prove) == ("/store/ibc/key", True)
        key = bytes.fromhex(data)
        levels = Fields(self.stores.prove("ibc", key, 1), known=1).each_bytes(1)
        value = self.stores.get("ibc", key)
        operations = [
            {"type": kind, "key": as_base64(key), "data": as_base64(level)}
            for kind, level in zip(PROOF_OPS, levels, strict=True)
        ]
        return {
            "response": {
                "code": 0,
                "key": as_base64(key),
                "value": as_base64(value) if value else None,
                "height": height,
                "proofOps": {"ops": operations},
            }
        }


def leaves(answer, path=()):
    """Yield the way to every leaf of an answer."""
    if isinstance(answer, dict):
        for name, one in answer.items():
            yield from leaves(one, (*path, name))
    elif isinstance(answer, list):
        for index, one in enumerate(answer):
            yield from leaves(one, (*path, index))
    else:
        yield path


def other(value):
    """Something else of the same kind, near enough to be read."""
    if value is None:
        return as_base64(b"\x09" * 32)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if value.isdigit():
        return str(int(value) + 1)
    if value.endswith("Z"):
        return value[:-2] + str((int(value[-2]) + 1) % 10) + "Z"
    middle = len(value) // 2
    return value[:middle] + ("1" if value[middle] != "1" else "2") + value[middle + 1 :]


class LyingPeer(HonestPeer):
    """Changes one leaf of the answers to one method, or calls a function on the whole answer."""

    def __init__(self, method, lie):
        super().__init__()
        self._method = method
        self._lie = lie

    async def call(self, method, **parameters):
        answer = await super().call(method, **parameters)
        if method != self._method:
            return answer
        answer = copy.deepcopy(answer)
        if callable(self._lie):
            return self._lie(answer)
        inner = answer
        for step in self._lie[:-1]:
            inner = inner[step]
        inner[self._lie[-1]] = other(inner[self._lie[-1]])
        return answer
