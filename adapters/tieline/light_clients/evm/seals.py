"""
Who stands by an EVM header, and are they enough?

An authority set seals beside the header; validators of QBFT and IBFT 2.0 do so inside its extra
data, which is why a block's hash is not the hash of all its bytes there.

Sources:
    ``docs/spec/bytes.md`` (HeaderSeal); Besu's codecs of extra data; vectors
    ``tests/vectors/bft_headers.json``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from tieline.light_clients.evm.messages import Sealing
from tieline.protocol.quorum import more_than_two_thirds, two_thirds_rounded_up
from tieline.wire.errors import Malformed
from tieline.wire.evm import rlp
from tieline.wire.evm.header import ADDRESS_BYTES, EvmHeader
from tieline.wire.hashes import keccak
from tieline.wire.ids import header_seal
from tieline.wire.keys import SIGNATURE_BYTES, recover_address

SEALERS_MAX = 64
"""As cells of a set; a header with so many seals takes 6 kB."""

_VANITY_BYTES = 32
_IBFT2_ROUND_BYTES = 4
_EXTRA_ITEMS = 5
_EXTRA_ITEMS_MAX = 2 * SEALERS_MAX + 16
_V_BASE = 27
_ADD_VOTE = b"\xff"
_DROP_VOTES = {Sealing.QBFT: b"", Sealing.IBFT2: b"\x00"}
_NO_VOTES: dict[Sealing, rlp.Item] = {Sealing.QBFT: [], Sealing.IBFT2: b""}


class SealsRefused(Exception):
    """The header is not sealed as its rule wants it; carries the first rule it breaks."""


@dataclass(frozen=True, slots=True)
class BftBlock:
    """What a QBFT or IBFT 2.0 header says about itself."""

    block_hash: bytes
    """What the next block names as its parent: without seals and round."""
    seal_hash: bytes
    """What validators sign: with the round, without seals."""
    validators: tuple[bytes, ...]
    """Who may seal this block, ascending."""
    seals: tuple[bytes, ...]
    """65 bytes r, s, v each; v 0 or 1."""


def check_authority(
    chain_tag: bytes, block_hash: bytes, seals: Sequence[bytes], sealers: Collection[bytes]
) -> None:
    """
    Check that more than two thirds of *sealers* sealed a block of this ledger instance.

    Args:
        chain_tag: Names the instance.
        block_hash: Computed from the header's bytes.
        seals: r, s, v with v 27 or 28 and low s; strictly ascending by signer.
        sealers: The set.

    Raises:
        SealsRefused: Too few, a stranger, one twice, out of order, or a signature that is none.
    """
    needed = more_than_two_thirds(len(sealers))
    if len(seals) < needed:
        raise SealsRefused(f"not enough seals: required={needed} got={len(seals)}")
    digest = header_seal(chain_tag, block_hash)
    previous = b""
    for index, seal in enumerate(seals):
        signer = _signer(digest, seal, index)
        if signer <= previous:
            raise SealsRefused(f"seals not ascending by signer: index={index}")
        if signer not in sealers:
            raise SealsRefused(f"sealed by a stranger: signer={signer.hex()}")
        previous = signer


def check_bft(block: BftBlock, trusted: Collection[bytes]) -> None:
    """
    Check that two thirds (rounded up) of a block's own validators sealed it, and of those that are
    trusted so far too.

    The first rule is the chain's own. The second lets the set change: those who are trusted have
    checked the new set before they sealed.

    Args:
        block: The header, taken apart.
        trusted: Validators of a header that is believed.

    Raises:
        SealsRefused: Too few, a stranger, one twice, or a signature that is none.
    """
    signers: set[bytes] = set()
    if len(block.seals) > SEALERS_MAX:
        raise SealsRefused(f"too many seals: {len(block.seals)}")
    for index, seal in enumerate(block.seals):
        if len(seal) != SIGNATURE_BYTES or seal[-1] > 1:
            raise SealsRefused(f"seal is not r, s, v with v 0 or 1: index={index}")
        signer = _signer(block.seal_hash, seal[:-1] + bytes((seal[-1] + _V_BASE,)), index)
        if signer in signers:
            raise SealsRefused(f"sealed twice: signer={signer.hex()}")
        if signer not in block.validators:
            raise SealsRefused(f"sealed by a stranger: signer={signer.hex()}")
        signers.add(signer)
    for members, whose in ((block.validators, "the block's"), (trusted, "trusted")):
        needed = two_thirds_rounded_up(len(members))
        count = len(signers.intersection(members))
        if count < needed:
            raise SealsRefused(f"not enough seals of {whose} validators: {count} of {needed}")


def take_apart(header: EvmHeader, sealing: Sealing) -> BftBlock:
    """
    Read the extra data of a QBFT or IBFT 2.0 header, genesis excepted.

    Raises:
        SealsRefused: It is not that rule's extra data, or names no validators (those of QBFT's
            contract mode are in a contract's state).
    """
    try:
        return _take_apart(header, sealing)
    except Malformed as exc:
        raise SealsRefused(f"extra data malformed: {exc}") from exc


def _take_apart(header: EvmHeader, sealing: Sealing) -> BftBlock:
    extra = rlp.decode_list(header.extra_data, depth_max=2, items_max=_EXTRA_ITEMS_MAX)
    if len(extra) != _EXTRA_ITEMS:
        raise Malformed(f"not five items: {len(extra)}")
    vanity, validators, vote, turn, seals = extra
    rlp.to_octets(vanity, _VANITY_BYTES)
    _check_vote(vote, sealing)
    unsealed: list[rlp.Item]
    unturned: list[rlp.Item]
    if sealing is Sealing.QBFT:
        rlp.to_uint(turn, 32)
        unsealed = [vanity, validators, vote, turn, []]
        unturned = [vanity, validators, vote, b"", []]
    else:
        rlp.to_octets(turn, _IBFT2_ROUND_BYTES)
        unsealed = [vanity, validators, vote, turn]
        unturned = [vanity, validators, vote]
    return BftBlock(
        _hash_with(header, unturned),
        _hash_with(header, unsealed),
        _validators(validators),
        tuple(rlp.to_octets(seal) for seal in _listed(seals)),
    )


def _validators(item: rlp.Item) -> tuple[bytes, ...]:
    validators = tuple(rlp.to_octets(one, ADDRESS_BYTES) for one in _listed(item))
    if not 0 < len(validators) <= SEALERS_MAX:
        raise Malformed(f"number of validators out of range: {len(validators)}")
    if list(validators) != sorted(set(validators)):
        raise Malformed("validators not ascending")
    return validators


def _check_vote(vote: rlp.Item, sealing: Sealing) -> None:
    if vote == _NO_VOTES[sealing]:
        return
    parts = _listed(vote)
    if len(parts) != 2 or parts[1] not in (_ADD_VOTE, _DROP_VOTES[sealing]):
        raise Malformed("vote of another form")
    rlp.to_octets(parts[0], ADDRESS_BYTES)


def _listed(item: rlp.Item) -> list[rlp.Item]:
    if isinstance(item, bytes):
        raise Malformed("bytes where a list belongs")
    return item


def _hash_with(header: EvmHeader, extra: list[rlp.Item]) -> bytes:
    return keccak(replace(header, extra_data=rlp.encode(extra)).encode())


def _signer(digest: bytes, seal: bytes, index: int) -> bytes:
    try:
        return recover_address(digest, seal)
    except Malformed as exc:
        raise SealsRefused(f"seal is none: index={index} {exc}") from exc
