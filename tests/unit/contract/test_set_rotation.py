"""
Attestors hand a client to their successors: more than two thirds of the old set sign, the ledger
and the client are part of what they sign, and the old set has nothing more to say.
"""

from dataclasses import replace

import pytest
from fakes.evm_chain import START_S, EvmChain
from fakes.microgrid import EchoApplication, Ledger, key

from tieline.contract.installation import Installation
from tieline.light_clients.attestations.client import AttestationsClient
from tieline.light_clients.attestations.messages import (
    ClientState,
    ConsensusState,
    address_text,
    proof_as_any,
)
from tieline.light_clients.evm.client import EvmSealedClient
from tieline.light_clients.paired import PairedClient
from tieline.light_clients.plain_or_paired import PlainOrPaired
from tieline.protocol.errors import ClientRefused
from tieline.protocol.messages import AnyMessage, CreateClient, UpdateClient
from tieline.swap.records import AttestorKey
from tieline.wire.attestation_proofs import (
    AttestationProof,
    PairedClientState,
    SignedAttestorKey,
    paired_message,
)
from tieline.wire.attestations import STATE_TAG, attestation_digest, encode_state_attestation
from tieline.wire.ids import rotate_set_digest
from tieline.wire.set_rotation import ROTATE_SET_URL, RotateSet
from tieline.wire.typed_data import domain_separator, sign_record

DOMAIN = domain_separator(b"\xee" * 32)
CELLS = [key("cell"), *(key(f"cell {n}") for n in range(3))]
PAIRED = PairedClient(EvmSealedClient(), domain=DOMAIN, own_cell=CELLS[0].address)
PLAIN_ID, PAIRED_ID = "attestations-0", "evm-sealed-1"
CHAIN = EvmChain()


def ordered(keys):
    return sorted(keys, key=lambda one: one.address)


OLD = [key(f"old attestor {n}") for n in range(4)]
NEW = [key(f"new attestor {n}") for n in range(4)]


def bindings(attestors, epoch=1, cells=CELLS, tag=None):
    chain_tag = CHAIN.client_state().chain_tag if tag is None else tag
    signed = []
    for cell, attestor in zip(cells, attestors, strict=True):
        record = AttestorKey(chain_tag, cell.address, attestor.address, epoch)
        both = sign_record(cell, DOMAIN, record), sign_record(attestor, DOMAIN, record)
        signed.append(SignedAttestorKey(record, *both))
    return tuple(sorted(signed, key=lambda one: one.key.attestor))


@pytest.fixture
def ledger():
    """Two clients of one EVM ledger: attestations alone, and paired with sealed headers."""
    rules = (AttestationsClient(), PAIRED)
    found = Ledger(
        installation=Installation(light_clients=rules, applications=(EchoApplication(),))
    )
    found.now_s = START_S
    found.block()
    cell = key("cell").cosmos_account
    attestors = tuple(address_text(one.address) for one in ordered(OLD))
    plain = ClientState(attestors, 3, 5).as_any(), ConsensusState(START_S * 10**9).as_any()
    paired = PairedClientState(
        CHAIN.client_state().as_any(), bindings(OLD), 3, CELLS[0].address
    ).as_any()
    found.must("cell", CreateClient(cell, *plain))
    found.must("cell", CreateClient(cell, paired, CHAIN.consensus_state().as_any()))
    return found


def rotation(ledger, client_id, *, signers=None, keys=NEW, needed=3, height=9, **said):
    """A rotation to *keys*; *said* alters what the old set signs."""
    addresses = tuple(one.address for one in ordered(keys))
    what = {
        "chain": ledger.application.chain_tag,
        "client_id": client_id,
        "new_addresses": addresses,
        "new_m": needed,
        "from_height": height,
        **said,
    }
    digest = rotate_set_digest(**what)
    old = ordered(OLD[:3] if signers is None else signers)
    signatures = tuple(one.sign_digest(digest) for one in old)
    bound = bindings(keys, 2, CELLS[: len(keys)]) if client_id == PAIRED_ID else ()
    return RotateSet(addresses, needed, height, signatures, bound)


