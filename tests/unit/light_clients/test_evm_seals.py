"""Seals of EVM headers: an authority set's, and real QBFT and IBFT 2.0 headers by Besu."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import rlp
from fakes.evm_chain import EvmChain, bft_block_hash, bft_sealed, extra, keys
from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.light_clients.evm.messages import Sealing
from tieline.light_clients.evm.seals import (
    SEALERS_MAX,
    SealsRefused,
    check_authority,
    check_bft,
    take_apart,
)
from tieline.wire.evm.header import decode_header, header_of_rpc_block
from tieline.wire.ids import header_seal
from tieline.wire.keys import SecpKey

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "bft_headers.json").read_text(encoding="utf-8")
)
QBFT = decode_header(bytes.fromhex(VECTORS["qbft"]["header"]))
IBFT2 = header_of_rpc_block(VECTORS["ibft2"]["block"])
CHAIN = EvmChain()
BLOCK = CHAIN.block(9)
TAG = CHAIN.client_state().chain_tag
HASH = BLOCK.hash()
GROUP_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def seals(signers, tag=TAG, block_hash=HASH):
    return [key.sign_digest(header_seal(tag, block_hash)) for key in signers]


def test_a_real_qbft_header_is_sealed_by_three_of_its_four_validators():
    block = take_apart(QBFT, Sealing.QBFT)
    assert block.seal_hash.hex() == VECTORS["qbft"]["seal_hash"]
    assert [one.hex() for one in block.validators] == VECTORS["qbft"]["validators"]
    assert len(block.seals) == 3
    check_bft(block, block.validators)


def test_a_real_qbft_header_with_any_byte_changed_is_refused():
    trusted = take_apart(QBFT, Sealing.QBFT).validators
    data = QBFT.encode()
    for place in range(len(data)):
        spoilt = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises((SealsRefused, ValueError)):
            check_bft(take_apart(decode_header(spoilt), Sealing.QBFT), trusted)


def test_besu_hashes_of_an_ibft2_header_are_ours():
    block = take_apart(IBFT2, Sealing.IBFT2)
    assert block.block_hash.hex() == VECTORS["ibft2"]["block_hash"]
    assert block.seal_hash.hex() == VECTORS["ibft2"]["seal_hash"]
    signers = tuple(SecpKey(n.to_bytes(32, "big")).address for n in range(1, 5))
    check_bft(replace(block, validators=tuple(sorted(signers))), signers)
    with pytest.raises(SealsRefused, match="stranger"):
        check_bft(block, signers)


def test_extra_data_of_a_real_chain_of_one_is_read():
    vector = VECTORS["qbft_extra_data"]
    header = replace(QBFT, extra_data=bytes.fromhex(vector["bytes"]))
    block = take_apart(header, Sealing.QBFT)
    assert [one.hex() for one in block.validators] == vector["validators"]


@pytest.mark.parametrize("sealing", [Sealing.QBFT, Sealing.IBFT2])
def test_one_rule_does_not_read_the_other_rules_headers(sealing):
    header = bft_sealed(BLOCK, sealing, keys(4), keys(4))
    other = Sealing.IBFT2 if sealing is Sealing.QBFT else Sealing.QBFT
    with pytest.raises(SealsRefused, match="malformed"):
        take_apart(header, other)


@pytest.mark.parametrize("sealing", [Sealing.QBFT, Sealing.IBFT2])
@pytest.mark.parametrize("vote", [None, [b"\x01" * 20, b"\xff"], "drop"])
def test_hashes_are_those_of_an_independent_encoder(sealing, vote):
    if vote == "drop":
        vote = [b"\x01" * 20, b"" if sealing is Sealing.QBFT else b"\0"]
    header = bft_sealed(BLOCK, sealing, keys(4), keys(4)[:3], vote=vote)
    block = take_apart(header, sealing)
    assert block.block_hash == bft_block_hash(BLOCK, sealing, keys(4), vote=vote)
    check_bft(block, block.validators)


@pytest.mark.parametrize("sealing", [Sealing.QBFT, Sealing.IBFT2])
@pytest.mark.parametrize("n", [1, 3, 4, 6, 7, 9])
def test_two_thirds_rounded_up_seal_and_one_fewer_do_not(sealing, n):
    needed = {1: 1, 3: 2, 4: 3, 6: 4, 7: 5, 9: 6}[n]
    members = keys(n)
    for count in range(n + 1):
        block = take_apart(bft_sealed(BLOCK, sealing, members, members[:count]), sealing)
        if count < needed:
            with pytest.raises(SealsRefused, match="not enough seals"):
                check_bft(block, block.validators)
        else:
            check_bft(block, block.validators)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6, 9])
def test_more_than_two_thirds_of_an_authority_seal_and_one_fewer_do_not(n):
    needed = {1: 1, 2: 2, 3: 3, 4: 3, 6: 5, 9: 7}[n]
    members = keys(n)
    sealers = [key.address for key in members]
    for count in range(n + 1):
        if count < needed:
            with pytest.raises(SealsRefused, match="not enough"):
                check_authority(TAG, HASH, seals(members[:count]), sealers)
        else:
            check_authority(TAG, HASH, seals(members[:count]), sealers)


def test_validators_that_change_are_followed_only_with_two_thirds_of_those_trusted():
    old, new = keys(4), keys(5, "joined")
    mixed = sorted([*old[:3], new[0]], key=lambda key: key.address)
    trusted = [key.address for key in old]
    check_bft(take_apart(bft_sealed(BLOCK, Sealing.QBFT, mixed, mixed), Sealing.QBFT), trusted)
    own = bft_sealed(BLOCK, Sealing.QBFT, new, new)
    with pytest.raises(SealsRefused, match="trusted validators: 0 of 3"):
        check_bft(take_apart(own, Sealing.QBFT), trusted)
    two_old = sorted([*old[:2], *new[:2]], key=lambda key: key.address)
    with pytest.raises(SealsRefused, match="trusted validators: 2 of 3"):
        check_bft(
            take_apart(bft_sealed(BLOCK, Sealing.QBFT, two_old, two_old), Sealing.QBFT), trusted
        )


def refusal(given, sealers=None) -> str:
    with pytest.raises(SealsRefused) as refused:
        check_authority(TAG, HASH, given, sealers or CHAIN.addresses)
    return str(refused.value)


def malleated(seal):
    s = GROUP_ORDER - int.from_bytes(seal[32:64], "big")
    return seal[:32] + s.to_bytes(32, "big") + bytes([55 - seal[64]])


def test_an_authoritys_seals_have_one_spelling():
    good = seals(CHAIN.keys)
    check_authority(TAG, HASH, good, CHAIN.addresses)
    assert "not ascending" in refusal([good[0], *good[:3]])
    assert "not ascending" in refusal(good[::-1])
    assert "s is high" in refusal([malleated(good[0]), *good[1:]])
    assert "neither 27 nor 28" in refusal([good[0][:-1] + b"\0", *good[1:]])
    assert "64 bytes" in refusal([good[0][:-1], *good[1:]])
    assert "stranger" in refusal(good, CHAIN.addresses[:3])


def test_seals_of_another_ledger_instance_or_of_the_bare_hash_are_refused():
    assert "seal" in refusal(seals(CHAIN.keys, tag=b"t" * 32))
    assert "seal" in refusal(seals(CHAIN.keys, block_hash=b"h" * 32))
    assert "seal" in refusal([key.sign_digest(HASH) for key in CHAIN.keys])


def bft_refusal(header, sealing=Sealing.QBFT, trusted=None) -> str:
    with pytest.raises(SealsRefused) as refused:
        judge(header, sealing, trusted)
    return str(refused.value)


def judge(header, sealing, trusted):
    block = take_apart(header, sealing)
    check_bft(block, trusted or block.validators)


def test_validators_seals_have_one_spelling():
    members = keys(4)
    good = bft_sealed(BLOCK, Sealing.QBFT, members, members)
    items = rlp.decode(good.extra_data)

    def with_seals(changed):
        return replace(good, extra_data=rlp.encode([*items[:4], changed]))

    own = items[4]
    raised = own[0][:-1] + bytes([own[0][-1] + 27])
    high = malleated(raised)
    high = high[:-1] + bytes([high[-1] - 27])
    assert "sealed twice" in bft_refusal(with_seals([own[0], *own[:3]]))
    assert "v 0 or 1" in bft_refusal(with_seals([raised, *own[1:]]))
    assert "s is high" in bft_refusal(with_seals([high, *own[1:]]))
    assert "v 0 or 1" in bft_refusal(with_seals([own[0][:-1], *own[1:]]))
    assert "stranger" in bft_refusal(bft_sealed(BLOCK, Sealing.QBFT, members, keys(5, "x")))
    assert "malformed" in bft_refusal(with_seals([[own[0]], *own[1:]]))
    assert "malformed" in bft_refusal(with_seals(b"seals"))


@pytest.mark.parametrize("sealing", [Sealing.QBFT, Sealing.IBFT2])
def test_extra_data_of_another_form_is_refused(sealing):
    members = keys(4)
    good = rlp.decode(bft_sealed(BLOCK, sealing, members, members).extra_data)
    reversed_members = list(reversed(good[1]))
    for spoilt in (
        good[:4],
        [*good, b""],
        [b"short", *good[1:]],
        [good[0], reversed_members, *good[2:]],
        [good[0], [*good[1][:1], *good[1]], *good[2:]],
        [good[0], [], *good[2:]],
        [good[0], b"", *good[2:]],
        [good[0], [b"\1" * 21], *good[2:]],
        [*good[:2], [b"\1" * 20], *good[3:]],
        [*good[:2], [b"\1" * 20, b"\x01"], *good[3:]],
        [*good[:2], [b"\1" * 19, b"\xff"], *good[3:]],
        [*good[:2], b"vote", *good[3:]],
        [*good[:3], b"\1" * 5, good[4]],
        [*good[:3], [], good[4]],
    ):
        header = replace(BLOCK, extra_data=rlp.encode(spoilt))
        assert "extra data malformed" in bft_refusal(header, sealing)
    for data in (b"", b"\x80", rlp.encode(good) + b"\0"):
        assert "malformed" in bft_refusal(replace(BLOCK, extra_data=data), sealing)


def test_more_validators_than_any_client_follows_are_refused():
    members = keys(SEALERS_MAX)
    take_apart(bft_sealed(BLOCK, Sealing.QBFT, members, []), Sealing.QBFT)
    many = keys(SEALERS_MAX + 1)
    header = replace(BLOCK, extra_data=extra(Sealing.QBFT, many, 0, None))
    assert "number of validators" in bft_refusal(header)


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_no_extra_data_ends_in_another_error(data):
    for sealing in (Sealing.QBFT, Sealing.IBFT2):
        with pytest.raises(SealsRefused):
            take_apart(replace(BLOCK, extra_data=data), sealing)
