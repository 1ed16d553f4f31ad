"""
What an ordered transaction, or an answer that was never ordered, is worth: who endorsed it, by
which definition, and what it read and wrote.

Nothing here says that a transaction is *valid*: that is for a read-back of its marker. So nobody
asks here who brought it: peers did, and with a key or a certificate that they take and a client
does not, whoever brings a packet first could make it one that is neither answered nor timed out.

Sources:
    ``docs/spec/trust.md`` 4; ``docs/adr/0044-what-is-proved-of-fabric.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tieline.light_clients.fabric.blocks import OrderedBlock, Span, check_signature
from tieline.light_clients.fabric.knowledge import (
    EvidenceRefused,
    Knowledge,
    Rules,
    endorsement_policy,
)
from tieline.light_clients.fabric.messages import PeerEndorsement, ReadBack
from tieline.light_clients.fabric.msp import Identity, IdentityRefused
from tieline.wire.fabric.invocations import (
    Function,
    decode_read_back,
    invocation_hash,
    marker_key,
    marker_value,
)
from tieline.wire.fabric.lifecycle import LIFECYCLE, sequence_key
from tieline.wire.fabric.responses import (
    SUCCESS,
    EndorsedResponse,
    Endorsement,
    OpenedResponse,
)
from tieline.wire.fabric.rwsets import NamespaceSet, Read, ReadWriteSet, Version, Write
from tieline.wire.fabric.signatures import verify
from tieline.wire.fabric.transactions import decode_transaction

LIFECYCLE_ENDORSEMENT = "/Channel/Application/LifecycleEndorsement"


class TooFewEndorsed(EvidenceRefused):
    """Of all that a transaction of the chaincode must be, it is not endorsed by enough."""


@dataclass(frozen=True, slots=True)
class Written:
    """What an ordered transaction of the chaincode would write, were it valid."""

    version: Version
    """Block and index."""
    args: tuple[bytes, ...]
    """Function first."""
    marker: str
    """The key that a read-back of it must hold in this version."""
    digest: bytes
    """What the marker holds: the hash of all else that is written."""
    sets: NamespaceSet

    def value_of(self, key: str) -> bytes:
        """Return what it wrote under a key. Raises EvidenceRefused unless exactly once."""
        return sole_write(self.sets.writes, key).value

    def has_seen_absent(self, key: str) -> bool:
        """Tell whether it read a key and found nothing, so that it is valid only if that held."""
        return sole_read(self.sets.reads, key).version is None


def verify_written(block: OrderedBlock, index: int, knowledge: Knowledge, span: Span) -> Written:
    """
    Check one transaction of the chaincode.

    Raises:
        TooFewEndorsed: The definition that it read does not let these peers endorse.
        EvidenceRefused: It is of another channel or chaincode, it writes what could not be judged
            by that definition, or it has no marker.
        Malformed: It is no chaincode's transaction.
    """
    found = decode_transaction(block.envelope(index))
    _check_address(found.opened, knowledge)
    sets = _own_set(found.opened, knowledge)
    definition = knowledge.definition_of(definition_read(found.opened, knowledge))
    signers = good_endorsers(found.endorsed, block.rules, span)
    if not block.rules.judge.satisfies(endorsement_policy(definition), signers):
        raise TooFewEndorsed("endorsements do not satisfy the chaincode's policy")
    marker = marker_key(invocation_hash(found.opened.args))
    others = (one for one in sets.writes if one.key != marker)
    digest = marker_value((one.key, None if one.is_deletion else one.value) for one in others)
    if sole_write(sets.writes, marker).value != digest:
        raise EvidenceRefused("marker is of other writes")
    version = Version(block.header.number, index)
    return Written(version, found.opened.args, marker, digest, sets)


def verify_lifecycle(
    block: OrderedBlock, index: int, knowledge: Knowledge, span: Span
) -> ReadWriteSet:
    """
    Check one transaction of ``_lifecycle`` and return what it reads and writes.

    Raises:
        EvidenceRefused: It is of another channel or chaincode, the channel's policy does not let
            these peers endorse, or it writes elsewhere too.
        Malformed: It is no chaincode's transaction.
    """
    found = decode_transaction(block.envelope(index))
    content = found.opened.content
    if found.channel_id != knowledge.channel or content.chaincode != LIFECYCLE:
        raise EvidenceRefused(f"not of {LIFECYCLE} on {knowledge.channel}")
    if content.response.status != SUCCESS:
        raise EvidenceRefused("transaction that failed")
    signers = good_endorsers(found.endorsed, block.rules, span)
    if not block.rules.judge.satisfies_at(LIFECYCLE_ENDORSEMENT, signers):
        raise EvidenceRefused("endorsements do not satisfy the policy of definitions")
    for one in content.sets.namespaces:
        if one.metadata_writes or (one.writes and one.namespace != LIFECYCLE):
            raise EvidenceRefused(f"a change of definition that writes to {one.namespace!r}")
    return content.sets


def verify_read_back(
    answer: ReadBack, knowledge: Knowledge, span: Span, *, is_of_definition: bool = False
) -> OpenedResponse:
    """
    Check what peers answered to a ReadBack, by the newest configuration and definition.

    Args:
        answer: As it was brought.
        knowledge: All that is known.
        span: When each endorser must have been valid.
        is_of_definition: Whether a new definition is believed because of it, so that those who
            may change definitions must have endorsed as well.

    Raises:
        EvidenceRefused: It is of another channel or chaincode, not a ReadBack, endorsed under
            another definition or by too few, or any of its signatures is not good.
        Malformed: Its parts are none, or do not belong together.
    """
    opened = _response(answer).open()
    _check_address(opened, knowledge)
    if opened.args[:1] != (Function.READ_BACK.encode(),):
        raise EvidenceRefused("answer to something else than a read-back")
    if _own_set(opened, knowledge).writes:
        raise EvidenceRefused("read-back that writes")
    definition = knowledge.newest_definition
    if definition_read(opened, knowledge) != definition.version:
        raise EvidenceRefused("read-back is not under the newest definition")
    rules = knowledge.newest_rules
    signers = _all_endorsers(answer.endorsements, answer.response_payload, rules, span)
    if not rules.judge.satisfies(endorsement_policy(definition), signers):
        raise EvidenceRefused("read-back is endorsed by too few")
    if is_of_definition and not rules.judge.satisfies_at(LIFECYCLE_ENDORSEMENT, signers):
        raise EvidenceRefused("read-back of a new definition is endorsed by too few")
    return opened


def check_valid(written: Written, opened: OpenedResponse, knowledge: Knowledge) -> None:
    """
    Check that peers hold the marker in the very version that the transaction would give it, and
    with the hash of what it writes: they do only if they committed it as valid.

    Raises:
        EvidenceRefused: They do not, so it is not valid, or another transaction is meant.
    """
    reads = opened.content.sets.of(knowledge.chaincode).reads
    version = sole_read(reads, written.marker).version
    if version != written.version:
        raise EvidenceRefused(f"read-back of another transaction: {version} {written.version}")
    answer = decode_read_back(opened.content.response.payload)
    asked = opened.args[1:]
    if len(answer.values) != len(asked) or asked.count(written.marker.encode()) != 1:
        raise EvidenceRefused("answer to another question")
    if answer.values[asked.index(written.marker.encode())] != written.digest:
        raise EvidenceRefused("read-back of other writes of the same call")


def sole_read(reads: Sequence[Read], key: str) -> Read:
    """Return the one read of a key. Raises EvidenceRefused if there is none, or a second."""
    found = [one for one in reads if one.key == key]
    if len(found) != 1:
        raise EvidenceRefused(f"key is not read exactly once: {key} count={len(found)}")
    return found[0]


def sole_write(writes: Sequence[Write], key: str) -> Write:
    """Return the one write of a key. Raises EvidenceRefused for none, a second, a deletion."""
    found = [one for one in writes if one.key == key]
    if len(found) != 1 or found[0].is_deletion:
        raise EvidenceRefused(f"key is not written exactly once: {key} count={len(found)}")
    return found[0]


def definition_read(opened: OpenedResponse, knowledge: Knowledge) -> Version:
    """Return the version of the definition that a simulation ran under."""
    reads = opened.content.sets.of(LIFECYCLE).reads
    version = sole_read(reads, sequence_key(knowledge.chaincode)).version
    if version is None:
        raise EvidenceRefused("chaincode was not defined")
    return version


def good_endorsers(endorsed: EndorsedResponse, rules: Rules, span: Span) -> list[Identity]:
    """Return whose endorsement of a transaction is good; peers pass over the others as well."""
    found = list[Identity]()
    for one in endorsed.endorsements:
        try:
            signer = rules.organisations.identify(one.endorser)
        except IdentityRefused:
            continue
        message = one.signed_bytes(endorsed.response_payload)
        if signer.is_valid_within(*span) and verify(signer.key, one.signature, message):
            found.append(signer)
    return found


def _all_endorsers(
    endorsements: Sequence[PeerEndorsement], payload: bytes, rules: Rules, span: Span
) -> list[Identity]:
    """Return who endorsed; each of them must be good, so that no byte is without meaning."""
    found = dict[bytes, Identity]()
    for one in endorsements:
        signer = rules.organisations.identify(one.endorser)
        if not signer.is_valid_within(*span):
            raise EvidenceRefused(f"endorser's certificate has expired, or not begun: {span}")
        check_signature(signer, one.signature, payload + one.endorser, "a read-back")
        if signer.certificate in found:
            raise EvidenceRefused("endorser signed twice")
        found[signer.certificate] = signer
    return list(found.values())


def _response(answer: ReadBack) -> EndorsedResponse:
    return EndorsedResponse(
        answer.channel_header,
        answer.signature_header,
        answer.proposal_payload,
        answer.response_payload,
        tuple(Endorsement(one.endorser, one.signature) for one in answer.endorsements),
    )


def _check_address(opened: OpenedResponse, knowledge: Knowledge) -> None:
    if opened.header.channel_id != knowledge.channel:
        raise EvidenceRefused(f"of another channel: {opened.header.channel_id!r}")
    if opened.content.chaincode != knowledge.chaincode:
        raise EvidenceRefused(f"of another chaincode: {opened.content.chaincode!r}")
    if opened.content.response.status != SUCCESS:
        raise EvidenceRefused(f"call that failed: status={opened.content.response.status}")


def _own_set(opened: OpenedResponse, knowledge: Knowledge) -> NamespaceSet:
    """Return what the chaincode touched; nothing else may be touched but its definition, read."""
    for one in opened.content.sets.namespaces:
        if one.namespace not in {knowledge.chaincode, LIFECYCLE}:
            raise EvidenceRefused(f"touches another chaincode: {one.namespace!r}")
        if one.metadata_writes:
            # A policy of a single key would stand before the chaincode's.
            raise EvidenceRefused("writes metadata of a key")
        if one.collections:
            raise EvidenceRefused("touches private data")
        if one.namespace == LIFECYCLE and one.writes:
            raise EvidenceRefused("writes a definition")
    return opened.content.sets.of(knowledge.chaincode)
