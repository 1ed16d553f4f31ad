"""
A Fabric channel by hand: every key at hand, every lie possible. Blocks are made of real
certificates and signatures; what is valid is what a test says, and peers answer accordingly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256

from tieline.ledgers.fabric.embedded.config_blocks import Change, config_transaction
from tieline.ledgers.fabric.embedded.signing import Signatory
from tieline.ledgers.fabric.material import Member, Organisation, Role, make_organisation
from tieline.ledgers.fabric.x509_making import ALWAYS, Validity
from tieline.light_clients.fabric import building
from tieline.light_clients.fabric.messages import DefinitionStep, Header, MembershipProof, ReadBack
from tieline.light_clients.fabric.states import (
    ClientState,
    ConsensusState,
    KnownConfig,
    KnownDefinition,
)
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.wire.fabric import config as channel
from tieline.wire.fabric.blocks import (
    Block,
    BlockHeader,
    Metadata,
    MetadataSignature,
    OrdererMetadata,
    data_hash,
    identifier_header,
)
from tieline.wire.fabric.config_groups import Config, ConfigEnvelope, config_of_envelope
from tieline.wire.fabric.envelopes import (
    CONFIG,
    ChannelHeader,
    Envelope,
    Payload,
    SignatureHeader,
)
from tieline.wire.fabric.invocations import (
    CLOCK_KEY,
    ReadBackAnswer,
    absence_key,
    encode_number,
    encode_read_back,
    ibc_key,
    invocation_hash,
    marker_key,
    marker_value,
    prove_absence_args,
    read_back_args,
    submit_args,
    tick_args,
)
from tieline.wire.fabric.lifecycle import LIFECYCLE, ChaincodeDefinition, sequence_key
from tieline.wire.fabric.organisations import MspConfig, NodeUnits, UnitIdentifier
from tieline.wire.fabric.policies import (
    ImplicitMetaPolicy,
    MetaRule,
    Policy,
    roles_out_of,
)
from tieline.wire.fabric.policies import (
    Role as MspRole,
)
from tieline.wire.fabric.proposals import propose
from tieline.wire.fabric.responses import (
    EndorsedResponse,
    Endorsement,
    Response,
    ResponsePayload,
)
from tieline.wire.fabric.rwsets import NamespaceSet, Read, ReadWriteSet, Version, Write
from tieline.wire.fabric.signatures import sign
from tieline.wire.fabric.transactions import decode_transaction, transaction_payload

CHANNEL, CHAINCODE = "north", "tieline"
START_S = 1_790_000_000
DAY_NS = 86_400 * NANOSECONDS_PER_SECOND
RAFT, BFT = channel.RAFT, channel.BFT
ORGANISATIONS = ("Org1MSP", "Org2MSP")


def certificate_of(member: Member) -> bytes:
    return member.signing.certificate_pem


def msp_config(organisation: Organisation, revocation_lists: tuple[bytes, ...] = ()) -> MspConfig:
    root = organisation.authority.certificate_pem
    units = NodeUnits(
        True, *(UnitIdentifier(unit, root) for unit in ("client", "peer", "admin", "orderer"))
    )
    return MspConfig(
        organisation.msp_id, (root,), revocation_lists=revocation_lists, node_units=units
    )


def signed_by(msp_id: str, role: MspRole = MspRole.MEMBER) -> Policy:
    return roles_out_of(1, [(msp_id, role)])


def organisation_group(organisation: Organisation) -> channel.Organisation:
    name = organisation.msp_id
    policies = {
        "Readers": signed_by(name),
        "Writers": signed_by(name),
        "Admins": signed_by(name, MspRole.ADMIN),
        "Endorsement": signed_by(name, MspRole.PEER),
    }
    return channel.Organisation(name, msp_config(organisation), policies)


def each(rule: MetaRule, name: str) -> Policy:
    return ImplicitMetaPolicy(name, rule)


def channel_config(
    organisations: Sequence[Organisation],
    orderers: Organisation,
    consensus: str,
    consenters: Sequence[int] = (),
) -> channel.ChannelConfig:
    shared = {
        "Readers": each(MetaRule.ANY, "Readers"),
        "Writers": each(MetaRule.ANY, "Writers"),
        "Admins": each(MetaRule.MAJORITY, "Admins"),
    }
    members = orderers.having(Role.ORDERER)
    return channel.ChannelConfig(
        CHANNEL,
        0,
        channel.OrdererConfig(
            consensus,
            b"",
            channel.BatchLimits(100, 512 * 1024, 256 * 1024, "100ms"),
            (organisation_group(orderers),),
            {**shared, "BlockValidation": each(MetaRule.ANY, "Writers")},
            frozenset({"V2_0"}),
            tuple(
                channel.Consenter(one + 1, "localhost", 7050, orderers.msp_id, certificate_of(m))
                for one, m in enumerate(members)
                if one + 1 in consenters
            ),
        ),
        channel.ApplicationConfig(
            tuple(organisation_group(one) for one in organisations),
            {
                **shared,
                "Endorsement": each(MetaRule.MAJORITY, "Endorsement"),
                "LifecycleEndorsement": each(MetaRule.MAJORITY, "Endorsement"),
            },
            frozenset({"V2_5"}),
        ),
        shared,
        frozenset({"V3_0" if consensus == BFT else "V2_0"}),
    )


@cache
def _made_organisations(validity: Validity, seed: bytes) -> tuple[Organisation, ...]:
    users = (("peer0", Role.PEER), ("client", Role.CLIENT), ("admin", Role.ADMIN))
    orderers = [(f"orderer{index}", Role.ORDERER) for index in range(4)]
    return (
        *(make_organisation(name, users, validity, seed=seed) for name in ORGANISATIONS),
        make_organisation("OrdererMSP", [*orderers, ("admin", Role.ADMIN)], validity, seed=seed),
    )


@dataclass
class Simulated:
    """What an invocation reads, writes and answers; a test may change any part of it."""

    args: tuple[bytes, ...]
    reads: list[Read] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    payload: bytes = b""
    definition: Version | None = None
    """That was read; the committed one unless given."""
    chaincode: str = CHAINCODE
    fabric_channel: str = CHANNEL
    others: tuple[NamespaceSet, ...] = ()
    metadata_writes: tuple[bytes, ...] = ()
    collections: tuple[bytes, ...] = ()
    status: int = 200

    @property
    def marker(self) -> str:
        return marker_key(invocation_hash(self.args))

    def writing(self, *writes: Write) -> Simulated:
        """Return it with other writes, marked as a peer would."""
        digest = marker_value((one.key, None if one.is_deletion else one.value) for one in writes)
        return replace(self, writes=[*writes, Write(self.marker, digest)])

    @property
    def others_written(self) -> list[Write]:
        """All but the marker."""
        return [one for one in self.writes if one.key != self.marker]


class FabricChain:
    """One channel: its blocks, what its peers hold, and who may sign."""

    def __init__(self, consensus: str = RAFT, validity: Validity = ALWAYS, seed: bytes = b"fake"):
        *peers, self.orderers = (
            # A test may exchange members.
            replace(one, members=dict(one.members))
            for one in _made_organisations(validity, seed)
        )
        self.organisations = peers
        self.consensus = consensus
        config = channel_config(self.organisations, self.orderers, consensus, (1, 2, 3, 4))
        self.held = Config(0, channel.config_group(config))
        self.blocks = list[Block]()
        self.last_config = 0
        self.versions = dict[str, Version]()
        self.values = dict[str, bytes]()
        self.clock_s = 0
        self.definition = ChaincodeDefinition(CHAINCODE, 1, "1.0")
        self.definition_version = Version(1, 0)
        self._nonces = 0
        self.append([self.config_envelope(self.held)], is_config=True)
        self.append([self.envelope(Simulated((b"CommitChaincodeDefinition",), chaincode="other"))])

    # --- who signs ---------------------------------------------------------------------------

    @property
    def peers(self) -> list[Member]:
        return [one.member("peer0") for one in self.organisations]

    @property
    def client(self) -> Member:
        return self.organisations[0].member("client")

    @property
    def orderer_members(self) -> tuple[Member, ...]:
        return self.orderers.having(Role.ORDERER)

    def fresh_nonce(self) -> bytes:
        self._nonces += 1
        return sha256(self._nonces.to_bytes(8)).digest()[:24]

    # --- what peers answer -------------------------------------------------------------------

    def endorse(
        self, simulated: Simulated, peers: Iterable[Member] | None = None
    ) -> EndorsedResponse:
        creator = self.client.creator()
        proposal = propose(
            simulated.fabric_channel,
            simulated.chaincode,
            simulated.args,
            creator,
            self.fresh_nonce(),
        )
        version = simulated.definition or self.definition_version
        lifecycle = NamespaceSet(LIFECYCLE, (Read(sequence_key(CHAINCODE), version),))
        own = NamespaceSet(
            CHAINCODE,
            tuple(simulated.reads),
            tuple(simulated.writes),
            metadata_writes=simulated.metadata_writes,
            collections=simulated.collections,
        )
        sets = ReadWriteSet(simulated.others or (lifecycle, own))
        response = Response(simulated.status, payload=simulated.payload)
        payload = ResponsePayload(
            proposal.hash(), simulated.chaincode, "1.0", sets, response
        ).encode()
        endorsements = tuple(
            Endorsement(one.creator(), sign(one.signing.key, payload + one.creator()))
            for one in (self.peers if peers is None else peers)
        )
        return EndorsedResponse(
            proposal.channel_header,
            proposal.signature_header,
            proposal.payload,
            payload,
            endorsements,
        )

    def envelope(
        self,
        simulated: Simulated,
        peers: Iterable[Member] | None = None,
        signer: Member | None = None,
    ) -> bytes:
        payload = transaction_payload(self.endorse(simulated, peers))
        key = (signer or self.client).signing.key
        return Envelope(payload, sign(key, payload)).encode()

    def simulate(
        self, args: tuple[bytes, ...], writes: Mapping[str, bytes], *reads: str
    ) -> Simulated:
        marker = marker_key(invocation_hash(args))
        keys = (marker, *reads)
        all_writes = {**writes, marker: marker_value(writes.items())}
        return Simulated(
            args,
            [Read(key, self.versions.get(key)) for key in keys],
            [Write(key, value) for key, value in sorted(all_writes.items())],
        )

    def tick(self, time_s: int) -> Simulated:
        return self.simulate(tick_args(time_s), {CLOCK_KEY: encode_number(time_s)}, CLOCK_KEY)

    def write(self, values: Mapping[bytes, bytes], nonce: int = 0) -> Simulated:
        """Some transaction of the contract that writes keys of store ``ibc``."""
        raw = b"transaction %d" % nonce + b"".join(values)
        return self.simulate(
            submit_args(raw), {ibc_key(key): value for key, value in values.items()}
        )

    def prove_absence(self, client_id: str, sequence: int, tau_s: int, receipt: bytes) -> Simulated:
        record = absence_key(client_id, sequence)
        return self.simulate(
            prove_absence_args(client_id, sequence, tau_s),
            {record: encode_number(tau_s)},
            ibc_key(receipt),
            record,
            CLOCK_KEY,
        )

    def reading(self, *keys: str) -> Simulated:
        """What a ReadBack comes to now."""
        answer = ReadBackAnswer(self.clock_s, tuple(self.values.get(key) for key in keys))
        reads = [Read(key, self.versions.get(key)) for key in (*keys, CLOCK_KEY)]
        return Simulated(read_back_args(*keys), reads, [], encode_read_back(answer))

    def read_back(
        self, *keys: str, peers: Iterable[Member] | None = None, **changes: object
    ) -> ReadBack:
        return self.answer(replace(self.reading(*keys), **changes), peers)

    def answer(self, simulated: Simulated, peers: Iterable[Member] | None = None) -> ReadBack:
        return building.read_back(transaction_payload(self.endorse(simulated, peers)))

    def marker_read_back(self, simulated: Simulated, **changes: object) -> ReadBack:
        return self.read_back(marker_key(invocation_hash(simulated.args)), **changes)

    # --- blocks ------------------------------------------------------------------------------

    @property
    def config(self) -> channel.ChannelConfig:
        return channel.channel_config(CHANNEL, self.held)

    def config_envelope(self, held: Config, update: bytes | None = None) -> bytes:
        member = self.orderers.member("orderer0")
        header = ChannelHeader(CONFIG, CHANNEL, "").encode()
        signer = SignatureHeader(member.creator(), self.fresh_nonce()).encode()
        payload = Payload(header, signer, ConfigEnvelope(held, update).encode()).encode()
        return Envelope(payload, sign(member.signing.key, payload)).encode()

    def make_block(
        self,
        envelopes: Sequence[bytes],
        *,
        is_config: bool = False,
        signers: Sequence[int] | None = None,
        number: int | None = None,
        last_config: int | None = None,
    ) -> Block:
        """Return a block on top of the newest; *signers* are places of orderers, from 0."""
        number = len(self.blocks) if number is None else number
        previous = self.blocks[number - 1].header.hash() if number else b""
        header = BlockHeader(number, previous, data_hash(envelopes))
        if last_config is None:
            last_config = number if is_config else self.last_config
        metadata = self.signed_metadata(header, last_config, signers)
        entries = (metadata.encode() if number else b"", b"", bytes(len(envelopes)), b"", b"")
        return Block(header, tuple(envelopes), entries)

    def signed_metadata(
        self, header: BlockHeader, last_config: int, signers: Sequence[int] | None = None
    ) -> Metadata:
        if signers is None:
            signers = (0, 1, 2) if self.consensus == BFT else (0,)
        value = OrdererMetadata(last_config, b"consenters").encode()
        signatures = list[MetadataSignature]()
        for place in signers:
            member = self.orderer_members[place]
            if self.consensus == BFT:
                bare = MetadataSignature(
                    b"", identifier_header=identifier_header(place + 1, self.fresh_nonce())
                )
            else:
                creator = SignatureHeader(member.creator(), self.fresh_nonce()).encode()
                bare = MetadataSignature(b"", signature_header=creator)
            signature = sign(member.signing.key, bare.signed_bytes(value, header))
            signatures.append(replace(bare, signature=signature))
        return Metadata(value, tuple(signatures))

    def append(self, envelopes: Sequence[bytes], *, is_config: bool = False) -> Block:
        block = self.make_block(envelopes, is_config=is_config)
        self.blocks.append(block)
        if is_config:
            self.last_config = block.header.number
        return block

    def commit(
        self,
        *simulated: Simulated,
        invalid: Sequence[int] = (),
        peers: Iterable[Member] | None = None,
    ) -> Block:
        """Order transactions; all are valid but those of these places."""
        peers = None if peers is None else tuple(peers)
        block = self.append([self.envelope(one, peers) for one in simulated])
        for index, one in enumerate(simulated):
            if index not in invalid:
                for write in one.writes:
                    self.versions[write.key] = Version(block.header.number, index)
                    self.values[write.key] = write.value
                    if write.key == CLOCK_KEY:
                        self.clock_s = int.from_bytes(write.value)
        return block

    def config_change(
        self, change: Change = lambda config: config, admins: Sequence[Member] | None = None
    ) -> bytes:
        """Return the envelope of the next configuration; another timeout, and what else is said."""

        def changed(config: channel.ChannelConfig) -> channel.ChannelConfig:
            limits = replace(config.orderer.batch_limits, timeout=f"{101 + config.sequence}ms")
            return change(replace(config, orderer=replace(config.orderer, batch_limits=limits)))

        if admins is None:
            admins = [one.member("admin") for one in (*self.organisations, self.orderers)]
        signatories = [Signatory.of(one) for one in admins]
        orderer = Signatory.of(self.orderers.member("orderer0"))
        return config_transaction(CHANNEL, self.held, changed, signatories, orderer, self.clock_s)

    def change_config(
        self, change: Change = lambda config: config, admins: Sequence[Member] | None = None
    ) -> Block:
        return self.order_config(self.config_change(change, admins))

    def order_config(self, envelope: bytes) -> Block:
        """Make what an envelope says the channel's configuration, whatever it is."""
        self.held = config_of_envelope(envelope)[1].config
        return self.append([envelope], is_config=True)

    def definition_change(
        self, policy: bytes | None = None
    ) -> tuple[Simulated, ChaincodeDefinition]:
        """Return the transaction that commits the next definition, and that definition."""
        parameter = policy or self.definition.validation_parameter
        after = replace(
            self.definition,
            sequence=self.definition.sequence + 1,
            validation_parameter=parameter,
        )
        reads = (Read(sequence_key(CHAINCODE), self.definition_version),)
        touched = NamespaceSet(LIFECYCLE, reads, after.writes(self.definition))
        args = (b"CommitChaincodeDefinition", b"arguments")
        return Simulated(args, chaincode=LIFECYCLE, others=(touched,)), after

    def change_definition(self, policy: bytes | None = None) -> DefinitionStep:
        simulated, after = self.definition_change(policy)
        block = self.append([self.envelope(simulated)])
        self.definition, self.definition_version = after, Version(block.header.number, 0)
        return building.definition_step(block.encode(), 0)

    # --- for the client ----------------------------------------------------------------------

    def states(self, block: Block) -> tuple[ClientState, ConsensusState]:
        """Return what a client begins with at a block with a Tick."""
        config = building.known_config(self.blocks[self.last_config].encode())
        definition = KnownDefinition(
            self.definition_version,
            self.definition.sequence,
            self.definition.validation_parameter,
        )
        client = ClientState(
            CHANNEL,
            CHAINCODE,
            self.blocks[0].header.hash(),
            latest_height=block.header.number,
            trusting_period_ns=7 * DAY_NS,
            max_clock_drift_ns=60 * NANOSECONDS_PER_SECOND,
            configs=(KnownConfig(config.number, config.config),),
            definitions=(definition,),
        )
        time_ns = self.clock_s * NANOSECONDS_PER_SECOND
        return client, ConsensusState(time_ns, block.header.hash())

    def tick_block(self, time_s: int, *before: Simulated) -> Block:
        """Commit a block whose last transaction is a Tick."""
        return self.commit(*before, self.tick(time_s))

    def header(self, block: Block, index: int | None = None, **steps: Sequence[object]) -> Header:
        """Return the client message of a block with a Tick; the last transaction unless given."""
        index = len(block.data) - 1 if index is None else index
        tick = self.tick_args_of(block, index)
        answer = self.read_back(marker_key(invocation_hash(tick)))
        return Header(building.signed_block(block.encode()), index, answer, **steps)

    @staticmethod
    def tick_args_of(block: Block, index: int) -> tuple[bytes, ...]:
        return decode_transaction(block.data[index]).opened.args

    def membership_proof(
        self,
        written: Simulated,
        block: Block,
        index: int,
        height: int,
        answer: ReadBack | None = None,
    ) -> bytes:
        behind = self.blocks[block.header.number + 1 : height + 1]
        return MembershipProof(
            building.signed_block(block.encode()),
            index,
            answer or self.marker_read_back(written),
            tuple(one.header.data_hash for one in behind),
        ).encode()
