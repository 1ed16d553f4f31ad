"""
Whether signers satisfy a policy of a Fabric channel, judged as its peers do.

Where a peer would be satisfied by nobody's signature, nothing here is.

Sources:
    ``docs/spec/trust.md`` 4; Fabric 3.1 ``common/cauthdsl``, ``common/policies/implicitmeta.go``,
    ``msp/mspimpl.go``.
"""

from __future__ import annotations

from collections.abc import Sequence

from tieline.light_clients.fabric.msp import Identity, IdentityRefused, Organisations
from tieline.wire.fabric.config import ChannelConfig
from tieline.wire.fabric.policies import (
    ApplicationPolicy,
    IdentityPrincipal,
    ImplicitMetaPolicy,
    MetaRule,
    Principal,
    Role,
    RolePrincipal,
    Rule,
    SignaturePolicy,
    SignedBy,
)


class Judge:
    """Judges by the policies of one configuration."""

    def __init__(self, config: ChannelConfig, organisations: Organisations) -> None:
        """Take the configuration, and who the channel's members are."""
        self._config = config
        self._organisations = organisations

    def satisfies(self, policy: ApplicationPolicy, signers: Sequence[Identity]) -> bool:
        """Tell whether *signers*, whose signatures are good, satisfy a chaincode's policy."""
        if policy.signature_policy is not None:
            return self._signed(policy.signature_policy, signers)
        return self.satisfies_at(policy.reference, signers)

    def satisfies_at(self, path: str, signers: Sequence[Identity]) -> bool:
        """
        Tell whether *signers*, whose signatures are good, satisfy a policy of the configuration.

        Args:
            path: Such as ``/Channel/Application/Endorsement``. Nobody satisfies one that is not
                there.
            signers: One who is there twice counts once.
        """
        policy = self._config.policy(path)
        if policy is None:
            return False
        if isinstance(policy, SignaturePolicy):
            return self._signed(policy, signers)
        return self._agreed(policy, path.rpartition("/")[0], signers)

    def _agreed(self, policy: ImplicitMetaPolicy, path: str, signers: Sequence[Identity]) -> bool:
        """Count the groups right below; one without such a policy never agrees."""
        groups = self._config.below(path)
        count = len(groups)
        needed = {MetaRule.ANY: 1, MetaRule.ALL: count, MetaRule.MAJORITY: count // 2 + 1}
        agreeing = sum(self.satisfies_at(f"{one}/{policy.sub_policy}", signers) for one in groups)
        return agreeing >= max(1, needed[policy.rule])

    def _signed(self, policy: SignaturePolicy, signers: Sequence[Identity]) -> bool:
        known = _each_once(signers)
        return self._follow(policy.rule, policy.principals, known, [False] * len(known))

    def _follow(
        self,
        rule: Rule,
        principals: Sequence[Principal],
        signers: Sequence[Identity],
        used: list[bool],
    ) -> bool:
        """Judge one rule as Fabric does: greedily, in order; note whose signatures it used."""
        if isinstance(rule, SignedBy):
            for index, signer in enumerate(signers):
                if not used[index] and self._is(signer, principals[rule.index]):
                    used[index] = True
                    return True
            return False
        satisfied = 0
        for one in rule.rules:
            tried = list(used)
            if self._follow(one, principals, signers, tried):
                satisfied += 1
                used[:] = tried
        return satisfied >= max(1, rule.count)

    def _is(self, signer: Identity, principal: Principal) -> bool:
        if isinstance(principal, RolePrincipal):
            return signer.msp_id == principal.msp_id and has_role(signer, principal.role)
        if isinstance(principal, IdentityPrincipal):
            try:
                named = self._organisations.identify(principal.identity)
            except IdentityRefused:
                return False
            return _same(named, signer)
        # Units and other kinds are met in no channel of ours: nobody is one.
        return False


def has_role(signer: Identity, role: Role) -> bool:
    """Tell whether a member of an organisation has a role in it."""
    if role is Role.MEMBER:
        return True
    return signer.role is role or (role is Role.ADMIN and signer.is_listed_admin)


def _each_once(signers: Sequence[Identity]) -> tuple[Identity, ...]:
    return tuple({(one.msp_id, one.certificate): one for one in signers}.values())


def _same(one: Identity, other: Identity) -> bool:
    return (one.msp_id, one.certificate) == (other.msp_id, other.certificate)
