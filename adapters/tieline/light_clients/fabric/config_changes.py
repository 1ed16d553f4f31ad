"""
Did a channel's administrators want its next configuration?

Orderers only say in which order things came. Without this, whoever orders could name, in a block
with a configuration, other endorsers, who then would say what is written.

Sources:
    ``docs/adr/0054-nobody-alone-against-a-fabric-client.md``; Fabric 3.1
    ``common/configtx/{update,validator}.go``.
"""

from __future__ import annotations

from tieline.light_clients.fabric.knowledge import EvidenceRefused, Rules
from tieline.light_clients.fabric.msp import Identity, IdentityRefused
from tieline.wire.fabric.config_groups import Config, ConfigEnvelope
from tieline.wire.fabric.config_updates import (
    Element,
    Place,
    SignedConfigUpdate,
    changed_elements,
    elements_of,
    is_result,
)
from tieline.wire.fabric.envelopes import SignatureHeader
from tieline.wire.fabric.signatures import verify


def check_change(before: Config, rules: Rules, after: ConfigEnvelope) -> None:
    """
    Check a configuration as a peer does that comes to its block.

    When administrators' certificates expire is not asked, as peers do not ask: an update is signed
    ahead, and one that peers took and a client did not would be the client's end.

    Args:
        before: The configuration that is changed.
        rules: The same, ready to be judged by.
        after: The next one, with the update that led to it.

    Raises:
        EvidenceRefused: It is of another channel, an element's policy for changes was not
            satisfied, or another configuration follows from the update.
        Malformed: There is no update, or one that was not made for the configuration before.
    """
    update = SignedConfigUpdate.decode(after.last_update or b"")
    channel = rules.config.channel_id
    if update.channel_id != channel:
        raise EvidenceRefused(f"update of another channel: {update.channel_id!r}")
    held = elements_of(before.channel_group)
    changed = changed_elements(held, update)
    signers = _good_signers(update, rules)
    for place in changed:
        one = held.get(place)
        if one is not None and not rules.judge.satisfies_at(_policy_of(place, one), signers):
            raise EvidenceRefused(f"administrators did not sign a change of {place.path}")
    if not is_result(held, changed, after.config.channel_group):
        raise EvidenceRefused("another configuration follows from the update")


def _policy_of(place: Place, element: Element) -> str:
    policy = element.mod_policy
    return policy if policy.startswith("/") else f"{place.group}/{policy}"


def _good_signers(update: SignedConfigUpdate, rules: Rules) -> list[Identity]:
    """Return whose signatures are good; peers pass over the others as well."""
    found = list[Identity]()
    for one in update.signatures:
        creator = SignatureHeader.decode(one.signature_header).creator
        try:
            signer = rules.organisations.identify(creator)
        except IdentityRefused:
            continue
        if verify(signer.key, one.signature, one.signed_bytes(update.update)):
            found.append(signer)
    return found