def send(ledger, client_id, rotated, name="relayer"):
    return ledger.run(name, UpdateClient(key(name).cosmos_account, client_id, rotated.as_any()))


def attested(ledger, client_id, signers, height):
    """Bring the height's state, attested by *signers*, to a client."""
    time_s = START_S + height
    data = encode_state_attestation(height, time_s)
    digest = attestation_digest(STATE_TAG, data)
    signatures = tuple(one.sign_digest(digest) for one in ordered(signers))
    if client_id == PLAIN_ID:
        message = proof_as_any(AttestationProof(data, signatures))
    else:
        message = paired_message(CHAIN.header(height).as_any(), data, signatures)
    return ledger.run("relayer", UpdateClient(key("relayer").cosmos_account, client_id, message))


both = pytest.mark.parametrize("client_id", [PLAIN_ID, PAIRED_ID])


@both
def test_the_new_set_speaks_and_the_old_one_is_silent(ledger, client_id):
    assert attested(ledger, client_id, OLD[:3], 7).code == 0
    result = send(ledger, client_id, rotation(ledger, client_id))
    assert result.code == 0, result.log
    (event,) = [one for one in result.events if one.type == "attestor_set_rotated"]
    assert event.get("client_id") == client_id
    assert event.get("from_height") == "9"
    assert attested(ledger, client_id, NEW[:3], 11).code == 0
    refused = attested(ledger, client_id, OLD[:3], 13)
    assert "signer is not in attestor set" in refused.log


@both
def test_heights_below_the_new_sets_first_are_refused(ledger, client_id):
    send(ledger, client_id, rotation(ledger, client_id))
    assert "was replaced: height=8" in attested(ledger, client_id, NEW[:3], 8).log
    assert attested(ledger, client_id, NEW[:3], 9).code == 0


@both
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"signers": OLD[:2]}, "quorum not met"),
        ({"signers": NEW[:3]}, "signer is not in attestor set"),
        ({"signers": [*OLD[:2], OLD[1]]}, "duplicate signer"),
        ({"chain": b"\x01" * 32}, "not in attestor set"),
        ({"client_id": "attestations-7"}, "not in attestor set"),
        ({"new_addresses": (key("stranger").address,)}, "not in attestor set"),
        ({"new_m": 4}, "not in attestor set"),
        ({"from_height": 10}, "not in attestor set"),
        ({"needed": 2}, "not above two thirds"),
        ({"needed": 5}, "not above two thirds"),
        ({"height": 0}, "does not rise"),
    ],
)
def test_a_rotation_that_the_old_set_did_not_agree_on_is_refused(ledger, client_id, change, reason):
    said = dict(change)
    if "client_id" in said:
        made = rotation(ledger, client_id, **{k: v for k, v in said.items() if k != "client_id"})
        digest_of = rotation(ledger, said["client_id"])
        made = replace(made, signatures=digest_of.signatures)
    else:
        made = rotation(ledger, client_id, **said)
    assert reason in send(ledger, client_id, made).log
    assert attested(ledger, client_id, OLD[:3], 11).code == 0, "the old set is in place"


@both
def test_a_rotation_cannot_be_repeated_nor_taken_to_another_client(ledger, client_id):
    first = rotation(ledger, client_id)
    assert send(ledger, client_id, first).code == 0
    assert "does not rise" in send(ledger, client_id, first).log
    back = rotation(ledger, client_id, signers=NEW[:3], keys=OLD, height=9)
    assert "does not rise" in send(ledger, client_id, back).log
    other = PAIRED_ID if client_id == PLAIN_ID else PLAIN_ID
    assert send(ledger, other, first).code != 0


