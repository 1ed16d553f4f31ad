"""
Headers and proofs of two real Fabric 3.1.1 networks that run the contract, one ordered by etcdraft,
one by SmartBFT: the client takes them, and takes none with one octet changed.
"""

import json
from base64 import b64decode
from functools import cache
from pathlib import Path

import pytest
from fakes.signing_chain import DictStore

from tieline.light_clients.fabric.client import FabricBlockClient
from tieline.protocol.errors import ClientRefused
from tieline.protocol.height import Height
from tieline.protocol.messages import AnyMessage
from tieline.protocol.time import NANOSECONDS_PER_SECOND, TimestampNanoseconds

FILE = Path(__file__).parents[2] / "vectors" / "fabric_proofs.json"
NETWORKS = ("raft", "bft")
PROOFS = (
    "commitment",
    "receipt",
    "acknowledgement",
    "no receipt",
    "no acknowledgement",
    "commitment under other rules",
    "later commitment",
)
UNDER_OTHER_RULES = {"commitment under other rules", "later commitment"}
"""Their read-backs were made when configuration and definition had changed."""
ABSENT = {"no receipt", "no acknowledgement"}
FLIPS = (0x01, 0x80, 0xFF)


@cache
def told(network):
    return json.loads(FILE.read_bytes())["networks"][network]


def any_of(one):
    return AnyMessage(one["type_url"], b64decode(one["value"]))


class Follower:
    """A client that began where the record does."""

    def __init__(self, network):
        self.told = told(network)
        self.rules, self.store = FabricBlockClient(), DictStore()
        states = any_of(self.told["client_state"]), any_of(self.told["consensus_state"])
        self.rules.initialise(self.store, *states)
        self.now = TimestampNanoseconds(self.told["now_s"] * NANOSECONDS_PER_SECOND)

    def update(self, message):
        return self.rules.update(self.store, message, self.now).heights

    def follow(self, count=2):
        for one in self.told["headers"][:count]:
            assert self.update(any_of(one["any"])) == (Height(0, one["height"]),)
        return self

    @classmethod
    def for_proof(cls, network, name):
        """A client that knows the rules under which the proof was made, and no later ones."""
        return cls(network).follow(2 if name in UNDER_OTHER_RULES else 1)

    def proof(self, name):
        (found,) = [one for one in self.told["proofs"] if one["name"] == name]
        return found

    def is_shown(self, found, proof):
        at, path = Height(0, found["height"]), (bytes.fromhex(found["key"]),)
        if found["value"] is None:
            return bool(self.rules.verify_non_membership(self.store, at, proof, path))
        value = bytes.fromhex(found["value"])
        return bool(self.rules.verify_membership(self.store, at, proof, path, value))


def changed(data, step=1):
    """Every step-th octet of *data* changed, one at a time, in three ways by turns."""
    for place in range(0, len(data), step):
        yield data[:place] + bytes([data[place] ^ FLIPS[place % 3]]) + data[place + 1 :]


@pytest.fixture(params=NETWORKS)
def network(request):
    return request.param


@pytest.mark.parametrize("name", PROOFS)
def test_what_a_real_network_wrote_and_did_not_is_shown(network, name):
    follower = Follower.for_proof(network, name)
    found = follower.proof(name)
    assert (found["value"] is None) == (name in ABSENT)
    assert follower.is_shown(found, b64decode(found["proof"]))


@pytest.mark.parametrize("name", PROOFS)
def test_a_proof_shows_nothing_but_what_it_is_of(network, name):
    follower = Follower.for_proof(network, name)
    found, proof = follower.proof(name), b64decode(follower.proof(name)["proof"])
    for key in {follower.proof(other)["key"] for other in PROOFS} - {found["key"]}:
        assert not follower.is_shown({**found, "key": key}, proof)
    for value in {bytes(32).hex(), "02", None} - {found["value"]}:
        assert not follower.is_shown({**found, "value": value}, proof)


def test_a_proof_before_its_header_shows_nothing(network):
    follower = Follower(network).follow(1)
    found = follower.proof("later commitment")
    assert not follower.is_shown(found, b64decode(found["proof"]))


def test_a_read_back_under_rules_that_were_replaced_shows_nothing(network):
    """Endorsers of the definition before may be nobody now; the fact is shown by a new one."""
    follower = Follower(network).follow(2)
    for name in PROOFS:
        found = follower.proof(name)
        is_shown = follower.is_shown(found, b64decode(found["proof"]))
        assert is_shown == (name in UNDER_OTHER_RULES), name


def test_a_header_holds_all_changes_of_the_rules_up_to_it(network):
    """So one that comes without the header between is taken too."""
    second = any_of(told(network)["headers"][1]["any"])
    assert Follower(network).update(second)
    assert Follower(network).follow(1).update(second)


def refuse_all(follower, name, step):
    found = follower.proof(name)
    proof = b64decode(found["proof"])
    taken = [
        place * step
        for place, spoiled in enumerate(changed(proof, step))
        if follower.is_shown(found, spoiled)
    ]
    assert not taken, f"octets of {name} that may change: {taken[:20]}"


def refuse_all_headers(network, index, step):
    follower = Follower(network).follow(index)
    honest = any_of(follower.told["headers"][index]["any"])
    before = dict(follower.store)
    for place, spoiled in enumerate(changed(honest.value, step)):
        try:
            follower.update(AnyMessage(honest.type_url, spoiled))
        except ClientRefused:
            assert dict(follower.store) == before
        else:
            raise AssertionError(f"octet of a header that may change: {place * step}")


@pytest.mark.parametrize("name", PROOFS)
def test_no_proof_of_a_real_network_is_shown_with_an_octet_changed(network, name):
    """A few here; all of them below."""
    refuse_all(Follower.for_proof(network, name), name, 97)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["commitment", "no receipt", "no acknowledgement"])
def test_no_proof_of_a_real_network_is_shown_with_any_octet_changed(network, name):
    refuse_all(Follower.for_proof(network, name), name, 1)


def test_no_header_of_a_real_network_is_taken_with_an_octet_changed(network):
    """A few here; all of them below."""
    for index in (0, 1):
        refuse_all_headers(network, index, 211)


@pytest.mark.slow
@pytest.mark.parametrize(("index", "step"), [(0, 1), (1, 11)])
def test_no_header_of_a_real_network_is_taken_with_any_octet_changed(network, index, step):
    """Of the longer header every eleventh, for time."""
    refuse_all_headers(network, index, step)
