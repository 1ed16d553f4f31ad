"""
A peer of one organisation: it simulates and endorses proposals, and validates and commits blocks,
on a state of its own.

Sources:
    Fabric 3.1.1, ``core/endorser``, ``core/ledger/kvledger``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tieline.interfaces.errors import Contradicted
from tieline.ledgers.fabric.embedded.channel_view import ChannelView, is_signed
from tieline.ledgers.fabric.embedded.commit_hash import commit_hash
from tieline.ledgers.fabric.embedded.lifecycle import (
    SYSTEM_VERSION,
    LifecycleChaincode,
    definition_in,
)
from tieline.ledgers.fabric.embedded.signing import Signatory
from tieline.ledgers.fabric.embedded.simulation import Chaincode, Simulator
from tieline.ledgers.fabric.embedded.validation import Validated, validate_block
from tieline.ledgers.fabric.embedded.world_state import Updates, WorldState
from tieline.wire.errors import Malformed
from tieline.wire.fabric.blocks import (
    COMMIT_HASH,
    TRANSACTIONS_FILTER,
    Block,
    BlockHeader,
    Metadata,
    check_well_formed,
    is_config_block,
)
from tieline.wire.fabric.config import decode_channel_config
from tieline.wire.fabric.envelopes import ENDORSER_TRANSACTION, ChannelHeader, SignatureHeader
from tieline.wire.fabric.identities import SerializedIdentity
from tieline.wire.fabric.invocations import EVENT_NAME
from tieline.wire.fabric.lifecycle import LIFECYCLE, sequence_key
from tieline.wire.fabric.proposals import (
    Proposal,
    SignedProposal,
    arguments_of,
    chaincode_called,
)
from tieline.wire.fabric.responses import (
    ChaincodeEvent,
    Endorsement,
    Response,
    ResponsePayload,
)
from tieline.wire.fabric.rwsets import ReadWriteSet

PROPOSE_POLICY: Final = "/Channel/Application/Writers"
_FAILED: Final = 400
_BAD: Final = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """``peer.ProposalResponse``: what a peer says to a proposal."""

    response: Response
    payload: bytes = b""
    """``ProposalResponsePayload``; empty if the peer does not endorse."""
    endorsement: Endorsement | None = None


class Peer:
    """One organisation's copy of a channel."""

    def __init__(
        self,
        signatory: Signatory,
        genesis: Block,
        chaincodes: Mapping[str, Chaincode],
        wall_s: Callable[[], int],
    ) -> None:
        """
        Join a channel.

        Args:
            signatory: Who endorses.
            genesis: Block 0.
            chaincodes: What is installed here, by name.
            wall_s: This peer's clock, unix seconds.
        """
        self._signatory = signatory
        self._chaincodes = {**chaincodes, LIFECYCLE: LifecycleChaincode()}
        self._wall_s = wall_s
        self.state = WorldState()
        self.view = ChannelView(decode_channel_config(genesis.data[0]))
        """Of the newest configuration."""
        self._statuses: dict[str, tuple[int, int]] = {}
        self._commit_hash = b""
        self._newest: BlockHeader | None = None
        self.commit(genesis)
        self.kept_genesis = replace(genesis, metadata=())
        """Block 0 without metadata, of which nothing is signed."""

    @property
    def msp_id(self) -> str:
        """Whose peer this is."""
        return SerializedIdentity.decode(self._signatory.creator).msp_id

    @property
    def newest(self) -> BlockHeader:
        """Header of the last block."""
        assert self._newest is not None, "a peer begins with block 0"
        return self._newest

    @property
    def commit_hash(self) -> bytes:
        """That of the last block; empty before block 1."""
        return self._commit_hash

    def status_of(self, tx_id: str) -> tuple[int, int] | None:
        """Return validation code and block of the first transaction with an id."""
        return self._statuses.get(tx_id)

    # --- endorsing --------------------------------------------------------------------------

    def answer(self, signed: SignedProposal) -> Answer:
        """Simulate a proposal and endorse what comes of it, or say why not."""
        try:
            return self._answer(signed)
        except Malformed as exc:
            return _refused(f"error validating proposal: {exc}")

    def _answer(self, signed: SignedProposal) -> Answer:
        proposal = Proposal.decode(signed.proposal)
        header = ChannelHeader.decode(proposal.channel_header)
        creator = SignatureHeader.decode(proposal.signature_header).creator
        if header.type != ENDORSER_TRANSACTION or header.epoch:
            return _refused("error validating proposal: not a chaincode's")
        if header.channel_id != self.view.config.channel_id:
            return _refused(f"channel {header.channel_id!r} not found")
        if header.tx_id != proposal.tx_id:
            return _refused("error validating proposal: transaction id of other parts")
        member = self.view.signer(creator, signed.proposal, signed.signature)
        if member is None:
            return _refused(f"error validating proposal: access denied: {header.channel_id}")
        if header.tx_id in self._statuses:
            return _refused(f"duplicate transaction found {header.tx_id}")
        if not self.view.satisfies_at(PROPOSE_POLICY, [member]):
            return _refused(f"{PROPOSE_POLICY} policy not satisfied")
        return self._simulate(proposal, header)

    def _simulate(self, proposal: Proposal, header: ChannelHeader) -> Answer:
        name = chaincode_called(header)
        called = Simulator(self.state, name)
        definition = None if name == LIFECYCLE else definition_in(self.state, name)
        chaincode = self._chaincodes.get(name)
        if chaincode is None or (definition is None and name != LIFECYCLE):
            return _refused(f"chaincode {name} not found")
        args = arguments_of(proposal.payload)
        done = chaincode.invoke(args, called, self._wall_s)
        response = Response(done.status, done.message, done.payload)
        if done.status >= _FAILED:
            return Answer(response)
        sets = [called.sets(done.writes)]
        version = SYSTEM_VERSION
        if definition is not None:
            version = definition.version
            # Whoever runs a chaincode reads its definition, so that a new one undoes what was
            # endorsed under the old.
            defined = Simulator(self.state, LIFECYCLE)
            defined.get_state(sequence_key(name))
            sets.append(defined.sets())
        event = None
        if done.event:
            event = ChaincodeEvent(name, header.tx_id, EVENT_NAME, done.event)
        sets.sort(key=lambda one: one.namespace)
        found = ReadWriteSet(tuple(sets))
        payload = ResponsePayload(proposal.hash(), name, version, found, response, event).encode()
        return Answer(response, payload, self._endorse(payload))

    def _endorse(self, payload: bytes) -> Endorsement:
        unsigned = Endorsement(self._signatory.creator, b"")
        signature = self._signatory.sign(unsigned.signed_bytes(payload))
        return replace(unsigned, signature=signature)

    # --- committing -------------------------------------------------------------------------

    def commit(self, block: Block) -> Block:
        """
        Validate a block, take over what it writes, and return it as this peer keeps it.

        Raises:
            Contradicted: It does not follow the last one, or the orderers did not sign it.
        """
        self._check_ordered(block)
        number = block.header.number
        if is_config_block(block.data):
            self._take_config(block)
            judged = Validated(bytes(1), ("",), Updates())
        else:
            judged = validate_block(block, self.view, self.state, self._statuses.__contains__)
        codes, updates = judged.codes, judged.updates
        for tx_id, code in zip(judged.tx_ids, codes, strict=True):
            if tx_id:
                self._statuses.setdefault(tx_id, (code, number))
        self.state.apply(updates)
        self._newest = block.header
        metadata = list(block.metadata)
        metadata[TRANSACTIONS_FILTER] = codes
        if number:
            self._commit_hash = commit_hash(codes, updates, self._commit_hash)
            metadata[COMMIT_HASH] = Metadata(self._commit_hash).encode()
        return replace(block, metadata=tuple(metadata))

    def _check_ordered(self, block: Block) -> None:
        number = 0 if self._newest is None else self._newest.number + 1
        previous = b"" if self._newest is None else self._newest.hash()
        if block.header.number != number or block.header.previous_hash != previous:
            raise Contradicted(f"block does not follow the last one: number={block.header.number}")
        try:
            check_well_formed(block.data)
            # Block 0 has no signature: that it is this one is what joining a channel means.
            is_ordered = block.is_data_of_header and (not number or is_signed(block, self.view))
        except Malformed as exc:
            raise Contradicted(f"block is none: number={number}: {exc}") from exc
        if not is_ordered:
            raise Contradicted(f"block is not of the channel's orderers: number={number}")

    def _take_config(self, block: Block) -> None:
        config = decode_channel_config(block.data[0])
        if block.header.number and config.sequence != self.view.config.sequence + 1:
            raise Contradicted(f"configuration out of turn: sequence={config.sequence}")
        self.view = ChannelView(config)


def _refused(why: str) -> Answer:
    return Answer(Response(_BAD, why))
