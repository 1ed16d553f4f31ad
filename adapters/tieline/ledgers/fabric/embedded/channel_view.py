"""
What one configuration of a channel says about signers: who somebody is, whose signature is good,
and whether signatures satisfy a policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final

from tieline.light_clients.fabric.msp import Identity, IdentityRefused, Organisations
from tieline.light_clients.fabric.policies import Judge
from tieline.wire.fabric.blocks import Block
from tieline.wire.fabric.config import ChannelConfig
from tieline.wire.fabric.envelopes import SignatureHeader
from tieline.wire.fabric.identities import SerializedIdentity
from tieline.wire.fabric.policies import ApplicationPolicy
from tieline.wire.fabric.responses import Endorsement
from tieline.wire.fabric.signatures import verify

BLOCK_POLICY: Final = "/Channel/Orderer/BlockValidation"
REMEMBERED_MAX: Final = 16_384
_good: dict[tuple[bytes, bytes, bytes], bool] = {}
"""
By certificate, signature and hash of the message, whether the signature is good. It is a fact about
these bytes alone, and two peers, the orderer and the next block ask for the same ones.
"""


class ChannelView:
    """Judges by one configuration."""

    def __init__(self, config: ChannelConfig) -> None:
        """Take a configuration. Raises Malformed if an organisation's certificates are none."""
        self.config = config
        groups = (*config.application.organisations, *config.orderer.organisations)
        self._organisations = Organisations(one.msp for one in groups)
        self._judge = Judge(config, self._organisations)
        self._judged: dict[tuple[bytes, tuple[tuple[str, bytes], ...]], bool] = {}
        """By policy and signers: the same few sign everything, under one configuration."""

    def signer(self, creator: bytes, message: bytes, signature: bytes) -> Identity | None:
        """Return who signed, None if nobody of the channel did or the signature is bad."""
        try:
            identity = self._organisations.identify(creator)
        except IdentityRefused:
            return None
        return identity if _is_good(identity, signature, message) else None

    def endorsers(self, payload: bytes, endorsements: Iterable[Endorsement]) -> list[Identity]:
        """Return whose endorsements of a response payload are good; bad ones do not count."""
        signers = (
            self.signer(one.endorser, one.signed_bytes(payload), one.signature)
            for one in endorsements
        )
        return [one for one in signers if one is not None]

    def satisfies(self, policy: bytes, signers: Sequence[Identity]) -> bool:
        """Tell whether signers satisfy an ``ApplicationPolicy``. Raises Malformed if it is none."""
        claim = (policy, tuple((one.msp_id, one.certificate) for one in signers))
        known = self._judged.get(claim)
        if known is None:
            if len(self._judged) >= REMEMBERED_MAX:
                self._judged.clear()
            known = self._judge.satisfies(ApplicationPolicy.decode(policy), signers)
            self._judged[claim] = known
        return known

    def satisfies_at(self, path: str, signers: Sequence[Identity]) -> bool:
        """Tell whether signers satisfy a policy of the configuration, by its path."""
        return self.satisfies(_reference(path), signers)


@lru_cache(maxsize=64)
def _reference(path: str) -> bytes:
    return ApplicationPolicy(None, path).encode()


def is_signed(block: Block, view: ChannelView) -> bool:
    """Tell whether a block's signatures satisfy the channel's policy. Raises Malformed."""
    metadata = block.signatures
    identities = {
        one.id: SerializedIdentity(one.msp_id, one.identity).encode()
        for one in view.config.orderer.consenters
    }
    signers: list[Identity] = []
    for one in metadata.signatures:
        if one.is_by_identifier:
            creator = identities.get(one.identifier, b"")
        else:
            creator = SignatureHeader.decode(one.signature_header).creator
        message = one.signed_bytes(metadata.value, block.header)
        signer = view.signer(creator, message, one.signature)
        signers += [] if signer is None else [signer]
    return view.satisfies_at(BLOCK_POLICY, signers)


def _is_good(identity: Identity, signature: bytes, message: bytes) -> bool:
    claim = (identity.certificate, signature, sha256(message).digest())
    known = _good.get(claim)
    if known is None:
        if len(_good) >= REMEMBERED_MAX:
            _good.clear()
        known = _good[claim] = verify(identity.key, signature, message)
    return known
