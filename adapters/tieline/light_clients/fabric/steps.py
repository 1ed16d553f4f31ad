"""
How a client follows its channel: the next configuration, the next definition of the chaincode.

A configuration is signed by the orderers of the one before, and the update that leads to it by the
administrators whom that one asks for. A definition is a transaction like any
other, by the channel's policy for definitions; each reads the version of the one before, so that
it is valid if the next one is, and the last is shown to be so by a read-back.

Sources:
    ``docs/spec/trust.md`` 4; ``docs/adr/0044-what-is-proved-of-fabric.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tieline.light_clients.fabric.blocks import Span, verify_block, verify_config_block
from tieline.light_clients.fabric.config_changes import check_change
from tieline.light_clients.fabric.knowledge import (
    KNOWN_MAX,
    EvidenceRefused,
    Knowledge,
    as_definition,
    endorsement_policy,
    read_rules,
)
from tieline.light_clients.fabric.messages import ConfigStep, DefinitionStep
from tieline.light_clients.fabric.states import KnownConfig, KnownDefinition
from tieline.light_clients.fabric.transactions import sole_read, verify_lifecycle
from tieline.wire.fabric.config_groups import Config, config_of_envelope
from tieline.wire.fabric.envelopes import Envelope, Payload
from tieline.wire.fabric.lifecycle import LIFECYCLE, after_writes, sequence_key
from tieline.wire.fabric.reader import Message
from tieline.wire.fabric.rwsets import Version

VALIDATION_PLUGIN = "vscc"
"""Fabric's own: another one could take transactions that a policy refuses."""


def follow(
    knowledge: Knowledge,
    configs: Sequence[ConfigStep],
    definitions: Sequence[DefinitionStep],
    span: Span,
) -> Knowledge:
    """
    Return what is known after all steps. One that was followed before is checked again.

    Raises:
        EvidenceRefused, Malformed: A step does not stand on what is known.
    """
    for config in configs:
        knowledge = _follow_config(knowledge, config, span)
    newest: KnownDefinition | None = None
    for definition in definitions:
        knowledge, found = _follow_definition(knowledge, definition, span)
        if newest is not None and found.sequence != newest.sequence + 1:
            raise EvidenceRefused("definitions are not one after the other")
        newest = found
    if newest is not None and newest != knowledge.newest_definition:
        raise EvidenceRefused("definitions end before the newest that is known")
    return knowledge


def _follow_config(knowledge: Knowledge, step: ConfigStep, span: Span) -> Knowledge:
    block = verify_config_block(step.block, knowledge, span)
    number, envelope = block.header.number, block.envelope(0)
    channel, held = config_of_envelope(envelope)
    before = knowledge.config_before(number)
    expected = knowledge.rules_of(before).config.sequence + 1
    if channel != knowledge.channel or held.config.sequence != expected:
        raise EvidenceRefused(
            f"configuration of {channel!r}, {held.config.sequence}: expected "
            f"{knowledge.channel!r}, {expected}"
        )
    found = KnownConfig(number, config_bytes(envelope))
    read_rules(knowledge.channel, found.config)
    if found in knowledge.configs:
        return knowledge
    if before != knowledge.configs[-1]:
        raise EvidenceRefused(f"another configuration is known after block {before.number}")
    check_change(Config.decode(before.config), knowledge.rules_of(before), held)
    return replace(knowledge, configs=(*knowledge.configs, found)[-KNOWN_MAX:])


def config_bytes(envelope: bytes) -> bytes:
    """Return the ``common.Config`` in a config block's envelope. Raises Malformed."""
    payload = Payload.decode(Envelope.decode(envelope).payload)
    return Message(payload.data).embedded(1) or b""


def _follow_definition(
    knowledge: Knowledge, step: DefinitionStep, span: Span
) -> tuple[Knowledge, KnownDefinition]:
    block = verify_block(step.block, knowledge, span)
    touched = verify_lifecycle(block, step.index, knowledge, span).of(LIFECYCLE)
    version = sole_read(touched.reads, sequence_key(knowledge.chaincode)).version
    if version is None:
        raise EvidenceRefused("the first definition of the chaincode is none that follows")
    before = knowledge.definition_of(version)
    after = after_writes(
        knowledge.chaincode, as_definition(knowledge.chaincode, before), touched.writes
    )
    if after is None or after.sequence != before.sequence + 1:
        raise EvidenceRefused("not the next definition of the chaincode")
    if after.validation_plugin != VALIDATION_PLUGIN or after.collections:
        raise EvidenceRefused("definition with private data, or with validation of its own")
    found = KnownDefinition(
        Version(block.header.number, step.index), after.sequence, after.validation_parameter
    )
    endorsement_policy(found)
    if found in knowledge.definitions:
        return knowledge, found
    if before != knowledge.newest_definition or found.version <= before.version:
        raise EvidenceRefused("another definition is known")
    definitions = (*knowledge.definitions, found)[-KNOWN_MAX:]
    return replace(knowledge, definitions=definitions), found
