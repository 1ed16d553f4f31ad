"""A CometBFT chain that signs whatever a test asks for, and a store that is a dict."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from nacl.signing import SigningKey

from tieline.light_clients.tendermint.messages import ClientHeader, ClientState, ConsensusState
from tieline.protocol.height import Height
from tieline.wire.cometbft import (
    ABSENT_FLAG,
    COMMIT_FLAG,
    NIL_FLAG,
    NO_TIME_NS,
    BlockId,
    Commit,
    CommitSig,
    Header,
    SignedHeader,
    Validator,
    ValidatorSet,
)
from tieline.wire.votes import vote_bytes

SECOND = 10**9
START_NS = 1_800_000_000 * SECOND


class DictStore(dict):
    """Fits ``protocol.client.ClientStore``."""

    def set(self, key, value):
        assert value
        self[key] = value

    def delete(self, key):
        self.pop(key, None)


class SigningChain:
    """Headers by any validators, at any height and time."""

    def __init__(self, chain_id="micro-1", powers=(10, 10, 10, 10)):
        self.chain_id = chain_id
        self.keys = {}
        self.validators = self.validator_set(powers)

    def validator_set(self, powers, salt=0):
        """Return a set with these powers, whose keys this chain holds."""
        members = []
        for index, power in enumerate(powers):
            key = SigningKey(sha256(b"%d %d" % (salt, index)).digest())
            member = Validator(key.verify_key.encode(), power)
            self.keys[member.address] = key
            members.append(member)
        members.sort(key=lambda one: (-one.voting_power, one.address))
        return ValidatorSet(tuple(members), members[0])

    def header(self, height, validators=None, following=None, time_ns=None, app_hash=None):
        """Return an unsigned header; block time is one second a height unless given."""
        validators = validators or self.validators
        return Header(
            chain_id=self.chain_id,
            height=height,
            time_ns=START_NS + height * SECOND if time_ns is None else time_ns,
            last_block_id=BlockId(sha256(b"last").digest(), 1, sha256(b"parts").digest()),
            last_commit_hash=sha256(b"commit").digest(),
            data_hash=sha256(b"").digest(),
            validators_hash=validators.hash(),
            next_validators_hash=(following or validators).hash(),
            consensus_hash=sha256(b"consensus").digest(),
            app_hash=app_hash or sha256(b"app %d" % height).digest(),
            last_results_hash=sha256(b"").digest(),
            evidence_hash=sha256(b"").digest(),
            proposer_address=validators.validators[0].address,
            app_protocol=1,
        )

    def signed(self, header, validators=None, silent=(), for_nil=()):
        """Sign *header* by all but the validators at the indices given."""
        validators = validators or self.validators
        block_id = BlockId(header.hash(), 1, sha256(b"parts %d" % header.height).digest())
        signatures = []
        for index, one in enumerate(validators.validators):
            if index in silent:
                signatures.append(CommitSig(ABSENT_FLAG, b"", NO_TIME_NS, b""))
                continue
            time_ns = header.time_ns + index
            voted = None if index in for_nil else block_id
            vote = vote_bytes(self.chain_id, header.height, 1, voted, time_ns)
            signature = self.keys[one.address].sign(vote).signature
            flag = COMMIT_FLAG if voted else NIL_FLAG
            signatures.append(CommitSig(flag, one.address, time_ns, signature))
        return SignedHeader(header, Commit(header.height, 1, block_id, tuple(signatures)))

    def update(self, height, trusted_height, **changes):
        """Return the header that brings a client from one height to another."""
        validators = changes.pop("validators", None) or self.validators
        trusted = changes.pop("trusted", None) or self.validators
        silent, for_nil = changes.pop("silent", ()), changes.pop("for_nil", ())
        header = self.header(height, validators, **changes)
        signed = self.signed(header, validators, silent, for_nil)
        return ClientHeader(signed, validators, Height(1, trusted_height), trusted)

    def client_state(self, height=10, **changes):
        """Return a client state: trust level 1/3, trusting 1,000 s, drift 10 s."""
        state = ClientState(
            self.chain_id,
            1,
            3,
            1_000 * SECOND,
            2_000 * SECOND,
            10 * SECOND,
            Height(1, height),
        )
        return replace(state, **changes)

    def consensus_state(self, height=10, following=None):
        """Return what a client created at *height* holds."""
        header = self.header(height, following=following)
        return ConsensusState(header.time_ns, header.app_hash, header.next_validators_hash)


class History:
    """A chain whose validators change: a set for every height from 1 on."""

    def __init__(self, chain, sets):
        """Take one set more than there are blocks: the last is announced only."""
        self.chain = chain
        self.sets = dict(enumerate(sets, 1))
        self.asked = []

    def message(self, height, trusted_height, **changes):
        """Return the client message as an honest peer would."""
        self.asked.append((height, trusted_height))
        return self.chain.update(
            height,
            trusted_height,
            validators=self.sets[height],
            following=self.sets[height + 1],
            trusted=self.sets[trusted_height + 1],
            **changes,
        )

    def begin(self, client, store, height=1, **changes):
        """Let *client* begin to trust at *height*."""
        chain = self.chain
        state = chain.client_state(height, **changes)
        header = chain.header(height, self.sets[height], self.sets[height + 1])
        consensus = ConsensusState(header.time_ns, header.app_hash, header.next_validators_hash)
        client.initialise(store, state.as_any(), consensus.as_any())


def fetch(search, history):
    """Answer a search for headers from *history* until it is over; return what it found."""
    try:
        wanted = next(search)
        while True:
            message = history.message(wanted.height, wanted.trusted_height)
            wanted = search.send(message.as_any())
    except StopIteration as end:
        return end.value