@both
def test_sets_of_another_form_are_refused(ledger, client_id):
    good = rotation(ledger, client_id)
    for spoilt, reason in (
        (replace(good, attestors=good.attestors[::-1]), "not ascending"),
        (replace(good, attestors=()), "number out of range"),
        (replace(good, attestors=(b"\1" * 19, *good.attestors[1:])), "20 bytes|not ascending"),
        (replace(good, from_height=2**64 - 1), "not in attestor set"),
    ):
        log = send(ledger, client_id, spoilt).log
        assert any(one in log for one in reason.split("|")), log
    raw = AnyMessage(ROTATE_SET_URL, good.encode() + b"\0")
    result = ledger.run("relayer", UpdateClient(key("relayer").cosmos_account, client_id, raw))
    assert result.code != 0


def test_a_client_of_attestations_alone_takes_no_bindings(ledger):
    made = replace(rotation(ledger, PLAIN_ID), attestor_keys=bindings(NEW, 2))
    assert "bindings of keys" in send(ledger, PLAIN_ID, made).log


@pytest.mark.parametrize(
    ("bound", "reason"),
    [
        ((), "bindings are not those"),
        (bindings(OLD, 2), "bindings are not those"),
        (bindings(NEW, 1), "does not replace the older one"),
        (bindings(NEW, 2, tag=b"\x05" * 32), "another ledger"),
        (bindings(NEW, 2, [key("someone"), *CELLS[1:]]), "own cell has no attestor"),
    ],
)
def test_paired_attestors_are_bound_to_cells_the_own_one_among_them(ledger, bound, reason):
    made = replace(rotation(ledger, PAIRED_ID), attestor_keys=bound)
    assert reason in send(ledger, PAIRED_ID, made).log


def test_a_cell_that_keeps_its_key_needs_no_later_epoch(ledger):
    keys = [OLD[0], *NEW[1:]]
    addresses = tuple(one.address for one in ordered(keys))
    kept = bindings(OLD[:1], 1, CELLS[:1])
    bound = (*kept, *bindings(NEW[1:], 2, CELLS[1:]))
    made = replace(
        rotation(ledger, PAIRED_ID, keys=keys),
        attestor_keys=tuple(sorted(bound, key=lambda one: one.key.attestor)),
    )
    assert made.attestors == addresses
    assert send(ledger, PAIRED_ID, made).code == 0


def test_stock_rules_and_clients_without_attestors_do_not_rotate(ledger):
    stock = AttestationsClient(is_strict=False)

    class Store(dict):
        def set(self, name, value):
            self[name] = value

    store = Store()
    attestors = tuple(address_text(one.address) for one in ordered(OLD))
    stock.initialise(store, ClientState(attestors, 3, 5).as_any(), ConsensusState(10**9).as_any())
    data = rotation(ledger, PLAIN_ID).encode()
    with pytest.raises(ClientRefused, match="cannot be replaced"):
        stock.rotate_set(store, data, ledger.application.chain_tag, PLAIN_ID)
    plain = PlainOrPaired(EvmSealedClient(), PAIRED)
    store = Store()
    plain.initialise(store, CHAIN.client_state().as_any(), CHAIN.consensus_state().as_any())
    with pytest.raises(ClientRefused, match="without attestors"):
        plain.rotate_set(store, data, ledger.application.chain_tag, PAIRED_ID)


def test_a_client_that_nobody_attests_does_not_rotate():
    bare = Ledger(
        installation=Installation(
            light_clients=(EvmSealedClient(),), applications=(EchoApplication(),)
        )
    )
    bare.now_s = START_S
    bare.block()
    cell = key("cell").cosmos_account
    states = CHAIN.client_state().as_any(), CHAIN.consensus_state().as_any()
    bare.must("cell", CreateClient(cell, *states))
    made = rotation(bare, PLAIN_ID)
    assert "has no attestors" in send(bare, "evm-sealed-0", made).log
