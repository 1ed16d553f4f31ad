"""
What is known of a channel's rules: its configurations and its chaincode's definitions, each with
the place from which it holds.

A transaction is judged by those of its block, a read-back by the newest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from tieline.light_clients.client_rules import NotConvincing
from tieline.light_clients.fabric.msp import Organisations
from tieline.light_clients.fabric.policies import Judge
from tieline.light_clients.fabric.states import KnownConfig, KnownDefinition
from tieline.wire.errors import Malformed
from tieline.wire.fabric.config import ChannelConfig, channel_config
from tieline.wire.fabric.config_groups import Config
from tieline.wire.fabric.lifecycle import ChaincodeDefinition
from tieline.wire.fabric.policies import ApplicationPolicy
from tieline.wire.fabric.rwsets import Version

KNOWN_MAX = 32
"""Configurations, and definitions, of each the newest: two years of monthly certificates' lists."""

_CONFIGS_REMEMBERED = 64


class EvidenceRefused(NotConvincing):
    """What was brought does not show what it is brought for; carries the first broken rule."""


@dataclass(frozen=True, slots=True)
class Rules:
    """One configuration, ready to be judged by."""

    config: ChannelConfig
    organisations: Organisations
    judge: Judge


@lru_cache(maxsize=_CONFIGS_REMEMBERED)
def read_rules(channel: str, config: bytes) -> Rules:
    """
    Return what a ``common.Config`` says.

    Raises:
        Malformed: It is none, or says of an organisation what cannot be.
    """
    found = channel_config(channel, Config.decode(config))
    groups = (*found.application.organisations, *found.orderer.organisations)
    organisations = Organisations(one.msp for one in groups)
    numbers = [one.id for one in found.orderer.consenters]
    if len(set(numbers)) != len(numbers):
        raise Malformed("two consenters of one number")
    return Rules(found, organisations, Judge(found, organisations))


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All that is known, ascending; the last of either is the newest."""

    channel: str
    chaincode: str
    configs: tuple[KnownConfig, ...]
    definitions: tuple[KnownDefinition, ...]

    def rules_of(self, known: KnownConfig) -> Rules:
        """Return a configuration that is one of these. Raises Malformed."""
        return read_rules(self.channel, known.config)

    @property
    def newest_rules(self) -> Rules:
        """The newest configuration."""
        return self.rules_of(self.configs[-1])

    @property
    def newest_definition(self) -> KnownDefinition:
        """The newest definition."""
        return self.definitions[-1]

    def config_before(self, number: int) -> KnownConfig:
        """
        Return the configuration by which orderers signed a block.

        Raises:
            EvidenceRefused: It is older than all that is known.
        """
        for known in reversed(self.configs):
            if known.number < number:
                return known
        raise EvidenceRefused(f"no configuration is known of block {number}")

    def definition_of(self, version: Version) -> KnownDefinition:
        """Return the definition of a version. Raises EvidenceRefused if it is not known."""
        for known in reversed(self.definitions):
            if known.version == version:
                return known
        raise EvidenceRefused(f"definition of the chaincode is not known: {version}")


def as_definition(chaincode: str, known: KnownDefinition) -> ChaincodeDefinition:
    """Return what the next definition's writes are laid upon."""
    return ChaincodeDefinition(chaincode, known.sequence, "", known.endorsement_policy)


def endorsement_policy(known: KnownDefinition) -> ApplicationPolicy:
    """Return the policy that a definition names. Raises Malformed."""
    return ApplicationPolicy.decode(known.endorsement_policy)
